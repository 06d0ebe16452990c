package machines

import (
	"fmt"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// check knows what the journal has, and holds each answer against it.
type check struct {
	w         *world
	made      []*promise
	completes [keys]time.Duration // when the newest invalidation of a key was accepted that is Completed
	answers   int
	violated  []string
}

// promise is an invalidation in the log.
type promise struct {
	seq      uint64
	key      int
	accepted time.Duration
	is       bool // Completed
}

func (c *check) violates(format string, args ...any) {
	if len(c.violated) < 5 {
		c.violated = append(c.violated, fmt.Sprintf(format, args...))
	}
	c.w.note("VIOLATED: "+format, args...)
}

func (c *check) appended(e *journal.Entry) {
	for _, f := range e.Facts {
		switch {
		case f.Invalidated != nil:
			key := 0
			if f.Invalidated.Items[0] == subjects[1].Path {
				key = 1
			}
			c.made = append(c.made, &promise{seq: e.Seq, key: key, accepted: c.w.now})
		case f.Completed != nil:
			for _, p := range c.made {
				if p.seq <= f.Completed.UpTo && !p.is {
					p.is = true
					c.completes[p.key] = max(c.completes[p.key], p.accepted)
				}
			}
		}
	}
}

// lost forgets what the log has lost, and what was promised of it: an operator has accepted that.
func (c *check) lost(left uint64) {
	var kept []*promise
	c.completes = [keys]time.Duration{}
	for _, p := range c.made {
		if p.seq <= left {
			kept = append(kept, p)
			if p.is {
				c.completes[p.key] = max(c.completes[p.key], p.accepted)
			}
		}
	}
	c.made = kept
	for _, e := range c.w.edges {
		e.promised = min(e.promised, left)
	}
}

func (c *check) completed(seq uint64) bool {
	for _, p := range c.made {
		if p.seq == seq && !p.is {
			return false
		}
	}
	return true
}

// answer is the promise: no answer that is sent after Completed has content that is older than the invalidation.
func (c *check) answer(e *edge, key int, x content) {
	c.answers++
	if c.w.told != nil {
		c.w.note("%s answers %s with %d", e.name, subjects[key].Path, x.version)
	}
	if x.read < c.completes[key] {
		c.violates("L6: %s answers %s at %v with what the origin had at %v; what was accepted at %v is Completed", e.name, subjects[key].Path, c.w.now, x.read, c.completes[key])
	}
	for _, p := range c.made {
		if p.key == key && p.seq <= e.promised && x.read < p.accepted {
			c.violates("E3: %s answers %s at %v with what the origin had at %v, and has acknowledged what was accepted at %v", e.name, subjects[key].Path, c.w.now, x.read, p.accepted)
		}
	}
}

// acked notes up to where an edge has acknowledged the log, if that is the one that there is.
func (c *check) acked(e *edge, at journal.Position) {
	e.promised = 0
	if n := uint64(len(c.w.log.entries)); at.Seq <= n && c.w.log.entries[at.Seq-1] != nil && c.w.log.entries[at.Seq-1].ID == at.ID {
		e.promised = at.Seq
	}
}

// unsettled says what is not as it should be.
func (c *check) unsettled() (left []string) {
	w := c.w
	for _, p := range c.made {
		if !p.is {
			left = append(left, fmt.Sprintf("%d is not Completed", p.seq))
		}
	}
	for _, e := range w.edges {
		switch {
		case !e.up || !e.snap.joined:
			left = append(left, e.name+" is no member")
		case !e.lease.Fresh(e.clock()):
			left = append(left, e.name+" has no lease")
		case e.snap.index.Len() > 0:
			left = append(left, fmt.Sprintf("%s has %d rules", e.name, e.snap.index.Len()))
		}
	}
	return left
}
