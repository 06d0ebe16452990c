package edge

import (
	"context"
	"errors"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/tier"
)

// answer is what a response is made of, and what Decide goes by.
type answer struct {
	status  int
	fields  message.Fields
	length  int64
	outcome Outcome
	reason  Reason
	asked   Reason // why the origin was asked, where reason is what came of it
	met     met    // and what that was, where this is a stale object
	noStore httpcache.NoStoreReason
	latency time.Duration
	from    string // id of the origin that was asked; "": none was, for this
	age     string // with which it has just come from the origin; that of a hit is in fresh

	// The body: complete, or from a flight, or straight from the origin; or made here for a failure.
	body    []byte
	reader  *reader
	stream  *stream
	walk    *walk
	failure Reason
	failed  bool
	retry   int  // of a failure: seconds after which it may be tried again; 0: not said
	plain   bool // neither conditional nor in parts: it is not what was asked for

	// Evidence: what rules are compared with (L3). life is "" when there is nothing to decide.
	object  *cache.Object // evidence is in it
	life    string
	stamp   uint64
	began   time.Duration
	subject *invalidation.Subject
	fresh   httpcache.Freshness
	on      *Snap // it has been decided on this one
}

// state is what lookup thinks of an object.
type state uint8

const (
	usable       state = iota // alive and fresh
	usableStale               // alive, stale, and the origin is to be asked in the background
	usableHeld                // alive, stale, and the origin has failed a moment ago
	usableMarked              // alive, and marked stale: good while it is being revalidated
	stale                     // alive, to be revalidated
	fenced                    // alive for all that is known, but too little is known (L5)
	dead
	overwritten // an unsafe request came after it
)

// check returns the number of a rule that kills the object, 0 when it is alive (L3). For one that was
// checked against the newest rule it is one comparison.
func (x *site) check(o *cache.Object) (rule uint64) {
	checked := o.Checked()
	if checked >= x.newest {
		return 0
	}
	if rule = x.index.Match(&o.Subject, checked); rule == 0 && x.marks(o.Status, &o.Subject, checked) == 0 {
		o.SetChecked(x.newest)
	}
	return rule
}

// checkSight is check for an object as Range shows it.
func (x *site) checkSight(o *cache.Sight) (rule uint64) {
	checked := o.Checked()
	if checked >= x.newest {
		return 0
	}
	if rule = x.index.Match(&o.Subject, checked); rule == 0 && x.marks(o.Status, &o.Subject, checked) == 0 {
		o.SetChecked(x.newest)
	}
	return rule
}

// judge looks at an object on the pinned snapshot. rule is the one that kills it, or marks it stale.
func (e *Edge) judge(q *query, o *cache.Object, now time.Time) (st state, rule uint64) {
	if o.Epoch != q.snap.life {
		return dead, 0
	}
	if rule = q.site.check(o); rules.Kills(rule) {
		return dead, rule
	}
	e.confirm(q.site, &o.Subject, o.Stamp)
	switch {
	case e.overwritten(q.site, &o.Subject, began(o)):
		return overwritten, 0
	case e.allows(q.site, began(o)) == none:
		return fenced, 0
	}
	if rule = q.site.marked(o); rule != 0 {
		return judgeMarked(o, now), rule
	}
	switch {
	case o.Fresh.IsFresh(now):
		return usable, 0
	case o.Fresh.Held(now):
		return usableHeld, 0
	case o.Fresh.MayServeStale(now, httpcache.WhileRevalidating) == httpcache.StaleAllowed:
		return usableStale, 0
	}
	return stale, 0
}

// obtain finds an answer in the cache or fetches one. A hit leaves the ticket open; a fetch closes it,
// unless this is the final attempt.
func (v *visit) obtain(q *query, slot int) (*answer, step) {
	o := v.e.find(q)
	if q.site.RFC {
		return v.obtainStrict(q, o, slot)
	}
	if o == nil {
		return v.fetchOrPart(q, nil, Cold, slot)
	}
	st, rule := v.e.judge(q, o, v.now)
	switch st = v.strictly(st, o); st {
	case usable:
		return v.hit(slot, o, Fresh), found
	case usableHeld:
		return v.hit(slot, o, StaleOnError), found
	case usableStale:
		v.refresh(q, o)
		return v.hit(slot, o, StaleWhileRevalidate), found
	case usableMarked:
		return v.ofMarked(q, o, rule, slot)
	case dead:
		v.e.sweeper.free(o, rule)
		if planted(deadCondition) {
			return v.fetch(q, o, Invalidated, slot)
		}
		return v.fetchOrPart(q, nil, Invalidated, slot)
	case overwritten:
		v.e.drop(o)
		return v.fetchOrPart(q, nil, Overwritten, slot)
	case fenced:
		return v.fetch(q, o, LeaseLost, slot)
	}
	if rule != 0 {
		v.e.sweeper.marked(o, rule)
		return v.fetch(q, o, Invalidated, slot)
	}
	return v.fetch(q, o, Expired, slot)
}

// hit is the answer from an object.
func (v *visit) hit(slot int, o *cache.Object, why Reason) *answer {
	o.Used()
	a := &v.answers[slot]
	*a = answer{
		status: o.Status, fields: unmarked(o.Fields), length: int64(len(o.Body)), body: o.Body,
		outcome: Hit, reason: why, object: o, life: o.Epoch, fresh: o.Fresh, on: v.ticket.snap,
	}
	if o.Status >= 400 {
		a.outcome = Failed
		if f, ok := failureIn(o.Fields); ok {
			a.failed, a.failure = true, f
		}
	}
	return a
}

// fetch joins the fill for the query's key, or begins one. old is what is there: stale, and alive on
// the pinned snapshot; never a dead one (S1).
func (v *visit) fetch(q *query, old *cache.Object, why Reason, slot int) (*answer, step) {
	f := v.flight(q)
	f.seen = old
	if old != nil && old.Status < 400 {
		f.old = old
	}
	f.held = v.final
	if v.part != nil {
		f.completes(v.part)
	}
	alone := v.alone || v.unstored || v.final || q.behavior.CachingDisabled
	solo := q.behavior.ForwardsCookies
	if v.e.flights.shy.has(f.manner(), f.began) {
		if solo = true; v.wantsRange(q) && !v.final {
			v.direct = true
			return nil, found
		}
	}
	if !v.final {
		v.ticket.close() // a fetch must not hold up acknowledgements
	}
	r, b := v.e.flights.board(f, alone, solo)
	v.readers[slot] = r
	switch b {
	case late:
		return nil, again
	case full:
		return v.failure(TooManyFills), found
	case boarded:
		// S4. The rule may be known to this request, which came later, and not to the flight.
		if !planted(waiterUnchecked) && r.f.stamp < q.snap.seq && q.site.index.Match(r.f.subject.Load(), r.f.stamp) != 0 {
			r.f.poison()
			return nil, again
		}
		if v.circular(r.f) {
			return v.refuseChild(tier.Loop), found
		}
	}
	return v.await(q, r, why, slot)
}

// await is the answer from a flight that the reader is on.
func (v *visit) await(q *query, r *reader, why Reason, slot int) (*answer, step) {
	if slot > 0 && v.readers[0] == nil && v.unheld(q, r.f) {
		return nil, again // the answer in the other slot was found stored
	}
	v.blind = v.blind || v.e.isolated()
	h, a, st := v.headOf(r)
	if h == nil {
		return a, st
	}
	return v.ofFlight(q, r, h, why)
}

// headOf waits for the head of a flight, in the final attempt no longer than D. If none comes h is nil, and the others
// are what comes of the attempt.
func (v *visit) headOf(r *reader) (h *head, a *answer, st step) {
	ctx := v.ctx
	if v.final {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, v.e.lease.Timing().Decide)
		defer cancel()
	}
	h, err := r.wait(ctx)
	switch {
	case err == nil:
		return h, nil, found
	case errors.Is(err, errPoisoned):
		return nil, nil, again
	case v.ctx.Err() == nil:
		return nil, v.failure(v.because), found
	}
	return nil, nil, left
}

// unheld tells that a flight which has been joined keeps no rule from being forgotten that something else may need
// which was found stored on the query's snapshot, and is decided on after the flight's head has come (L4).
func (v *visit) unheld(q *query, f *flight) bool {
	return !v.final && f.life == q.snap.life && f.stamp > q.snap.seq
}

// ofFlight is the answer from a flight's head.
func (v *visit) ofFlight(q *query, r *reader, h *head, why Reason) (*answer, step) {
	f := r.f
	if !r.first && (!q.suits(f) || q.site.overtakes(f)) { // its tags are known now
		return nil, again
	}
	if !r.first && !h.forAll {
		v.alone = !h.sliced // what came is for the viewer that asked
		return nil, again
	}
	if r.first && v.alone && !v.final {
		why = Unshared
	}
	a := &answer{
		status: h.status, fields: h.fields, length: h.length, outcome: h.outcome, reason: why, asked: why, met: h.met,
		noStore: h.noStore, latency: h.latency, from: h.from, age: h.age, reader: r, failed: h.failure != 0, failure: h.failure, retry: h.retry,
		life: f.life, stamp: f.stamp, began: f.since, subject: f.subject.Load(), fresh: h.fresh,
	}
	if h.reason != 0 {
		a.reason = h.reason
	}
	if h.object != nil {
		a.object, a.body, a.fresh = h.object, h.object.Body, h.object.Fresh
	}
	if !r.first {
		a.fields, a.latency, a.from = h.shared, 0, ""
		if a.outcome != Failed && a.reason != StaleOnError {
			a.outcome, a.reason = Hit, Collapsed
		}
	}
	if h.object == nil && !h.keep && h.status == 200 && v.wantsRange(q) {
		v.direct = true // cut by the origin, not out of a whole that is thrown away
	}
	return a, found
}

// decide is S3: may the answer be sent, as of the ticket's snapshot? From here to the head's end the
// ticket stays open.
func (v *visit) decide(q *query, a *answer) step {
	v.reopen()
	if a.life == "" {
		return found
	}
	s := v.ticket.snap
	if c := v.child; c != nil && a.fetched() < c.after {
		return again // it has come along with a flight whose own parent had it
	}
	if a.on == s {
		return found // a hit, and its ticket has been open since the lookup
	}
	if planted(pinnedOnly) || planted(waiterUnchecked) && a.reader != nil && !a.reader.first {
		return found
	}
	x := s.sites.of(q.site.ID)
	if v.child != nil && planted(parentUnchecked) {
		return found
	}
	rule := uint64(0)
	switch {
	case x == nil, s.life != a.life: // their rules mean something else
	case a.object != nil:
		rule = x.check(a.object)
	case a.stamp < x.newest:
		rule = x.index.Match(a.subject, a.stamp)
	}
	if x == nil || !rules.Holds(s.joined, a.life, s.life, q.site.rev, x.rev, rule) {
		v.because = Overtaken
		if a.reader != nil {
			a.reader.f.poison()
		}
		return again
	}
	if v.blind && a.reader != nil && a.reader.f.cut == nil && a.stamp < x.soft.Newest() && x.soft.Match(a.subject, a.stamp) != 0 {
		// The rule was not known here when the viewer asked, and may have been Completed by then: without a lease nobody waits
		// for this edge. With one, whoever had asked before gets what the flight brings. That holds for who has begun the
		// flight too: what comes from a parent may be from before it was asked for.
		v.because = Overtaken
		return again
	}
	if !v.leased(q, a) {
		return v.unleased(a)
	}
	if a.object != nil {
		v.e.confirm(x, &a.object.Subject, a.object.Stamp)
	} else {
		v.e.confirm(x, a.subject, a.stamp)
	}
	return found
}

// fetched is when the fetch of the answer began.
func (a *answer) fetched() time.Duration {
	if a.object != nil {
		return began(a.object)
	}
	return a.began
}

// unleased: the answer took so long, without the journal, that it may not be sent.
func (v *visit) unleased(a *answer) step {
	v.because = LeaseLost
	if a.reader != nil {
		a.reader.f.poison()
	}
	return again
}

// refresh renews a stale object in the background, if nobody does yet.
func (v *visit) refresh(q *query, o *cache.Object) {
	f := v.flight(q)
	f.refresh, f.seen = true, o
	if o.Status < 400 {
		f.old = o
	}
	r, b := v.e.flights.board(f, false, false)
	if b == took || b == boarded {
		r.leave()
	}
}
