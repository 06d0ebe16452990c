package edge

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/internal/stripe"
)

// stripes is into how many counters open tickets are spread: up to so many cores, each has its own.
const stripes = 32

// tickets counts the decisions that were taken on a snapshot and whose response heads are not
// written yet (S3). Snapshots that differ in nothing that a decision could regret (a Tick, a
// compacted index) share one.
//
// It is what makes Decide and Apply atomic to each other without a lock on the hit path. A decision
// counts itself in and looks again whether its snapshot is still the current one; Apply publishes
// the next snapshot first and then waits for the count of the old one. Either the decision comes
// before, and the wait sees it:
//
//	decide: load A   count A   load: still A   ── write head ──   uncount A
//	apply:                                  publish B   retire A … waits …   ack
//
// or it comes after, finds that it was late, and goes round again:
//
//	decide: load A                          count A   load: B   uncount A   load B …
//	apply:           publish B   retire A   ack
//
// Without the second look the last line would let a head that was decided on A leave the edge after
// the acknowledgement of B.
type tickets struct {
	retired atomic.Bool
	expired atomic.Bool   // D is over: what is not written by now must not be
	drained chan struct{} // capacity 1: some stripe has become empty since retired
	stripe  [stripes]struct {
		open atomic.Int64
		_    [56]byte // a cache line for each
	}
}

func newTickets() *tickets { return &tickets{drained: make(chan struct{}, 1)} }

// ticket is one open decision. The zero ticket is closed.
type ticket struct {
	snap   *Snap
	stripe uint32
}

// open pins the current snapshot: until close, no entry after it is acknowledged, for at most D.
func (e *Edge) open() ticket {
	i := stripe.Here() % stripes
	for {
		s := e.snap.Load()
		s.tickets.stripe[i].open.Add(1)
		if e.snap.Load() == s {
			return ticket{s, i}
		}
		s.tickets.leave(i)
	}
}

// close ends the ticket; a second call does nothing.
func (t *ticket) close() {
	if t.snap != nil {
		t.snap.tickets.leave(t.stripe)
		t.snap = nil
	}
}

// dead tells that the ticket has been open for longer than D after its snapshot was replaced. The
// process may have been stopped between decision and head; what was decided then is void. A head that
// is already being written, to a viewer that does not read, is cut (member.cut).
func (t *ticket) dead() bool { return t.snap != nil && t.snap.tickets.expired.Load() }

func (t *tickets) leave(i uint32) {
	if t.stripe[i].open.Add(-1) == 0 && t.retired.Load() {
		select {
		case t.drained <- struct{}{}:
		default:
		}
	}
}

// drain waits until every ticket that was open when it began has been closed, or until the deadline.
// The snapshots that carry t must not be current any more. One goroutine calls it.
func (t *tickets) drain(ctx context.Context, deadline time.Time) bool {
	t.retired.Store(true)
	var late <-chan time.Time
	for i := range t.stripe {
		for t.stripe[i].open.Load() != 0 {
			if late == nil {
				timer := time.NewTimer(time.Until(deadline))
				defer timer.Stop()
				late = timer.C
			}
			select {
			case <-t.drained:
			case <-late:
				t.expired.Store(true)
				return false
			case <-ctx.Done():
				return false
			}
		}
	}
	return true
}
