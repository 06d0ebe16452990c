package disk

import (
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/cachetest"
	"github.com/warmfront/warmfront/cache/disk/disktest"
)

// tier is a Store as a cache.Store: when Put returns, what was put is in the file; everything has earned its place, and
// Range passes over nothing.
type tier struct {
	*running
	t       *testing.T
	largest int64
}

func (s tier) Put(o *cache.Object) bool {
	if int64(len(o.Body)) > s.largest {
		return false
	}
	c := &cache.Object{
		Key: o.Key, Distribution: o.Distribution, Subject: o.Subject, Stamp: o.Stamp, Epoch: testLife, FetchStart: o.FetchStart,
		Status: o.Status, Fields: o.Fields, Body: o.Body, Fresh: o.Fresh,
	}
	var ref Ref
	eventually(s.t, func() (ok bool) {
		s.Earns([]byte(o.Key))
		ref, ok = s.Add(c)
		return ok
	})
	eventually(s.t, func() bool { return !ref.pending() })
	o.Keeper, o.Serial = s.Store, ref.serial()
	return true
}

func (r Ref) pending() bool {
	sh := r.s.shard(r.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.pending[r.hash] == r.it
}

func (r Ref) serial() uint64 {
	sh := r.s.shard(r.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return uint64(r.it.at)
}

func (s tier) get(o *cache.Object) *cache.Object {
	if o != nil {
		o.Epoch = "" // as the suite's are
	}
	return o
}

func (s tier) Get(key []byte) *cache.Object  { return s.get(s.Store.Get(key)) }
func (s tier) Peek(key []byte) *cache.Object { return s.get(s.Store.Peek(key)) }

func (s tier) Remove(o *cache.Object) bool { return o.Keeper != nil && o.Keeper.Drop(o.Key, o.Serial) }

func (s tier) Range(visit func(*cache.Sight) bool) {
	s.Store.Range(func(v *cache.Sight) bool { v.Keeper = keeper{s}; return visit(v) }, nil)
}

// Skim asks of nothing whether it passes.
func (s tier) Skim(_ func(*cache.Glimpse) bool, visit func(*cache.Sight) bool, on func(int) bool) {
	s.Range(func(v *cache.Sight) bool { return visit(v) && on(1) })
}

// keeper gives the suite its own objects back.
type keeper struct{ tier }

func (k keeper) Fetch(key string, serial uint64) *cache.Object {
	return k.get(k.Store.Fetch(key, serial))
}

// Stats is the picture when the writer has come to rest: what it is about to write again is in the sums, may still be
// dropped from them, and is visited in two places.
func (s tier) Stats() cache.Stats {
	eventually(s.t, func() bool {
		for i := range s.shards {
			if len(s.shards[i].waiting()) > 0 {
				return false
			}
		}
		return true
	})
	st := s.Store.Stats().Stats
	st.Capacity -= slotsAt // of which the suite knows nothing
	return st
}

func TestStore_KeepsTheContractOfATier(t *testing.T) {
	cachetest.RunTier(t, func(t *testing.T, capacity, largest int64) cache.Store {
		slot := min(max(capacity/16, largest*5/4), capacity/2, capacity/4+largest/4) &^ (superSize - 1)
		s := start(t, Config{File: new(disktest.File), Capacity: slotsAt + capacity, slot: slot, Queue: 1 << 30})
		s.Use(testLife)
		return tier{s, t, largest}
	})
}
