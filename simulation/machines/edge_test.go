package machines

import (
	"time"

	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
)

// edge is an edge: journal.Pursuit, journal.Lease, invalidation.Index and package rules decide, and what is between them is as simple as it
// can be.
type edge struct {
	*node
	follower
	lease       *journal.Lease
	incarnation string
	seen        string // the incarnation whose join was applied last
	snap        *snap
	parent      *edge
	before      time.Duration // a reading of the clock that no fetch of this process had

	store   map[int]*object // by key
	flights []*flight
	byKey   [keys]*flight
	floor   uint64
	loads   []*load
	sweeps  bool
	again   bool // and it has been woken since

	disk      disk
	begun     bool
	resumed   bool // it is not known yet whether the life on disk goes on
	undecided bool

	pending  []*closed
	settles  bool // a deadline is waited for
	acked    *journal.Ack
	waiting  []func() // children's questions, until something is applied
	trail    map[uint64]journal.ID
	wantsLog bool   // it cannot join before it has read something
	failed   int    // probes
	promised uint64 // what it has acknowledged, as the check knows
}

// snap is what the edge knows, as of one position. It is immutable.
type snap struct {
	at     journal.Position
	life   string
	joined bool
	index  *invalidation.Index
	newest uint64
	heads  *heads
}

// heads are decisions whose heads are not written yet.
type heads struct {
	open    int
	expired bool
}

// closed is a snap that is not current any more, but for its heads.
type closed struct {
	heads       *heads
	at          journal.Position
	incarnation string
	deadline    time.Duration
	done        func()
}

const ackEvery = time.Second

func (w *world) addEdge(name string, parent *edge) {
	e := &edge{node: w.node(name), parent: parent}
	e.disk.has = w.one(2)
	w.edges = append(w.edges, e)
	e.start()
}

func (e *edge) start() {
	e.up, e.known = true, 0
	e.lease = journal.NewLease(e.w.timing)
	e.incarnation, e.seen = string(e.w.id()), ""
	e.snap = &snap{heads: &heads{}}
	e.before = rules.Before(e.clock()+1, e.lease)
	e.store, e.flights, e.byKey, e.floor, e.loads = map[int]*object{}, nil, [keys]*flight{}, 0, nil
	e.sweeps, e.again = false, false
	e.begun, e.resumed, e.undecided = false, false, e.disk.has
	e.pending, e.settles, e.acked, e.waiting, e.failed = nil, false, nil, nil, 0
	e.trail, e.wantsLog = map[uint64]journal.ID{}, true
	e.w.note("%s starts as %s", e.name, e.incarnation)
	e.follower.start(e.node, e.apply, e.reset)
	e.probe()
	e.acknowledgeAgain()
}

// die ends the process; another one is started some time later.
func (e *edge) die() {
	e.w.note("%s dies", e.name)
	e.life++
	e.up = false
	e.disk.crash(e)
	e.w.after(e.w.within(time.Second), func() {
		if !e.up {
			e.start()
		}
	})
}

// apply is E2.
func (e *edge) apply(entries []*journal.Entry) {
	old := e.snap
	next := *old
	touched, ended := false, false
	for _, entry := range entries {
		if next.at.Seq == 0 {
			next.life = e.begins(entry)
		}
		next.life = e.resume(entry, next.life)
		next.at = journal.PositionOf(entry)
		e.trail[entry.Seq] = entry.ID
		for i := range entry.Facts {
			switch f := &entry.Facts[i]; {
			case f.Invalidated != nil:
				next.index, touched = next.index.Add(entry.Seq, items[f.Invalidated.Items[0]]), true
			case f.Forgotten != nil:
				next.index, touched = next.index.Add(entry.Seq, items["/*"]), true
			case f.EdgeJoined != nil && f.EdgeJoined.Edge == e.name:
				if f.EdgeJoined.Incarnation == e.incarnation {
					e.seen = e.incarnation
				}
				next.joined = rules.Mine(e.incarnation, f.EdgeJoined)
			case f.EdgeLeft != nil && f.EdgeLeft.Edge == e.name && f.EdgeLeft.Incarnation == e.incarnation:
				next.joined, ended = false, true
			}
		}
	}
	next.newest = next.index.Newest()
	if touched || ended {
		next.heads = &heads{}
	}
	e.snap = &next
	if touched {
		e.wake()
	}
	e.lease.Applied(next.at.Seq)
	waiting := e.waiting
	e.waiting = nil
	for _, f := range waiting {
		f()
	}
	e.applied(old, &next)
	if ended {
		e.lost()
	}
	if e.wantsLog {
		e.wantsLog = false
		e.joins()
	}
}

// reset is E1's answer to a log that is another one.
func (e *edge) reset(why string, _ bool) {
	e.w.note("%s: %s", e.name, why)
	old := e.snap
	e.lease.Revoke()
	e.snap = &snap{heads: &heads{}}
	e.applied(old, e.snap)
	e.floor = 0
	e.loads = nil
	clear(e.store)
	e.disk.clear()
	e.resumed, e.undecided = false, false
	clear(e.trail)
	e.lost()
}

// applied queues the acknowledgement of what is new (E3).
func (e *edge) applied(old, next *snap) {
	if !next.joined && !old.joined {
		return
	}
	c := &closed{at: next.at}
	if next.joined {
		c.incarnation = e.incarnation
	}
	if old.heads != next.heads {
		c.heads, c.deadline = old.heads, e.clock()+e.w.timing.Decide
	}
	e.pending = append(e.pending, c)
	e.settle()
}

// settle acknowledges what all heads are written of, or void.
func (e *edge) settle() {
	moved := false
	for len(e.pending) > 0 {
		c := e.pending[0]
		if c.heads != nil && c.heads.open > 0 {
			left := c.deadline - e.clock()
			if left > 0 {
				if !e.settles {
					e.settles = true
					e.after(left, func() {
						e.settles = false
						e.settle()
					})
				}
				break
			}
			c.heads.expired = true // their connections are cut
		}
		e.pending = e.pending[1:]
		if c.done != nil {
			c.done()
		}
		if c.incarnation == "" {
			continue
		}
		e.acked = &journal.Ack{Edge: e.name, Incarnation: c.incarnation, Epoch: c.at.Epoch, Seq: c.at.Seq, ID: c.at.ID}
		e.w.check.acked(e, c.at)
		moved = moved || c.heads != nil
	}
	if moved {
		e.acknowledge()
	}
}

func (e *edge) acknowledge() {
	if e.acked == nil {
		return
	}
	a := *e.acked
	for _, c := range e.w.controls {
		if c.up {
			e.w.send(e.node, c.node, func() { c.acked(a) })
		}
	}
}

func (e *edge) acknowledgeAgain() {
	e.after(ackEvery, func() {
		e.acknowledge()
		e.acknowledgeAgain()
	})
}

// lost joins again as another incarnation, once all heads are written of the membership that is over.
func (e *edge) lost() {
	e.after(0, func() {
		if !rules.JoinsAnew(e.snap.joined) {
			return
		}
		e.incarnation = string(e.w.id())
		e.pending = append(e.pending, &closed{done: e.joins})
		e.settle()
	})
}

// joins asks a control node, until the log has the join.
func (e *edge) joins() {
	s, c := e.snap, e.w.controls[e.w.r.IntN(len(e.w.controls))]
	if s.at.Seq == 0 {
		e.wantsLog = true
		return
	}
	j := &journal.EdgeJoined{Edge: e.name, Location: e.name, Incarnation: e.incarnation, Epoch: s.at.Epoch, After: s.at.Seq, AfterID: s.at.ID}
	ask(e.node, c.node, time.Second, func(reply func(bool)) {
		if c.up {
			c.join(j, reply)
		}
	}, func(joined, answered bool) {
		pause := e.w.within(200 * time.Millisecond)
		if answered && joined {
			pause = time.Second
		}
		e.after(pause, func() {
			if e.seen != e.incarnation && j.Incarnation == e.incarnation {
				e.joins()
			}
		})
	})
}

// probe renews the lease (P1).
func (e *edge) probe() {
	id := e.lease.ProbeSent(e.clock())
	every := e.w.timing.Probe
	w := e.w
	ask(e.node, nil, every, func(reply func(uint64)) {
		c := w.controls[w.r.IntN(len(w.controls))]
		w.send(nil, c.node, func() {
			if c.up {
				c.probe(func(z uint64) { w.send(c.node, nil, func() { reply(z) }) })
			}
		})
	}, func(z uint64, ok bool) {
		pause := every
		if !ok {
			e.lease.ProbeFailed(id)
			e.failed++
			pause = min(every/50<<min(e.failed, 6), every)
		} else {
			e.failed = 0
			switch e.lease.ProbeAnswered(id, z) {
			case journal.Waiting:
				e.look(z)
			case journal.RolledBack:
				e.look(0)
			}
		}
		e.after(pause, e.probe)
	})
}
