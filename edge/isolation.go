package edge

import (
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
)

// Isolated is an edge without a lease on the journal (L5): its last proof of freshness is older than L, because the control
// plane is away, or the way to it, or because the process was stopped for so long. It cannot know what has been
// invalidated since, so its distribution says what it does (distribution.Isolation):
//
//	revalidate   S3 as it stands: what was fetched within L is good, all else is revalidated     lease-lost
//	bypass       a request that begins now goes past the cache, and its answer into none          isolation-bypass
//	fail         a request that begins now is refused                                             isolation-fail
//	serve-stale  what is stored is shown as with a lease, once this process has had one           isolation-serve-stale
//
// The promise holds with the first three: what has begun with a lease and is decided without one goes by S3 with all of
// them. The fourth gives it up for the time of the isolation, and receipts say so. It does not give up S5: before the first
// proof, and after the journal was replaced, there is nothing that could go on.

// warrant is why an object may be shown, as far as time says.
type warrant uint8

const (
	none    warrant = iota
	proven          // S3
	assumed         // nobody knows; the distribution puts availability first
)

// allows is S3's clause about time for what was fetched at t0 and is stored, as of now.
func (e *Edge) allows(x *site, t0 time.Duration) warrant {
	now := e.clock()
	switch {
	case e.lease.Fresh(now):
		return proven
	case x.Isolation == distribution.Bypass, x.Isolation == distribution.Fail:
		return none
	case rules.Shown(e.lease, now, t0):
		return proven
	case x.Isolation == distribution.ServeStale && e.lease.Had(now):
		return assumed
	}
	return none
}

// isolated tells that there is no lease now.
func (e *Edge) isolated() bool { return !e.lease.Fresh(e.clock()) }

// bypasses tells whether the request must not be answered from the cache, nor into it.
func (v *visit) bypasses(q *query) bool {
	return q.site.Isolation == distribution.Bypass && v.e.isolated()
}

// bypass asks the origin for this viewer alone. What is decided on it is S3, as for any fetch: it is good for L.
func (v *visit) bypass(q *query) (*answer, step) {
	switch {
	case q.site.RFC && httpcache.ParseWishes(q.req.Fields).OnlyIfCached:
		return v.failure(OnlyIfCached), found
	case v.final:
		return v.failure(LeaseLost), found // the origin has taken longer than L, several times
	}
	return v.pass(q, IsolationBypass)
}

// leased is S3's clause about time for an answer, with a clock read now: a cached reading would be wrong after the
// process was stopped.
func (v *visit) leased(q *query, a *answer) bool {
	e, now, t0 := v.e, v.e.clock(), a.fetched()
	return rules.Answered(e.lease, now, t0, a.reader != nil || a.stream != nil) || q.site.Isolation == distribution.ServeStale && e.lease.Had(now)
}

// ownUp has an answer say so that nothing but its distribution's policy allows.
func (v *visit) ownUp(q *query, a *answer) {
	if q.site.Isolation != distribution.ServeStale || a.object == nil {
		return
	}
	if now := v.e.clock(); !v.e.lease.Allows(now, a.fetched()) && v.e.lease.Had(now) {
		a.reason = IsolationServeStale
	}
}

// An isolated edge does not know whether what it revalidates is dead. If it is, S1 forbids to ask about it: a 304 would be about
// the validator, and the octets would seem to be as young as the question. So it asks only by a validator that
// changes whenever they do, and otherwise fetches the whole. An edge with a lease asks by any; but what a weaker one confirms stays as
// old as it is, for S3 to go by should the lease be lost (revalidate.go).

// askable is the object that the origin may be asked about; nil: none. It is asked now.
func (f *flight) askable() *cache.Object {
	f.doubtful = f.e.isolated()
	switch {
	case f.old == nil, f.site.abroad.kills(&f.old.Subject, f.old.Stamp):
		return nil
	case !f.doubtful:
		return f.old
	}
	if was, _ := original(f.old.Fields); len(httpcache.StrongValidators(was)) == 0 {
		return nil
	}
	return f.old
}

// validators are by what the origin is asked about an object with these fields.
func (f *flight) validators(was message.Fields) message.Fields {
	if f.doubtful {
		return httpcache.StrongValidators(was)
	}
	return httpcache.Validators(was)
}
