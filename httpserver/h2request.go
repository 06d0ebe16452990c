package httpserver

import (
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/message"
)

// h2section translates a field section of HTTP/2 (RFC 9113 section 8): that of a request, or its trailers. It
// is filled by field, once per field, and judged by request. Strings come from the HPACK decoder, and
// may be kept.
//
// Two kinds of refusal are told apart. What HTTP/2 itself calls malformed makes the section broken: no
// program writes such a thing, and the stream is reset. What is well-formed but refused here gets an answer.
type h2section struct {
	max int // of size

	trailers bool
	broken   bool
	large    bool // more than max has come; the rest is not looked at
	size     int  // as RFC 9113 section 6.5.2 counts
	count    int
	fields   message.Fields

	method, scheme, authority, path string
	seen                            uint8 // pseudo-header fields
	regular                         bool  // no pseudo-header field may follow

	host     string
	hosts    int
	cookie   int // index in fields of the first crumb
	crumbs   []string
	length   int64 // -1: not said
	rank     h2.Rank
	expects  bool
	reserved bool
}

// Pseudo-header fields that have been seen.
const (
	seenMethod uint8 = 1 << iota
	seenScheme
	seenAuthority
	seenPath
)

func (s *h2section) begin(fields message.Fields, max int, trailers bool) {
	*s = h2section{max: max, trailers: trailers, crumbs: s.crumbs[:0], length: -1, rank: h2.DefaultRank}
	s.fields = append(fields[:0], message.Field{Name: "Host"}) // its place is the first
}

// field takes one field.
func (s *h2section) field(f hpack.HeaderField) {
	s.count++
	if s.size += len(f.Name) + len(f.Value) + 32; s.size > s.max || s.count > maxFields+4 { // and the pseudo-header fields
		s.large = true
	}
	switch {
	case s.broken || s.large:
	case len(f.Name) > 0 && f.Name[0] == ':':
		if s.regular || s.trailers || !s.pseudo(f.Name[1:], f.Value) {
			s.broken = true
		}
	case !fieldOK(f.Name, f.Value):
		s.broken = true
	default:
		s.regular = true
		if !s.trailers { // they are checked and dropped, as with HTTP/1.1
			s.plain(f.Name, f.Value)
		}
	}
}

// pseudo takes a pseudo-header field, each of which may come once.
func (s *h2section) pseudo(name, value string) bool {
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
func (s *h2section) plain(name, value string) {
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		s.broken = true
	case "te":
		s.broken = s.broken || value != "trailers"
	case "host":
		s.hosts++
		s.host = value
		return
	case "content-length":
		n, ok := h1.ParseLength(value)
		s.broken = s.broken || !ok || s.length >= 0
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

// request judges the section and lays out r. ended says that no body follows.
func (s *h2section) request(r *Request, ended bool, scheme string, maxURI int) (no refusal) {
	connect := s.method == "CONNECT" && s.seen == seenMethod|seenAuthority
	if !s.broken && !s.large {
		s.broken = !connect && (s.method == "CONNECT" || s.seen|seenAuthority != seenMethod|seenScheme|seenAuthority|seenPath) ||
			!h1.All(s.method, h1.InToken) || s.contradicts() || ended && s.length > 0
	}
	*r = Request{Body: noBody{}, Request: message.Request{Method: s.method, Scheme: scheme, Major: 2}}
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
	if !escapesOK(r.Path) {
		return malformed
	}
	var ok bool
	if r.Host, r.Port, ok = splitHost(s.authority); !ok {
		return badHost
	}
	if r.Fields, r.ContentLength = s.fields, s.length; ended {
		r.ContentLength = 0
	}
	return refusal{}
}

// contradicts finds the host, which may be said in two places but not in two ways, and gives it the place
// where whoever reads on looks for it.
func (s *h2section) contradicts() bool {
	if len(s.crumbs) > 1 {
		s.fields[s.cookie].Value = strings.Join(s.crumbs, "; ") // RFC 9113 section 8.2.3
	}
	if s.authority == "" {
		s.authority = s.host
	}
	s.fields[0].Value = s.authority
	return s.authority == "" || s.hosts > 1 || s.hosts == 1 && !strings.EqualFold(s.host, s.authority)
}
