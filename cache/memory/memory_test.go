package memory

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/cachetest"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
)

func TestStore_Conforms(t *testing.T) {
	cachetest.Run(t, func(t *testing.T, capacity, maxObject int64) cache.Store {
		return open(t, Config{Capacity: capacity, MaxObject: maxObject})
	})
}

func open(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNew_RefusesTheImpossible(t *testing.T) {
	for _, c := range []Config{{}, {Capacity: -1}, {Capacity: 10, MaxObject: 11}, {Capacity: 10, MaxObject: -1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
	if s := open(t, Config{Capacity: 1 << 20}); s.maxObject != 1<<20 {
		t.Errorf("MaxObject %d by default", s.maxObject)
	}
}

// An object far larger than a shard's share must not empty its shard, nor fail.
func TestPut_LargeObjectsTakeRoomFromAll(t *testing.T) {
	const capacity = 64 << 20
	s := open(t, Config{Capacity: capacity})
	if len(s.shards) < 2 {
		t.Fatal("one shard only: this would test nothing")
	}
	for i := range 20_000 {
		s.Put(cachetest.Object(fmt.Sprint(i), 8_000))
	}
	for i := range 5 {
		if !s.Put(cachetest.Object(fmt.Sprintf("large/%d", i), capacity/4)) {
			t.Fatal("refused")
		}
	}
	if !s.Put(cachetest.Object("all", capacity-100_000)) {
		t.Fatal("refused what fits when alone")
	}
	if st := s.Stats(); st.Bytes > capacity || s.Peek([]byte("all")) == nil {
		t.Errorf("%+v", st)
	}
}

func TestGet_AllocatesNothing(t *testing.T) {
	s := open(t, Config{Capacity: 1 << 20})
	s.Put(cachetest.Object("a key that is longer than any small buffer of the run-time system", 10))
	key, other := []byte("a key that is longer than any small buffer of the run-time system"), []byte("b")
	if n := testing.AllocsPerRun(1000, func() { s.Get(key); s.Peek(key); s.Get(other) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// realistic is an object as edge stores them: each piece allocated for itself.
func realistic(i, size int) *cache.Object {
	path := fmt.Sprintf("/images/%d/photo.jpg", i)
	return &cache.Object{
		Key:          fmt.Sprintf("E1ABCDEFGHIJKL\x00%s\x00br", path),
		Distribution: "E1ABCDEFGHIJKL",
		Subject:      invalidation.Subject{Path: path, Tags: []string{"a-tag", "another"}},
		Status:       200,
		Fields: message.Fields{
			{Name: "Content-Type", Value: "image/jpeg"}, {Name: "ETag", Value: fmt.Sprintf(`"%032x"`, i)},
			{Name: "Cache-Control", Value: "max-age=3600"}, {Name: "Date", Value: fmt.Sprintf("Sun, 06 Nov 1994 08:49:%02d GMT", i%60)},
		},
		Block: make([]byte, 320),
		Body:  make([]byte, size),
	}
}

// The bound is worth something only if what is counted is what is used.
func TestCost_MatchesTheHeap(t *testing.T) {
	for _, size := range []int{0, 100, 1_000, 10_000, 33_000, 100_000} {
		n := min(20_000, 64<<20/(size+1_000))
		before := heapInUse()
		s := open(t, Config{Capacity: 256 << 20})
		for i := range n {
			s.Put(realistic(i, size))
		}
		used, st := heapInUse()-before+s.pool.Held(), s.Stats()
		ratio := float64(used) / float64(st.Bytes)
		t.Logf("body %6d: %6d objects, counted %5d each, heap %5d each: %.3f", size, st.Objects,
			st.Bytes/st.Objects, used/st.Objects, ratio)
		if st.Objects != int64(n) {
			t.Fatalf("%d of %d objects are there", st.Objects, n)
		}
		if ratio < 0.85 || ratio > 1.10 {
			t.Errorf("body %d: the heap and the pages hold %.2f times what is counted", size, ratio)
		}
		runtime.KeepAlive(s)
	}
}

// Large bodies are kept outside of the heap, for as long as somebody has the object.
func TestPut_MovesLargeBodiesToPages(t *testing.T) {
	s := open(t, Config{Capacity: 16 << 20})
	if s.pool == nil {
		t.Skip("no pages on this system")
	}
	for i, size := range []int{0, 100, 16<<10 - 1} {
		if s.Put(cachetest.Object(fmt.Sprint(i), size)); s.Get([]byte(fmt.Sprint(i))).Pages != nil {
			t.Errorf("%d octets moved", size)
		}
	}
	s.Put(cachetest.Object("large", 1<<20))
	o := s.Get([]byte("large"))
	want := cachetest.Object("large", 1<<20).Body
	if o.Pages == nil || unsafe.SliceData(o.Body) != unsafe.SliceData(o.Pages.Bytes()) || !bytes.Equal(o.Body, want) {
		t.Fatal("not in pages, or not its octets")
	}
	renewed := &cache.Object{Key: o.Key, Body: o.Body, Pages: o.Pages}
	s.Put(renewed)
	if unsafe.SliceData(renewed.Body) != unsafe.SliceData(o.Body) {
		t.Error("a body that is in pages was moved again")
	}
	s.Clear()
	heapInUse()
	if !bytes.Equal(o.Body, want) {
		t.Error("freed under its reader")
	}
	o, renewed = nil, nil
	for deadline := time.Now().Add(10 * time.Second); s.pool.Held() > 0; runtime.Gosched() {
		if heapInUse(); time.Now().After(deadline) {
			t.Fatalf("%d octets are never freed", s.pool.Held())
		}
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	for range 3 { // finalizers and sweeping need more than one
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A table must not wear out: with a steady coming and going it keeps its size.
func TestTable_StaysSmall(t *testing.T) {
	s := open(t, Config{Capacity: 500_000})
	for i := range 100_000 {
		s.Put(cachetest.Object(fmt.Sprint(i), 100))
	}
	objects, slots := int(s.Stats().Objects), len(s.shards[0].tab.Load().slots)
	if slots > 4*(objects+1) {
		t.Errorf("%d slots for %d objects", slots, objects)
	}
	sh := &s.shards[0]
	t.Logf("%d slots, %d objects, %d in use, queues %d and %d", slots, objects, sh.used, sh.small.n, sh.main.n)
	if got := int(sh.small.n + sh.main.n); got > sh.used || sh.small.bytes+sh.main.bytes != sh.bytes.Load() {
		t.Errorf("%d slots queued, %d used; %d and %d bytes queued of %d", got, sh.used, sh.small.bytes, sh.main.bytes, sh.bytes.Load())
	}
}

// After any sequence of changes each shard's books agree with its table.
func TestShard_BooksAgree(t *testing.T) {
	s := open(t, Config{Capacity: 3 << 20})
	r := rand.New(rand.NewPCG(4, 1))
	for i := range 30_000 {
		o := cachetest.Object(fmt.Sprint(r.IntN(3000)), r.IntN(4000))
		s.Put(o)
		switch r.IntN(4) {
		case 0:
			s.Remove(o)
		case 1:
			s.Get([]byte(fmt.Sprint(r.IntN(3000))))
		}
		if i%500 == 0 {
			for j := range s.shards {
				checkBooks(t, &s.shards[j])
			}
		}
		if t.Failed() {
			t.Fatalf("after %d changes", i)
		}
	}
}

func checkBooks(t *testing.T, sh *shard) {
	t.Helper()
	tab := sh.tab.Load()
	used, objects, queued := 0, int64(0), map[uint64]bool{}
	for i := range tab.slots {
		meta, o := tab.slots[i].meta.Load(), tab.slots[i].obj.Load()
		if meta != empty {
			used++
		}
		if (meta > dead) != (o != nil) {
			t.Errorf("slot %d: meta %x with object %v", i, meta, o)
		}
		if o == nil {
			continue
		}
		objects++
		if tab.cost[i] != cost(o) {
			t.Errorf("slot %d costs %d, not %d", i, cost(o), tab.cost[i])
		}
		if have, _, _ := tab.find(meta, o.Key); have != o {
			t.Errorf("slot %d: its object is not found", i)
		}
	}
	for _, q := range []*ring{&sh.small, &sh.main} {
		bytes := int64(0)
		for i := range q.n {
			at := uint64(q.buf[(q.head+i)&uint32(len(q.buf)-1)])
			if queued[at] {
				t.Errorf("slot %d is queued twice", at)
			}
			if meta := tab.slots[at].meta.Load(); meta < dead {
				t.Errorf("slot %d is queued and free", at)
			}
			queued[at] = true
			bytes += tab.cost[at]
		}
		if bytes != q.bytes {
			t.Errorf("queue says %d bytes, it has %d", q.bytes, bytes)
		}
	}
	if used != sh.used || objects != sh.objects.Load() || sh.small.bytes+sh.main.bytes != sh.bytes.Load() || int64(len(queued)) < objects {
		t.Errorf("%d slots used (%d), %d objects (%d), %d queued, bytes %d+%d (%d)", used, sh.used, objects,
			sh.objects.Load(), len(queued), sh.small.bytes, sh.main.bytes, sh.bytes.Load())
	}
}

// Until something has to go there is no reason to hold everything in the small queue, whose end would
// then throw out nearly all of it at once.
func TestShard_FillsMainBeforeFirstEviction(t *testing.T) {
	s := open(t, Config{Capacity: 1 << 20})
	for i := range 300 {
		s.Put(cachetest.Object(fmt.Sprint(i), 1000))
	}
	if sh := &s.shards[0]; sh.small.bytes > s.capacity/smallPart || sh.main.n < 200 {
		t.Errorf("small has %d bytes, main %d objects", sh.small.bytes, sh.main.n)
	}
}

func TestGhost(t *testing.T) {
	g := newGhost(64)
	if g.take(tag(0), 64) || g.take(tag(1<<40), 64) {
		t.Fatal("remembers what never was")
	}
	g.add(400)
	if !g.take(400, 64) || g.take(400, 64) {
		t.Error("remembers other than once")
	}
	g.add(400)
	for i := range uint64(10) {
		g.add(1<<20 + i<<10)
	}
	g = g.resized(256)
	if g.take(400, 10) {
		t.Error("remembers for longer than the span")
	}
	if !g.take(400, 11) {
		t.Error("forgot within the span")
	}
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		s := open(b, Config{Capacity: 1 << 30})
		keys := make([][]byte, n)
		for i := range keys {
			o := realistic(i, 100)
			keys[i] = []byte(o.Key)
			s.Put(o)
		}
		b.Run(fmt.Sprintf("serial/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if s.Get(keys[i]) == nil {
					b.Fatal("miss")
				}
				if i += 7919; i >= n {
					i %= n
				}
			}
		})
		b.Run(fmt.Sprintf("parallel/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i = (i + 7919) % n {
					if s.Get(keys[i]) == nil {
						b.Error("miss")
					}
				}
			})
		})
	}
}

func BenchmarkPutEvict(b *testing.B) {
	s := open(b, Config{Capacity: 16 << 20})
	objects := make([]*cache.Object, 50_000)
	for i := range objects {
		objects[i] = realistic(i, 1000)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.Put(objects[i])
		i = (i + 1) % len(objects)
	}
}
