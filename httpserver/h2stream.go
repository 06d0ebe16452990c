package httpserver

import (
	"context"
	"errors"
	"sync"

	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/message"
)

var (
	errAnswered = errors.New("httpserver: the answer is complete")
	errReset    = errors.New("httpserver: stream reset")
)

// h2stream is a request of HTTP/2 that is more than a plain hit, or whose answer is too long to be sent
// at once. It is new for every request. Except for the first fields, which do not change, everything is
// guarded by the connection's mu.
type h2stream struct {
	h      *h2conn
	id     uint32
	req    Request
	head   bool
	ctx    context.Context
	cancel context.CancelFunc // nil: no Handler
	answer h2answer           // the Handler's

	cond     sync.Cond // something of this stream has changed
	running  bool      // its Handler has not returned
	gone     error     // why nothing is sent and read any more
	flushing bool      // somebody waits for the end of a round

	rank   h2.Rank
	win    h2.Window
	buf    []byte // to be sent: own octets,
	at     int    // of which so many are sent,
	rest   Rest   // and behind them octets that are not copied before they are sent
	fin    bool   // with which the answer ends
	ended  bool   // END_STREAM has been sent
	queued bool
	moved  int64                      // when something was sent last
	told   func(sent int64, cut bool) // nil: not of an inline answer, or told
	length int                        // of an inline answer's body

	credit  h2.Credit
	in      []byte // come and not read yet
	inAt    int
	left    int64 // of what Content-Length promises; -1: it does not
	inEnded bool  // END_STREAM has come
	expects bool  // the viewer waits for 100
	slow    bool  // it has not sent in time
	over    bool  // the Handler has returned
	readDue int64
}

// open begins the request that block means; again says that
// the one before it was the same, and if the memo is laid d.req is there already.
func (h *h2conn) open(id uint32, block []byte, again bool) *h2.Fault {
	h.used = h.used<<min(63, (id-h.last)/2) | 1
	if id-h.last > 126 {
		h.used = 1
	}
	first := h.last == 0
	h.last = id
	c, d, sec := h.c, h.c.desk, &h.section
	if h.leaving == leavingNow { // the viewer has been told that it does not count, nor does its body
		h.mu.Lock()
		defer h.mu.Unlock()
		h.give(id)
		return h.waste(1)
	}
	var no refusal
	if !h.memo.laid {
		no = sec.request(&d.req, 2, h.block.end, c.scheme, h.e.limits.MaxURI)
	}
	d.req.Remote, d.req.ServerName, d.req.TLS = c.remote, c.serverName, c.agreed.of(first)
	switch {
	case sec.broken || h.block.itself:
		h.turnDown(id, h2.ProtocolError)
		return h.gaveUp()
	case h.count.Load() >= h2Streams:
		h.turnDown(id, h2.RefusedStream)
		return h.gaveUp()
	}
	h.noise.Earn(4)
	plain := no.status == 0 && h.block.end && !sec.expects && !sec.reserved && (d.req.Method == "GET" || d.req.Method == "HEAD")
	if plain && d.inline != nil && !h.spoiled && !h.busy.Load() && !h.owed.Load() && h.inline(id) {
		h.memo.keep(block, again, &d.req)
		return nil
	}
	if no.status == 0 && !h.e.begin() {
		h.turnDown(id, h2.RefusedStream) // which is nothing that its viewer has done
		return nil
	}
	s := h.stream(id)
	if no.status == 0 {
		s.handled()
		h.starting = append(h.starting, s)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(s)
	if no.status != 0 {
		h.hand()
		s.refuse(no, &d.req.Request)
	}
	return nil
}

// turnDown resets a stream that has hardly begun.
func (h *h2conn) turnDown(id uint32, code h2.Code) {
	h.mu.Lock()
	h.give(id)
	h.mu.Unlock()
	h.c.desk.out = h2.AppendReset(h.c.desk.out, id, code)
}

// stream makes a stream for the request on the desk. It has no Handler.
func (h *h2conn) stream(id uint32) *h2stream {
	s := &h2stream{h: h, id: id, head: h.c.desk.req.Method == "HEAD", rank: h.section.rank, inEnded: h.block.end, left: h.section.length, over: true}
	s.cond.L = &h.mu
	s.credit = h2.NewCredit(streamCredit)
	return s
}

// handled prepares a stream for its Handler.
func (s *h2stream) handled() {
	s.req = s.h.c.desk.req
	s.req.Fields = append(make(message.Fields, 0, len(s.req.Fields)), s.req.Fields...)
	if !s.inEnded {
		s.req.Body = (*h2body)(s)
	}
	s.ctx, s.cancel = context.WithCancel(s.h.ctx)
	s.answer.s, s.answer.head = s, s.head
	s.expects = s.h.section.expects && !s.inEnded
	s.over, s.running = false, true
}

// add makes a stream known. With mu.
func (h *h2conn) add(s *h2stream) {
	s.win = h2.Window(h.initial)
	h.streams[s.id] = s
	h.count.Store(int32(len(h.streams)))
	if h.dead {
		s.end(errViewerGone)
	}
}

// begin starts the stream's Handler, unless its viewer has given it up in the same breath.
func (h *h2conn) begin(s *h2stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.gone == nil {
		h.handlers.Go(s.run)
		return
	}
	s.running = false
	h.e.over()
	h.drop(s)
}

// run is the goroutine of a stream's Handler.
func (s *h2stream) run() {
	panicked := (*h2body)(s).begin() && s.h.e.serve(s.ctx, &s.answer, &s.req)
	s.cancel()
	h := s.h
	h.e.over()
	h.mu.Lock()
	defer h.mu.Unlock()
	s.over, s.running = true, false
	h.credited(s, len(s.in)-s.inAt)
	s.in, s.inAt = nil, 0
	s.cond.Broadcast() // whoever still reads the body
	s.answer.close(panicked)
	h.drop(s)
	h.kick()
}

// end wakes everybody who has to do with the stream: nothing is sent and read any more. With mu.
func (s *h2stream) end(why error) {
	if s.gone != nil {
		return
	}
	s.gone = why
	s.h.tell(s, true)
	s.h.unqueue(s)
	s.buf, s.rest, s.readDue = nil, Rest{}, 0
	s.h.credited(nil, len(s.in)-s.inAt)
	s.in, s.inAt = nil, 0
	if s.cancel != nil && why != errAnswered {
		s.cancel()
	}
	s.cond.Broadcast()
}

// reset gives a stream up. With mu.
func (h *h2conn) reset(s *h2stream, code h2.Code) {
	if s.gone != nil {
		return
	}
	h.out = h2.AppendReset(h.out, s.id, code)
	h.give(s.id)
	s.end(errReset)
	h.drop(s)
}

// give notes that a stream was reset here. With mu.
func (h *h2conn) give(id uint32) { h.given[id/2%64] = id }

// drop forgets a stream, unless something of it still runs. With mu.
func (h *h2conn) drop(s *h2stream) {
	if s.running || !s.closed() {
		return
	}
	delete(h.streams, s.id)
	h.count.Store(int32(len(h.streams)))
	if h.leaving == leavingNow && len(h.streams) == 0 {
		h.c.nc.SetReadDeadline(past) // the reader ends the connection
	}
}

// closed tells whether nothing may come any more. With mu.
func (s *h2stream) closed() bool { return s.gone != nil || s.ended && s.inEnded }

// pending is how much waits to be sent.
func (s *h2stream) pending() int { return len(s.buf) - s.at + len(s.rest.Octets) }

func (s *h2stream) sendable(conn h2.Window) bool {
	return s.pending() == 0 && s.fin || s.win > 0 && conn > 0 && s.pending() > 0
}

// take moves n octets of what waits to dst.
func (s *h2stream) take(dst []byte, n int) []byte {
	k := min(n, len(s.buf)-s.at)
	dst = append(dst, s.buf[s.at:s.at+k]...)
	if s.at += k; s.at == len(s.buf) {
		s.buf, s.at = s.buf[:0], 0
	}
	dst = append(dst, s.rest.Octets[:n-k]...)
	if s.rest.Octets = s.rest.Octets[n-k:]; len(s.rest.Octets) == 0 {
		s.rest = Rest{}
	}
	return dst
}
