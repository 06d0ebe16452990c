package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/ownapi/client"
)

// gently are the flags that say how an invalidation spares the origin.
type gently struct {
	pace       string
	refetch    bool
	byLocation bool
	first      []string
	pause      time.Duration
}

func (g *gently) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&g.pace, "pace", "", "let each edge ask origins no more often for what it drops: as in `20/s`, 30/m")
	f.BoolVar(&g.refetch, "refetch", false, "with --pace: ask for what was wanted most before viewers do")
	f.BoolVar(&g.byLocation, "by-location", false, "come into force at one edge location after the other")
	f.StringSliceVar(&g.first, "first", nil, "with --by-location: `locations` whose turn comes first, as in FRA50,GRU50")
	f.DurationVar(&g.pause, "pause", 0, "with --by-location: `time` between two locations, as in 30s")
}

// read checks them; nil: none is used.
func (g *gently) read(changed func(string) bool) (*client.Pace, error) {
	var p client.Pace
	if changed("pace") {
		var err error
		if p.RequestsPerSecond, err = parseRate(g.pace); err != nil {
			return nil, usage("--pace %w", err)
		}
	}
	p.Refetch = g.refetch
	switch {
	case g.refetch && p.RequestsPerSecond == 0:
		return nil, usage("--refetch is for --pace")
	case !g.byLocation && (changed("first") || changed("pause")):
		return nil, usage("--first and --pause are for --by-location")
	case g.pause < 0:
		return nil, usage("--pause %s is negative", g.pause)
	case g.byLocation:
		p.ByLocation = &client.ByLocation{First: append([]string{}, g.first...), PauseSeconds: g.pause.Seconds()}
	case p.RequestsPerSecond == 0:
		return nil, nil
	}
	return &p, nil
}

// parseRate reads so many a second or a minute.
func parseRate(s string) (float64, error) {
	number, unit, _ := strings.Cut(s, "/")
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || !(n > 0) || n > 1e9:
	case unit == "s" || unit == "":
		return n, nil
	case unit == "m":
		return n / 60, nil
	}
	return 0, fmt.Errorf("%q: use a rate as in 20/s or 30/m", s)
}

// paceText says how an invalidation spares the origin.
func paceText(p *client.Pace) string {
	if p == nil {
		return ""
	}
	s := ""
	if p.RequestsPerSecond > 0 {
		s = rateText(p.RequestsPerSecond) + " per edge"
	}
	if p.Refetch {
		s += ", re-fetched"
	}
	if p.ByLocation == nil {
		return s
	}
	if s != "" {
		s += ", "
	}
	s += "by location"
	if len(p.ByLocation.First) > 0 {
		s += ", first " + strings.Join(p.ByLocation.First, ", ")
	}
	if pause := p.ByLocation.PauseSeconds; pause > 0 {
		s += fmt.Sprintf(", pause %s", time.Duration(pause*float64(time.Second)))
	}
	return s
}

// rateText writes a rate as --pace takes it.
func rateText(perSecond float64) string {
	if perSecond < 1 {
		return strconv.FormatFloat(math.Round(perSecond*6000)/100, 'f', -1, 64) + "/m"
	}
	return strconv.FormatFloat(math.Round(perSecond*100)/100, 'f', -1, 64) + "/s"
}

// loadText says what origins have to expect at a pace.
func loadText(p *client.Pace, t *client.PreviewTotal) string {
	if p == nil || p.RequestsPerSecond == 0 {
		return ""
	}
	most := int64(0)
	for _, e := range t.Edges {
		most = max(most, e.Objects)
	}
	all := time.Duration(float64(most) / p.RequestsPerSecond * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("At %s per edge origins get at most %s for it, from %s together; to bring all of it back takes %s at least.",
		rateText(p.RequestsPerSecond), rateText(p.RequestsPerSecond*float64(len(t.Edges))), count(len(t.Edges), "edge"), all)
}

// withdrawnText says what of a withdrawn invalidation has come about.
func withdrawnText(inv *client.Invalidation) string {
	if inv.Status != control.Withdrawn || len(inv.Waves) == 0 {
		return ""
	}
	var been []string
	for _, w := range inv.Waves {
		been = append(been, w.Locations...)
	}
	return "in force at " + strings.Join(been, ", ") + ", and nowhere else"
}
