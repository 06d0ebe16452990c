package httpserver

import (
	"strings"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/h3"
	"github.com/warmfront/warmfront/internal/message"
)

// section collects the fields of one request of HTTP/3 and makes the request of them. It is as strict as
// parser is: names, values and targets have the octets that they may have in HTTP/1.1, there is one length,
// and nothing speaks of the connection. So nothing that it accepts can be read in two ways by whoever
// is told of it in HTTP/1.1.
type section struct {
	req Request
	framing
	size    int // octets of names and values, with four for each field, as a line of HTTP/1.1 has
	limit   int
	pseudo  [4]string // method, scheme, authority, path
	came    [4]bool
	regular bool // a field that is no pseudo-header has come
	hosts   int
	host    string
	lengths int
	length  string
	cookie  int      // where the Cookie field is, if there is one
	crumbs  []string // of it
	no      refusal
}

var pseudoHeaders = [4]string{":method", ":scheme", ":authority", ":path"}

const (
	pseudoMethod = iota
	pseudoScheme
	pseudoAuthority
	pseudoPath
)

// parse reads an encoded field section. The error is that of a connection that cannot go on.
func (s *section) parse(encoded []byte, l *Limits) (refusal, error) {
	s.limit = l.MaxHeader
	s.req = Request{Body: noBody{}, Request: message.Request{Scheme: "https", Major: 3, Fields: make(message.Fields, 1, 16)}}
	if err := h3.Fields(encoded, s.field); err != nil {
		return refusal{}, err
	}
	// What is too long is told before what else is wrong with it, as in HTTP/1.1.
	if s.no != malformed && len(s.pseudo[pseudoPath]) > l.MaxURI {
		s.no = longTarget
	}
	if s.no.status == 0 {
		s.no = s.finish()
	}
	return s.no, nil
}

// field takes one field. It reports whether to go on.
func (s *section) field(name, value string) bool {
	if s.size += len(name) + len(value) + 4; s.size > s.limit || len(s.req.Fields)+len(s.crumbs) > maxFields {
		s.no = largeHead
		return false
	}
	if !s.fits(name, value) {
		s.no = malformed
		return false
	}
	return true
}

func (s *section) fits(name, value string) bool {
	if name != "" && name[0] == ':' {
		return s.pseudoHeader(name, value)
	}
	s.regular = true
	if !fieldOK(name, value) {
		return false
	}
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return false // RFC 9114 section 4.2
	case "te":
		if value != "trailers" {
			return false
		}
	case "host":
		s.hosts++
		s.host = value
		return true // its place is the first
	case "content-length":
		s.lengths++
		s.length = value
	case "expect":
		s.expects = h1.EqualASCII(value, "100-continue")
		s.reserved = !s.expects
	case "cookie":
		// RFC 9114 section 4.2.1: crumbs are one field for everybody behind.
		if s.crumbs = append(s.crumbs, value); len(s.crumbs) > 1 {
			return true
		}
		s.cookie = len(s.req.Fields)
	}
	s.req.Fields.Add(name, value)
	return true
}

func (s *section) pseudoHeader(name, value string) bool {
	for i, known := range pseudoHeaders {
		if name == known {
			again := s.came[i]
			s.pseudo[i], s.came[i] = value, true
			return !again && !s.regular
		}
	}
	return false
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
	return value == "" || !blank(value[0]) && !blank(value[len(value)-1])
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// finish judges the section as a whole (RFC 9114 section 4.3.1).
func (s *section) finish() refusal {
	r := &s.req
	r.Method = s.pseudo[pseudoMethod]
	target := s.pseudo[pseudoPath]
	switch {
	case r.Method == "" || !h1.All(r.Method, h1.InToken) || r.Method == "CONNECT":
		return malformed
	case s.pseudo[pseudoScheme] != "https":
		return malformed
	case target == "" || !h1.All(target, h1.InTarget) || target[0] != '/' && (target != "*" || r.Method != "OPTIONS"):
		return malformed
	case s.hosts > 1 || s.lengths > 1:
		return malformed
	}
	host := s.pseudo[pseudoAuthority]
	if !s.came[pseudoAuthority] {
		host = s.host
	} else if s.hosts == 1 && s.host != host {
		return malformed
	}
	if host == "" {
		return malformed
	}
	r.Fields[0] = message.Field{Name: "host", Value: host}
	if len(s.crumbs) > 1 {
		r.Fields[s.cookie].Value = strings.Join(s.crumbs, "; ")
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(target, "?")
	if !escapesOK(r.Path) {
		return malformed
	}
	var ok bool
	if r.Host, r.Port, ok = splitHost(host); !ok || r.Host == "" {
		return badHost
	}
	s.framing.length = -1 // unless its end comes first
	if s.lengths == 1 {
		if s.framing.length, ok = h1.ParseLength(s.length); !ok {
			return malformed
		}
	}
	s.expects = s.expects && s.framing.length != 0
	return refusal{}
}

// checkTrailers tells whether an encoded trailer section is well-formed. Trailers are dropped.
func checkTrailers(encoded []byte) (ok bool, err error) {
	ok = true
	size := 0
	err = h3.Fields(encoded, func(name, value string) bool {
		size += len(name) + len(value) + 4
		ok = size <= maxTrailers && fieldOK(name, value)
		return ok
	})
	return ok, err
}
