package httpserver

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/warmfront/warmfront/internal/h3"
)

const (
	// maxTrailers bounds a trailer section, encoded and decoded.
	maxTrailers = 8 << 10
	// maxWaste bounds the octets of a request stream that carry nothing: frames of unknown types, the heads
	// of frames.
	maxWaste = 64 << 10
)

var (
	errFrame  = errors.New("httpserver: a frame that must not come here")
	errLength = errors.New("httpserver: body and Content-Length differ")
)

// h3body reads a request body out of the DATA frames of its stream. As with body, somebody else than
// the handler may read it: hence the lock.
type h3body struct {
	x       *h3turn
	expects bool // the viewer waits for 100; guarded by mu

	mu    sync.Mutex // held by Read
	frame uint64     // octets of the DATA frame at hand that are to come; guarded by mu
	told  int64      // octets to come by Content-Length, -1: nobody has said; guarded by mu
	waste int        // guarded by mu
	last  bool       // trailers have come; guarded by mu
	state atomic.Uint32
}

// Read implements io.Reader.
func (b *h3body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state.Load() {
	case bodyNone:
		return 0, io.EOF
	case bodyOpen:
	case bodyMalformed:
		return 0, errLength
	case bodySlow:
		return 0, os.ErrDeadlineExceeded
	case bodyCut:
		return 0, errBodyNotAll
	default:
		return 0, errBodyOver
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.expects && !b.proceed() {
		return 0, errNotAsked
	}
	n, err := b.octets(p)
	switch {
	case err == nil:
	case err == io.EOF:
		b.become(bodyNone)
	case err == errLength || err == errFrame || err == errWaste:
		b.become(bodyMalformed)
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.become(bodySlow)
	default:
		b.become(bodyCut)
		err = errBodyNotAll
	}
	return n, err
}

// become notes what has become of the body, unless that is known already.
func (b *h3body) become(state uint32) { b.state.CompareAndSwap(bodyOpen, state) }

// proceed tells the viewer to go on, unless it has been answered.
func (b *h3body) proceed() bool {
	a := &b.x.answer
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.begun {
		return false
	}
	b.expects = false
	out, at := h3.BeginHeaders(nil)
	out = h3.AppendStatus(out, 100)
	h3.EndHeaders(out, at)
	return b.x.send(out) == nil
}

// octets reads at least one octet of the body, or to its end.
func (b *h3body) octets(p []byte) (int, error) {
	for b.frame == 0 {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	b.x.s.SetReadDeadline(deadline(b.x.c.e.limits.ReadBodyTimeout))
	n, err := b.x.in.Read(p[:min(uint64(len(p)), b.frame)])
	b.frame -= uint64(n)
	switch {
	case n > 0:
		return n, nil // an end in the middle of a frame comes again
	case err == io.EOF:
		return 0, errFrame
	}
	return 0, err
}

// next goes on to the next DATA frame. At the end of the body it returns io.EOF.
func (b *h3body) next() error {
	b.x.s.SetReadDeadline(deadline(b.x.c.e.limits.ReadBodyTimeout))
	t, n, err := b.x.frame(&b.waste)
	switch {
	case err == io.EOF && b.told > 0:
		return errLength
	case err != nil:
		return err
	case t == h3.Headers && !b.last:
		return b.trailers(n)
	case t != h3.Data || b.last:
		b.x.c.close(h3.FrameUnexpected, "frame of a request out of order")
		return errFrame
	}
	if b.told >= 0 {
		if n > uint64(b.told) {
			return errLength
		}
		b.told -= int64(n)
	}
	b.frame = n
	return nil
}

// trailers checks the section behind the body, and drops it.
func (b *h3body) trailers(n uint64) error {
	if n > maxTrailers {
		return errFrame
	}
	section := make([]byte, n)
	if _, err := io.ReadFull(b.x.in, section); err != nil {
		return cutShort(err)
	}
	ok, err := checkTrailers(section)
	if err != nil {
		b.x.c.close(h3.DecompressionFailed, "trailer section")
	}
	if err != nil || !ok {
		return errFrame
	}
	b.last = true
	return nil
}

// cutShort tells the end of a stream in the middle of a frame from other errors.
func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errFrame
	}
	return err
}

// begin looks for the end of a body whose length nobody has said, so that a request without one is known
// as such: its viewer says so by the end of the stream.
func (b *h3body) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.frame == 0 {
		if err := b.next(); err != nil {
			return err
		}
	}
	return nil
}

// refusal is what a viewer gets that has sent a broken body, or none, whatever the handler says.
func (b *h3body) refusal() refusal { return bodyRefusal(b.state.Load()) }

// stop ends all reading.
func (b *h3body) stop() {
	b.become(bodyOver)
	b.x.s.CancelRead(quic.StreamErrorCode(h3.NoError)) // nothing, if the end has been read
	b.mu.Lock()
	defer b.mu.Unlock()
	b.x.in = nil // it goes back
}

// deadline is the moment in d from now, none for no bound.
func deadline(d time.Duration) (t time.Time) {
	if d > 0 {
		t = time.Now().Add(d)
	}
	return t
}

var h3readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}
