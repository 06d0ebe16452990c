package httpserver

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// gate is the listener that net/http accepts from. It counts connections, turns away those beyond
// the limits with an answer, and hands out *conn.
type gate struct {
	net.Listener
	engine *engine

	mu        sync.Mutex
	conns     map[*conn]struct{}   // guarded by mu
	perClient map[netip.Prefix]int // guarded by mu; only when there is a limit
	refusing  chan struct{}        // a slot per connection being turned away
	refusers  sync.WaitGroup
	closed    bool // guarded by mu
}

// maxRefusing bounds the connections that get an answer while they are turned away; beyond it they
// are closed at once, because a flood must not be answered politely.
const maxRefusing = 64

// lingerTime is how long a connection is read after its refusal. Closing with unread octets makes the
// kernel send a reset, which can overtake the answer.
const lingerTime = 500 * time.Millisecond

func newGate(l net.Listener, e *engine) *gate {
	return &gate{
		Listener:  l,
		engine:    e,
		conns:     map[*conn]struct{}{},
		perClient: map[netip.Prefix]int{},
		refusing:  make(chan struct{}, maxRefusing),
	}
}

// Accept returns the next connection that is within the limits.
func (g *gate) Accept() (net.Conn, error) {
	for {
		nc, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: nc, gate: g, client: client(nc.RemoteAddr())}
		if g.admit(c) {
			return c, nil
		}
		g.turnAway(c)
	}
}

func (g *gate) admit(c *conn) bool {
	l := &g.engine.limits
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.MaxConns > 0 && len(g.conns) >= l.MaxConns {
		return false
	}
	if l.MaxConnsPerClient > 0 && c.client.IsValid() {
		if g.perClient[c.client] >= l.MaxConnsPerClient {
			return false
		}
		g.perClient[c.client]++
	}
	g.conns[c] = struct{}{}
	return true
}

func (g *gate) leave(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.conns[c]; !ok {
		return
	}
	delete(g.conns, c)
	if n, ok := g.perClient[c.client]; ok {
		if n--; n == 0 {
			delete(g.perClient, c.client)
		} else {
			g.perClient[c.client] = n
		}
	}
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

func (g *gate) turnAway(c *conn) {
	select {
	case g.refusing <- struct{}{}:
	default:
		c.Conn.Close()
		return
	}
	g.refusers.Go(func() {
		defer func() { <-g.refusing }()
		c.sendRefusal(503, ReasonTooMany, false)
		c.Close()
	})
}

// closeSilent closes the connections that never sent an octet. net/http waits five seconds for them
// in a shutdown; browsers open such connections in advance and a drain should not wait for those.
func (g *gate) closeSilent() {
	g.mu.Lock()
	var silent []*conn
	for c := range g.conns {
		if !c.heard.Load() {
			silent = append(silent, c)
		}
	}
	g.mu.Unlock()
	for _, c := range silent {
		c.Close()
	}
}

// client is what MaxConnsPerClient counts by: a host has one IPv4 address but a whole IPv6 /64.
func client(a net.Addr) netip.Prefix {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip := ap.Addr().Unmap()
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.WithZone("").Prefix(bits)
	return p
}

type connKey struct{}

// conn is a viewer's connection. Its fields are owned by the connection's goroutine except where
// they are atomic.
type conn struct {
	net.Conn
	gate   *gate
	client netip.Prefix

	heard   atomic.Bool // an octet came
	serving atomic.Bool // from the call of the handler to the idle state after the answer
	line    atomic.Bool // the head being read has a complete request line
	refused atomic.Bool // our refusal is the last thing written
	once    sync.Once
}

// idle is called between two requests, when the whole answer has been written.
func (c *conn) idle() {
	c.serving.Store(false)
	c.line.Store(false)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(true)
		if !c.line.Load() && bytes.IndexByte(p[:n], '\n') >= 0 {
			c.line.Store(true)
		}
	}
	return n, err
}

// maxWrite is the piece that one write deadline covers; a slow viewer of a large body is not a
// stalled one.
const maxWrite = 64 << 10

func (c *conn) Write(p []byte) (int, error) {
	// Outside of a handler nothing writes but net/http with a refusal of its own: a plain text in its
	// own words, sent in one piece. Ours goes out in its place.
	if !c.serving.Load() {
		if status, reason := c.ownRefusal(p); status != 0 {
			c.sendRefusal(status, reason, false)
			return len(p), nil
		}
	}
	return c.write(p)
}

func (c *conn) write(p []byte) (n int, err error) {
	for {
		if t := c.gate.engine.limits.WriteTimeout; t > 0 {
			c.Conn.SetWriteDeadline(time.Now().Add(t))
		}
		m, err := c.Conn.Write(p[:min(len(p), maxWrite)])
		n += m
		if p = p[m:]; err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// ownRefusal recognises a refusal by net/http and gives CloudFront's status for it.
func (c *conn) ownRefusal(p []byte) (status int, reason string) {
	rest, ok := bytes.CutPrefix(p, []byte("HTTP/1.1 "))
	if !ok || len(rest) < 3 {
		return 0, ""
	}
	status, err := strconv.Atoi(string(rest[:3]))
	if err != nil {
		return 0, ""
	}
	switch status {
	case 431:
		if !c.line.Load() {
			return 414, ReasonURITooLong
		}
		return statusHeaderTooLarge, ReasonHeaderLarge
	case 501:
		return 501, ReasonEncoding
	case 505:
		return 505, ReasonVersion
	}
	return 400, ReasonMalformed
}

// sendRefusal writes a complete last answer past net/http. head tells that the request was a HEAD.
func (c *conn) sendRefusal(status int, reason string, head bool) {
	a := &rawAnswer{head: head}
	c.gate.engine.refuse(a, status, reason)
	c.refused.Store(true)
	c.write(a.bytes())
}

// CloseWrite lets net/http end its side first.
func (c *conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

// Close closes the connection; after a refusal it first reads what the viewer is still sending, for
// a bounded time, so that the answer arrives.
func (c *conn) Close() (err error) {
	c.once.Do(func() {
		if c.refused.Load() {
			c.CloseWrite()
			c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
			io.Copy(io.Discard, io.LimitReader(c.Conn, 1<<20))
		}
		c.gate.leave(c)
		err = c.Conn.Close()
	})
	return err
}
