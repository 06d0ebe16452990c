package edge

import (
	"slices"
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
// When the flight ends without anything to store in the object's place, the object is spent: it is put down once more as
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
// loaded again. The sweeper finds out which ones are needed. Equal items are one rule, with the greatest number; of different
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
	if o.Fresh.MustRevalidate || o.Fresh.MayServeStale(now, httpcache.WhileRevalidating) != httpcache.StaleAllowed {
		return stale
	}
	return usableMarked
}

// overtakes tells that what a flight brings will be marked: who knows the rule joins it no more.
func (x *site) overtakes(f *flight) bool {
	return f.cut == nil && f.stamp < x.soft.Newest() && x.soft.Match(f.subject.Load(), f.stamp) != 0
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

// renews tells that the flight is there to renew a marked object.
func (f *flight) renews() bool { return f.seen != nil && f.cut == nil && f.site.marked(f.seen) != 0 }

// expired is the same object as one that is stale from now on. It needs no rule any more: all that the flight knows of
// have said what they have to say.
func (f *flight) expired(o *cache.Object, now time.Time) *cache.Object {
	c := anew(o)
	c.Block, c.Block2, c.Fresh = o.Block, o.Block2, o.Fresh.Expire(now)
	c.Hits.Store(o.Hits.Load())
	c.SetChecked(f.stamp)
	return c
}

// spend ends that a marked object is shown while it is revalidated, when nothing has come in its place. What was displaced
// by this flight, and so is marked, does not come in its place later either.
func (f *flight) spend() {
	if f.kept || f.unasked || f.spent || !f.overtook && !f.renews() {
		return
	}
	f.spent = true
	stays := f.stay()
	defer f.stayed()
	f.shard.pen.Lock()
	defer f.shard.pen.Unlock()
	if f.overtook {
		f.e.flights.forgo(f)
	}
	if !f.e.flights.reclaim(f) {
		return // another has taken over
	}
	defer f.e.flights.release(f)
	o := f.seen
	if f.overtook {
		if x := f.e.store.Peek([]byte(f.key)); x != nil && f.finds(x) {
			o = x // by one that was displaced
		}
	}
	if o == nil {
		return
	}
	switch there := f.e.store.Peek([]byte(o.Key)); {
	case there != nil && !o.Is(there):
	case f.key != o.Key, // it has no place of its own any more
		!stays: // rules that would kill it may be forgotten already (L4)
		f.e.drop(o)
	default:
		f.e.store.Put(f.expired(o, f.e.now()))
		f.e.forgetOnDisk(o.Key)
	}
}

// finds tells whether an object that is stored now is alive and marked for whoever has begun the flight.
func (f *flight) finds(o *cache.Object) bool {
	return o.Epoch == f.life && f.cut == nil && f.site.check(o) == 0 && f.site.marked(o) != 0
}

// forgo takes from those that f has displaced, or that were before, the right to store: what f has asked for after the rule has
// ended, and what they bring would be shown as if it had not. With shard.pen.
func (t *flights) forgo(f *flight) {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	for g := range f.shard.all {
		if g.hash == f.hash && g.stamp < f.stamp {
			g.displaced = false
		}
	}
}

// surpassed tells that something else has come in the place of what the flight was to renew: one that it had displaced has
// stored. With shard.pen.
func (f *flight) surpassed() bool {
	there := f.e.store.Peek([]byte(f.key))
	return there != nil && f.seen != nil && there.Epoch == f.life && there.Stamp >= f.seen.Stamp && began(there) > began(f.seen)
}

// stay keeps the flight from landing until stayed, and tells whether it has not yet.
func (f *flight) stay() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stays = !f.done()
	return f.stays
}

func (f *flight) stayed() {
	f.mu.Lock()
	f.stays = false
	f.mu.Unlock()
	f.landIfDone()
}

// reclaim is claim for a flight that may have been withdrawn, unless another has its place. release ends it.
func (t *flights) reclaim(f *flight) bool {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	there := f.shard.byKey[f.key]
	if there != nil && there != f {
		return false
	}
	f.visitor = there == nil
	f.shard.byKey[f.key], f.storing = f, true
	return true
}

func (t *flights) release(f *flight) {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	f.storing = false
	if f.visitor && f.shard.byKey[f.key] == f {
		delete(f.shard.byKey, f.key)
	}
}

// needs are numbers of rules by distribution.
type needs map[string]map[uint64]bool

func (n needs) add(id string, seq uint64) {
	if n[id] == nil {
		n[id] = map[uint64]bool{}
	}
	n[id][seq] = true
}

func (n needs) has(id string, seq uint64) bool { return n[id][seq] }

// surplus finds for each distribution that has more than most rules which mark stale up to which number they must go.
func surplus(s *Snap, most int) map[string]uint64 {
	var out map[string]uint64
	for id, x := range s.sites {
		if x.soft.Len() <= most {
			continue
		}
		var all []uint64
		x.soft.Rules(func(seq uint64, _ invalidation.Rule) bool {
			all = append(all, seq)
			return true
		})
		slices.Sort(all)
		if out == nil {
			out = map[string]uint64{}
		}
		out[id] = all[len(all)-most-1]
	}
	return out
}

// visitMarked counts what is marked, and keeps its rule, or drops it if there are too many rules. checked is up to where
// the object was looked at before.
func (s *sweep) visitMarked(x *site, o *cache.Sight, checked uint64, memory bool) {
	if checked >= x.newest || o.Status == signpost {
		return
	}
	rule := x.soft.Match(&o.Subject, checked)
	switch {
	case rule == 0:
		return
	case o.Status == sliceStatus:
	case rule <= s.surplus[o.Distribution]:
		if s.drop(o, rule) && memory {
			s.expel(o.Key)
		}
		return
	case planted(markForgotten):
	default:
		s.needed.add(o.Distribution, rule)
		s.marking = true
	}
	first := memory && o.SetMarked()
	if !memory && (s.seenLife != s.snap.life || rule > s.seenSeq) {
		first = s.e.store.Peek([]byte(o.Key)) == nil
	}
	if first {
		x.pacedBy(rule).wants(o)
		s.countMarked(o.Distribution, rule, o.Status, o.Size)
	}
}

// met tells whether something marked has been met since the last call.
func (s *sweep) met() (marking bool) {
	marking, s.marking = s.marking, false
	return marking
}

// marked counts an object that a request has found marked before the sweeper has.
func (s *sweeper) marked(o *cache.Object, rule uint64) {
	if o.SetMarked() {
		s.countMarked(o.Distribution, rule, o.Status, int64(len(o.Body)))
	}
}

func (s *sweeper) countMarked(distribution string, rule uint64, status int, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.e.snap.Load().sites[distribution]; x != nil && status != sliceStatus {
		x.pacedBy(rule).met()
	}
	if i, ok := s.find(distribution, rule); ok {
		if status != sliceStatus { // its map counts for all of them
			s.receipts[i].Marked++
		}
		s.receipts[i].MarkedBytes += size
	}
}
