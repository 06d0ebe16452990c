package invalidation

import "strings"

// rule is an item with the number of the invalidation that it came in, and the conditions of that.
type rule struct {
	seq   uint64
	item  Item
	where *Where // nil: none
	next  *rule  // where this one stands, with a smaller number; see renew
}

func (r *rule) len() (n int) {
	for ; r != nil; r = r.next {
		n++
	}
	return n
}

// node is a node of a persistent radix trie: never changed once it is reachable from an Index; put
// copies the way down and shares the rest. nil is the empty trie. What hangs on a node is about the text that
// the labels from the root down to it spell.
//
// It is laid out to fill 64 bytes; a rule is one node, 48 bytes of rule and its share of the forks.
type node struct {
	label string // a part of some item's text, not empty but at the root
	fork  *fork  // nil: a leaf
	max   uint64 // greatest number here and below: what lets a walk stop
	size  int    // rules here and below

	whole *rule // apply if the text ends here
	open  *rule // apply whatever follows
	more  *more // what only some places have
}

// more is what hangs on a node beside whole and open.
type more struct {
	among       *node // wildcard items filed under this text: a trie by the items' names (String)
	whole, open *node // with conditions, what would be whole or open and is too much: tries (see conditional.go)
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

// put returns the trie with change applied to a copy of the node at key. change tells how many rules more there
// are by it; seq is the rule's number.
func (n *node) put(d dir, key string, seq uint64, change func(*node) int) (_ *node, more int) {
	c := new(node)
	if n != nil {
		*c = *n
	}
	if key == "" {
		more = change(c)
	} else {
		c.fork, more = c.fork.put(d, key, seq, change)
	}
	c.max = max(c.max, seq)
	c.size += more
	return c, more
}

// putBelow is put for a key that is entered by the first byte of n's label; n may be nil.
func (n *node) putBelow(d dir, key string, seq uint64, change func(*node) int) (_ *node, more int) {
	if n == nil {
		return (&node{label: key}).put(d, "", seq, change)
	}
	k := d.common(n.label, key)
	if k < len(n.label) {
		n = n.split(d, k)
	}
	_, rest := d.part(key, k)
	return n.put(d, rest, seq, change)
}

func (f *fork) put(d dir, key string, seq uint64, change func(*node) int) (_ *fork, more int) {
	entry, _ := d.part(key, 1)
	if f == nil {
		f = &fork{}
	}
	i := strings.IndexByte(f.keys, entry[0])
	if i < 0 {
		leaf, more := (*node)(nil).putBelow(d, key, seq, change)
		kids := make([]*node, len(f.kids)+1)
		kids[copy(kids, f.kids)] = leaf
		return &fork{keys: f.keys + entry, kids: kids}, more
	}
	kid, more := f.kids[i].putBelow(d, key, seq, change)
	kids := make([]*node, len(f.kids))
	copy(kids, f.kids)
	kids[i] = kid
	return &fork{keys: f.keys, kids: kids}, more
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

// among returns the trie of wildcard items at n; n may be nil, and so may it.
func (n *node) among() *node {
	if n == nil || n.more == nil {
		return nil
	}
	return n.more.among
}

// extend gives n, which nobody else knows yet, a copy of what hangs on it, to be changed.
func (n *node) extend() *more {
	m := new(more)
	if n.more != nil {
		*m = *n.more
	}
	n.more = m
	return m
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
	for _, r := range [2]*rule{n.whole, n.open} {
		for ; r != nil; r = r.next {
			if !yield(r) {
				return false
			}
		}
	}
	if m := n.more; m != nil && !(m.among.each(yield) && m.whole.each(yield) && m.open.each(yield)) {
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
