package httpserver

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

// Upgrader is a ResponseWriter whose connection may become something else (RFC 9110 section 7.8). That of
// HTTP/1.1 is one.
type Upgrader interface {
	// Upgrade answers 101 and hands over the connection, beginning with what the viewer has sent behind
	// its request; the engine adds Connection: Upgrade. It takes the place of Begin. When it fails, nothing has
	// been answered. The stream is the handler's until it returns; then the connection is closed: in
	// order, or by a reset after Abort. A drain does not wait for it.
	Upgrade(fields message.Fields) (Stream, error)
}

// Stream is an upgraded connection. One may read while another writes.
type Stream interface {
	io.Reader // io.EOF: the viewer has ended its side. Nothing else but Close ends the waiting
	io.Writer
	// CloseWrite ends our side. It is called by who writes.
	CloseWrite() error
	// Close ends both, and wakes whoever reads or writes. It may be called at any time.
	Close() error
}

var (
	errNoUpgrade = errors.New("httpserver: the request cannot be upgraded")
	errDraining  = errors.New("httpserver: the server stops")
)

// Upgrade implements Upgrader.
func (a *answer) Upgrade(fields message.Fields) (Stream, error) {
	switch {
	case a.begun:
		return nil, errBegun
	case a.aborted || a.over:
		return nil, errAborted
	case a.minor == 0 || a.x.req.Body != noBody{}:
		return nil, errNoUpgrade
	case a.c.e.draining.Load():
		return nil, errDraining
	}
	a.mu.Lock()
	a.begun = true
	a.mu.Unlock()
	a.left, a.bodied, a.last = -1, true, true
	d := a.c.desk
	d.out = h1.AppendStatusLine(d.out, 101)
	for i := range fields {
		if f := &fields[i]; !h1.FramingField(f.Name) && h1.OneLine(f) {
			d.out = append(append(append(append(d.out, f.Name...), ": "...), f.Value...), '\r', '\n')
		}
	}
	d.out = append(d.out, "Connection: Upgrade\r\n\r\n"...)
	a.send(nil)
	// A viewer that ends its side may still listen: from now on that is read, not looked for.
	a.c.handling.Store(false)
	return &stream{a.c}, a.err
}

// stream is the Stream of a connection of HTTP/1.1.
type stream struct{ c *conn }

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if d := s.c.desk; len(d.rest()) > 0 {
		n := copy(p, d.rest())
		d.use(n)
		return n, nil
	}
	for {
		if s.c.e.draining.Load() {
			return 0, errDraining
		}
		switch n, err := s.c.readOnce(p, 0); {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return 0, err
		}
		s.c.nc.SetReadDeadline(time.Time{}) // woken for an earlier read, or by the drain
	}
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	left, err := s.c.send(p, Rest{})
	return len(p) - left, err
}

// CloseWrite implements Stream.
func (s *stream) CloseWrite() error {
	s.c.goodbye()
	if c, ok := s.c.nc.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close implements Stream.
func (s *stream) Close() error { return s.c.nc.Close() }
