package edge

import (
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/invalidation"
)

// Marked stale (journal.Stale). Such an invalidation removes nothing: what it matches goes on being shown for as long as
// one request to the origin for it is under way, which is begun when somebody asks for it.
//
// # The rule
//
// Its items stand in an index of their own, site.soft, under the number of their entry like any rule. An object is marked iff
// one of them with a number above its stamp matches it. So what applies to dead objects by L2 and L3 applies to
// marked ones: what a fill brings that was in the air when the rule came is marked as soon as it is stored, a 304 to
// a question that was sent before does not take the mark away, and one that was sent after does, since
// what it renews has the stamp of that question.
//
// A marked object is shown only by who has seen a flight under way for it that is stamped at or above the rule, or has
// begun one (ofMarked), or, if the invalidation is paced, who finds that there is no turn for one now (pace.go). Whoever
// comes after the rule joins no flight from before (overtakes), but displaces it; what that brings is stored all the same
// if it comes first, or rules that come faster than the origin answers would keep an object as it is.
//
// When the flight ends without anything to store in the object's place, the object is spent (spend.go): it is put down once more as
// one that has expired now, so that the next who wants it waits for the origin, and gets it only if that fails and
// stale-if-error allows it. No mark makes an object be shown for longer than it would have been otherwise; and what its
// origin wants revalidated once it is stale (must-revalidate, no-cache) is waited for at once.
//
// Slices and signposts are not marked. A signpost answers nothing; and a slice belongs to the version that its map names,
// of which the origin says whether it is still the one.
//
// # Forgetting rules (L4)
//
// A rule that kills is forgotten when what it kills is gone. One that marks must stay for as long as something is stored that
// it marks: a record on disk cannot be changed, and one in memory would not be there any more when it is
// loaded again. The sweeper finds out which ones are needed (marked_rules.go). Equal items are one rule, with the greatest number; of different
// ones a distribution may have maxSoft, and beyond that the sweeper removes what the oldest have marked (L9).
//
// What makes it safe: an object with a small stamp comes to be stored by a fill, which keeps all rules above its stamp
// until it has landed; by a load from disk, which does not put what is marked into memory; or as a copy of one that is
// spent or held, which has expired by itself and needs no rule for that.

// maxSoft is how many rules that mark stale a distribution keeps. At an item of 50 octets they take 2 MiB.
const maxSoft = 10_000

// marks returns the number of the newest rule above after that marks what has this status and subject; 0 for none.
func (x *site) marks(status int, s *invalidation.Subject, after uint64) uint64 {
	if status <= sliceStatus {
		return 0
	}
	return x.soft.Match(s, after)
}

// marked is marks for an object that is alive. For one that was checked against the newest rule it is one comparison.
func (x *site) marked(o *cache.Object) (rule uint64) {
	checked := o.Checked()
	if checked >= x.newest {
		return 0
	}
	return x.marks(o.Status, &o.Subject, checked)
}

// judgeMarked says whether a marked object may be shown while it is revalidated: for no longer than without the mark, and
// not if it must not be used stale. That its origin has failed before the rule came says nothing.
func judgeMarked(o *cache.Object, now time.Time) state {
	if planted(mustUnheeded) && o.Fresh.IsFresh(now) {
		return usableMarked
	}
	if o.Fresh.MustRevalidate || o.Fresh.MayServeStale(now, httpcache.WhileRevalidating) != httpcache.StaleAllowed {
		return stale
	}
	return usableMarked
}

// overtakes tells that what a flight brings will be marked: who knows the rule joins it no more.
func (x *site) overtakes(f *flight) bool {
	return f.cut == nil && f.stamp < x.soft.Newest() && x.soft.Match(f.subject.Load(), f.stamp) != 0
}

// replaces tells that f, which is about to begin, takes the place of a flight of its key: what that brings will be marked, or, as long
// as its tags are not known, what f is to renew is marked by a rule that came after it.
func (f *flight) replaces(there *flight) bool {
	return f.site.overtakes(there) || f.renews() && there.cut == nil && there.stamp < f.site.marked(f.seen) && there.headless()
}

func (f *flight) headless() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head == nil
}

// ofMarked answers with a marked object, while one request to the origin for it is under way. If there is no room for one
// that nobody waits for, the viewer waits for it. If there is no room for any, it is as when one has just begun: the next
// viewer tries.
func (v *visit) ofMarked(q *query, o *cache.Object, rule uint64, slot int) (*answer, step) {
	v.e.sweeper.marked(o, rule)
	if v.final {
		return v.fetch(q, o, Invalidated, slot)
	}
	f := v.flight(q)
	if !v.e.flights.underWay(f, rule) && f.turnFor(rule) && !planted(markUnasked) {
		f.refresh, f.seen = true, o
		if o.Status < 400 {
			f.old = o
		}
		r, b := v.e.flights.board(f, false, false)
		switch b {
		case late:
			return nil, again // by now there is something else
		case took, boarded:
			if !r.leaveBehind() {
				v.readers[slot] = r
				v.ticket.close()
				return v.await(q, r, Invalidated, slot)
			}
		}
	}
	a := v.hit(slot, o, MarkedStale)
	a.fresh = o.Fresh.Expire(v.now)
	return a, found
}

// underWay tells whether f's key is being fetched by a request that was begun after a rule.
func (t *flights) underWay(f *flight, rule uint64) bool {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	there := f.shard.byKey[f.key]
	return there != nil && there.life == f.life && there.stamp >= rule
}

// leaveBehind leaves a flight that is to go on; false: it would not, and the reader is still on it.
func (r *reader) leaveBehind() bool {
	r.f.mu.Lock()
	ok := len(r.f.readers) > 1 || r.f.ended || r.f.worthFinishing()
	r.f.mu.Unlock()
	if ok {
		r.leave()
	}
	return ok
}
