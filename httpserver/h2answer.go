package httpserver

import (
	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/message"
)

// h2answer is the ResponseWriter of HTTP/2.
type h2answer struct {
	outgoing
	s     *h2stream
	block []byte // the head, until it is handed over
}

// ownOctets is how much of a body gathers in a stream, so that whoever writes little need not wait.
const ownOctets = 16 << 10

// Begin implements ResponseWriter.
func (a *h2answer) Begin(status int, fields message.Fields, length int64) error {
	s := a.s
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	no := s.refusal()
	said, err := a.begin(status, length, no)
	s.expects = s.expects && !a.begun
	switch err {
	case nil:
		a.block = AppendBlock(nil, status, fields, said)
	case errRefused:
		s.refuse(no, nil)
		s.h.kick()
	}
	return err
}

// Write implements ResponseWriter. Where no body follows it only counts.
func (a *h2answer) Write(p []byte) (int, error) {
	if send, err := a.take(len(p)); err != nil {
		return 0, err
	} else if !send {
		return len(p), nil
	}
	a.s.h.mu.Lock()
	defer a.s.h.mu.Unlock()
	return a.write(p)
}

// write takes what little there is; it waits until more has been sent. With mu.
func (a *h2answer) write(p []byte) (int, error) {
	s := a.s
	if s.pending()+len(p) > ownOctets {
		a.hand(false)
		for s.gone == nil && s.pending() > 0 {
			s.cond.Wait()
		}
	}
	if s.gone != nil {
		return 0, s.gone
	}
	if len(p) <= ownOctets {
		s.buf = append(s.buf, p...)
		return len(p), nil
	}
	s.rest.Octets = p
	a.hand(a.whole())
	for s.gone == nil && len(s.rest.Octets) > 0 {
		s.cond.Wait()
	}
	if s.gone != nil && s.gone != errAnswered {
		return 0, s.gone
	}
	return len(p), nil
}

// hand gives what there is of the answer to the connection; fin tells that it is the last of it. With mu.
func (a *h2answer) hand(fin bool) {
	s, h := a.s, a.s.h
	if s.gone != nil || h.dead {
		return
	}
	s.fin = fin
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
	if a.aborted || a.over {
		return errAborted
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !a.begun || a.refused {
		return nil
	}
	waits := a.block != nil && s.gone == nil // a stream that was given up hands nothing over, and there may be no round any more
	mark := h.started + 1
	a.hand(a.whole())
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

// close ends the answer after the handler has returned. With mu.
func (a *h2answer) close(panicked bool) {
	s := a.s
	if a.over = true; s.gone != nil || s.ended {
		return
	}
	switch what, no := a.returned(s.h.e, &s.req, panicked, false, s.refusal()); {
	case what == fateCut, what == fateEnd && a.short():
		s.h.reset(s, h2.InternalError)
	case what == fateEnd:
		a.hand(true)
	case what == fateRefuse:
		s.refuse(no, unheard(&s.req, panicked))
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
