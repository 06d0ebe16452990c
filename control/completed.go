package control

import (
	"time"

	"github.com/warmfront/warmfront/journal"
)

// completion is what the fold keeps of a journal.Completed. There is one for each of thousands of invalidations, of hundreds of edges, which are
// the same from one to the next as long as none comes or goes: so their names are kept once, and of each edge's line 8 octets.
type completion struct {
	At      time.Time
	Members int // where not all have a line, how many there were

	who    []edgeNamed
	when   []int64        // of each of them: microseconds since 1970, by the edge's clock
	silent map[int]uint64 // up to where those had acknowledged that were; nil: none was
}

type edgeNamed struct{ edge, location string }

// completion makes it, with the names of the last one if they are the same.
func (s *state) completion(f *journal.Completed) *completion {
	c := &completion{At: f.At, Members: f.Members}
	if len(f.Edges) == 0 {
		return c
	}
	if !names(s.named, f.Edges) {
		all := make([]edgeNamed, len(f.Edges))
		for i, e := range f.Edges {
			all[i] = edgeNamed{e.Edge, e.Location}
		}
		s.named = all
	}
	c.who, c.when = s.named, make([]int64, len(f.Edges))
	for i, e := range f.Edges {
		if !e.At.IsZero() {
			c.when[i] = e.At.UnixMicro()
			continue
		}
		if c.silent == nil {
			c.silent = map[int]uint64{}
		}
		c.silent[i] = e.Acked
	}
	return c
}

// names tells whether those are of these lines.
func names(who []edgeNamed, lines []journal.EdgeApplied) bool {
	if len(who) != len(lines) {
		return false
	}
	for i, e := range lines {
		if who[i] != (edgeNamed{e.Edge, e.Location}) {
			return false
		}
	}
	return true
}

// edges are the lines again.
func (c *completion) edges() []journal.EdgeApplied {
	all := make([]journal.EdgeApplied, len(c.when))
	for i, at := range c.when {
		who := c.who[i]
		all[i] = journal.EdgeApplied{Edge: who.edge, Location: who.location}
		if acked, was := c.silent[i]; was {
			all[i].Acked = acked
		} else {
			all[i].At = time.UnixMicro(at).UTC()
		}
	}
	return all
}
