package httpserver

import (
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// parse fills a Request from net/http's. A status other than 0 refuses it. net/http has refused
// already: malformed lines and names, no or several Hosts, differing Content-Lengths, any transfer
// coding but one "chunked". Of what it lets pass, bare LF ends a line and a folded line is joined
// with a blank, as RFC 9112 sections 2.2 and 5.2 allow.
func (e *engine) parse(w http.ResponseWriter, r *http.Request) (req *Request, status int, reason string) {
	switch {
	case len(r.RequestURI) > e.limits.MaxURI:
		return nil, 414, ReasonURITooLong
	case headSize(r) > e.limits.MaxHeader:
		return nil, statusHeaderTooLarge, ReasonHeaderLarge
	case r.ProtoMajor != 1:
		return nil, 505, ReasonVersion
	}
	req = &Request{
		Request: message.Request{
			Method: r.Method,
			Scheme: "http",
			Major:  r.ProtoMajor,
			Minor:  r.ProtoMinor,
			Fields: fields(r),
		},
		Body:          http.NoBody,
		ContentLength: r.ContentLength,
	}
	target, ok := splitTarget(r.RequestURI)
	if !ok || r.Method == http.MethodConnect || (target == "*") != (r.RequestURI == "*" && r.Method == http.MethodOptions) {
		return nil, 400, ReasonMalformed
	}
	req.Path, req.Query, req.HasQuery = strings.Cut(target, "?")
	// r.Host is the authority of an absolute target where there is one (RFC 9112 section 3.2.2).
	if req.Host, req.Port, ok = splitHost(r.Host); !ok {
		return nil, 400, ReasonBadHost
	}
	if remote, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		req.Remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	}
	if r.ContentLength != 0 {
		b := &body{r: r.Body, ctl: http.NewResponseController(w), timeout: e.limits.ReadBodyTimeout}
		b.extend() // also bounds net/http, which reads on what the handler leaves unread
		req.Body = b
	}
	return req, 0, ""
}

// headSize is what request line and fields took on the wire, as far as net/http still knows.
func headSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(" HTTP/1.1\r\n") + len("Host: \r\n") + len(r.Host) + len("\r\n") + 1
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// fields lists the header section by name, because net/http has lost the order, with Host where it
// sorts.
func fields(r *http.Request) message.Fields {
	f := make(message.Fields, 0, len(r.Header)+1)
	for name, values := range r.Header {
		for _, v := range values {
			f = append(f, message.Field{Name: name, Value: v})
		}
	}
	if r.Host != "" {
		f = append(f, message.Field{Name: "Host", Value: r.Host})
	}
	slices.SortStableFunc(f, func(a, b message.Field) int { return strings.Compare(a.Name, b.Name) })
	return f
}

// splitTarget gives the raw origin-form of a request target in origin or absolute form, or "*".
func splitTarget(uri string) (string, bool) {
	if strings.IndexByte(uri, '#') >= 0 {
		return "", false // a fragment never travels (RFC 9112 section 3.2)
	}
	if strings.HasPrefix(uri, "/") || uri == "*" {
		return uri, true
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", false
	}
	i := strings.IndexAny(rest, "/?")
	switch {
	case i < 0:
		return "/", true
	case rest[i] == '?':
		return "/" + rest[i:], true
	}
	return rest[i:], true
}

// splitHost parses uri-host [":" port] (RFC 9110 section 7.2), lower case. An empty host is allowed:
// it is no distribution's, which is for the handler to say.
func splitHost(s string) (host, port string, ok bool) {
	if s == "" {
		return "", "", true
	}
	end := strings.LastIndexByte(s, ':')
	if s[0] == '[' {
		b := strings.IndexByte(s, ']')
		if b < 0 || (b+1 < len(s) && s[b+1] != ':') {
			return "", "", false
		}
		if _, err := netip.ParseAddr(s[1:b]); err != nil || strings.IndexByte(s[1:b], '.') >= 0 && !strings.Contains(s[1:b], ":") {
			return "", "", false
		}
		if end = b + 1; end == len(s) {
			end = -1
		}
	}
	host = s
	if end >= 0 {
		host, port = s[:end], s[end+1:]
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' || i >= 5 {
			return "", "", false
		}
	}
	if host == "" || s[0] != '[' && !regName(host) || len(host) > 255 {
		return "", "", false
	}
	return strings.ToLower(host), port, true
}

func regName(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}

// body is a request body whose reads have their own time limit.
type body struct {
	r       io.Reader
	ctl     *http.ResponseController
	timeout time.Duration
}

func (b *body) extend() {
	if b.timeout > 0 {
		b.ctl.SetReadDeadline(time.Now().Add(b.timeout))
	}
}

func (b *body) Read(p []byte) (int, error) {
	b.extend()
	n, err := b.r.Read(p)
	if err == io.EOF {
		// net/http now watches the connection for the viewer's leaving; our limit is not its limit.
		b.ctl.SetReadDeadline(time.Time{})
	}
	return n, err
}
