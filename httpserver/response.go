package httpserver

import (
	"context"
	"errors"
	"net/http"
	"net/textproto"
	"runtime/debug"

	"github.com/warmfront/warmfront/internal/message"
)

var (
	errBegun    = errors.New("httpserver: answer begun twice")
	errNotBegun = errors.New("httpserver: body before Begin")
	errTooLong  = errors.New("httpserver: body longer than announced")
	errAborted  = errors.New("httpserver: answer aborted")
)

// ServeHTTP is the seam to net/http.
func (e *engine) ServeHTTP(hw http.ResponseWriter, hr *http.Request) {
	if !e.begin() {
		panic(http.ErrAbortHandler)
	}
	defer e.end()
	c := hr.Context().Value(connKey{}).(*conn)
	c.serving.Store(true)

	r, status, reason := e.parse(hw, hr)
	if status != 0 {
		e.refuseHere(hw, c, status, reason, hr.Method == http.MethodHead)
		return
	}
	w := &answer{hw: hw, minor: hr.ProtoMinor, head: hr.Method == http.MethodHead,
		// net/http accepts a Content-Length beside "chunked" and a transfer coding in HTTP/1.0, and
		// hides both from us. Whoever sends those may be smuggling: such a connection carries no
		// second request (RFC 9112 section 6.1).
		last: hr.ContentLength < 0 || hr.ProtoMinor == 0}
	panicked := e.call(hr.Context(), w, r)
	switch {
	case w.aborted || panicked && w.begun:
		panic(http.ErrAbortHandler) // net/http then closes without ending the body
	case !w.begun:
		if !panicked {
			e.log.Error("BUG: handler returned without an answer", "method", r.Method, "host", r.Host, "path", r.Path)
		}
		e.refuseHere(hw, c, 500, ReasonInternal, w.head)
	}
}

// call runs the handler and contains its panic: one broken request must not take the others along.
func (e *engine) call(ctx context.Context, w ResponseWriter, r *Request) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
			e.log.Error("BUG: handler panicked", "panic", p, "method", r.Method, "host", r.Host, "path", r.Path, "stack", string(debug.Stack()))
		}
	}()
	e.handler.Serve(ctx, w, r)
	return false
}

// refuseHere refuses a request that net/http has parsed. It goes around net/http, so that the status
// text is ours and the bytes are the same as for a request that could not be parsed.
func (e *engine) refuseHere(hw http.ResponseWriter, c *conn, status int, reason string, head bool) {
	if _, _, err := http.NewResponseController(hw).Hijack(); err != nil {
		panic(http.ErrAbortHandler)
	}
	c.sendRefusal(status, reason, head)
	c.Close()
}

// answer is the ResponseWriter over net/http's.
type answer struct {
	hw      http.ResponseWriter
	minor   int
	head    bool
	last    bool // the connection closes after it
	begun   bool
	aborted bool
	bodied  bool  // body octets are sent, not only counted
	left    int64 // of the announced length; < 0: not announced
}

// Begin implements ResponseWriter.
func (a *answer) Begin(status int, fields message.Fields, length int64) error {
	if a.begun {
		return errBegun
	}
	if a.aborted {
		return errAborted
	}
	a.begun = true
	a.left = length
	a.bodied = !a.head && bodyAllowed(status)
	h := a.hw.Header()
	// A nil entry keeps net/http from adding its own.
	h["Date"], h["Content-Type"] = nil, nil
	for _, f := range fields {
		name := f.Name
		switch canonical := textproto.CanonicalMIMEHeaderKey(name); {
		case framing(canonical):
			continue
		case canonical == "Date" || canonical == "Content-Type":
			name = canonical // under another spelling it would stand beside our nil
		}
		h[name] = append(h[name], f.Value)
	}
	a.frame(h, status, length)
	a.hw.WriteHeader(status)
	return nil
}

// frame says how the body ends and whether the connection lives on.
func (a *answer) frame(h http.Header, status int, length int64) {
	switch {
	case status == http.StatusNoContent || status < 200:
	case length >= 0:
		h["Content-Length"] = []string{itoa(length)}
	case a.bodied && a.minor > 0:
		// Said aloud, or net/http would turn a short body into one with a length.
		h["Transfer-Encoding"] = []string{"chunked"}
	}
	if a.last {
		h["Connection"] = []string{"close"}
	} else {
		h["Connection"] = []string{"keep-alive"}
	}
}

// Write implements ResponseWriter. Where no body follows it only counts.
func (a *answer) Write(p []byte) (int, error) {
	switch {
	case a.aborted:
		return 0, errAborted
	case !a.begun:
		return 0, errNotBegun
	case a.left >= 0 && int64(len(p)) > a.left:
		return 0, errTooLong
	}
	if a.left >= 0 {
		a.left -= int64(len(p))
	}
	if !a.bodied {
		return len(p), nil
	}
	return a.hw.Write(p)
}

// Flush implements ResponseWriter.
func (a *answer) Flush() error {
	if a.aborted {
		return errAborted
	}
	return http.NewResponseController(a.hw).Flush()
}

// Abort implements ResponseWriter. The cut happens when the handler returns.
func (a *answer) Abort() { a.aborted = true }

// framing tells the fields that are the engine's alone.
func framing(canonical string) bool {
	switch canonical {
	case "Connection", "Content-Length", "Transfer-Encoding", "Trailer", "Keep-Alive":
		return true
	}
	return false
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
