package memory

import (
	"sync/atomic"

	"github.com/warmfront/warmfront/cache"
)

// A slot's meta is the hash of its key with the number of uses in the two lowest bits, or one of
// these, which no tag can be.
const (
	empty uint64 = 0 // never used: a search ends here
	tomb  uint64 = 1 // free again, but searches go on
	dead  uint64 = 2 // object removed, number still in a queue: not to be used again before it leaves it

	uses uint64 = 3
)

// tag is the part of a hash that a slot remembers; never one of the special values.
func tag(hash uint64) uint64 {
	if t := hash &^ uses; t != 0 {
		return t
	}
	return uses + 1
}

// slot is read without a lock and written under the shard's. Four are in a cache line.
type slot struct {
	meta atomic.Uint64
	obj  atomic.Pointer[cache.Object] // nil unless meta is a tag
}

// table is an open-addressed hash table with linear probing; its length is a power of two. At least a
// quarter of the slots are empty, so every search ends.
type table struct {
	slots []slot
	mask  uint64

	// Guarded by the shard's lock, parallel to slots.
	cost []int64
	main []bool // in the main queue, else in the small one
}

func newTable(size int) *table {
	return &table{slots: make([]slot, size), mask: uint64(size - 1), cost: make([]int64, size), main: make([]bool, size)}
}

// find returns the object under key, its slot's number and meta; nil if there is none. It needs no lock.
func (t *table) find(hash uint64, key string) (o *cache.Object, at, meta uint64) {
	want := tag(hash)
	for at = (want >> 2) & t.mask; ; at = (at + 1) & t.mask {
		s := &t.slots[at]
		meta = s.meta.Load()
		if meta&^uses == want {
			if o = s.obj.Load(); o != nil && o.Key == key {
				return o, at, meta
			}
		}
		if meta == empty {
			return nil, 0, 0
		}
	}
}

// place returns the slot where a key that is not in the table goes. The lock is held.
func (t *table) place(want uint64) uint64 {
	for at := (want >> 2) & t.mask; ; at = (at + 1) & t.mask {
		if m := t.slots[at].meta.Load(); m == empty || m == tomb {
			return at
		}
	}
}

// fill publishes an object in a free slot: the object first, so that whoever sees the tag finds it.
func (t *table) fill(at, meta uint64, o *cache.Object, cost int64, main bool) {
	t.cost[at], t.main[at] = cost, main
	t.slots[at].obj.Store(o)
	t.slots[at].meta.Store(meta)
}

// withdraw takes the object out of a slot whose number is still in a queue.
func (t *table) withdraw(at uint64) (cost int64) {
	t.slots[at].obj.Store(nil)
	t.slots[at].meta.Store(dead)
	cost, t.cost[at] = t.cost[at], 0
	return cost
}

// release makes a withdrawn slot, whose number has left its queue, usable again, and returns how many
// slots became empty. A tomb is only needed where a search may have to go on past it: not in front of
// an empty slot, and then neither do the tombs before it.
func (t *table) release(at uint64) (emptied int) {
	t.slots[at].meta.Store(tomb)
	if t.slots[(at+1)&t.mask].meta.Load() != empty {
		return 0
	}
	for t.slots[at].meta.Load() == tomb {
		t.slots[at].meta.Store(empty)
		emptied++
		at = (at - 1) & t.mask
	}
	return emptied
}

// setUses replaces the number of uses. Readers may be counting at the same time; theirs is lost.
func (t *table) setUses(at, n uint64) {
	t.slots[at].meta.Store(t.slots[at].meta.Load()&^uses | n)
}
