package invalidation

import (
	"errors"
	"strings"
	"testing"
)

func parsed(t testing.TB, line string, d Dialect) Item {
	t.Helper()
	it, err := Parse(line, d)
	if err != nil {
		t.Fatalf("Parse(%q, %v): %v", line, d, err)
	}
	return it
}

func TestParse_Kinds(t *testing.T) {
	long := "/" + strings.Repeat("a", MaxPath-1)
	for _, c := range []struct {
		line          string
		anywhere, aws Kind
		text          string // "" when it is the line
	}{
		{"/", Exact, Exact, ""},
		{"/a.png", Exact, Exact, ""},
		{"/a.png?v=2", Exact, Exact, ""},
		{"/a.png?v=2&w=?", Exact, Exact, ""},
		{"/a.png?", Exact, Exact, "/a.png"},
		{"/caf%C3%A9", Exact, Exact, ""},
		{"/a%2Ab", Exact, Exact, ""},
		{"/a%5Bb", Exact, Exact, ""},
		{"/a%5bb", Exact, Exact, "/a%5Bb"},
		{"/a%c3b", Exact, Exact, ""},
		{"/A!$&'()+,-.:;=@_", Exact, Exact, ""},
		{"//", Exact, Exact, ""},
		{"/../x", Exact, Exact, ""},
		{long, Exact, Exact, ""},
		{"/*", Prefix, Prefix, ""},
		{"/images/*", Prefix, Prefix, ""},
		{"/a.png*", Prefix, Prefix, ""},
		{"/a.png?*", Prefix, Prefix, ""},
		{"/a%2A*", Prefix, Prefix, ""},
		{"/*.css", Suffix, Exact, ""},
		{"/*?v=1", Suffix, Exact, ""},
		{"/*/", Suffix, Exact, ""},
		{"/a*b", Wildcard, Exact, ""},
		{"/a/*/b*.js", Wildcard, Exact, ""},
		{"/*.css*", Wildcard, Prefix, ""},
		{"/*a*", Wildcard, Prefix, ""},
		{"/a*?*", Wildcard, Prefix, ""},
		{"/a*?x", Wildcard, Exact, ""},
		{"#tag", Tag, Tag, ""},
		{"#Product:Shoes*?~#%", Tag, Tag, "#product:shoes*?~#%"},
		{"#" + strings.Repeat("x", MaxTag), Tag, Tag, ""},
	} {
		want := c.text
		if want == "" {
			want = c.line
		}
		for d, kind := range map[Dialect]Kind{Anywhere: c.anywhere, AWS: c.aws} {
			it := parsed(t, c.line, d)
			if it.Kind() != kind || it.String() != want {
				t.Errorf("Parse(%.40q, %v) = %v %.40q, want %v %.40q", c.line, d, it.Kind(), it, kind, want)
			}
		}
	}
}

func TestParse_Canonical(t *testing.T) {
	for _, c := range []struct {
		line string
		d    Dialect
		want string
		kind Kind
	}{
		{"/a**", Anywhere, "/a*", Prefix},
		{"/**.css", Anywhere, "/*.css", Suffix},
		{"/a***b**", Anywhere, "/a*b*", Wildcard},
		{"/a*%2A*", Anywhere, "/a*%2A*", Wildcard},
		{"/a%2ab", Anywhere, "/a%2Ab", Exact},
		{"/a*?", Anywhere, "/a*", Prefix},
		{"/a**", AWS, "/a**", Prefix},
		{"/a%2ab", AWS, "/a%2ab", Exact}, // no asterisk there: three bytes
		{"/a*?", AWS, "/a*?", Exact},     // the object "/a*"
		{"/a*b?", AWS, "/a*b", Exact},
	} {
		it := parsed(t, c.line, c.d)
		if it.String() != c.want || it.Kind() != c.kind {
			t.Errorf("Parse(%q, %v) = %v %q, want %v %q", c.line, c.d, it.Kind(), it, c.kind, c.want)
		}
	}
}

func TestParse_EqualIffSameMeaning(t *testing.T) {
	for _, c := range []struct {
		a    string
		da   Dialect
		b    string
		db   Dialect
		same bool
	}{
		{"/a*", Anywhere, "/a*", AWS, true},
		{"/a", Anywhere, "/a?", AWS, true},
		{"/a%5b", Anywhere, "/a%5B", AWS, true},
		{"#A", Anywhere, "#a", AWS, true},
		{"/a*b", Anywhere, "/a*b", AWS, false},
		{"/a%2A", Anywhere, "/a%2A", AWS, false},
		{"/a*", AWS, "/a*?", AWS, false},
		{"/A", AWS, "/a", AWS, false},
	} {
		if got := parsed(t, c.a, c.da) == parsed(t, c.b, c.db); got != c.same {
			t.Errorf("%q (%v) == %q (%v): %v", c.a, c.da, c.b, c.db, got)
		}
	}
}

func TestParse_Refusals(t *testing.T) {
	seen := map[Reason]bool{}
	for _, c := range []struct {
		line   string
		reason Reason
		hint   string // a part of it
	}{
		{"", Empty, "/images/*"},
		{"images/*", NoSlash, "Begin the path with /"},
		{"*", NoSlash, ""},
		{" /a", NoSlash, ""},
		{"C:/Program Files/Git/images/*", WindowsPath, "MSYS_NO_PATHCONV"},
		{`d:\images`, WindowsPath, ""},
		{"https://example.com/images/*", FullURL, "follows the host name"},
		{"/" + strings.Repeat("a", MaxPath), TooLong, "end it with *"},
		{"/~user/*", Tilde, ""},
		{"/%7Euser/*", Tilde, ""},
		{"/%7euser/*", Tilde, ""},
		{"/a b", Unsafe, `Write " " as %20.`},
		{"/a\x00", Unsafe, "%00"},
		{"/a\n", Unsafe, "%0A"},
		{"/a\x7f", Unsafe, "%7F"},
		{`/a"`, Unsafe, "%22"},
		{"/a?ids[]=1", Unsafe, `"[" as %5B`},
		{`/a\b`, Unsafe, "%5C"},
		{"/a|b", Unsafe, "%7C"},
		{"/{x}", Unsafe, "%7B"},
		{"/<", Unsafe, "%3C"},
		{"/^`", Unsafe, "%5E"},
		{"/café", NotASCII, `"é" as %C3%A9`},
		{"/a\xff", NotASCII, "%FF"},
		{"/a#b", Fragment, "write %23"},
		{"/100%", BadEscape, "Write %25"},
		{"/a%4", BadEscape, ""},
		{"/a%zz", BadEscape, ""},
		{"#", TagEmpty, ""},
		{"#" + strings.Repeat("x", MaxTag+1), TagTooLong, ""},
		{"# a", TagCharacter, ""},
		{"#a\x7f", TagCharacter, ""},
		{"#é", TagCharacter, ""},
		{"#a,b", TagComma, "item of its own"},
	} {
		for _, d := range []Dialect{Anywhere, AWS} {
			_, err := Parse(c.line, d)
			var e *ItemError
			if !errors.As(err, &e) {
				t.Errorf("Parse(%.40q, %v) = %v, want an *ItemError", c.line, d, err)
				continue
			}
			if e.Reason != c.reason || e.Item != c.line || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("Parse(%.40q, %v): %v, hint %q, want %v", c.line, d, e.Reason, e.Hint, c.reason)
			}
			if len(e.Error()) > 500 || strings.Contains(e.Hint, "%!") || strings.Contains(e.Hint, "%%") {
				t.Errorf("Parse(%.40q, %v) says %q, %q", c.line, d, e, e.Hint)
			}
			seen[e.Reason] = true
		}
	}
	for r := Empty; int(r) < len(refusals); r++ {
		if !seen[r] || r.String() == "" {
			t.Errorf("reason %d %q: not reached, or without a name", r, r)
		}
	}
}

func TestTyped(t *testing.T) {
	for line, want := range map[string]string{
		"":                 "",
		"  ":               "",
		"*":                "/*",
		" images/*\r\n":    "/images/*",
		"/images/*":        "/images/*",
		"?q":               "/?q",
		" #Tag ":           "#Tag",
		"C:/x":             "C:/x",
		"http://a.test/b*": "http://a.test/b*",
	} {
		if got := Typed(line); got != want {
			t.Errorf("Typed(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestHasLiteralAsterisk(t *testing.T) {
	for line, want := range map[string]bool{
		"": false, "/": false, "/*": false, "/a*": false, "#a*b": false, "/a%2Ab": false,
		"/*.css": true, "/a*b*": true, "/a**": true, "/a*?": true,
	} {
		if got := HasLiteralAsterisk(line); got != want {
			t.Errorf("HasLiteralAsterisk(%q) = %v", line, got)
		}
	}
}

func TestTagList(t *testing.T) {
	tooLong := strings.Repeat("x", MaxTag+1)
	many := func(sep string, n int) string { return strings.Repeat("t"+sep, n) }
	for _, c := range []struct {
		field, value, want string
		left               int
	}{
		{"X-Tags", "", "", 0},
		{"X-Tags", " , ,", "", 0},
		{"X-Tags", "a,b", "a|b", 0},
		{"X-Tags", " A ,\tproduct:Shoes\t,", "a|product:shoes", 0},
		{"X-Tags", "a b,é,c", "c", 2},
		{"X-Tags", tooLong + ",y", "y", 1},
		{"X-Tags", many(",", MaxTags) + "too-late,é", many("|", MaxTags-1) + "t", 2},
		{"cache-tag", "a b, C", "c", 1},
		{"Cache-Tag", many(",", MaxManyTags) + "too-late", many("|", MaxManyTags-1) + "t", 1},
		{"Surrogate-Key", "  Home  post/1 \tauthor:7 ", "home|post/1|author:7", 0},
		{"surrogate-key", "a b, c", "a|b|c", 0}, // two lines of it, joined
		{"Surrogate-Key", "é a " + tooLong, "a", 2},
		{"Surrogate-Key", many(" ", MaxManyTags) + "too late", many("|", MaxManyTags-1) + "t", 2},
	} {
		tags, left := TagListOf(c.field).Parse(c.value)
		if got := strings.Join(tags, "|"); got != c.want || left != c.left {
			t.Errorf("%s: %.40q = %q and %d left out, want %q and %d", c.field, c.value, got, left, c.want, c.left)
		}
	}
	for field, private := range map[string]bool{"Surrogate-Key": true, "CACHE-TAG": true, "x-amz-meta-cache-tag": false, "Cache-Tags": false} {
		if TagListOf(field).Private != private {
			t.Errorf("%s is shown to viewers: %v", field, private)
		}
	}
}

// FuzzParse: no line makes Parse panic; what it accepts it prints so that it reads the same again;
// what it refuses has a reason and a hint.
func FuzzParse(f *testing.F) {
	for _, line := range []string{"/a.png", "/*", "/a/*/b*.js?x=%5b", "#Tag", "/a*?", "/%2a**", "C:/", "/~", "/é"} {
		f.Add(line, false)
		f.Add(line, true)
	}
	f.Fuzz(func(t *testing.T, line string, aws bool) {
		d := Anywhere
		if aws {
			d = AWS
		}
		it, err := Parse(line, d)
		if err != nil {
			var e *ItemError
			if !errors.As(err, &e) || e.Reason.String() == "" || e.Hint == "" || e.Error() == "" {
				t.Fatalf("Parse(%q, %v): %#v", line, d, err)
			}
			return
		}
		again, err := Parse(it.String(), d)
		if err != nil || again != it {
			t.Fatalf("Parse(%q, %v) = %+v, which prints as %q and reads as %+v, %v", line, d, it, it, again, err)
		}
		if len(it.String()) > len(line) {
			t.Fatalf("%q grew to %q", line, it)
		}
		if _, err := Parse(Typed(line), d); err != nil {
			t.Fatalf("Typed(%q): %v", line, err)
		}
	})
}
