package httpserver

import "time"

// A head that has been made, by an Inline or a Handler, and for which the socket has no room, is a decision that
// has not been carried out. Its viewer may take WriteTimeout, and longer, octet by octet. Who has decided may not have
// so long, and can then take it back.

// CutHeads closes the connections on which the head of an answer has been waiting for the viewer for longer than
// older, or a quarter of a second less: what waits of it is never sent. Answers whose heads are in the socket's
// hands are left alone, however slow their viewers are. It may be called at any time, concurrently.
// Requests of HTTP/3 are not among them.
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
