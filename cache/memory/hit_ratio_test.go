package memory

import (
	"container/list"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/pages"
)

// lru is what we are compared with: the same costs, the same bound, least recently used goes first.
type lru struct {
	capacity, bytes int64
	order           *list.List // of *cache.Object, most recent in front
	at              map[string]*list.Element
}

// cost is what an object weighs in a store of the size that is in use.
func cost(o *cache.Object) int64 {
	bodiless := len(o.Body) >= pages.Least
	rec, _ := record.Form{Heads: true, Numbers: true, Bodiless: bodiless}.Append(nil, o)
	n := int64(entrySize(len(rec), bodiless)) + slotCost
	if bodiless {
		n += outerBytes + pages.Rounded(len(o.Body))
	}
	return n
}

func (l *lru) get(key string) bool {
	e := l.at[key]
	if e != nil {
		l.order.MoveToFront(e)
	}
	return e != nil
}

func (l *lru) put(o *cache.Object) {
	l.at[o.Key] = l.order.PushFront(o)
	l.bytes += cost(o)
	for l.bytes > l.capacity {
		e := l.order.Back()
		old := l.order.Remove(e).(*cache.Object)
		delete(l.at, old.Key)
		l.bytes -= cost(old)
	}
}

// zipf draws 0…n-1, the i-th with a weight of 1/(i+1)^alpha. The library's wants alpha > 1; the web's
// is below.
type zipf struct {
	r   *rand.Rand
	cdf []float64
}

func newZipf(r *rand.Rand, n int, alpha float64) zipf {
	z := zipf{r, make([]float64, n)}
	sum := 0.0
	for i := range z.cdf {
		sum += 1 / math.Pow(float64(i+1), alpha)
		z.cdf[i] = sum
	}
	return z
}

func (z zipf) draw() int {
	return sort.SearchFloat64s(z.cdf, z.r.Float64()*z.cdf[len(z.cdf)-1])
}

const population, requests = 20_000, 200_000

// Traces of requests: numbers of objects.
func zipfTrace(alpha float64) []int {
	z := newZipf(rand.New(rand.NewPCG(11, 1)), population, alpha)
	trace := make([]int, requests)
	for i := range trace {
		trace[i] = z.draw()
	}
	return trace
}

// scanTrace is the same with crawlers in it: every now and then a long run of objects that nobody
// asks for a second time.
func scanTrace() []int {
	z := newZipf(rand.New(rand.NewPCG(12, 1)), population, 0.9)
	trace, next := make([]int, 0, requests), population
	for len(trace) < requests {
		for range 20_000 {
			trace = append(trace, z.draw())
		}
		for range 8_000 {
			trace = append(trace, next)
			next++
		}
	}
	return trace
}

// churnTrace lets popularity wander: what was asked for most is replaced by something new, as news is.
func churnTrace() []int {
	r := rand.New(rand.NewPCG(13, 1))
	z := newZipf(r, population, 0.9)
	who := r.Perm(population)
	trace, next := make([]int, requests), population
	for i := range trace {
		if i%20 == 0 {
			who[z.draw()] = next
			next++
		}
		trace[i] = who[z.draw()]
	}
	return trace
}

// crawlerTrace: half of all objects are asked for once and never again, evenly mixed in.
func crawlerTrace() []int {
	r := rand.New(rand.NewPCG(14, 1))
	z := newZipf(r, population, 0.9)
	trace, next := make([]int, requests), population
	for i := range trace {
		if r.IntN(4) == 0 {
			trace[i] = next
			next++
		} else {
			trace[i] = z.draw()
		}
	}
	return trace
}

// burstTrace is what recency is good at: an object is asked for a few times within a short while,
// then never again, on top of a popular rest.
func burstTrace() []int {
	r := rand.New(rand.NewPCG(15, 1))
	z := newZipf(r, population, 0.9)
	trace, next := make([]int, requests), population
	var recent [256]int
	for i := range recent {
		recent[i] = population
	}
	for i := range trace {
		switch r.IntN(8) {
		case 0:
			recent[next%len(recent)] = next
			trace[i] = next
			next++
		case 1, 2:
			trace[i] = recent[r.IntN(len(recent))]
		default:
			trace[i] = z.draw()
		}
	}
	return trace
}

// catalogue has the objects made so far: they are the same for every replay.
var catalogue = map[int]*cache.Object{}

func object(i int) *cache.Object {
	o := catalogue[i]
	if o == nil {
		o = sized(i)
		catalogue[i] = o
	}
	return o
}

// sized makes object i, with a size that depends on it alone: mostly small, some 50 times larger.
func sized(i int) *cache.Object {
	size := 500 + i*7919%1500
	if i%20 == 0 {
		size *= 25
	}
	return &cache.Object{Key: fmt.Sprint(i), Body: body[:size:size], Fields: message.Fields{}}
}

var body = make([]byte, 1<<17)

func TestHitRatio_AgainstLRU(t *testing.T) {
	if raced {
		t.Skip("arithmetic of one goroutine: nothing to race, and ten times slower")
	}
	total := int64(0)
	for i := range population {
		total += cost(object(i))
	}
	for _, trace := range []struct {
		name string
		keys []int
		// least is what S3-FIFO must have over LRU, in points of hit ratio.
		least float64
	}{
		{"zipf 0.7", zipfTrace(0.7), 5},
		{"zipf 0.9", zipfTrace(0.9), 3},
		{"zipf 1.1", zipfTrace(1.1), 1},
		{"scan", scanTrace(), 5},
		{"crawler", crawlerTrace(), 7},
		{"churn", churnTrace(), 0},
		{"burst", burstTrace(), -6}, // where it is known to lose
	} {
		for _, percent := range []int64{1, 5, 20} {
			capacity := total * percent / 100
			ours, theirs := replay(t, trace.keys, capacity)
			t.Logf("%-9s cache %2d %% of all bytes: S3-FIFO %5.2f %%  LRU %5.2f %%  %+5.2f", trace.name, percent,
				ours, theirs, ours-theirs)
			if ours < theirs+trace.least {
				t.Errorf("%s at %d %%: S3-FIFO %.2f %%, LRU %.2f %%; want at least %.1f points more", trace.name,
					percent, ours, theirs, trace.least)
			}
		}
	}
}

// replay returns the hit ratios of a store and of an LRU, in percent.
func replay(t *testing.T, trace []int, capacity int64) (ours, theirs float64) {
	s := open(t, Config{Capacity: capacity})
	l := &lru{capacity: capacity, order: list.New(), at: map[string]*list.Element{}}
	hits, lruHits := 0, 0
	var v cache.View
	for _, i := range trace {
		o := object(i)
		if s.Lend(1, []byte(o.Key), &v) {
			s.Return(&v)
			hits++
		} else {
			s.Put(&cache.Object{Key: o.Key, Body: o.Body, Fields: o.Fields})
		}
		if l.get(o.Key) {
			lruHits++
		} else {
			l.put(o)
		}
	}
	n := float64(len(trace)) / 100
	return float64(hits) / n, float64(lruHits) / n
}
