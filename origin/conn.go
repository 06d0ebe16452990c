package origin

import (
	"crypto/tls"
	"io"
	"net"
	"syscall"
	"time"
)

// conn is a connection to an origin. One exchange after the other owns it; in between it lies in its
// pool. It has no goroutine and no buffer.
type conn struct {
	nc     net.Conn // sock, or TLS on it
	sock   *socket
	pool   *pool
	host   string // the name for which TLS was spoken
	reused bool
	keeps  time.Duration // for how long the origin says it keeps it idle; 0: it does not say
	since  time.Time     // when it became idle; guarded by the pool's mu
	one    [1]byte
}

// newConn makes a conn of what connect or connectTLS have made.
func newConn(nc net.Conn, p *pool, host string) *conn {
	c := &conn{nc: nc, pool: p, host: host}
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	c.sock = nc.(*socket)
	return c
}

// due tells whether an idle connection has had its time, or the origin is about to close it, by its own word. What is not sent again
// would get lost in that moment. A second, or half of a short time, is for the way.
func (c *conn) due() bool {
	idle := time.Since(c.since)
	if own := c.pool.key.keepalive; own > 0 && idle >= own {
		return true // the pool's timer is about to find it
	}
	return c.keeps > 0 && idle >= max(c.keeps/2, c.keeps-time.Second)
}

// quiet tells whether an idle connection is open and has nothing to read. An origin that has sent more
// than its answer, in a second piece, would otherwise give the next request a stranger's answer.
func (c *conn) quiet() bool {
	c.sock.atOnce = true
	n, err := c.nc.Read(c.one[:])
	c.sock.atOnce = false
	return n == 0 && err == errNothing
}

// torn tells of an end of what was read that TLS has not announced: anybody on the way may have made it.
func (c *conn) torn() bool { return c.nc != c.sock && c.sock.ended }

// socket is the connection that connect makes, below TLS. It can be read without waiting, so that what
// TLS would have to say is known as well.
type socket struct {
	net.Conn
	raw    syscall.RawConn // nil: the connection has no file descriptor
	atOnce bool            // Read does not wait; owned, as what follows, by whoever owns the connection
	ended  bool            // the origin has closed it

	// Of the read at once; fields, so that it allocates nothing.
	read func(fd uintptr)
	p    []byte
	n    int
	err  error
}

func newSocket(nc net.Conn) *socket {
	s := &socket{Conn: nc}
	if sc, ok := nc.(syscall.Conn); ok && canReadAtOnce {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw, s.read = raw, s.readFD
		}
	}
	return s
}

func (s *socket) Read(p []byte) (int, error) {
	if !s.atOnce {
		n, err := s.Conn.Read(p)
		s.ended = err == io.EOF
		return n, err
	}
	if s.raw == nil {
		// Nearly at once is the best that can be had here.
		s.SetReadDeadline(time.Now().Add(time.Millisecond))
		n, err := s.Conn.Read(p)
		if timeout(err) {
			err = errNothing
		}
		return n, err
	}
	s.p = p
	if err := s.raw.Control(s.read); err != nil {
		return 0, err
	}
	s.p = nil
	return s.n, s.err
}

// nothing is what a read at once gives when there is nothing to read. crypto/tls goes on after an error
// that is temporary.
type nothing struct{}

var errNothing net.Error = nothing{}

func (nothing) Error() string   { return "nothing to read yet" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }
