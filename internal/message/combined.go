package message

import "strings"

// AppendCombined appends the value that all lines of that name have together (RFC 9110 section 5.3), without
// the blanks around its commas, none of which changes what a list says: two requests that differ in such
// things only ask for the same. Within a quoted string everything counts. ok: there is such a line.
// It allocates only for what does not fit dst.
func (f Fields) AppendCombined(dst []byte, name string) (_ []byte, ok bool) {
	for i := range f {
		if !same(f[i].Name, name) {
			continue
		}
		if ok {
			dst = append(dst, ',')
		}
		dst, ok = appendTight(dst, f[i].Value), true
	}
	return dst, ok
}

// appendTight appends a line without the blanks at its ends and around commas.
func appendTight(dst []byte, s string) []byte {
	if strings.IndexByte(s, ',') < 0 {
		return append(dst, strings.Trim(s, " \t")...)
	}
	start, open := 0, true // of a member; a quote that is never closed is an ordinary character, as those behind it
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == ',':
			dst = append(append(dst, strings.Trim(s[start:i], " \t")...), ',')
			start = i + 1
		case s[i] == '"' && open:
			n := quoted(s[i:])
			open = n > 0
			i += max(0, n-1)
		}
	}
	return append(dst, strings.Trim(s[start:], " \t")...)
}

// quoted returns the length of the quoted string that s begins with, 0 if it is not closed.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}
