package invalidation

import "strings"

// rule is an item with the number of the invalidation that it came in.
type rule struct {
	seq  uint64
	item Item
}

// node is a node of a persistent radix trie: never changed once it is reachable from an Index; put
// copies the way down and shares the rest. nil is the empty trie. What hangs on a node is about the text that
// the labels from the root down to it spell.
//
// It is laid out to fill 64 bytes; a rule is one node, 32 bytes of rule and its share of the forks.
type node struct {
	label string // a part of some item's text, not empty but at the root
	fork  *fork  // nil: a leaf
	max   uint64 // greatest number here and below: what lets a walk stop
	size  int    // rules here and below

	whole *rule // applies if the text ends here
	open  *rule // applies whatever follows
	among *node // wildcard items filed under this text: a trie by the items' names (String)
}

// fork is where a node goes on. keys[i] is the byte by which kids[i] is entered.
type fork struct {
	keys string
	kids []*node
}

// dir is the direction in which a trie reads its texts. Labels keep the order of the text in both, so
// that they are slices of it and cost nothing.
type dir bool

const (
	ahead dir = false
	back  dir = true
)

// part splits s after the first k bytes in reading direction.
func (d dir) part(s string, k int) (near, far string) {
	if d == back {
		return s[len(s)-k:], s[:len(s)-k]
	}
	return s[:k], s[k:]
}

// common returns how many bytes a and b share from where they are entered.
func (d dir) common(a, b string) int {
	n := min(len(a), len(b))
	for k := range n {
		if d == back && a[len(a)-1-k] != b[len(b)-1-k] || d == ahead && a[k] != b[k] {
			return k
		}
	}
	return n
}

func (n *node) kid(b byte) *node {
	if n.fork == nil {
		return nil
	}
	if i := strings.IndexByte(n.fork.keys, b); i >= 0 {
		return n.fork.kids[i]
	}
	return nil
}

// get returns the node at key, or nil. It is for Add; Match has walks of its own.
func (n *node) get(d dir, key string) *node {
	for n != nil && key != "" {
		entry, _ := d.part(key, 1)
		if n = n.kid(entry[0]); n == nil || d.common(n.label, key) < len(n.label) {
			return nil
		}
		_, key = d.part(key, len(n.label))
	}
	return n
}

// put returns the trie with change applied to a copy of the node at key. change tells whether it added a
// rule, rather than renewing one; seq is the rule's number.
func (n *node) put(d dir, key string, seq uint64, change func(*node) bool) (_ *node, added bool) {
	c := new(node)
	if n != nil {
		*c = *n
	}
	if key == "" {
		added = change(c)
	} else {
		c.fork, added = c.fork.put(d, key, seq, change)
	}
	c.max = max(c.max, seq)
	if added {
		c.size++
	}
	return c, added
}

func (f *fork) put(d dir, key string, seq uint64, change func(*node) bool) (_ *fork, added bool) {
	entry, _ := d.part(key, 1)
	if f == nil {
		f = &fork{}
	}
	i := strings.IndexByte(f.keys, entry[0])
	if i < 0 {
		leaf, added := (&node{label: key}).put(d, "", seq, change)
		kids := make([]*node, len(f.kids)+1)
		kids[copy(kids, f.kids)] = leaf
		return &fork{keys: f.keys + entry, kids: kids}, added
	}
	kid := f.kids[i]
	k := d.common(kid.label, key)
	if k < len(kid.label) {
		kid = kid.split(d, k)
	}
	_, rest := d.part(key, k)
	kid, added = kid.put(d, rest, seq, change)
	kids := make([]*node, len(f.kids))
	copy(kids, f.kids)
	kids[i] = kid
	return &fork{keys: f.keys, kids: kids}, added
}

// split returns a node for the first k bytes of n's label, with the rest of n below it.
func (n *node) split(d dir, k int) *node {
	near, far := d.part(n.label, k)
	low := *n
	low.label = far
	entry, _ := d.part(far, 1)
	return &node{
		label: near,
		fork:  &fork{keys: entry, kids: []*node{&low}},
		max:   n.max,
		size:  n.size,
	}
}

// count returns the number of rules; n may be nil.
func (n *node) count() int {
	if n == nil {
		return 0
	}
	return n.size
}

// each calls yield for every rule until it returns false, and tells whether it never did.
func (n *node) each(yield func(*rule) bool) bool {
	if n == nil {
		return true
	}
	if n.whole != nil && !yield(n.whole) || n.open != nil && !yield(n.open) || !n.among.each(yield) {
		return false
	}
	if n.fork != nil {
		for _, kid := range n.fork.kids {
			if !kid.each(yield) {
				return false
			}
		}
	}
	return true
}
