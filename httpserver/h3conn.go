package httpserver

import (
	"bufio"
	"context"
	"io"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/warmfront/warmfront/internal/h3"
)

// h3conn is a viewer's connection of HTTP/3. Its goroutine accepts the viewer's streams; each has one of
// its own.
type h3conn struct {
	e      *engine
	side   *h3side
	qc     *quic.Conn
	came   *arrival
	ctx    context.Context // of its requests: ends with the connection, or when the drain's time is over
	cancel context.CancelFunc
	agreed *agreement

	running sync.WaitGroup // requests
	streams sync.WaitGroup // the viewer's other streams, and who accepts them

	mu    sync.Mutex
	turns []*h3turn   // guarded by mu; each knows its place
	idle  *time.Timer // guarded by mu; nil: no bound
	kinds [4]bool     // guarded by mu: unidirectional streams of which there may be one
}

func newH3conn(h *h3side, qc *quic.Conn) *h3conn {
	state := qc.ConnectionState().TLS
	c := &h3conn{e: h.e, side: h, qc: qc, came: arrivalOf(qc.Context()), agreed: agreed(&state)}
	c.ctx, c.cancel = context.WithCancel(h.e.base)
	return c
}

// serve is the connection's goroutine.
func (c *h3conn) serve() {
	defer c.end()
	defer context.AfterFunc(c.qc.Context(), c.cancel)()
	defer context.AfterFunc(c.e.base, func() { c.close(h3.NoError, "") })()
	control, err := c.qc.OpenUniStream()
	if err != nil {
		return
	}
	control.Write(h3.AppendSettings(h3.AppendInt(nil, h3.ControlStream), uint64(2*c.e.limits.MaxHeader)))
	c.streams.Go(c.unidirectional)
	c.streams.Go(c.shake)
	next := quic.StreamID(0)
	for {
		s, err := c.qc.AcceptStream(c.side.stop)
		if err != nil {
			break
		}
		next = s.StreamID() + 4
		if !c.e.begin() {
			reject(s)
			continue
		}
		x := &h3turn{c: c, s: s}
		c.enter(x)
		c.running.Go(func() {
			defer c.leave(x)
			defer c.e.over()
			defer s.ReleaseStreamCredit() // only now may the viewer open another: a reset does not make room by itself
			x.serve()
		})
	}
	if c.qc.Context().Err() == nil {
		c.goAway(control, next)
	}
}

// shake waits for the end of the handshake. From then on a connection may be idle.
func (c *h3conn) shake() {
	defer c.came.shaken()
	select {
	case <-c.qc.HandshakeComplete():
	case <-c.qc.Context().Done():
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.e.limits.IdleTimeout; d > 0 {
		c.idle = time.AfterFunc(d, c.idled)
	}
}

// goAway tells the viewer which requests have not been looked at, lets the others end, and gives what they
// have said half a second to arrive.
func (c *h3conn) goAway(control *quic.SendStream, next quic.StreamID) {
	id := h3.AppendInt(nil, uint64(next))
	control.Write(append(h3.AppendFrame(nil, h3.GoAway, uint64(len(id))), id...))
	c.streams.Go(func() {
		for {
			s, err := c.qc.AcceptStream(c.qc.Context())
			if err != nil {
				return
			}
			reject(s)
		}
	})
	c.running.Wait()
	t := time.NewTimer(lingerTime)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
	}
}

// reject gives a request back that has not been looked at. Its viewer may ask again, elsewhere too.
func reject(s *quic.Stream) {
	s.CancelRead(quic.StreamErrorCode(h3.RequestRejected))
	s.CancelWrite(quic.StreamErrorCode(h3.RequestRejected))
	s.ReleaseStreamCredit()
}

// end closes the connection and waits for everybody on it.
func (c *h3conn) end() {
	if p := recover(); p != nil {
		c.e.log.Error("BUG: connection panicked", "panic", p, "stack", string(debug.Stack()))
	}
	c.close(h3.NoError, "")
	c.cancel()
	c.running.Wait()
	c.streams.Wait()
	c.side.leave(c)
	if c.idle != nil {
		c.idle.Stop()
	}
}

func (c *h3conn) close(code uint64, why string) {
	c.qc.CloseWithError(quic.ApplicationErrorCode(code), why)
}

// enter notes that a request has begun.
func (c *h3conn) enter(x *h3turn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x.place = len(c.turns)
	c.turns = append(c.turns, x)
	if c.idle != nil {
		c.idle.Stop()
	}
}

// leave notes that a request has ended.
func (c *h3conn) leave(x *h3turn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.turns) - 1
	c.turns[x.place] = c.turns[last]
	c.turns[x.place].place = x.place
	c.turns[last] = nil
	c.turns = c.turns[:last]
	if last == 0 && c.idle != nil {
		c.idle.Reset(c.e.limits.IdleTimeout)
	}
}

// idled closes a connection on which nothing has been asked for too long, whatever else its viewer sends.
func (c *h3conn) idled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.turns) == 0 {
		c.close(h3.NoError, "idle")
	}
}

// remote is the viewer's address; it may change, as the viewer moves between networks.
func (c *h3conn) remote() netip.AddrPort { return addrPort(c.qc.RemoteAddr()) }

func (c *h3conn) name() string { return c.came.serverName.Load().(string) }

// unidirectional accepts the viewer's other streams.
func (c *h3conn) unidirectional() {
	for {
		s, err := c.qc.AcceptUniStream(c.qc.Context())
		if err != nil {
			return
		}
		c.streams.Go(func() {
			defer s.ReleaseStreamCredit()
			in := bufio.NewReaderSize(s, 64)
			kind, err := h3.ReadInt(in)
			switch {
			case err != nil:
				s.CancelRead(quic.StreamErrorCode(h3.StreamCreationError))
			case kind > h3.DecoderStream:
				s.CancelRead(quic.StreamErrorCode(h3.StreamCreationError)) // RFC 9114 section 6.2.3
			case kind == h3.PushStream || !c.only(kind):
				c.close(h3.StreamCreationError, "")
			default:
				c.close(c.critical(kind, in), "")
			}
		})
	}
}

// only notes a kind of stream of which there is one. It reports whether this is the first.
func (c *h3conn) only(kind uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.kinds[kind]
	c.kinds[kind] = true
	return first
}

// critical reads a stream without which a connection cannot go on, until that is so. It returns the
// reason, as the connection's error.
func (c *h3conn) critical(kind uint64, in *bufio.Reader) uint64 {
	switch kind {
	case h3.ControlStream:
		return control(in)
	case h3.EncoderStream:
		for {
			b, err := in.ReadByte()
			if err != nil {
				return h3.ClosedCritical
			}
			if b != 0x20 { // a table of no octets is what we allow
				return h3.EncoderStreamError
			}
		}
	}
	io.Copy(io.Discard, in) // of the decoder, which has nothing to tell
	return h3.ClosedCritical
}

// control reads the viewer's control stream. Its priorities are heard and not followed.
func control(in *bufio.Reader) uint64 {
	for first := true; ; first = false {
		t, n, err := h3.ReadFrame(in)
		switch {
		case err != nil:
			return h3.ClosedCritical
		case first != (t == h3.Settings):
			if first {
				return h3.MissingSettings
			}
			return h3.FrameUnexpected
		case t.Reserved() || t == h3.Data || t == h3.Headers || t == h3.PushPromise:
			return h3.FrameUnexpected
		case first && n > maxSettings || t.Known() && !first && n > 8:
			return h3.ExcessiveLoad
		}
		if first {
			p := make([]byte, n)
			if _, err := io.ReadFull(in, p); err != nil {
				return h3.ClosedCritical
			}
			if h3.CheckSettings(p) != nil {
				return h3.SettingsError
			}
		} else if _, err := io.CopyN(io.Discard, in, int64(n)); err != nil {
			return h3.ClosedCritical
		}
	}
}

// maxSettings bounds a viewer's SETTINGS frame.
const maxSettings = 1 << 10
