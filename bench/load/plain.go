package load

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// firstRead is how much is read of an answer that is then discarded: as much as its head needs.
const firstRead = 4 << 10

// plain is a connection without TLS.
type plain struct {
	fd       int
	counter  Counter
	requests *Requests
	buf      []byte // shared by all of a loop
	owed     int    // answers that have not come
	asked    time.Duration
}

// openPlain connects. With from > 0 each connection has another of many source addresses.
func openPlain(to netip.AddrPort, connections, size, from int, requests *Requests) (*loop, error) {
	buf := make([]byte, scratch)
	return openLoop(connections, func(i int) (conn, error) {
		fd, err := dial(to, from*(i+1), 0)
		if err != nil {
			return nil, err
		}
		return &plain{fd: fd, buf: buf, requests: requests, counter: Counter{Size: size}}, nil
	})
}

func (c *plain) descriptor() int { return c.fd }
func (c *plain) owes() bool      { return c.owed > 0 }
func (c *plain) close()          { unix.Close(c.fd) }

func (c *plain) next(now time.Duration, stop bool) (took time.Duration, err error) {
	if c.owed > 0 {
		return 0, nil
	}
	took = now - c.asked
	if stop {
		return took, nil
	}
	return took, c.send(now)
}

// send writes the next unit. It is far smaller than a socket's buffer, so it is written whole or the server
// has stopped reading. at is when it was sent or, in an open loop, due.
func (c *plain) send(at time.Duration) error {
	unit := c.requests.Next()
	n, errno := write(c.fd, unit)
	if errno != 0 {
		return fmt.Errorf("write: %w", errno)
	}
	if n != len(unit) {
		return fmt.Errorf("%d of %d octets of a request could be written", n, len(unit))
	}
	c.owed, c.asked = c.requests.Depth, at
	return nil
}

func (c *plain) take() (answers int, err error) {
	var n int
	var errno unix.Errno
	left := c.counter.Left()
	switch {
	case left > firstRead:
		n, errno = discard(c.fd, c.buf, left)
	case c.counter.Size > 2*firstRead:
		n, errno = read(c.fd, c.buf[:firstRead])
	default:
		n, errno = read(c.fd, c.buf)
	}
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno != 0:
		return 0, fmt.Errorf("read: %w", errno)
	case n == 0:
		return 0, errClosed
	case left > firstRead:
		answers = c.counter.Skip(n)
	default:
		answers, err = c.counter.Feed(c.buf[:n])
	}
	if c.owed -= answers; c.owed < 0 && err == nil {
		err = errUnasked
	}
	return answers, err
}

// Fill asks for n units once, over 16 connections, so that a cache has them. Answers are of size octets.
func Fill(ctx context.Context, to netip.AddrPort, requests *Requests, size, n int) error {
	l, err := openPlain(to, min(16, n), size, 0, requests)
	if err != nil {
		return err
	}
	defer l.close()
	for asked := 0; asked < n; {
		some := l.conns[:min(len(l.conns), n-asked)]
		if err := askOnce(ctx, some); err != nil {
			return err
		}
		asked += len(some)
	}
	return nil
}

// askOnce asks once on each and waits for the answers, without spinning: the origin has the same core.
func askOnce(ctx context.Context, conns []conn) error {
	for _, c := range conns {
		if err := c.(*plain).send(0); err != nil {
			return err
		}
	}
	end := time.Now().Add(drain)
	for _, c := range conns {
		for c.owes() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if time.Now().After(end) {
				return fmt.Errorf("no whole answer in %v", drain)
			}
			if err := awaitReadable(c.descriptor(), 100*time.Millisecond); err != nil {
				return err
			}
			if _, err := c.take(); err != nil {
				return err
			}
		}
	}
	return nil
}
