package httpserver

import (
	"io"
	"os"

	"github.com/warmfront/warmfront/internal/h2"
)

// h2body is a request's body, as its Handler reads it. What has come and is not read yet is bounded by the
// windows that the viewer was given.
type h2body h2stream

// Read implements io.Reader.
func (b *h2body) Read(p []byte) (int, error) {
	s := (*h2stream)(b)
	h := s.h
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case s.over:
			return 0, errBodyOver
		case s.gone != nil && s.gone != errAnswered:
			return 0, errBodyNotAll
		case len(p) == 0:
			return 0, nil
		case s.inAt < len(s.in):
			n := copy(p, s.in[s.inAt:])
			if s.inAt += n; s.inAt == len(s.in) {
				s.in, s.inAt = s.in[:0], 0
			}
			if h.credited(s, n) {
				h.kick()
			}
			return n, nil
		case s.inEnded:
			return 0, io.EOF
		case s.slow:
			return 0, os.ErrDeadlineExceeded
		case s.gone != nil: // answered without it
			return 0, errBodyNotAll
		}
		if s.expects {
			s.expects = false
			s.headers([]byte{8, 3, '1', '0', '0'}, false)
			h.kick()
			continue
		}
		s.readDue = h.e.after(h.e.limits.ReadBodyTimeout)
		s.cond.Wait()
		s.readDue = 0
	}
}

// begin waits for the first octet of a body whose length nobody has said, so that a request without one is known as such: its
// viewer says so by the end of the stream. It returns false when there is nobody to answer, or nothing has come in time.
func (b *h2body) begin() bool {
	s := (*h2stream)(b)
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	for s.gone == nil && !s.inEnded && !s.slow && len(s.in) == 0 && s.left <= 0 && !s.expects {
		s.readDue = s.h.e.after(s.h.e.limits.ReadBodyTimeout)
		s.cond.Wait()
		s.readDue = 0
	}
	if s.inEnded && len(s.in) == 0 {
		s.req.Body, s.req.ContentLength = noBody{}, 0
	}
	return s.gone == nil && !s.slow
}

// refusal is Request.Refused's.
func (b *h2body) refusal() refusal {
	s := (*h2stream)(b)
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	return s.refusal()
}

// refusal is what a viewer gets that has sent no body, whatever the handler says. With mu.
func (s *h2stream) refusal() refusal {
	if s.slow {
		return lateBody
	}
	return refusal{}
}

// arrive takes octets of the body. It reports false when there are more, or fewer, than were promised: then it has
// taken none. With mu.
func (s *h2stream) arrive(data []byte, end bool) bool {
	if s.left >= 0 {
		left := s.left - int64(len(data))
		if left < 0 || end && left > 0 {
			return false
		}
		s.left = left
	}
	if s.over { // nobody reads it
		s.h.credited(s, len(data))
	} else if len(data) > 0 {
		if s.inAt > 0 && len(s.in)+len(data) > cap(s.in) {
			s.in, s.inAt = s.in[:copy(s.in, s.in[s.inAt:])], 0
		}
		s.in = append(s.in, data...)
		s.cond.Broadcast()
	}
	return !end || s.endBody()
}

// endBody notes the end of the request. It reports false when there are fewer octets than were promised. With mu.
func (s *h2stream) endBody() bool {
	if s.left > 0 {
		return false
	}
	s.inEnded = true
	s.cond.Broadcast()
	return true
}

// credited gives the viewer back what is used up here, of the stream, if there is one that goes on, and of
// the connection. It reports whether there is something to say. With mu.
func (h *h2conn) credited(s *h2stream, n int) bool {
	if n == 0 || h.dead {
		return false
	}
	before := len(h.out)
	if s != nil && !s.inEnded && !s.ended {
		if say := s.credit.Give(n); say > 0 {
			h.out = h2.AppendWindowUpdate(h.out, s.id, say)
		}
	}
	if say := h.credit.Give(n); say > 0 {
		h.out = h2.AppendWindowUpdate(h.out, 0, say)
	}
	return len(h.out) > before
}
