package e2e

import (
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// cutter is a way that can be cut: what comes to its address goes on to another, until it is.
type cutter struct {
	net.Listener
	to    string
	after time.Duration // that it has come

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
	all   sync.WaitGroup
}

func newCutter(t *testing.T, to string, after time.Duration) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, to: to, after: after, conns: map[net.Conn]bool{}}
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
	late(to, from, c.after)
	from.Close()
	to.Close()
	c.mu.Lock()
	delete(c.conns, from)
	c.mu.Unlock()
}

// late copies what comes, each piece as long after it has come. What is on its way is bounded: who sends more waits.
func late(to io.Writer, from io.Reader, after time.Duration) {
	type piece struct {
		at time.Time
		b  []byte
	}
	way := make(chan piece, 64)
	var sending sync.WaitGroup
	sending.Go(func() {
		for p := range way {
			<-time.After(time.Until(p.at))
			if _, err := to.Write(p.b); err != nil {
				break
			}
		}
		for range way {
		}
	})
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if n > 0 {
			way <- piece{time.Now().Add(after), b[:n]}
		}
		if err != nil {
			break
		}
	}
	close(way)
	sending.Wait()
}

// TestMain is the small proxy that delays, for a host where only a process of its own can be.
func TestMain(m *testing.M) {
	said := os.Getenv("E2E_DELAY")
	if said == "" {
		os.Exit(m.Run())
	}
	of := strings.Split(said, ",")
	after, err := time.ParseDuration(of[2])
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", of[0])
	if err != nil {
		panic(err)
	}
	c := &cutter{Listener: l, to: of[1], after: after, conns: map[net.Conn]bool{}}
	c.serve()
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
