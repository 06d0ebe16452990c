// Package h1 knows how HTTP/1.1 is written down (RFC 9112): the octets of which names and values are
// made, the line of a field, hosts and targets, the length of a body, the framing of a chunked one, the head of
// an answer.
//
// Both ends of Warmfront read with it, what viewers send and what origins answer, so that there is one
// opinion about what is well-formed. It accepts what the RFC generates, not what it tolerates, and it
// points into the octets that it was given: no copy, no allocation. It reads no socket, and what a
// field means is its caller's business.
package h1

import (
	"bytes"
	"math"
	"strings"
	"unsafe"

	"github.com/warmfront/warmfront/internal/message"
)

// Classes of octets. What is in none of them is nowhere in a head.
const (
	InToken  = 1 << iota // RFC 9110 section 5.6.2
	InTarget             // visible ASCII but "#": a fragment never travels (RFC 9112 section 3.2)
	InValue              // RFC 9110 section 5.5: visible, SP, HTAB, obs-text
)

var octets = func() (t [256]uint8) {
	for c := 0x21; c < 0x7f; c++ {
		t[c] = InTarget | InValue
		if c > ' ' && !strings.ContainsRune("\"(),/:;<=>?@[\\]{}", rune(c)) {
			t[c] |= InToken
		}
	}
	t['#'] &^= InTarget
	t[' '], t['\t'] = InValue, InValue
	for c := 0x80; c <= 0xff; c++ {
		t[c] = InValue
	}
	return t
}()

// Is tells whether c is of a class.
func Is(c byte, class uint8) bool { return octets[c]&class != 0 }

// All tells whether all of s is of a class.
func All(s string, class uint8) bool {
	for i := range len(s) {
		if octets[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// Digit tells whether c is one.
func Digit(c byte) bool { return '0' <= c && c <= '9' }

// Hex tells whether c is a hexadecimal digit.
func Hex(c byte) bool { return Digit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// View is b as a string without a copy.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// EqualASCII tells whether s is the lower-case word in any case. strings.EqualFold would also take the
// Kelvin sign for a "k" and a long "ſ" for an "s", which no other program on the way does; it will do
// for field names only, which are ASCII.
func EqualASCII(s, word string) bool {
	if len(s) != len(word) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != word[i] && (c < 'A' || c > 'Z' || c|0x20 != word[i]) {
			return false
		}
	}
	return true
}

// FieldLine reads one field line from the beginning of b: a name, a colon, a value, CRLF. Blanks around
// the value are not part of it. A folded line, a blank before the colon and everything else that is
// not exactly this is not ok.
func FieldLine(b []byte) (name, value string, rest []byte, ok bool) {
	colon := 0
	for colon < len(b) && octets[b[colon]]&InToken != 0 {
		colon++
	}
	if colon == 0 || colon >= len(b) || b[colon] != ':' {
		return "", "", nil, false
	}
	first := colon + 1
	for first < len(b) && (b[first] == ' ' || b[first] == '\t') {
		first++
	}
	end := first
	for ; end+4 <= len(b); end += 4 { // most octets of a head are here
		if p := b[end : end+4]; octets[p[0]]&octets[p[1]]&octets[p[2]]&octets[p[3]]&InValue == 0 {
			break
		}
	}
	for end < len(b) && octets[b[end]]&InValue != 0 {
		end++
	}
	if end+1 >= len(b) || b[end] != '\r' || b[end+1] != '\n' {
		return "", "", nil, false
	}
	last := end
	for last > first && (b[last-1] == ' ' || b[last-1] == '\t') {
		last--
	}
	return View(b[:colon]), View(b[first:last]), b[end+2:], true
}

// OneLine tells whether f, written down, is the one field line that it is. What comes from elsewhere
// must not become two.
func OneLine(f *message.Field) bool {
	return f.Name != "" && All(f.Name, InToken) && All(f.Value, InValue)
}

// Blank tells SP and HTAB.
func Blank(c byte) bool { return c == ' ' || c == '\t' }

// TrimBlanks takes off what no value may have at its ends in HTTP/2, and in HTTP/1.1 says nothing.
func TrimBlanks(s string) string {
	for s != "" && Blank(s[0]) {
		s = s[1:]
	}
	for s != "" && Blank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// ParseLength reads 1*DIGIT.
func ParseLength(s string) (n int64, ok bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if !Digit(s[i]) || n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// HeadEnd returns the length of the head at the beginning of b, or 0 when its end is not there yet.
// The first from octets have been searched before.
func HeadEnd(b []byte, from int) int {
	from = max(0, from-3)
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// MayBecomeHead tells whether the octets may still become a head. A peer that speaks something else, or
// ends its lines in its own way, would otherwise be waited for, or wait, until the time for a head is
// over. The first from octets have been looked at before.
func MayBecomeHead(b []byte, from int) bool {
	if len(b) > 0 && octets[b[0]]&InToken == 0 {
		return false
	}
	for i := max(0, from-1); i < len(b); i++ {
		switch c := b[i]; {
		case octets[c] != 0:
		case c == '\r':
			if i+1 < len(b) && b[i+1] != '\n' {
				return false
			}
		case c == '\n':
			if b[i-1] != '\r' {
				return false
			}
		default:
			return false
		}
	}
	return true
}
