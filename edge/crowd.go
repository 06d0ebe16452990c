package edge

import (
	"sync"
	"time"

	"github.com/warmfront/warmfront/cache"
)

// A body in delivery stays in memory though the store has dropped it, for as long as its viewer takes. Viewers who take
// their time with one large thing after the other could so have all of it kept, in the place of what others hold. Therefore what is
// large is not kept while they hold as much as they may: it streams through a window.
//
// What the store has dropped and nobody holds looks the same until the garbage collector has been round and its memory is given back: after
// an invalidation of everything that is most of a cache. It must not keep what comes in its place from being stored. So a
// crowd is one only when it has been there for crowdTime, the collector having been called, without becoming smaller; or at once, when it
// is more than could have been dropped.

// crowdTime is for how long memory that nobody may hold is waited for.
const crowdTime = 5 * time.Second

// crowd is what is known of what viewers hold.
type crowd struct {
	most int64 // octets that bodies in delivery may take, and be that for longer than crowdTime: fills' memory, and an eighth of the store
	end  int64 // and in any case: with that, the whole store

	mu    sync.Mutex
	since time.Duration // when it became more than most, or was last seen to become less; 0: it is not. Guarded by mu
	least int64         // octets then; guarded by mu
}

// apart is how many octets are not the store's, nor fills' under way: what viewers are being sent, and what is not collected yet.
func (e *Edge) apart() int64 {
	n := e.flights.lent.Load() + e.loads.sent.Load()
	if e.pager != nil {
		n += e.pager.Apart() - e.flights.paged.Load()
	}
	return n
}

// crowded tells whether viewers who take their time hold as much as they may.
func (e *Edge) crowded() bool {
	c, n, now := &e.crowd, e.apart(), e.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case n <= c.most:
		c.since = 0
		return false
	case n > c.end:
		return true
	case c.since == 0 || n < c.least-c.least/16:
		c.since, c.least = now, n
	}
	return now-c.since >= crowdTime
}

// disperse has collected what nobody holds, if it might be much. It is called when a large body has been brought.
func (e *Edge) disperse() {
	if e.pager != nil && e.apart() > e.crowd.most {
		e.pager.Collect()
	}
}

// lend counts the body of an object that was read from disk and is in no store, while it is sent; back ends that. It is there
// once for all who send it.
func (l *loads) lend(o *cache.Object) {
	if o != nil && o.Senders != nil && o.Senders.Add(1) == 1 {
		l.sent.Add(int64(len(o.Body)))
	}
}

func (l *loads) back(o *cache.Object) {
	if o != nil && o.Senders != nil && o.Senders.Add(-1) == 0 {
		l.sent.Add(-int64(len(o.Body)))
	}
}
