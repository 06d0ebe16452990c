package invalidation

import (
	"slices"
	"strings"
)

// matchRow asks the rules of a row, of which the first have the greatest numbers.
func (r *rule) matchRow(s *Subject, best uint64) uint64 {
	for ; r != nil && r.seq > best; r = r.next {
		if r.where.Matches(s) {
			return r.seq
		}
	}
	return best
}

// matchCells looks for a rule whose conditions hold for the object.
func (n *node) matchCells(s *Subject, best uint64) uint64 {
	if n == nil || n.max <= best {
		return best
	}
	if s.Status == 0 {
		return n.matchAll(s, best) // no word is known to be true of it
	}
	code := statusDigits(s.Status)
	is := mediaType(s.ContentType)
	var time [timeDigits]byte
	writeTime(&time, s.Stored.UnixNano())
	best = cursor{n, 0}.matchStatus(s, is, &time, best)
	if at, ok := (cursor{n, 0}).digits(code[:]); ok {
		best = at.matchStatus(s, is, &time, best)
	}
	if at, ok := (cursor{n, 0}).digits([]byte{code[0], 'x', 'x'}); ok {
		best = at.matchStatus(s, is, &time, best)
	}
	return best
}

// matchStatus goes on behind a status.
func (c cursor) matchStatus(s *Subject, is string, time *[timeDigits]byte, best uint64) uint64 {
	c, ok := c.step("\x00")
	if !ok || c.n.max <= best {
		return best
	}
	best = c.matchType(s, time, best)
	if is == "" {
		return best
	}
	if at, ok := c.step(is); ok {
		best = at.matchType(s, time, best)
	}
	if i := strings.IndexByte(is, '/'); i >= 0 && i+1 < len(is) {
		if at, ok := c.step(is[:i+1]); ok {
			if at, ok = at.step("*"); ok {
				best = at.matchType(s, time, best)
			}
		}
	}
	return best
}

// matchType goes on behind a type.
func (c cursor) matchType(s *Subject, time *[timeDigits]byte, best uint64) uint64 {
	c, ok := c.step("\x00")
	if !ok || c.n.max <= best {
		return best
	}
	if s.Host == "" {
		return c.n.matchHosts(c.off, time[:], s, best) // it is for every host
	}
	if at, ok := c.step("\x00"); ok {
		best = at.n.matchTime(at.off, time[:], s, best)
	}
	if at, ok := c.step(s.Host); ok {
		if at, ok = at.step("\x00"); ok {
			best = at.n.matchTime(at.off, time[:], s, best)
		}
	}
	return best
}

// matchHosts goes on behind any host. The label of n has been read up to off.
func (n *node) matchHosts(off int, time []byte, s *Subject, best uint64) uint64 {
	if n.max <= best {
		return best
	}
	if i := strings.IndexByte(n.label[off:], 0); i >= 0 {
		return n.matchTime(off+i+1, time, s, best)
	}
	return n.fork.greatestFirst(n.max, best, func(kid *node, best uint64) uint64 { return kid.matchHosts(0, time, s, best) })
}

// matchTime looks for what stands under later times. The label of n has been read up to off.
func (n *node) matchTime(off int, time []byte, s *Subject, best uint64) uint64 {
	if n.max <= best {
		return best
	}
	for ; off < len(n.label); off++ {
		switch {
		case len(time) == 0, n.label[off] < time[0]: // stored then, or later
			return best
		case n.label[off] > time[0]:
			return n.matchAll(s, best)
		}
		time = time[1:]
	}
	if n.fork == nil || len(time) == 0 {
		return best
	}
	for i, kid := range n.fork.kids {
		switch b := n.fork.keys[i]; {
		case b > time[0]:
			best = kid.matchAll(s, best)
		case b == time[0]:
			best = kid.matchTime(0, time, s, best)
		}
	}
	return best
}

// matchAll asks the rules at n and below, those with the greatest numbers first.
func (n *node) matchAll(s *Subject, best uint64) uint64 {
	if n.max <= best {
		return best
	}
	if r := n.whole; r != nil && r.seq > best && r.where.Matches(s) {
		best = r.seq
	}
	if n.fork == nil {
		return best
	}
	return n.fork.greatestFirst(n.max, best, func(kid *node, best uint64) uint64 { return kid.matchAll(s, best) })
}

// greatestFirst looks into every kid that may have more than best, into that with the greatest number first: mostly
// there is no need to look into others.
func (f *fork) greatestFirst(greatest, best uint64, match func(kid *node, best uint64) uint64) uint64 {
	first := slices.IndexFunc(f.kids, func(kid *node) bool { return kid.max == greatest })
	if first >= 0 {
		best = match(f.kids[first], best)
	}
	for i, kid := range f.kids {
		if i != first && kid.max > best {
			best = match(kid, best)
		}
	}
	return best
}
