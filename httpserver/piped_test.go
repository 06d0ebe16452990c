package httpserver

import (
	"net"
	"sync"
	"testing"
	"time"
)

// piped is a listener whose connections are pipes: a server behind it may run in a bubble of synctest, where times are exact
// however busy the machine is. Nothing is kept underway: a write waits until the other side has read it.
type piped struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func (p *piped) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *piped) Addr() net.Addr { return &net.TCPAddr{} }
func (p *piped) Close() error   { p.close(); return nil }

// startPiped runs s, within a bubble, until the test ends. dial is a viewer's way to it.
func startPiped(t *testing.T, s *Server) (dial func() net.Conn) {
	t.Helper()
	l := &piped{conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	s.Listener = l
	start(t, s)
	return func() net.Conn {
		viewer, server := net.Pipe()
		l.conns <- server
		viewer.SetDeadline(time.Now().Add(time.Minute))
		t.Cleanup(func() { viewer.Close() })
		return viewer
	}
}
