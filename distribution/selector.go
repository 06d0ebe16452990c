package distribution

import (
	"slices"
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// mode is how a selector reads its names.
type mode uint8

const (
	selectNone   mode = iota
	selectOnly        // the names
	selectExcept      // all but the names
	selectAll
)

// selector says which headers, cookies or query parameters pass. The zero value passes none. Lists
// are short (ten names by quota), so a scan beats a map.
type selector struct {
	mode  mode
	names []string
	fold  bool // header names: compare without regard to case
	globs bool // legacy cookie names: "*" and "?" are wildcards
}

func (s *selector) has(name string) bool {
	switch s.mode {
	case selectAll:
		return true
	case selectOnly:
		return s.lists(name)
	case selectExcept:
		return !s.lists(name)
	}
	return false
}

func (s *selector) lists(name string) bool {
	for _, n := range s.names {
		if n == name || s.fold && strings.EqualFold(n, name) || s.globs && glob(n, name) {
			return true
		}
	}
	return false
}

// union passes what either passes: a list of names to include beats the other side's list of names
// to leave out.
func union(a, b selector) selector {
	if a.mode > b.mode {
		a, b = b, a // now a's mode is the narrower
	}
	u := selector{mode: b.mode, fold: a.fold || b.fold, globs: a.globs || b.globs}
	switch {
	case a.mode == selectNone, b.mode == selectAll:
		return b
	case b.mode == selectOnly:
		u.names = slices.Concat(a.names, b.names)
	case a.mode == selectOnly: // b leaves out
		u.names = slices.DeleteFunc(slices.Clone(b.names), func(n string) bool { return a.lists(n) })
	default: // both leave out: only what both do
		u.names = slices.DeleteFunc(slices.Clone(b.names), func(n string) bool { return !a.lists(n) })
	}
	return u
}

// appendQuery appends the parameters that pass, in their order and as they were sent; any tells
// whether there was one, for "/a?" has a query and "/a" has not.
func (s *selector) appendQuery(dst []byte, r *message.Request) (_ []byte, any bool) {
	switch {
	case !r.HasQuery || s.mode == selectNone:
		return dst, false
	case s.mode == selectAll:
		return append(dst, r.Query...), true
	}
	for rest, more := r.Query, true; more; {
		var p string
		p, rest, more = strings.Cut(rest, "&")
		name, _, _ := strings.Cut(p, "=")
		if !s.has(name) {
			continue
		}
		if any {
			dst = append(dst, '&')
		}
		dst, any = append(dst, p...), true
	}
	return dst, any
}

// query is appendQuery as a string; it allocates only when something is left out.
func (s *selector) query(r *message.Request) (query string, any bool) {
	if s.mode == selectAll {
		return r.Query, r.HasQuery
	}
	b, any := s.appendQuery(nil, r)
	return string(b), any
}

// cookie is one pair of a Cookie field.
type cookie struct{ name, value string }

// appendCookies appends the cookies that pass, sorted by name; those of one name keep their order.
// That is the order in which the origin gets them, so viewers that send the same cookies in another
// order share an entry. Pairs without "=" or without a name, and names that begin with "$", are
// nobody's.
func (s *selector) appendCookies(dst []cookie, r *message.Request) []cookie {
	if s.mode == selectNone {
		return dst
	}
	for i := range r.Fields {
		if !named(r.Fields[i].Name, "Cookie") {
			continue
		}
		for rest, more := r.Fields[i].Value, true; more; {
			var pair string
			pair, rest, more = strings.Cut(rest, ";")
			name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || name == "" || name[0] == '$' || !s.has(name) {
				continue
			}
			dst = append(dst, cookie{name, value})
		}
	}
	slices.SortStableFunc(dst, byName) // a viewer may send ten thousand, in the worst order
	return dst
}

func byName(a, b cookie) int { return strings.Compare(a.name, b.name) }
