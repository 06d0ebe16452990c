package httpserver

import (
	"golang.org/x/net/http2/hpack"

	"github.com/warmfront/warmfront/internal/h2"
)

// h2block is a header block whose end has not come yet.
type h2block struct {
	open   bool
	stream uint32
	end    bool // the stream ends with it
	itself bool // it is said to depend on itself
	buf    []byte
	frames int
	due    int64
}

func (h *h2conn) onHeaders(f h2.Header, p []byte) *h2.Fault {
	fragment, itself, fault := h2.Fragment(f, p)
	if fault != nil {
		return fault
	}
	if f.Stream%2 == 0 {
		return h2.Protocol
	}
	b := &h.block
	b.stream, b.end, b.itself = f.Stream, f.Has(h2.EndStream), itself
	if f.Has(h2.EndHeaders) {
		return h.headers(fragment)
	}
	b.open, b.frames, b.due = true, 0, h.e.after(h.e.limits.ReadHeaderTimeout)
	b.buf = append(b.buf[:0], fragment...)
	return nil
}

func (h *h2conn) onContinuation(f h2.Header, p []byte) *h2.Fault {
	b := &h.block
	b.frames++
	if b.frames > maxContinuations || len(b.buf)+len(p) > 2*h.e.limits.MaxHeader {
		return h2.LargeBlock
	}
	b.buf = append(b.buf, p...)
	if !f.Has(h2.EndHeaders) {
		return nil
	}
	block := b.buf
	b.open, b.buf = false, nil
	return h.headers(block)
}

// headers decodes a complete header block. Whatever becomes of it, the decoder must have seen it.
func (h *h2conn) headers(block []byte) *h2.Fault {
	d, m := h.c.desk, &h.memo
	fresh := h.block.stream > h.last
	again := fresh && m.is(block, h.block.end)
	if again && m.laid {
		d.req = m.req
		return h.open(h.block.stream, block, again)
	}
	m.forget()
	h.section.begin(d.fields, h.e.limits.MaxHeader, !fresh)
	h.dec.SetEmitEnabled(true)
	if _, err := h.dec.Write(block); err != nil {
		return h2.Compression
	}
	if h.dec.Close() != nil {
		return h2.Compression
	}
	d.fields = h.section.fields
	if fresh {
		return h.open(h.block.stream, block, again)
	}
	return h.trailers(h.block.stream)
}

// field is called by the decoder.
func (h *h2conn) field(f hpack.HeaderField) {
	if !h.section.field(f.Name, f.Value) {
		h.dec.SetEmitEnabled(false) // a small block must not become much memory
	}
}

// trailers ends a request's body: its fields have been checked and are dropped.
func (h *h2conn) trailers(id uint32) *h2.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.streams[id]
	switch {
	case s == nil || s.closed():
		return h.late(id)
	case s.inEnded:
		h.reset(s, h2.StreamClosed)
		return h.gaveUp()
	case !h.block.end, h.section.broken, h.section.large, !s.endBody():
		h.reset(s, h2.ProtocolError)
		return h.gaveUp()
	}
	h.drop(s)
	return nil
}
