package httpserver

import (
	"runtime"
	"runtime/debug"

	"github.com/warmfront/warmfront/internal/h2"
)

// inline offers the request on the desk to the inline answerer, and contains a panic.
func (h *h2conn) inline(id uint32) (ok bool) {
	d := h.c.desk
	d.asked = true
	kept := len(d.out)
	defer func() {
		if p := recover(); p != nil {
			ok, h.spoiled = false, true
			d.out = d.out[:kept]
			h.e.log.Error("BUG: inline answerer panicked", "panic", p, "host", d.req.Host, "path", d.req.Path, "stack", string(debug.Stack()))
		}
	}()
	out, at := h2.AppendHeaders(d.out)
	out, rest, ok := d.inline.Answer(out, &d.req)
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
		return
	}
	s := h.stream(id)
	h.add(s)
	s.rest, s.fin = rest, true
	h.hand() // its head goes first
	h.enqueue(s)
	h.mu.Unlock()
}
