package memory

import (
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/pages"
	"github.com/warmfront/warmfront/invalidation"
)

// Config of a Store.
type Config struct {
	Capacity  int64 // bytes, all overhead included
	MaxObject int64 // bytes that one object may weigh; 0: as many as there is room for
}

const (
	// minShard is the capacity below which a shard is not worth its lock: a queue needs some length to
	// tell good from bad.
	minShard = 16 << 20
	// slotCost is an object's share of table and ghost.
	slotCost = 16
)

// Store is a cache.Store in memory. New makes it; all methods may be called concurrently.
type Store struct {
	capacity  int64
	budget    int64 // of held: the capacity without what overdraw may take
	maxObject int64
	inline    int                                     // octets of the largest body that lies with its record
	since     time.Time                               // from which records count
	subject   func(r []byte, s *invalidation.Subject) // cache.Loan's
	seed      maphash.Seed                            // random: nobody outside can choose keys that collide
	shift     int                                     // a hash's highest bits choose the shard
	shards    []shard
	epochs    *names
	ids       *names // of distributions
	field     *field
	land      *land
	pool      *pages.Pool  // of large bodies; nil: there is none here
	held      atomic.Int64 // memory taken, that which waits for readers included
	paged     atomic.Int64 // of that, pages of large bodies
	brought   atomic.Int64 // octets of large bodies since the collector was called
	collected atomic.Int64 // when Collect has called it, in ns since since
	waiting   atomic.Int64 // of that, what does
	guard     guard
}

var (
	_ cache.Store  = (*Store)(nil)
	_ cache.Lender = (*Store)(nil)
	_ cache.Keeper = (*Store)(nil)
	_ cache.Pager  = (*Store)(nil)
)

// New makes an empty store.
func New(c Config) (*Store, error) {
	if c.Capacity <= 0 || c.MaxObject < 0 || c.MaxObject > c.Capacity {
		return nil, fmt.Errorf("memory cache: capacity of %d bytes with objects of up to %d bytes is not possible", c.Capacity, c.MaxObject)
	}
	// Four shards per core keep two fills from meeting often; a hit takes no lock anyway.
	n := 1
	for n < 4*runtime.GOMAXPROCS(0) && n < 256 && int64(2*n)*minShard <= c.Capacity {
		n *= 2
	}
	size := leastSegment
	for size < mostSegment && int64(2*size*n*shardSegments) <= c.Capacity {
		size *= 2
	}
	s := &Store{
		capacity:  c.Capacity,
		budget:    c.Capacity - int64(2*n*size),
		maxObject: c.MaxObject,
		inline:    min(size/4, pages.Least-1),
		since:     time.Now(),
		seed:      maphash.MakeSeed(),
		shift:     64 - bits.TrailingZeros(uint(n)),
		shards:    make([]shard, n),
		epochs:    newNames(math.MaxUint16),
		ids:       newNames(math.MaxInt32),
		land:      &land{all: map[*byte][]byte{}},
		pool:      pages.New(c.Capacity),
	}
	since := s.since
	s.subject = func(r []byte, s *invalidation.Subject) { record.Record(r).Subject(since, s) }
	s.field = newField(size, int(c.Capacity/int64(size))*5/4+8*n, n, s.land)
	for i := range s.shards {
		s.shards[i].reset(newTable(leastSlots, s.land))
		s.held.Add(s.shards[i].memory.Load())
	}
	if most := s.budget - s.held.Load() - int64(3*n*size); c.MaxObject == 0 || c.MaxObject > most {
		s.maxObject = most
	}
	runtime.AddCleanup(s, (*land).releaseAll, s.land)
	return s, nil
}

func (s *Store) hash(key string) uint64 { return maphash.String(s.seed, key) }

func (s *Store) shard(hash uint64) *shard { return &s.shards[hash>>s.shift] }

// tag is the part of a hash that a slot remembers.
func (s *Store) tag(hash uint64) uint64 { return hash << (64 - s.shift) >> (64 - tagBits) }

// view lets find compare a key for the length of a call without copying it.
func view(key []byte) string { return unsafe.String(unsafe.SliceData(key), len(key)) }

// find returns the slot of the entry under key, nil if there is none. Under the guard or the shard's lock.
func (s *Store) find(t *table, tag uint64, key string) (slot *atomic.Uint64, loc uint64, e entry) {
	for at := t.home(tag); ; at = t.after(at) {
		l, ended := &t.lines[at], false
		for i := range l {
			w := l[i].Load()
			if tagOf(w) == tag && taken(w) {
				loc = locationOf(w)
				if e = s.field.entry(loc); e.key() == key {
					return &l[i], loc, e
				}
			}
			ended = ended || w == empty
		}
		if ended {
			return nil, 0, entry{}
		}
	}
}

// Remove drops o if it is still what is stored under its key.
func (s *Store) Remove(o *cache.Object) bool { return o.Keeper == s && s.Drop(o.Key, o.Serial) }

// Drop implements cache.Keeper.
func (s *Store) Drop(key string, serial uint64) bool {
	hash := s.hash(key)
	sh := s.shard(hash)
	sh.mu.Lock()
	defer s.guard.collect()
	defer sh.mu.Unlock()
	slot, loc, e := s.find(sh.tab.Load(), s.tag(hash), key)
	if slot == nil || e.serial() != serial {
		return false
	}
	s.drop(sh, s.tag(hash), loc, e)
	s.tidy(sh)
	n := int(sh.objects.Load())
	if t := sh.tab.Load(); t.slots() > leastSlots && n*8 < t.slots() && (sh.shrunk == 0 || n <= sh.shrunk/2) {
		s.resize(sh)
		sh.shrunk = max(n, 1)
	}
	return true
}

// resize makes a shard's table anew for what is in it. The lock is held.
func (s *Store) resize(sh *shard) {
	old := sh.tab.Load()
	t := old.resized(int(sh.objects.Load())+1, s.land)
	grown := t.bytes() - old.bytes()
	s.held.Add(grown)
	sh.memory.Add(grown)
	sh.tab.Store(t)
	if old.land != nil {
		s.guard.retire(func() { s.land.release(old.land) })
	}
}

// Clear drops everything, the memory of what was evicted included.
func (s *Store) Clear() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		s.empty(sh)
		sh.mu.Unlock()
	}
	s.guard.settle()
}

// empty takes everything out of a shard. The lock is held.
func (s *Store) empty(sh *shard) {
	// Out of reach first: of what is retired before, an epoch may begin and end with readers that still find it.
	old, t := sh.tab.Load(), newTable(leastSlots, s.land)
	sh.tab.Store(t)
	for q := range sh.queues {
		for seg := sh.queues[q].oldest; seg != none; seg = sh.queues[q].oldest {
			s.retire(sh, seg)
		}
	}
	for slots, i := *sh.outer.Load(), 0; i < len(slots); i++ {
		if o := slots[i].Load(); o != nil {
			s.paged.Add(-o.paged())
		}
	}
	left := sh.memory.Load() // bodies, table and ghost
	sh.reset(t)
	s.held.Add(sh.memory.Load() - left)
	if old.land != nil {
		s.guard.retire(func() { s.land.release(old.land) })
	}
}

// Stats sums up the shards.
func (s *Store) Stats() cache.Stats {
	st := cache.Stats{Held: s.held.Load(), Capacity: s.capacity}
	for i := range s.shards {
		sh := &s.shards[i]
		st.Objects += sh.objects.Load()
		st.Bytes += sh.bytes.Load()
		st.Evictions += sh.evictions.Load()
	}
	return st
}
