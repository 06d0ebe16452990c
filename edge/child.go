package edge

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/stripe"
	"github.com/warmfront/warmfront/tier"
)

// Children: other edges, for which this one is a parent or owns the key (upstream.go has their side). A question of theirs is a visit
// like a viewer's, with four differences.
//
//   - It begins when everything is applied that the answer must reflect (T2). That is waited for, for behindLimit; an edge which is
//     further behind says so, or has no lease, and the child goes elsewhere.
//   - The child has judged by its configuration whether and how the viewer may ask. Here only that it is the same one.
//   - It gets nothing that is shown only while it is revalidated: neither what is marked stale nor what is in a
//     stale-while-revalidate window. The child would keep as new what it got; and it shows its own meanwhile.
//   - The answer says what is known of the object, in place of what viewers are told: no error page is made, and no
//     field of this edge's is in it.
//
// Then it is decided on like every answer (S3), on the snapshot that is current then: so everything that this edge has
// applied is held against it, and that is at least what was demanded (T3).

// behindLimit is how long a question waits for entries that it needs (T_w).
const behindLimit = 100 * time.Millisecond

// childWriter takes an answer: a *tier.Writer.
type childWriter interface {
	Head(*tier.Head) error
	Write([]byte) (int, error)
	Flush() error
	End() error
	Cut()
}

// child is what a visit on behalf of another edge has beside others. It is the visit's ResponseWriter.
type child struct {
	ask   *tier.Ask
	out   childWriter
	after time.Duration // what was fetched before counts for nothing; 0: everything counts

	refused tier.Refusal // why there is no answer
	head    *tier.Head   // what Begin sends
	mute    bool         // no body follows
	cut     bool
}

// served counts what was asked by other edges.
type served struct{ answered, hits, refused atomic.Uint64 }

// ServeChild answers another edge, which is named from.
func (e *Edge) ServeChild(ctx context.Context, from string, a *tier.Ask, w childWriter) {
	if no := e.receive(ctx, from, a); no != "" {
		e.served.refused.Add(1)
		w.Head(&tier.Head{Refused: no})
		return
	}
	c := &child{ask: a, out: w}
	if a.Youngest > 0 {
		c.after = max(e.clock()-a.Youngest, 1)
	}
	v := visits.Get().(*visit)
	v.e, v.ctx, v.w, v.child, v.because = e, ctx, c, c, Overtaken
	v.r = &httpserver.Request{Request: a.Request, Body: strings.NewReader("")}
	v.x = Exchange{Start: e.now(), Edge: e.cfg.Name, Pop: e.cfg.Location, ID: a.ID, Request: &v.r.Request, Stripe: stripe.Here()}
	v.live()
	switch {
	case !v.begun && c.refused == "":
		c.refused = tier.Unable
		fallthrough
	case c.refused != "":
		e.served.refused.Add(1)
		w.Head(&tier.Head{Refused: c.refused})
	case c.cut, v.x.Aborted:
		w.Cut()
	default:
		e.served.answered.Add(1)
		if c.head.Hit {
			e.served.hits.Add(1)
		}
		if c.head.Failure == "" {
			w.End()
		}
	}
	v.recycle()
}

// receive tells why a question is not taken, "" when it is: then everything is applied that its answer must reflect (T2).
func (e *Edge) receive(ctx context.Context, from string, a *tier.Ask) tier.Refusal {
	switch {
	case a.Through[len(a.Through)-1] != from:
		return tier.Unclear
	case slices.Contains(a.Through, e.cfg.Name):
		return tier.Loop
	}
	late := time.NewTimer(behindLimit)
	defer late.Stop()
	for {
		moved := e.progress.next()
		s := e.snap.Load()
		if no := rules.Takes(s.joined, !e.isolated(), s.position(), a, e.trail.has); no != tier.Behind {
			return no
		}
		select {
		case <-moved:
		case <-late.C:
			return tier.Behind
		case <-ctx.Done():
			return tier.Unable
		}
	}
}

// progress wakes who waits for entries to be applied. Its zero value is ready.
type progress struct {
	mu    sync.Mutex
	moved chan struct{} // closed at the next entry; nil: nobody waits; guarded by mu
}

func (p *progress) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moved == nil {
		p.moved = make(chan struct{})
	}
	return p.moved
}

func (p *progress) note() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}

// pinChild is pin for another edge's question.
func (v *visit) pinChild(q *query) *answer {
	s, a := v.ticket.snap, v.child.ask
	q.snap, q.req = s, &v.r.Request
	q.site = s.sites.of(a.Distribution)
	if !rules.Serves(s.joined) || string(s.epoch) != a.Epoch || s.seq < a.Least && !planted(parentBehind) || q.site == nil || q.site.rev != a.Revision || q.site.unread {
		return v.refuseChild(tier.Elsewhere)
	}
	q.path = q.site.RootedPath(q.req.Path)
	q.behavior = q.site.Behavior(q.path)
	if q.behavior.CachingDisabled || q.req.Method == "OPTIONS" && (!q.behavior.Cached.Has("OPTIONS") || q.site.RFC) {
		return v.refuseChild(tier.Unclear)
	}
	return nil
}

func (v *visit) refuseChild(why tier.Refusal) *answer {
	v.child.refused = why
	return v.failure(NotMember)
}

// strictly is what a judgement means for another edge.
func (v *visit) strictly(st state, o *cache.Object) state {
	switch {
	case v.child == nil:
	case st == dead:
		if !rules.Withheld(true) {
			return usable
		}
	case began(o) < v.child.after:
		return overwritten
	case st == usableStale, st == usableMarked:
		return stale
	}
	return st
}

// circular tells whether the flight waits for one that waits for this visit.
func (v *visit) circular(f *flight) bool {
	if v.child == nil {
		return false
	}
	to := f.asking.Load()
	return to != nil && slices.Contains(v.child.ask.Through, *to)
}

// toldOf tells the failures that a child hears of: the origin's, and what its question deserves. All others are this edge's.
func toldOf(why Reason) bool {
	return OriginDown <= why && why <= OriginClosed || why == Paced || why == RangeNotSatisfiable || why == PreconditionFailed
}

// Begin is not called: see beginChild.
func (c *child) Begin(int, message.Fields, int64) error {
	panic("BUG: a child's head comes from beginChild")
}

// Write implements httpserver.ResponseWriter.
func (c *child) Write(p []byte) (int, error) {
	if c.mute {
		return len(p), nil
	}
	return c.out.Write(p)
}

// Flush implements httpserver.ResponseWriter.
func (c *child) Flush() error {
	if c.refused != "" {
		return nil
	}
	return c.out.Flush()
}

// Abort implements httpserver.ResponseWriter.
func (c *child) Abort() { c.cut = true }
