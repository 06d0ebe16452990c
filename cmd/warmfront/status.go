package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/warmfront/warmfront/ownapi/client"
)

const statusLong = `Shows the machines of a Warmfront, control plane, relays and edges, and how they are. LEASE is fresh while an edge may
answer from its cache without asking; APPLIED is how far in the journal it is, BEHIND how many entries there are since; HITS is
the share of hits among its answers of the last five minutes, CACHED what it has stored, FILL how much of its memory that takes. An
edge that does not answer has no VERSION: the rest is what was last heard of it. Of several control nodes the one that is asked says
who leads, and of the others whether it reaches them. Where places fill through others, all are listed with whom they ask; EDGES is
how many of theirs can be asked. A line under the nodes says so when the control node doubts its journal, which was restored or
copied: then invalidations take 32 s until the edges that are named have been heard. Traffic is that of the last five minutes, counted in steps of ten seconds. With --watch, one screen
that changes; where the output is no terminal, plain lines again and again.`

const statusExample = `  warmfront status
  warmfront status --watch
  warmfront status --json | jq '[.edges[].cache.objects] | add'`

const refresh = time.Second // of --watch

func statusCommand() *cobra.Command {
	var c connection
	var watch bool
	cmd := &cobra.Command{
		Use: "status", Short: "The machines and how they are: version, lease, how far behind, what they have cached",
		Long: statusLong, Example: statusExample, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			if watch {
				return c.watchStatus(cmd.Context(), api, cmd.OutOrStdout())
			}
			s, err := readStatus(cmd.Context(), api)
			if err != nil {
				return c.failed(err)
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), s, false)
			}
			return printStatus(cmd.OutOrStdout(), s)
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "again every second, until Ctrl-C")
	c.flags(cmd, "print the status as JSON, with --watch one a line")
	return cmd
}

// status is what is known of a running Warmfront.
type status struct {
	Endpoint string               `json:"endpoint"`
	Version  string               `json:"version"`
	Control  []client.ControlNode `json:"control"`
	Relays   []client.Relay       `json:"relays"`
	Doubt    *client.Doubt        `json:"doubt"` // nil: the journal is not doubted
	Edges    []client.Node        `json:"edges"`
	Places   []client.Place       `json:"places"`
	Traffic  *traffic             `json:"traffic"` // nil when there are too many distributions to ask about
}

// traffic is of all distributions, of the last minutes.
type traffic struct {
	Minutes           int      `json:"minutes"`
	Requests          uint64   `json:"requests"`
	RequestsPerSecond float64  `json:"requestsPerSecond"` // now
	HitRatio          *float64 `json:"hitRatio"`          // nil when nothing could have been a hit
	OriginRequests    uint64   `json:"originRequests"`

	hits, misses uint64
}

const (
	trafficMinutes = 5
	trafficOf      = 50 // distributions; each is a call
)

func readStatus(ctx context.Context, api *client.Client) (*status, error) {
	about, err := api.About(ctx)
	if err != nil {
		return nil, err
	}
	s := &status{Endpoint: api.Endpoint(), Version: about.Version}
	nodes, err := api.AllNodes(ctx)
	if err != nil {
		return nil, err
	}
	s.Control, s.Relays, s.Edges, s.Doubt = nodes.Control, nodes.Relays, nodes.Edges, nodes.Doubt
	if s.Places, err = api.Places(ctx); err != nil {
		return nil, err
	}
	all, err := api.Distributions(ctx, trafficOf+1)
	if err != nil || len(all) > trafficOf {
		return s, err
	}
	s.Traffic, err = readTraffic(ctx, api, all)
	return s, err
}

func readTraffic(ctx context.Context, api *client.Client, all []client.Distribution) (*traffic, error) {
	metrics := make([]*client.Metrics, len(all))
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(8)
	for i, d := range all {
		calls.Go(func() error {
			m, err := api.Metrics(ctx, d.ID, trafficMinutes)
			var no *client.Error
			if errors.As(err, &no) && no.Code == "NotFound" { // deleted meanwhile
				err = nil
			}
			metrics[i] = m
			return err
		})
	}
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	t := &traffic{Minutes: trafficMinutes}
	for _, m := range metrics {
		t.add(m)
	}
	if could := t.hits + t.misses; could > 0 {
		ratio := float64(t.hits) / float64(could)
		t.HitRatio = &ratio
	}
	return t, nil
}

func (t *traffic) add(m *client.Metrics) {
	t.RequestsPerSecond += m.Now.RequestsPerSecond
	for _, p := range m.Points {
		t.Requests += p.Requests
		t.OriginRequests += p.OriginRequests
		t.hits += p.Hits + p.RefreshHits
		t.misses += p.Misses
	}
}

func printStatus(out io.Writer, s *status) error {
	return printLines(out, statusLines(s))
}

func statusLines(s *status) []string { return append(statusTable(s), statusFoot(s)...) }

// statusTable has a line for each machine.
func statusTable(s *status) []string {
	var t table
	t.row("NODE", "ROLE", "LOCATION", "VERSION", "READY", "LEASE", "APPLIED", "BEHIND", "HITS", "OBJECTS", "CACHED", "FILL", "EVICTED")
	for _, n := range s.Control {
		role, position := "control", "-"
		if n.Leads {
			role = "control, leads"
		}
		if n.Position > 0 {
			position = fmt.Sprint(n.Position)
		}
		t.row(n.Name, role, "-", dash(n.Version), yes(n.Ready), "-", position, "", "", "", "", "", "")
	}
	for _, n := range s.Relays {
		t.row(n.Name, "relay", "-", dash(n.Version), yes(n.Ready), "-", fmt.Sprint(n.Position), "", "", "", "", "", "")
	}
	for _, n := range s.Edges {
		t.row(edgeRow(&n)...)
	}
	return append([]string{clean(fmt.Sprintf("Warmfront %s at %s, %s", s.Version, s.Endpoint, count(len(s.Edges), "edge"))), ""}, t.lines()...)
}

// statusFoot says what is wrong, how they hang together, and how it goes on the whole.
func statusFoot(s *status) (all []string) {
	for _, n := range s.Control {
		if n.Problem != "" {
			all = append(all, clean(n.Name+": "+n.Problem))
		}
	}
	all = append(all, doubtLines(s.Doubt)...)
	for _, n := range s.Relays {
		if n.Ready {
			all = append(all, clean(fmt.Sprintf("Relay %s at %s passes on to %s", n.Name, n.Address, count(n.Edges, "edge"))))
		}
	}
	all = append(all, placeLines(s.Places)...)
	return append(append(all, "", trafficLine(s.Traffic)), journalLine(s.Control)...)
}

// journalLine says how much the journal holds that was asked.
func journalLine(all []client.ControlNode) []string {
	i := slices.IndexFunc(all, func(n client.ControlNode) bool { return n.Journal != nil })
	if i < 0 {
		return nil
	}
	j := all[i].Journal
	line := fmt.Sprintf("Journal: %s", entries(int(j.Entries)))
	if j.Base > 0 {
		line += fmt.Sprintf(", compacted up to entry %s", number(j.Base))
	}
	if j.Compacted != nil {
		line += " on " + j.Compacted.Local().Format(dateTime)
	}
	if j.Uncompacted != "" {
		line += "; not compacted while it runs, and grows: " + clean(j.Uncompacted)
	}
	return []string{line}
}

// placeLines say which places fill through others; nothing where none does.
func placeLines(all []client.Place) []string {
	if !slices.ContainsFunc(all, func(p client.Place) bool { return p.Parent != "" }) {
		return nil
	}
	var t table
	t.row("PLACE", "FILLS THROUGH", "EDGES")
	for _, p := range all {
		t.row(p.Place, cmp.Or(p.Parent, "the origin"), fmt.Sprint(p.Edges))
	}
	return append([]string{""}, t.lines()...)
}

func edgeRow(n *client.Node) []string {
	lease, hits, fill := n.Lease, "-", "-"
	if lease != "fresh" {
		lease += " " + took(n.LeaseAgeMs) + " ago"
	}
	if n.HitRatio != nil {
		hits = share(*n.HitRatio)
	}
	if n.Cache.Capacity > 0 {
		fill = percent(uint64(n.Cache.Bytes), uint64(n.Cache.Capacity))
	}
	return []string{n.Edge, "edge", dash(n.Location), dash(n.Version), yes(n.Ready), lease, fmt.Sprint(n.Applied), number(n.Behind),
		hits, number(n.Cache.Objects), size(n.Cache.Bytes), fill, number(n.Cache.Evictions)}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func trafficLine(t *traffic) string {
	switch {
	case t == nil:
		return fmt.Sprintf("Traffic is not shown: there are more than %d distributions; the console shows it for each.", trafficOf)
	case t.Requests == 0 && t.RequestsPerSecond == 0:
		return fmt.Sprintf("Traffic: none in the last %d minutes", t.Minutes)
	case t.Requests == 0: // of the step that is not over
		return fmt.Sprintf("Traffic: %.1f requests a second, none before", t.RequestsPerSecond)
	}
	ratio := ""
	if t.hits+t.misses > 0 {
		ratio = ", hit ratio " + percent(t.hits, t.hits+t.misses)
	}
	return fmt.Sprintf("Traffic: %.1f requests a second; last %d minutes: %s%s, %s to origins", t.RequestsPerSecond, t.Minutes,
		count(t.Requests, "request"), ratio, number(t.OriginRequests))
}

// watchStatus shows it again and again. A server that does not answer may be starting again; one that
// has never answered is an error.
func (c *connection) watchStatus(ctx context.Context, api *client.Client, out io.Writer) error {
	screen := screenOf(out)
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for answered := false; ; {
		s, err := readStatus(ctx, api)
		var nobody *client.Unreachable
		switch {
		case ctx.Err() != nil:
			return nil // Ctrl-C is how it ends
		case err != nil && !(answered && errors.As(err, &nobody)):
			return c.failed(err)
		case err == nil:
			answered = true
			err = c.showStatus(screen, s)
		default:
			err = c.showTrouble(screen, err)
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *connection) showStatus(to *screen, s *status) error {
	switch {
	case c.json:
		return printJSON(to.out, s, true)
	case to.live():
		foot := append(statusFoot(s), "", "Ctrl-C ends this. "+time.Now().Format(dateTime))
		to.draw(append(statusTable(s), foot...), len(foot))
		return nil
	}
	fmt.Fprintln(to.out, time.Now().Format(dateTime))
	return printStatus(to.out, s)
}

func (c *connection) showTrouble(to *screen, err error) error {
	switch {
	case c.json: // a line that is no status would break who reads it
	case to.live():
		to.draw([]string{clean(err.Error()), "It is asked again until it answers. Ctrl-C ends this."}, 0)
	default:
		fmt.Fprintln(to.out, clean(err.Error()))
	}
	return nil
}
