package memory

import (
	"container/heap"
	"container/list"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/maypok86/otter/v2"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/pages"
)

// lru is what we are compared with: the same costs, the same bound, least recently used goes first.
type lru struct {
	capacity, bytes int64
	order           *list.List // of objects' numbers, most recent in front
	at              map[int]*list.Element
}

var costs = map[*cache.Object]int64{}

// cost is what an object weighs in a store of the size that is in use.
func cost(o *cache.Object) int64 {
	if c, ok := costs[o]; ok {
		return c
	}
	bodiless := len(o.Body) >= pages.Least
	rec, _ := record.Form{Heads: true, Numbers: true, Bodiless: bodiless}.Append(nil, o)
	tail := noTail
	if bodiless {
		tail = outerTail
	}
	n := int64(entrySize(len(rec), tail)) + slotCost
	if bodiless {
		n += outerBytes + pages.Rounded(len(o.Body))
	}
	costs[o] = n
	return n
}

func newLRU(capacity int64) *lru {
	return &lru{capacity: capacity, order: list.New(), at: map[int]*list.Element{}}
}

func (l *lru) ask(i int) bool {
	if e := l.at[i]; e != nil {
		l.order.MoveToFront(e)
		return true
	}
	l.at[i] = l.order.PushFront(i)
	l.bytes += cost(object(i))
	for l.bytes > l.capacity {
		old := l.order.Remove(l.order.Back()).(int)
		delete(l.at, old)
		l.bytes -= cost(object(old))
	}
	return false
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

// equal: all objects are of one size.
var equal bool

func object(i int) *cache.Object {
	if equal {
		i = -1 - i
	}
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
	switch {
	case i < 0:
		size = 1000
	case i%20 == 0:
		size *= 25
	}
	return &cache.Object{Key: fmt.Sprintf("%7d", i), Body: body[:size:size], Fields: message.Fields{}}
}

var body = make([]byte, 1<<17)

var traces = []struct {
	name string
	keys func() []int
	// least is what S3-FIFO must have over LRU, in points of hit ratio.
	least float64
}{
	{"zipf 0.7", func() []int { return zipfTrace(0.7) }, 5},
	{"zipf 0.9", func() []int { return zipfTrace(0.9) }, 3},
	{"zipf 1.1", func() []int { return zipfTrace(1.1) }, 1},
	{"scan", scanTrace, 5},
	{"crawler", crawlerTrace, 7},
	{"churn", churnTrace, 0},
	{"burst", burstTrace, -7}, // where it is known to lose
}

// The tables of docs/cache.md: go test ./cache/memory -run HitRatio -v. Unless all are to be seen, one of three columns is
// enough.
func TestHitRatio(t *testing.T) {
	if raced {
		t.Skip("arithmetic of one goroutine: nothing to race, and ten times slower")
	}
	total := int64(0)
	for i := range population {
		total += cost(object(i))
	}
	for _, trace := range traces {
		keys := trace.keys()
		for _, percent := range []int64{5, 1, 20} {
			if percent != 5 && !testing.Verbose() {
				continue
			}
			capacity := total * percent / 100
			ours := replay(keys, s3fifo(t, capacity))
			recent, tiny := replay(keys, newLRU(capacity)), replay(keys, newTinyLFU(t, capacity))
			most := bound(keys, capacity)
			t.Logf("| %s | %d %% | %.1f | %.1f | %.1f | %.1f |", trace.name, percent, ours, recent, tiny, most)
			if ours < recent+trace.least || ours > most || recent > most || tiny > most {
				t.Errorf("%s at %d %%: S3-FIFO %.2f %%, LRU %.2f %%, W-TinyLFU %.2f %%, at most %.2f %%; want at least %.1f points more than LRU",
					trace.name, percent, ours, recent, tiny, most, trace.least)
			}
		}
	}
}

// With objects of one size the best that can be done is known exactly.
func TestHitRatio_BesideBelady(t *testing.T) {
	if raced {
		t.Skip("arithmetic of one goroutine: nothing to race, and ten times slower")
	}
	equal = true
	defer func() { equal = false }()
	const places = population / 20
	capacity := places * cost(object(0))
	for _, trace := range traces {
		keys := trace.keys()
		ours := replay(keys, s3fifo(t, capacity))
		recent, tiny, best := replay(keys, newLRU(capacity)), replay(keys, newTinyLFU(t, capacity)), belady(keys, places)
		t.Logf("| %s | %.1f | %.1f | %.1f | %.1f |", trace.name, ours, recent, tiny, best)
		if ours > best || recent > best || tiny > best || ours < best*0.5 {
			t.Errorf("%s: S3-FIFO %.2f %%, LRU %.2f %%, W-TinyLFU %.2f %%, Belady %.2f %%", trace.name, ours, recent, tiny, best)
		}
	}
}

// policy is asked for an object, and takes it if it has it not.
type policy interface{ ask(i int) (hit bool) }

// replay returns a policy's hit ratio in percent.
func replay(trace []int, p policy) float64 {
	hits := 0
	for _, i := range trace {
		if p.ask(i) {
			hits++
		}
	}
	return float64(hits) * 100 / float64(len(trace))
}

type ourStore struct {
	s *Store
	v cache.View
}

func s3fifo(t *testing.T, capacity int64) *ourStore {
	return &ourStore{s: open(t, Config{Capacity: capacity})}
}

func (o *ourStore) ask(i int) bool {
	x := object(i)
	if o.s.Lend(1, []byte(x.Key), &o.v) {
		o.s.Return(&o.v)
		return true
	}
	o.s.Put(&cache.Object{Key: x.Key, Body: x.Body, Fields: x.Fields})
	return false
}

// tinyLFU is W-TinyLFU as a library of good name has it, with its upkeep done at once.
type tinyLFU struct {
	c *otter.Cache[int, struct{}]
}

func newTinyLFU(t *testing.T, capacity int64) *tinyLFU {
	c, err := otter.New(&otter.Options[int, struct{}]{
		MaximumWeight: uint64(capacity),
		Weigher:       func(i int, _ struct{}) uint32 { return uint32(cost(object(i))) },
		Executor:      func(f func()) { f() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.StopAllGoroutines() })
	return &tinyLFU{c}
}

func (l *tinyLFU) ask(i int) bool {
	_, hit := l.c.GetIfPresent(i)
	if !hit {
		l.c.Set(i, struct{}{})
	}
	l.c.CleanUp()
	return hit
}

// next returns for each request when its object is asked for again; len(trace): never.
func next(trace []int) []int {
	at, again := map[int]int{}, make([]int, len(trace))
	for i := len(trace) - 1; i >= 0; i-- {
		again[i] = len(trace)
		if j, ok := at[trace[i]]; ok {
			again[i] = j
		}
		at[trace[i]] = i
	}
	return again
}

// bound is what no policy can exceed where sizes differ: each hit needs the object to be kept from one request to
// the next, so many octets for so long, and of octets times time there is only so much. The cheapest hits first.
func bound(trace []int, capacity int64) float64 {
	var needs []int64
	for i, j := range next(trace) {
		if j < len(trace) {
			needs = append(needs, int64(j-i)*cost(object(trace[i])))
		}
	}
	slices.Sort(needs)
	left, hits := capacity*int64(len(trace)), 0
	for _, n := range needs {
		if left -= n; left < 0 {
			break
		}
		hits++
	}
	return float64(hits) * 100 / float64(len(trace))
}

// belady is the best there is for objects of one size: the one that is wanted last goes, be it the one that has
// just come.
func belady(trace []int, places int) float64 {
	again := next(trace)
	kept := map[int]int{} // object → when it is wanted
	var last latest
	hits := 0
	for i, o := range trace {
		if _, ok := kept[o]; ok {
			hits++
		}
		kept[o] = again[i]
		heap.Push(&last, wanted{again[i], o})
		for len(kept) > places {
			w := heap.Pop(&last).(wanted)
			if kept[w.object] == w.at {
				delete(kept, w.object)
			}
		}
	}
	return float64(hits) * 100 / float64(len(trace))
}

type wanted struct{ at, object int }

// latest is a heap with what is wanted last on top.
type latest []wanted

func (l latest) Len() int           { return len(l) }
func (l latest) Less(i, j int) bool { return l[i].at > l[j].at }
func (l latest) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *latest) Push(x any)        { *l = append(*l, x.(wanted)) }
func (l *latest) Pop() any {
	x := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return x
}
