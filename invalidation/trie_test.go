package invalidation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sound checks what a trie relies on: every node knows the greatest number and the count below it, children are
// entered by the first byte of their labels, and no node is there for nothing. It returns the first two.
func (n *node) sound(t *testing.T, d dir) (greatest uint64, size int) {
	t.Helper()
	if n == nil {
		return 0, 0
	}
	count := func(seq uint64, rules int) { greatest, size = max(greatest, seq), size+rules }
	for _, r := range []*rule{n.whole, n.open} {
		for last := r; r != nil; r = r.next {
			if count(r.seq, 1); r.seq > last.seq {
				t.Fatalf("node %q has %d before %d", n.label, last.seq, r.seq)
			}
			last = r
		}
	}
	if n.more != nil {
		count(n.more.among.sound(t, ahead))
		count(n.more.whole.sound(t, ahead))
		count(n.more.open.sound(t, ahead))
	}
	if n.fork != nil {
		if len(n.fork.keys) != len(n.fork.kids) {
			t.Fatalf("keys %q for %d children", n.fork.keys, len(n.fork.kids))
		}
		for i, kid := range n.fork.kids {
			entry, _ := d.part(kid.label, 1)
			if entry[0] != n.fork.keys[i] || strings.Count(n.fork.keys, entry) != 1 {
				t.Fatalf("child %q is entered by %q", kid.label, n.fork.keys)
			}
			if kid.whole == nil && kid.open == nil && kid.more == nil && len(kid.fork.kids) < 2 {
				t.Fatalf("node %q has one child and no rule", kid.label)
			}
			count(kid.sound(t, d))
		}
	}
	if n.max != greatest || n.size != size {
		t.Fatalf("node %q says %d, %d; below are %d, %d", n.label, n.max, n.size, greatest, size)
	}
	return greatest, size
}

func TestTrie_BothDirections(t *testing.T) {
	words := []string{"a", "ab", "abc", "abd", "b", "cab", "dab", "bb", "abcabc", "cba"}
	for _, d := range []dir{ahead, back} {
		var n *node
		for i, w := range words {
			r := &rule{seq: uint64(i + 1), item: Item{text: w}}
			n, _ = n.put(d, w, r.seq, func(n *node) int { return n.renew(whole, r) })
			n.sound(t, d)
		}
		for i, w := range words {
			if at := n.get(d, w); at == nil || at.whole == nil || at.whole.seq != uint64(i+1) {
				t.Errorf("%q is lost", w)
			}
		}
		for _, w := range []string{"x", "abx", "abcab", "xab", "aba"} {
			if at := n.get(d, w); at != nil && at.whole != nil {
				t.Errorf("%q is found", w)
			}
		}
	}
}

// TestFiling_RarestPiece: a wildcard item goes where few others are, and an unselective head fills up last.
func TestFiling_RarestPiece(t *testing.T) {
	show := func(p place) string { return fmt.Sprintf("%d:%s", p.shelf, p.key) }
	for line, want := range map[string][]string{
		"/a/*/b*.js":           {"0:/a/", "2:/b", "1:.js"},
		"/*a*":                 {"0:/", "2:a"},
		"/a%5Bb":               {"0:/a", "1:b"},
		"/%2A%2A*":             {"0:/"},
		"/*1*22*333*4*5":       {"0:/", "2:1", "2:22", "2:333", "2:4", "1:5"},
		"/*1*22*333*44*55555*": {"0:/", "2:55555", "2:22", "2:333", "2:44"},
	} {
		it := parsed(t, line, Anywhere)
		var got []string
		for _, p := range it.places(nil) {
			got = append(got, show(p))
		}
		if !slices.Equal(got, want) {
			t.Errorf("places of %q: %q, want %q", line, got, want)
		}
	}
	var x *Index
	for i := range 1000 {
		x = x.Add(uint64(i+1), parsed(t, fmt.Sprintf("/shop/*/reviews-%d/*", i), Anywhere))
	}
	if n := x.uri.head.count(); n > 20 {
		t.Errorf("%d of 1000 rules are filed under their common head", n)
	}
}
