package httpserver

import (
	"bufio"
	"errors"
	"io"
	"sync"
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

// h3body reads a request body out of the DATA frames of its stream.
type h3body struct {
	incoming
	x *h3turn

	frame uint64 // octets of the DATA frame at hand that are to come; guarded by mu
	told  int64  // octets to come by Content-Length, -1: nobody has said; guarded by mu
	waste int    // guarded by mu
	last  bool   // trailers have come; guarded by mu
}

// proceed implements source.
func (b *h3body) proceed() error {
	out, at := h3.BeginHeaders(nil)
	out = h3.AppendStatus(out, 100)
	h3.EndHeaders(out, at)
	return b.x.send(out)
}

// octets implements source.
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
	encoded := make([]byte, n)
	if _, err := io.ReadFull(b.x.in, encoded); err != nil {
		return cutShort(err)
	}
	var trailers section
	trailers.begin(nil, maxTrailers, true)
	err := h3.Fields(encoded, trailers.field)
	if err != nil {
		b.x.c.close(h3.DecompressionFailed, "trailer section")
	}
	if err != nil || trailers.broken || trailers.large {
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
