package httpserver

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/warmfront/warmfront/internal/h2"
)

// HTTP/2 (RFC 9113). The connection's goroutine, the reader, takes all complete frames that one read brought
// (h2frames.go), asks the inline answerer about each plain request on the way, and writes what has come
// of all of them in one write: heads and small bodies gather in the desk's out, as with HTTP/1.1.
//
// What is more than a plain hit has a stream (h2stream.go) and, in its Handler, a goroutine. Bodies that are
// larger than a frame, or than what the viewer's windows allow now, wait in the connection's queue; no
// goroutine waits with them when they were answered inline.
//
// Who sends (h2send.go). One goroutine at a time is at the socket; who has something to send either becomes
// the sender for one round, or leaves it to who is. What is left after a round goes on in a goroutine of its
// own, the writer, so that the reader reads on while a slow viewer takes its time. Meanwhile nothing is
// answered inline, because an inline answerer must not wait for a slow viewer's body (Inline.Sent).
//
// Locks. mu guards all that reader, sender and handlers share. It is never held across the socket or a call
// into another package.
type h2conn struct {
	c *conn
	e *engine

	// The reader's own.
	dec           *hpack.Decoder
	section       section
	block         h2block
	memo          h2memo
	greeted       bool  // the preface has come
	settled       bool  // the viewer's SETTINGS have come
	over          bool  // no frame is taken any more
	frameDue      int64 // when what has begun must be complete; 0: nothing has
	last          uint32
	used          uint64 // which streams up to last were opened: bit i is last-2i
	noise, resets h2.Budget
	spoiled       bool        // the desk's inline answerer has panicked
	handed        uint64      // the round that takes what was handed to out last
	starting      []*h2stream // whose handlers begin when the batch is sent

	handlers, writers sync.WaitGroup
	count             atomic.Int32 // of streams
	seen              atomic.Int64 // when octets came last, in the engine's time
	busy              atomic.Bool  // the writer is at the socket
	owed              atomic.Bool  // the next header block says that there is no dynamic table; cleared under mu

	mu       sync.Mutex
	cond     sync.Cond // for the reader: a round is over
	streams  map[uint32]*h2stream
	queue    []*h2stream // those that have something to send
	turns    h2.Turns
	win      h2.Window
	initial  int64     // window of a new stream, as the viewer wants it
	credit   h2.Credit // of the whole connection
	out      []byte    // to be sent before anything of the queue
	wire     []byte    // the sender's
	sending  bool
	started  uint64 // rounds of sending
	done     uint64
	earned   int // for the noise budget, since the reader last looked
	heads    heldHeads
	told     []endedBody // to be told to whoever has answered inline
	progress int64
	given    [64]uint32 // streams that were reset here, so that what is still under way for them is ignored
	dead     bool       // nothing is sent any more
	leaving  uint32     // what has been said of the end
	leaveDue int64      // when the second GOAWAY is due
	closing  int64      // since when the end is waited for; 0: it is not
	idle     bool       // IdleTimeout is over

	ctx    context.Context
	cancel context.CancelFunc
}

// What has been said of the end.
const (
	staying     uint32 = iota
	leavingSoon        // GOAWAY with the largest stream there can be, and a PING: what is under way is still welcome
	leavingNow         // GOAWAY with the last stream that counts
)

const (
	// h2Streams is how many requests of a connection are in hand at once, those included that the viewer has
	// given up but whose handler has not returned yet.
	h2Streams = 128
	// streamCredit and connCredit are how much of bodies a viewer may send ahead: what a stream, and all of
	// a connection, may hold.
	streamCredit = 64 << 10
	connCredit   = 1 << 20
	// maxContinuations bounds the frames of one header block.
	maxContinuations = 16
	// maxOut is how much may wait to be sent, besides bodies, before the reader stops reading.
	maxOut = 64 << 10
	// leaveTime is how long requests that were under way are waited for.
	leaveTime = time.Second
)

// What a viewer may do for nothing (h2.Budget): frames that ask for nothing, and streams given up.
var (
	noiseBudget = h2.Budget{Max: 1000, PerSecond: 100}
	resetBudget = h2.Budget{Max: 200, PerSecond: 20}
)

// octetsEarned is how many octets of bodies, either way, earn a frame for nothing: a viewer with a window of no more
// than a KiB opens it every few hundred octets.
const octetsEarned = 256

// http2 lives the rest of the connection.
func (c *conn) http2() {
	h := &h2conn{c: c, e: c.e, noise: noiseBudget, resets: resetBudget}
	h.cond.L = &h.mu
	h.streams = map[uint32]*h2stream{}
	h.win, h.initial = h2.DefaultWindow, h2.DefaultWindow
	h.credit = h2.NewCredit(connCredit)
	h.dec = hpack.NewDecoder(4096, h.field)
	h.ctx, h.cancel = context.WithCancel(c.e.base)
	h.frameDue = c.e.after(c.e.limits.ReadHeaderTimeout)
	h.seen.Store(c.e.now.Load())
	h.out = h2.AppendSettings(nil,
		h2.Value{Setting: h2.MaxConcurrentStreams, Value: h2Streams},
		h2.Value{Setting: h2.InitialWindowSize, Value: streamCredit},
		h2.Value{Setting: h2.MaxHeaderListSize, Value: uint32(2 * c.e.limits.MaxHeader)},
		h2.Value{Setting: h2.NoRFC7540Priorities, Value: 1})
	h.out = h2.AppendWindowUpdate(h.out, 0, connCredit-h2.DefaultWindow)
	c.h2.Store(h)
	if c.desk == nil {
		c.desk = c.e.desk()
	}
	for h.work() && h.more() {
	}
}

// prefaced tells whether b is, or may become, the preface of HTTP/2.
func prefaced(b []byte) (whole, maybe bool) {
	n := min(len(b), len(h2.Preface))
	maybe = n > 0 && string(b[:n]) == h2.Preface[:n]
	return maybe && n == len(h2.Preface), maybe
}

// more waits for octets.
func (h *h2conn) more() bool {
	c := h.c
	if c.e.yields {
		runtime.Gosched()
	}
	for {
		n, err := c.readOnce(nil, h.due())
		switch {
		case n > 0:
			c.desk.in = c.desk.in[:len(c.desk.in)+n]
			h.seen.Store(c.e.now.Load())
			return true
		case err == nil || !errors.Is(err, os.ErrDeadlineExceeded):
			return false // the viewer has gone
		}
		c.nc.SetReadDeadline(time.Time{}) // before looking why: whoever wakes has said it before
		if c.desk == nil {
			c.desk = c.e.desk()
		}
		if !h.woken() {
			return false
		}
	}
}

// due is when the reader must be woken.
func (h *h2conn) due() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.leaving != leavingSoon:
		return h.frameDue
	case h.frameDue != 0:
		return min(h.frameDue, h.leaveDue)
	}
	return h.leaveDue
}

// work takes every frame that is there completely, and sends what came of them. It reports whether the
// connection lives on.
func (h *h2conn) work() bool {
	d := h.c.desk
	for !h.over {
		b := d.rest()
		if !h.greeted {
			whole, maybe := prefaced(b)
			if len(b) == 0 || maybe && !whole {
				break
			}
			if !whole {
				h.fail(h2.NoPreface)
				break
			}
			d.use(len(h2.Preface))
			h.greeted = true
			continue
		}
		f, ok := h2.Parse(b)
		if !ok {
			h.partial(len(b) > 0, false)
			break
		}
		if fault := f.Check(); fault != nil {
			h.fail(fault)
			break
		}
		n := h2.HeaderLen + f.Length
		if len(b) < n {
			h.partial(true, f.Type == h2.Data)
			break
		}
		h.frameDue = 0
		if fault := h.take(f, b[h2.HeaderLen:n]); fault != nil {
			h.fail(fault)
			break
		}
		d.use(n)
		if len(d.out) >= fullBatch && !h.flush() {
			return false
		}
	}
	return h.flush() && !h.over
}

// partial notes until when a frame, or a header block, must be complete. Slow is not forbidden for a body as
// long as octets come.
func (h *h2conn) partial(begun, data bool) {
	l := &h.e.limits
	switch {
	case h.block.open:
		h.frameDue = h.block.due
	case !begun && h.settled:
		h.frameDue = 0
	case data:
		h.frameDue = h.e.after(l.ReadBodyTimeout)
	case h.frameDue == 0:
		h.frameDue = h.e.after(l.ReadHeaderTimeout)
	}
}

// fail ends the connection with a GOAWAY that says why.
func (h *h2conn) fail(f *h2.Fault) {
	if h.over {
		return
	}
	h.over = true
	h.e.log.Debug("http/2 connection given up", "remote", h.c.remote, "code", f.Code.String(), "why", f.Why)
	why := strings.Clone(f.Why)
	h.mu.Lock()
	h.queue = nil // bodies have no end any more that a viewer could believe
	h.mu.Unlock()
	h.c.desk.out = h2.AppendGoAway(h.c.desk.out, h.last, f.Code, why)
	h.c.lingers = true
}
