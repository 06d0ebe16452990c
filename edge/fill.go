package edge

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/pages"
	"github.com/warmfront/warmfront/origin"
)

// run is the flight's goroutine: one fetch, its head to all readers, its octets as they come, and
// then into the store.
func (f *flight) run() {
	defer f.finish()
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = f.broken(p)
		}
		f.vacate()
		f.spend()
		f.end(err)
		if f.large {
			f.e.disperse()
		}
	}()
	err = f.fill()
}

// broken contains a mistake of ours to the requests that it concerns.
func (f *flight) broken(p any) error {
	f.e.log.Error("BUG: fill panicked", "panic", p, "distribution", f.site.ID, "path", f.request.Path, "stack", string(debug.Stack()))
	f.mu.Lock()
	begun := f.head != nil
	f.mu.Unlock()
	if !begun {
		f.begin(&head{status: failures[Internal].status, failure: Internal, outcome: Failed, reason: Internal})
	}
	return errBroken
}

func (f *flight) fill() error {
	if f.cut != nil {
		return f.fillSlice()
	}
	old := f.askable()
	resp, err := f.fetch(old)
	if err == nil && resp.Status == 304 && old != nil && (f.above != nil || f.knows(f.asked, f.old.Fields)) {
		if was, _ := original(f.old.Fields); f.above != nil || httpcache.Confirms(was, resp.Fields) {
			defer resp.Body.Close()
			f.renew(resp)
			return nil
		}
		// A 304 about something else than what was asked about: ask again, without a condition.
		resp.Body.Close()
		resp, err = f.fetch(nil)
	}
	if err == nil && f.part != nil && resp.Status != 200 && !f.combine(resp) {
		resp.Body.Close() // it may be about the range: ask for the whole
		f.part = nil
		resp, err = f.fetch(nil)
	}
	if err != nil {
		return f.failed(err)
	}
	body, taken := resp.Body, false
	defer func() {
		if !taken {
			body.Close()
		}
	}()
	if resp.Status == 304 { // to a question without a condition
		return f.failed(&origin.Error{Kind: origin.Invalid, Op: "ask", Err: errUnasked})
	}
	if resp.Status >= 500 && f.fallBack(failing(resp.Status), met{status: resp.Status}, f.errorTTL(resp.Status), resp.FirstByte) {
		return nil
	}
	h := f.judge(resp)
	f.forgetGone(h)
	taken = h.object != nil // a map: who walks through the slices reads on
	defer f.compress(resp, h)()
	f.begin(h)
	if taken {
		return nil
	}
	return f.pump(resp, h)
}

// fetch asks the origin, or a second one in its place; with old, whether that is still good. old is alive at
// f.stamp: lookup never hands a dead object on (S1).
func (f *flight) fetch(old *cache.Object) (resp *origin.Response, err error) {
	t := f.tollOf(old)
	t.paid, f.prepaid = f.prepaid, false
	route, paid := f.upwards(), true
	if len(route) > 0 {
		paid = t.paid // its own origin's turn is for who asks that
	} else if err := t.pass(f.ctx); err != nil { // before patience begins to run out: the origin is not asked yet
		f.asked, f.retry, f.unasked = f.behavior, t.retryAfter(), true
		return nil, err
	}
	resp, f.asked, err = f.patiently(func(ctx context.Context, second bool) (*origin.Response, *distribution.Behavior, error) {
		if !second {
			if resp, asked, err, ok := f.up(ctx, route, old); ok {
				return resp, asked, err
			}
		}
		t := t
		t.paid = paid && !second
		return f.e.consult(ctx, t, f.site, f.behavior, f.request.Method, func(b *distribution.Behavior) *origin.Request {
			return f.question(b, old)
		})
	})
	f.above = nil
	if err == nil {
		f.above = toldBy(resp)
		t.answered(resp.Status)
		return resp, nil
	}
	t.answered(0)
	if errors.Is(err, errPaced) && !f.unasked {
		f.retry = t.retryAfter()
	}
	return nil, err
}

// question is what the origin of b is asked.
func (f *flight) question(b *distribution.Behavior, old *cache.Object) *origin.Request {
	fw := b.Forward(f.site.Distribution, f.request)
	fields := f.e.hopped(fw.Fields, f.request, f.id)
	if f.site.Targeted {
		fields = capable(fields)
	}
	return &origin.Request{
		Method: f.request.Method, Path: fw.Path, Query: fw.Query, HasQuery: fw.HasQuery,
		Host: fw.Host, Scheme: f.request.Scheme, Fields: f.conditions(b, old, fields),
	}
}

// conditions adds which part is wanted, and what is known already.
func (f *flight) conditions(b *distribution.Behavior, old *cache.Object, fields message.Fields) message.Fields {
	if f.span != "" {
		fields.Add("Range", f.span)
	}
	if f.part != nil && f.part.Fields.Get(ofField) == whose(b.Origin) {
		rest, _ := httpcache.Rest(f.part.Fields, int64(len(f.part.Body)))
		fields = append(fields, rest...)
	}
	if f.cut != nil {
		fields = append(fields, f.cut.is.Ask(f.cut.n)...)
	}
	if old != nil && f.knows(b, old.Fields) {
		was, _ := original(old.Fields)
		fields = append(fields, f.validators(was)...)
	}
	return fields
}

// failing says what a status from 500 on means. One beyond 599 is no HTTP (RFC 9110 section 15): no answer.
func failing(status int) httpcache.StaleUse {
	if status > 599 {
		return httpcache.OnUnreachable
	}
	return httpcache.OnError
}

// hopped adds what an origin gets from this edge itself.
func (e *Edge) hopped(fields message.Fields, r *message.Request, id string) message.Fields {
	hop := "1.1 " + e.hop
	if r.Major >= 2 {
		hop = "2.0 " + e.hop
	}
	if via := r.Fields.Joined("Via"); via != "" {
		hop = via + ", " + hop // kept, so that a circle of CDNs is noticed
	}
	fields.Set("Via", hop)
	fields.Set("X-Amz-Cf-Id", id)
	loop := "CloudFront"
	if before := r.Fields.Joined("CDN-Loop"); before != "" {
		loop = before + ", " + loop
	}
	fields.Set("CDN-Loop", loop)
	return fields
}

// vacate gives back the flight's place among MaxFills, once. It is done before anybody hears that nothing more is
// fetched: a viewer who goes on with a slice needs a place at once.
func (f *flight) vacate() {
	if !f.vacated {
		f.vacated = true
		f.e.flights.count.Add(-1)
	}
}

// begin publishes the head.
func (f *flight) begin(h *head) {
	if h.object != nil {
		f.vacate()
	} else if !h.keep {
		f.spend() // nothing comes in its place
	}
	f.mu.Lock()
	f.head, f.touched = h, f.e.clock()
	if f.tape.whole = h.keep; h.keep {
		f.tape.blank = f.e.blank
	}
	if !h.forAll {
		f.closed = true
	}
	if h.failure == 0 && !h.sliced && f.cut == nil && f.span == "" && h.noStore != httpcache.RequestNoStore {
		f.e.flights.shy.note(f.manner(), f.e.clock(), !h.forAll)
	}
	drop := len(f.readers) == 0 && !f.worthFinishing()
	landed := f.done()
	f.notify()
	f.mu.Unlock()
	if !h.forAll && !h.keep {
		f.e.flights.withdraw(f) // others need not find it and be turned away
	}
	if landed {
		f.e.flights.landed(f)
	}
	if drop {
		f.cancel()
	}
}

// pump carries the body.
func (f *flight) pump(resp *origin.Response, h *head) error {
	for {
		p, err := f.room(h)
		if err != nil {
			return err
		}
		if p == nil { // all that was announced is there: it must end here
			var more [1]byte
			if n, err := resp.Body.Read(more[:]); n > 0 || err != io.EOF {
				return cmp.Or(err, errLong)
			}
			return f.complete(h)
		}
		n, err := resp.Body.Read(p)
		f.wrote(n)
		switch {
		case err == io.EOF:
			return f.complete(h)
		case err != nil:
			// Never stored, and everybody's answer is cut where they can see it.
			return err
		}
	}
}

// room returns where to read to, nil when the announced length is reached. A body that turns out too
// large, or for which there is no memory, is no longer kept: from there on its readers take it
// through a window.
func (f *flight) room(h *head) ([]byte, error) {
	defer f.landIfDone()
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.length >= 0 && f.tape.size >= h.length {
		return nil, nil
	}
	if f.tape.whole && f.tape.size >= f.e.cfg.MaxObject {
		f.letGo()
	}
	if len(f.readers) == 0 && !f.worthFinishing() {
		return nil, context.Canceled
	}
	for !f.tape.whole {
		least := f.slowest()
		f.hold(-f.tape.trim(least))
		if f.tape.size-least < f.window() {
			break
		}
		if err := f.awaitSlowest(least); err != nil {
			return nil, err
		}
	}
	if f.tape.whole && f.tape.full() && max(h.length, f.tape.size) >= tapeChunk {
		if f.large = true; f.e.crowded() {
			f.letGo()
		}
	}
	had := f.tape.paged
	p, grown := f.tape.room(h.length)
	f.e.flights.paged.Add(f.tape.paged - had)
	if f.hold(grown) > f.e.cfg.FillMemory {
		f.letGo()
	}
	return p, nil
}

// hold counts octets that the flight's body takes from now on, or fewer than nothing, and returns what all take that are to
// be stored; 0 if this one is not. With f.mu.
func (f *flight) hold(n int64) (kept int64) {
	f.tape.reserved += n
	f.e.flights.bytes.Add(n)
	if f.tape.whole {
		return f.e.flights.kept.Add(n)
	}
	return 0
}

// letGo ends the collecting of the body: from here on the flight cannot store. With f.mu.
func (f *flight) letGo() {
	if f.tape.whole {
		f.e.flights.kept.Add(-f.tape.reserved)
	}
	f.tape.whole, f.closed = false, true
}

// window is how far a fill that is not kept may run ahead of its slowest reader: less, when all of them take as much as they may.
func (f *flight) window() int64 {
	if t := f.e.flights; t.bytes.Load()-t.kept.Load()+t.lent.Load() > f.e.cfg.FillMemory {
		return tapeChunk
	}
	return tapeWindow
}

// awaitSlowest waits for a change of a flight whose window is full since its slowest reader is at least. One who does not get on
// for silence must not be everybody's pace: if others wait it is cut off. With f.mu.
func (f *flight) awaitSlowest(least int64) error {
	now := f.e.clock()
	if f.stuck.at != least || f.stuck.since == 0 {
		f.stuck.at, f.stuck.since = least, now
	}
	left := silence - (now - f.stuck.since)
	if left <= 0 && f.cutOff(least) {
		return nil
	}
	if left <= 0 {
		left = silence
	}
	t := time.AfterFunc(left, func() {
		f.mu.Lock()
		f.notify()
		f.mu.Unlock()
	})
	defer t.Stop()
	return f.await(f.ctx)
}

// cutOff takes the readers off that are at least and have decided, if another has all that there is and waits. With f.mu.
func (f *flight) cutOff(least int64) (any bool) {
	waits := func(r *reader) bool { return r.off >= f.tape.size && r.lent == 0 && !r.pending }
	if !slices.ContainsFunc(f.readers, waits) {
		return false
	}
	f.readers = slices.DeleteFunc(f.readers, func(r *reader) bool {
		r.behind = r.off == least && !r.pending
		any = any || r.behind
		return r.behind
	})
	return any
}

// slowest returns how far every reader has come. With f.mu.
func (f *flight) slowest() int64 {
	least := f.tape.size
	for _, r := range f.readers {
		least = min(least, r.off)
	}
	return least
}

// wrote publishes n octets.
func (f *flight) wrote(n int) {
	f.mu.Lock()
	f.tape.wrote(n)
	if n > 0 {
		f.touched = f.e.clock()
		f.notify()
	}
	f.mu.Unlock()
}

// complete ends a body that came whole, and stores it.
func (f *flight) complete(h *head) error {
	f.mu.Lock()
	size := f.tape.size
	var body []byte
	var in *pages.Octets
	if f.tape.whole && (h.length < 0 || size == h.length) {
		body, in = f.tape.body()
		f.sealed = true
	}
	sealed := f.sealed
	f.mu.Unlock()
	if h.length >= 0 && size != h.length {
		return errShort
	}
	if !sealed {
		return nil
	}
	o := f.object(h.status, f.marked(h.shared), body, h.fresh)
	o.Pages = in
	f.put(o, fetched)
	f.readStored(o)
	if f.part != nil {
		f.e.drop(f.part)
	}
	return nil
}

// readStored lets those who still read the body do so where the store has it, be it only there that it takes memory.
func (f *flight) readStored(o *cache.Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept && o.Pages != nil && f.tape.pages == nil && len(f.tape.chunks) == 1 && f.tape.base == 0 {
		f.tape.chunks[0], f.tape.pages = o.Body[:len(o.Body):len(o.Body)], o.Pages
	}
}

// object makes what this flight stores; its stamp is the flight's.
func (f *flight) object(status int, fields message.Fields, body []byte, fresh httpcache.Freshness) *cache.Object {
	if f.span != "" {
		fields = f.marked(append(unmarked(fields).Clone(),
			message.Field{Name: spanField, Value: f.span}, message.Field{Name: ofField, Value: whose(f.asked.Origin)}))
	}
	var one, two []byte
	if !f.site.RFC && !leads(fields, mapField) {
		one, two = f.e.blocks(status, unmarked(fields), len(body))
	}
	o := &cache.Object{
		Key: f.key, Distribution: f.site.ID, Subject: *f.subject.Load(),
		Stamp: f.stamp, Epoch: f.life, FetchStart: instant(f.since),
		Status: status, Fields: fields, Block: one, Block2: two, Body: body, Fresh: fresh,
	}
	o.Describe()
	if f.part != nil {
		o.Stamp = min(o.Stamp, f.part.Stamp) // L2
		o.SetChecked(f.stamp)                // both are alive up to there
	}
	return o
}

// put is S2. What a rule has overtaken is not stored. A rule that is applied between the look and the
// store does no harm: the object then lies there with its small stamp, dead for every lookup, until
// the sweeper finds it, and the rule is kept until then because this flight has not landed.
func (f *flight) put(o *cache.Object, how coming) {
	s := f.e.snap.Load()
	o.Stamp = rules.Stamp(o.Stamp, s.seq)
	if planted(packedAnew) && leads(f.marks, codingField) {
		o.Stamp = s.seq
	}
	site := s.sites.of(o.Distribution)
	if site == nil || !rules.Stores(o.Epoch, s.life, site.index.Match(&o.Subject, o.Checked())) {
		return
	}
	f.shard.pen.Lock()
	defer f.shard.pen.Unlock()
	if how == heldOn && f.surpassed() {
		return
	}
	if f.e.flights.claim(f) {
		f.e.keep(o, how)
		f.kept = true
	}
}

// failed makes the answer for an origin that could not be asked.
func (f *flight) failed(err error) error {
	why, status := failureOf(err)
	if why == ViewerGone {
		return nil // cancelled: nobody waits
	}
	f.e.noteFailure(f.site, f.asked, why, err)
	pause := f.pause(status, err)
	if f.fallBack(httpcache.OnUnreachable, met{why: why}, pause, 0) {
		return nil
	}
	if f.site.RFC && f.old != nil && f.old.Fresh.MustRevalidate {
		status = 504 // RFC 9111 section 5.2.2.2: what cannot be validated is an error, preferably this one
	}
	h := &head{status: status, failure: why, outcome: Failed, reason: why, forAll: true, noStore: httpcache.StatusNotCacheable, from: f.asked.Origin.ID, retry: f.retry}
	// The failure is an object like any other (S4): for the error caching minimum, nobody asks again. Of an origin
	// that has seen a range it may be about that, and who asks for the whole must not find it.
	if unreached(why) {
		f.isWhole()
	}
	if pause > 0 && !f.alone && f.span == "" {
		now := f.e.now()
		h.noStore = httpcache.Storable
		h.fresh = httpcache.Freshness{Stored: now, FreshUntil: now.Add(pause), MustRevalidate: true}
		f.put(f.object(status, failureFields(why), nil, h.fresh), fetched)
	}
	f.begin(h)
	return nil
}

// pause is for how long after a failure the origin is left alone: the error caching minimum. What was not even
// asked may be asked much sooner.
func (f *flight) pause(status int, err error) time.Duration {
	least := f.errorTTL(status)
	var oe *origin.Error
	switch {
	case errors.Is(err, errPaced):
		return 0 // the next viewer may be let through
	case errors.As(err, &oe) && oe.Retry > 0:
		return min(least, oe.Retry)
	}
	return least
}

// errorTTL is the error caching minimum: with a bucket a second at least, as of what a bucket answers
// (httpcache.Options.S3Origin).
func (f *flight) errorTTL(status int) time.Duration {
	least := f.site.ErrorTTL(status)
	if f.asked.Origin.S3 {
		least = max(least, time.Second)
	}
	return least
}

// unreached tells the failures that come before the origin has seen the request.
func unreached(why Reason) bool {
	return why == OriginDown || why == OriginDNS || why == OriginConnect || why == OriginConnectTimeout || why == OriginTLS
}

// noteFailure logs why an origin could not be asked.
func (e *Edge) noteFailure(x *site, b *distribution.Behavior, why Reason, err error) {
	level, message := slog.LevelDebug, "origin failed"
	if why == Internal {
		level, message = slog.LevelError, "BUG: no request to the origin"
	}
	e.log.Log(context.Background(), level, message, "distribution", x.ID, "origin", b.Origin.ID, "reason", why.String(), "err", err)
}

// failureOf names what went wrong at the origin, and the status that viewers get for it.
func failureOf(err error) (Reason, int) {
	var oe *origin.Error
	switch {
	case errors.Is(err, errPaced):
		return Paced, 503
	case !errors.As(err, &oe):
		return Internal, 502
	}
	switch oe.Kind {
	case origin.Busy:
		return OriginBusy, 503
	case origin.Down:
		_, status := failureOf(oe.Err) // as if it had been asked
		return OriginDown, status
	case origin.DNS:
		return OriginDNS, 502
	case origin.Connect:
		return OriginConnect, 502
	case origin.ConnectTimeout:
		return OriginConnectTimeout, 504
	case origin.TLS:
		return OriginTLS, 502
	case origin.ReadTimeout:
		return OriginReadTimeout, 504
	case origin.HeaderTooBig:
		return OriginHeaderTooBig, 502
	case origin.Closed:
		return OriginClosed, 502
	case origin.Unsendable:
		return Internal, 500
	case origin.Canceled:
		return ViewerGone, 502
	}
	return OriginInvalid, 502
}
