package invalidation

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestSpell(t *testing.T) {
	for _, c := range []struct {
		uri       string
		anywhere  string
		aws       string
		unnamable bool
	}{
		{"/a.png", "/a.png", "/a.png", false},
		{"/a?x=1&y=[2]", "/a?x=1&y=%5B2%5D", "/a?x=1&y=%5B2%5D", false},
		{"/a*b", "/a%2Ab", "/a*b", false},
		{"/a*", "/a%2A", "/a*?", false},
		{"/a?x=*", "/a?x=%2A", "/a?x=*", false},
		{"/~me", "/~me", "/~me", true},
		{"/%zz", "/%zz", "/%zz", true},
		{"/é", "/é", "/é", true},
	} {
		for d, want := range map[Dialect]string{Anywhere: c.anywhere, AWS: c.aws} {
			got := Spell(c.uri, d)
			if got != want {
				t.Errorf("%v: %s is spelled %s, want %s", d, c.uri, got, want)
			}
			if _, err := Parse(got, d); (err != nil) != c.unnamable {
				t.Errorf("%v: %s: %v", d, got, err)
			}
		}
	}
}

// What is spelled names the URI that it was made of, and none that a viewer could ask for beside it.
func TestSpell_NamesItsURIAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const letters = `ab*/?=%"[{|^.`
	random := func() string {
		b := []byte{'/'}
		for range r.IntN(6) {
			b = append(b, letters[r.IntN(len(letters))])
		}
		return strings.ReplaceAll(string(b), "%", "%2A")
	}
	subject := func(uri string) *Subject {
		path, query, _ := strings.Cut(uri, "?")
		return &Subject{Path: path, Query: query}
	}
	// The language does not tell the two spellings of one character apart.
	one := strings.NewReplacer("%2A", "*", "%2a", "*").Replace
	for range 20000 {
		uri, other := random(), random()
		for _, d := range []Dialect{Anywhere, AWS} {
			if d == AWS && (strings.Contains(uri, "%2A") || strings.HasSuffix(uri, "*") && strings.Contains(uri, "?")) {
				continue // "/a?b*" is a prefix there, and nothing else can be
			}
			it, err := Parse(Spell(uri, d), d)
			if err != nil {
				t.Fatalf("%v: %s: %v", d, uri, err)
			}
			if !it.Matches(subject(uri)) {
				t.Fatalf("%v: %s is spelled %s, which does not mean it", d, uri, it)
			}
			same := strings.TrimSuffix(uri, "?") == strings.TrimSuffix(other, "?") || d == Anywhere && one(strings.TrimSuffix(uri, "?")) == one(strings.TrimSuffix(other, "?"))
			if it.Matches(subject(other)) && !same {
				t.Fatalf("%v: %s is spelled %s, which means %s too", d, uri, it, other)
			}
		}
	}
}

// FuzzSpell: what a URI is spelled as means it, or Parse says why nothing can.
func FuzzSpell(f *testing.F) {
	for _, uri := range []string{"/", "/a*b?x=*", "/a*", "/%2a[", "/~", "/a?", "/é", "/*?*"} {
		f.Add(uri, false)
		f.Add(uri, true)
	}
	f.Fuzz(func(t *testing.T, uri string, aws bool) {
		d := Anywhere
		if aws {
			d = AWS
		}
		it, err := Parse(Spell(uri, d), d)
		if err != nil || !strings.HasPrefix(uri, "/") {
			return
		}
		if path, query, _ := strings.Cut(uri, "?"); !it.Matches(&Subject{Path: path, Query: query}) {
			t.Fatalf("%v: %q is spelled %q, which does not mean it", d, uri, it)
		}
	})
}

// FuzzTagList: every tag that is read can be named by an item, which then means the object; nothing is both read and
// left out.
func FuzzTagList(f *testing.F) {
	for _, value := range []string{"a, b", "a b,c", " A\tb ", "é,,x", strings.Repeat("t ", 60)} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, field := range []string{"Surrogate-Key", "Cache-Tag", "X-Tags"} {
			l := TagListOf(field)
			tags, left := l.Parse(value)
			words := 0
			for w := range strings.SplitSeq(value, ",") {
				if l.Blanks {
					words += len(strings.FieldsFunc(w, func(c rune) bool { return c == ' ' || c == '\t' }))
				} else if strings.Trim(w, " \t") != "" {
					words++
				}
			}
			if len(tags) > l.Most || len(tags)+left != words {
				t.Fatalf("%s: %q: %d tags and %d left out of %d", field, value, len(tags), left, words)
			}
			for _, tag := range tags {
				it, err := Parse("#"+tag, Anywhere)
				if err != nil || !it.Matches(&Subject{Path: "/", Tags: tags}) {
					t.Fatalf("%s: %q: nothing means %q: %v", field, value, tag, err)
				}
			}
		}
	})
}
