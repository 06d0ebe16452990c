package invalidation

import (
	"strings"

	"github.com/warmfront/warmfront/internal/mistake"
)

// The limits of the language, as CloudFront has them.
const (
	MaxPath = 4000 // characters of a path item
	MaxTag  = 256  // characters of a tag, without '#'
	MaxTags = 50   // tags of an object that count

	MaxManyTags = 1000 // the same, in a field of which that many are expected: see TagListOf
)

// Dialect says which asterisks of a path item are wildcards.
type Dialect int

const (
	Anywhere Dialect = iota // every '*'; a literal one is written %2A
	AWS                     // only a '*' that ends the item; all others are literal
)

func (d Dialect) String() string {
	if d == AWS {
		return "aws"
	}
	return "anywhere"
}

// Kind is the shape of an item.
type Kind uint8

const (
	Exact    Kind = iota // no wildcard
	Prefix               // one, at the end
	Suffix               // one, right after the leading slash
	Wildcard             // any other
	Tag
)

var kindNames = [...]string{Exact: "exact", Prefix: "prefix", Suffix: "suffix", Wildcard: "wildcard", Tag: "tag"}

func (k Kind) String() string { return kindNames[k] }

// Item is one parsed line of an invalidation. Parse makes it. Two items are equal (==) iff they were
// written to mean the same; the zero Item means nothing and matches nothing.
type Item struct {
	text string // canonical: see canonical; a tag with its '#', folded
	kind Kind

	// literal: the asterisks before the end, and %2A, stand for themselves (AWS dialect). Set only where
	// it makes a difference, so that an item which means the same in both dialects is equal in both.
	literal bool
	escaped bool // has an escape that stands for several spellings: see spelled
}

// Kind returns the shape of the item.
func (it Item) Kind() Kind { return it.kind }

// String returns the item in canonical form: tags in lower case, runs of asterisks as one, no empty
// query. In the dialect of its origin it parses to the same item again.
func (it Item) String() string {
	// "/a*?" is how the AWS dialect names the one object "/a*"; without the mark it would read as a prefix.
	if it.literal && it.kind == Exact && strings.HasSuffix(it.text, "*") {
		return it.text + "?"
	}
	return it.text
}

// wild tells whether the byte at i is a wildcard.
func (it *Item) wild(i int) bool {
	if it.text[i] != '*' {
		return false
	}
	return !it.literal || it.kind == Prefix && i == len(it.text)-1
}

// shape finds the kind of a path item from its asterisks.
func (it *Item) shape(d Dialect) {
	first, last := strings.IndexByte(it.text, '*'), strings.LastIndexByte(it.text, '*')
	end := len(it.text) - 1
	switch {
	case first < 0, d == AWS && last < end:
		it.kind = Exact
	case d == AWS, first == end:
		it.kind = Prefix
	case first == 1 && last == 1:
		it.kind = Suffix
	default:
		it.kind = Wildcard
	}
	if d == AWS {
		it.literal = first >= 0 && (it.kind == Exact || first < end) || hasEscapedAsterisk(it.text)
	}
	it.escaped = it.hasSpelled()
}

func (it *Item) hasSpelled() bool {
	if mistake.Made(spellingUnread) {
		return false
	}
	for i := range len(it.text) {
		if _, ok := spelled(it.text, i, it.literal); ok {
			return true
		}
	}
	return false
}

// cut returns the item without its query string, for objects whose key has none. ok is false where
// there is nothing to cut. The result is for matching; it is not printed.
func (it Item) cut() (cut Item, ok bool) {
	if it.kind == Tag {
		return it, false
	}
	i := strings.IndexByte(it.text, '?')
	if i < 0 {
		return it, false
	}
	cut = Item{text: it.text[:i]}
	if !it.literal {
		cut.shape(Anywhere)
		return cut, true
	}
	// All asterisks before the '?' are literal: the only wildcard of such an item ends it.
	cut.kind, cut.literal = Exact, true
	cut.escaped = cut.hasSpelled()
	return cut, true
}

// unsafeButSent are the characters that an item must not contain raw while viewers' requests may.
// The space, the percent sign and '#' are unsafe too, but cannot be sent raw, or mean something else.
const unsafeButSent = "\"<>[\\]^`{|}"

// spelled tells whether an escape begins at i that stands for its character in every spelling, and
// which character.
func spelled(text string, i int, literal bool) (byte, bool) {
	if text[i] != '%' || i+2 >= len(text) {
		return 0, false
	}
	hi, ok1 := unhex(text[i+1])
	lo, ok2 := unhex(text[i+2])
	if !ok1 || !ok2 {
		return 0, false
	}
	c := hi<<4 | lo
	if c == '*' {
		return c, !literal
	}
	return c, strings.IndexByte(unsafeButSent, c) >= 0
}

func hasEscapedAsterisk(text string) bool {
	return strings.Contains(text, "%2A") || strings.Contains(text, "%2a")
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// upper folds the digits of hexadecimal numbers; it is meant for nothing else.
func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
