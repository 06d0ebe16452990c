package node

import (
	"net"
	"sync"
	"time"
)

// patient is a listener with clients that may be slow to take an answer, but not stop: it cuts who takes less than a piece of it in so long. The server
// has one limit for whole answers, and some have no end.
type patient struct{ net.Listener }

const (
	controlStall = 30 * time.Second
	controlPiece = 16 << 10
)

func (l patient) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &patientConn{Conn: c}, nil
}

type patientConn struct {
	net.Conn

	mu    sync.Mutex
	until time.Time // when whoever answers wants to be done; zero: whenever. Guarded by mu
}

// SetWriteDeadline is for an answer that knows better: the sooner of both counts.
func (c *patientConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = t
	return c.Conn.SetWriteDeadline(t)
}

func (c *patientConn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// CloseWrite is asked for by the server, which ends so what the client may not have read yet.
func (c *patientConn) CloseWrite() error {
	if x, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return x.CloseWrite()
	}
	return nil
}

func (c *patientConn) Write(b []byte) (n int, err error) {
	for {
		if err := c.allow(time.Now().Add(controlStall)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(b[:min(len(b), controlPiece)])
		n += m
		if b = b[m:]; err != nil || len(b) == 0 {
			return n, err
		}
	}
}

// allow sets the deadline of one piece.
func (c *patientConn) allow(until time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.until.IsZero() && c.until.Before(until) {
		until = c.until
	}
	return c.Conn.SetWriteDeadline(until)
}
