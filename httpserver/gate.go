package httpserver

import (
	"net"
	"net/netip"
	"sync"
)

// gate knows the connections that are open, and turns away those beyond the limits.
type gate struct {
	limits *Limits

	mu        sync.Mutex
	conns     []*conn              // guarded by mu; each knows its place
	others    int                  // guarded by mu: connections that are not among them
	perClient map[netip.Prefix]int // guarded by mu; only when there is a limit

	refusing chan struct{} // a slot for each connection that is being turned away
}

// maxRefusing bounds the connections that get an answer while they are turned away; beyond it they
// are closed at once, because a flood must not be answered politely.
const maxRefusing = 64

func newGate(l *Limits) *gate {
	return &gate{limits: l, perClient: map[netip.Prefix]int{}, refusing: make(chan struct{}, maxRefusing)}
}

func (g *gate) admit(c *conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.enter(c.client) {
		return false
	}
	c.place = len(g.conns)
	g.conns = append(g.conns, c)
	return true
}

// enter counts one more connection of a client, if there may be one. Requires mu.
func (g *gate) enter(client netip.Prefix) bool {
	if g.limits.MaxConns > 0 && len(g.conns)+g.others >= g.limits.MaxConns {
		return false
	}
	if g.limits.MaxConnsPerClient > 0 && client.IsValid() {
		if g.perClient[client] >= g.limits.MaxConnsPerClient {
			return false
		}
		g.perClient[client]++
	}
	return true
}

// introduce counts a connection that was admitted as nobody's as one of a client's.
func (g *gate) introduce(c *conn, client netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if most := g.limits.MaxConnsPerClient; most > 0 {
		if g.perClient[client] >= most {
			return false
		}
		g.perClient[client]++
	}
	c.client = client
	return true
}

// admitOther counts a connection that each does not visit: one of QUIC.
func (g *gate) admitOther(client netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.enter(client) {
		return false
	}
	g.others++
	return true
}

// leaveOther forgets one that admitOther has counted.
func (g *gate) leaveOther(client netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.others--
	g.exit(client)
}

// crowded tells whether half of the connections that there may be, in all or from one client, are there.
func (g *gate) crowded(client netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.limits
	return l.MaxConns > 0 && len(g.conns)+g.others >= l.MaxConns/2 ||
		l.MaxConnsPerClient > 0 && g.perClient[client] >= l.MaxConnsPerClient/2
}

// exit counts one connection less. Requires mu.
func (g *gate) exit(client netip.Prefix) {
	if n, ok := g.perClient[client]; ok {
		if n--; n == 0 {
			delete(g.perClient, client)
		} else {
			g.perClient[client] = n
		}
	}
}

// leave forgets a connection; one that was not admitted too.
func (g *gate) leave(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.place >= len(g.conns) || g.conns[c.place] != c {
		return
	}
	last := len(g.conns) - 1
	g.conns[c.place] = g.conns[last]
	g.conns[c.place].place = c.place
	g.conns[last] = nil
	g.conns = g.conns[:last]
	g.exit(c.client)
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns) + g.others
}

// each visits the open connections, under the lock: visit must not block.
func (g *gate) each(visit func(*conn)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		visit(c)
	}
}

// begin counts one more request of a connection that may have several at once, if there may be one: a viewer can
// open a hundred at a time, and each has buffers as a connection of HTTP/1.1 has. Those of HTTP/2 that are answered
// inline do not count.
func (e *engine) begin() bool {
	if most := int64(e.limits.MaxConns); e.requests.Add(1) > most && most > 0 {
		e.over()
		return false
	}
	return true
}

// over counts one less.
func (e *engine) over() { e.requests.Add(-1) }

// Connections are those of viewers that are open, by the version of HTTP. One of TCP whose handshake is not complete is
// of HTTP/1.1; one of QUIC is of HTTP/3.
type Connections struct{ HTTP1, HTTP2, HTTP3 int }

// Connections counts them. It may be called at any time.
func (s *Server) Connections() (n Connections) {
	e := s.running.Load()
	if e == nil {
		return n
	}
	g := e.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		if c.h2.Load() != nil {
			n.HTTP2++
		}
	}
	n.HTTP1, n.HTTP3 = len(g.conns)-n.HTTP2, g.others
	return n
}

// turnAway answers a connection that was not admitted and closes it.
func (e *engine) turnAway(c *conn) {
	select {
	case e.gate.refusing <- struct{}{}:
	default:
		c.nc.Close()
		return
	}
	e.running.Go(func() {
		defer func() { <-e.gate.refusing }()
		defer c.end()
		if c.wire == nil { // a handshake is more than who is turned away may cost
			c.refuse(refusal{503, ReasonTooMany}, "")
		}
	})
}

// client is what MaxConnsPerClient counts by: a host has one IPv4 address but a whole IPv6 /64.
func client(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.WithZone("").Prefix(bits)
	return p
}

// accept admits connections until the listener ends.
func (e *engine) accept(l net.Listener) error {
	var pause backoff
	for {
		nc, err := l.Accept()
		if err != nil {
			if pause.retry(err, e.base.Done()) {
				continue
			}
			return err
		}
		pause = 0
		c := newConn(e, nc)
		if !e.gate.admit(c) {
			e.turnAway(c)
			continue
		}
		e.running.Go(c.serve)
	}
}
