package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// ClientConfig is how all TLS loads connect: TLS 1.3, the key exchange that all servers know, no sessions
// resumed. Certificates are not verified: that would be the generator's price, not the server's.
func ClientConfig(serverName string, protocols ...string) *tls.Config {
	return &tls.Config{
		ServerName: serverName, NextProtos: protocols, InsecureSkipVerify: true,
		MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519},
	}
}

// secure is a TLS connection over a socket that a loop polls.
type secure struct {
	fd       int
	tls      *tls.Conn
	in       []byte // what was read from the socket, of which crypto/tls has not taken the end
	room     []byte
	blocking bool // while the handshake lasts

	counter  Counter
	requests *Requests
	buf      []byte // for opened octets; shared by all of a loop
	owed     int
	asked    time.Duration
}

// again is what a read returns that would have to wait. crypto/tls goes on after errors that are temporary.
type again struct{}

func (again) Error() string   { return "nothing has come" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// openSecure connects and shakes hands.
func openSecure(ctx context.Context, to netip.AddrPort, config *tls.Config, buf []byte) (*secure, error) {
	fd, err := dial(to, 0, 0)
	if err != nil {
		return nil, err
	}
	s := &secure{fd: fd, room: make([]byte, scratch), buf: buf, blocking: true}
	s.tls = tls.Client(socket{s}, config)
	if err := s.tls.HandshakeContext(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	if err := speaks(s.tls, config); err != nil {
		s.close()
		return nil, err
	}
	s.blocking = false
	return s, nil
}

// speaks wants the protocol that was asked for; HTTP/1.1 is also what a server without ALPN speaks.
func speaks(c *tls.Conn, config *tls.Config) error {
	got, want := c.ConnectionState().NegotiatedProtocol, config.NextProtos[0]
	if got == want || got == "" && want == "http/1.1" {
		return nil
	}
	return fmt.Errorf("the server speaks %q, not %q", got, want)
}

// socket is what crypto/tls sees of the connection. Reads are buffered: a record needs two.
type socket struct{ *secure }

func (s socket) Read(p []byte) (int, error) {
	for len(s.in) == 0 {
		n, errno := read(s.fd, s.room)
		switch {
		case errno == unix.EAGAIN && !s.blocking:
			return 0, again{}
		case errno == unix.EAGAIN:
			if err := awaitReadable(s.fd, time.Second); err != nil {
				return 0, err
			}
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, errClosed
		default:
			s.in = s.room[:n]
		}
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

// Write is for what fits into a socket's buffer.
func (s socket) Write(p []byte) (int, error) {
	n, errno := write(s.fd, p)
	switch {
	case errno != 0:
		return 0, errno
	case n != len(p):
		return n, fmt.Errorf("%d of %d octets could be written", n, len(p))
	}
	return n, nil
}

func (s socket) Close() error                     { return nil } // the loop closes
func (s socket) LocalAddr() net.Addr              { return nil }
func (s socket) RemoteAddr() net.Addr             { return nil }
func (s socket) SetDeadline(time.Time) error      { return nil }
func (s socket) SetReadDeadline(time.Time) error  { return nil }
func (s socket) SetWriteDeadline(time.Time) error { return nil }

func (s *secure) descriptor() int { return s.fd }
func (s *secure) owes() bool      { return s.owed > 0 }
func (s *secure) close()          { unix.Close(s.fd) }

// each calls f with all that has come, record by record.
func (s *secure) each(f func(p []byte) error) error {
	for {
		n, err := s.tls.Read(s.buf)
		if n > 0 {
			if err := f(s.buf[:n]); err != nil {
				return err
			}
		}
		if _, wait := err.(again); wait {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *secure) take() (answers int, err error) {
	err = s.each(func(p []byte) error {
		n, err := s.counter.Feed(p)
		answers += n
		return err
	})
	if s.owed -= answers; s.owed < 0 && err == nil {
		err = errUnasked
	}
	return answers, err
}

func (s *secure) next(now time.Duration, stop bool) (took time.Duration, err error) {
	if s.owed > 0 {
		return 0, nil
	}
	took = now - s.asked
	if stop {
		return took, nil
	}
	s.owed, s.asked = s.requests.Depth, now
	_, err = s.tls.Write(s.requests.Next())
	return took, err
}

// Secure keeps TLS connections busy with HTTP/1.1, one unit at a time each.
type Secure struct {
	Address     netip.AddrPort // IPv4
	Config      *tls.Config
	Connections int
	Requests    *Requests
	Size        int

	loop *loop
}

func (s *Secure) Open(ctx context.Context) (err error) {
	buf := make([]byte, scratch)
	s.loop, err = openLoop(s.Connections, func(int) (conn, error) {
		c, err := openSecure(ctx, s.Address, s.Config, buf)
		if err != nil {
			return nil, err
		}
		c.counter, c.requests = Counter{Size: s.Size}, s.Requests
		return c, nil
	})
	if err != nil {
		return err
	}
	_, err = s.loop.closed(ctx, 0)
	return err
}

func (s *Secure) Run(ctx context.Context, length time.Duration) (Outcome, error) {
	return s.loop.closed(ctx, length)
}

func (s *Secure) Close() {
	if s.loop != nil {
		s.loop.close()
	}
}
