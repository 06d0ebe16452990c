package memory

import (
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/pages"
)

// scratch is where records are encoded before the lock is taken.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// maxScratch is up to where a buffer is kept for the next one.
const maxScratch = 64 << 10

// Put stores o, in place of what was under its key, after making room for it.
func (s *Store) Put(o *cache.Object) bool {
	buf := scratch.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= maxScratch {
			scratch.Put(buf)
		}
	}()
	rec, err := s.encode((*buf)[:0], o)
	if err != nil {
		return false
	}
	*buf = rec
	size := entrySize(len(rec), tailOf(o, rec))
	c := int64(size) + slotCost
	var out *outer
	if tailOf(o, rec) == outerTail {
		out = s.outside(o)
		c += out.cost
	}
	if c > s.maxObject || int(size) > s.field.size-firstEntry {
		return false
	}
	fresh := none
	if out != nil {
		// With a segment at once: who holds a part of what he needs while he waits for the rest may wait for
		// somebody who does the same.
		s.reserve(s.shard(s.hash(o.Key)), out.cost+int64(s.field.size))
		fresh = s.segment()
		s.settle(o, out)
		s.due(out.cost)
	}
	s.store(o, rec, out, size, fresh)
	return true
}

// encode decides where the body lies.
func (s *Store) encode(dst []byte, o *cache.Object) (record.Record, error) {
	epoch, ok := s.epochs.number(o.Epoch)
	id, ok2 := s.ids.number(o.Distribution)
	if !ok || !ok2 {
		return nil, record.ErrTooLarge
	}
	return record.Form{
		Since: s.since, Heads: true, Numbers: true, Epoch: uint16(epoch), Distribution: id,
		Bodiless: len(o.Body) > s.inline || o.Pages != nil || o.Far != cache.Far{},
	}.Append(dst, o)
}

// tailOf is what an object's entry will have behind its record.
func tailOf(o *cache.Object, r record.Record) uint32 {
	switch {
	case !r.Bodiless():
		return noTail
	case o.Far != cache.Far{}:
		return farTail
	}
	return outerTail
}

// outerBytes is what a body takes that does not lie with its record, beside its octets: its number's slot, what
// that points to, and what the collector keeps to free its pages.
const outerBytes = 192

// outside prepares a body that lies elsewhere.
func (s *Store) outside(o *cache.Object) *outer {
	if o.Pages != nil || s.pool != nil && len(o.Body) >= pages.Least {
		return &outer{cost: outerBytes + pages.Rounded(len(o.Body))}
	}
	return &outer{cost: outerBytes + allocated(cap(o.Body))}
}

// Blank implements cache.Pager. What is under way is on top of the bound.
func (s *Store) Blank(n int) *pages.Octets { return s.pool.Blank(n) }

// Apart implements cache.Pager.
func (s *Store) Apart() int64 { return s.pool.Held() - s.paged.Load() }

// Collect implements cache.Pager.
func (s *Store) Collect() {
	now, last := int64(time.Since(s.since)), s.collected.Load()
	if now-last >= int64(time.Second) && s.collected.CompareAndSwap(last, now) {
		runtime.GC()
	}
}

// settle moves it to pages, if that is worth it.
func (s *Store) settle(o *cache.Object, out *outer) {
	if o.Pages == nil {
		if o.Pages = s.pool.Copy(o.Body); o.Pages != nil {
			o.Body = o.Pages.Bytes()
		}
	}
	out.pages, out.body = o.Pages, o.Body
}

// leastDue is for how many octets of large bodies the collector is not called.
const leastDue = 16 << 20

// due has the garbage collector go round when pages that nobody refers to any more are a 32nd of the capacity: to
// it they are a few small objects, and it would be in no hurry.
func (s *Store) due(n int64) {
	least := max(s.capacity/32, leastDue)
	if s.brought.Add(n) < least || s.pool.Held()-s.paged.Load() < least {
		return
	}
	if s.brought.Swap(0) >= least { // or another is at it
		runtime.GC()
	}
}

// allocated is what the allocator takes for n octets: size classes up to 32 KiB, on average 1/16 more than
// asked for, whole pages above.
func allocated(n int) int64 {
	const page = 8 << 10
	if n > 32<<10 {
		return (int64(n) + page - 1) / page * page
	}
	return int64(n + n/16)
}

// store finds room in a segment for the entry, in fresh if need be, and lets readers find it.
func (s *Store) store(o *cache.Object, rec record.Record, out *outer, size, fresh uint32) {
	hash := s.hash(o.Key)
	sh := s.shard(hash)
	q := -1
	for {
		sh.mu.Lock()
		if q < 0 {
			q = s.queueFor(sh, hash, o.Key, int64(size)+slotCost)
		}
		seg, ok := s.room(sh, q, size)
		if !ok && fresh != none {
			s.begin(sh, q, fresh)
			seg, ok, fresh = fresh, true, none
		}
		if ok {
			s.enter(sh, q, seg, hash, o, rec, out, size)
			s.tidy(sh)
			sh.mu.Unlock()
			break
		}
		sh.mu.Unlock()
		s.reserve(sh, int64(s.field.size))
		fresh = s.segment()
	}
	if fresh != none { // there was room, or another has begun one meanwhile
		s.field.give(fresh)
		s.held.Add(-int64(s.field.size))
	}
}

// queueFor chooses where a key goes: where it is, or by what is remembered of it. The lock is held.
func (s *Store) queueFor(sh *shard, hash uint64, key string, cost int64) int {
	if slot, loc, _ := s.find(sh.tab.Load(), s.tag(hash), key); slot != nil {
		return int(s.field.segs[s.field.segmentOf(loc)].queue)
	}
	if sh.warm && sh.ghost.take(hash, max(int(sh.objects.Load()), minGhost)) ||
		!sh.warm && sh.queues[small].bytes+cost > s.budget/int64(len(s.shards))/smallPart {
		return main
	}
	return small
}

// enter writes the entry. The lock is held.
func (s *Store) enter(sh *shard, q int, seg uint32, hash uint64, o *cache.Object, rec record.Record, out *outer, size uint32) {
	loc := s.write(sh, seg, size)
	p := s.field.at(loc)
	e := entry{(*cache.Mark)(p), unsafe.Slice((*byte)(unsafe.Add(p, markSize)), len(rec))}
	copy(e.rec, rec)
	serial := sh.nextSerial()
	o.Keeper, o.Serial = s, uint64(serial)
	e.mark.Take(o)
	e.mark.Own.Store(serial * serialStep)
	cost := int64(size) + slotCost
	if out != nil {
		out.serial = o.Serial
		*e.place() = sh.keep(out)
		cost += out.cost
		sh.memory.Add(out.cost)
		s.paged.Add(out.paged())
	} else if rec.Bodiless() {
		f := (*far)(unsafe.Pointer(e.place()))
		f.place, f.time = o.Far.Place|farBit, o.Far.Time
		f.proved.Store(o.Proved)
	}
	sh.queues[q].bytes += cost
	sh.bytes.Add(cost)
	tag := s.tag(hash)
	if slot, old, was := s.find(sh.tab.Load(), tag, o.Key); slot != nil {
		e.mark.Own.Or(was.mark.Own.Load() & usesMask)
		slot.Store(slotOf(tag, loc)) // in place: no reader finds the key gone in between
		s.forget(sh, old, was)
		return
	}
	if sh.tab.Load().crowded() {
		s.resize(sh)
		sh.shrunk = 0
	}
	sh.objects.Add(1)
	sh.tab.Load().insert(tag, loc)
}

// segment takes one for which memory has been reserved. There are more than enough of them; those that have
// been overdrawn may wait for readers.
func (s *Store) segment() uint32 {
	for {
		if seg := s.field.take(); seg != none {
			return seg
		}
		s.guard.collect()
		runtime.Gosched()
	}
}

// reserve takes n bytes of the budget, evicting until they are there. It comes to an end because n is less than
// the budget: what is not evictable is reserved by others, who then store. If the machine keeps a reader of what
// has been evicted from going on, it takes them nevertheless: as much as fills bring in such a time, and gone
// with the next.
func (s *Store) reserve(own *shard, n int64) {
	waits, idle := 0, 0
	for {
		have := s.held.Load()
		if have+n <= s.budget || waits >= patience {
			if s.held.CompareAndSwap(have, have+n) {
				return
			}
			continue
		}
		if s.guard.pending.Load() > 0 && have+n-s.waiting.Load() <= s.budget {
			if s.guard.collect(); s.guard.pending.Load() > 0 {
				waits++
				pause(waits)
			}
			continue
		}
		s.guard.collect()
		victim := s.victim(own)
		victim.mu.Lock()
		progress := s.evict(victim)
		victim.mu.Unlock()
		if !progress {
			if idle++; idle > patience {
				idle = patience // a nap each time from here on
			}
			pause(idle)
		}
	}
}

// victim is the shard to make room in: the object's own if it holds its share, else the largest.
func (s *Store) victim(own *shard) *shard {
	if own.memory.Load() >= s.budget/int64(len(s.shards)) {
		return own
	}
	largest := own
	for i := range s.shards {
		if sh := &s.shards[i]; sh.memory.Load() > largest.memory.Load() {
			largest = sh
		}
	}
	return largest
}
