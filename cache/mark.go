package cache

import (
	"math/rand/v2"
	"sync/atomic"
)

const (
	// exactHits is up to where each hit is counted, manyHits for how many one in so many counts beyond.
	exactHits = 1024
	manyHits  = 8
)

// one is what a hit counts after so many: each of the first thousand one, and beyond that, by chance, one of
// eight for all eight. What everybody asks for is asked for on all cores at once, and each addition would take
// the cache line away from the others. At ten thousand hits the count is within a few hundredths of the truth.
func one(hits uint64) uint64 {
	switch {
	case hits < exactHits:
		return 1
	case rand.Uint32()%manyHits == 0:
		return manyHits
	}
	return 0
}

// raise makes a at least n, and tells whether it was less.
func raise(a *atomic.Uint64, n uint64) bool {
	for {
		old := a.Load()
		if old >= n {
			return false
		}
		if a.CompareAndSwap(old, n) {
			return true
		}
	}
}

// Mark is what changes of an object while it is stored, in 16 octets of the store's memory. The zero Mark is
// of an object that nobody has asked for.
type Mark struct {
	checked atomic.Uint64
	hits    atomic.Uint32 // and the highest bit: it is marked
	Own     atomic.Uint32 // the store's: what eviction goes by, and which object this is
}

// Used counts a hit.
func (m *Mark) Used() {
	if n := one(m.Hits()); n > 0 {
		m.AddHits(n)
	}
}

// Hits as they were counted.
func (m *Mark) Hits() uint64 { return uint64(m.hits.Load() &^ marked) }

// AddHits counts n; after two thousand million it counts no more.
func (m *Mark) AddHits(n uint64) {
	if m.Hits()+n < marked-1<<10 {
		m.hits.Add(uint32(n))
	}
}

// marked is the bit of hits that says that the object was counted as marked stale.
const marked = 1 << 31

// SetMarked notes that a rule marks the object stale, and tells whether that was not known.
func (m *Mark) SetMarked() bool { return m.hits.Or(marked)&marked == 0 }

// Checked is the number of the newest rule against which the object was found alive, 0 for none.
func (m *Mark) Checked() uint64 { return m.checked.Load() }

// SetChecked raises it.
func (m *Mark) SetChecked(seq uint64) { raise(&m.checked, seq) }

// Take makes m say what o does.
func (m *Mark) Take(o *Object) {
	m.checked.Store(o.checked.Load())
	m.hits.Store(uint32(min(o.Hits.Load(), marked-1<<10)))
}

// Give makes o, which nobody else knows of yet, say what m does.
func (m *Mark) Give(o *Object) {
	o.checked.Store(m.checked.Load())
	o.Hits.Store(m.Hits())
}

// Copy makes m say what from does. What is noted there meanwhile may get lost.
func (m *Mark) Copy(from *Mark) {
	m.checked.Store(from.checked.Load())
	m.hits.Store(from.hits.Load())
	m.Own.Store(from.Own.Load())
}
