package origin

import (
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// conn is a connection to an origin. It closes two gaps of net/http's Transport.
//
// An origin may refuse to take octets for ever; Write has a limit.
//
// An origin may send more than the length that it said. Transport reads ahead, and when the connection
// is taken for the next request in the microseconds before Transport looks, the surplus becomes that
// request's answer: a wrong object under a right key. settle closes this: Transport asks for octets
// only when it has used up all that it was given, so a connection with its reader inside Read has
// nothing left over, and one with a surplus is closed by Transport as soon as it looks.
type conn struct {
	net.Conn
	timeout time.Duration // of a Write; 0: none

	mu      sync.Mutex
	change  sync.Cond
	reading bool // guarded by mu: Transport waits inside Read
	closed  bool // guarded by mu
	silent  bool // guarded by mu: settled, and the next request not yet written: nothing may come
}

func newConn(nc net.Conn, timeout time.Duration) *conn {
	c := &conn{Conn: nc, timeout: timeout}
	c.change.L = &c.mu
	return c
}

var errUnasked = errors.New("the origin sent octets that nobody asked for")

func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	c.reading = true
	c.change.Broadcast()
	c.mu.Unlock()

	n, err := c.Conn.Read(p)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if n > 0 && c.silent {
		return 0, errUnasked
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.silent = false
	c.mu.Unlock()
	if c.timeout > 0 {
		c.SetWriteDeadline(time.Now().Add(c.timeout))
	}
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.change.Broadcast()
	c.mu.Unlock()
	return c.Conn.Close()
}

// settle waits until Transport's reader has used up everything, or has closed the connection over a
// surplus; then Transport takes another connection by itself. It waits for no network, only for
// Transport's goroutine to come round.
func (c *conn) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.reading && !c.closed {
		c.change.Wait()
	}
	c.silent = true
}

// settled is called by Transport with the connection that it has chosen, before it counts on an
// answer from it.
var settled = &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
	if c, ok := info.Conn.(*conn); ok && info.Reused {
		c.settle()
	}
}}
