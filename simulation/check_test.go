package simulation

import (
	"fmt"
	"slices"
	"sync"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// check holds what happens against the promise. It sees all of the world at once, and no node sees it.
type check struct {
	w  *world
	mu sync.Mutex

	changes  []*change         // the invalidations in the log, in its order
	said     map[string]string // by reference, which invalidation it is, by what operators were told
	acked    map[string]uint64 // by incarnation
	applied  map[string]uint64 // by edge: the greatest acknowledgement of any incarnation
	members  map[string]string // by edge: its incarnation in the log
	epoch    journal.ID        // of the log
	rolled   bool              // the log has lost entries: numbers in acknowledgements may mean what is gone
	violated []string

	answers, hits, completed int
}

// change is an invalidation in the log.
type change struct {
	*journal.Invalidated
	seq     uint64
	path    int
	version int64 // the origin's at the instant at which it was accepted
	done    bool  // it was Completed
}

func (c *check) violation(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.w.note("VIOLATION: %s", text)
	c.violated = append(c.violated, text)
}

// appended looks at an entry at the instant at which it is in the log.
func (c *check) appended(e *journal.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range e.Facts {
		switch f := &e.Facts[i]; {
		case f.Invalidated != nil:
			c.invalidated(e.Seq, f.Invalidated)
		case f.EdgeJoined != nil:
			c.w.note("journal %d: %s joins", e.Seq, f.EdgeJoined.Edge)
			c.members[f.EdgeJoined.Edge] = f.EdgeJoined.Incarnation
		case f.Tick != nil:
			c.w.note("journal %d: tick", e.Seq)
		case f.EdgeLeft != nil:
			c.w.note("journal %d: %s leaves", e.Seq, f.EdgeLeft.Edge)
		case f.Completed != nil:
			c.declared(e.Seq, f.Completed)
		}
	}
}

func (c *check) invalidated(seq uint64, f *journal.Invalidated) {
	for _, other := range c.changes {
		if other.CallerReference == f.CallerReference {
			c.violation("L8: two invalidations with reference %s: %d and %d", f.CallerReference, other.seq, seq)
		}
	}
	item := f.Items[0]
	path := int(item[len(item)-1] - '0')
	if item[len(item)-1] == '*' {
		path = int(item[len(item)-2] - '0')
	}
	c.changes = append(c.changes, &change{Invalidated: f, seq: seq, path: path, version: c.w.origin.read(path)})
	c.w.note("journal %d: %s for version %d of /p%d", seq, item, c.changes[len(c.changes)-1].version, path)
}

// declared looks at a Completed (P3).
func (c *check) declared(seq uint64, f *journal.Completed) {
	c.w.note("journal %d: completed up to %d", seq, f.UpTo)
	for _, x := range c.changes {
		if x.seq <= f.UpTo && !x.done {
			x.done = true
			c.completed++
		}
	}
	for _, row := range f.Edges {
		if !row.At.IsZero() && !c.rolled && c.applied[row.Edge] < f.UpTo {
			c.violation("P3: the receipt of %d says that %s has applied it, which has acknowledged %d", f.UpTo, row.Edge, c.applied[row.Edge])
		}
	}
}

// accepted notes what an operator was told (L8).
func (c *check) accepted(reference string, inv *control.Invalidation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rolled {
		return
	}
	if id, ok := c.said[reference]; ok && id != inv.ID {
		c.violation("L8: %s was accepted as %s and as %s", reference, id, inv.ID)
	}
	c.said[reference] = inv.ID
	for _, x := range c.changes {
		if x.InvalidationID == inv.ID {
			return
		}
	}
	c.violation("L8: %s was accepted as %s, and is not in the journal", reference, inv.ID)
}

// acknowledged looks at an acknowledgement when it is sent (E3).
func (c *check) acknowledged(a journal.Ack) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rolled || a.Epoch != c.epoch {
		return
	}
	if a.Seq < c.acked[a.Incarnation] {
		c.violation("E3: %s acknowledges %d after %d", a.Edge, a.Seq, c.acked[a.Incarnation])
	}
	c.acked[a.Incarnation] = a.Seq
	c.applied[a.Edge] = max(c.applied[a.Edge], a.Seq)
}

// answered looks at an answer when it is sent (L3, L6).
func (c *check) answered(p *process, path int, version int64, hit bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.dead.Load() {
		return
	}
	c.w.note("%s answers /p%d with version %d, hit %v", p.node.name, path, version, hit)
	c.answers++
	if hit {
		c.hits++
	}
	for _, x := range c.changes {
		if x.path != path || version >= x.version {
			continue
		}
		if x.done {
			c.violation("L6: %s answers /p%d with version %d after %d was completed, which is for version %d", p.node.name, path, version, x.seq, x.version)
		} else if !c.rolled && p.link.acknowledged(c.epoch) >= x.seq {
			c.violation("E3: %s answers /p%d with version %d after it has acknowledged %d, which is for version %d", p.node.name, path, version, x.seq, x.version)
		}
	}
}

// lost says that all after an entry is not in the log any more, through no fault of anybody's.
func (c *check) lost(after uint64) {
	c.mu.Lock()
	c.rolled = true
	c.mu.Unlock()
	c.overwritten(after + 1)
}

// restored says that the log is another one.
func (c *check) restored(entries []*journal.Entry) {
	c.mu.Lock()
	c.acked, c.applied = map[string]uint64{}, map[string]uint64{}
	c.epoch = entries[0].Epoch
	c.mu.Unlock()
	c.compacted(entries)
}

// compacted says that entries were left out of the log: of which invalidations they are not.
func (c *check) compacted(entries []*journal.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.changes {
		there := false
		if x.seq <= uint64(len(entries)) && entries[x.seq-1] != nil {
			there = slices.ContainsFunc(entries[x.seq-1].Facts, func(f journal.Fact) bool {
				return f.Invalidated != nil && f.Invalidated.InvalidationID == x.InvalidationID
			})
		}
		if !there {
			c.violation("L8: invalidation %s is not in the journal any more", x.InvalidationID)
		}
	}
}

// overwritten says that an entry, and all after it, is not in the log any more.
func (c *check) overwritten(from uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, x := range c.changes {
		if x.seq >= from {
			c.changes = c.changes[:i]
			return
		}
	}
}

// unsettled says what is not yet as it should be when nothing has gone wrong for a while.
func (c *check) unsettled() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	say := func(format string, args ...any) { all = append(all, "in the end "+fmt.Sprintf(format, args...)) }
	for _, x := range c.changes {
		if !x.done {
			say("%d (%s) is not completed", x.seq, x.Items[0])
		}
	}
	for _, n := range c.w.edges {
		p := n.up()
		if p == nil {
			say("%s does not run", n.name)
			continue
		}
		if err := p.edge.Ready(); err != nil {
			say("%s is not ready: %v", n.name, err)
		}
		if s := p.edge.Stats(); s.Rules > 0 {
			say("%s has %d rules", n.name, s.Rules)
		}
	}
	return all
}

// finish looks at what was promised at all (L8), and at what has not settled.
func (c *check) finish(unsettled []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for reference, id := range c.said {
		if !c.rolled && !slices.ContainsFunc(c.changes, func(x *change) bool { return x.InvalidationID == id }) {
			c.violation("L8: %s was accepted as %s, and is not in the journal in the end", reference, id)
		}
	}
	for _, what := range unsettled {
		c.violation("%s", what)
	}
}
