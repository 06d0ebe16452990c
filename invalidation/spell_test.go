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
