package origin

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

// Request to an origin. Path and Query go out as they are. Of Fields, those of the connection
// (Connection, Content-Length, Transfer-Encoding, ...) and Host are dropped: they are made from the
// rest. The others keep their order and spelling.
type Request struct {
	Method   string
	Path     string
	Query    string
	HasQuery bool
	Host     string // the Host field; "": the origin's domain name
	Scheme   string // of the viewer, for match-viewer
	Fields   message.Fields
	// Body is nil when there is none. It is read while the answer is awaited, and when that comes early, a
	// moment longer than until the response's Body is closed: until its Read returns.
	Body          io.Reader
	ContentLength int64 // of Body; -1: not known

	// Again is called before a GET or HEAD is asked once more. When it returns an error the failure before is the answer.
	// Nil: nothing is.
	Again func(context.Context) error

	upgrade bool // to WebSocket; see Upgrade
}

// What would not be read as the request that it is, is not sent. Whoever made it should have known: these
// are our own mistakes.
var (
	errMethod = errors.New("the method is no token, or CONNECT")
	errTarget = errors.New("the request target has octets that no target has")
	errHost   = errors.New("the Host field has octets that no host has")
	errField  = errors.New("a field is not one line")
)

// bodied tells whether the request has a body.
func (r *Request) bodied() bool { return r.Body != nil && r.ContentLength != 0 }

// replayable tells whether the request may be sent again when nobody knows whether it has arrived.
func (r *Request) replayable() bool {
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return !r.bodied()
	}
	return false
}

// appendRequest writes the request's head from its parsed form. Everything is looked at again: what
// goes out can be read in one way only.
func appendRequest(dst []byte, o *distribution.Origin, r *Request) ([]byte, error) {
	if r.Method == "" || r.Method == "CONNECT" || !h1.All(r.Method, h1.InToken) {
		return dst, errMethod
	}
	dst = append(append(dst, r.Method...), ' ')
	star := r.Path == "*" && r.Method == "OPTIONS" && !r.HasQuery
	if !star && !strings.HasPrefix(r.Path, "/") || !h1.All(r.Path, h1.InTarget) || !h1.All(r.Query, h1.InTarget) {
		return dst, errTarget
	}
	dst = append(dst, r.Path...)
	if r.HasQuery {
		dst = append(append(dst, '?'), r.Query...)
	}
	host := r.Host
	if host == "" {
		host = o.DomainName
	}
	if !isHost(host) {
		return dst, errHost
	}
	dst = append(append(append(dst, " HTTP/1.1\r\nHost: "...), host...), '\r', '\n')
	for i := range r.Fields {
		f := &r.Fields[i]
		if ofConnection(f.Name) {
			continue
		}
		if !h1.OneLine(f) {
			return dst, errField
		}
		dst = append(append(append(dst, f.Name...), ": "...), f.Value...)
		dst = append(dst, '\r', '\n')
	}
	if r.upgrade {
		return append(dst, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"...), nil
	}
	return append(appendFraming(dst, r), "Connection: Keep-Alive\r\n\r\n"...), nil
}

func appendFraming(dst []byte, r *Request) []byte {
	switch {
	case r.bodied() && r.ContentLength < 0:
		return append(dst, "Transfer-Encoding: chunked\r\n"...)
	case r.bodied():
		dst = append(dst, "Content-Length: "...)
		return append(strconv.AppendInt(dst, r.ContentLength, 10), '\r', '\n')
	case r.Method == "POST", r.Method == "PUT", r.Method == "PATCH":
		return append(dst, "Content-Length: 0\r\n"...)
	}
	return dst
}

// isHost tells whether s can be nothing else than host[:port]: no userinfo, path, list or escape.
func isHost(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', h1.Digit(c):
		case c == '-', c == '.', c == '_', c == '~', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return s != ""
}

// ofConnection tells the fields that belong to the viewer's or our own connection.
func ofConnection(name string) bool {
	for _, own := range [...]string{"Host", "Connection", "Keep-Alive", "Proxy-Connection", "Content-Length",
		"Transfer-Encoding", "TE", "Trailer", "Upgrade", "HTTP2-Settings", "Expect"} {
		if len(name) == len(own) && strings.EqualFold(name, own) {
			return true
		}
	}
	return false
}
