// Package cache knows bytes under keys: stored responses, found by their cache key, kept within a
// bound. It never decides whether an object may be served; that is edge's, with httpcache and
// invalidation.
package cache

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/pages"
	"github.com/warmfront/warmfront/invalidation"
)

// Object is a complete stored response. Everything but checked is immutable once it is in a Store;
// a revalidated object is a new Object that shares the old one's Body.
type Object struct {
	Key          string // the complete cache key
	Distribution string // its id
	Subject      invalidation.Subject
	Stamp        uint64    // position of the snapshot pinned when the fetch began (law L2)
	Epoch        string    // the journal's epoch that Stamp counts in
	FetchStart   time.Time // t0, with the monotonic clock (S1)

	Status int
	Fields message.Fields // as they are stored: end-to-end fields only
	Block  []byte         // prepared header block for HTTP/1.1, without the per-hit fields; see edge
	Block2 []byte         // the same for HTTP/2
	Body   []byte
	Pages  *pages.Octets // where Body lies, if not in the heap: keep it, or the Object, with every slice of Body
	Fresh  httpcache.Freshness
	Hits   atomic.Uint64 // since it was stored, as Used counts them; popularity and receipts

	// checked is the number of the newest rule against which this object was found alive. Equal to
	// the distribution's newest rule: one comparison, done. It only grows.
	checked atomic.Uint64
}

const (
	// exactHits is up to where each hit is counted, manyHits for how many one in so many counts beyond.
	exactHits = 1024
	manyHits  = 8
)

// Used counts a hit: each of the first thousand, and beyond that, by chance, one of eight for all eight.
// What everybody asks for is asked for on all cores at once, and each addition would take the cache line
// away from the others. At ten thousand hits the count is within a few hundredths of the truth.
func (o *Object) Used() {
	switch {
	case o.Hits.Load() < exactHits:
		o.Hits.Add(1)
	case rand.Uint32()%manyHits == 0:
		o.Hits.Add(manyHits)
	}
}

// Checked returns the number up to which the object was found alive, at least its stamp.
func (o *Object) Checked() uint64 {
	if c := o.checked.Load(); c > o.Stamp {
		return c
	}
	return o.Stamp
}

// SetChecked remembers that no rule up to seq matches. Concurrent calls keep the greatest.
func (o *Object) SetChecked(seq uint64) {
	for {
		c := o.checked.Load()
		if c >= seq || o.checked.CompareAndSwap(c, seq) {
			return
		}
	}
}

// Store keeps objects. All methods may be called concurrently. Implementations pass the suite in
// cache/cachetest.
type Store interface {
	// Get returns the object under key, or nil. It counts as a use for eviction. key is not retained.
	Get(key []byte) *Object
	// Peek is Get without counting as a use.
	Peek(key []byte) *Object
	// Put stores o, in place of what was under its key, and evicts what no longer fits. It returns
	// false when o alone is larger than the store accepts; then nothing is stored. It may move Body to
	// Pages, if Pages is nil: nobody else may know of o yet.
	Put(o *Object) bool
	// Remove drops o if it is still what is stored under its key.
	Remove(o *Object) bool
	// Range calls visit for every object that is there during the whole call; others may or may not
	// be visited. visit may call Remove.
	Range(visit func(*Object) bool)
	// Clear drops everything.
	Clear()
	Stats() Stats
}

// Stats of a store, a consistent enough picture for metrics.
type Stats struct {
	Objects   int64
	Bytes     int64 // bodies, heads and the store's own overhead
	Capacity  int64 // bytes
	Evictions uint64
}
