// Package fleet knows how long an invalidation is on its way to many edges that are far away.
//
// Everything is real but the distance: the journal (journal/jetstream, synced to disk), the control plane, and each edge
// with its follower, tickets, acknowledgements and sweeper. All of it may run in one process. Edges that are far away come to the control
// plane's door as those on other machines do, by TCP and TLS, with a certificate each; the distance is a proxy in each edge's
// connection ([lines]), which brings every octet as much later as the edge is far away, in both directions, on a line that is long and
// not full. These proxies may be in a process of their own ([Apart]): a network does not wait until the program at its end has nothing
// else to do. So may be the edges that are far away ([Config.Elsewhere]): the control node's collector has nothing of theirs to look at. Relays
// ([Config.Relays]) are far away with the edges beside them, and may be in a process of their own too ([Config.Between]). Without a
// distance they are beside the journal, in its process, and there is no network.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// Config is what is measured.
type Config struct {
	Edges         int
	Nearest       time.Duration // one way; the edges lie at equal distances between nearest and farthest
	Farthest      time.Duration // 0: the edges are beside the journal
	Invalidations int           // after those that warm up
	Every         time.Duration // from one to the next, whatever has become of it

	// Relays stand at as many places between nearest and farthest, at equal distances; the edges are beside them, as many at each. 0: each
	// edge has a place of its own, and comes to the control node.
	Relays int

	// Between makes the process that relays are in, and which does ServeRelays. Nil: they are in this one.
	Between func(context.Context) *exec.Cmd

	// Lines lays lines of these lengths to an address. Nil: in this process.
	Lines func(ctx context.Context, to string, ways []time.Duration) (Laid, error)

	// Elsewhere makes the process that edges which are far away are in, and which does ServeEdges. Nil: they are in this one.
	Elsewhere func(context.Context) *exec.Cmd

	// Progress is told how far it is; nil: nobody waits.
	Progress func(what string)
}

func (c Config) progress(format string, args ...any) {
	if c.Progress != nil {
		c.Progress(fmt.Sprintf(format, args...))
	}
}

// Outcome has a duration for each invalidation, from the call of control.Invalidate.
type Outcome struct {
	Accepted  []time.Duration // until that returned: it is on disk
	Applied   []time.Duration // until the last edge had applied it, no answer under way without it; by the edges' clocks, all the same here
	Completed []time.Duration // until control knew the entry that says so to be on disk

	Memory int64 // octets of this process that the edges have added, before the first invalidation; 0: they are elsewhere

	Late []time.Duration // by how much timers of this process were late meanwhile: what the machine adds at each step
}

// warm is how many invalidations count for nothing.
const warm = 10

// patience bounds what may take for ever when something is wrong.
const patience = 90 * time.Second

// Run makes the fleet, measures, and takes it down.
func Run(ctx context.Context, c Config) (out Outcome, err error) {
	switch {
	case c.Farthest == 0 && (c.Lines != nil || c.Elsewhere != nil || c.Relays > 0):
		return out, errBeside
	case c.Relays == 0 && c.Between != nil:
		return out, errBetween
	case c.Relays < 0 || c.Relays > c.Edges:
		return out, errIdle
	}
	ctx, cancel := context.WithTimeout(ctx, patience+time.Duration(c.Edges)*time.Second+time.Duration(c.Invalidations+warm)*c.Every)
	defer cancel()
	dir, err := os.MkdirTemp("", "warmfront-fleet-")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(dir)
	log, g, err := c.open(ctx, dir)
	if err != nil {
		return out, err
	}
	defer log.Close()
	plane, err := control.New(control.Config{Log: log})
	if err != nil {
		return out, err
	}
	var running sync.WaitGroup
	defer running.Wait()
	planeCtx, stopPlane := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPlane()
	running.Go(func() { plane.Run(planeCtx) })
	select {
	case <-plane.Ready():
	case <-ctx.Done():
		return out, context.Cause(ctx)
	}
	to, stop := post{}, func() {}
	if g != nil {
		if to, stop, err = g.doors(ctx, c, plane); err != nil {
			return out, err
		}
	}
	defer stop()
	memory := resident()
	edges, err := c.company(ctx, log, g, plane, to)
	if err != nil {
		return out, err
	}
	memory = resident() - memory
	// The edges first: they leave the journal by the control plane.
	defer edges.end()
	if out, err = c.measure(ctx, plane, edges); c.Elsewhere == nil {
		out.Memory = memory
	}
	return out, err
}

// open opens the journal; g is nil without a network.
func (c Config) open(ctx context.Context, dir string) (log *jetstream.Log, g *gate, err error) {
	if c.Farthest == 0 {
		log, err = jetstream.Open(ctx, jetstream.Config{Dir: dir})
		return log, nil, err
	}
	if g, err = openGated(ctx, dir); err != nil {
		return nil, nil, err
	}
	return g.log, g, nil
}

// company is all edges, wherever they are.
type company interface {
	applied(seqs []uint64) ([]time.Time, error) // when the last had applied each of these entries
	end()
}

// company starts them. Those with a network come to where their post says.
func (c Config) company(ctx context.Context, log *jetstream.Log, g *gate, plane *control.Control, to post) (company, error) {
	switch {
	case g == nil:
		near := &shared{Log: log, all: map[*beside]func(*journal.Entry){}}
		stop, err := log.Live(near.deliver)
		if err != nil {
			return nil, err
		}
		e, err := c.join(ctx, func(int) (*seat, error) { return near.seat(plane), nil })
		if err != nil {
			stop()
			return nil, err
		}
		all := e.stop
		e.stop = func() { all(); stop() }
		return e, nil
	case c.Elsewhere == nil:
		return c.join(ctx, func(i int) (*seat, error) { return to.seat(g.authority, i) })
	}
	return c.elsewhere(ctx, to)
}

// resident is the physical memory of this process in octets, after a collection; 0 where the system does not say.
func resident() int64 {
	debug.FreeOSMemory()
	text, _ := os.ReadFile("/proc/self/statm")
	var size, pages int64
	if n, _ := fmt.Sscan(string(text), &size, &pages); n != 2 {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// measure invalidates at the pace, and waits for all of it.
func (c Config) measure(ctx context.Context, plane *control.Control, edges company) (out Outcome, err error) {
	made, err := plane.CreateDistribution(ctx, actor, Site(), nil)
	if err != nil {
		return out, err
	}
	watch := watchCompleted(plane, made.ID)
	defer watch.stop()
	late := measureLateness()
	defer func() { out.Late = late() }()
	type one struct {
		id       string
		seq      uint64
		began    time.Time
		accepted time.Duration
	}
	var all []one
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	for i := range warm + c.Invalidations {
		select {
		case <-ctx.Done():
			return out, context.Cause(ctx)
		case <-tick.C:
		}
		began := time.Now()
		inv, _, err := plane.CreateInvalidation(ctx, actor, made.ID, &wire.InvalidationBatch{
			CallerReference: wire.Ptr(fmt.Sprint("fleet-", i)),
			Paths:           &wire.Paths{Quantity: wire.Ptr[int64](1), Items: []string{fmt.Sprintf("/nothing/%d/*", i)}},
		})
		if err != nil {
			return out, err
		}
		all = append(all, one{inv.ID, inv.Seq, began, time.Since(began)})
	}
	c.progress("%d invalidations accepted", len(all))
	seqs, completed := make([]uint64, len(all)), make([]time.Time, len(all))
	for i, o := range all {
		seqs[i] = o.seq
		if completed[i], err = watch.await(ctx, o.id); err != nil {
			return out, fmt.Errorf("invalidation %d of %d: %w", i+1, len(all), err)
		}
	}
	applied, err := edges.applied(seqs)
	if err != nil {
		return out, err
	}
	for i := warm; i < len(all); i++ {
		out.Accepted = append(out.Accepted, all[i].accepted)
		out.Applied = append(out.Applied, applied[i].Sub(all[i].began))
		out.Completed = append(out.Completed, completed[i].Sub(all[i].began))
	}
	c.progress("all of them Completed")
	return out, nil
}

// measureLateness asks for timers until it is ended, and returns by how much each was late.
func measureLateness() (end func() []time.Duration) {
	const every = 5 * time.Millisecond
	var late []time.Duration
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			due := time.Now().Add(every)
			select {
			case <-stop:
				return
			case <-time.After(every):
				late = append(late, time.Since(due))
			}
		}
	}()
	return func() []time.Duration {
		close(stop)
		<-done
		return late
	}
}

var actor = journal.Actor{User: "bench"}

// Site is the distribution that is invalidated. Nobody asks its origin for anything.
func Site() *wire.DistributionConfig {
	const optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6" // Managed-CachingOptimized
	return &wire.DistributionConfig{
		CallerReference: wire.Ptr("bench"), Comment: wire.Ptr("bench"), Enabled: wire.Ptr(true),
		Origins: &wire.Origins{Quantity: wire.Ptr[int64](1), Items: []wire.Origin{{
			Id: wire.Ptr("o"), DomainName: wire.Ptr("origin.invalid"),
			CustomOriginConfig: &wire.CustomOriginConfig{HTTPPort: wire.Ptr[int64](80), HTTPSPort: wire.Ptr[int64](443), OriginProtocolPolicy: wire.Ptr("http-only")},
		}}},
		DefaultCacheBehavior: &wire.DefaultCacheBehavior{
			TargetOriginId: wire.Ptr("o"), ViewerProtocolPolicy: wire.Ptr("allow-all"), CachePolicyId: wire.Ptr(optimized),
		},
	}
}

// completions knows when each invalidation was Completed.
type completions struct {
	mu    sync.Mutex
	at    map[string]time.Time
	moved chan struct{} // capacity 1
	stop  func()
}

func watchCompleted(plane *control.Control, distribution string) *completions {
	changes, stop := plane.Watch()
	w := &completions{at: map[string]time.Time{}, moved: make(chan struct{}, 1), stop: stop}
	go func() { // ends with the watch
		for ch := range changes {
			switch {
			case ch.Kind == control.ChangeInvalidation && ch.Status == control.Completed:
				w.note(ch.ID)
			case ch.Kind == control.ChangeMissed:
				page, _ := plane.Invalidations(distribution, "", 0) // the newest hundred
				for _, inv := range page.Items {
					if inv.Status == control.Completed {
						w.note(inv.ID)
					}
				}
			}
		}
	}()
	return w
}

// note remembers the first time.
func (w *completions) note(id string) {
	w.mu.Lock()
	if _, known := w.at[id]; !known {
		w.at[id] = time.Now()
	}
	w.mu.Unlock()
	select {
	case w.moved <- struct{}{}:
	default:
	}
}

func (w *completions) await(ctx context.Context, id string) (time.Time, error) {
	for {
		w.mu.Lock()
		at, known := w.at[id]
		w.mu.Unlock()
		if known {
			return at, nil
		}
		select {
		case <-ctx.Done():
			return at, fmt.Errorf("not known to be Completed: %w", context.Cause(ctx))
		case <-w.moved:
		}
	}
}

// Quantile is the duration that the part q of all does not exceed; 0 of none.
func Quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	return all[min(len(all)-1, int(q*float64(len(all))))]
}

var (
	errBeside  = errors.New("edges that are not far away are beside the journal: there are no lines and no relays, and they are not elsewhere")
	errIdle    = errors.New("each relay has one edge or more")
	errBetween = errors.New("there are no relays that could be in a process of their own")
)

var errNotApplied = errors.New("no acknowledgement of it was sent, although it is Completed")
