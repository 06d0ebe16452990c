package invalidation

import "strings"

// The hot path. Each function takes the greatest number found so far, looks only at what is above it, and
// returns the greatest number found then. Nothing here allocates.

func (sh *shelves) match(t *target, s *Subject, best uint64) uint64 {
	if t.size == 0 || t.at(0) != '/' {
		return best // "OPTIONS *": no item means it, and the shelves take the first slash for granted
	}
	best = sh.head.matchHead(t, s, best)
	best = sh.tail.matchTail(t, s, best)
	return sh.inner.matchInner(t, s, best)
}

// matchHead walks from the left: each node on the way is a prefix of the text, the last one perhaps all of it.
func (n *node) matchHead(t *target, s *Subject, best uint64) uint64 {
	for i := 0; n != nil && n.max > best; {
		best = n.matchOpen(t, s, best)
		if i == t.size {
			best = n.matchWhole(s, best)
			break
		}
		if n = n.kid(t.at(i)); n == nil || !t.has(i, n.label) {
			break
		}
		i += len(n.label)
	}
	return best
}

// matchTail walks from the right. The first byte is not a part of any suffix: it is the item's own leading
// slash, and "/*/" is not "/".
func (n *node) matchTail(t *target, s *Subject, best uint64) uint64 {
	for i := t.size; n != nil && n.max > best; {
		best = n.matchOpen(t, s, best)
		if n = n.kid(t.at(i - 1)); n == nil {
			break
		}
		if i -= len(n.label); i < 1 || !t.has(i, n.label) {
			break
		}
	}
	return best
}

// matchInner looks for pieces at each byte.
func (n *node) matchInner(t *target, s *Subject, best uint64) uint64 {
	if n == nil {
		return best
	}
	for i := 1; i < t.size && n.max > best; i++ {
		at := i
		for piece := n.kid(t.at(at)); piece != nil && piece.max > best && t.has(at, piece.label); {
			if piece.more != nil {
				best = piece.more.among.matchAmong(t, s, best)
			}
			if at += len(piece.label); at == t.size {
				break
			}
			piece = piece.kid(t.at(at))
		}
	}
	return best
}

// matchWhole looks at what applies to n's text.
func (n *node) matchWhole(s *Subject, best uint64) uint64 {
	best = n.whole.matchRow(s, best)
	if n.more != nil {
		best = n.more.whole.matchCells(s, best)
	}
	return best
}

// matchOpen looks at what applies to everything that has n's text, and compares the wildcard items filed under it.
func (n *node) matchOpen(t *target, s *Subject, best uint64) uint64 {
	best = n.open.matchRow(s, best)
	if n.more != nil {
		best = n.more.open.matchCells(s, best)
		best = n.more.among.matchAmong(t, s, best)
	}
	return best
}

// matchAmong compares the wildcard items filed under a piece that the text has.
func (n *node) matchAmong(t *target, s *Subject, best uint64) uint64 {
	if n == nil || n.fork == nil {
		return best
	}
	for i, kid := range n.fork.kids {
		if n.fork.keys[i] == literalName[0] {
			best = kid.matchEach(t, s, best)
		} else {
			best = kid.matchNames(t, s, 0, 0, 0, best)
		}
	}
	return best
}

// matchNames compares items whose names begin alike with the text, what they share only once: depth bytes of their names are
// above n, of which those before i, where 0 or a wildcard is, take the text up to j. If a part up to a wildcard is not in the
// text, nothing below can match.
func (n *node) matchNames(t *target, s *Subject, depth, i, j int, best uint64) uint64 {
	if n.max <= best {
		return best
	}
	if n.fork == nil {
		return n.matchNamed(t, s, i, j, best)
	}
	if last := strings.LastIndexByte(n.label, '*'); last >= 0 {
		end := depth + last + 1
		next, ok := n.any().item.reach(t, end, i, j)
		if !ok {
			return best
		}
		i, j = end, next
	}
	best = n.matchNamed(t, s, i, j, best)
	depth += len(n.label)
	for _, kid := range n.fork.kids {
		best = kid.matchNames(t, s, depth, i, j, best)
	}
	return best
}

// matchEach compares items one by one.
func (n *node) matchEach(t *target, s *Subject, best uint64) uint64 {
	if n.max <= best {
		return best
	}
	best = n.matchNamed(t, s, 0, 0, best)
	if n.fork != nil {
		for _, kid := range n.fork.kids {
			best = kid.matchEach(t, s, best)
		}
	}
	return best
}

// matchNamed compares the item of a name from i on with the text from j on. All rules at n are about it.
func (n *node) matchNamed(t *target, s *Subject, i, j int, best uint64) uint64 {
	if r := n.whole; r != nil && r.seq > best && r.item.matchesFrom(t, i, j) {
		best = r.matchRow(s, best)
	}
	if n.more != nil && n.more.whole != nil && n.more.whole.max > best {
		if it := &n.more.whole.any().item; it.matchesFrom(t, i, j) {
			best = n.more.whole.matchCells(s, best)
		}
	}
	return best
}

// any returns some rule at n or below; there is one.
func (n *node) any() *rule {
	for {
		switch {
		case n.whole != nil:
			return n.whole
		case n.more != nil && n.more.whole != nil:
			n = n.more.whole
		default:
			n = n.fork.kids[0]
		}
	}
}

// matchTag looks for a rule of exactly this tag.
func (n *node) matchTag(tag string, s *Subject, best uint64) uint64 {
	for n != nil && n.max > best {
		if tag == "" {
			best = n.matchWhole(s, best)
			break
		}
		if n = n.kid(tag[0]); n == nil || len(tag) < len(n.label) || tag[:len(n.label)] != n.label {
			break
		}
		tag = tag[len(n.label):]
	}
	return best
}
