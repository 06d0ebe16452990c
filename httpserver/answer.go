package httpserver

import (
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

var (
	errBegun    = errors.New("httpserver: answer begun twice")
	errNotBegun = errors.New("httpserver: body before Begin")
	errTooLong  = errors.New("httpserver: body longer than announced")
	errAborted  = errors.New("httpserver: answer aborted")
	errRefused  = errors.New("httpserver: the request's body was malformed and has been refused")
	errStatus   = errors.New("httpserver: no such final status")
)

// turn is one request in its Handler's hands, with its body and its answer. It is new for every
// request, so whoever keeps it beyond the handler's return reaches nothing of the next one.
type turn struct {
	req    Request
	body   body
	answer answer
}

func (x *turn) open(c *conn, f framing) {
	x.answer = answer{x: x, c: c, minor: x.req.Minor, head: x.req.Method == "HEAD", last: f.closes}
	x.body.c, x.body.x, x.body.expects = c, x, f.expects
	if f.length != 0 {
		x.body.chunked = f.length < 0
		x.body.left.Store(f.length)
		x.body.state.Store(bodyOpen)
		x.req.Body = &x.body
	}
}

// close ends the turn after the handler has returned. It reports whether the connection lives on.
func (x *turn) close(panicked bool) bool {
	a, c := &x.answer, x.answer.c
	free := x.body.stop()
	a.over = true
	switch {
	case a.refused:
		return false
	case a.aborted || panicked && a.begun:
		a.cut()
		return false
	case !a.begun && !panicked && x.body.refusal().status != 0:
		c.refuseAs(x.body.refusal(), nil, a.head) // a handler that could not read the body has nothing to say
		return false
	case !a.begun && !panicked && (c.gone.Load() || x.body.state.Load() == bodyCut):
		return false
	case !a.begun:
		if !panicked {
			c.e.log.Error("BUG: handler returned without an answer", "method", x.req.Method, "host", x.req.Host, "path", x.req.Path)
		}
		c.refuseAs(refusal{500, ReasonInternal}, unheard(&x.req, panicked), a.head)
		return false
	}
	if err := a.end(); err != nil {
		return false
	}
	if a.last || !free || !x.body.discard() {
		c.lingers = true
		return false
	}
	return true
}

// answer is the ResponseWriter. What it lays out gathers in the desk's out; large pieces go straight to
// the socket, behind what has gathered, in one call.
type answer struct {
	x     *turn
	c     *conn
	minor int
	head  bool
	last  bool // the connection closes after it

	mu      sync.Mutex // held to begin, and to tell the viewer to go on: one excludes the other
	begun   bool       // guarded by mu for whoever is not the handler
	refused bool       // by the engine, over the body
	aborted bool
	over    bool  // the handler has returned
	bodied  bool  // body octets are sent, not only counted
	chunked bool  //
	left    int64 // of the announced length; < 0: not announced
	sent    bool  // something has left
	err     error // the socket's: nothing is sent after it
}

const (
	// smallPiece is up to where copying costs less than a second entry for the kernel to walk.
	smallPiece = 8 << 10
	// fullOut is how much gathers before it is sent unasked.
	fullOut = 16 << 10
)

// Begin implements ResponseWriter.
func (a *answer) Begin(status int, fields message.Fields, length int64) error {
	switch {
	case a.begun:
		return errBegun
	case a.aborted || a.over:
		return errAborted
	case status < 200 || status > 999:
		return errStatus
	}
	if no := a.x.body.refusal(); no.status != 0 {
		return a.refuse(no)
	}
	a.mu.Lock()
	a.begun, a.c.begun = true, true
	a.mu.Unlock()
	a.left = length
	a.bodied = !a.head && bodyAllowed(status)
	a.chunked = a.bodied && length < 0 && a.minor > 0
	a.last = a.last || a.c.e.draining.Load() || !a.x.body.short() || a.bodied && length < 0 && !a.chunked
	if status == 204 {
		length = -1
	}
	d := a.c.desk
	d.out = append(appendHead(d.out, status, fields, ending{length, a.chunked, a.last}), '\r', '\n')
	return nil
}

// refuse answers in the handler's place.
func (a *answer) refuse(no refusal) error {
	a.mu.Lock()
	a.begun, a.refused = true, true
	a.mu.Unlock()
	a.c.refuseAs(no, nil, a.head)
	return errRefused
}

// Write implements ResponseWriter. Where no body follows it only counts.
func (a *answer) Write(p []byte) (int, error) {
	switch {
	case a.aborted || a.over:
		return 0, errAborted
	case a.refused:
		return 0, errRefused
	case !a.begun:
		return 0, errNotBegun
	case a.left >= 0 && int64(len(p)) > a.left:
		return 0, errTooLong
	case a.err != nil:
		return 0, a.err
	}
	if a.left >= 0 {
		a.left -= int64(len(p))
	}
	if !a.bodied || len(p) == 0 {
		return len(p), nil
	}
	d, n := a.c.desk, len(p)
	if a.chunked {
		d.out = append(strconv.AppendUint(d.out, uint64(len(p)), 16), '\r', '\n')
	}
	if len(p) < smallPiece {
		d.out = append(d.out, p...)
		p = nil
	}
	if p != nil || len(d.out) >= fullOut {
		a.send(p)
	}
	if a.chunked {
		d.out = append(d.out, '\r', '\n')
	}
	if a.err != nil {
		return 0, a.err
	}
	return n, nil
}

// send hands what has gathered, and p behind it, to the socket.
func (a *answer) send(p []byte) {
	d := a.c.desk
	if a.err == nil && len(d.out)+len(p) > 0 {
		a.sent = true
		_, a.err = a.c.send(d.out, Rest{Octets: p})
		a.c.begun = false
	}
	d.out = d.out[:0]
}

// Flush implements ResponseWriter.
func (a *answer) Flush() error {
	if a.aborted || a.over {
		return errAborted
	}
	a.send(nil)
	return a.err
}

// Abort implements ResponseWriter. The cut happens when the handler returns.
func (a *answer) Abort() { a.aborted = true }

// end sends what is left of a complete answer. A handler that has written too little gets the cut that
// its viewer must see.
func (a *answer) end() error {
	if a.bodied && a.left > 0 {
		a.send(nil)
		return errAborted
	}
	if a.chunked {
		a.c.desk.out = append(a.c.desk.out, "0\r\n\r\n"...)
	}
	a.send(nil)
	return a.err
}

// cut forgets what has not been sent. A body that only the end of the connection ends must not end
// cleanly: a reset tells.
func (a *answer) cut() {
	a.c.desk.out = a.c.desk.out[:0]
	a.c.broken = true
	if l, ok := a.c.nc.(interface{ SetLinger(int) error }); ok && a.sent && a.bodied && a.left < 0 && !a.chunked {
		l.SetLinger(0)
	}
}

// ending is what the engine says about an answer.
type ending struct {
	length  int64 // < 0: not said
	chunked bool
	last    bool
}

// AppendHead appends the head of an answer as Begin lays it out for a viewer of HTTP/1.1 whose
// connection lives on, without the empty line that ends it: more fields may follow.
func AppendHead(dst []byte, status int, fields message.Fields, length int64) []byte {
	return appendHead(dst, status, fields, ending{length: length})
}

// appendHead lays out status line and fields. What it says itself follows Content-Type, where
// CloudFront has it, or comes first. A field that would not arrive as the one line that it is gets
// dropped: what comes from elsewhere must not split an answer.
func appendHead(dst []byte, status int, fields message.Fields, e ending) []byte {
	dst = appendStatusLine(dst, status)
	kind := contentType(fields)
	if kind < 0 {
		dst = e.append(dst)
	}
	for i := range fields {
		if f := &fields[i]; !framingField(f.Name) && h1.OneLine(f) {
			dst = append(append(append(dst, f.Name...), ": "...), f.Value...)
			dst = append(dst, '\r', '\n')
		}
		if i == kind {
			dst = e.append(dst)
		}
	}
	return dst
}

// contentType is the index of that field, or -1.
func contentType(fields message.Fields) int {
	for i := range fields {
		if len(fields[i].Name) == len("Content-Type") && strings.EqualFold(fields[i].Name, "Content-Type") {
			return i
		}
	}
	return -1
}

func (e ending) append(dst []byte) []byte {
	switch {
	case e.chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case e.length >= 0:
		dst = append(dst, "Content-Length: "...)
		dst = append(strconv.AppendInt(dst, e.length, 10), '\r', '\n')
	}
	if e.last {
		return append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "Connection: keep-alive\r\n"...)
}

// framingField tells the fields that are the engine's alone.
func framingField(name string) bool {
	switch len(name) {
	case 7:
		return strings.EqualFold(name, "Trailer")
	case 10:
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive")
	case 14:
		return strings.EqualFold(name, "Content-Length")
	case 17:
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

func bodyAllowed(status int) bool { return status != 204 && status != 304 }
