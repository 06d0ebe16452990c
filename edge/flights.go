package edge

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/edge/rules"
)

const flightShards = 64

// flights are all fetches in the air for something that may be stored or shared.
//
// Two tables. byKey has at most one flight for each key: the one that others may join and the only
// one that may store; so a store never meets a younger object under its key. (One that was displaced because what it brings will be
// marked stale looks first, see claim.) all has every flight,
// from before its fetch until it has stored and everybody on it has decided: what keeps rules from
// being forgotten (L4, E4). The floor closes the gap that would be left:
//
//	request: pin 5                                              register, fetch with stamp 5, store
//	sweeper:        rule 6 applied, nothing below 6 in the air  visit all, forget rule 6
//
// A request whose pin is below the floor is not registered; it pins again. The sweeper raises the
// floor and reads the least stamp in one step per shard, before it visits the first object.
type flights struct {
	e      *Edge
	seed   maphash.Seed
	shards [flightShards]flightShard

	count      atomic.Int64 // flights whose fetch goes on
	bytes      atomic.Int64 // octets that they hold
	kept       atomic.Int64 // of that, what is to be stored
	lent       atomic.Int64 // octets that have come and are still being read: slices, and what lies in no store's pages
	paged      atomic.Int64 // octets of pages in which bodies are coming
	background atomic.Int64 // flights that nobody waits for
	seconds    atomic.Int64 // second questions: see patience.go
	shy        shy
	uncut      shy // keys whose origins do not give slices

	ctx     context.Context
	cancel  context.CancelFunc
	mu      sync.Mutex
	running bool // guarded by mu
	group   group
}

type flightShard struct {
	pen sync.Mutex // held while a flight stores, so that of two the younger comes last; taken before mu

	mu    sync.Mutex
	byKey map[string]*flight
	all   map[*flight]struct{}
	floor uint64
}

func newFlights(e *Edge) *flights {
	t := &flights{e: e, seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].byKey = map[string]*flight{}
		t.shards[i].all = map[*flight]struct{}{}
	}
	return t
}

func (t *flights) start(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// Not ctx itself: flights end after everything that follows the journal has ended.
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	t.running = true
}

// stop cancels all flights and waits for them.
func (t *flights) stop() {
	t.mu.Lock()
	t.running = false
	t.mu.Unlock()
	t.cancel()
	t.group.wg.Wait()
}

// launch runs a registered flight, or says that there is no room.
func (t *flights) launch(f *flight) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.running || t.count.Load() >= int64(t.e.cfg.MaxFills) {
		return false
	}
	t.count.Add(1)
	if f.cut != nil && f.cut.source != nil {
		f.ctx, f.cancel = f.cut.source.ctx, f.cut.source.cancel
	} else {
		f.ctx, f.cancel = context.WithCancel(t.ctx)
	}
	t.group.run(f.run)
	return true
}

// also runs something that stop waits for, unless it is too late.
func (t *flights) also(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running {
		t.group.run(f)
	}
	return t.running
}

func (t *flights) hash(key []byte) uint64 { return maphash.Bytes(t.seed, key) }

func (t *flights) shard(hash uint64) *flightShard { return &t.shards[hash%flightShards] }

// boarding is what came of asking for a flight.
type boarding uint8

const (
	boarded boarding = iota // on f, which was there
	took                    // f is new and its fetch has begun
	late                    // the pin is below the floor: pin again
	full                    // no more fills
)

// board puts a reader on the flight of f's key, or on f itself. f is a fresh one, prepared by the
// caller. alone: neither join nor be joined. solo: the same, but if it comes first it may store.
func (t *flights) board(f *flight, alone, solo bool) (*reader, boarding) {
	sh := f.shard
	sh.mu.Lock()
	if t.tooLate(f) {
		sh.mu.Unlock()
		return nil, late
	}
	there := sh.byKey[f.key]
	old := there != nil && (there.since < f.after || t.e.overwritten(there.site, there.subject.Load(), there.since))
	if old && !there.storing {
		delete(sh.byKey, f.key) // it cannot store any more
		there = nil
	}
	if there != nil && f.replaces(there) {
		there.displaced = true // it may store as long as nothing younger is stored; and if it is about to, f comes after it
		f.overtook = true
		delete(sh.byKey, f.key)
		there = nil
	}
	if there != nil && !alone && !there.storing && there.silent(f.began) {
		delete(sh.byKey, f.key) // whoever comes from now on joins f instead
		there = nil
	}
	if there != nil && !old && !alone && !solo {
		if r := there.join(f); r != nil {
			sh.mu.Unlock()
			return r, boarded
		}
	}
	f.alone, f.closed = alone || there != nil || f.cut != nil && t.lent.Load() > t.e.cfg.FillMemory, solo
	r := f.lead() // before anybody can join, for whoever leaves last ends the flight
	if !f.alone {
		sh.byKey[f.key] = f
	}
	sh.all[f] = struct{}{}
	sh.mu.Unlock()

	// Between the lookup that found nothing and this place another flight may have stored and landed, or, of a
	// slice, be about to land.
	if !f.alone || f.cut != nil && !alone {
		if o := t.e.store.Peek([]byte(f.key)); o != nil && !o.Away() && !o.Is(f.seen) { // whose body is away is no flight's
			f.scrap(r)
			return nil, late
		}
	}
	if !t.launch(f) {
		f.scrap(r)
		return nil, full
	}
	return r, took
}

// hold registers f without a fetch of its own: rules above its stamp are kept until it has landed.
func (t *flights) hold(f *flight) bool {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	if t.tooLate(f) {
		return false
	}
	f.shard.all[f] = struct{}{}
	return true
}

// tooLate tells whether rules that f would need may be forgotten already. A flight under an open
// ticket is decided on the snapshot of that ticket and needs no others. With shard.mu.
func (t *flights) tooLate(f *flight) bool {
	return rules.Late(f.stamp, f.shard.floor) && !f.held && f.life == t.e.snap.Load().life
}

// withdraw takes f out of byKey, unless it is storing: nobody may take its place meanwhile, or an
// older object could be stored over a younger one.
func (t *flights) withdraw(f *flight) {
	f.shard.mu.Lock()
	if f.shard.byKey[f.key] == f && !f.storing {
		delete(f.shard.byKey, f.key)
	}
	f.shard.mu.Unlock()
}

// rekey moves f to the key under which its answer belongs. If somebody is there, f cannot store.
func (t *flights) rekey(f *flight, key string) {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	if f.key != key && f.shard.byKey[f.key] == f {
		delete(f.shard.byKey, f.key)
		if f.shard.byKey[key] == nil {
			f.shard.byKey[key] = f
		}
	}
	f.key, f.span, f.displaced = key, "", false
}

// claim lets f store: only if it still has its key's place, or was displaced by who has not stored anything yet. With
// shard.pen.
func (t *flights) claim(f *flight) bool {
	f.shard.mu.Lock()
	f.storing = f.shard.byKey[f.key] == f
	ok, displaced := f.storing, f.displaced
	f.shard.mu.Unlock()
	if !ok && displaced {
		there, known := t.e.peekNow([]byte(f.key)) // who stores next under this pen does not wait for a disk
		ok = known && (there == nil || there.Epoch == f.life && (there.Stamp < f.stamp || there.Stamp == f.stamp && began(there) < f.began))
	}
	return ok
}

// landed takes f out of everything.
func (t *flights) landed(f *flight) {
	f.shard.mu.Lock()
	f.storing = false
	if f.shard.byKey[f.key] == f {
		delete(f.shard.byKey, f.key)
	}
	delete(f.shard.all, f)
	f.shard.mu.Unlock()
}

// stored gives f's place free while its readers still decide or read.
func (t *flights) stored(f *flight) {
	f.shard.mu.Lock()
	f.storing = false
	if f.shard.byKey[f.key] == f {
		delete(f.shard.byKey, f.key)
	}
	f.shard.mu.Unlock()
}

// poison wakes whoever waits on what can no longer be decided for: flights of the touched
// distributions that a rule matches or whose configuration has changed; all when touched is nil. old is the snapshot before
// s. It is a courtesy: Decide refuses them anyway (S3).
func (t *flights) poison(old, s *Snap, touched map[string]bool) {
	var hit []*flight
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		if touched == nil {
			sh.floor = 0 // the numbers of another log
		}
		for f := range sh.all {
			if !f.held && (touched == nil || touched[f.site.ID]) {
				hit = append(hit, f)
			}
		}
		sh.mu.Unlock()
	}
	for _, f := range hit {
		x := s.sites.of(f.site.ID)
		if s.life != f.life || x == nil || x.rev != f.site.rev {
			f.poison()
		} else if rule := x.index.Match(f.subject.Load(), f.stamp); rule != 0 {
			if rule > old.seq { // it has been overtaken now, and not before: who waits for it asks again
				t.e.owe(f.site.ID, rule, f.subject.Load())
			}
			f.poison()
		}
	}
}

// holdRules is how long a fill that comes slowly may keep rules from being forgotten. After that it
// is not stored: an origin that drips for an hour must not make the index grow for an hour (L9).
const holdRules = 5 * time.Minute

// raise sets the floor and returns the least stamp in the air, at most floor (E4).
func (t *flights) raise(floor uint64) (least uint64) {
	least = floor
	var slow []*flight
	now := t.e.clock()
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		sh.floor = floor
		for f := range sh.all {
			least = min(least, f.stamp)
			if now-f.began > holdRules {
				slow = append(slow, f)
			}
		}
		sh.mu.Unlock()
	}
	for _, f := range slow {
		f.giveUpStoring() // for the next sweep
	}
	return least
}
