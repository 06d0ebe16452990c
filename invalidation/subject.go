package invalidation

import (
	"slices"
	"time"
)

// Subject is an object as invalidations see it. Who asks fills it; it is only read here.
type Subject struct {
	Path         string   // raw, as in the cache key; begins with "/"
	Alias        string   // a second path that names the same object ("/" for the default root object), or ""
	Query        string   // the part of the query string that is in the cache key, without "?"
	QueryIgnored bool     // the cache key has no query: Query is not looked at, items are cut at "?"
	Tags         []string // in lower case: see TagList

	// What conditions look at; see Where.Matches.
	Host        string    // in the cache key, in lower case and without a port; "": the object is for every host
	Status      int       // 0: the head of the answer is not known yet, and neither is what follows
	ContentType string    // as it was sent; "": without
	Stored      time.Time // when the head of the answer had come, by the clock of whoever stored it
}

// Matches tells whether the item means the object. It is the language's definition, one item at a
// time: for previews, explanations and as the truth that the Index is tested against.
func (it Item) Matches(s *Subject) bool {
	switch {
	case it.text == "":
		return false
	case it.kind == Tag:
		return slices.Contains(s.Tags, it.text[1:])
	case s.QueryIgnored:
		it, _ = it.cut()
	}
	t := s.target(s.Path)
	if it.glob(&t) {
		return true
	}
	t = s.target(s.Alias)
	return s.Alias != "" && it.glob(&t)
}

func (s *Subject) target(path string) target {
	t := target{path: path, size: len(path)}
	if !s.QueryIgnored && s.Query != "" {
		t.query = s.Query
		t.size += 1 + len(s.Query)
	}
	return t
}

// target is the text that items are compared with: path, or path?query, without joining the two, for
// that would allocate.
type target struct {
	path, query string
	size        int // in bytes, of the whole
}

// at returns the byte at i, 0 ≤ i < size.
func (t *target) at(i int) byte {
	if i < len(t.path) {
		return t.path[i]
	}
	if i -= len(t.path); i > 0 {
		return t.query[i-1]
	}
	return '?'
}

// has tells whether the text at i, 0 ≤ i ≤ size, begins with lit.
func (t *target) has(i int, lit string) bool {
	if end := i + len(lit); end <= len(t.path) {
		return t.path[i:end] == lit
	} else if end > t.size {
		return false
	}
	in := len(t.path) - i // how much of lit is compared with the path
	if in < 0 {
		return t.query[-in-1:][:len(lit)] == lit
	}
	return t.path[i:] == lit[:in] && lit[in] == '?' && t.query[:len(lit)-in-1] == lit[in+1:]
}

// spelling returns how many bytes at i are the character c, raw or escaped: 0, 1 or 3.
func (t *target) spelling(i int, c byte) int {
	const digits = "0123456789ABCDEF"
	switch b := t.at(i); {
	case b == c:
		return 1
	case b == '%' && i+2 < t.size && t.at(i+1) == digits[c>>4] && upper(t.at(i+2)) == digits[c&15]:
		return 3
	}
	return 0
}

// glob compares a path item with the whole text.
func (it *Item) glob(t *target) bool {
	return it.matchesFrom(t, 0, 0)
}

// matchesFrom is glob for a text up to j of which it is known that it matches the item up to i.
func (it *Item) matchesFrom(t *target, i, j int) bool {
	_, ok := it.reach(t, len(it.text), i, j)
	return ok
}

// reach compares a part of a path item with the text from j on: that from i, which is 0 or stands behind a wildcard, up to end.
// A part that ends with a wildcard needs not reach to the text's end, and next is how little of the text it takes. After a
// mismatch only the last wildcard takes one more byte: an earlier one cannot do better, since what stands between two
// wildcards was found as far left as it occurs. That holds with spellings of different length too: two occurrences
// of one character never overlap.
func (it *Item) reach(t *target, end, i, j int) (next int, ok bool) {
	p := it.text[:end]
	star, taken := i-1, j // the last wildcard, and up to where it reaches
	for j < t.size {
		if i < len(p) {
			if it.wild(i) {
				if i == len(p)-1 {
					return j, true
				}
				star, taken = i, j
				i++
				continue
			}
			if c, ok := it.spelled(i); ok {
				if n := t.spelling(j, c); n > 0 {
					i, j = i+3, j+n
					continue
				}
			} else if p[i] == t.at(j) {
				i, j = i+1, j+1
				continue
			}
		}
		if star < 0 {
			return 0, false
		}
		taken++
		i, j = star+1, taken
	}
	for i < len(p) && it.wild(i) {
		i++
	}
	return j, i == len(p)
}

func (it *Item) spelled(i int) (byte, bool) {
	if !it.escaped || it.text[i] != '%' {
		return 0, false
	}
	return spelled(it.text, i, it.literal)
}
