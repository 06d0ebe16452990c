package distribution

import "strings"

// pattern is a compiled path pattern: "*" stands for any run of characters, "/" included, "?" for
// exactly one; everything else for itself. The literal text before the first wildcard decides most
// comparisons, so it is kept apart.
type pattern struct {
	prefix string // literal, begins with "/"
	rest   string // from the first wildcard on; "" when there is none
	suffix string // rest without its only wildcard, a leading "*"; see tail
	tail   bool   // rest is "*" followed by literal text
}

// compilePattern takes a pattern as configured. The leading "/" is optional: "*.jpg" is "/*.jpg".
func compilePattern(s string) pattern {
	if !strings.HasPrefix(s, "/") {
		s = "/" + s
	}
	i := strings.IndexAny(s, "*?")
	if i < 0 {
		return pattern{prefix: s}
	}
	p := pattern{prefix: s[:i], rest: s[i:]}
	if p.rest[0] == '*' && !strings.ContainsAny(p.rest[1:], "*?") {
		p.tail, p.suffix = true, p.rest[1:]
	}
	return p
}

// matches compares with a normalised path.
func (p *pattern) matches(path string) bool {
	if !strings.HasPrefix(path, p.prefix) {
		return false
	}
	path = path[len(p.prefix):]
	if p.tail {
		return strings.HasSuffix(path, p.suffix)
	}
	return glob(p.rest, path)
}

// glob matches s against a pattern with "*" and "?". On a mismatch it goes back to the last "*"
// only: an earlier one could give nothing that the last one cannot, so the work is bounded by
// len(p)·len(s).
func glob(p, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// normalPath is the path that patterns are compared with (RFC 3986 section 6.2.2): escapes of
// unreserved characters decoded, "." and ".." segments resolved, and runs of "/" joined. Without
// it "/x/../admin" or "/%61dmin" would walk around the behavior of "/admin". Key and origin get
// the raw path.
func normalPath(path string) string {
	if isNormal(path) {
		return path
	}
	path = decodeUnreserved(path)
	var out []string
	for seg := range strings.SplitSeq(path, "/") {
		switch seg {
		case "", ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, seg)
		}
	}
	n := "/" + strings.Join(out, "/")
	if len(out) > 0 && endsInDirectory(path) {
		n += "/"
	}
	return n
}

// isNormal tells the paths that have nothing of all this, which are most. One look at each octet is less than three
// searches, as paths are short.
func isNormal(path string) bool {
	for i := range len(path) {
		switch path[i] {
		case '%':
			return false
		case '/':
			if i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
				return false
			}
		}
	}
	return true
}

// endsInDirectory tells whether the last segment is empty, "." or "..".
func endsInDirectory(path string) bool {
	return strings.HasSuffix(path, "/") || strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..")
}

func decodeUnreserved(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi >= 0 && lo >= 0 && unreserved(byte(hi<<4|lo)) {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// unreserved tells whether RFC 3986 section 2.3 lists the character.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}
