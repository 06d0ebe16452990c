package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/cloudfront"
	"github.com/warmfront/warmfront/console"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/ownapi"
	"github.com/warmfront/warmfront/telemetry"
)

// buryDeadEdges ends the membership of edges that this process does not start any more. They were
// this data directory's alone, unless they were admitted with a token, and its lock says that no other process runs them: they are provably
// dead (P4), and nothing should wait for them.
func (d *process) buryDeadEdges(ctx context.Context) error {
	var ours []string
	for i := range d.ls.edges {
		ours = append(ours, location(i))
	}
	for _, n := range d.control.Nodes() {
		if _, elsewhere := d.control.Admitted(n.Edge); elsewhere || slices.Contains(ours, n.Edge) {
			continue
		}
		if err := d.control.Leave(ctx, journal.EdgeLeft{Edge: n.Edge, Incarnation: n.Incarnation}); err != nil {
			return err
		}
	}
	return nil
}

// startDoors opens the API and the console.
func (d *process) startDoors(p *phase) error {
	handler, err := d.controlHandler(p)
	if err != nil {
		return err
	}
	if d.door != nil {
		d.door.open(handler, d.fleet.log.Quorum)
		p.run(func(ctx context.Context) error {
			<-ctx.Done()
			d.door.shut()
			return nil
		})
	} else {
		p.run(serveHTTP(d.controlServer(handler), patient{d.ls.control}, doorGrace))
	}
	p.run(d.countInvalidations)
	return nil
}

// startTelemetry opens the listener of metrics and health, if there is one.
func (d *process) startTelemetry(p *phase) {
	if d.ls.telemetry == nil {
		return
	}
	ready := map[string]func() error{}
	if d.state != nil {
		ready["journal"] = d.state.ask
	} else if d.health != nil {
		ready["journal"] = d.health
	}
	for _, pl := range d.places {
		ready["edge "+pl.name] = pl.edge.Ready
		if d.control == nil {
			ready["edge "+pl.name] = pl.serves
		}
		d.metrics.AddEdge(pl.name, pl.location, pl.state)
	}
	d.ready.Telemetry = url(d.ls.telemetry)
	p.run((&telemetry.Server{Listener: d.ls.telemetry, Metrics: d.metrics, Ready: ready, Logger: d.Logger.With("role", "telemetry")}).Run)
}

// controlHandler puts the doors of the control listener side by side: the CloudFront API under its
// version, Warmfront's own API, and the console everywhere else.
func (d *process) controlHandler(p *phase) (http.Handler, error) {
	lookup := d.who.lookup
	api, err := cloudfront.New(cloudfront.Config{Control: d.control, Lookup: lookup, Known: d.who.known, Rate: d.rate, Logger: d.Logger.With("role", "api")})
	if err != nil {
		return nil, err
	}
	pages, err := console.New(console.Config{Sessions: d.who.sessions, Logger: d.Logger.With("role", "console")})
	if err != nil {
		return nil, err
	}
	own, err := d.ownAPI(lookup)
	if err != nil {
		return nil, err
	}
	p.run(own.Run)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case cloudfront.Versioned(path):
			api.ServeHTTP(w, r)
		case path != console.SessionPath && (path == "/warmfront" || strings.HasPrefix(path, "/warmfront/")):
			own.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	}), nil
}

// ownAPI is the door for what CloudFront has no words for, over the edges of this process.
func (d *process) ownAPI(lookup auth.Lookup) (*ownapi.Handler, error) {
	c := ownapi.Config{
		Control: d.control, Lookup: lookup, Known: d.who.known, Access: d.who.access, Meter: d.meter, Rate: d.rate,
		Version: d.Version, Suffix: d.Suffix, Logger: d.Logger.With("role", "ownapi"), Proxied: d.ProxyProtocol,
	}
	c.Nodes, c.Backup, c.Compact = d.controlNodes, d.backup, d.compactNow
	for _, pl := range d.places {
		at := ownapi.Place{Name: pl.name, Location: pl.location, URL: url(pl.l), Version: d.Version, Edge: ownapi.Local(pl.edge), Origins: pl.origin}
		at.Traffic = func() (hits, misses uint64) { return d.metrics.Traffic(pl.name) }
		if pl.secure != nil {
			at.HTTPS = secureURL(pl.secure)
		}
		c.Places = append(c.Places, at)
	}
	if d.fleet != nil {
		c.Fleet = &ownapi.Fleet{Connected: d.fleet.connected, Token: d.gate.token, ControlToken: d.gate.controlToken, Drain: d.fleet.drain, Disconnect: d.fleet.log.Disconnect, Relays: d.fleet.relays}
	}
	if d.ready.Demo != "" {
		c.Demo = &ownapi.Demo{URL: d.ready.Demo, DistributionID: d.ready.DemoDistribution}
	}
	return ownapi.New(c)
}

// controlNodes is this process, as a node of the control plane.
func (d *process) controlNodes() []ownapi.ControlNode {
	host, _ := os.Hostname()
	n := ownapi.ControlNode{Name: host, Version: d.Version, Position: d.control.Seq()}
	if d.health != nil {
		n.Err = d.health()
	}
	if log, ok := d.log.(*jetstream.Log); ok {
		x := log.Extent()
		n.Journal = &ownapi.JournalExtent{Entries: x.Entries, Base: x.Base, Bytes: x.Bytes, Uncompacted: log.Uncompacted()}
		if !x.Compacted.IsZero() {
			n.Journal.Compacted = &x.Compacted
		}
	}
	all := []ownapi.ControlNode{n}
	if d.fleet == nil {
		return all
	}
	for _, s := range d.fleet.log.Nodes() {
		if s.Node == d.Name {
			all[0].Name, all[0].Leads = s.Node, s.Leads
			continue
		}
		other := ownapi.ControlNode{Name: s.Node, Leads: s.Leads}
		if !s.Reached {
			other.Err, other.Leads = errors.New("not reached from "+d.Name), false
		}
		all = append(all, other)
	}
	slices.SortFunc(all, func(a, b ownapi.ControlNode) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// startAccessLog opens the log before the first request can be answered; it is written until after the last.
func (d *process) startAccessLog(p *phase) (err error) {
	if d.AccessLog == "" {
		return nil
	}
	if d.access, err = telemetry.OpenAccessLog(d.AccessLog, d.AccessFormat, d.Err, d.Logger.With("role", "telemetry")); err != nil {
		return fmt.Errorf("--access-log: %w", err)
	}
	d.metrics.CountDropped(d.access.Dropped)
	p.run(d.access.Run)
	return nil
}

// observe is told of every request of every edge.
func (d *process) observe(x *edge.Exchange) {
	d.meter.Observe(x)
	r := telemetry.Request{
		Time: x.Start.Add(x.Duration), Edge: x.Edge, Location: x.Pop, Distribution: x.Distribution,
		Domain: x.Domain, Behavior: x.Behavior, Head: x.Request, Stripe: x.Stripe,
		Status: x.Status, Result: x.Outcome.String(), Reason: x.Reason.String(), Origin: x.Origin, BytesOut: x.Bytes,
		FirstByte: x.FirstByte, Duration: x.Duration, ID: x.ID, ContentType: x.ContentType, Aborted: x.Aborted,
	}
	d.metrics.ObserveRequest(&r)
	switch why := x.Reason.String(); {
	case strings.HasPrefix(why, "origin-"): // the origin failed, and a viewer met it
		d.metrics.ObserveFetch(telemetry.Fetch{Edge: x.Edge, Distribution: x.Distribution, Failure: why, FirstByte: x.FirstByte})
	case x.OriginLatency > 0:
		d.metrics.ObserveFetch(telemetry.Fetch{Edge: x.Edge, Distribution: x.Distribution, FirstByte: x.OriginLatency})
	}
	if d.access != nil {
		d.access.Observe(&r)
	}
}

// state is what a scrape asks of an edge.
func (pl *place) state() telemetry.EdgeState {
	s, c := pl.edge.Stats(), pl.store.Stats()
	var open [3]int
	for _, server := range pl.servers {
		n := server.Connections()
		open[0], open[1], open[2] = open[0]+n.HTTP1, open[1]+n.HTTP2, open[2]+n.HTTP3
	}
	var below disk.Stats
	if pl.disk != nil {
		below = pl.disk.Stats()
	}
	return telemetry.EdgeState{
		Disk: telemetry.DiskState{
			Objects: below.Objects, Bytes: below.Bytes, Capacity: below.Capacity, Evictions: below.Evictions, Hits: below.Hits,
			Written: below.Written, Waiting: below.Waiting, Skipped: below.Overflow + below.Unearned, Damaged: below.Damaged, Failures: below.Failures,
			Failing: below.Failing || pl.undisked,
		},
		Ready: pl.edge.Ready() == nil, Objects: c.Objects, Bytes: c.Bytes, Held: c.Held, Capacity: c.Capacity, Evictions: c.Evictions,
		Rules: s.Rules, Applied: s.Seq, Head: s.Seq, LeaseAge: s.SinceFresh, LeaseFresh: s.Fresh, FillsInFlight: s.Fills,
		Failovers: s.Failovers, AskedAgain: s.AskedAgain, TagsLeft: s.TagsLeft,
		Tiers: telemetry.TierState{
			Answered: s.Tiers.Answered, Hits: s.Tiers.Hits, PassedBy: s.Tiers.Refused + s.Tiers.Failed,
			Served: s.Tiers.Served, ServedHits: s.Tiers.ServedHits, Denied: s.Tiers.ServedRefused,
		},
		PaceWaiting: s.PaceWaiting, PaceOwed: s.PaceOwed, Refetched: s.Refetched,
		OriginsDown:   len(pl.origin.Down()),
		CompressBytes: s.CompressBytes, Compressed: s.Compressed, Uncompressed: s.Uncompressed,
		Connections: open,
	}
}

// controlState is how this control node is.
func (d *process) controlState() telemetry.ControlState {
	s := telemetry.ControlState{Applied: d.control.Seq()}
	if doubt := d.control.Doubt(); doubt != nil {
		s.Doubted, s.Unheard = max(time.Since(doubt.Since), time.Nanosecond), len(doubt.Unheard)
	}
	return s
}

// countInvalidations turns the control plane's changes into metrics.
func (d *process) countInvalidations(ctx context.Context) error {
	changes, stop := d.control.Watch()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case c, ok := <-changes:
			if !ok {
				return nil
			}
			if c.Kind != control.ChangeInvalidation {
				continue
			}
			switch c.Status { // what is scheduled counts when it comes into force
			case control.InProgress:
				d.metrics.InvalidationCreated(c.DistributionID)
			case control.Completed:
				if r, err := d.control.Receipt(c.DistributionID, c.ID); err == nil {
					d.metrics.InvalidationCompleted(c.DistributionID, r.Took)
				}
			}
		}
	}
}
