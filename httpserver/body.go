package httpserver

import (
	"io"
	"sync/atomic"

	"github.com/warmfront/warmfront/internal/h1"
)

// maxDiscard is how much of a body that the handler has left is read, so that the connection can live on.
const maxDiscard = 64 << 10

// body reads a request body of HTTP/1.1.
type body struct {
	incoming
	c       *conn
	chunked bool
	chunks  h1.Chunks    // guarded by mu
	left    atomic.Int64 // octets to come, when it is not chunked
}

// proceed implements source.
func (b *body) proceed() error {
	_, err := b.c.send([]byte("HTTP/1.1 100 Continue\r\n\r\n"), Rest{})
	return err
}

// octets implements source.
func (b *body) octets(p []byte) (int, error) {
	if !b.chunked {
		n, err := b.take(p[:min(int64(len(p)), b.left.Load())])
		if b.left.Add(int64(-n)) == 0 {
			b.become(bodyNone)
		}
		return n, err
	}
	d := b.c.desk
	for {
		n, err := b.chunks.Feed(d.rest())
		if d.use(n); err != nil {
			return 0, err
		}
		switch {
		case b.chunks.Ended():
			return 0, io.EOF
		case b.chunks.Left() > 0:
			n, err := b.take(p[:min(int64(len(p)), b.chunks.Left())])
			if n > 0 {
				b.chunks.Took(n)
			}
			return n, err
		}
		if n, err = b.c.readInto(d.room(inRoom), b.due()); err != nil {
			return 0, notAll(err)
		}
		d.in = d.in[:len(d.in)+n]
	}
}

// take reads what is there already, or else from the socket.
func (b *body) take(p []byte) (int, error) {
	if rest := b.c.desk.rest(); len(rest) > 0 {
		n := copy(p, rest)
		b.c.desk.use(n)
		return n, nil
	}
	n, err := b.c.readInto(p, b.due())
	return n, notAll(err)
}

func (b *body) due() int64 { return b.c.e.after(b.c.e.limits.ReadBodyTimeout) }

func notAll(err error) error {
	if err == io.EOF {
		return errBodyNotAll
	}
	return err
}

// short tells whether the connection may carry another request although the body has not been read.
func (b *body) short() bool {
	switch b.state.Load() {
	case bodyNone:
		return true
	case bodyOpen:
		return !b.chunked && !b.waited() && b.left.Load() <= maxDiscard
	}
	return false
}

// waited tells whether the viewer still waits for 100. Who reads the body at this moment has told it.
func (b *body) waited() bool {
	if !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	return b.expects
}

// stop ends all reading. It reports whether nobody was still reading.
func (b *body) stop() bool {
	if b.state.Load() == bodyNone {
		return true
	}
	free := b.mu.TryLock()
	if !free {
		b.c.halted.Store(true)
		b.c.nc.SetReadDeadline(past)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if s := b.state.Load(); s != bodyNone && s != bodyOpen {
		free = false
	} else if s == bodyOpen {
		b.state.Store(bodyOver)
	}
	return free
}

// discard reads what the handler has left of the body. It is called after stop, when short.
func (b *body) discard() bool {
	if b.state.Load() == bodyNone {
		return true
	}
	if b.chunked || b.left.Load() > maxDiscard {
		return false
	}
	due := b.c.e.after(b.c.e.limits.ReadHeaderTimeout)
	d := b.c.desk
	for left := b.left.Load(); left > 0; {
		if len(d.rest()) == 0 {
			n, err := b.c.readInto(d.room(inRoom), due)
			if err != nil {
				return false
			}
			d.in = d.in[:len(d.in)+n]
		}
		n := min(int64(len(d.rest())), left)
		d.use(int(n))
		left -= n
	}
	return true
}
