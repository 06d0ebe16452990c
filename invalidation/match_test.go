package invalidation

import (
	"strings"
	"testing"
)

// subject reads "/path?query", "/path?query !" (the key ignores queries), "/path =/alias", "/path #tag #tag".
func subject(text string) *Subject {
	words := strings.Fields(text)
	s := &Subject{}
	s.Path, s.Query, _ = strings.Cut(words[0], "?")
	for _, w := range words[1:] {
		switch w[0] {
		case '!':
			s.QueryIgnored = true
		case '=':
			s.Alias = w[1:]
		case '#':
			s.Tags = append(s.Tags, w[1:])
		}
	}
	return s
}

// TestMatch_L3_Language is the language by example: item, then what it matches and what it does not. Each is
// asked of the item and of an index with that one rule.
func TestMatch_L3_Language(t *testing.T) {
	for _, c := range []struct {
		item    string
		d       Dialect
		yes, no string // subjects, parted by commas
	}{
		{"/a.png", Anywhere, "/a.png, /a.png !, /a.png?v=1 !, /x =/a.png",
			"/A.png, /a.pn, /a.pngx, /a.png/, /a.png?v=1, //a.png, /b/a.png, /%61.png"},
		{"/a.png?v=1", Anywhere, "/a.png?v=1, /a.png !, /x?v=1 =/a.png", "/a.png, /a.png?v=12, /a.png?V=1, /a.png?v=1?, /b.png !"},
		{"/a?", Anywhere, "/a, /a !", "/a?x, /b"},
		{"/", Anywhere, "/, /index.html =/", "/index.html, //, /?x"},
		{"/images", Anywhere, "/images", "/images/"},
		{"/images/*", Anywhere, "/images/, /images/a, /images/a/b?c=d, /images/?x, /images/a !", "/images, /image, /Images/a, /x/images/a"},
		{"/images*", Anywhere, "/images, /images/a, /images2, /images?x", "/image"},
		{"/a.png?*", Anywhere, "/a.png?x, /a.png !", "/a.png, /a.pngx, /a.pngx !"},
		{"/a.png?w=*", Anywhere, "/a.png?w=, /a.png?w=1&h=2, /a.png !", "/a.png?h=2, /b.png !"},
		{"/*", Anywhere, "/, /a, /a?b, /a !, //", ""},
		{"/*.css", Anywhere, "/.css, /a.css, /a/b.css, /a?b.css, /a.css !, /a.css?v=1 !", "/a.css?v=1, /css, /a.CSS, /a !"},
		{"/*.css*", Anywhere, "/a.css, /a.css?v=1, /a.css/x", "/acss"},
		{"/*.css?v=*", Anywhere, "/a.css?v=, /a.css?v=1, /a.css !", "/a.css, /a.js !"},
		{"/*?v=1", Anywhere, "/a?v=1, /?v=1, /a !, / !", "/a?v=12, /a, /av=1"},
		{"/*/", Anywhere, "//, /a/, /a/b/", "/, /a"},
		{"/*/a", Anywhere, "//a, /b/a, /?/a", "/a, /ba"}, // the leading slash is not the second one
		{"/a/*/b*.js", Anywhere, "/a//b.js, /a/x/bc.js, /a/x/y/b/z.js, /a/x/b?.js", "/a/b.js, /a/x/c.js, /a/x/b.jsx, /a/x/b.js?v"},
		{"/a*a", Anywhere, "/aa, /aba, /aaaa", "/a, /ab"},
		{"/*ab*ab*", Anywhere, "/abab, /xabyabz, /ababab", "/aba, /ab"},
		{"/img/*?w=100", Anywhere, "/img/a?w=100, /img/?w=100, /img/a !, /img/a?w=7 !", "/img/a, /img/a?w=1000, /i !"},
		{"/a?b*?c", Anywhere, "/a?b?c, /a?bx?c, /a !", "/a?b, /ab !"},

		{"/*.css", AWS, "/*.css, /*.css !", "/a.css, /.css"},
		{"/a/*/b*", AWS, "/a/*/b, /a/*/bc?d", "/a/x/b"},
		{"/a**", AWS, "/a*, /a*b", "/a, /ab"},
		{"/a*?", AWS, "/a*, /a* !", "/a, /ab, /a*b"},
		{"/a*b?x*", AWS, "/a*b?x, /a*b?xy, /a*b !", "/acb?x, /a*b, /acb !"},
		{"/a%2A", AWS, "/a%2A", "/a*, /a%2a, /a"},

		{"/a%2Ab", Anywhere, "/a*b, /a%2Ab, /a%2ab, /a*b !", "/axb, /ab, /a%2bb, /a**b"},
		{"/a%2A*%2Ab", Anywhere, "/a**b, /a%2a*b, /a*x%2Ab, /a*?*b", "/a*b, /ax*b"},
		{"/a?ids%5B%5D=1", Anywhere, "/a?ids[]=1, /a?ids%5B%5D=1, /a?ids%5b%5D=1, /a !", "/a?ids=1, /a?ids[]=12, /a"},
		{"/a?ids%5B%5D=*", AWS, "/a?ids[]=1, /a?ids%5B]=", "/a?ids=1"},
		{"/a%20b", Anywhere, "/a%20b", "/a+b"},
		{"/caf%C3%A9", Anywhere, "/caf%C3%A9", "/caf%c3%a9, /café"},

		{"#news", Anywhere, "/a #news, /a #x #news", "/a, /a #new, /a #newsy, /news, /#news"},
		{"#New*", AWS, "/a #new*", "/a #news, /a #new"},
	} {
		it := parsed(t, c.item, c.d)
		x := new(Index).Add(7, it)
		check := func(list string, want bool) {
			for text := range strings.SplitSeq(list, ", ") {
				if text == "" {
					continue
				}
				s := subject(text)
				if it.Matches(s) != want {
					t.Errorf("%q (%v) matches %q: %v", c.item, c.d, text, !want)
				}
				if (x.Match(s, 0) == 7) != want {
					t.Errorf("index of %q (%v) finds %d for %q", c.item, c.d, x.Match(s, 0), text)
				}
				if truth(c.item, c.d, s) != want {
					t.Errorf("regular expression of %q (%v) disagrees on %q", c.item, c.d, text)
				}
			}
		}
		check(c.yes, true)
		check(c.no, false)
	}
}

func TestMatch_L3_GreatestAboveStamp(t *testing.T) {
	x := new(Index)
	for i, line := range []string{"/a/b.css", "/a/*", "/*.css", "/*/b*s", "#t", "/nothing*"} {
		x = x.Add(uint64(i+1)*10, parsed(t, line, Anywhere))
	}
	s := subject("/a/b.css #t")
	for after, want := range map[uint64]uint64{0: 50, 9: 50, 49: 50, 50: 0, 55: 0, 60: 0, 61: 0} {
		if got := x.Match(s, after); got != want {
			t.Errorf("Match after %d = %d, want %d", after, got, want)
		}
		if got := x.Stale(s, after); got != (want > 0) {
			t.Errorf("Stale after %d = %v", after, got)
		}
	}
	s.Tags = nil
	if got := x.Match(s, 0); got != 40 {
		t.Errorf("without the tag: %d, want 40", got)
	}
}

func TestIndex_ZeroAndNilAreEmpty(t *testing.T) {
	for _, x := range []*Index{nil, {}} {
		s := subject("/a #t =/b")
		if x.Match(s, 0) != 0 || x.Stale(s, 0) || x.Len() != 0 || x.Newest() != 0 || x.Compact(9).Len() != 0 {
			t.Errorf("%v is not empty", x)
		}
		for range x.Rules {
			t.Errorf("%v has rules", x)
		}
		if y := x.Add(3, parsed(t, "/a", Anywhere)); y.Match(s, 0) != 3 {
			t.Errorf("%v: Add has no effect", x)
		}
		if y := x.Add(3); y.Newest() != 3 || y.Len() != 0 {
			t.Errorf("%v: an empty Add must still move Newest", x)
		}
		if y := x.Add(3, Item{}); y.Match(s, 0) != 0 || y.Len() != 0 {
			t.Errorf("%v: the zero Item means something", x)
		}
	}
}

func TestAdd_EqualItemsKeepTheGreatest(t *testing.T) {
	for _, line := range []string{"/a", "/a*", "/*a", "/a*b*c", "/a%5B", "#a", "/a?b", "/*?*x"} {
		it := parsed(t, line, Anywhere)
		x := new(Index).Add(5, it).Add(9, it).Add(7, it, it)
		n := 0
		for seq, got := range x.Rules {
			if n++; seq != 9 || got.Item != it {
				t.Errorf("%q: rule %d %q", line, seq, got.Item)
			}
		}
		if n != 1 || x.Len() != 1 {
			t.Errorf("%q: %d rules, Len %d", line, n, x.Len())
		}
	}
}

// TestAdd_DialectsDoNotMix: a distribution may change its dialect while rules of the other are alive.
func TestAdd_DialectsDoNotMix(t *testing.T) {
	for _, c := range []struct {
		a  string
		da Dialect
		b  string
		db Dialect

		onlyA, onlyB string
	}{
		{"/a*b", Anywhere, "/a*b", AWS, "/axb", ""},
		{"/a*b%5B", Anywhere, "/a*b%5B", AWS, "/axb[", ""},
		{"/a*b%5Blong-enough", Anywhere, "/a*b%5Blong-enough", AWS, "/axb[long-enough", ""}, // one place for both
		{"/b*%5B*", AWS, "/b*%5B*?", AWS, "/b*[x", ""},
		{"/a%2A", Anywhere, "/a%2A", AWS, "/a*", ""},
		{"/a*", Anywhere, "/a*?", AWS, "/ax", ""},
		{"/a%5B?x*", AWS, "/a%5B?y*", Anywhere, "/a[?x", "/a[?y"},
	} {
		x := new(Index).Add(1, parsed(t, c.a, c.da)).Add(2, parsed(t, c.b, c.db))
		if x.Len() != 2 {
			t.Errorf("%q (%v) and %q (%v) are %d rules", c.a, c.da, c.b, c.db, x.Len())
		}
		if got := x.Match(subject(c.onlyA), 0); got != 1 {
			t.Errorf("%q: rule %d, want that of %q (%v)", c.onlyA, got, c.a, c.da)
		}
		if c.onlyB != "" && x.Match(subject(c.onlyB), 0) != 2 {
			t.Errorf("%q is not matched by %q (%v)", c.onlyB, c.b, c.db)
		}
	}
}

func TestCompact_L4_NewestSurvives(t *testing.T) {
	x := new(Index).Add(1, parsed(t, "/a", Anywhere)).Add(2, parsed(t, "/b*", Anywhere)).Add(3, parsed(t, "#c", Anywhere))
	if x.Compact(0) != x {
		t.Error("nothing to drop, yet a new index")
	}
	y := x.Compact(2)
	if y.Len() != 1 || y.Newest() != 3 || y.Match(subject("/a #c"), 0) != 3 || y.Match(subject("/b"), 0) != 0 {
		t.Errorf("after Compact(2): %d rules, newest %d", y.Len(), y.Newest())
	}
	z := y.Compact(9)
	if z.Len() != 0 || z.Newest() != 3 {
		t.Errorf("after Compact(9): %d rules, newest %d", z.Len(), z.Newest())
	}
	if x.Len() != 3 {
		t.Error("Compact changed the index that it was called on")
	}
}

func TestRetain_RulesOneByOne(t *testing.T) {
	x := new(Index).Add(1, parsed(t, "/a", Anywhere)).Add(2, parsed(t, "/b*", Anywhere)).Add(3, parsed(t, "#c", Anywhere))
	y := x.Retain(func(seq uint64) bool { return seq != 2 })
	if y.Len() != 2 || y.Newest() != 3 || y.Match(subject("/a"), 0) != 1 || y.Match(subject("/b"), 0) != 0 || y.Match(subject("/x #c"), 0) != 3 {
		t.Errorf("%d rules, newest %d", y.Len(), y.Newest())
	}
}

func TestMatch_NoAllocation(t *testing.T) {
	x := mixed(2000)
	long := strings.Repeat("/long", 2000)
	for name, s := range map[string]*Subject{
		"plain":   {Path: "/shop/17/item-3.html"},
		"query":   {Path: "/img/33/photo.jpg", Query: "w=100&ids[]=4"},
		"ignored": {Path: "/img/33/photo.jpg", QueryIgnored: true},
		"long":    {Path: long, Query: long, Tags: []string{"product:3", "x"}},
		"alias":   {Path: "/index.html", Alias: "/"},
	} {
		if n := testing.AllocsPerRun(10, func() { x.Match(s, 0); x.Stale(s, x.Newest()) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
