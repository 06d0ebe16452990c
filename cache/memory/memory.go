package memory

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/internal/pages"
)

// Config of a Store.
type Config struct {
	Capacity  int64 // bytes, all overhead included
	MaxObject int64 // bytes that one object may weigh; 0: Capacity
}

// minShard is the capacity below which a shard is not worth its lock: a queue needs some length to
// tell good from bad.
const minShard = 1 << 20

// Store is a cache.Store in memory. New makes it; all methods may be called concurrently.
type Store struct {
	capacity  int64
	maxObject int64
	seed      maphash.Seed // random: nobody outside can choose keys that collide
	shift     int          // a hash's highest bits choose the shard
	shards    []shard
	pool      *pages.Pool  // of large bodies; nil: there is none here
	bytes     atomic.Int64 // reserved by what is stored or about to be; never above capacity
}

var _ cache.Store = (*Store)(nil)

// New makes an empty store.
func New(c Config) (*Store, error) {
	if c.MaxObject == 0 {
		c.MaxObject = c.Capacity
	}
	if c.Capacity <= 0 || c.MaxObject < 0 || c.MaxObject > c.Capacity {
		return nil, fmt.Errorf("memory cache: capacity of %d bytes with objects of up to %d bytes is not possible", c.Capacity, c.MaxObject)
	}
	// Four shards per core keep two fills from meeting often; a hit takes no lock anyway.
	n := 1
	for n < 4*runtime.GOMAXPROCS(0) && n < 256 && int64(2*n)*minShard <= c.Capacity {
		n *= 2
	}
	s := &Store{
		capacity:  c.Capacity,
		maxObject: c.MaxObject,
		seed:      maphash.MakeSeed(),
		shift:     64 - bits.TrailingZeros(uint(n)),
		shards:    make([]shard, n),
		pool:      pages.New(c.Capacity),
	}
	for i := range s.shards {
		s.shards[i].smallShare = c.Capacity / int64(n) / smallPart
		s.shards[i].reset()
	}
	return s, nil
}

// Get returns the object under key, or nil, and counts the use. It takes no lock and allocates nothing.
func (s *Store) Get(key []byte) *cache.Object {
	hash := maphash.Bytes(s.seed, key)
	t := s.shards[hash>>s.shift].tab.Load()
	o, at, meta := t.find(hash, view(key))
	if o != nil && meta&uses < uses {
		// Lost when others count at the same moment or the slot has changed hands: no matter.
		t.slots[at].meta.CompareAndSwap(meta, meta+1)
	}
	return o
}

// Peek is Get without counting the use.
func (s *Store) Peek(key []byte) *cache.Object {
	hash := maphash.Bytes(s.seed, key)
	o, _, _ := s.shards[hash>>s.shift].tab.Load().find(hash, view(key))
	return o
}

// view lets find compare a key for the length of a call without copying it.
func view(key []byte) string { return unsafe.String(unsafe.SliceData(key), len(key)) }

// Put stores o, in place of what was under its key, after making room for it.
func (s *Store) Put(o *cache.Object) bool {
	c := cost(o)
	if c > s.maxObject {
		return false
	}
	if o.Pages == nil {
		if o.Pages = s.pool.Copy(o.Body); o.Pages != nil {
			o.Body = o.Pages.Bytes()
			c = cost(o)
		}
	}
	hash := maphash.String(s.seed, o.Key)
	sh := &s.shards[hash>>s.shift]
	s.reserve(sh, c)
	sh.mu.Lock()
	freed := sh.put(hash, o, c)
	sh.mu.Unlock()
	s.bytes.Add(-freed)
	return true
}

// reserve takes n bytes of the budget, evicting until they are there. It comes to an end because n is
// at most the capacity: what is not evictable is reserved by other Puts, which then store.
func (s *Store) reserve(own *shard, n int64) {
	for {
		have := s.bytes.Load()
		if have+n <= s.capacity {
			if s.bytes.CompareAndSwap(have, have+n) {
				return
			}
			continue
		}
		victim := s.victim(own)
		victim.mu.Lock()
		freed := victim.evict()
		victim.mu.Unlock()
		if freed == 0 {
			runtime.Gosched()
		}
		s.bytes.Add(-freed)
	}
}

// victim is the shard to make room in: the object's own if it holds its share, else the largest.
func (s *Store) victim(own *shard) *shard {
	if own.bytes.Load() >= s.capacity/int64(len(s.shards)) {
		return own
	}
	largest := own
	for i := range s.shards {
		if sh := &s.shards[i]; sh.bytes.Load() > largest.bytes.Load() {
			largest = sh
		}
	}
	return largest
}

// Remove drops o if it is still what is stored under its key.
func (s *Store) Remove(o *cache.Object) bool {
	hash := maphash.String(s.seed, o.Key)
	sh := &s.shards[hash>>s.shift]
	sh.mu.Lock()
	freed := sh.remove(hash, o)
	sh.mu.Unlock()
	s.bytes.Add(-freed)
	return freed > 0
}

// Range visits the objects without holding a lock: it sees each shard's table as it stands when it
// gets there, with the changes made in place, but not those made after the table was copied.
func (s *Store) Range(visit func(*cache.Object) bool) {
	for i := range s.shards {
		t := s.shards[i].tab.Load()
		for j := range t.slots {
			if o := t.slots[j].obj.Load(); o != nil && !visit(o) {
				return
			}
		}
	}
}

// Clear drops everything, the memory of what was evicted included.
func (s *Store) Clear() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		freed := sh.bytes.Load()
		sh.reset()
		sh.mu.Unlock()
		s.bytes.Add(-freed)
	}
}

// Stats sums up the shards.
func (s *Store) Stats() cache.Stats {
	st := cache.Stats{Bytes: s.bytes.Load(), Capacity: s.capacity}
	for i := range s.shards {
		st.Objects += s.shards[i].objects.Load()
		st.Evictions += s.shards[i].evictions.Load()
	}
	return st
}
