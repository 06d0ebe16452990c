package origin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
)

// httpRequest says r in net/http's words. host is the pool's name for the connection.
func httpRequest(ctx context.Context, o *distribution.Origin, r *Request, scheme, host string) *http.Request {
	req := &http.Request{
		Method:        r.Method,
		URL:           rawURL(scheme, host, r),
		Host:          r.Host,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        make(http.Header, len(r.Fields)+2),
		ContentLength: r.ContentLength,
	}
	if req.Host == "" {
		req.Host = o.DomainName
	}
	for _, f := range r.Fields {
		if name := http.CanonicalHeaderKey(f.Name); !ofConnection(name) {
			name = spelled(name)
			req.Header[name] = append(req.Header[name], f.Value)
		}
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header["User-Agent"] = nil // or net/http says its own
	}
	req.Header["Connection"] = []string{"Keep-Alive"}
	if r.Body == nil || r.ContentLength == 0 {
		req.ContentLength = 0
	} else {
		req.Body = io.NopCloser(viewerBody{r.Body})
	}
	return req.WithContext(httptrace.WithClientTrace(ctx, settled))
}

// rawURL makes a URL whose request target is exactly path and query as given. url.URL would decode
// and encode them again; Opaque is sent as it is, except that it takes a leading "//" for an
// authority. Such a path goes through Path and RawPath, which keep every octet that a path may have.
func rawURL(scheme, host string, r *Request) *url.URL {
	u := &url.URL{Scheme: scheme, Host: host}
	if !strings.HasPrefix(r.Path, "//") {
		u.Opaque = r.Path
	} else if p, err := url.PathUnescape(r.Path); err == nil {
		u.Path, u.RawPath = p, r.Path
	} else {
		u.Path = r.Path
	}
	u.RawQuery, u.ForceQuery = r.Query, r.HasQuery
	return u
}

// ofConnection tells the fields that belong to the viewer's or our own connection.
func ofConnection(canonical string) bool {
	switch canonical {
	case "Host", "Connection", "Keep-Alive", "Proxy-Connection", "Content-Length", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect":
		return true
	}
	return false
}

// viewerBody marks the errors of a request body: they are not the origin's.
type viewerBody struct{ r io.Reader }

func (b viewerBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = &Error{Canceled, "send body", fmt.Errorf("the request's body broke off: %w", err)}
	}
	return n, err
}

// fieldsOf lists a header section by name.
func fieldsOf(h http.Header) message.Fields {
	f := make(message.Fields, 0, len(h))
	for name, values := range h {
		for _, v := range values {
			f = append(f, message.Field{Name: spelled(name), Value: v})
		}
	}
	slices.SortStableFunc(f, func(a, b message.Field) int { return strings.Compare(a.Name, b.Name) })
	return f
}

// spelled gives the usual spelling of names that net/http's canonical form gets wrong. It means
// nothing to machines, but people read these.
func spelled(canonical string) string {
	switch canonical {
	case "Etag":
		return "ETag"
	case "Www-Authenticate":
		return "WWW-Authenticate"
	case "Content-Md5":
		return "Content-MD5"
	case "X-Xss-Protection":
		return "X-XSS-Protection"
	case "X-Ua-Compatible":
		return "X-UA-Compatible"
	case "Dnt":
		return "DNT"
	}
	return canonical
}
