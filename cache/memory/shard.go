package memory

import (
	"sync"
	"sync/atomic"

	"github.com/warmfront/warmfront/internal/pages"
)

const (
	// smallPart of the bytes is the small queue's share.
	smallPart = 10
	// promoteUses is how often an object must have been asked for in the small queue to stay. The
	// paper's 2 was no better on scans and worse on churn and bursts in hit_ratio_test.go.
	promoteUses = 1
	// stepEntries is how many entries eviction looks at before others may have the lock.
	stepEntries = 64
)

// shard is a part of the keys with its own lock, table and queues.
type shard struct {
	tab   atomic.Pointer[table]       // read under the guard, replaced under the lock
	outer atomic.Pointer[[]outerSlot] // bodies that lie elsewhere, by number; the same
	_     [48]byte                    // hits read the line above; fills write the ones below

	// Written under mu, read without it for choosing victims and for Stats.
	objects   atomic.Int64
	bytes     atomic.Int64 // cost of the objects
	memory    atomic.Int64 // held for them: segments, bodies, table
	evictions atomic.Uint64

	mu       sync.Mutex // guards all below, changes within *tab and *outer, and the segments in the queues
	queues   [2]queue
	ghost    ghost
	free     []uint32 // numbers of outer that nobody has
	serial   uint32   // of the object stored last
	used     int64    // octets of all segments in the queues that have been written to
	live     int64    // octets of live entries
	tidyAt   int64    // of how many dead octets on segments are merged
	shrunk   int      // how many objects there were when the table was last made anew for being too large; 0: not since it grew
	warm     bool     // has evicted: from then on the small queue is the only way in
	patience int      // uses that still count before something must go

	_ [64]byte // the next shard's readers shall not share a cache line with this one's writers
}

// Numbers of the queues.
const (
	small = iota
	main
)

// queue is a list of segments in the order in which they were begun.
type queue struct {
	oldest, youngest uint32 // none: it is empty
	bytes            int64  // cost of its live entries
}

// outer is a body that does not lie with its record.
type outer struct {
	serial uint64
	pages  *pages.Octets
	body   []byte
	cost   int64 // of both
}

// paged is how much of the cost are pages.
func (o *outer) paged() int64 {
	if o.pages == nil {
		return 0
	}
	return o.cost - outerBytes
}

type outerSlot = atomic.Pointer[outer]

const leastSlots = 64

// reset makes the shard empty. The lock is held, or nobody knows of it yet.
func (sh *shard) reset(t *table) {
	sh.tab.Store(t)
	sh.outer.Store(&[]outerSlot{})
	sh.free = nil
	sh.queues = [2]queue{{oldest: none, youngest: none}, {oldest: none, youngest: none}}
	sh.ghost = newGhost(0)
	sh.used, sh.live, sh.tidyAt, sh.shrunk, sh.warm = 0, 0, 0, 0, false
	sh.objects.Store(0)
	sh.bytes.Store(0)
	sh.memory.Store(t.bytes() + sh.ghost.bytes())
}

// nextSerial is never 0.
func (sh *shard) nextSerial() uint32 {
	if sh.serial++; sh.serial >= 1<<29 {
		sh.serial = 1
	}
	return sh.serial
}

// keep gives a body that lies elsewhere a number. The lock is held.
func (sh *shard) keep(o *outer) uint64 {
	if len(sh.free) == 0 {
		// Readers may be in the old slice: what is stored in it from here on they cannot know of.
		old := *sh.outer.Load()
		bigger := make([]outerSlot, max(16, 2*len(old)))
		for i := range old {
			bigger[i].Store(old[i].Load())
		}
		for i := len(bigger); i > len(old); i-- {
			sh.free = append(sh.free, uint32(i-1))
		}
		sh.outer.Store(&bigger)
	}
	n := sh.free[len(sh.free)-1]
	sh.free = sh.free[:len(sh.free)-1]
	(*sh.outer.Load())[n].Store(o)
	return uint64(n)
}

// lose drops a body that lies elsewhere. Its number may be another's at once: readers compare serials.
func (sh *shard) lose(n uint64) {
	(*sh.outer.Load())[n].Store(nil)
	sh.free = append(sh.free, uint32(n))
}

// body of an entry that lies elsewhere, nil if it is gone. Under the guard.
func (sh *shard) body(e entry) *outer {
	slots := *sh.outer.Load()
	if n := *e.place(); n < uint64(len(slots)) {
		if o := slots[n].Load(); o != nil && o.serial == e.serial() {
			return o
		}
	}
	return nil
}
