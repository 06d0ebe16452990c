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
	"github.com/warmfront/warmfront/httpcache"
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
	t.Cleanup(s.land.releaseAll) // does not wait for the collector
	return s
}

func TestNew_RefusesTheImpossible(t *testing.T) {
	for _, c := range []Config{{}, {Capacity: -1}, {Capacity: 10, MaxObject: 11}, {Capacity: 10, MaxObject: -1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
	if s := open(t, Config{Capacity: 64 << 20}); s.maxObject < 60<<20 {
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
	if !s.Put(cachetest.Object("all", capacity*9/10)) {
		t.Fatal("refused what fits when alone")
	}
	if st := s.Stats(); st.Bytes > capacity || s.Peek([]byte("all")) == nil {
		t.Errorf("%+v", st)
	}
}

func TestLend_AllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the detector allocates")
	}
	s := open(t, Config{Capacity: 1 << 20})
	s.Put(cachetest.Object("a key that is longer than any small buffer of the run-time system", 10))
	key, other := []byte("a key that is longer than any small buffer of the run-time system"), []byte("b")
	var v cache.View
	n := testing.AllocsPerRun(1000, func() {
		if s.Lend(1, other, &v) || !s.Lend(1, key, &v) {
			t.Error("not what is there")
		}
		v.Mark.Used()
		s.Return(&v)
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// realistic is an object as edge stores them: each piece allocated for itself.
func realistic(i, size int) *cache.Object {
	path := fmt.Sprintf("/images/%d/photo.jpg", i)
	now := time.Now()
	o := &cache.Object{
		Key:   fmt.Sprintf("\x00\x00\x00\x0eE1ABCDEFGHIJKL\x00\x00\x00\x00\x00\x00\x00%c%s\x02", len(path), path),
		Epoch: "0123456789abcdef0123456789abcdef/0", Stamp: 4711, FetchStart: time.Unix(0, int64(i)),
		Fresh:        httpcache.Freshness{Stored: now, FreshUntil: now.Add(time.Hour)},
		Distribution: "E1ABCDEFGHIJKL",
		Subject:      invalidation.Subject{Path: path, Tags: []string{"a-tag", "another"}},
		Status:       200,
		Fields: message.Fields{
			{Name: "Content-Type", Value: "image/jpeg"}, {Name: "ETag", Value: fmt.Sprintf(`"%032x"`, i)},
			{Name: "Cache-Control", Value: "max-age=3600"}, {Name: "Date", Value: fmt.Sprintf("Sun, 06 Nov 1994 08:49:%02d GMT", i%60)},
		},
		Body: make([]byte, size),
	}
	o.Block = []byte("HTTP/1.1 200 OK\r\n")
	for j, f := range o.Fields {
		o.Block = fmt.Appendf(o.Block, "%s: %s\r\n", f.Name, f.Value)
		if j == 0 {
			o.Block = fmt.Appendf(o.Block, "Content-Length: %d\r\nConnection: keep-alive\r\n", size)
		}
	}
	o.Block = append(o.Block, "X-Cache: Hit from cloudfront\r\nVia: 1.1 0123456789abcdef0123456789abcdef.cloudfront.net (CloudFront)\r\n"+
		"X-Amz-Cf-Pop: FRA50-P1\r\nX-Amz-Cf-Id: "...)
	o.Block2 = make([]byte, 190) // what it comes to for HTTP/2
	return o
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

// BenchmarkHit is a plain hit as edge has it, without HTTP: found, counted, copied.
func BenchmarkHit(b *testing.B) {
	for _, n := range []int{1, 100_000, 1_000_000} {
		s := open(b, Config{Capacity: 2 << 30})
		keys := make([][]byte, n)
		for i := range keys {
			o := realistic(i, 100)
			keys[i] = []byte(o.Key)
			s.Put(o)
		}
		rand.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		hit := func(b *testing.B, i int, buf []byte) []byte {
			var v cache.View
			if !s.Lend(1, keys[i], &v) {
				b.Fatal("miss")
			}
			v.Mark.Used()
			buf = append(append(buf[:0], v.Block...), v.Body...)
			s.Return(&v)
			return buf
		}
		b.Run(fmt.Sprintf("serial/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			buf, i := make([]byte, 0, 4096), 0
			for b.Loop() {
				buf = hit(b, i, buf)
				i = (i + 1) % n
			}
		})
		b.Run(fmt.Sprintf("parallel/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				buf := make([]byte, 0, 4096)
				for i := rand.IntN(n); pb.Next(); i = (i + 1) % n {
					buf = hit(b, i, buf)
				}
			})
		})
		b.Run(fmt.Sprintf("get/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if s.Get(keys[i]) == nil {
					b.Fatal("miss")
				}
				i = (i + 1) % n
			}
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
		o := objects[i]
		s.Put(&cache.Object{Key: o.Key, Distribution: o.Distribution, Subject: o.Subject, Status: 200, Fields: o.Fields, Block: o.Block, Body: o.Body})
		i = (i + 1) % len(objects)
	}
}
