package httpcache

import (
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// absent is the value of a delta-seconds directive that is not there.
const absent int64 = -1

// maxDelta is what an overflowing delta-seconds stands for (RFC 9111 section 1.2.2).
const maxDelta int64 = 1 << 31

// Directives are the members of Cache-Control that a shared cache heeds.
//
// Of a directive that occurs twice the first counts (RFC 9111 section 4.2.1). A number that is not
// one (negative, a fraction, empty, garbage) is zero: the same section wants invalid freshness
// information to mean stale.
type Directives struct {
	NoStore, NoCache, Private       bool // unqualified: of the whole answer
	MustRevalidate, ProxyRevalidate bool
	Public, Immutable               bool
	MustUnderstand                  bool // with RFC semantics
	NoTransform                     bool
	// In seconds, -1 when absent.
	MaxAge, SMaxAge, StaleWhileRevalidate, StaleIfError int64
	// Omit has the fields named by no-cache="…" and private="…". The answer may be stored without them.
	Omit []string
	// Present tells that there was a Cache-Control field at all.
	Present bool
}

// ParseCacheControl reads all Cache-Control lines of an answer.
func ParseCacheControl(f message.Fields) Directives {
	d := noDirectives()
	for i := range f {
		if !strings.EqualFold(f[i].Name, "Cache-Control") {
			continue
		}
		d.Present = true
		for m := (members{rest: f[i].Value}); m.more(); {
			d.add(directive(m.next()))
		}
	}
	return d
}

func noDirectives() Directives {
	return Directives{MaxAge: absent, SMaxAge: absent, StaleWhileRevalidate: absent, StaleIfError: absent}
}

func (d *Directives) add(name, value string) {
	switch {
	case strings.EqualFold(name, "max-age"):
		first(&d.MaxAge, value)
	case strings.EqualFold(name, "s-maxage"):
		first(&d.SMaxAge, value)
	case strings.EqualFold(name, "stale-while-revalidate"):
		first(&d.StaleWhileRevalidate, value)
	case strings.EqualFold(name, "stale-if-error"):
		first(&d.StaleIfError, value)
	case strings.EqualFold(name, "no-store"):
		d.NoStore = true
	case strings.EqualFold(name, "no-cache"):
		d.NoCache = !d.omit(value) || d.NoCache
	case strings.EqualFold(name, "private"):
		d.Private = !d.omit(value) || d.Private
	case strings.EqualFold(name, "public"):
		d.Public = true
	case strings.EqualFold(name, "must-revalidate"):
		d.MustRevalidate = true
	case strings.EqualFold(name, "proxy-revalidate"):
		d.ProxyRevalidate = true
	case strings.EqualFold(name, "immutable"):
		d.Immutable = true
	case strings.EqualFold(name, "must-understand"):
		d.MustUnderstand = true
	case strings.EqualFold(name, "no-transform"):
		d.NoTransform = true
	}
}

// omit adds the field names listed in value and tells whether there were any.
func (d *Directives) omit(value string) bool {
	n := len(d.Omit)
	for field := range strings.SplitSeq(value, ",") {
		if field = trim(field); field != "" {
			d.Omit = append(d.Omit, field)
		}
	}
	return len(d.Omit) > n
}

// first sets a delta-seconds unless an earlier directive has.
func first(to *int64, value string) {
	if *to == absent {
		*to = seconds(value)
	}
}

// seconds reads delta-seconds; what is not one is zero.
func seconds(s string) int64 {
	n, ok := digits(s, maxDelta)
	if !ok {
		return 0
	}
	return n
}

// digits reads a non-empty run of decimal digits, saturating at limit.
func digits(s string, limit int64) (n int64, ok bool) {
	for i := 0; i < len(s); i++ {
		c := int64(s[i] - '0')
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n > (limit-c)/10 {
			n = limit // and stays there: limit*10 is beyond it too
			continue
		}
		n = n*10 + c
	}
	return n, s != ""
}

// members goes through the members of one line of a list field, in time that grows with its length only.
// Commas within a quoted string do not count. A quote that is never closed is an ordinary character, as are
// those behind it: what follows, perhaps a no-store, must not be swallowed.
type members struct {
	rest   string
	broken bool // such a quote has been there
}

// more tells whether there is something left.
func (m *members) more() bool { return m.rest != "" }

// next cuts the first member off.
func (m *members) next() string {
	s, end := m.rest, len(m.rest)
scan:
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == ',':
			end = i
			break scan
		case s[i] == '"' && !m.broken:
			n := quotedEnd(s[i:])
			m.broken = n == 0
			i += max(0, n-1)
		}
	}
	m.rest = s[min(end+1, len(s)):]
	return trim(s[:end])
}

// directive takes a member apart. The value is unquoted.
func directive(member string) (name, value string) {
	name, value, _ = strings.Cut(member, "=")
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = unquote(value[1 : len(value)-1])
	}
	// "max-age =5" is not a directive of that grammar, but it is one in its author's mind: the name
	// counts, and the blank makes its number garbage, hence stale.
	if t := trim(name); t != name {
		return t, " " + value
	}
	return name, value
}

// quotedEnd returns the length of the quoted string at the beginning of s, 0 if it is not closed.
func quotedEnd(s string) int {
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

// unquote resolves quoted pairs.
func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// trim cuts optional whitespace (RFC 9110 section 5.6.3).
func trim(s string) string { return strings.Trim(s, " \t") }
