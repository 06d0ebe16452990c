package node

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// How many connections the control listener has at once (L9). Beyond the second the oldest that has not sent a request yet is closed, so that who opens
// many and says nothing takes no place of those who do. Beyond the first the one that waits longest for its next request is closed, or else the one whose request's body has been
// on its way for longest, so that who sends many of them slowly keeps nobody out; or else the oldest without a request, which may be the new one. What one that is let in may take is the server's: 10 s for a request's head, 60 s for all of it, 2 min until the next; and 30 s in which
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
	state   http.ConnState
	since   uint64
	sending uint64 // since when the body of its request has been on its way; 0: it is not
}

// serve has a server go by the crowd.
func (c *crowd) serve(s *http.Server) *http.Server {
	type connection struct{}
	s.ConnState = c.moved
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connection{}, conn)
	}
	then := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			then.ServeHTTP(w, r)
			return
		}
		b := &sentBody{ReadCloser: r.Body, crowd: c, conn: r.Context().Value(connection{}).(net.Conn)}
		c.sends(b.conn, true)
		own := r.WithContext(r.Context()) // the server looks at its own one's body when it answers
		own.Body = b
		then.ServeHTTP(w, own)
		if !b.ended { // the server reads some of the rest
			c.sends(b.conn, true)
		}
	})
	return s
}

// sentBody is the body of a request, as it comes.
type sentBody struct {
	io.ReadCloser
	crowd *crowd
	conn  net.Conn
	ended bool
}

func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !b.ended {
		b.ended = true
		b.crowd.sends(b.conn, false)
	}
	return n, err
}

// sends notes whether the body of a connection's request is on its way.
func (c *crowd) sends(conn net.Conn, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.conns[conn]
	if !ok {
		return
	}
	switch c.turn++; {
	case !is:
		s.sending = 0
	case s.sending == 0:
		s.sending = c.turn
	}
	c.conns[conn] = s
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
	c.conns[conn] = stand{state: to, since: c.turn}
	if to != http.StateNew {
		return nil
	}
	switch silent, oldest := c.in(http.StateNew); {
	case silent > maxControlSilent:
		out = oldest
	case len(c.conns) > maxControlConns:
		if _, out = c.in(http.StateIdle); out == nil {
			out = c.slowest()
		}
		if out == nil {
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

// slowest returns the one whose request's body has been on its way for longest; nil: there is none.
func (c *crowd) slowest() (out net.Conn) {
	for conn, s := range c.conns {
		if s.sending > 0 && (out == nil || s.sending < c.conns[out].sending) {
			out = conn
		}
	}
	return out
}
