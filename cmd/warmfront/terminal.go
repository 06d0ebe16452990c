package main

import (
	"fmt"
	"io"
	"os"
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
// not be drawn over again: what does not fit is cut, and counted.
func (s *screen) draw(block []string) {
	width, height := s.size()
	block = fold(block, height-1)
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

// fold shortens a block to at most so many lines.
func fold(block []string, most int) []string {
	most = max(most, 2)
	if len(block) <= most {
		return block
	}
	return append(append([]string{}, block[:most-1]...), fmt.Sprintf("… and %s more", number(len(block)-most+1)))
}

// cut shortens a line to at most so many characters.
func cut(line string, most int) string {
	if r := []rune(line); len(r) > max(most, 1) {
		return string(r[:max(most, 1)-1]) + "…"
	}
	return line
}
