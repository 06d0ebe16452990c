package edge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/journal"
)

// member is this edge's part in the membership (P2, P4) and its acknowledgements (E3).
type member struct {
	e    *Edge
	name atomic.Pointer[string] // of the incarnation; a new one for each join
	seen atomic.Pointer[string] // the incarnation whose EdgeJoined was applied last

	// asked is the incarnation that has asked to join last, nil: none has. It may be a member from then on, whether or not this edge has read that.
	asked atomic.Pointer[string]

	rejoin  chan string   // capacity 1: the membership was lost, and why
	read    chan struct{} // capacity 1: something has been applied
	pending chan *closed  // snapshots that were replaced while this edge was a member
	acked   atomic.Pointer[journal.Ack]
	moved   chan struct{} // capacity 1: acked has changed
	late    *tickets      // whose heads settle waits for; its own until it has returned
}

// closed is a snapshot that is no longer current: seq is acknowledged when the tickets on it are gone.
type closed struct {
	tickets     *tickets // nil when the entry touched nothing
	epoch       journal.ID
	seq         uint64        // of the snapshot that replaced it
	id          journal.ID    // of its entry seq
	incarnation string        // that acknowledges; "": none does, but what comes next waits all the same
	deadline    time.Time     // D after it was replaced
	done        chan struct{} // closed when all before it is settled; nil: nobody wants to know
	told        bool          // somebody waits for the acknowledgement all the same
}

// maxPending bounds the snapshots whose tickets are waited for (L9). When it is full, Apply waits: at
// most D for each.
const maxPending = 256

const (
	ackEvery = time.Second          // acknowledgements may be lost: repeated
	ackPause = 5 * time.Millisecond // and not sent more often than this
)

func newMember(e *Edge) *member {
	m := &member{e: e, rejoin: make(chan string, 1), read: make(chan struct{}, 1), pending: make(chan *closed, maxPending), moved: make(chan struct{}, 1)}
	m.renew()
	return m
}

func (m *member) incarnation() string { return *m.name.Load() }

func (m *member) renew() {
	id := string(journal.NewID())
	m.name.Store(&id)
}

// lost says that the membership is over while the edge runs: it joins again.
func (m *member) lost(why string) {
	select {
	case m.rejoin <- why:
	default:
	}
}

// askAgain is how long an accepted join may stay unseen. The log may have lost it: that shows in nothing that the edge reads if it had
// not come to that entry. Who is a member already is told so, and nothing is appended.
const askAgain = 5 * time.Second

// keep joins and joins again until ctx ends. Joining is an append: it may have to wait for the
// control plane, and meanwhile nothing is served.
func (m *member) keep(ctx context.Context) {
	m.join(ctx)
	for {
		var unseen <-chan time.Time
		if m.seen.Load() != m.name.Load() {
			unseen = time.After(askAgain)
		}
		select {
		case <-unseen:
			if m.seen.Load() != m.name.Load() {
				m.join(ctx)
			}
		case why := <-m.rejoin:
			if !m.begins() {
				continue
			}
			m.e.log.Warn("membership lost, joining again", "why", why)
			m.settled(ctx)
			m.repeat(ctx)
			m.join(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// begins makes this edge another incarnation, unless it has become a member since it lost its membership: by a join that
// was under way then. A member must not join again: what it serves until it has applied its next join would be
// taken to be acknowledged up to there (P2).
func (m *member) begins() bool {
	m.e.publish.Lock()
	defer m.e.publish.Unlock()
	if !rules.JoinsAnew(m.e.snap.Load().joined) {
		return false
	}
	m.renew()
	return true
}

// settled waits until every head is written that was decided under the membership that is over: a join acknowledges
// all that is before it (P2).
func (m *member) settled(ctx context.Context) {
	c := &closed{done: make(chan struct{})}
	select {
	case m.pending <- c:
	case <-ctx.Done():
		return
	}
	select {
	case <-c.done:
	case <-ctx.Done():
	}
}

// repeat says once more what was acknowledged last, under the membership that is over. If the journal has lost that, the control plane may
// know it by nothing else (P3): it is told before it has this edge's join, behind which nobody asks any more. It may get lost.
func (m *member) repeat(ctx context.Context) {
	if a := m.acked.Load(); a != nil {
		_ = m.e.cfg.Log.Ack(ctx, *a)
	}
}

// join asks until it is accepted. It gives up when the membership is lost meanwhile, which keep has yet to be told: this
// incarnation may have left, and is then refused for ever.
func (m *member) join(ctx context.Context) {
	const leastPause = 50 * time.Millisecond
	pause := leastPause
	var causes journal.Causes
	for {
		s := m.e.snap.Load()
		for s.seq == 0 { // nobody is replaced who is not known (P2)
			select {
			case <-m.read:
				s = m.e.snap.Load()
			case <-ctx.Done():
				return
			}
		}
		name := m.name.Load()
		m.asked.Store(name)
		err := m.e.cfg.Join(ctx, journal.EdgeJoined{
			Edge: m.e.cfg.Name, Location: m.e.cfg.Location, Incarnation: *name, Address: m.e.cfg.Address,
			Epoch: s.epoch, After: s.seq, AfterID: s.id,
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		if causes.New(err) {
			m.e.log.Warn("cannot join yet", "edge", m.e.cfg.Name, "err", err)
		}
		if m.e.snap.Load().seq > s.seq {
			pause = leastPause // whoever it is that has joined may be known by then
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, 5*time.Second)
		case why := <-m.rejoin:
			m.lost(why)
			return
		case <-ctx.Done():
			return
		}
	}
}

// leave ends the membership; the last answer has been given. ctx is a fresh one with a time limit.
func (m *member) leave(ctx context.Context) {
	err := m.e.cfg.Leave(ctx, journal.EdgeLeft{Edge: m.e.cfg.Name, Incarnation: *m.asked.Load()})
	if err != nil {
		// Completions take the slow path until the next join under this name (P4).
		m.e.log.Warn("could not leave cleanly", "edge", m.e.cfg.Name, "err", err)
	}
}

// applied queues the acknowledgement of next; told: it is waited for, also if nothing was touched. From Apply.
func (m *member) applied(old, next *Snap, told bool) {
	select {
	case m.read <- struct{}{}:
	default:
	}
	if !next.joined && !old.joined {
		return // no decision was ever taken, and an acknowledgement would be nobody's
	}
	c := &closed{epoch: next.epoch, seq: next.seq, id: next.id, told: told}
	if next.joined {
		c.incarnation = m.incarnation()
	}
	if old.tickets != next.tickets {
		c.tickets = old.tickets
		c.deadline = time.Now().Add(m.e.lease.Timing().Decide)
	}
	select {
	case m.pending <- c:
	case <-m.e.stopped:
	}
}

// settle waits for the tickets of replaced snapshots, in order, and moves the acknowledgement (E3).
func (m *member) settle(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-m.pending:
			m.late = c.tickets
			if c.tickets != nil && !c.tickets.drain(ctx, c.deadline) && ctx.Err() == nil {
				m.cut(ctx, c)
			}
			if ctx.Err() != nil {
				return
			}
			m.late = nil
			if c.done != nil {
				close(c.done)
			}
			if c.incarnation == "" {
				continue
			}
			m.acked.Store(&journal.Ack{
				Edge: m.e.cfg.Name, Incarnation: c.incarnation, Epoch: c.epoch, Seq: c.seq, ID: c.id, At: m.e.now(),
			})
			if c.tickets == nil && !c.told {
				continue // nobody waits for a Tick or a Completed: the next one will say it too
			}
			select {
			case m.moved <- struct{}{}:
			default:
			}
		}
	}
}

// open returns the tickets of replaced snapshots whose heads may not be written yet. Settle has returned.
func (m *member) open() (all []*tickets) {
	if m.late != nil {
		all = append(all, m.late)
	}
	for {
		select {
		case c := <-m.pending:
			if c.tickets != nil {
				all = append(all, c.tickets)
			}
		default:
			return all
		}
	}
}

// cut ends what D has run out for: tickets that are still open are dead now, and a head that a socket holds up is
// taken back with its connection. At first only those that have waited for long, for others may be of a
// newer snapshot.
func (m *member) cut(ctx context.Context, c *closed) {
	d := m.e.lease.Timing().Decide
	if m.e.cfg.Cut != nil {
		for _, older := range [...]time.Duration{d / 2, 0} {
			m.e.cfg.Cut(older)
			if c.tickets.drain(ctx, time.Now().Add(d/4)) {
				m.e.log.Info("viewers that took no heads were cut", "seq", c.seq, "limit", d)
				return
			}
		}
	}
	m.e.log.Warn("response heads took longer than the decision may last", "seq", c.seq, "limit", d)
}

// acknowledge sends what settle has reached, at once when it moves and again when nothing was sent for a second.
func (m *member) acknowledge(ctx context.Context) {
	again := time.NewTicker(ackEvery)
	defer again.Stop()
	var last time.Time
	var causes journal.Causes
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.moved:
			if early := ackPause - time.Since(last); early > 0 {
				select {
				case <-ctx.Done():
					return
				case <-time.After(early):
				}
			}
		case <-again.C:
		}
		a := m.acked.Load()
		if a == nil {
			continue
		}
		if err := m.e.cfg.Log.Ack(ctx, *a); err == nil {
			causes.Over()
		} else if ctx.Err() == nil && causes.New(err) {
			m.e.log.Warn("acknowledgement not sent", "seq", a.Seq, "err", err)
		}
		last = time.Now()
		again.Reset(ackEvery)
	}
}

// group runs goroutines that somebody waits for.
type group struct{ wg sync.WaitGroup }

func (g *group) run(f func()) {
	g.wg.Add(1)
	go func() {
		defer g.wg.Done()
		f()
	}()
}
