package invalidation

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// conditions reads what tests write, as shorthand does.
func conditions(t *testing.T, text string) *Where {
	t.Helper()
	w, err := ParseWhere(shorthand(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return w
}

func TestWhere_ByExample(t *testing.T) {
	for _, c := range []struct{ where, yes, no string }{ // objects as "status type host milliseconds", parted by commas
		{"", "404, 200 text/css, 0", ""},
		{"404", "404, 404 text/css, 0", "200, 410"},
		{"4xx,500", "404, 410, 499, 500, 0", "200, 501, 399"},
		{"200", "200, 206", "204"},
		{"206", "200, 206", "204"},
		{"404,4XX", "404, 410", "500"},
		{"image/*", "200 image/png, 200 IMAGE/Svg+xml;x=y, 200 image/*, 0", "200, 200 image, 200 image/, 200 images/png"},
		{"text/html", "200 text/html, 200 Text/HTML;charset=utf-8", "200 text/htm, 200 text/html2, 200"},
		{"Text/HTML; charset=utf-8", "200 text/html, 200 text/html;x", "200 text/css"},
		{"@a.example", "200 - a.example, 200, 0 - a.example, 0", "200 - b.example, 0 - b.example"},
		{"@A.example.", "200 - a.example", "200 - b.example"},
		{"<1000", "200 - - 999, 0 - - 2000", "200 - - 1000, 200 - - 1001"},
		{"404,@a.example,<9", "404 - a.example 8, 404 - - 8, 0", "404 - a.example 9, 200 - a.example 8, 404 - b.example 8, 0 - b.example"},
	} {
		w := conditions(t, c.where)
		check := func(objects string, want bool) {
			for text := range strings.SplitSeq(objects, ", ") {
				if text == "" {
					continue
				}
				s := &Subject{Path: "/a"}
				var at int64
				_, _ = fmt.Sscan(text+" - - 1000", &s.Status, &s.ContentType, &s.Host, &at)
				s.Stored = time.UnixMilli(at)
				s.ContentType, s.Host = strings.Trim(s.ContentType, "-"), strings.Trim(s.Host, "-")
				if got := w.Matches(s); got != want {
					t.Errorf("%q of %q: %v", c.where, text, got)
				}
				x := new(Index)
				for i := range fewRules + 2 { // in a row, and in a trie
					if got := x.AddWhere(9, w, parsed(t, "/*", Anywhere)).Match(s, 8) == 9; got != want {
						t.Errorf("%q of %q beside %d others: %v", c.where, text, i, got)
					}
					x = x.AddWhere(uint64(i+1), conditions(t, fmt.Sprintf("@%d.example", i)), parsed(t, "/*", Anywhere))
				}
			}
		}
		check(c.yes, true)
		check(c.no, false)
	}
}

func TestParseWhere_Refuses(t *testing.T) {
	many := make([]string, MaxValues+1)
	for i := range many {
		many[i] = fmt.Sprint(400 + i)
	}
	for _, c := range []struct {
		in    Conditions
		field string
	}{
		{Conditions{Status: []string{"40"}}, "Status"},
		{Conditions{Status: []string{"600"}}, "Status"},
		{Conditions{Status: []string{"4x4"}}, "Status"},
		{Conditions{Status: []string{"40x"}}, "Status"},
		{Conditions{Status: []string{"+40"}}, "Status"},
		{Conditions{Status: []string{"4_0"}}, "Status"},
		{Conditions{Status: []string{"200", ""}}, "Status"},
		{Conditions{Status: many}, "Status"},
		{Conditions{ContentType: []string{"image"}}, "ContentType"},
		{Conditions{ContentType: []string{"*/*"}}, "ContentType"},
		{Conditions{ContentType: []string{"image/p*"}}, "ContentType"},
		{Conditions{ContentType: []string{"image/a/b"}}, "ContentType"},
		{Conditions{ContentType: []string{"image/\x00"}}, "ContentType"},
		{Conditions{Host: []string{"*.example"}}, "Host"},
		{Conditions{Host: []string{"https://a.example"}}, "Host"},
		{Conditions{Host: []string{"a.example:80"}}, "Host"},
		{Conditions{Host: []string{"."}}, "Host"},
		{Conditions{StoredBefore: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)}, "StoredBefore"},
		{Conditions{StoredBefore: time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)}, "StoredBefore"},
	} {
		w, err := ParseWhere(c.in)
		if bad := new(WhereError); !errors.As(err, &bad) || bad.Field != c.field || bad.Hint == "" {
			t.Errorf("%+v: %v, %v", c.in, w, err)
		}
	}
}

func TestWhere_CanonicalForm(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"4xx,404,@b.x,@a.x,@B.x": "status 4xx; host a.x, b.x",
		"text/css, image/*":      "content type image/*, text/css",
		"<1000":                  "stored before 1970-01-01T00:00:01Z",
	} {
		w := conditions(t, in)
		if w.String() != want {
			t.Errorf("%q reads %q, want %q", in, w, want)
		}
	}
}

// TestWhere_Cells: however many values there are, a rule is filed under few combinations.
func TestWhere_Cells(t *testing.T) {
	for in, want := range map[string]int{
		"404": 1, "404,410,@a,@b": 4, "404,410,image/*,text/css,@a,@b": 8, "404,410,411,image/*,text/css,@a,@b": 4,
		"400,401,402,403,404,405,406,407,408": 1, "<5": 1,
	} {
		if w := conditions(t, in); len(w.cells) != want {
			t.Errorf("%q has %d cells, want %d", in, len(w.cells), want)
		}
	}
}

// TestAdd_WhatIsCoveredGoes: a stream of invalidations that differ in what a newer one covers takes the place of one.
func TestAdd_WhatIsCoveredGoes(t *testing.T) {
	it := parsed(t, "/*", Anywhere)
	var x *Index
	for i := range 1000 {
		x = x.AddWhere(uint64(i+1), conditions(t, fmt.Sprintf("404,<%d", i+1)), it)
	}
	if x.Len() != 1 {
		t.Errorf("%d rules stored before later and later times", x.Len())
	}
	for i := range 10 {
		x = x.AddWhere(uint64(i+2000), conditions(t, fmt.Sprintf("@h%d", i)), it)
	}
	if x = x.Add(3000, it); x.Len() != 1 {
		t.Errorf("%d rules when one without conditions has come", x.Len())
	}
	if y := x.AddWhere(2999, conditions(t, "404"), it); y.Len() != 1 {
		t.Error("what came late, and was covered already, is there")
	}
}
