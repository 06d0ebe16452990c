package invalidation

// shelves hold path rules by where their literal text must stand in an object's. It is a value of three
// persistent tries: a copy of it is a snapshot.
type shelves struct {
	head, tail, inner *node
}

// shelf names one of them.
type shelf int

const (
	head shelf = iota
	tail
	inner
)

func (s *shelves) of(sh shelf) (**node, dir) {
	switch sh {
	case head:
		return &s.head, ahead
	case tail:
		return &s.tail, back
	}
	return &s.inner, ahead
}

// place is where a rule may be filed.
type place struct {
	shelf shelf
	key   string
}

// file adds a path rule.
func (s *shelves) file(r *rule) {
	text := r.item.text
	switch kind := r.item.kind; {
	case r.item.escaped || kind == Wildcard:
		s.fileAmong(r)
	case kind == Exact:
		s.put(place{head, text}, r.seq, func(n *node) int { return n.renew(whole, r) })
	case kind == Prefix:
		s.put(place{head, text[:len(text)-1]}, r.seq, func(n *node) int { return n.renew(open, r) })
	case kind == Suffix:
		s.put(place{tail, text[len("/*"):]}, r.seq, func(n *node) int { return n.renew(open, r) })
	}
}

func (s *shelves) put(p place, seq uint64, change func(*node) int) {
	root, d := s.of(p.shelf)
	*root, _ = (*root).put(d, p.key, seq, change)
}

// fileAmong files a rule under its rarest piece, or where an equal one is already. The pieces are a function of
// the text alone, so that an equal one can be nowhere else.
func (s *shelves) fileAmong(r *rule) {
	var places [2 + innerPieces]place
	name := r.item.String()
	if r.item.literal {
		name = literalName + name // another meaning, which shares nothing with those of the same spelling
	}
	best, least := place{}, -1
	for _, p := range r.item.places(places[:0]) {
		root, d := s.of(p.shelf)
		others := (*root).get(d, p.key).among()
		if here := others.get(ahead, name); here.count() > 0 {
			best = p
			break
		}
		if c := p.cost(others.count()); least < 0 || c < least {
			best, least = p, c
		}
	}
	s.put(best, r.seq, func(n *node) (rules int) {
		m := n.extend()
		m.among, rules = m.among.put(ahead, name, r.seq, func(n *node) int { return n.renew(whole, r) })
		return rules
	})
}

// literalName begins the names of items of the AWS dialect that mean something else than they would in the other.
const literalName = "\x00"

// cost guesses how many comparisons a rule at p will cause: it shares its place with others, and each
// doubling of a piece's length makes it four times less likely to be met. The inner shelf costs double, as
// it is tried at each byte.
func (p place) cost(others int) int {
	length := min(len(p.key), 16)
	c := (others + 1) << 16 / (length * length)
	if p.shelf == inner {
		c *= 2
	}
	return c
}

// innerPieces is how many of an item's inner pieces are considered: the longest ones.
const innerPieces = 4

// places appends the places where the item may be filed to dst: its literal pieces, parted by wildcards
// and by escapes that have several spellings. There is always one, because of the leading slash.
func (it *Item) places(dst []place) []place {
	start := 0
	for i := 0; i < len(it.text); {
		width := 0
		if it.wild(i) {
			width = 1
		} else if _, ok := it.spelled(i); ok {
			width = 3
		}
		if width == 0 {
			i++
			continue
		}
		if piece := it.text[start:i]; start == 0 {
			dst = append(dst, place{head, piece})
		} else if piece != "" {
			dst = appendLongest(dst, place{inner, piece})
		}
		i += width
		start = i
	}
	if last := it.text[start:]; last != "" {
		dst = append(dst, place{tail, last})
	}
	return dst
}

// appendLongest appends p, an inner piece, to dst, whose first place is the head; beyond innerPieces the shortest
// has to go.
func appendLongest(dst []place, p place) []place {
	if len(dst) <= innerPieces {
		return append(dst, p)
	}
	shortest := 1
	for i := range dst {
		if i > 0 && len(dst[i].key) < len(dst[shortest].key) {
			shortest = i
		}
	}
	if len(dst[shortest].key) < len(p.key) {
		dst[shortest] = p
	}
	return dst
}
