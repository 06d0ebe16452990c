package origin

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/h1"
)

// roomSize is what is read at once where it is not read into the caller's own memory: heads, the framing
// of chunks, the beginning of every body.
const roomSize = 16 << 10

var rooms = sync.Pool{New: func() any { b := make([]byte, 0, roomSize); return &b }}

// exchange is one request and its answer, and as such the Body of its Response. It belongs to the
// goroutine that calls Fetch and then reads the body; only the request's body is sent by another, and
// the end of the context may interrupt at any time.
type exchange struct {
	ctx   context.Context
	limit time.Duration // for the head of the answer, and for the next octets of its body; 0: none
	due   time.Time     // when the answer must be complete; zero: no limit
	stop  func() bool   // ends the watch on ctx

	room     *[]byte // borrowed memory; nil when there is nothing of it in use
	in       []byte  // what was read and not used yet; lies in room
	answered bool    // at least one octet has come

	reusable bool  // the connection may carry another exchange after this one
	left     int64 // octets of the body to come; -1: until the end of the connection
	chunked  bool
	chunks   h1.Chunks
	err      error // what Read returns from now on

	mu      sync.Mutex
	c       *conn  // guarded by mu, but only its owner changes it; nil: given back
	cause   *Error // guarded by mu: why the exchange was interrupted
	sending bool   // guarded by mu: the request's body is on its way
	ended   func() // guarded by mu: called when the connection is given back; may be nil
}

// fail names what went wrong. What was the reason of an interruption is seen by the connection as a
// matter of time.
func (x *exchange) fail(op string, err error) *Error {
	x.mu.Lock()
	cause := x.cause
	x.mu.Unlock()
	switch {
	case x.ctx.Err() != nil:
		return &Error{Kind: Canceled, Op: op, Err: context.Cause(x.ctx)}
	case cause != nil:
		return cause
	case timeout(err):
		return x.tooLate(op)
	}
	return classify(op, err)
}

func (x *exchange) tooLate(op string) *Error {
	if !x.due.IsZero() && !time.Now().Before(x.due) {
		return &Error{Kind: ReadTimeout, Op: op, Err: errCompletion}
	}
	return &Error{Kind: ReadTimeout, Op: op, Err: errReadTimeout}
}

var past = time.Unix(1, 0)

// interrupt makes every read and write on the connection return.
func (x *exchange) interrupt(cause *Error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.c != nil && x.cause == nil {
		x.cause = cause
		x.c.nc.SetDeadline(past)
	}
}

// allow gives the origin d from now on, and no longer than the whole answer may take: set is one of
// net.Conn's three ways to set a deadline. 0 is no limit but that.
func (x *exchange) allow(d time.Duration, set func(net.Conn, time.Time) error) {
	until := x.due
	if d > 0 {
		if t := time.Now().Add(d); until.IsZero() || t.Before(until) {
			until = t
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.c != nil && x.cause == nil { // or the interruption would be undone
		set(x.c.nc, until)
	}
}

// end gives the connection back, to its pool if it may carry another exchange.
func (x *exchange) end() {
	x.mu.Lock()
	c, ended := x.c, x.ended
	x.c, x.ended = nil, nil
	good := x.reusable && x.cause == nil && !x.sending && len(x.in) == 0
	x.mu.Unlock()
	if c == nil {
		return
	}
	if ended != nil {
		defer ended() // whoever comes then finds the connection
	}
	if x.release(); !x.stop() {
		good = false // ctx has ended, and with it a deadline may come
	}
	if good {
		c.pool.put(c)
	} else {
		c.sock.Close() // without TLS's farewell, which could be waited for
	}
}

// atEnd has f called when the connection has been given back, be it now.
func (x *exchange) atEnd(f func()) {
	x.mu.Lock()
	over := x.c == nil
	if !over {
		x.ended = f
	}
	x.mu.Unlock()
	if over {
		f()
	}
}

// release gives the borrowed memory back.
func (x *exchange) release() {
	if x.room != nil {
		if cap(*x.room) <= 4*roomSize {
			*x.room = (*x.room)[:0]
			rooms.Put(x.room)
		}
		x.room, x.in = nil, nil
	}
}

// ask sends the request and reads the head of the answer.
func (x *exchange) ask(o *distribution.Origin, r *Request, maxHead int) (*head, *Error) {
	x.stop = context.AfterFunc(x.ctx, func() { x.interrupt(errEnded) })
	h, err := x.talk(o, r, maxHead)
	if err != nil {
		x.end()
		return nil, err
	}
	x.reusable = !h.closes && !r.upgrade
	if h.status == 101 {
		x.err = io.EOF // what follows is no body
		return h, nil
	}
	x.c.keeps = h.keeps
	x.left, x.chunked = h.length, h.chunked
	if !h.bodied(r.Method) {
		x.left, x.chunked = 0, false
	}
	if x.left == 0 {
		x.err = io.EOF
		x.end()
	}
	return h, nil
}

func (x *exchange) talk(o *distribution.Origin, r *Request, maxHead int) (*head, *Error) {
	x.room = rooms.Get().(*[]byte)
	out, err := appendRequest((*x.room)[:0], o, r)
	if *x.room = out; err != nil {
		return nil, &Error{Kind: Unsendable, Op: "ask", Err: err}
	}
	x.allow(x.limit, net.Conn.SetDeadline)
	if _, err := x.c.nc.Write(out); err != nil {
		return nil, x.fail("ask", err)
	}
	if r.bodied() {
		// The time for the answer begins when the request is out.
		x.allow(0, net.Conn.SetReadDeadline)
		x.send(r)
	}
	x.in = (*x.room)[:0]
	used := 0 // by interim answers
	for range maxInterim + 1 {
		b, err := x.headOctets(maxHead - used)
		if err != nil {
			return nil, err
		}
		used += len(b)
		h, perr := parseHead(b, r.Method)
		switch {
		case perr == errFieldCount:
			return nil, &Error{Kind: HeaderTooBig, Op: "ask", Err: perr}
		case perr == nil && h.status == 101 && !r.upgrade:
			perr = errSwitches
		}
		if perr != nil {
			return nil, &Error{Kind: Invalid, Op: "ask", Err: perr}
		}
		if h.status >= 200 || h.status == 101 {
			return &h, nil
		}
	}
	return nil, &Error{Kind: Invalid, Op: "ask", Err: errInterims}
}

// headOctets reads a head of at most limit octets and returns a copy of it, which lasts.
func (x *exchange) headOctets(limit int) ([]byte, *Error) {
	for scanned := 0; ; {
		n := h1.HeadEnd(x.in, scanned)
		switch {
		case n > limit, n == 0 && len(x.in) > limit:
			return nil, &Error{Kind: HeaderTooBig, Op: "ask", Err: errHeadSize}
		case n > 0:
			head := bytes.Clone(x.in[:n])
			x.in = x.in[n:]
			return head, nil
		case !h1.MayBecomeHead(x.in, scanned):
			return nil, &Error{Kind: Invalid, Op: "ask", Err: errOctets}
		}
		scanned = len(x.in)
		if err := x.fill(); err != nil {
			return nil, x.fail("ask", err)
		}
	}
}

// fill reads behind what is there.
func (x *exchange) fill() error {
	switch {
	case len(x.in) == 0:
		x.in = (*x.room)[:0]
	case len(x.in) == cap(x.in):
		bigger := make([]byte, len(x.in), max(2*len(x.in), roomSize))
		copy(bigger, x.in)
		*x.room, x.in = bigger, bigger
	}
	n, err := x.c.nc.Read(x.in[len(x.in):cap(x.in)])
	if n == 0 {
		return err
	}
	x.in, x.answered = x.in[:len(x.in)+n], true
	return nil
}
