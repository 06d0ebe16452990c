package invalidation

import (
	"strings"
	"unicode/utf8"
)

// Parse reads one line of an invalidation. It takes the line as it is: no blank is trimmed, no slash
// added. The error is an *ItemError.
func Parse(line string, d Dialect) (Item, error) {
	if line == "" {
		return Item{}, refuse(line, Empty, "")
	}
	if line[0] == '#' {
		return parseTag(line)
	}
	if err := checkPath(line); err != nil {
		return Item{}, err
	}
	it := Item{text: canonical(line, d)}
	it.shape(d)
	// An empty query is no query. Only now: under AWS, "/a*?" has a literal asterisk and must keep it.
	if i := strings.IndexByte(it.text, '?'); i == len(it.text)-1 {
		it, _ = it.cut()
	}
	return it, nil
}

// checkPath refuses what is not a path item. It returns nil or an *ItemError.
func checkPath(line string) error {
	if line[0] != '/' {
		switch {
		case isWindows(line):
			return refuse(line, WindowsPath, "")
		case isURL(line):
			return refuse(line, FullURL, "")
		}
		return refuse(line, NoSlash, "")
	}
	if len(line) > MaxPath {
		return refuse(line, TooLong, "")
	}
	for i := range len(line) {
		switch c := line[i]; {
		case c == '~':
			return refuse(line, Tilde, "")
		case c == '%':
			if err := checkEscape(line, i); err != nil {
				return err
			}
		case c >= utf8.RuneSelf:
			_, n := utf8.DecodeRuneInString(line[i:])
			return refuse(line, NotASCII, line[i:i+n])
		case c == '#':
			return refuse(line, Fragment, "")
		case c <= ' ' || c == 0x7f || strings.IndexByte(unsafeButSent, c) >= 0:
			return refuse(line, Unsafe, line[i:i+1])
		}
	}
	return nil
}

func checkEscape(line string, i int) error {
	if i+2 >= len(line) {
		return refuse(line, BadEscape, "")
	}
	hi, ok1 := unhex(line[i+1])
	lo, ok2 := unhex(line[i+2])
	switch {
	case !ok1 || !ok2:
		return refuse(line, BadEscape, "")
	case hi<<4|lo == '~':
		return refuse(line, Tilde, "")
	}
	return nil
}

// canonical writes what can be written in several ways in one: runs of wildcards, and the digits of
// escapes that stand for all spellings.
func canonical(line string, d Dialect) string {
	if d == Anywhere && strings.Contains(line, "**") {
		b := make([]byte, 0, len(line))
		for i := range len(line) {
			if i == 0 || line[i] != '*' || line[i-1] != '*' {
				b = append(b, line[i])
			}
		}
		line = string(b)
	}
	var b []byte // made when the first change is needed, which is hardly ever
	for i := range len(line) {
		if _, ok := spelled(line, i, d == AWS); ok && upper(line[i+2]) != line[i+2] {
			if b == nil {
				b = []byte(line)
			}
			b[i+2] = upper(line[i+2])
		}
	}
	if b != nil {
		return string(b)
	}
	return line
}

// isWindows recognises what a Unix shell on Windows makes of "/images/*": "C:/Program Files/Git/images/*".
func isWindows(line string) bool {
	return len(line) >= 3 && isLetter(line[0]) && line[1] == ':' && (line[2] == '/' || line[2] == '\\')
}

func isURL(line string) bool {
	scheme, _, ok := strings.Cut(line, "://")
	if !ok || scheme == "" {
		return false
	}
	for i := range len(scheme) {
		if !isLetter(scheme[i]) {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// Typed returns the line that a person meant who typed this one into a console: without blanks around
// it and with the leading slash, which consoles let one leave out. It does not touch tags, nor what
// begins like another machine's path or a whole URL: those are for Parse to refuse with a hint.
func Typed(line string) string {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '/' || line[0] == '#' || isWindows(line) || isURL(line) {
		return line
	}
	return "/" + line
}

// HasLiteralAsterisk tells whether the line contains a '*' that the AWS dialect takes literally: a
// thing to warn about, as it is hardly ever meant.
func HasLiteralAsterisk(line string) bool {
	if line == "" || line[0] == '#' {
		return false
	}
	i := strings.IndexByte(line, '*')
	return i >= 0 && i < len(line)-1
}
