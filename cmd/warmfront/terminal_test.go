package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// terminal is what a person sees: it obeys the few control sequences that screen sends, wraps what is
// too long, and scrolls.
type terminal struct {
	t             *testing.T
	width, height int
	rows          []string // the visible ones
	y             int
}

var sequence = regexp.MustCompile(`^\x1b\[(\d*)([AJ])`)

func (f *terminal) Write(b []byte) (int, error) {
	for s := string(b); s != ""; {
		if m := sequence.FindStringSubmatch(s); m != nil {
			f.obey(m[1], m[2])
			s = s[len(m[0]):]
			continue
		}
		r := []rune(s)[0]
		s = s[len(string(r)):]
		switch {
		case r == '\r':
		case r == '\n':
			f.down()
		case r < ' ':
			f.t.Errorf("the terminal got %q", r)
		default:
			if len([]rune(f.row())) == f.width {
				f.down()
			}
			f.rows[f.y] = f.row() + string(r)
		}
	}
	return len(b), nil
}

func (f *terminal) row() string {
	for len(f.rows) <= f.y {
		f.rows = append(f.rows, "")
	}
	return f.rows[f.y]
}

func (f *terminal) down() {
	f.row()
	if f.y++; f.y == f.height {
		f.rows, f.y = f.rows[1:], f.y-1
	}
}

func (f *terminal) obey(n, what string) {
	switch what {
	case "A":
		up, err := strconv.Atoi(n)
		if err != nil || up > f.y {
			f.t.Errorf("up %q from line %d: above what is seen", n, f.y)
		}
		f.y -= up
	case "J":
		f.row()
		f.rows = append(f.rows[:f.y], "")
	}
}

func (f *terminal) text() string { return strings.TrimRight(strings.Join(f.rows, "\n"), "\n") }

func newTerminal(t *testing.T, width, height int) (*terminal, *screen) {
	f := &terminal{t: t, width: width, height: height}
	return f, &screen{out: f, size: func() (int, int) { return width, height }}
}

func TestScreen_DrawsOverWhatItHasDrawn(t *testing.T) {
	f, s := newTerminal(t, 20, 10)
	fmt.Fprintln(f, "$ command")
	s.draw([]string{"one", "two", "three"}, 0)
	s.draw([]string{"1", "2"}, 0)
	s.draw([]string{"I", "II", "III", "IIII"}, 0)
	if got := f.text(); got != "$ command\nI\nII\nIII\nIIII" {
		t.Errorf("%s", got)
	}
}

func TestScreen_NothingWrapsOrScrollsAway(t *testing.T) {
	f, s := newTerminal(t, 12, 5)
	for i := range 3 {
		fmt.Fprintln(f, "before", i)
	}
	for range 3 {
		var block []string
		for i := range 20 {
			block = append(block, fmt.Sprintf("a long line: %d", i))
		}
		s.draw(block, 0)
		want := "a long lin…\na long lin…\na long lin…\n… and 17 m…"
		if got := f.text(); got != want {
			t.Fatalf("%s", got)
		}
	}
	s.draw([]string{"short"}, 0)
	if got := f.text(); got != "short" {
		t.Errorf("%s", got)
	}
}

func TestScreen_OfAPipeIsNotLive(t *testing.T) {
	if screenOf(&bytes.Buffer{}).live() {
		t.Error("a buffer is no terminal")
	}
}

func TestFold(t *testing.T) {
	block := []string{"a", "b", "c", "d"}
	for _, k := range []struct {
		most, foot int
		want       []string
	}{
		{0, 0, []string{"a", "… and 3 more"}},
		{0, 1, []string{"a", "… and 3 more"}},
		{3, 0, []string{"a", "b", "… and 2 more"}},
		{3, 1, []string{"a", "… and 2 more", "d"}},
		{3, 4, []string{"a", "… and 2 more", "d"}},
		{4, 1, block},
		{9, 1, block},
	} {
		if got := fold(block, k.most, k.foot); !slices.Equal(got, k.want) {
			t.Errorf("%d with a foot of %d: %q", k.most, k.foot, got)
		}
	}
	if !slices.Equal(block, []string{"a", "b", "c", "d"}) {
		t.Error("the block was changed")
	}
}
