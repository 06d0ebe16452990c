package httpserver

import (
	"time"

	"github.com/warmfront/warmfront/internal/h3"
)

// A head that has been made, by an Inline or a Handler, and for which the socket has no room, is a decision that
// has not been carried out. Its viewer may take WriteTimeout, and longer, octet by octet. Who has decided may not have
// so long, and can then take it back.
//
// With HTTP/3 it is the stream that has no room: its window, the connection's, and one packet that quic-go keeps
// back for each stream. What quic-go has taken, that packet too, is the transport's, as what lies in the kernel's
// send buffer is TCP's.

// CutHeads closes the connections, and resets the streams of HTTP/3, on which the head of an answer has been waiting
// for the viewer for longer than older, or a quarter of a second less: what waits of it is never sent. Answers whose
// heads are in the transport's hands are left alone, however slow their viewers are. It may be called at any time,
// concurrently.
func (s *Server) CutHeads(older time.Duration) {
	e := s.running.Load()
	if e == nil {
		return
	}
	before := e.now.Load() - int64(older)
	var late []*conn
	e.gate.each(func(c *conn) {
		if since := c.heldSince(); since != 0 && since <= before {
			late = append(late, c)
		}
	})
	for _, c := range late {
		c.nc.Close()
	}
	for _, x := range e.h3.Load().heldBefore(before) {
		x.reset(h3.InternalError)
	}
}

// heldSince is since when a head has been waiting, 0 when none is.
func (c *conn) heldSince() int64 {
	h := c.h2.Load()
	if h == nil {
		return c.held.Load()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.heads.sending != 0 {
		return h.heads.sending
	}
	return h.heads.waiting
}

// holds notes whether octets that belong to a head wait for the socket. It is called by who sends.
func (c *conn) holds(head bool) {
	head = head && c.h2.Load() == nil && (c.begun || c.desk != nil && c.desk.asked)
	switch since := c.held.Load(); {
	case head && since == 0:
		c.held.Store(max(1, c.e.now.Load()))
	case !head && since != 0:
		c.held.Store(0)
	}
}

// heldHeads says since when heads of a connection of HTTP/2 have been waiting: those of the round that is being sent, and
// those of the next. 0: there are none. It is guarded by the connection's mu.
type heldHeads struct{ sending, waiting int64 }

// wait notes a head for the next round.
func (w *heldHeads) wait(e *engine) {
	if w.waiting == 0 {
		w.waiting = max(1, e.now.Load())
	}
}

// promise notes that what is on the desk goes into the next round. It is called by the reader, with mu.
func (h *h2conn) promise() {
	if h.c.desk.asked {
		h.heads.wait(h.e)
	}
}

// holds notes that the head of the answer is being handed to the transport, or that it has been.
func (x *h3turn) holds(head bool) {
	if !head {
		x.held.Store(0)
		return
	}
	x.held.Store(max(1, x.c.e.now.Load()))
}

// heldBefore is the requests whose heads have been waiting since before then, or since then.
func (h *h3side) heldBefore(then int64) (late []*h3turn) {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		c.mu.Lock()
		for _, x := range c.turns {
			if since := x.held.Load(); since != 0 && since <= then {
				late = append(late, x)
			}
		}
		c.mu.Unlock()
	}
	return late
}
