package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

// conn is a viewer's connection. Its fields belong to its goroutine, except where they say otherwise.
type conn struct {
	e      *engine
	nc     net.Conn
	raw    syscall.RawConn // nil: through nc
	wire   *wire           // nil: plain HTTP
	tls    *tls.Conn       // over wire; nil: no handshake has begun
	remote netip.AddrPort
	client netip.Prefix

	scheme     string     // "http" or "https"
	serverName string     // of the handshake
	agreed     *agreement // in it
	protocol   string     // negotiated in the handshake: one of overTCP, or "", which is HTTP/1.1

	place int // in the gate's list; guarded by the gate's lock

	desk    *desk // nil: nothing is at hand
	first   bool  // nothing has been asked yet
	blank   bool  // an empty line in front of the request has been skipped
	broken  bool  // the last answer was cut: no goodbye
	lingers bool  // what the viewer still sends is to be read before the connection is closed
	begun   bool  // a Handler's head is not in the socket's hands
	headDue int64 // when the head that has begun must be there; 0: none has begun

	ctx    context.Context    // made for the first request that goes to the Handler
	cancel context.CancelFunc // nil: no ctx yet; called by the warden too, while handling

	h2 atomic.Pointer[h2conn] // nil: HTTP/1.1

	// What the warden goes by. Times are the engine's.
	readDue, writeDue atomic.Int64 // when to wake who waits; 0: never
	handling          atomic.Bool  // a Handler runs
	gone              atomic.Bool  // the viewer has hung up meanwhile
	halted            atomic.Bool  // reads end now: the handler has returned
	held              atomic.Int64 // since when the head of an answer waits for the viewer; 0: none does. HTTP/2 has its own

	read  reading
	write writing
}

var errHalted = errors.New("httpserver: request is over")

func newConn(e *engine, nc net.Conn) *conn {
	c := &conn{e: e, nc: nc, scheme: "http", first: true}
	if e.tls != nil {
		c.wire = &wire{Conn: nc, c: c}
	}
	c.raw = rawConn(c.nc)
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		c.remote = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		if !e.proxied { // or it is the balancer
			c.client = client(c.remote.Addr())
		}
	}
	if c.raw != nil {
		c.read.ready, c.write.ready = c.readable, c.writable
	}
	return c
}

// serve is the connection's goroutine. What was negotiated is in c.protocol: this is where the protocols of
// overTCP part.
func (c *conn) serve() {
	defer c.end()
	if c.raw != nil {
		c.raw.Control(boundUnsent)
	}
	if !c.introduced() || !c.secure() {
		return
	}
	if c.desk != nil && len(c.desk.rest()) > 0 && !c.work() { // it came along with the header
		return
	}
	if c.protocol == protoHTTP2 {
		c.http2()
		return
	}
	for c.more() && c.work() {
	}
}

// more waits for octets of the next head.
func (c *conn) more() bool {
	if c.e.yields && !c.first {
		// By the time it is its turn again its viewer has often sent the next request, which saves an attempt
		// to read nothing and the way through the poller: a twentieth of a small hit. With more cores
		// it costs more than that: who yields goes on on any of them, away from what its own has in its cache.
		runtime.Gosched()
	}
	due := c.headDue
	switch {
	case due != 0:
	case c.first:
		due = c.e.after(c.e.limits.ReadHeaderTimeout)
	default:
		due = c.e.after(c.e.limits.IdleTimeout)
	}
	n, err := c.readInto(nil, due)
	if err != nil {
		return false
	}
	c.desk.in = c.desk.in[:len(c.desk.in)+n]
	return true
}

// work answers every request that is there completely. It reports whether the connection lives on.
func (c *conn) work() bool {
	if c.first && c.e.h2c {
		switch whole, maybe := prefaced(c.desk.rest()); {
		case whole:
			c.http2()
			return false
		case maybe && c.headDue == 0:
			c.headDue = c.e.after(c.e.limits.ReadHeaderTimeout)
			return true
		case maybe:
			return true
		}
	}
	for {
		n, no := c.head()
		if no.status != 0 {
			if c.flush(Rest{}) {
				c.refuse(no, c.desk.req.Method)
			}
			return false
		}
		if n == 0 {
			return c.flush(Rest{})
		}
		c.first, c.blank, c.headDue = false, false, 0
		if !c.request(n) {
			return false
		}
	}
}

// head parses the next head. It returns its length, 0 when it is not there completely.
func (c *conn) head() (n int, no refusal) {
	d, l := c.desk, &c.e.limits
	d.req.Method = ""
	b := d.rest()
	if len(b) >= 2 && b[0] == '\r' && b[1] == '\n' && !c.blank {
		c.blank = true // RFC 9112 section 2.2: one empty line before a request line is forgiven
		d.use(2)
		b = d.rest()
	}
	if len(b) == 0 {
		return 0, no
	}
	if n = h1.HeadEnd(b, d.scanned); n == 0 {
		return 0, c.partial(b)
	}
	no = d.parse(b[:n], l.MaxURI)
	d.req.Remote, d.req.Scheme, d.req.ServerName, d.req.TLS = c.remote, c.scheme, c.serverName, c.agreed.of(c.first)
	if n > l.MaxHeader && no != longTarget {
		no = largeHead
	}
	return n, no
}

// partial judges what has come of a head so far.
func (c *conn) partial(b []byte) refusal {
	d, l := c.desk, &c.e.limits
	if c.headDue == 0 {
		c.headDue = c.e.after(l.ReadHeaderTimeout)
	}
	from := d.scanned
	d.scanned = len(b)
	line := b[:min(len(b), l.MaxURI+64)] // a method may take the 64 with its version
	switch {
	case b[0] == '\r' && len(b) == 1 && !c.blank:
		return refusal{}
	case !h1.MayBecomeHead(b, from):
		return malformed
	case len(b) >= l.MaxURI+64 && bytes.IndexByte(line, '\n') < 0:
		return longTarget
	case len(b) > l.MaxHeader:
		return largeHead
	}
	return refusal{}
}

// request answers the parsed request, whose head is n octets: inline if it can be.
func (c *conn) request(n int) bool {
	d := c.desk
	if d.inline != nil && c.plain() {
		out, rest, ok, panicked := d.ask(c.e, d.out)
		switch {
		case panicked:
			if c.flush(Rest{}) {
				d.inline = c.e.answerer.Inline() // the old one may be in any state
				c.refuse(refusal{500, ReasonInternal}, d.req.Method)
			}
			return false
		case ok:
			d.out = out
			d.use(n)
			if rest.size() > 0 || len(d.out) >= fullBatch {
				return c.flush(rest)
			}
			return true
		}
	}
	return c.flush(Rest{}) && c.handle(n)
}

// plain tells whether the request may be offered to the inline answerer.
func (c *conn) plain() bool {
	p := &c.desk.parser
	return p.req.Minor == 1 && p.length == 0 && !p.closes && !p.expects && !p.reserved &&
		(p.req.Method == "GET" || p.req.Method == "HEAD") && !c.e.leaving.Load()
}

// flush sends what has been answered, and rest behind it.
func (c *conn) flush(rest Rest) bool {
	d, n := c.desk, rest.size()
	if len(d.out) == 0 && n == 0 {
		d.sent() // it has been asked, and has declined
		return true
	}
	left, err := c.send(d.out, rest)
	runtime.KeepAlive(rest.Pages)
	d.sent()
	if n > 0 {
		d.inline.Done(int64(n-min(left, n)), err != nil)
	}
	d.out = d.out[:0]
	return err == nil
}

// handle gives the request to the Handler, with a copy of its head.
func (c *conn) handle(n int) bool {
	d := c.desk
	x := &turn{}
	d.lasting(d.rest()[:n], &x.req)
	x.open(c, d.framing)
	d.use(n)
	if c.ctx == nil {
		c.ctx, c.cancel = context.WithCancel(c.e.base)
	}
	c.handling.Store(true)
	panicked := c.e.serve(c.ctx, &x.answer, &x.req)
	c.handling.Store(false)
	return x.close(panicked)
}

// refuse writes a last answer of the engine's own. method is "" where none could be read.
func (c *conn) refuse(no refusal, method string) {
	of := &message.Request{Method: method, Scheme: c.scheme, Major: 1, Minor: 1, Remote: c.remote, ServerName: c.serverName, TLS: c.agreed.of(c.first)}
	c.refuseAs(no, of, method == "HEAD")
}

// refuseAs says of what; nil: of what a Handler has had.
func (c *conn) refuseAs(no refusal, of *message.Request, head bool) {
	c.lingers = true
	c.send(c.e.refusal(no, of, head).bytes(), Rest{})
}

// lingerTime is how long a connection is read after its last answer when the viewer is still sending.
// Closing with unread octets makes the kernel send a reset, which can overtake the answer.
const lingerTime = 500 * time.Millisecond

// end closes the connection.
func (c *conn) end() {
	if p := recover(); p != nil {
		c.lingers, c.broken, c.desk = false, true, nil
		c.e.log.Error("BUG: connection panicked", "panic", p, "stack", string(debug.Stack()))
	}
	if c.cancel != nil {
		c.cancel()
	}
	h := c.h2.Load()
	if h != nil {
		h.stop()
		defer h.wait()
	}
	c.goodbye()
	if cw, ok := c.nc.(interface{ CloseWrite() error }); ok && c.lingers && !c.gone.Load() {
		cw.CloseWrite()
		c.nc.SetReadDeadline(time.Now().Add(lingerTime))
		io.Copy(io.Discard, io.LimitReader(c.nc, 1<<20))
	}
	c.e.gate.leave(c)
	c.nc.Close()
	if c.desk != nil {
		c.e.giveBack(c.desk)
		c.desk = nil
	}
	if c.wire != nil && !c.broken { // or somebody may still have its buffer
		c.wire.giveBack()
	}
}
