package invalidation

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
