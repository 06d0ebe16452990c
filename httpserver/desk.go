package httpserver

import (
	"runtime/debug"

	"github.com/warmfront/warmfront/internal/message"
)

// desk is what a connection needs while it has something at hand: what was read, what is to be written,
// the parsed request. It belongs to one connection at a time; idle connections have none.
type desk struct {
	parser
	in      []byte // read; in[pos:] is not used up yet
	pos     int
	scanned int    // octets of in[pos:] that were searched for the end of a head
	out     []byte // to be written
	inline  Inline // nil: the server has no Answerer
	asked   bool   // inline has been asked since its last Sent
}

const (
	// inRoom is the usual room for what is read: a batch of sixteen small requests, or one with cookies.
	inRoom = 4 << 10
	// outRoom is the usual room for what is written; appending makes more when it is needed.
	outRoom = 4 << 10
	// maxKept is the room above which a desk's buffers are not kept for the next connection.
	maxKept = 64 << 10
	// smallPiece is up to where copying costs less than a second entry for the kernel to walk.
	smallPiece = 8 << 10
	// fullOut is how much of a Handler's answer gathers before it is sent unasked.
	fullOut = 16 << 10
	// fullBatch is how much is answered before it is sent, however many requests are left.
	fullBatch = 32 << 10
)

func (e *engine) newDesk() any {
	d := &desk{in: make([]byte, 0, inRoom), out: make([]byte, 0, outRoom)}
	d.fields = make(message.Fields, 0, fieldRoom)
	if e.answerer != nil {
		d.inline = e.answerer.Inline()
	}
	return d
}

// desk borrows one.
func (e *engine) desk() *desk { return e.desks.Get().(*desk) }

// giveBack takes a desk on which nothing lies any more.
func (e *engine) giveBack(d *desk) {
	d.sent()
	if cap(d.in) > inRoom || cap(d.out) > maxKept || cap(d.fields) > 8*fieldRoom {
		return // the pool would keep it for requests that do not need it
	}
	d.in, d.out, d.pos, d.scanned = d.in[:0], d.out[:0], 0, 0
	e.desks.Put(d)
}

// ask offers the parsed request to the inline answerer and contains a panic: then that may be in any state. What it
// appends to dst is to be taken only when ok.
func (d *desk) ask(e *engine, dst []byte) (out []byte, rest Rest, ok, panicked bool) {
	d.asked = true
	defer func() {
		if p := recover(); p != nil {
			ok, panicked = false, true
			e.log.Error("BUG: inline answerer panicked", "panic", p, "host", d.req.Host, "path", d.req.Path, "stack", string(debug.Stack()))
		}
	}()
	out, rest, ok = d.inline.Answer(dst, &d.req)
	return out, rest, ok, false
}

// sent tells the inline answerer that its batch is out of its hands.
func (d *desk) sent() {
	if d.asked {
		d.asked = false
		d.inline.Sent()
	}
}

// rest is what has been read and not used up.
func (d *desk) rest() []byte { return d.in[d.pos:] }

// use takes n octets away.
func (d *desk) use(n int) {
	d.pos += n
	d.scanned = 0
	if d.pos == len(d.in) {
		d.in, d.pos = d.in[:0], 0
	}
}

// room makes space behind what has been read: at least one octet, at most up to limit octets in all.
func (d *desk) room(limit int) []byte {
	if d.pos > 0 && (len(d.in) == cap(d.in) || d.pos > cap(d.in)/2) {
		d.in = d.in[:copy(d.in, d.in[d.pos:])]
		d.pos = 0
	}
	if len(d.in) == cap(d.in) {
		bigger := make([]byte, len(d.in), min(2*cap(d.in), max(limit, cap(d.in)+1)))
		copy(bigger, d.in)
		d.in = bigger
	}
	return d.in[len(d.in):cap(d.in)]
}

// gather puts a piece of a body behind what is to be written, unless it is large. full tells that it is time to
// write, large behind the rest.
func (d *desk) gather(p []byte) (large []byte, full bool) {
	if len(p) < smallPiece {
		d.out = append(d.out, p...)
		p = nil
	}
	return p, p != nil || len(d.out) >= fullOut
}
