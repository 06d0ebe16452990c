package invalidation

import "strings"

// Spell returns the line that names one URI and nothing else: a path with its query, if it has one, as they stand in
// a request. Characters that an item cannot have raw are escaped, an asterisk so that it is no wildcard. Of what
// no item can name, as a "~", Parse says so. Under AWS a query that ends with an asterisk is a prefix: it cannot be said
// otherwise there.
func Spell(uri string, d Dialect) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(uri) {
		switch c := uri[i]; {
		case c == '*' && d == Anywhere, strings.IndexByte(unsafeButSent, c) >= 0:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		default:
			b.WriteByte(c)
		}
	}
	if d == AWS && strings.HasSuffix(uri, "*") && !strings.Contains(uri, "?") {
		b.WriteByte('?') // a query that is empty: see String
	}
	return b.String()
}
