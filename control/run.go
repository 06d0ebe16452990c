package control

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// retryAfter is the pause after a trouble with the journal that may pass.
const retryAfter = 250 * time.Millisecond

// Run catches up with the log, follows it, hears acknowledgements, declares what is completed and
// answers freshness probes, until ctx ends. Any other return means that this node must not go on:
// the log was rolled back or replaced (W4), or closed.
func (c *Control) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	// Before catching up: what is acknowledged meanwhile counts.
	stopAcks, err := c.cfg.Log.Acks(c.acked)
	if err != nil {
		return err
	}
	defer stopAcks()

	if err := c.catchUp(ctx); err != nil {
		return err
	}
	c.opened()
	stopProbes, err := c.cfg.Log.ServeProbes(c.probed)
	if err != nil {
		return err
	}
	defer stopProbes()
	close(c.ready)

	var running sync.WaitGroup
	running.Go(func() { cancel(c.writer.Run(ctx)) })
	running.Go(func() { c.declare(ctx) })
	running.Go(func() { c.runPlans(ctx) })
	running.Go(func() { c.runLooks(ctx) })
	running.Wait()
	return context.Cause(ctx)
}

// Tick appends an entry, after it was called, and returns its number (P1).
func (c *Control) Tick(ctx context.Context) (uint64, error) { return c.writer.Tick(ctx) }

// Each edge probes, and each Tick goes to all of them: answered at once, their probes would cost with the square of their number, and
// what is invalidated would wait behind Ticks on its way to the disk and to the edges.
const (
	tickPerEdge = 2 * time.Millisecond // 500 edges: one Tick a second
	tickShare   = 5                    // but a probe waits for no more than this part of the time between two
)

// probed answers a probe (P1). The more edges there are, the longer may it wait for something that is appended anyway.
func (c *Control) probed(ctx context.Context) (uint64, error) {
	return c.writer.TickWithin(ctx, tickWindow(c.members(), c.cfg.Timing.Defaults().Probe))
}

// tickWindow is how much time is left between two Ticks for probes of so many edges.
func tickWindow(edges int, probe time.Duration) time.Duration {
	return max(journal.TickWindow, min(time.Duration(edges)*tickPerEdge, probe/tickShare))
}

// catchUp reads the log to its end, however long the journal takes to come up.
func (c *Control) catchUp(ctx context.Context) error {
	for {
		err := c.writer.CatchUp(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, journal.ErrBroken), errors.Is(err, journal.ErrClosed), errors.Is(err, journal.ErrDamaged):
			return err
		}
		c.cfg.Logger.Warn("the journal cannot be read yet", "error", err)
		if !sleep(ctx, retryAfter) {
			return context.Cause(ctx)
		}
	}
}

// acked hears an edge's acknowledgement (E3).
func (c *Control) acked(a journal.Ack) {
	c.mu.RLock()
	waiting := len(c.state.open) > 0 && c.state.members[a.Edge] != nil
	c.tracking.mu.Lock()
	now := c.cfg.Clock()
	c.tracking.tracker.Acked(a, now)
	done := waiting && c.tracking.tracker.Completed(c.state.open[0].seq, now)
	c.tracking.mu.Unlock()
	c.mu.RUnlock()
	c.tellDoubt()

	if waiting {
		c.watchers.publish(Change{Kind: ChangeNode, ID: a.Edge, Seq: a.Seq})
	}
	if done { // the last of them has come
		c.poke()
	}
}

// poke makes declare look again.
func (c *Control) poke() {
	select {
	case c.progress <- struct{}{}:
	default:
	}
}

// declare appends Completed when the tracker has got past something that is open, or has waited for who was ended by an operator. It
// looks when an entry or an acknowledgement has come, and when the slow path is due.
func (c *Control) declare(ctx context.Context) {
	for {
		done, due := c.declarable()
		c.tellDoubt()
		var alarm <-chan time.Time
		if done != nil {
			// What becomes declarable while this is being appended shares the next entry.
			if err := c.declareCompleted(ctx, done); err != nil {
				if ctx.Err() != nil {
					return
				}
				c.cfg.Logger.Warn("a completion could not be declared yet", "upTo", done.UpTo, "error", err)
				if !sleep(ctx, retryAfter) {
					return
				}
			}
			continue
		}
		if due > 0 {
			alarm = time.After(due)
		}
		select {
		case <-ctx.Done():
			return
		case <-c.progress:
		case <-alarm:
		}
	}
}

// declarable returns what can be declared, or else how long until the slow path allows something to
// be; 0 when nothing is open, or what is has not been given to the tracker yet: apply pokes when it is.
func (c *Control) declarable() (done *journal.Completed, due time.Duration) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	c.tracking.mu.Lock()
	defer c.tracking.mu.Unlock()
	now, tracker := c.cfg.Clock(), c.tracking.tracker
	if len(c.state.open) > 0 {
		var upTo uint64
		if upTo, due = tracker.Declarable(c.state.open[0].seq, c.state.openUpTo, now); upTo > 0 {
			done := &journal.Completed{UpTo: upTo, At: c.now()}
			done.Edges, done.Members = completedEdges(tracker, upTo, now)
			return done, 0
		}
	}
	ended, again := tracker.Settled(now)
	if ended > 0 {
		return &journal.Completed{UpTo: ended, At: c.now()}, 0
	}
	if due == 0 || again > 0 && again < due {
		due = again
	}
	return nil, due
}

// completedEdges are the members' parts, and, where that is not all of them, how many members there were. Those that joined later
// began with it, and have none.
func completedEdges(t *journal.Tracker, upTo uint64, now time.Duration) (edges []journal.EdgeApplied, members int) {
	many := t.Members() > journal.CompletedEdges
	for _, r := range t.Rows(upTo, now) {
		row := journal.EdgeApplied{Edge: r.Edge, Location: r.Location}
		switch {
		case !r.Applied:
			row.Acked = r.Acked
		case r.AppliedAt.IsZero():
			continue
		default:
			row.At = r.AppliedAt.UTC().Round(0)
		}
		members++
		if (!many || !r.Applied) && len(edges) < journal.CompletedEdges {
			edges = append(edges, row)
		}
	}
	if members == len(edges) {
		members = 0
	}
	return edges, members
}

func (c *Control) declareCompleted(ctx context.Context, done *journal.Completed) error {
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		if s.completed >= done.UpTo {
			return nil, journal.ErrMoot // another node's tracker was faster
		}
		return []journal.Fact{{Completed: done}}, nil
	})
	return err
}

// sleep waits d, or less when ctx ends: then it reports false.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
