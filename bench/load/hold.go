package load

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Hold opens connections, asks once on each, and then keeps them idle until release. It sends nothing more.
func Hold(ctx context.Context, to netip.AddrPort, connections int, requests *Requests, size int) (release func(), err error) {
	l, err := openPlain(to, connections, size, 1, requests)
	if err != nil {
		return nil, err
	}
	// A few at a time: nobody means to measure how a server takes thousands of requests at once.
	for all := l.conns; len(all) > 0; all = all[min(64, len(all)):] {
		if err := askOnce(ctx, all[:min(64, len(all))]); err != nil {
			l.close()
			return nil, err
		}
	}
	return l.close, nil
}

// Slow keeps connections that take their time, until release: every second one sends the head of a request
// an octet every half second and never ends it, the others ask for a large object and then read 512 octets
// of it every half second, through a small receive buffer. One that the server closes is opened again.
func Slow(to netip.AddrPort, connections int, request []byte) (release func(), err error) {
	s := &slow{to: to, request: request, conns: make([]slowConn, connections), done: make(chan struct{})}
	for i := range s.conns {
		if err := s.open(i); err != nil {
			s.close()
			return nil, err
		}
	}
	s.wait.Go(s.run)
	return func() {
		close(s.done)
		s.wait.Wait()
		s.close()
	}, nil
}

const slowTick = 500 * time.Millisecond

type slow struct {
	to      netip.AddrPort
	request []byte
	conns   []slowConn
	done    chan struct{}
	wait    sync.WaitGroup
}

type slowConn struct {
	fd   int
	sent int
}

func (s *slow) open(i int) error {
	fd, err := dial(s.to, i+1, 4096)
	if err != nil {
		return err
	}
	s.conns[i] = slowConn{fd: fd}
	if i%2 == 1 {
		write(fd, s.request)
	}
	return nil
}

// run spreads the connections' turns over the tick.
func (s *slow) run() {
	const parts = 50
	t := time.NewTicker(slowTick / parts)
	defer t.Stop()
	buf := make([]byte, 512)
	for part := 0; ; part = (part + 1) % parts {
		select {
		case <-s.done:
			return
		case <-t.C:
		}
		for i := part; i < len(s.conns); i += parts {
			if !s.turn(i, buf) {
				unix.Close(s.conns[i].fd)
				if s.open(i) != nil {
					s.conns[i].fd = -1 // its next turn tries again
				}
			}
		}
	}
}

// turn is false when the connection is of no more use.
func (s *slow) turn(i int, buf []byte) bool {
	c := &s.conns[i]
	if i%2 == 1 {
		n, errno := read(c.fd, buf)
		return n > 0 && errno == 0 || errno == unix.EAGAIN
	}
	// Never the last octets: a head that does not end.
	if c.sent == len(s.request)-2 {
		return false
	}
	n, errno := write(c.fd, s.request[c.sent:c.sent+1])
	c.sent += n
	return errno == 0
}

func (s *slow) close() {
	for i := range s.conns {
		if s.conns[i].fd > 0 {
			unix.Close(s.conns[i].fd)
		}
	}
}
