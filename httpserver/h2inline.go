package httpserver

import (
	"bytes"
	"runtime"
	"runtime/debug"

	"github.com/warmfront/warmfront/internal/h2"
)

// inline offers the request on the desk to the inline answerer.
func (h *h2conn) inline(id uint32) bool {
	d := h.c.desk
	out, at := h2.AppendHeaders(d.out)
	out, rest, ok, panicked := d.ask(h.e, out)
	h.spoiled = h.spoiled || panicked
	if !ok {
		return false
	}
	d.out = h2.EndHeadersAt(out, at, id, len(rest.Octets) == 0)
	if len(rest.Octets) > 0 {
		h.body(id, rest)
	}
	return true
}

// body sends the body of an answer that was given inline: at once, if it is small and the windows allow it.
func (h *h2conn) body(id uint32, rest Rest) {
	d, p := h.c.desk, rest.Octets
	h.mu.Lock()
	n := h2.Window(len(p))
	if len(p) <= h2.MaxSize && n <= h.win && int64(n) <= h.initial {
		h.win -= n
		h.earned += len(p) / octetsEarned
		h.mu.Unlock()
		d.out = h2.Header{Length: len(p), Type: h2.Data, Flags: h2.EndStream, Stream: id}.Append(d.out)
		d.out = append(d.out, p...)
		runtime.KeepAlive(rest.Pages)
		d.inline.Done(int64(n), false)
		return
	}
	h.mu.Unlock()
	s := h.stream(id)
	s.told, s.length = d.inline.Later(), len(p)
	if rest.Brief {
		rest = Rest{Octets: bytes.Clone(p)}
	}
	h.mu.Lock()
	h.add(s)
	s.rest, s.fin = rest, true
	h.hand() // its head goes first
	h.enqueue(s)
	h.mu.Unlock()
}

// endedBody is a body that nobody's Handler has sent, and how that has ended.
type endedBody struct {
	done func(sent int64, cut bool)
	sent int64
	cut  bool
}

// tell notes how the body of an inline answer has ended. With mu.
func (h *h2conn) tell(s *h2stream, cut bool) {
	if s.told != nil {
		h.told = append(h.told, endedBody{s.told, int64(s.length - s.pending()), cut})
		s.told = nil
	}
}

// toTell takes what has been noted. With mu.
func (h *h2conn) toTell() []endedBody {
	all := h.told
	h.told = nil
	return all
}

// tellAll tells it; failed says that what was to be sent last has not been. Without mu.
func (h *h2conn) tellAll(all []endedBody, failed bool) {
	for _, t := range all {
		func() {
			defer func() {
				if p := recover(); p != nil {
					h.e.log.Error("BUG: inline answerer panicked", "panic", p, "stack", string(debug.Stack()))
				}
			}()
			t.done(t.sent, t.cut || failed)
		}()
	}
}
