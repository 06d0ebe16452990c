package node

import (
	"net"
	"net/http"
	"sync"
)

// How many connections the control listener has at once (L9). Beyond the second the oldest that has not sent a request yet is closed, so that who opens
// many and says nothing takes no place of those who do. Beyond the first the one that waits longest for its next request is closed, or else the oldest without a
// request, which may be the new one. What one that is let in may take is the server's: 10 s for a request's head, 60 s for all of it, 2 min until the next; and 30 s in which
// it takes nothing of an answer (patient).
const (
	maxControlConns  = 1024
	maxControlSilent = 256
)

// crowd is the connections of a listener. Its methods may be called concurrently; the zero value is empty.
type crowd struct {
	mu    sync.Mutex
	turn  uint64
	conns map[net.Conn]stand
}

// stand is what a connection does, and since which turn.
type stand struct {
	state http.ConnState
	since uint64
}

// moved is http.Server.ConnState.
func (c *crowd) moved(conn net.Conn, to http.ConnState) {
	if out := c.note(conn, to); out != nil {
		out.Close()
	}
}

// note notes what a connection does now, and returns one that has to go for it.
func (c *crowd) note(conn net.Conn, to http.ConnState) (out net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to == http.StateClosed || to == http.StateHijacked {
		delete(c.conns, conn)
		return nil
	}
	if c.conns == nil {
		c.conns = map[net.Conn]stand{}
	}
	c.turn++
	c.conns[conn] = stand{to, c.turn}
	if to != http.StateNew {
		return nil
	}
	switch silent, oldest := c.in(http.StateNew); {
	case silent > maxControlSilent:
		out = oldest
	case len(c.conns) > maxControlConns:
		if _, out = c.in(http.StateIdle); out == nil {
			out = oldest
		}
	}
	delete(c.conns, out)
	return out
}

// in counts the connections in a state, and returns the one that is longest in it.
func (c *crowd) in(state http.ConnState) (n int, oldest net.Conn) {
	for conn, s := range c.conns {
		if s.state != state {
			continue
		}
		if n++; oldest == nil || s.since < c.conns[oldest].since {
			oldest = conn
		}
	}
	return n, oldest
}
