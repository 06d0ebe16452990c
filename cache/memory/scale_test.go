package memory

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/cachetest"
)

// payload is what of a realistic object is its own: what would have to be kept by any means.
func payload(o *cache.Object) int64 {
	n := len(o.Key) + len(o.Block) + len(o.Block2) + len(o.Body)
	for _, tag := range o.Subject.Tags {
		n += len(tag)
	}
	return int64(n)
}

// fill puts n realistic objects with bodies of size octets.
func fill(s *Store, n, size int) (own int64) {
	for i := range n {
		o := realistic(i, size)
		own += payload(o)
		s.Put(o)
	}
	return own
}

// A million small objects are less than 100 octets each beyond what is theirs, and nothing that the garbage
// collector has to look at.
func TestScale_OverheadOfSmallObjects(t *testing.T) {
	if raced {
		t.Skip("in the heap under the race detector")
	}
	const n = 1_000_000
	mark := markTime()
	before := heapInUse()
	s := open(t, Config{Capacity: 1 << 30})
	own := fill(s, n, 100)
	grown, st := heapInUse()-before, s.Stats()
	if st.Objects != n || st.Evictions != 0 {
		t.Fatalf("%+v", st)
	}
	over, counted := float64(st.Held-own)/n, float64(st.Bytes-own)/n
	t.Logf("%d objects with %d octets of their own each: %.1f more are held, %.1f counted; %.2f in the heap", n, own/n, over, counted, float64(grown)/n)
	t.Logf("marking takes %v, with an empty store it was %v", markTime(), mark)
	if over >= 100 || counted >= 100 {
		t.Errorf("%.1f octets of overhead for each object, %.1f counted", over, counted)
	}
	if grown > n {
		t.Errorf("the heap has grown by %d octets", grown)
	}
	runtime.KeepAlive(s)
}

// markTime is how much of the processor the collector uses to go round once.
func markTime() time.Duration {
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	runtime.GC()
	metrics.Read(sample)
	before := sample[0].Value.Float64()
	runtime.GC()
	metrics.Read(sample)
	return time.Duration((sample[0].Value.Float64() - before) * float64(time.Second))
}

// The process takes what was configured, and not more than a twentieth beyond it, whatever the mix of sizes: the
// small ones first, then large ones that drive them out, and back.
func TestBound_ResidentMemory(t *testing.T) {
	if raced || resident() == 0 {
		t.Skip("not in the heap under the race detector, and told by Linux only")
	}
	const capacity = 96 << 20
	r := rand.New(rand.NewPCG(9, 1))
	before, heap := alone(), heapInUse()
	s := open(t, Config{Capacity: capacity})
	for phase, sizes := range [][2]int{{50, 300}, {20_000, 90_000}, {100, 3_000}, {10_000, 16_000}, {1 << 20, 3 << 20}, {50, 40_000}} {
		for sum := 0; sum < 2*capacity; {
			n := sizes[0] + r.IntN(sizes[1]-sizes[0])
			s.Put(cachetest.Object(fmt.Sprint(r.IntN(1<<20)), n))
			sum += n + 200
		}
		settled(s)
		st := s.Stats()
		grown := alone() - before
		t.Logf("bodies of %d to %d: %d objects, %d %% used, %d %% held, %d %% resident", sizes[0], sizes[1], st.Objects,
			st.Bytes*100/capacity, st.Held*100/capacity, grown*100/capacity)
		if st.Held > capacity || grown > capacity*105/100 || phase > 0 && st.Bytes < capacity*85/100 {
			t.Errorf("bodies of %d to %d: %+v, %d bytes resident", sizes[0], sizes[1], st, grown)
		}
		if grown := heapInUse() - heap; grown > capacity/50 { // which the collector lets double
			t.Errorf("bodies of %d to %d: %d octets of them are in the heap", sizes[0], sizes[1], grown)
		}
	}
}

// settled waits until the pages that nobody refers to have been given back.
func settled(s *Store) {
	for deadline := time.Now().Add(10 * time.Second); s.pool.Held() > s.paged.Load() && time.Now().Before(deadline); runtime.Gosched() {
		runtime.GC()
	}
}

// alone is what is resident beside what the runtime has, when what was somebody else's has gone.
func alone() (n int64) {
	for last := int64(-1); n != last; {
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		last, n = n, resident()-int64(m.HeapInuse)
	}
	return n
}

// resident is how much memory the process has, 0 if that is not to be known.
func resident() int64 {
	b, _ := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.ParseInt(f[1], 10, 64)
	return n * int64(os.Getpagesize())
}

// BenchmarkTenMillion fills a store with so many objects (9 GB): go test -run xxx -bench TenMillion -benchtime 1x
func BenchmarkTenMillion(b *testing.B) {
	const n = 10_000_000
	for b.Loop() {
		pause := func() time.Duration {
			began := time.Now()
			runtime.GC()
			return time.Since(began)
		}
		runtime.GC()
		empty := pause()
		s := open(b, Config{Capacity: 12 << 30})
		began := time.Now()
		own := fill(s, n, 100)
		took := time.Since(began)
		runtime.GC()
		st := s.Stats()
		b.ReportMetric(float64(st.Held-own)/n, "over/object")
		b.ReportMetric(float64(st.Held)/n, "held/object")
		b.ReportMetric(float64(empty.Microseconds()), "gc-empty-µs")
		b.ReportMetric(float64(pause().Microseconds()), "gc-full-µs")
		b.ReportMetric(float64(took.Nanoseconds())/n, "ns/put")
		visited := 0
		began = time.Now()
		s.Range(func(*cache.Sight) bool { visited++; return true })
		b.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(visited), "ns/visit")
		if st.Objects != n || visited != n {
			b.Fatalf("%d visited, %+v", visited, st)
		}
	}
}
