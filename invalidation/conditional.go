package invalidation

import (
	"slices"
	"strings"
)

// Rules with conditions stand beside those without, at the same place of the same trie: few of them in a row, many in a
// trie of their own by what their conditions say:
//
//	status NUL type NUL host NUL time [everything]
//
// A condition that is not made is the empty word; the time is sixteen digits, or unboundedDigit. A rule with several
// values of a condition is filed under each, so that an object finds all that may mean it under the few words that
// are true of it: its status and the class of that, its type and the kind of that, its host, and nothing. Only the times
// have to be compared, and there the walk goes to the greatest number below a node first.

// maxCells bounds under how many combinations of values a rule is filed. The condition with the most values is then
// left out of the words, and the rule stands under everything it says, to be asked itself.
const maxCells = 8

// unboundedDigit stands in place of a time, and is greater than the digits of any.
const unboundedDigit = "g"

// file returns the keys of a rule with these conditions.
func (w *Where) file() []string {
	words := [3][]string{w.status, w.types, w.hosts}
	rest := ""
	for product(words) > maxCells {
		most := 0
		for i := range words {
			if len(words[i]) > len(words[most]) {
				most = i
			}
		}
		words[most] = nil
		rest = w.String()
	}
	digits := unboundedDigit
	if w.before != unbounded {
		var b [timeDigits]byte
		writeTime(&b, w.before)
		digits = string(b[:])
	}
	cells := []string{""}
	for _, values := range words {
		if len(values) == 0 {
			values = []string{""}
		}
		var longer []string
		for _, cell := range cells {
			for _, v := range values {
				longer = append(longer, cell+v+"\x00")
			}
		}
		cells = longer
	}
	for i := range cells {
		cells[i] += digits + rest
	}
	return cells
}

func product(words [3][]string) int {
	n := 1
	for _, values := range words {
		n *= max(1, len(values))
	}
	return n
}

const timeDigits = 16

// writeTime writes digits that are in the order of the times.
func writeTime(b *[timeDigits]byte, nanos int64) {
	const digits = "0123456789abcdef"
	n := uint64(nanos) ^ 1<<63 // in the order of unsigned numbers
	for i := range b {
		b[i] = digits[n>>60]
		n <<= 4
	}
}

// putCells adds r under each of its cells.
func putCells(n *node, r *rule) (_ *node, more int) {
	for _, cell := range r.where.cells {
		var one int
		n, one = n.putBelow(ahead, cell, r.seq, func(n *node) int {
			if n.whole == nil {
				n.whole = r
				return 1
			}
			if n.whole.seq < r.seq {
				n.whole = r
			}
			return 0
		})
		more += one
	}
	return n, more
}

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

// cursor is a place in a trie, also within a label.
type cursor struct {
	n   *node
	off int // how much of n's label has been read
}

func (c cursor) step(lit string) (cursor, bool) {
	for i := range len(lit) {
		if !c.read(lower(lit[i])) {
			return c, false
		}
	}
	return c, true
}

func (c cursor) digits(lit []byte) (cursor, bool) {
	for _, b := range lit {
		if !c.read(b) {
			return c, false
		}
	}
	return c, true
}

func (c *cursor) read(b byte) bool {
	if c.off == len(c.n.label) {
		kid := c.n.kid(b)
		if kid == nil {
			return false
		}
		c.n, c.off = kid, 1
		return true
	}
	if c.n.label[c.off] != b {
		return false
	}
	c.off++
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c - 'A' + 'a'
	}
	return c
}
