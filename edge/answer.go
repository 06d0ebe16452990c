package edge

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
)

// Plain hits, answered by the engine on the way (httpserver.Inline). What Answer writes is what Serve
// would have written, octet for octet but for the id; whatever is not a plain hit it leaves to Serve:
// conditions, ranges, errors, stale objects, redirects, everything that an edge answers itself.
//
// A decision is the same as Serve's (S3): the ticket is opened before the snapshot is read, the object
// is judged on that snapshot with a clock read now, and the ticket stays open until the engine says
// that the head is in the socket's hands. The answers of one batch share a ticket, and with it a
// snapshot: an older snapshot is as good as the newest for as long as its ticket is open, because
// nothing that came after it is acknowledged before the ticket closes (E3). A batch is what one read
// brought, so a ticket is open for as long as a handful of lookups and one write take.

// copiedBody is up to where a body is copied behind its head although it could be written from its place.
const copiedBody = 8 << 10

// A body that lies on disk is read for each hit up to copiedFar octets. Where the kernel can send it from the file it does so
// from leastSent octets on: for 8 KiB the second call costs what copying does, for 16 KiB four fifths of it.
const (
	leastSent = 16 << 10
	copiedFar = 64 << 10
)

// Inline implements httpserver.Answerer.
func (e *Edge) Inline() httpserver.Inline {
	lender, ok := e.store.(cache.Lender)
	if !ok {
		return never{} // it has nothing to answer from without copying it first, and Serve does that as well
	}
	a := &inline{e: e, lender: lender}
	a.visit.e = e
	a.visit.main.key = make([]byte, 0, 512)
	return a
}

// inline is one goroutine's answerer. Its visit is never lived: it lends its steps.
type inline struct {
	e      *Edge
	lender cache.Lender
	ticket ticket
	visit  visit
	object cache.View // on loan while Answer runs

	assumed bool // it is alive: nobody knows (isolation.go)

	subject invalidation.Subject
	kind    []byte    // Content-Type of the last answer
	body    []byte    // of the last answer by HTTP/2, if it is small
	far     []byte    // what was read from disk for the last answer
	part    disk.Part // or what is sent of it from there
}

// never declines.
type never struct{}

func (never) Answer(dst []byte, _ *httpserver.Request) ([]byte, httpserver.Rest, bool) {
	return dst, httpserver.Rest{}, false
}
func (never) Sent()                    {}
func (never) Done(int64, bool)         {}
func (never) Later() func(int64, bool) { return func(int64, bool) {} }

// Answer implements httpserver.Inline.
func (a *inline) Answer(dst []byte, r *httpserver.Request) (out []byte, rest httpserver.Rest, ok bool) {
	v := &a.visit
	if partial(r.Fields) {
		return dst, rest, false
	}
	if a.ticket.snap == nil {
		a.ticket = a.e.open()
	}
	v.now = a.e.now()
	v.x = Exchange{Start: v.now, Edge: a.e.cfg.Name, Pop: a.e.cfg.Location, Request: &r.Request, Stripe: a.ticket.stripe}
	v.ticket, v.r = a.ticket, r
	ok = a.plainHit() && a.reach(r.Method == "HEAD")
	v.ticket, v.r = ticket{}, nil // the ticket is the batch's
	if !ok {
		return dst, rest, false
	}
	defer a.lender.Return(&a.object)
	a.object.Mark.Used()
	a.e.recent.note(a.ticket.stripe, v.now, v.main.key)
	if r.Major == 2 {
		out, rest = a.write2(dst, r.Method == "HEAD")
	} else {
		out, rest = a.write(dst, r.Method == "HEAD")
	}
	if len(rest.Octets) == 0 && rest.File == nil {
		a.observe()
	}
	return out, rest, true
}

// Done implements httpserver.Inline: a body that was sent from its place is out, or cut.
func (a *inline) Done(sent int64, cut bool) {
	if a.part.Lent() {
		a.part.Return()
	}
	x := &a.visit.x
	x.Bytes, x.Aborted = sent, cut
	if x.Request.Major != 2 { // there it is out at once
		x.Duration = a.visit.since()
	}
	a.observe()
}

// Later implements httpserver.Inline: what has become of the exchange is known when others have been answered.
func (a *inline) Later() func(sent int64, cut bool) {
	e, x, r := a.e, a.visit.x, *a.visit.x.Request
	a.visit.x = Exchange{}
	r.Fields = slices.Clone(r.Fields)
	x.Request, x.ID, x.ContentType = &r, strings.Clone(x.ID), strings.Clone(x.ContentType)
	return func(sent int64, cut bool) {
		x.Bytes, x.Aborted = sent, cut
		x.Duration = e.now().Sub(x.Start)
		e.cfg.Observe(&x)
	}
}

func (a *inline) observe() {
	a.e.cfg.Observe(&a.visit.x)
	a.visit.x = Exchange{}
}

// Sent implements httpserver.Inline.
func (a *inline) Sent() { a.ticket.close() }

// plainHit goes Serve's way as far as it leads straight to a fresh object with a prepared block, which is then
// on loan.
func (a *inline) plainHit() bool {
	v := &a.visit
	q := &v.main
	if v.pin(q) != nil {
		return false
	}
	if _, past := v.passes(q); past {
		return false
	}
	if q.site.RFC {
		return false // requests have a say there
	}
	q.key = q.behavior.AppendKey(q.key[:0], q.site.Distribution, q.req)
	if !a.lender.Lend(a.ticket.stripe, q.key, &a.object) &&
		!(a.sends() && a.e.loadHead(a.ticket.snap, q.key) && a.lender.Lend(a.ticket.stripe, q.key, &a.object)) {
		return false
	}
	if !a.usable(q, v.now) || v.ticket.dead() {
		a.lender.Return(&a.object)
		return false
	}
	return true
}

// reach has the body at hand of an object of which memory has the head only, if that can be done on the spot. Otherwise the
// object is given back. What is read is what was written, or is not taken (disk.ReadNow, disk.Lend).
func (a *inline) reach(head bool) bool {
	o := &a.object
	if o.Far == (cache.Far{}) || head {
		return true
	}
	if v := &a.visit; o.Size >= a.e.cfg.leastSent && a.sends() {
		var ok bool
		if a.part, ok = a.e.disk.Lend(v.ticket.stripe, o.Far, v.main.key, o.Size, o.Proved, v.now); !ok {
			a.lender.Return(o)
		}
		return ok
	}
	if o.Size > copiedFar {
		a.lender.Return(o)
		return false
	}
	body, grown, ok := a.e.disk.ReadNow(o.Far, a.visit.main.key, o.Size, a.far)
	a.far = grown
	if !ok {
		a.lender.Return(o)
		return false
	}
	o.Body, o.Kept = body, true
	return true
}

// sends tells whether the viewer's connection takes bodies from the file.
func (a *inline) sends() bool { r := a.visit.r; return r.Major == 1 && r.TLS == nil }

// usable is judge, where all but one verdict are left to Serve.
func (a *inline) usable(q *query, now time.Time) bool {
	o := &a.object
	began := time.Duration(o.FetchStart.UnixNano())
	return len(o.Block) > 0 && o.Epoch == q.snap.life && a.alive(q.site) && int64(began) >= q.site.wrote.Load() &&
		a.warranted(q.site, began) && o.Fresh.IsFresh(now)
}

// warranted is allows.
func (a *inline) warranted(x *site, began time.Duration) bool {
	w := a.e.allows(x, began)
	a.assumed = w == assumed
	return w != none
}

// alive is check.
func (a *inline) alive(x *site) bool {
	o := &a.object
	checked := o.Checked()
	if checked >= x.newest {
		return true
	}
	o.Subject(&a.subject)
	if x.index.Match(&a.subject, checked) != 0 {
		return planted(hitUnchecked)
	}
	if x.soft.Match(&a.subject, checked) != 0 {
		return false
	}
	o.Mark.SetChecked(x.newest)
	return true
}

// write lays the answer out and completes the exchange.
func (a *inline) write(dst []byte, head bool) (out []byte, rest httpserver.Rest) {
	o := &a.object
	dst = append(append(dst, o.Block...), a.closing().one...)
	at := len(dst)
	dst = appendID(dst)
	id := dst[at:len(dst):len(dst)]
	dst = append(dst, "\r\nAge: "...)
	dst = strconv.AppendInt(dst, int64(o.Fresh.Age(a.visit.now)/time.Second), 10)
	dst = append(dst, "\r\n\r\n"...)
	switch {
	case head:
	case a.part.Lent():
		rest = httpserver.Rest{File: &a.part}
	case !o.Kept || len(o.Body) <= copiedBody:
		dst = append(dst, o.Body...)
	default:
		rest = httpserver.Rest{Octets: o.Body, Pages: o.Pages, Brief: o.Far != cache.Far{}}
	}
	a.complete(id, head)
	return dst, rest
}

// write2 is write for HTTP/2: a header block, whose age and id are literals without indexing; the engine frames
// the body.
func (a *inline) write2(dst []byte, head bool) (out []byte, rest httpserver.Rest) {
	o := &a.object
	dst = append(append(dst, o.Block2...), a.closing().two...)
	at := len(dst)
	dst = appendID(dst)
	id := dst[at:len(dst):len(dst)]
	dst = append(dst, 0x0f, 21-15, 0) // Age is the 21st name of the static table
	at = len(dst)
	dst = strconv.AppendInt(dst, int64(o.Fresh.Age(a.visit.now)/time.Second), 10)
	dst[at-1] = byte(len(dst) - at)
	switch {
	case head:
	case o.Kept:
		rest = httpserver.Rest{Octets: o.Body, Pages: o.Pages, Brief: o.Far != cache.Far{}}
	default:
		a.body = append(a.body[:0], o.Body...)
		rest = httpserver.Rest{Octets: a.body, Brief: true}
	}
	a.complete(id, head)
	return dst, rest
}

// complete says what has become of the exchange.
func (a *inline) complete(id []byte, head bool) {
	x, o := &a.visit.x, &a.object
	if !head {
		x.Bytes = o.Size
	}
	x.Outcome, x.Reason, x.Status = Hit, Fresh, o.Status
	if a.assumed {
		x.Reason = IsolationServeStale
	}
	x.ID = unsafe.String(unsafe.SliceData(id), len(id)) // an Exchange is valid during Observe, as long as dst
	a.kind = append(a.kind[:0], o.ContentType...)
	x.ContentType = unsafe.String(unsafe.SliceData(a.kind), len(a.kind)) // as long as ID
	x.FirstByte = a.visit.since()
	x.Duration = x.FirstByte
}

// partial tells whether the request may get anything but the whole object.
func partial(f message.Fields) bool {
	for i := range f {
		if conditional(f[i].Name) {
			return true
		}
	}
	return false
}

// blocks prepares what a plain hit sends of an object, by HTTP/1.1 and by HTTP/2: everything up to the edge's own fields. It
// returns nil for what is no plain hit.
func (e *Edge) blocks(status int, fields message.Fields, length int) (one, two []byte) {
	if status < 200 || status >= 400 || status == 204 || status == 206 || status == 304 {
		return nil, nil
	}
	one = httpserver.AppendHead(nil, status, fields, int64(length))
	two = httpserver.AppendBlock(nil, status, fields, int64(length))
	return bytes.Clone(one), bytes.Clone(two)
}

// closing is what follows a prepared block, by HTTP/1.1 and by HTTP/2, up to the hit's id. It is the same for all objects: with
// each of them it would be a third of what a small one takes in memory, and of what a hit has to fetch from there.
type closing struct{ one, two []byte }

const (
	// idLine is how the line begins that ends it.
	idLine = "X-Amz-Cf-Id: "
	// idLiteral is the same for HTTP/2: a literal without indexing, with a new name of 11 octets, and a value of 56.
	idLiteral = "\x00\x0bx-amz-cf-id\x38"
)

// closing is that of the answer under way: the object may be older than the wish for HTTP/3.
func (a *inline) closing() *closing {
	if a.e.announces(a.visit.main.site) {
		return &a.e.announcing
	}
	return &a.e.closing
}

func (e *Edge) closingOf(announced bool) (c closing) {
	fields := e.signed(nil, Hit, announced)
	begin := len(httpserver.AppendHead(nil, 200, nil, -1))
	c.one = append(httpserver.AppendHead(nil, 200, fields, -1)[begin:], idLine...)
	for _, f := range fields {
		c.two = httpserver.AppendBlockField(c.two, f.Name, f.Value)
	}
	c.two = append(c.two, idLiteral...)
	return c
}

// appendID appends what newID returns.
func appendID(dst []byte) []byte {
	var raw [40]byte
	for i := 0; i < len(raw); i += 8 {
		binary.LittleEndian.PutUint64(raw[i:], rand.Uint64())
	}
	return base64.URLEncoding.AppendEncode(dst, raw[:])
}
