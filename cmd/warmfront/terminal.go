package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
)

// screen shows a block of lines that changes: on a terminal it draws over what it has drawn, elsewhere
// there is no such thing, and size is nil. The zero value draws nowhere. One goroutine uses it.
type screen struct {
	out   io.Writer
	size  func() (width, height int) // nil: no terminal
	drawn int                        // lines of the block that stands there
}

// screenOf finds out whether a person watches.
func screenOf(out io.Writer) *screen {
	s := &screen{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		s.size = func() (int, int) {
			w, h, err := term.GetSize(int(f.Fd()))
			if err != nil || w <= 0 || h <= 0 {
				return 80, 24
			}
			return w, h
		}
	}
	return s
}

func (s *screen) live() bool { return s.size != nil }

// draw replaces the block. A line that would wrap, or a block that is higher than the terminal, could
// not be drawn over again: what does not fit is cut, and counted, but never the last foot lines, which say
// how it stands as a whole.
func (s *screen) draw(block []string, foot int) {
	width, height := s.size()
	block = fold(block, height-1, foot)
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
	}
	b.WriteString("\r\x1b[J")
	for _, line := range block {
		b.WriteString(cut(line, width-1))
		b.WriteByte('\n')
	}
	io.WriteString(s.out, b.String()) // in one piece: it must not flicker
	s.drawn = len(block)
}

// fold shortens a block to at most so many lines, of which the last foot stay; one at its beginning does, too.
func fold(block []string, most, foot int) []string {
	most = max(most, 2)
	if len(block) <= most {
		return block
	}
	foot = min(foot, most-2)
	head := most - 1 - foot
	more := fmt.Sprintf("… and %s more", number(len(block)-head-foot))
	return slices.Concat(block[:head], []string{more}, block[len(block)-foot:])
}

// cut shortens a line to at most so many characters.
func cut(line string, most int) string {
	if r := []rune(line); len(r) > max(most, 1) {
		return string(r[:max(most, 1)-1]) + "…"
	}
	return line
}
