package distribution

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestPattern_Matches(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"*", "/", true},
		{"/", "/", true},
		{"/", "/a", false},
		{"/a.png", "/a.png", true},
		{"a.png", "/a.png", true}, // the leading "/" is optional
		{"/A.png", "/a.png", false},
		{"images/*", "/images/a/b.png", true}, // "*" spans "/"
		{"/images/*", "/images/", true},
		{"/images/*", "/images", false},
		{"*.css", "/a/b.css", true},
		{"*.css", "/a/b.css.map", false},
		{"/*.css", "/.css", true},
		{"/a?.jpg", "/a1.jpg", true},
		{"/a?.jpg", "/a.jpg", false}, // exactly one
		{"/a?.jpg", "/a12.jpg", false},
		{"/a?b", "/a/b", true},
		{"/a*b*c", "/a-b-b-c", true},
		{"/a*b*c", "/a-c-b", false},
		{"/a*/b/*.js", "/a1/x/b/c/d.js", true},
		{"/??", "/ab", true},
		{"/aab*b", "/aab", false}, // prefix and suffix may not share an octet
		{"/**", "/", true},
		{"/~'\"@:+&$", "/~'\"@:+&$", true},
	} {
		p := compilePattern(c.pattern)
		if got := p.matches(c.path); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.path, got, c.want)
		}
	}
}

// slowGlob is the definition: the oracle that the matcher is compared with.
func slowGlob(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '*':
		return slowGlob(p[1:], s) || s != "" && slowGlob(p, s[1:])
	case s == "":
		return false
	}
	return (p[0] == '?' || p[0] == s[0]) && slowGlob(p[1:], s[1:])
}

func slowMatches(p, s string) bool { return slowGlob("/"+strings.TrimPrefix(p, "/"), s) }

func FuzzPattern_EqualsTheDefinition(f *testing.F) {
	f.Add("/a*b?c*", "/a-b-c")
	f.Add("*.css", "/x.css")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(pattern) > 12 || len(path) > 24 {
			return // the oracle is exponential
		}
		p := compilePattern(pattern)
		if got, want := p.matches(path), slowMatches(pattern, path); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, path, got, want)
		}
	})
}

func TestPattern_EqualsTheDefinitionOnRandomOnes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(letters string, n int) string {
		b := make([]byte, r.IntN(n))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	hits := 0
	for range 100_000 {
		pattern, path := text("ab/*?", 9), "/"+text("ab/", 9)
		p := compilePattern(pattern)
		got := p.matches(path)
		if want := slowMatches(pattern, path); got != want {
			t.Fatalf("%q matches %q: %v, want %v", pattern, path, got, want)
		}
		if got {
			hits++
		}
	}
	if hits < 1000 {
		t.Errorf("only %d matches: the sample says little", hits)
	}
}

// A pattern of many stars must not take exponential time.
func TestPattern_ManyStars(t *testing.T) {
	p := compilePattern("/" + strings.Repeat("*a", 127))
	if p.matches("/" + strings.Repeat("a", 126) + strings.Repeat("b", 4000)) {
		t.Error("matches")
	}
}

func TestNormalPath(t *testing.T) {
	for _, c := range [][2]string{
		{"/", "/"},
		{"/a/b", "/a/b"},
		{"//", "/"},
		{"/a//b///c/", "/a/b/c/"},
		{"/a/./b", "/a/b"},
		{"/a/../b", "/b"},
		{"/a/b/..", "/a/"},
		{"/a/b/.", "/a/b/"},
		{"/../../a", "/a"},
		{"/.hidden", "/.hidden"},
		{"/a/..b", "/a/..b"},
		{"/%61dmin", "/admin"},
		{"/%2e%2E/x", "/x"},
		{"/a%2Fb", "/a%2Fb"}, // "/" is reserved: it stays
		{"/%zz%4", "/%zz%4"},
		{"/%7Euser", "/~user"},
	} {
		if got := normalPath(c[0]); got != c[1] {
			t.Errorf("normalPath(%q) = %q, want %q", c[0], got, c[1])
		}
	}
}

func FuzzNormalPath_IsStable(f *testing.F) {
	f.Add("/a/%2e%2e//b/../c/.")
	f.Fuzz(func(t *testing.T, path string) {
		once := normalPath("/" + path)
		if twice := normalPath(once); !strings.Contains(once, "%") && twice != once {
			t.Errorf("%q → %q → %q", path, once, twice)
		}
		if once == "" || once[0] != '/' {
			t.Errorf("%q → %q", path, once)
		}
	})
}

func TestBehavior_FirstMatchWins(t *testing.T) {
	d := compiled(t, rich())
	for path, want := range map[string]string{
		"/old/a": "/old/*", "/old/a.css": "/old/*", "/new/a.css": "*.css", "/": "*", "/x": "*", "/x/../old/y": "/old/*", "/%6fld/y": "/old/*", "//old/y": "/old/*",
		"*": "*", // OPTIONS *
	} {
		if got := d.Behavior(path); got.PathPattern != want {
			t.Errorf("%s goes to %s, want %s", path, got.PathPattern, want)
		}
	}
	if b := d.Behavior("/nothing"); !b.Default {
		t.Error("the default behavior does not say so")
	}
}

func TestRootedPath(t *testing.T) {
	d := compiled(t, rich())
	for path, want := range map[string]string{"/": "/index.html", "//": "//", "/a/": "/a/", "/index.html": "/index.html"} {
		if got := d.RootedPath(path); got != want {
			t.Errorf("RootedPath(%q) = %q, want %q", path, got, want)
		}
	}
	if got := compiled(t, minimal()).RootedPath("/"); got != "/" {
		t.Errorf("without a root object: %q", got)
	}
}

func TestHosts_Lookup(t *testing.T) {
	mk := func(id string, enabled bool, aliases ...string) *Distribution {
		return &Distribution{ID: id, DomainName: "d" + strings.ToLower(id) + ".localhost", Enabled: enabled, Aliases: aliases}
	}
	h := NewHosts([]*Distribution{
		mk("E2", true, "*.example.com", "www.example.org"),
		mk("E1", true, "*.img.example.com", "EXAMPLE.com"),
		mk("E3", false, "off.example.com"),
		mk("E4", true, "www.example.org"), // claimed twice: the smaller id has it
	})
	for host, want := range map[string]string{
		"de1.localhost": "E1", "DE2.LocalHost": "E2", "de2.localhost.": "E2",
		"example.com": "E1", "www.example.com": "E2", "a.b.example.com": "E2", "a.img.example.com": "E1", "img.example.com": "E2",
		"off.example.com": "E3", "x.off.example.com": "E2", "www.example.org": "E2",
		"example.org": "", "": "", ".": "", ".example.com": "", "localhost": "", "xexample.com": "",
	} {
		got := ""
		if d := h.Lookup(host); d != nil {
			got = d.ID
		}
		if got != want {
			t.Errorf("Lookup(%q) = %q, want %q", host, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { h.Lookup("a.b.c.example.com") }); n != 0 {
		t.Errorf("Lookup allocates %v times", n)
	}
}

func BenchmarkBehavior_75Patterns(b *testing.B) {
	d := &Distribution{}
	for i := range 75 {
		d.Behaviors = append(d.Behaviors, &Behavior{pattern: compilePattern(fmt.Sprintf("/area%d/*.x%d", i, i))})
	}
	d.Behaviors = append(d.Behaviors, &Behavior{Default: true})
	b.ReportAllocs()
	for b.Loop() {
		d.Behavior("/area74/some/longer/path/picture.jpg")
	}
}
