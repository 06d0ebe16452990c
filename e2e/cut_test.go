package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cutter is a way that can be cut: what comes to its address goes on to another, until it is.
type cutter struct {
	net.Listener
	to string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
	all   sync.WaitGroup
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, to: to, conns: map[net.Conn]bool{}}
	c.all.Go(c.serve)
	t.Cleanup(func() { l.Close(); c.set(true); c.all.Wait() })
	return c
}

func (c *cutter) serve() {
	for {
		in, err := c.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", c.to)
		if err != nil {
			in.Close()
			continue
		}
		c.mu.Lock()
		c.conns[in], c.conns[out] = true, true
		if c.cut {
			in.Close()
			out.Close()
		}
		c.mu.Unlock()
		c.all.Go(func() { c.carry(in, out) })
		c.all.Go(func() { c.carry(out, in) })
	}
}

func (c *cutter) carry(from, to net.Conn) {
	io.Copy(to, from)
	from.Close()
	to.Close()
	c.mu.Lock()
	delete(c.conns, from)
	c.mu.Unlock()
}

// set cuts it, all connections too, or mends it.
func (c *cutter) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if cut {
		for conn := range c.conns {
			conn.Close()
		}
	}
}
