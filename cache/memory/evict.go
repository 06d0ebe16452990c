package memory

import (
	"unsafe"

	"github.com/warmfront/warmfront/cache"
)

// These methods are a shard's life under its lock, which the caller holds. They are the store's, for they
// write into its segments.

// room returns the queue's youngest segment, if there is room in it.
func (s *Store) room(sh *shard, q int, size uint32) (seg uint32, ok bool) {
	seg = sh.queues[q].youngest
	return seg, seg != none && int(s.field.segs[seg].used+size) <= s.field.size
}

// begin puts a fresh segment, for which memory has been reserved, at the young end of a queue.
func (s *Store) begin(sh *shard, q int, seg uint32) {
	s.link(sh, q, seg, sh.queues[q].youngest, none)
}

// link puts a segment between two neighbours.
func (s *Store) link(sh *shard, q int, seg, prev, next uint32) {
	m := &s.field.segs[seg]
	m.queue, m.prev, m.next = uint8(q), prev, next
	if prev != none {
		s.field.segs[prev].next = seg
	} else {
		sh.queues[q].oldest = seg
	}
	if next != none {
		s.field.segs[next].prev = seg
	} else {
		sh.queues[q].youngest = seg
	}
	sh.used += int64(m.used)
	sh.memory.Add(int64(s.field.size))
}

// retire takes a segment without live entries out of its queue. It is free when nobody reads it any more.
func (s *Store) retire(sh *shard, seg uint32) {
	m := &s.field.segs[seg]
	q := &sh.queues[m.queue]
	if m.prev != none {
		s.field.segs[m.prev].next = m.next
	} else {
		q.oldest = m.next
	}
	if m.next != none {
		s.field.segs[m.next].prev = m.prev
	} else {
		q.youngest = m.prev
	}
	sh.used -= int64(m.used)
	sh.memory.Add(-int64(s.field.size))
	s.waiting.Add(int64(s.field.size))
	s.guard.retire(func() {
		s.field.give(seg)
		s.held.Add(-int64(s.field.size))
		s.waiting.Add(-int64(s.field.size))
	})
}

// write makes room for an entry of a segment's.
func (s *Store) write(sh *shard, seg, size uint32) (loc uint64) {
	m := &s.field.segs[seg]
	loc = s.field.location(seg, m.used)
	m.used += size
	m.live += size
	sh.used += int64(size)
	sh.live += int64(size)
	return loc
}

// cost of an entry: what its object takes of all memory.
func (s *Store) cost(sh *shard, e entry) int64 {
	n := int64(e.size()) + slotCost
	if e.tail() == outerTail {
		if o := sh.body(e); o != nil {
			n += o.cost
		}
	}
	return n
}

// forget ends an entry whose place in the table has been given to another, or to none.
func (s *Store) forget(sh *shard, loc uint64, e entry) {
	seg := s.field.segmentOf(loc)
	m := &s.field.segs[seg]
	size, cost := e.size(), s.cost(sh, e)
	if e.tail() == outerTail {
		if o := sh.body(e); o != nil {
			sh.lose(*e.place())
			s.paged.Add(-o.paged())
			sh.memory.Add(-o.cost)
			s.held.Add(-o.cost)
		}
	}
	e.kill()
	sh.queues[m.queue].bytes -= cost
	sh.bytes.Add(-cost)
	s.leave(sh, seg, size)
}

// leave takes a dead entry off its segment's account.
func (s *Store) leave(sh *shard, seg, size uint32) {
	m := &s.field.segs[seg]
	m.live -= size
	sh.live -= int64(size)
	// The youngest will be written to; but what was purged shall not stay full of dead ones.
	if m.live == 0 && (m.next != none || int(m.used) > s.field.size/4) {
		s.retire(sh, seg)
	}
}

// drop takes an object out.
func (s *Store) drop(sh *shard, tag, loc uint64, e entry) {
	t := sh.tab.Load()
	if l, slot := t.place(tag, loc); slot != nil {
		t.erase(l, slot)
	}
	sh.objects.Add(-1)
	s.forget(sh, loc, e)
}

// move copies an entry to the young end of a queue, with so many uses to its credit.
func (s *Store) move(sh *shard, q int, tag, loc uint64, e entry, uses uint32) {
	size := e.size()
	to, ok := s.room(sh, q, size)
	if !ok {
		if to = s.overdraw(); to == none {
			s.drop(sh, tag, loc, e)
			return
		}
		s.begin(sh, q, to)
	}
	cost, from := s.cost(sh, e), s.field.segmentOf(loc)
	s.copyTo(sh, to, tag, loc, e, uses)
	sh.queues[s.field.segs[from].queue].bytes -= cost
	sh.queues[q].bytes += cost
	e.kill()
	s.leave(sh, from, size)
}

// copyTo writes the entry into another segment and lets readers find it there.
func (s *Store) copyTo(sh *shard, to uint32, tag, loc uint64, e entry, uses uint32) {
	size := e.size()
	at := s.write(sh, to, size)
	p := s.field.at(at)
	n := int(size) - markSize
	from := e.far()
	if from != nil {
		n -= unit // its last word changes
	}
	copy(unsafe.Slice((*byte)(unsafe.Add(p, markSize)), n), unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(e.mark), markSize)), n))
	if from != nil {
		s.field.entry(at).far().proved.Store(from.proved.Load())
	}
	mark := (*cache.Mark)(p)
	mark.Copy(e.mark)
	mark.Own.Store(mark.Own.Load()&^(usesMask|deadBit) | uses)
	if _, slot := sh.tab.Load().place(tag, loc); slot != nil {
		slot.Store(slotOf(tag, at))
	}
}

// overdraw takes a segment for what is only being moved, without evicting for it: the one that it comes
// from is free soon. At most two for each shard are under way, and there is memory set aside for them.
func (s *Store) overdraw() uint32 {
	seg := s.field.take()
	if seg != none {
		s.held.Add(int64(s.field.size))
	}
	return seg
}

// evict looks at some entries at the old ends of the queues. It returns false if there were none. Memory gets
// free when a segment has been gone through, and at once where a body lies elsewhere.
func (s *Store) evict(sh *shard) (progress bool) {
	if !sh.warm {
		sh.warm, sh.patience = true, 4*int(sh.objects.Load())
	}
	if n := int(sh.objects.Load()); len(sh.ghost.entries)*4 < n*3 || len(sh.ghost.entries) > 4*n+minGhost {
		old := sh.ghost.bytes()
		sh.ghost = newGhost(n)
		s.held.Add(sh.ghost.bytes() - old)
		sh.memory.Add(sh.ghost.bytes() - old)
	}
	for range stepEntries {
		q := sh.victim()
		seg := sh.queues[q].oldest
		if seg == none {
			return progress
		}
		progress = true
		m := &s.field.segs[seg]
		if m.cursor >= m.used {
			s.retire(sh, seg)
			return true
		}
		loc := s.field.location(seg, m.cursor)
		e := s.field.entry(loc)
		m.cursor += e.size()
		if !e.dead() && s.judge(sh, q, loc, e) {
			return true
		}
	}
	return progress
}

// victim is the queue in which something has to go.
func (sh *shard) victim() int {
	if sh.queues[main].oldest == none ||
		sh.queues[small].oldest != none && sh.queues[small].bytes >= sh.bytes.Load()/smallPart {
		return small
	}
	return main
}

// judge decides on an entry at the old end. It returns true if that has made room beyond its segment.
func (s *Store) judge(sh *shard, q int, loc uint64, e entry) bool {
	hash := s.hash(e.key())
	tag, uses := s.tag(hash), e.mark.Own.Load()&usesMask
	// Each round trip through the main queue takes one use away. Readers who count on meanwhile must not
	// keep this going, so at some point uses do not count any more.
	if sh.patience > 0 {
		switch {
		case q == main && uses > 0:
			sh.patience--
			s.move(sh, main, tag, loc, e, uses-1)
			return false
		case q == small && uses >= promoteUses:
			sh.patience--
			s.move(sh, main, tag, loc, e, 0)
			return false
		}
	}
	if q == small {
		sh.ghost.add(hash)
	}
	outside := e.tail() == outerTail
	s.drop(sh, tag, loc, e)
	sh.evictions.Add(1)
	sh.patience = 4 * int(sh.objects.Load())
	return outside
}

const (
	// longestRun is of how many neighbours one fewer is made: if it can be done at all with a sixth of what they
	// have written dead, it can with six.
	longestRun = 6
	// deadPart of what is written may be dead before anything is done about it.
	deadPart = 6
	// mergesAtOnce is how many runs are merged by who has brought the shard to it.
	mergesAtOnce = 2
)

// tidy makes room where much has been replaced or removed: of neighbours that have room for the living of
// all in one fewer it makes one fewer, in their place, so that order stays. It does some of the work each time.
func (s *Store) tidy(sh *shard) {
	switch dead := sh.used - sh.live; {
	case dead < sh.used/deadPart:
		sh.tidyAt = 0
		return
	case dead < sh.tidyAt:
		return
	}
	merged := 0
	for q := range sh.queues {
		for seg := sh.queues[q].oldest; seg != none; {
			n := s.run(seg)
			if n == 0 {
				seg = s.field.segs[seg].next
				continue
			}
			s.guard.collect()
			if s.held.Load()+int64(n*s.field.size) > s.capacity {
				return // what it takes while both are there must not be too much: then eviction makes room
			}
			if seg = s.merge(sh, q, seg, n); seg == none {
				return
			}
			if merged++; merged == mergesAtOnce {
				return
			}
		}
	}
	sh.tidyAt = sh.used - sh.live + int64(s.field.size)
}

// run returns of how many segments from seg on one fewer can be made, 0 for none. The youngest is being
// written to. What an entry may leave free at the end of its segment is allowed for.
func (s *Store) run(seg uint32) int {
	room := int64(s.field.size - firstEntry - s.field.size/16)
	live, best := int64(0), 0
	for n := 1; n <= longestRun && seg != none && s.field.segs[seg].next != none; n++ {
		live += int64(s.field.segs[seg].live)
		if n > 1 && (best == 0 && live <= room*int64(n-1) || live <= room) {
			best = n // or as many as are one
		}
		seg = s.field.segs[seg].next
	}
	return best
}

// merge writes the live entries of n neighbours anew, and returns the segment after them.
func (s *Store) merge(sh *shard, q int, seg uint32, n int) (next uint32) {
	to := none
	for range n {
		m := &s.field.segs[seg]
		next = m.next
		if m.live == 0 {
			s.retire(sh, seg)
			seg = next
			continue
		}
		for off, last := m.cursor, false; !last; { // with the last one it is retired, and not ours any more
			loc := s.field.location(seg, off)
			e := s.field.entry(loc)
			size := e.size()
			off += size
			if e.dead() {
				continue
			}
			if to == none || int(s.field.segs[to].used+size) > s.field.size {
				if to = s.overdraw(); to == none {
					return none
				}
				s.link(sh, q, to, m.prev, seg)
			}
			s.copyTo(sh, to, s.tag(s.hash(e.key())), loc, e, e.mark.Own.Load()&usesMask)
			e.kill()
			last = m.live == size
			s.leave(sh, seg, size)
		}
		seg = next
	}
	return next
}
