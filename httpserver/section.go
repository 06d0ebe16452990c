package httpserver

import (
	"strings"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/message"
)

// section makes a request of a field section of HTTP/2 (RFC 9113 section 8) or HTTP/3 (RFC 9114 section 4), or checks
// trailers. It is filled by field, once per field, and judged by request. It is as strict as parser is: names, values
// and targets have the octets that they may have in HTTP/1.1, there is one length, and nothing speaks of the
// connection. So nothing that it accepts can be read in two ways by whoever is told of it in HTTP/1.1. Strings come
// from the decoder, and may be kept.
//
// Two kinds of refusal are told apart. What the RFCs themselves call malformed makes the section broken: no
// program writes such a thing, and HTTP/2 resets the stream. What is well-formed but refused here gets an answer.
type section struct {
	max      int // of size
	trailers bool
	broken   bool
	large    bool // more than max has come; the rest is not looked at
	size     int  // octets of names and values, with four for each field, as a line of HTTP/1.1 has
	regular  bool // no pseudo-header field may follow
	count    int  // of fields as HTTP/1.1 has them: Host is always one
	fields   message.Fields

	method, scheme, authority, path string
	seen                            uint8 // pseudo-header fields

	host     string
	hosts    int
	cookie   int // index in fields of the first crumb
	crumbs   []string
	length   int64 // -1: not said
	rank     h2.Rank
	expects  bool // as framing has it
	reserved bool
}

// Pseudo-header fields that have been seen.
const (
	seenMethod uint8 = 1 << iota
	seenScheme
	seenAuthority
	seenPath
)

// begin begins another section, with room for its fields.
func (s *section) begin(fields message.Fields, max int, trailers bool) {
	*s = section{max: max, trailers: trailers, crumbs: s.crumbs[:0], count: 1, length: -1, rank: h2.DefaultRank}
	s.fields = append(fields[:0], message.Field{Name: "Host"}) // its place is the first
}

// field takes one field. It reports whether the others matter.
func (s *section) field(name, value string) (on bool) {
	s.size += len(name) + len(value) + 4
	switch {
	case s.broken || s.large:
	case s.size > s.max:
		s.large = true
	case len(name) > 0 && name[0] == ':':
		s.broken = s.regular || s.trailers || !s.pseudo(name[1:], value)
	case !fieldOK(name, value):
		s.broken = true
	case s.trailers: // they are checked and dropped, as with HTTP/1.1
	default:
		s.regular = true
		s.plain(name, value)
	}
	s.large = s.large || s.count > maxFields
	return !s.broken && !s.large
}

// pseudo takes a pseudo-header field, each of which may come once.
func (s *section) pseudo(name, value string) bool {
	var which uint8
	var to *string
	switch name {
	case "method":
		which, to = seenMethod, &s.method
	case "scheme":
		which, to = seenScheme, &s.scheme
	case "authority":
		which, to = seenAuthority, &s.authority
	case "path":
		which, to = seenPath, &s.path
	default:
		return false // also :protocol, which nobody has been offered
	}
	if s.seen&which != 0 || value == "" || !fieldOK(name, value) {
		return false
	}
	s.seen |= which
	*to = value
	return true
}

// plain takes any other field, and notes what it says to the engine.
func (s *section) plain(name, value string) {
	if name != "host" {
		s.count++
	}
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		s.broken = true
	case "te":
		s.broken = value != "trailers"
	case "host":
		s.hosts++
		s.host = value
		return
	case "content-length":
		n, ok := h1.ParseLength(value)
		s.broken = !ok || s.length >= 0
		s.length = n
	case "cookie":
		if s.crumbs = append(s.crumbs, value); len(s.crumbs) > 1 {
			return
		}
		s.cookie = len(s.fields)
	case "expect":
		s.expects = h1.EqualASCII(value, "100-continue")
		s.reserved = !s.expects
	case "priority":
		s.rank = h2.ParsePriority(value)
	}
	s.fields = append(s.fields, message.Field{Name: name, Value: value})
}

// request judges the section and lays out r. ended says that no body follows. What is too long is told before what
// else is wrong with it, as in HTTP/1.1.
func (s *section) request(r *Request, major int, ended bool, scheme string, maxURI int) (no refusal) {
	connect := s.method == "CONNECT" && s.seen == seenMethod|seenAuthority
	if !s.broken && !s.large {
		s.broken = !connect && (s.method == "CONNECT" || s.seen|seenAuthority != seenMethod|seenScheme|seenAuthority|seenPath) ||
			!h1.All(s.method, h1.InToken) || s.contradicts() || ended && s.length > 0
	}
	*r = Request{Body: noBody{}, Request: message.Request{Method: s.method, Scheme: scheme, Major: major}}
	switch {
	case s.broken:
		return malformed
	case len(s.path) > maxURI:
		return longTarget
	case s.large:
		return largeHead
	case connect || s.scheme != scheme || !h1.All(s.path, h1.InTarget):
		return malformed
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(s.path, "?")
	if s.path[0] != '/' && (s.path != "*" || s.method != "OPTIONS") {
		s.broken = true // RFC 9113 section 8.3.1
		return malformed
	}
	if !h1.EscapesOK(r.Path) {
		return malformed
	}
	var ok bool
	if r.Host, r.Port, ok = h1.SplitHost(s.authority); !ok {
		return badHost
	}
	if r.Fields, r.ContentLength = s.fields, s.length; ended {
		r.ContentLength = 0
	}
	return refusal{}
}

// contradicts finds the host, which may be said in two places but not in two ways, and gives it the place
// where whoever reads on looks for it.
func (s *section) contradicts() bool {
	if len(s.crumbs) > 1 {
		// RFC 9113 section 8.2.3, RFC 9114 section 4.2.1. An empty crumb at the end would leave a blank there.
		s.fields[s.cookie].Value = h1.TrimBlanks(strings.Join(s.crumbs, "; "))
	}
	if s.authority == "" {
		s.authority = s.host
	}
	s.fields[0].Value = s.authority
	return s.authority == "" || s.hosts > 1 || s.hosts == 1 && !h1.EqualASCII(s.host, strings.ToLower(s.authority))
}

// fieldOK tells whether name and value have only the octets that they may have, in lower case, and no
// blanks around the value.
func fieldOK(name, value string) bool {
	if name == "" || !h1.All(value, h1.InValue) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !h1.Is(c, h1.InToken) || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return value == "" || !h1.Blank(value[0]) && !h1.Blank(value[len(value)-1])
}
