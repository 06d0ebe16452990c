package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/ownapi/client"
)

// gently are the flags that say how an invalidation spares the origin.
type gently struct {
	byLocation bool
	first      []string
	pause      time.Duration
}

func (g *gently) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&g.byLocation, "by-location", false, "come into force at one edge location after the other")
	f.StringSliceVar(&g.first, "first", nil, "with --by-location: `locations` whose turn comes first, as in FRA50,GRU50")
	f.DurationVar(&g.pause, "pause", 0, "with --by-location: `time` between two locations, as in 30s")
}

// given tells whether any of them is used.
func (g *gently) given(changed func(string) bool) bool {
	return changed("by-location") || changed("first") || changed("pause")
}

// read checks them; nil: none is used.
func (g *gently) read(changed func(string) bool) (*client.Pace, error) {
	switch {
	case !g.byLocation && (changed("first") || changed("pause")):
		return nil, usage("--first and --pause are for --by-location")
	case g.pause < 0:
		return nil, usage("--pause %s is negative", g.pause)
	case !g.byLocation:
		return nil, nil
	}
	return &client.Pace{ByLocation: &client.ByLocation{First: append([]string{}, g.first...), PauseSeconds: g.pause.Seconds()}}, nil
}

// paceText says how an invalidation spares the origin.
func paceText(p *client.Pace) string {
	if p == nil || p.ByLocation == nil {
		return ""
	}
	s := "by location"
	if len(p.ByLocation.First) > 0 {
		s += ", first " + strings.Join(p.ByLocation.First, ", ")
	}
	if pause := p.ByLocation.PauseSeconds; pause > 0 {
		s += fmt.Sprintf(", pause %s", time.Duration(pause*float64(time.Second)))
	}
	return s
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
