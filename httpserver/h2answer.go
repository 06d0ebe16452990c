package httpserver

import (
	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/message"
)

// h2answer is the ResponseWriter of HTTP/2. It belongs to the Handler's goroutine.
type h2answer struct {
	s       *h2stream
	block   []byte // the head, until it is handed over
	begun   bool
	refused bool
	aborted bool
	bodied  bool  // body octets are sent, not only counted
	left    int64 // of the announced length; < 0: not announced
}

// ownOctets is how much of a body gathers in a stream, so that whoever writes little need not wait.
const ownOctets = 16 << 10

// Begin implements ResponseWriter.
func (a *h2answer) Begin(status int, fields message.Fields, length int64) error {
	s := a.s
	switch {
	case a.begun:
		return errBegun
	case a.aborted || s.over:
		return errAborted
	case status < 200 || status > 999:
		return errStatus
	}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	a.begun = true
	s.expects = false
	if s.slow {
		a.refused = true
		s.refuse(refusal{408, ReasonSlowBody}, nil)
		s.h.kick()
		return errRefused
	}
	a.left = length
	a.bodied = !s.head && bodyAllowed(status)
	if status == 204 {
		length = -1
	}
	a.block = AppendBlock(nil, status, fields, length)
	return nil
}

// Write implements ResponseWriter. Where no body follows it only counts.
func (a *h2answer) Write(p []byte) (int, error) {
	s := a.s
	switch {
	case a.aborted || s.over:
		return 0, errAborted
	case a.refused:
		return 0, errRefused
	case !a.begun:
		return 0, errNotBegun
	case a.left >= 0 && int64(len(p)) > a.left:
		return 0, errTooLong
	}
	if !a.bodied || len(p) == 0 {
		a.count(len(p))
		return len(p), nil
	}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	return a.write(p)
}

func (a *h2answer) count(n int) {
	if a.left >= 0 {
		a.left -= int64(n)
	}
}

// write takes what little there is; it waits until more has been sent. With mu.
func (a *h2answer) write(p []byte) (int, error) {
	s := a.s
	if s.pending()+len(p) > ownOctets {
		a.hand()
		for s.gone == nil && s.pending() > 0 {
			s.cond.Wait()
		}
	}
	if s.gone != nil {
		return 0, s.gone
	}
	a.count(len(p))
	if len(p) <= ownOctets {
		s.buf = append(s.buf, p...)
		return len(p), nil
	}
	s.rest.Octets = p
	a.hand()
	for s.gone == nil && len(s.rest.Octets) > 0 {
		s.cond.Wait()
	}
	if s.gone != nil && s.gone != errAnswered {
		return 0, s.gone
	}
	return len(p), nil
}

// hand gives what there is of the answer to the connection. With mu.
func (a *h2answer) hand() {
	s, h := a.s, a.s.h
	if s.gone != nil || h.dead {
		return
	}
	s.fin = a.bodied && a.left == 0 || !a.bodied
	if a.block != nil {
		bare := s.fin && s.pending() == 0
		s.headers(a.block, bare)
		if a.block = nil; bare {
			h.out = h.ended(s, h.out)
			h.kick()
			return
		}
	}
	if s.pending() > 0 || s.fin && !s.ended {
		h.enqueue(s)
	}
	h.kick()
}

// headers appends the HEADERS frame of an answer to what is sent next. With mu.
func (s *h2stream) headers(block []byte, end bool) {
	h := s.h
	var at int
	h.out, at = h2.AppendHeaders(h.out)
	if h.owed.Swap(false) {
		h.out = append(h.out, 0x20) // RFC 7541 section 4.2: the table that was never used is of size 0
	}
	h.out = append(h.out, block...)
	h.out = h2.EndHeadersAt(h.out, at, s.id, end)
	h.heads.wait(h.e)
}

// Flush implements ResponseWriter. It waits until the head is with the socket; the body goes as the viewer's
// windows allow.
func (a *h2answer) Flush() error {
	s, h := a.s, a.s.h
	if a.aborted || s.over {
		return errAborted
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !a.begun || a.refused {
		return nil
	}
	waits := a.block != nil
	mark := h.started + 1
	a.hand()
	s.flushing = true
	for waits && !h.dead && h.done < mark {
		s.cond.Wait()
	}
	s.flushing = false
	if s.gone != nil && s.gone != errAnswered {
		return s.gone
	}
	return nil
}

// Abort implements ResponseWriter. The cut happens when the handler returns.
func (a *h2answer) Abort() { a.aborted = true }

// close ends the answer after the handler has returned. With mu.
func (a *h2answer) close(panicked bool) {
	s, h := a.s, a.s.h
	switch {
	case s.gone != nil || a.refused || s.ended:
	case a.begun && (a.aborted || panicked || a.bodied && a.left > 0):
		h.reset(s, h2.InternalError)
	case a.aborted:
		h.reset(s, h2.InternalError)
	case !a.begun && s.slow && !panicked:
		s.refuse(refusal{408, ReasonSlowBody}, nil) // a handler that could not read the body has nothing to say
	case !a.begun:
		if !panicked {
			h.e.log.Error("BUG: handler returned without an answer", "method", s.req.Method, "host", s.req.Host, "path", s.req.Path)
		}
		s.refuse(refusal{500, ReasonInternal}, unheard(&s.req, panicked))
	case !s.ended:
		a.left = 0
		a.hand()
	}
}

// refuse answers for the engine; of is for Server.Refuse. With mu, which it gives up while the document is
// written.
func (s *h2stream) refuse(no refusal, of *message.Request) {
	h := s.h
	h.mu.Unlock()
	r := h.e.refusal(no, of, s.head)
	block := AppendBlock(nil, r.status, r.fields, int64(r.body.Len()))
	h.mu.Lock()
	switch {
	case s.gone != nil:
	case r.aborted:
		h.reset(s, h2.InternalError)
	case s.head || r.body.Len() == 0:
		s.headers(block, true)
		h.out = h.ended(s, h.out)
	default:
		s.headers(block, false)
		s.rest, s.fin = Rest{Octets: r.body.Bytes()}, true
		h.enqueue(s)
	}
}
