package edge

import (
	"time"

	"github.com/warmfront/warmfront/cache"
)

// What becomes of a marked object when nothing has come in its place.

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
	if f.kept && f.overtook { // what it has brought may be gone again when that comes
		f.shard.pen.Lock()
		f.e.flights.forgo(f)
		f.shard.pen.Unlock()
	}
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
		!stays, f.held: // rules that would kill it may be forgotten already (L4): for one that is held none are kept
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
