// Package cachetest knows what every cache.Store must keep, whatever it stores in: run Run from the
// tests of each implementation, with -race.
package cachetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
)

// Open makes an empty store for one test.
type Open func(t *testing.T, capacity, maxObject int64) cache.Store

// Object makes an object whose body is size octets that can be told from those of any other.
func Object(key string, size int) *cache.Object {
	o := &cache.Object{Key: key, Status: 200, Fields: message.Fields{{Name: "Content-Type", Value: "text/plain"}}}
	o.Body = bytes.Repeat([]byte{pattern(key, size)}, size)
	return o
}

func pattern(key string, size int) byte {
	p := byte(size)
	for i := range len(key) {
		p = p*31 + key[i]
	}
	return p
}

// intact tells whether o is an object of that key, as Object made it.
func intact(o *cache.Object, key string) bool {
	p := pattern(key, len(o.Body))
	n := len(o.Body)
	return o.Key == key && (n == 0 || o.Body[0] == p && o.Body[n/2] == p && o.Body[n-1] == p)
}

// Same tells whether an object that was taken out of a store says all that want did when it was put.
func Same(got, want *cache.Object) bool {
	if got == nil || want == nil {
		return got == want
	}
	subject := cache.Object{Subject: want.Subject, Status: want.Status, Fields: want.Fields, Fresh: want.Fresh}
	subject.Describe()
	return got.Key == want.Key && got.Distribution == want.Distribution && got.Epoch == want.Epoch && got.Stamp == want.Stamp &&
		got.Status == want.Status && slices.Equal(got.Fields, want.Fields) && bytes.Equal(got.Body, want.Body) &&
		bytes.Equal(got.Block, want.Block) && bytes.Equal(got.Block2, want.Block2) &&
		reflect.DeepEqual(got.Subject, subject.Subject) && got.Fresh == want.Fresh && got.FetchStart.Equal(want.FetchStart)
}

// alike compares stats but for the memory that is held: what is gone may not have been given back yet.
func alike(a, b cache.Stats) bool {
	a.Held, b.Held = 0, 0
	return a == b
}

// Run holds the stores that open makes against the contract of cache.Store.
func Run(t *testing.T, open Open) {
	run(t, open, true)
	t.Run("MarksAreKept", func(t *testing.T) { testMarks(t, open) })
}

// RunTier is Run for a tier below another. Uses, and what an object was checked against, are kept above it; and Range is for
// objects that are there all the time, not for keys under which others come.
func RunTier(t *testing.T, open Open) { run(t, open, false) }

func run(t *testing.T, open Open, keys bool) {
	t.Run("GetFindsWhatWasPut", func(t *testing.T) { testGet(t, open) })
	t.Run("PutReplaces", func(t *testing.T) { testReplace(t, open) })
	t.Run("PutRefusesTheTooLarge", func(t *testing.T) { testTooLarge(t, open) })
	t.Run("RemoveDropsOnlyThatObject", func(t *testing.T) { testRemove(t, open) })
	t.Run("RangeVisitsAll", func(t *testing.T) { testRange(t, open) })
	t.Run("SkimVisitsWhatDoesNotPass", func(t *testing.T) { testSkim(t, open) })
	t.Run("ClearDropsAll", func(t *testing.T) { testClear(t, open) })
	t.Run("BoundHoldsAfterEveryPut", func(t *testing.T) { testBound(t, open) })
	t.Run("BoundHoldsWhileManyPut", func(t *testing.T) { testBoundConcurrent(t, open) })
	t.Run("UsedObjectsStay", func(t *testing.T) { testUse(t, open) })
	t.Run("NothingIsMissedMeanwhile", func(t *testing.T) { testNoFalseMiss(t, open, keys) })
	t.Run("AllAtOnce", func(t *testing.T) { testConcurrent(t, open) })
}

func testGet(t *testing.T, open Open) {
	s := open(t, 1<<20, 1<<19)
	if s.Get([]byte("a")) != nil || s.Peek([]byte("")) != nil {
		t.Fatal("an empty store has something")
	}
	want := map[string]*cache.Object{}
	for i := range 200 {
		o := Object(fmt.Sprintf("key/%d", i), i)
		want[o.Key] = o
		mustPut(t, s, o)
	}
	mustPut(t, s, Object("", 3)) // a key like any other
	buf := make([]byte, 0, 64)
	for key, o := range want {
		buf = append(buf[:0], key...)
		got, peeked := s.Get(buf), s.Peek(buf)
		clear(buf[:cap(buf)]) // the key is the caller's
		if !Same(got, o) || !Same(peeked, o) {
			t.Fatalf("%q: got %+v and %+v, want %+v", key, got, peeked, o)
		}
	}
	if st := s.Stats(); st.Objects != 201 || st.Bytes < 200*199/2 || st.Capacity != 1<<20 || st.Evictions != 0 {
		t.Errorf("stats: %+v", st)
	}
	if o := s.Get([]byte("key/")); o != nil {
		t.Errorf("a prefix of a key found %q", o.Key)
	}
}

func testReplace(t *testing.T, open Open) {
	s := open(t, 1<<20, 1<<20)
	first, second := Object("k", 100), Object("k", 50_000)
	mustPut(t, s, first)
	before := s.Stats()
	mustPut(t, s, second)
	mustPut(t, s, Object("k", 50_000)) // once more changes nothing
	if got := s.Get([]byte("k")); !Same(got, second) {
		t.Fatalf("got %+v, want %+v", got, second)
	}
	after := s.Stats()
	if after.Objects != 1 || after.Bytes < before.Bytes+49_000 || after.Bytes > before.Bytes+70_000 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	mustPut(t, s, Object("k", 100))
	if !alike(s.Stats(), before) {
		t.Errorf("before %+v, and again %+v", before, s.Stats())
	}
}

func testTooLarge(t *testing.T, open Open) {
	s := open(t, 1<<20, 10_000)
	small := Object("k", 10)
	mustPut(t, s, small)
	before := s.Stats()
	if s.Put(Object("k", 10_001)) || s.Put(Object("other", 1<<21)) {
		t.Fatal("stored more than the store accepts")
	}
	if !Same(s.Get([]byte("k")), small) || !alike(s.Stats(), before) {
		t.Error("a refusal changed something")
	}
}

func testRemove(t *testing.T, open Open) {
	s := open(t, 1<<20, 1<<20)
	empty := s.Stats()
	old, now := Object("k", 10), Object("k", 20)
	mustPut(t, s, old)
	mustPut(t, s, now)
	if s.Remove(old) || s.Remove(Object("k", 20)) || s.Remove(Object("never", 1)) {
		t.Error("removed what is not stored")
	}
	got, again := s.Get([]byte("k")), s.Peek([]byte("k"))
	if !s.Remove(got) || s.Remove(again) || s.Remove(now) || s.Get([]byte("k")) != nil {
		t.Error("removed other than once")
	}
	mustPut(t, s, Object("k", 20))
	if s.Remove(again) || s.Remove(now) || s.Get([]byte("k")) == nil {
		t.Error("removed the next one of that key")
	}
	s.Remove(s.Get([]byte("k")))
	if !alike(s.Stats(), empty) {
		t.Errorf("empty again: %+v, before: %+v", s.Stats(), empty)
	}
	// What comes and goes without ever being evicted must not use anything up.
	for i := range 20_000 {
		o := Object(fmt.Sprint(i%300), 10)
		mustPut(t, s, o)
		if i%2 == 0 {
			o = s.Get([]byte(o.Key))
		}
		if !s.Remove(o) {
			t.Fatalf("round %d: not removed", i)
		}
	}
	if !alike(s.Stats(), empty) {
		t.Errorf("empty again: %+v, before: %+v", s.Stats(), empty)
	}
}

func testRange(t *testing.T, open Open) {
	s := open(t, 1<<22, 1<<20)
	const n = 500
	for i := range n {
		mustPut(t, s, Object(fmt.Sprint(i), 10))
	}
	seen := map[string]int{}
	s.Range(func(o *cache.Sight) bool {
		seen[strings.Clone(o.Key)]++
		if o.Size != 10 || o.Status != 200 {
			t.Errorf("%q: %d octets, status %d", o.Key, o.Size, o.Status)
		}
		if len(o.Key) == 2 { // visit may remove, the visited and others
			if !o.Drop() || o.Drop() || o.Object() != nil {
				t.Errorf("%q: removed other than once", o.Key)
			}
		} else if !Same(o.Object(), Object(o.Key, 10)) {
			t.Errorf("%q: not what was put", o.Key)
		}
		return true
	})
	for key, times := range seen {
		if times != 1 {
			t.Errorf("%q visited %d times", key, times)
		}
	}
	if len(seen) != n || s.Stats().Objects != n-90 {
		t.Errorf("visited %d of %d, left %d", len(seen), n, s.Stats().Objects)
	}
	visits := 0
	s.Range(func(*cache.Sight) bool { visits++; return visits < 7 })
	if visits != 7 {
		t.Errorf("went on for %d visits after the stop", visits-7)
	}
}

// Who skims asks of an object whether it passes, or visits it; and is told of all of them how many they were.
func testSkim(t *testing.T, open Open) {
	s := open(t, 1<<22, 1<<20)
	const n = 500
	for i := range n {
		o := Object(fmt.Sprint(i), 10)
		o.Subject.Path, o.Stamp = "/"+o.Key, uint64(i)
		mustPut(t, s, o)
	}
	var subject invalidation.Subject
	seen, asked, looked := map[string]bool{}, map[string]bool{}, 0
	s.Skim(func(g *cache.Glimpse) bool {
		g.Subject(&subject)
		path := strings.Clone(subject.Path)
		if asked[path] || fmt.Sprint("/", g.Stamp) != path || g.Status != 200 {
			t.Errorf("asked of %q: stamp %d, status %d", path, g.Stamp, g.Status)
		}
		asked[path] = true
		g.Mark.SetChecked(g.Stamp + n)
		return g.Stamp%2 == 0
	}, func(o *cache.Sight) bool {
		if asked[o.Subject.Path] && (o.Stamp%2 == 0 || o.Checked() != o.Stamp+n) {
			t.Errorf("visits %q, which passes, or has not kept what it was checked against: %d", o.Key, o.Checked())
		}
		seen[strings.Clone(o.Key)] = true
		o.Drop()
		return true
	}, func(some int) bool {
		looked += some
		return true
	})
	passed := 0
	for path := range asked {
		if !seen[path[1:]] {
			passed++
		}
	}
	if looked != n || len(seen)+passed != n || s.Stats().Objects != int64(n-len(seen)) {
		t.Errorf("%d objects: looked at %d, visited %d, asked of %d, left %d", n, looked, len(seen), len(asked), s.Stats().Objects)
	}
	s.Clear()
	for i := range n {
		mustPut(t, s, Object(fmt.Sprint(i), 10))
	}
	visits := 0
	no := func(*cache.Glimpse) bool { return false }
	s.Skim(no, func(*cache.Sight) bool { visits++; return visits < 7 }, func(int) bool { return true })
	if visits != 7 {
		t.Errorf("went on for %d visits after the stop", visits-7)
	}
	pauses := 0
	s.Skim(no, func(*cache.Sight) bool { return true }, func(int) bool { pauses++; return pauses < 3 })
	if pauses != 3 {
		t.Errorf("paused %d times after the stop", pauses-3)
	}
}

func testClear(t *testing.T, open Open) {
	s := open(t, 1<<20, 1<<20)
	empty := s.Stats()
	for range 2 {
		for i := range 300 {
			mustPut(t, s, Object(fmt.Sprint(i), i))
		}
		s.Clear()
		if !alike(s.Stats(), empty) || s.Get([]byte("7")) != nil {
			t.Errorf("not empty: %+v", s.Stats())
		}
		s.Range(func(o *cache.Sight) bool { t.Errorf("still visits %q", o.Key); return false })
	}
}

// mixedSize is small nearly always, and now and then up to limit.
func mixedSize(r *rand.Rand, limit int) int {
	switch r.IntN(20) {
	case 0:
		return r.IntN(limit)
	case 1, 2, 3:
		return r.IntN(limit / 16)
	}
	return r.IntN(2000)
}

func testBound(t *testing.T, open Open) {
	for _, capacity := range []int64{64 << 10, 1 << 20, 8 << 20} {
		s := open(t, capacity, capacity/4)
		r := rand.New(rand.NewPCG(1, uint64(capacity)))
		for range 4000 {
			o := Object(fmt.Sprint(r.IntN(2000)), mixedSize(r, int(capacity/5)))
			mustPut(t, s, o)
			if got := s.Stats(); got.Bytes > capacity || got.Held > capacity {
				t.Fatalf("%+v", got)
			}
			if !Same(s.Peek([]byte(o.Key)), o) {
				t.Fatal("evicted as it was stored")
			}
		}
		st, objects, octets := s.Stats(), int64(0), int64(0)
		s.Range(func(o *cache.Sight) bool {
			objects++
			octets += o.Size + int64(len(o.Key))
			if got := s.Peek([]byte(o.Key)); got == nil || !intact(got, o.Key) || int64(len(got.Body)) != o.Size {
				t.Errorf("%q is visited and not found", o.Key)
			}
			return true
		})
		if objects != st.Objects || octets > st.Bytes || st.Evictions == 0 {
			t.Errorf("%d objects with %d octets, and stats say %+v", objects, octets, st)
		}
		if st.Bytes < capacity/2 {
			t.Errorf("half of the store lies idle: %+v", st)
		}
	}
}

func testBoundConcurrent(t *testing.T, open Open) {
	const capacity = 4 << 20
	s := open(t, capacity, capacity/2)
	var putters sync.WaitGroup
	var done atomic.Bool
	for g := range 4 {
		putters.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(g)))
			for range 1500 {
				mustPut(t, s, Object(fmt.Sprint(r.IntN(1000)), mixedSize(r, capacity/3)))
			}
		})
	}
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for !done.Load() {
			if b := s.Stats(); b.Bytes > capacity || b.Bytes < 0 || b.Held > capacity {
				t.Errorf("%+v", b)
				return
			}
		}
	})
	putters.Wait()
	done.Store(true)
	watcher.Wait()
}

// What is asked for again and again outlives a long run of objects that nobody asks for.
func testUse(t *testing.T, open Open) {
	const capacity = 1 << 20
	s := open(t, capacity, capacity)
	for i := range 50 {
		mustPut(t, s, Object(fmt.Sprintf("used/%d", i), 1000))
	}
	missed := 0
	for i := range 20_000 {
		if i%10 == 0 {
			key := fmt.Sprintf("used/%d", i/10%50)
			if s.Get([]byte(key)) == nil {
				missed++
				mustPut(t, s, Object(key, 1000))
			}
		}
		mustPut(t, s, Object(fmt.Sprintf("once/%d", i), 1000))
	}
	if missed > 100 {
		t.Errorf("%d of 2000 uses missed", missed)
	}
}

// Objects that are there all the time are found all the time, whatever else comes and goes, and the
// table grows and shrinks meanwhile.
func testNoFalseMiss(t *testing.T, open Open, keys bool) {
	s := open(t, 64<<20, 1<<20) // never full: nothing is evicted
	const kept = 200
	for i := range kept {
		mustPut(t, s, Object(fmt.Sprintf("kept/%d", i), 10))
	}
	var writers, readers sync.WaitGroup
	var done atomic.Bool
	for g := range 2 {
		writers.Go(func() {
			var mine []*cache.Object // as they were put
			for i := range 8000 {
				o := Object(fmt.Sprintf("%d/%d", g, i%3000), 10)
				mustPut(t, s, o)
				mine = append(mine, o)
				if len(mine) > 500+i%1000 {
					s.Remove(mine[0])
					mine = mine[1:]
				}
				if keys {
					mustPut(t, s, Object(fmt.Sprintf("kept/%d", i%kept), 10)) // replaced, never gone
				}
			}
		})
	}
	readers.Go(func() {
		for i := 0; !done.Load(); i++ {
			key := fmt.Sprintf("kept/%d", i%kept)
			if o := s.Get([]byte(key)); o == nil || !intact(o, key) {
				t.Errorf("%s: got %v", key, o)
				return
			}
		}
	})
	readers.Go(func() {
		for !done.Load() {
			seen := map[string]bool{}
			s.Range(func(o *cache.Sight) bool { seen[strings.Clone(o.Key)] = true; return true })
			for i := range kept {
				if key := fmt.Sprintf("kept/%d", i); !seen[key] {
					t.Errorf("%s was not visited", key)
					return
				}
			}
		}
	})
	writers.Wait()
	done.Store(true)
	readers.Wait()
}

// Everything at the same time, for the race detector, and no object under another's key.
func testConcurrent(t *testing.T, open Open) {
	const capacity = 512 << 10
	s := open(t, capacity, capacity/4)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(3, uint64(g)))
			for i := range 6000 {
				key := fmt.Sprint(r.IntN(700))
				switch o := s.Get([]byte(key)); {
				case o != nil && !intact(o, key):
					t.Errorf("%q: got %q with %d octets", key, o.Key, len(o.Body))
					return
				case o == nil:
					mustPut(t, s, Object(key, mixedSize(r, capacity/8)))
				case r.IntN(20) == 0:
					s.Remove(o)
				}
				switch {
				case i%1000 == 0:
					s.Range(func(o *cache.Sight) bool {
						if got := o.Object(); got != nil && !intact(got, o.Key) {
							t.Errorf("%q: got %q with %d octets", o.Key, got.Key, len(got.Body))
						}
						return !t.Failed()
					})
				case i%2500 == 0:
					s.Clear()
				}
			}
		})
	}
	all.Wait()
	objects, st := int64(0), s.Stats()
	s.Range(func(*cache.Sight) bool { objects++; return true })
	if st.Objects != objects || st.Bytes > capacity {
		t.Errorf("%d objects are there, and stats say %+v", objects, st)
	}
	s.Clear()
	if st := s.Stats(); st.Objects != 0 || st.Bytes != 0 {
		t.Errorf("after Clear: %+v", st)
	}
}

func mustPut(t *testing.T, s cache.Store, o *cache.Object) {
	t.Helper()
	if !s.Put(o) {
		t.Errorf("%q with %d octets was refused", o.Key, len(o.Body))
	}
}

// What is counted and checked of an object is the stored one's, whoever holds a copy.
func testMarks(t *testing.T, open Open) {
	s := open(t, 1<<20, 1<<19)
	o := Object("k", 10)
	o.Stamp = 5
	o.Hits.Store(3)
	o.SetChecked(7)
	mustPut(t, s, o)
	o.Used() // who has put it may use it too
	got := s.Get([]byte("k"))
	got.Used()
	got.SetChecked(9)
	s.Get([]byte("k")).SetChecked(8) // less than what is known
	if again := s.Peek([]byte("k")); again.Hits.Load() != 5 || again.Checked() != 9 || got.Hits.Load() != 5 {
		t.Errorf("%d hits, checked %d", again.Hits.Load(), again.Checked())
	}
	s.Range(func(v *cache.Sight) bool {
		if v.Hits != 5 || v.Checked() != 9 {
			t.Errorf("%d hits, checked %d", v.Hits, v.Checked())
		}
		v.SetChecked(11)
		return true
	})
	mustPut(t, s, Object("k", 10))
	got.Used()
	got.SetChecked(20) // of one that is not there any more
	if now := s.Peek([]byte("k")); now.Hits.Load() != 0 || now.Checked() != 0 {
		t.Errorf("another object's: %d hits, checked %d", now.Hits.Load(), now.Checked())
	}
}
