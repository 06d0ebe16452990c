package invalidation

// The hot path. Each function takes the greatest number found so far, looks only at what is above it, and
// returns the greatest number found then. Nothing here allocates.

func (s *shelves) match(t *target, best uint64) uint64 {
	if t.size == 0 || t.at(0) != '/' {
		return best // "OPTIONS *": no item means it, and the shelves take the first slash for granted
	}
	best = s.head.matchHead(t, best)
	best = s.tail.matchTail(t, best)
	return s.inner.matchInner(t, best)
}

// matchHead walks from the left: each node on the way is a prefix of the text, the last one perhaps all of it.
func (n *node) matchHead(t *target, best uint64) uint64 {
	for i := 0; n != nil && n.max > best; {
		if n.open != nil && n.open.seq > best {
			best = n.open.seq
		}
		if n.among != nil {
			best = n.among.matchAmong(t, best)
		}
		if i == t.size {
			if n.whole != nil && n.whole.seq > best {
				best = n.whole.seq
			}
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
func (n *node) matchTail(t *target, best uint64) uint64 {
	for i := t.size; n != nil && n.max > best; {
		if n.open != nil && n.open.seq > best {
			best = n.open.seq
		}
		if n.among != nil {
			best = n.among.matchAmong(t, best)
		}
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
func (n *node) matchInner(t *target, best uint64) uint64 {
	if n == nil {
		return best
	}
	for i := 1; i < t.size && n.max > best; i++ {
		at := i
		for piece := n.kid(t.at(at)); piece != nil && piece.max > best && t.has(at, piece.label); {
			if piece.among != nil {
				best = piece.among.matchAmong(t, best)
			}
			if at += len(piece.label); at == t.size {
				break
			}
			piece = piece.kid(t.at(at))
		}
	}
	return best
}

// matchAmong compares the wildcard items filed under a piece that the text has.
func (n *node) matchAmong(t *target, best uint64) uint64 {
	if n.max <= best {
		return best
	}
	if r := n.whole; r != nil && r.seq > best && r.item.glob(t) {
		best = r.seq
	}
	if r := n.open; r != nil && r.seq > best && r.item.glob(t) {
		best = r.seq
	}
	if n.fork != nil {
		for _, kid := range n.fork.kids {
			best = kid.matchAmong(t, best)
		}
	}
	return best
}

// matchTag looks for a rule of exactly this tag.
func (n *node) matchTag(tag string, best uint64) uint64 {
	for n != nil && n.max > best {
		if tag == "" {
			if n.whole != nil && n.whole.seq > best {
				best = n.whole.seq
			}
			break
		}
		if n = n.kid(tag[0]); n == nil || len(tag) < len(n.label) || tag[:len(n.label)] != n.label {
			break
		}
		tag = tag[len(n.label):]
	}
	return best
}
