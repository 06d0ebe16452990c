package edge

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/stripe"
	"github.com/warmfront/warmfront/internal/websocket"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/tier"
)

// maxRestarts is how often a request begins anew because a rule, a configuration or the lease has
// overtaken its answer. The attempt after that holds its ticket from the pin to the head: the edge
// acknowledges nothing meanwhile, so what it answers was decided before. That may last D; then it is
// 503.
const maxRestarts = 4

// visit is the life of one request. It belongs to one goroutine and is used again for another request.
type visit struct {
	e   *Edge
	ctx context.Context
	w   httpserver.ResponseWriter
	r   *httpserver.Request
	x   Exchange

	// What outlives an attempt.
	alone    bool    // its answer is for this viewer only: neither join a flight nor be joined
	direct   bool    // the range that it asks for cannot be cut from a kept object
	final    bool    // the last attempt
	unstored bool    // the viewer wants nothing of it stored
	passed   *answer // of a request that must not be sent twice
	begun    bool    // the head of an answer is in the engine's hands
	because  Reason  // why the last attempt came to nothing

	// Of one attempt.
	now     time.Time
	ticket  ticket
	main    query
	page    query
	pageReq message.Request
	child   *child         // on behalf of which other edge; nil: of a viewer
	wish    websocket.Wish // of the viewer, for its connection
	readers [2]*reader
	blind   bool // it has waited for a flight, and begun to while there was no lease
	walks   [2]*walk
	hold    *flight   // registered, not flying: see pass
	streams []stream  // open bodies of origins
	answers [2]answer // to the two queries, where no fetch makes its own
	fields  message.Fields
	scratch []byte
	part    *cache.Object // that is to be completed; nil: none
	span    string        // Range of the part that is to be fetched; "": the whole
}

// query is what an attempt looks for: the request itself, or the page that explains its error.
type query struct {
	snap     *Snap // pinned (S1)
	site     *site
	behavior *distribution.Behavior
	req      *message.Request
	path     string // with the default root object in place of "/"
	key      []byte
	base     int // length of the key without what variants and parts have behind it; 0: all
}

var visits = sync.Pool{New: func() any {
	return &visit{fields: make(message.Fields, 0, 32), main: query{key: make([]byte, 0, 512)}}
}}

// Serve implements httpserver.Handler.
func (e *Edge) Serve(ctx context.Context, w httpserver.ResponseWriter, r *httpserver.Request) {
	v := visits.Get().(*visit)
	v.e, v.ctx, v.w, v.r, v.because = e, ctx, w, r, Overtaken
	v.x = Exchange{Start: e.now(), Edge: e.cfg.Name, Pop: e.cfg.Location, ID: newID(), Request: &r.Request, Stripe: stripe.Here()}
	v.live()
	v.replaced()
	v.x.Duration = e.now().Sub(v.x.Start)
	e.cfg.Observe(&v.x)
	v.recycle()
}

// recycle puts the visit back. Nobody has anything of it any more.
func (v *visit) recycle() {
	clear(v.fields[:cap(v.fields)]) // or the pool keeps what they point to alive
	*v = visit{fields: v.fields[:0], scratch: v.scratch[:0], main: query{key: v.main.key[:0]}, page: query{key: v.page.key[:0]}}
	visits.Put(v)
}

// live makes attempts until one ends in an answer.
func (v *visit) live() {
	defer func() {
		v.passed = nil
		v.release()
	}()
	for !v.attempt() {
		v.release()
		v.x.Restarts++
		v.final = v.x.Restarts >= maxRestarts
	}
}

// release gives back what an attempt held.
func (v *visit) release() {
	v.ticket.close()
	for i, r := range v.readers {
		r.leave()
		v.readers[i] = nil
	}
	for i, w := range v.walks {
		w.release()
		v.walks[i] = nil
	}
	if v.hold != nil {
		v.e.flights.landed(v.hold)
		v.hold = nil
	}
	v.blind = false
	if v.passed == nil {
		for _, s := range v.streams {
			s.body.Close()
		}
		v.streams = v.streams[:0]
	}
}

// attempt is one pass from the pin to the answer. It reports whether there was one.
func (v *visit) attempt() (done bool) {
	v.ticket, v.now = v.e.open(), v.e.now()
	a, st := v.answerFor()
	if st == found && v.child == nil { // another edge makes the pages for its viewers itself
		if a = v.beyond(a); a.status >= 400 {
			a, st = v.explain(a)
		}
	}
	if st == found && v.ticket.dead() {
		st = again
	}
	switch st {
	case again:
		if v.final {
			v.ticket.close()
			v.reopen()
			v.emit(&v.main, v.failure(v.because))
			return true
		}
		return false
	case over:
		return true
	case left:
		v.x.Outcome, v.x.Reason = Failed, ViewerGone
		return true
	}
	v.emit(&v.main, a)
	return true
}

// step is what came of a part of an attempt.
type step uint8

const (
	found step = iota // an answer, decided on the open ticket
	again             // overtaken: pin anew
	left              // the viewer has gone
	over              // everything has been said
)

// answerFor finds the answer to the request itself, and decides on it.
func (v *visit) answerFor() (*answer, step) {
	q := &v.main
	if a := v.pin(q); a != nil {
		return a, found
	}
	if v.passed != nil {
		return v.passed, found
	}
	if why, ok := v.passes(q); ok {
		switch why {
		case WebSocket:
			return v.tunnel(q)
		case Purging:
			return v.purge(q)
		}
		return v.pass(q, why)
	}
	q.key = q.behavior.AppendKey(q.key[:0], q.site.Distribution, q.req)
	if v.bypasses(q) {
		return v.bypass(q)
	}
	a, st := v.obtain(q, 0)
	if st == found && a.isMap() {
		a, st = v.throughSlices(q, a, 0)
	}
	if st == found && v.direct && !v.final {
		return v.pass(q, RangeUncached)
	}
	if st != found {
		return nil, st
	}
	if v.foreign(q, a) {
		return v.refuseChild(tier.Elsewhere), found
	}
	if st = v.decide(q, a); st == found {
		v.ownUp(q, a)
	}
	return a, st
}

// pin fixes configuration and position of the attempt (S1), and returns what the edge answers by itself.
func (v *visit) pin(q *query) *answer {
	s := v.ticket.snap
	if v.child != nil {
		return v.pinChild(q)
	}
	if !rules.Serves(s.joined) {
		return v.failure(NotMember)
	}
	r := &v.r.Request
	q.snap, q.req = s, r
	if a := v.challenge(r); a != nil {
		return a
	}
	q.site = s.site(r.Host)
	if q.site == nil {
		return v.failure(UnknownHost)
	}
	v.x.Distribution, v.x.Domain = q.site.ID, q.site.DomainName
	if !q.site.Enabled {
		return v.failure(Disabled)
	}
	if q.site.Isolation == distribution.Fail && v.e.isolated() {
		return v.failure(IsolationFail)
	}
	if q.misdirected() {
		return v.failure(Misdirected)
	}
	if !strings.HasPrefix(r.Path, "/") {
		return v.failure(BadTarget)
	}
	q.path = q.site.RootedPath(r.Path)
	q.behavior = q.site.Behavior(q.path)
	v.x.Behavior = q.behavior.PathPattern
	return v.refuse(q)
}

// reopen makes sure that there is an open ticket: on the current snapshot, if a fetch has closed it.
func (v *visit) reopen() {
	if v.ticket.snap == nil {
		v.ticket = v.e.open()
	}
}

// subject is what invalidations match. Its strings live longer than the request.
func (q *query) subject() *invalidation.Subject {
	s := &invalidation.Subject{Path: strings.Clone(q.path)}
	if root := q.site.DefaultRootObject; root != "" && len(q.path) == len(root)+1 && q.path[1:] == root {
		s.Alias = "/" // both spellings name the object, whichever was asked for
	}
	if planted(variantUnnamed) && (q.req.Fields.Has("Cookie") || q.req.Fields.Has("Accept-Language")) {
		s.Path += ";variant"
	}
	s.Query, s.QueryIgnored = q.behavior.KeyedQuery(q.req)
	s.Query = strings.Clone(s.Query)
	s.Host = distribution.KeyHost(string(q.key))
	return s
}

// flight prepares a flight for the query; nothing has begun yet.
func (v *visit) flight(q *query) *flight {
	f := &flight{
		e: v.e, key: string(q.key), life: q.snap.life, epoch: string(q.snap.epoch), stamp: q.snap.seq, entry: string(q.snap.id),
		site: q.site, behavior: q.behavior, request: cloned(q.req), id: v.x.ID, began: v.e.start(),
		span: strings.Clone(v.span), base: len(q.key),
	}
	if q.base > 0 {
		f.base = q.base
	}
	f.since = f.began
	if c := v.child; c != nil {
		f.after, f.through = c.after, c.ask.Through
	}
	if f.request.Method == "HEAD" {
		f.request.Method = "GET" // they share an object
	}
	f.hash = v.e.flights.hash(q.key[:f.base])
	f.shard = v.e.flights.shard(f.hash)
	f.subject.Store(q.subject())
	return f
}

// cloned copies a request head that is about to outlive its handler.
func cloned(r *message.Request) *message.Request {
	c := *r
	for _, s := range []*string{&c.Method, &c.Path, &c.Query, &c.Host, &c.Port, &c.Scheme} {
		*s = strings.Clone(*s)
	}
	c.Fields = make(message.Fields, len(r.Fields), len(r.Fields)+4)
	for i, f := range r.Fields {
		c.Fields[i] = message.Field{Name: strings.Clone(f.Name), Value: strings.Clone(f.Value)}
	}
	return &c
}

// since is the time from the beginning of the request.
func (v *visit) since() time.Duration { return v.e.now().Sub(v.x.Start) }
