package record

import (
	"bytes"

	"github.com/warmfront/warmfront/internal/message"
)

// lines goes through the field lines of a prepared head. What the engine says itself, about framing, is
// no field of the object.
type lines struct{ b []byte }

// linesOf leaves the status line out.
func linesOf(head []byte) lines {
	l := lines{head}
	l.line()
	return l
}

func (l *lines) line() []byte {
	p, rest, _ := bytes.Cut(l.b, crlf)
	l.b = rest
	return p
}

var (
	crlf  = []byte("\r\n")
	colon = []byte(": ")
)

// next returns the next line's field; false: there is none, or it is no field line.
func (l *lines) next() (message.Field, bool) {
	for len(l.b) > 0 {
		name, value, ok := bytes.Cut(l.line(), colon)
		if !ok {
			break
		}
		if n := string(name); n != "Content-Length" && n != "Connection" {
			return message.Field{Name: text(name), Value: text(value)}, true
		}
	}
	return message.Field{}, false
}

// inLines tells whether fields are what the head's first lines say, letter for letter.
func inLines(head []byte, fields message.Fields) bool {
	l := linesOf(head)
	for i := range fields {
		if f, ok := l.next(); !ok || f != fields[i] {
			return false
		}
	}
	return len(head) > 0
}
