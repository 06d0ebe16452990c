package memory

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/cachetest"
)

// After any sequence of changes each shard's books agree with its table and its segments.
func TestShard_BooksAgree(t *testing.T) {
	for _, capacity := range []int64{300 << 10, 3 << 20, 40 << 20} {
		s := open(t, Config{Capacity: capacity})
		r := rand.New(rand.NewPCG(4, 1))
		keys := int(capacity / 1000)
		key := func() string { return fmt.Sprint(r.IntN(keys)) }
		for i := range 30_000 {
			o := cachetest.Object(key(), size(r))
			if r.IntN(4) == 0 {
				o.Far = cache.Far{Place: 1 + uint64(r.IntN(1<<20)), Time: 1}
			}
			s.Put(o)
			switch r.IntN(8) {
			case 0:
				s.Remove(o)
			case 1, 2, 3:
				s.Get([]byte(key()))
			case 4:
				if o := s.Peek([]byte(key())); o != nil {
					s.Remove(o)
				}
			}
			if i%3000 == 2999 {
				checkBooks(t, s)
			}
			if t.Failed() {
				t.Fatalf("after %d changes", i)
			}
		}
		s.Clear()
		checkBooks(t, s)
	}
}

func size(r *rand.Rand) int {
	if r.IntN(50) == 0 {
		return r.IntN(40_000)
	}
	return r.IntN(3000)
}

// checkBooks goes through everything that is there and compares it with what is counted.
func checkBooks(t *testing.T, s *Store) {
	t.Helper()
	s.guard.settle()
	held := int64(0)
	for i := range s.shards {
		held += checkShard(t, s, &s.shards[i])
	}
	if got := s.held.Load(); got != held {
		t.Errorf("%d bytes are held, counted %d", held, got)
	}
	if got := s.held.Load(); got > s.capacity {
		t.Errorf("%d bytes are held of %d", got, s.capacity)
	}
	inUse := int(s.field.next) - len(s.field.warm) - len(s.field.cold)
	for i := range s.shards {
		inUse -= s.shards[i].segments(s)
	}
	if inUse != 0 {
		t.Errorf("%d segments are nobody's", inUse)
	}
}

func (sh *shard) segments(s *Store) (n int) {
	for q := range sh.queues {
		for seg := sh.queues[q].oldest; seg != none; seg = s.field.segs[seg].next {
			n++
		}
	}
	return n
}

func checkShard(t *testing.T, s *Store, sh *shard) (held int64) {
	t.Helper()
	tab := sh.tab.Load()
	taken, full := 0, 0
	for at := range tab.lines {
		for i := range tab.lines[at] {
			w := tab.lines[at].slot(i)
			if w != empty {
				full++
			}
			if w <= tomb {
				continue
			}
			taken++
			e := s.field.entry(locationOf(w))
			if _, loc, found := s.find(tab, tagOf(w), e.key()); loc != locationOf(w) || found.dead() {
				t.Errorf("%q is not found where it is, or dead", e.key())
			}
		}
	}
	var live, used, cost int64
	entries, bodies := 0, int64(0)
	for q := range sh.queues {
		bytes, last := int64(0), none
		for seg := sh.queues[q].oldest; seg != none; seg = s.field.segs[seg].next {
			m := s.field.segs[seg]
			if int(m.queue) != q || m.prev != last || int(m.used) > s.field.size {
				t.Errorf("segment %d of queue %d: %+v", seg, q, m)
			}
			last = seg
			here := uint32(0)
			for off := uint32(firstEntry); off < m.used; {
				loc := s.field.location(seg, off)
				e := s.field.entry(loc)
				off += e.size()
				if _, slot := tab.place(s.tag(s.hash(e.key())), loc); (slot == nil) != e.dead() {
					t.Errorf("%q: dead %v, in the table %v", e.key(), e.dead(), slot != nil)
				}
				if e.dead() {
					continue
				}
				entries++
				here += e.size()
				bytes += s.cost(sh, e)
				bodies += s.cost(sh, e) - int64(e.size()) - slotCost
			}
			if here != m.live {
				t.Errorf("segment %d has %d live octets, counted %d", seg, here, m.live)
			}
			live += int64(m.live)
			used += int64(m.used)
			held += int64(s.field.size)
		}
		if last != sh.queues[q].youngest || bytes != sh.queues[q].bytes {
			t.Errorf("queue %d ends at %d, not %d, and has %d bytes, not %d", q, last, sh.queues[q].youngest, bytes, sh.queues[q].bytes)
		}
		cost += bytes
	}
	out := 0
	for i := range *sh.outer.Load() {
		if (*sh.outer.Load())[i].Load() != nil {
			out++
		}
	}
	held += bodies + tab.bytes() + sh.ghost.bytes()
	if taken != entries || full != tab.used || int64(entries) != sh.objects.Load() || live != sh.live || used != sh.used ||
		cost != sh.bytes.Load() || held != sh.memory.Load() || len(*sh.outer.Load()) != out+len(sh.free) {
		t.Errorf("%d in the table, %d entries, %d objects; %d slots used (%d); live %d (%d), used %d (%d), cost %d (%d), held %d (%d); %d bodies, %d free of %d",
			taken, entries, sh.objects.Load(), full, tab.used, live, sh.live, used, sh.used, cost, sh.bytes.Load(), held, sh.memory.Load(),
			out, len(sh.free), len(*sh.outer.Load()))
	}
	return held
}

// A table must not wear out: with a steady coming and going it keeps its size.
func TestTable_StaysSmall(t *testing.T) {
	s := open(t, Config{Capacity: 500_000})
	for i := range 100_000 {
		s.Put(cachetest.Object(fmt.Sprint(i), 100))
	}
	sh := &s.shards[0]
	if objects, slots := int(sh.objects.Load()), sh.tab.Load().slots(); slots > 2*objects {
		t.Errorf("%d slots for %d objects", slots, objects)
	}
	checkBooks(t, s)
}

// A table of any size finds what is in it and nothing else, also where everything wants to be in one line.
func TestTable_AgainstAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	l := &land{all: map[*byte][]byte{}}
	for range 200 {
		tab, oracle := newTable(leastSlots, l), map[uint64]uint64{}
		narrow := uint64(1) << r.IntN(tagBits+1)
		next := uint64(8)
		for range 400 {
			tag := r.Uint64N(narrow)
			loc, has := oracle[tag]
			switch {
			case has && r.IntN(2) == 0:
				line, slot := tab.place(tag, loc)
				if slot == nil {
					t.Fatalf("tag %d is lost", tag)
				}
				tab.erase(line, slot)
				delete(oracle, tag)
			case !has:
				if tab.crowded() {
					tab = tab.resized(len(oracle)+r.IntN(50), l)
				}
				next++
				tab.insert(tag, next)
				oracle[tag] = next
			}
			if _, slot := tab.place(tag, next+1); slot != nil {
				t.Fatal("found what is not there")
			}
		}
		for tag, loc := range oracle {
			if _, slot := tab.place(tag, loc); slot == nil {
				t.Fatalf("tag %d is lost", tag)
			}
		}
	}
}

// What a purge of nearly everything leaves is merged, and the memory of the rest goes back.
func TestRemove_GivesMemoryBack(t *testing.T) {
	s := open(t, Config{Capacity: 64 << 20})
	var all []*cache.Object
	for i := range 40_000 {
		o := cachetest.Object(fmt.Sprint(i), 1000)
		s.Put(o)
		all = append(all, o)
	}
	before := s.Stats().Held
	for i, o := range all {
		if i%20 != 0 {
			s.Remove(o)
		}
	}
	s.guard.settle()
	st := s.Stats()
	if st.Objects != 2000 || st.Held > before/4 {
		t.Errorf("%d of %d bytes are still held for %d objects", st.Held, before, st.Objects)
	}
	for i, o := range all {
		if got := s.Get([]byte(o.Key)); (got != nil) != (i%20 == 0) || got != nil && !cachetest.Same(got, o) {
			t.Fatalf("%q: %v", o.Key, got)
		}
	}
	checkBooks(t, s)
	for _, o := range all {
		s.Remove(o)
	}
	s.guard.settle()
	if st := s.Stats(); st.Objects != 0 || st.Held > 4<<20 {
		t.Errorf("empty, and holds %d bytes", st.Held)
	}
}

// Until something has to go there is no reason to hold everything in the small queue, whose end would
// then throw out nearly all of it at once.
func TestShard_FillsMainBeforeFirstEviction(t *testing.T) {
	s := open(t, Config{Capacity: 1 << 20})
	for i := range 300 {
		s.Put(cachetest.Object(fmt.Sprint(i), 1000))
	}
	if sh := &s.shards[0]; sh.queues[small].bytes > s.capacity/smallPart || sh.queues[main].bytes < 200_000 {
		t.Errorf("small has %d bytes, main %d", sh.queues[small].bytes, sh.queues[main].bytes)
	}
}

func TestGhost(t *testing.T) {
	for _, size := range []int{64, 1000, 300_000} {
		g := newGhost(size)
		slack := 2 << g.coarse
		if g.take(0, size) || g.take(1<<40, size) {
			t.Fatal("remembers what never was")
		}
		g.add(400)
		if !g.take(400, size) || g.take(400, size) {
			t.Error("remembers other than once")
		}
		g.add(400)
		for i := range 10 + slack {
			g.add(uint64(i+1) * 0x9e3779b97f4a7c15)
		}
		if g.take(400, 10) {
			t.Error("remembers for longer than the span")
		}
		if !g.take(400, 12+2*slack) {
			t.Error("forgot within the span")
		}
	}
}

func TestGuard_FreesWhenTheReaderHasGone(t *testing.T) {
	var g guard
	freed := 0
	p := g.enter(3)
	g.retire(func() { freed++ })
	for range 5 {
		g.collect()
	}
	q := g.enter(3) // comes later, and is not waited for
	if freed != 0 {
		t.Fatal("freed under its reader")
	}
	g.leave(3, p)
	g.collect()
	if freed != 1 {
		t.Error("waits for one who cannot have seen it")
	}
	g.retire(func() { freed++ })
	g.collect()
	g.leave(3, q)
	g.collect()
	if freed != 2 || g.pending.Load() != 0 {
		t.Errorf("%d freed, %d waiting", freed, g.pending.Load())
	}
}

// Who drops everything in the order in which Range shows it leaves a table, made anew in the midst of that, in which all lie near
// their homes: otherwise each search would go through thousands of lines, and a purge of everything take time by its square.
func TestTable_IsNotCrowdedByAWalkThatDrops(t *testing.T) {
	const n = 40_000
	l := &land{all: map[*byte][]byte{}}
	for _, left := range []int{n, n / 2, n / 8, n / 16, n / 100, 1} {
		tab := newTable(n*7/5, l)
		for i := n - left; i < n; i++ {
			tab.insert(uint64(i)<<tagBits/n, uint64(i)*8+16)
		}
		made := tab.resized(left+1, l)
		far, found := 0, 0
		for at := range made.lines {
			for i := range made.lines[at] {
				if s := made.lines[at].slot(i); taken(s) {
					far = max(far, (at-made.home(tagOf(s))+len(made.lines))%len(made.lines))
					found++
				}
			}
		}
		if found != left || far > 32 {
			t.Errorf("of %d in %d slots one is %d lines from home", found, made.slots(), far)
		}
		if made.slots() > tab.slots()*5/4 {
			t.Errorf("%d slots for %d, and there were %d", made.slots(), left, tab.slots())
		}
	}
}
