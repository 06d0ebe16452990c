package memory

import (
	"sync"
	"sync/atomic"

	"github.com/warmfront/warmfront/cache"
)

const (
	minTable = 64
	// smallPart of the bytes is the small queue's share.
	smallPart = 10
	// promoteUses is how often an object must have been asked for in the small queue to stay. The
	// paper's 2 was no better on scans and worse on churn and bursts in hit_ratio_test.go.
	promoteUses = 1
)

// shard is a part of the keys with its own lock, table and queues.
type shard struct {
	tab atomic.Pointer[table] // read without the lock, replaced under it
	_   [56]byte              // hits read the line above; fills write the ones below

	// Written under mu, read without it for choosing victims and for Stats.
	bytes     atomic.Int64
	objects   atomic.Int64
	evictions atomic.Uint64

	mu          sync.Mutex // guards all below, and changes within *tab
	small, main ring
	ghost       ghost
	used        int   // slots of the table that are not empty
	warm        bool  // has evicted: from then on the small queue is the only way in
	smallShare  int64 // bytes that the small queue takes while not warm

	_ [64]byte // the next shard's readers shall not share a cache line with this one's writers
}

func (s *shard) reset() {
	s.tab.Store(newTable(minTable))
	s.small, s.main = newRing(minTable), newRing(minTable)
	s.ghost = newGhost(minTable)
	s.used, s.warm = 0, false
	s.bytes.Store(0)
	s.objects.Store(0)
}

func (s *shard) queue(main bool) *ring {
	if main {
		return &s.main
	}
	return &s.small
}

// put stores o and returns what the object that it replaces weighed. The lock is held.
func (s *shard) put(hash uint64, o *cache.Object, cost int64) (freed int64) {
	t := s.tab.Load()
	if old, at, _ := t.find(hash, o.Key); old != nil {
		freed, t.cost[at] = t.cost[at], cost
		t.slots[at].obj.Store(o) // in place: no reader finds the key gone in between
		s.queue(t.main[at]).bytes += cost - freed
		s.bytes.Add(cost - freed)
		return freed
	}
	if s.used >= len(t.slots)/4*3 {
		t = s.rebuild(t)
	}
	want := tag(hash)
	main := s.ghost.take(want, s.span()) || !s.warm && s.small.bytes+cost > s.smallShare
	at := t.place(want)
	if t.slots[at].meta.Load() == empty {
		s.used++
	}
	t.fill(at, want, o, cost, main)
	q := s.queue(main)
	q.push(at)
	q.bytes += cost
	s.bytes.Add(cost)
	s.objects.Add(1)
	return 0
}

// span is how many evictions from the small queue are remembered: as many as there are objects.
func (s *shard) span() uint32 { return uint32(max(s.objects.Load(), minTable)) }

// remove drops o if it is still there and returns what it weighed, 0 if it is not. The lock is held.
// Its number stays in the queue until it gets to the end, or the table is rebuilt.
func (s *shard) remove(hash uint64, o *cache.Object) int64 {
	t := s.tab.Load()
	if have, at, _ := t.find(hash, o.Key); have == o {
		return s.drop(t, at)
	}
	return 0
}

func (s *shard) drop(t *table, at uint64) int64 {
	cost := t.withdraw(at)
	s.queue(t.main[at]).bytes -= cost
	s.bytes.Add(-cost)
	s.objects.Add(-1)
	return cost
}

// evict drops the object that is worth least and returns what it weighed, 0 if the shard is empty.
// The lock is held.
func (s *shard) evict() int64 {
	if s.objects.Load() == 0 {
		return 0
	}
	t := s.tab.Load()
	s.warm = true
	// Each round trip through the main queue takes one use away. Readers who count on meanwhile must
	// not keep this going, so at some point uses do not count any more.
	for patience := 4 * int(s.small.n+s.main.n); ; patience-- {
		from := &s.main
		if s.main.n == 0 || s.small.n > 0 && s.small.bytes >= s.bytes.Load()/smallPart {
			from = &s.small
		}
		at := from.pop()
		meta := t.slots[at].meta.Load()
		n := meta & uses
		switch {
		case meta == dead:
			s.used -= t.release(at)
		case patience > 0 && from == &s.main && n > 0:
			t.setUses(at, n-1)
			s.main.push(at)
		case patience > 0 && from == &s.small && n >= promoteUses:
			s.promote(t, at)
		default:
			if from == &s.small {
				s.ghost.add(meta &^ uses)
			}
			cost := s.drop(t, at)
			s.used -= t.release(at)
			s.evictions.Add(1)
			return cost
		}
	}
}

func (s *shard) promote(t *table, at uint64) {
	t.setUses(at, 0)
	t.main[at] = true
	s.small.bytes -= t.cost[at]
	s.main.bytes += t.cost[at]
	s.main.push(at)
}

// rebuild copies the table without tombs and dead slots, to twice what is needed, and lets readers see
// the copy. The queues keep their order. The old table is not touched: readers may be in it.
func (s *shard) rebuild(old *table) *table {
	size := minTable
	for size < 2*int(s.objects.Load()+1) {
		size *= 2
	}
	t := newTable(size)
	s.used = 0
	for _, q := range []*ring{&s.small, &s.main} {
		moved := newRing(size)
		moved.bytes = q.bytes
		for q.n > 0 {
			from := q.pop()
			meta := old.slots[from].meta.Load()
			if meta == dead {
				continue
			}
			to := t.place(meta &^ uses)
			t.fill(to, meta, old.slots[from].obj.Load(), old.cost[from], old.main[from])
			moved.push(to)
			s.used++
		}
		*q = moved
	}
	if size != len(s.ghost.entries) {
		s.ghost = s.ghost.resized(size)
	}
	s.tab.Store(t)
	return t
}
