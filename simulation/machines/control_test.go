package machines

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// control is a control node: its journal.Tracker and journal.Pursuit decide, and what is between them is as simple as it can be.
type control struct {
	*node
	follower
	tracker   *journal.Tracker
	opened    bool
	at        journal.Position
	open      []uint64          // numbers of invalidations that are not Completed
	completed uint64            // as the log says
	members   map[string]string // incarnations, by name
	left      map[string]string

	queue   []*proposal
	probes  []func(uint64) // replies to probes that wait for an append
	ticking bool
	pending *journal.Entry // is to come into its slot, and may be there
	with    []*proposal    // what is decided by it
	answers []func(uint64) // to whom it is the answer

	declares bool
	alarm    time.Duration // of the node's clock; 0: none
}

// proposal is a command: decide says what it comes to, when all before it is known; done is told the entry's number, or 0.
type proposal struct {
	decide func() (facts []journal.Fact, ok bool)
	done   func(seq uint64, ok bool)
}

const tickWindow = 40 * time.Millisecond

func (w *world) addControl(name string) {
	c := &control{node: w.node(name)}
	w.controls = append(w.controls, c)
	c.start()
}

func (c *control) start() {
	w := c.w
	c.up, c.known = true, 0
	c.tracker = journal.NewTracker(journal.TrackerConfig{Timing: w.timing, Doubt: w.log.doubt})
	c.opened, c.at, c.open, c.completed = false, journal.Position{}, nil, 0
	c.members, c.left = map[string]string{}, map[string]string{}
	c.queue, c.probes, c.ticking, c.pending, c.with, c.answers = nil, nil, false, nil, nil, nil
	c.declares, c.alarm = false, 0
	c.follower.start(c.node, c.apply, func(why string, _ bool) { // W4
		w.note("%s: %s", c.name, why)
		c.die()
	})
	c.follower.read = func(ok bool) {
		if ok && !c.opened {
			c.opened = true
			c.tracker.Opened(c.clock())
			w.note("%s is open at %d", c.name, c.at.Seq)
			c.declare()
			c.turn()
		}
	}
}

// die ends the process; another one is started some time later.
func (c *control) die() {
	c.w.note("%s dies", c.name)
	c.life++
	c.up = false
	c.w.after(c.w.within(time.Second), func() {
		if !c.up {
			c.start()
		}
	})
}

func (c *control) apply(entries []*journal.Entry) {
	for _, e := range entries {
		c.at = journal.PositionOf(e)
		for i := range e.Facts {
			c.fold(e, &e.Facts[i])
		}
		c.tracker.Applied(e, c.clock())
		if c.pending == nil || e.Seq < c.pending.Seq {
			continue
		}
		mine, with, answers := e.ID == c.pending.ID, c.with, c.answers // W3: whatever is in the slot
		c.pending, c.with, c.answers = nil, nil, nil
		if !mine {
			c.queue, c.probes = append(with, c.queue...), append(answers, c.probes...)
			c.ticking = c.ticking || len(answers) > 0
			continue
		}
		for _, p := range with {
			p.done(e.Seq, true)
		}
		for _, reply := range answers {
			reply(e.Seq)
		}
	}
	c.declare()
	c.turn()
}

func (c *control) fold(e *journal.Entry, f *journal.Fact) {
	switch {
	case f.Invalidated != nil:
		c.open = append(c.open, e.Seq)
	case f.Completed != nil:
		c.completed = max(c.completed, f.Completed.UpTo)
		c.open = c.open[sort.Search(len(c.open), func(i int) bool { return c.open[i] > f.Completed.UpTo }):]
	case f.EdgeJoined != nil:
		c.members[f.EdgeJoined.Edge] = f.EdgeJoined.Incarnation
		delete(c.left, f.EdgeJoined.Edge)
	case f.EdgeLeft != nil && c.members[f.EdgeLeft.Edge] == f.EdgeLeft.Incarnation:
		delete(c.members, f.EdgeLeft.Edge)
		c.left[f.EdgeLeft.Edge] = f.EdgeLeft.Incarnation
	}
}

// propose has the next entry decide.
func (c *control) propose(p *proposal) {
	c.queue = append(c.queue, p)
	c.turn()
}

// turn makes the next entry, of all that waits for one (W1).
func (c *control) turn() {
	if c.pending != nil || !c.opened || len(c.queue) == 0 && !(c.ticking && len(c.probes) > 0) {
		return
	}
	var facts []journal.Fact
	var with, next []*proposal
	for _, p := range c.queue {
		if hasJoin(facts) {
			next = append(next, p)
			continue
		}
		made, ok := p.decide()
		if len(made) == 0 {
			p.done(0, ok)
			continue
		}
		facts, with = append(facts, made...), append(with, p)
	}
	c.queue = next
	if len(facts) == 0 {
		if len(c.probes) == 0 {
			return
		}
		facts = []journal.Fact{{Tick: &journal.Tick{}}}
	}
	c.answers, c.probes, c.ticking, c.with = c.probes, nil, false, with
	c.pending = &journal.Entry{Epoch: c.at.Epoch, Seq: c.at.Seq + 1, ID: c.w.id(), Prev: c.at.ID, Facts: facts}
	c.send(c.pending)
}

// hasJoin tells whether a join is decided on already: what comes after it is decided when that is known.
func hasJoin(facts []journal.Fact) bool {
	for _, f := range facts {
		if f.EdgeJoined != nil {
			return true
		}
	}
	return false
}

// send sends an entry until it is known what is in its slot (W2, W3).
func (c *control) send(e *journal.Entry) {
	life := c.w.log.life
	ask(c.node, nil, 300*time.Millisecond, func(reply func(stored)) { c.w.log.append(life, c.node, e, reply) }, func(s stored, ok bool) {
		switch {
		case c.pending != e:
			return
		case ok && s == confirmed:
			c.known = max(c.known, e.Seq)
			c.deliver(e)
		default:
			c.look(0)
		}
		c.after(50*time.Millisecond, func() {
			if c.pending == e {
				c.send(e)
			}
		})
	})
}

// probe takes a question for the end of the log (P1).
func (c *control) probe(reply func(uint64)) {
	switch {
	case !c.opened:
		return
	case journal.ProbesAtOnce():
		c.look(0)
		c.after(100*time.Millisecond, func() { reply(c.at.Seq) })
		return
	}
	c.probes = append(c.probes, reply)
	if len(c.probes) == 1 {
		c.after(tickWindow, func() {
			c.ticking = true
			c.turn()
		})
	}
}

func (c *control) acked(a journal.Ack) {
	c.tracker.Acked(a, c.clock())
	c.declare()
}

// declare says what is Completed (P3).
func (c *control) declare() {
	if !c.opened || c.declares {
		return
	}
	now := c.clock()
	var done uint64
	var due time.Duration
	if len(c.open) > 0 {
		done, due = c.tracker.Declarable(c.open[0], c.upTo, now)
	}
	if ended, again := c.tracker.Settled(now); done == 0 {
		done = ended
		if due == 0 || again > 0 && again < due {
			due = again
		}
	}
	if done > 0 {
		c.declares = true
		c.propose(&proposal{decide: func() ([]journal.Fact, bool) {
			if c.completed >= done {
				return nil, true // another was faster
			}
			return []journal.Fact{{Completed: &journal.Completed{UpTo: done}}}, true
		}, done: func(uint64, bool) {
			c.declares = false
			c.after(0, c.declare)
		}})
		return
	}
	if at := now + due; due > 0 && (c.alarm <= now || at < c.alarm) {
		c.alarm = at
		c.after(due, c.declare)
	}
}

func (c *control) upTo(mark uint64) uint64 {
	n := sort.Search(len(c.open), func(i int) bool { return c.open[i] > mark })
	if n == 0 {
		return 0
	}
	return c.open[n-1]
}

// join takes a request (P2).
func (c *control) join(j *journal.EdgeJoined, reply func(bool)) {
	c.propose(&proposal{decide: func() ([]journal.Fact, bool) {
		switch means, _ := c.tracker.Joining(j, c.left[j.Edge]); means {
		case journal.Joins:
			return []journal.Fact{{EdgeJoined: j}}, true
		case journal.Joined:
			return nil, true
		}
		return nil, false
	}, done: func(_ uint64, ok bool) { reply(ok) }})
}

// leave ends the membership of an incarnation, or, of "", of whoever is a member and has been silent for so long that it is gone (P4).
func (c *control) leave(edge, incarnation string, reply func(bool)) {
	c.propose(&proposal{decide: func() ([]journal.Fact, bool) {
		is, member := c.members[edge]
		switch {
		case !member, incarnation != "" && incarnation != is:
			return nil, true
		case incarnation == "" && !c.tracker.Gone(edge, c.clock()):
			return nil, false
		}
		left := journal.Fact{EdgeLeft: &journal.EdgeLeft{Edge: edge, Incarnation: is}}
		if incarnation == "" {
			return []journal.Fact{{EdgeRemoved: &journal.EdgeRemoved{Edge: edge}}, left}, true
		}
		return []journal.Fact{left}, true
	}, done: func(_ uint64, ok bool) { reply(ok) }})
}

// facts tells what an entry has.
type facts struct{ *journal.Entry }

func (e facts) String() string {
	var b strings.Builder
	for _, f := range e.Facts {
		switch {
		case f.Tick != nil:
			b.WriteString("tick ")
		case f.Invalidated != nil:
			fmt.Fprintf(&b, "invalidate %s ", f.Invalidated.Items[0])
		case f.Completed != nil:
			fmt.Fprintf(&b, "completed %d ", f.Completed.UpTo)
		case f.EdgeJoined != nil:
			fmt.Fprintf(&b, "%s joins as %s ", f.EdgeJoined.Edge, f.EdgeJoined.Incarnation)
		case f.EdgeLeft != nil:
			fmt.Fprintf(&b, "%s leaves as %s ", f.EdgeLeft.Edge, f.EdgeLeft.Incarnation)
		}
	}
	return b.String()
}
