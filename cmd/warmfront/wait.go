package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/ownapi/client"
)

// lookAgain is how often a receipt is asked for without an event that says so: the times in it move,
// and the stream of events may be down.
const lookAgain = 500 * time.Millisecond

var (
	errTimeout   = errors.New("timeout")
	errWithdrawn = errors.New("it was withdrawn")
)

// runWait creates an invalidation and shows how it goes until it is Completed.
func (c *invalidate) runWait(ctx context.Context, d client.Distribution, items []string) error {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.timeout, errTimeout)
		defer cancel()
	}
	changes := c.watch(ctx) // before there is anything to miss
	defer changes.stop()
	inv, err := c.create(ctx, d, items)
	if err != nil {
		return err
	}
	p := progress{screen: screenOf(c.out), title: fmt.Sprintf("%s on %s (%s), %s", inv.ID, d.ID, d.DomainName, count(len(items), "selector"))}
	if c.json {
		p.screen = nil
	}
	last, err := c.follow(ctx, inv, &p, changes.came)
	if err != nil {
		return c.stopped(ctx, inv, last, err)
	}
	if c.json {
		return printJSON(c.out, last, false)
	}
	return nil
}

// follow asks for the receipt until it is the last one. When the server does not answer, it may be
// starting again: the invalidation is in its journal.
func (c *invalidate) follow(ctx context.Context, inv client.Created, p *progress, came <-chan struct{}) (*client.Receipt, error) {
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	var last *client.Receipt
	for {
		r, err := c.api.Receipt(ctx, inv.DistributionID, inv.ID)
		var no *client.Error
		switch {
		case ctx.Err() != nil:
			return last, ctx.Err()
		case err == nil:
			last = r
			p.show(r)
			switch r.Invalidation.Status {
			case control.Completed:
				return last, nil
			case control.Withdrawn:
				return last, errWithdrawn
			}
		case errors.As(err, &no) && no.Status < 500 && no.Status != 429:
			return last, err
		default:
			p.trouble(err)
		}
		select {
		case <-came:
		case <-again.C:
		case <-ctx.Done():
			return last, ctx.Err()
		}
	}
}

// stopped says how far it was when the waiting ended early.
func (c *invalidate) stopped(ctx context.Context, inv client.Created, last *client.Receipt, err error) error {
	var why string
	switch {
	case err == errWithdrawn:
		if text := withdrawnText(&last.Invalidation.Invalidation); text != "" {
			return fmt.Errorf("%s: %w: %s", inv.ID, err, text)
		}
		return fmt.Errorf("%s: %w before it was in force: nothing was dropped", inv.ID, err)
	case context.Cause(ctx) == errTimeout:
		why = fmt.Sprintf("%s is not Completed after %s", inv.ID, c.timeout)
	case ctx.Err() != nil:
		why = "interrupted while " + inv.ID + " was in progress"
		if last != nil && last.Invalidation.Status == control.Scheduled {
			why = "interrupted while " + inv.ID + " was scheduled"
		}
	default:
		return c.failed(err)
	}
	hints := append(waitedFor(last), "It goes on by itself: warmfront history "+inv.DistributionID+" shows how it went.")
	if last != nil && last.Invalidation.Status == control.Scheduled {
		hints = append(hints, "Until it is in force, it can be taken back: warmfront withdraw "+inv.DistributionID+" "+inv.ID)
	}
	return hint(errors.New(why), hints...)
}

// waitedNamed is how many edges are named that are waited for.
const waitedNamed = 10

// waitedFor says what keeps an invalidation from being Completed; nothing where no receipt has come.
func waitedFor(r *client.Receipt) (hints []string) {
	if r == nil {
		return nil
	}
	more := 0
	for _, e := range r.Edges {
		switch {
		case e.Applied || e.Waits:
		case len(hints) == waitedNamed:
			more++
		default:
			hints = append(hints, strings.TrimSuffix("waiting for "+where(e.Edge, e.Location)+", which "+e.Lagging, ", which "))
		}
	}
	if more > 0 {
		hints = append(hints, "waiting for "+count(more, "more edge"))
	}
	return append(hints, doubtLines(r.Doubt)...)
}

// watching is a stream of events that is turned into "look again".
type watching struct {
	came <-chan struct{} // never closed; signals that come while one waits are one
	stop func()          // returns when the stream has ended
}

func (c *invalidate) watch(ctx context.Context) watching {
	ctx, cancel := context.WithCancel(ctx)
	came, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		// A stream that fails is not tried again: follow looks by itself, only less often.
		_ = c.api.Watch(ctx, func(x client.Change) {
			if x.Kind == "invalidation" || x.Kind == "node" || x.Kind == "missed" {
				select {
				case came <- struct{}{}:
				default:
				}
			}
		})
	}()
	return watching{came, func() { cancel(); <-ended }}
}

// progress shows receipts: on a terminal as a block with a line for each edge, elsewhere a line for each
// thing that happens. With a nil screen it shows nothing.
type progress struct {
	screen *screen
	title  string

	begun bool
	said  map[string]string // by edge, also of who is none any more, "" for the server, "plan" for what is waited for, "doubt": elsewhere
}

func (p *progress) show(r *client.Receipt) {
	switch {
	case p.screen == nil:
	case p.screen.live():
		foot := append(doubtLines(r.Doubt), summary(r))
		p.screen.draw(slices.Concat([]string{clean(p.title)}, edgeLines(r), foot), len(foot))
	default:
		p.say(r)
		delete(p.said, "")
	}
}

// say prints what is new.
func (p *progress) say(r *client.Receipt) {
	if !p.begun {
		fmt.Fprintln(p.screen.out, clean(p.title))
		p.begun, p.said = true, map[string]string{}
	}
	for i := range r.Edges {
		e := &r.Edges[i]
		state, text := "", ""
		switch {
		case e.Applied:
			state, text = "applied", "applied it in "+took(e.TookMs)
		case e.Lagging != "":
			state, text = "lagging", e.Lagging
		}
		of := e.Edge
		if e.Former { // another may have its name
			of += ", former"
		}
		if state != "" && p.said[of] != state {
			p.said[of] = state
			fmt.Fprintln(p.screen.out, clean(where(e.Edge, e.Location)+": "+text))
		}
	}
	if why := strings.Join(doubtLines(r.Doubt), "\n"); why != "" && p.said["doubt"] == "" {
		p.said["doubt"] = why
		fmt.Fprintln(p.screen.out, why)
	}
	if r.Invalidation.Status == control.Scheduled && p.said["plan"] != summary(r) {
		p.said["plan"] = summary(r)
		fmt.Fprintln(p.screen.out, clean(summary(r)))
	}
	if r.Invalidation.Status == "Completed" {
		fmt.Fprintln(p.screen.out, summary(r))
	}
}

// trouble tells that the server did not answer, once in a row.
func (p *progress) trouble(err error) {
	switch {
	case p.screen == nil:
	case p.screen.live():
		p.screen.draw([]string{clean(p.title), clean(err.Error()), "It is asked again until it answers."}, 0)
	case p.said[""] != err.Error():
		if p.said == nil {
			p.said = map[string]string{}
		}
		p.said[""] = err.Error()
		fmt.Fprintln(p.screen.out, clean(err.Error())+"; it is asked again until it answers")
	}
}

// edgeLines gives each edge's line; those that are waited for come first when there are many, so that
// they are seen when not all fit.
func edgeLines(r *client.Receipt) []string {
	edges := slices.Clone(r.Edges)
	if len(edges) > 12 {
		slices.SortStableFunc(edges, func(a, b client.ReceiptRow) int { return rank(a) - rank(b) })
	}
	var t table
	for _, e := range edges {
		state, more := "waiting", e.Lagging
		if e.Applied {
			state = "applied"
		} else if e.Waits {
			more = "its turn has not come"
		}
		if more == "" {
			more = dropped(r.Invalidation.Mode, e)
		}
		t.row("  "+where(e.Edge, e.Location), state, took(e.TookMs), more)
	}
	return t.lines()
}

func rank(e client.ReceiptRow) int {
	if e.Applied {
		return 1
	}
	return 0
}

// dropped says how many objects an edge has dropped or marked stale, so far as it has counted them.
func dropped(mode string, e client.ReceiptRow) string {
	if !e.Applied || e.Objects == nil || e.Bytes == nil || *e.Objects == 0 && !e.Counted {
		return ""
	}
	s := "dropped "
	if mode == distribution.InvalidationStale {
		s = "marked "
	}
	s += count(*e.Objects, "object") + ", " + size(*e.Bytes)
	if !e.Counted {
		s += " so far"
	}
	if e.Owed != nil && *e.Owed > 0 {
		s += fmt.Sprintf(", %s not back yet", count(*e.Owed, "object"))
	}
	return s
}

// allDropped adds up what the edges have counted.
func allDropped(r *client.Receipt) string {
	all := client.ReceiptRow{Applied: true, Objects: new(int64), Bytes: new(int64), Counted: true}
	known := false
	for _, e := range r.Edges {
		if e.Objects != nil && e.Bytes != nil {
			*all.Objects += *e.Objects
			*all.Bytes += *e.Bytes
			known = true
		}
		all.Counted = all.Counted && e.Counted
	}
	if s := dropped(r.Invalidation.Mode, all); known && s != "" {
		return ", " + s
	}
	return ""
}

// untold says of how many edges it is not known any more what they have dropped.
func untold(r *client.Receipt) string {
	n := r.EdgeCount - len(r.Edges)
	for _, e := range r.Edges {
		if e.Former {
			n++
		}
	}
	if n <= 0 {
		return ""
	}
	return ", and what is not known any more of " + count(n, "edge")
}

// unbound names the edges for which Completed does not speak.
func unbound(r *client.Receipt) string {
	var names []string
	for _, e := range r.Edges {
		if e.Unbound {
			names = append(names, where(e.Edge, e.Location))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", but not at " + strings.Join(names, ", ") + ": cut off, and showing what there was (" +
		distribution.TagIsolation + "=" + distribution.IsolationServeStale + ")"
}

func summary(r *client.Receipt) string {
	if r.Invalidation.Status == "Completed" {
		return "Completed in " + took(r.TookMs) + allDropped(r) + untold(r) + unbound(r)
	}
	if r.Invalidation.Status == control.Scheduled {
		return "Scheduled: " + planText(r.Invalidation.Plan)
	}
	n, former := 0, 0
	for _, e := range r.Edges {
		n += rank(e)
		if e.Former {
			former++
		}
	}
	of := count(len(r.Edges)-former, "edge")
	if former > 0 {
		of += " and " + count(former, "former edge")
	}
	return fmt.Sprintf("%s: %d of %s, %s", r.Invalidation.Status, n, of, took(r.TookMs))
}
