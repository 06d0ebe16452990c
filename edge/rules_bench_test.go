package edge

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/journal"
)

// What rules cost an edge with a million objects: make bench-index.

const (
	manyObjects = 1_000_000
	manyRules   = 10_000
)

// mixedLine is the i-th rule of a site that invalidates a lot, in all ways. It means none of the objects of objectPath.
func mixedLine(i int) string {
	switch i % 10 {
	case 0, 1, 2:
		return fmt.Sprintf("/shop/%d/item-%d.html", i%100, i)
	case 3:
		return fmt.Sprintf("/img/%d/photo-%d.jpg?w=%d", i%100, i, i%7*100)
	case 4:
		return fmt.Sprintf("/shop/%d/gallery-%d/*", i%100, i)
	case 5:
		return fmt.Sprintf("/api/v2/customers/%d/orders*", i)
	case 6:
		return fmt.Sprintf("/*-%x.min.js", i)
	case 7:
		return fmt.Sprintf("/shop/*/reviews-%d/*.html", i)
	case 8:
		return fmt.Sprintf("/*/album-%d*", i)
	}
	return fmt.Sprintf("#product:%d", i)
}

// objectPath is that of the i-th object. It begins or ends as some of the rules do.
func objectPath(i int) string {
	switch i % 4 {
	case 0:
		return fmt.Sprintf("/shop/%d/item-a%d.html", i%100, i)
	case 1:
		return fmt.Sprintf("/img/%d/photo-a%d.jpg", i%100, i)
	case 2:
		return fmt.Sprintf("/shop/%d/gallery-a%d/reviews.html", i%100, i)
	}
	return fmt.Sprintf("/assets/%x/app-z%x.min.js", i, i)
}

// follows applies entries to an edge at rest.
type follows struct {
	e   *Edge
	seq uint64
}

func (f *follows) rules(lines ...string) {
	f.seq++
	f.e.apply([]*journal.Entry{{Epoch: "e", Seq: f.seq, Facts: []journal.Fact{{Invalidated: &journal.Invalidated{
		DistributionID: "D1", InvalidationID: "I", Items: lines}}}}})
	select {
	case <-f.e.member.pending:
	default:
	}
}

func (f *follows) manyRules(first int) {
	for i := range manyRules {
		f.rules(mixedLine(first + i))
	}
}

// distributions adds some to the one that is there.
func (f *follows) distributions(n int) {
	d := f.e.snap.Load().draft()
	for i := range n {
		put := usual()
		put.ID, put.DomainName = fmt.Sprintf("X%d", i), fmt.Sprintf("x%d.localhost", i)
		distribution.FillDefaults(put.Config)
		f.e.foldPut(d, &journal.Entry{Seq: f.seq}, put)
	}
	f.e.snap.Store(d.snap())
}

func million(b *testing.B) *follows {
	store, err := memory.New(memory.Config{Capacity: 2 << 30})
	if err != nil {
		b.Fatal(err)
	}
	e := stillOver(b, store)
	for i := range manyObjects {
		keep(e, objectPath(i), 100)
	}
	if n := store.Stats().Objects; n != manyObjects {
		b.Fatalf("%d objects", n)
	}
	return &follows{e, e.snap.Load().seq}
}

// Applying one more rule costs the same whatever is cached, and hardly more beside many rules and distributions.
func BenchmarkApplyInvalidation(b *testing.B) {
	run := func(name string, f *follows) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			took := make([]time.Duration, 0, 1<<20)
			for i := 0; b.Loop(); i++ {
				line := mixedLine(i % (2 * manyRules))
				began := time.Now()
				f.rules(line)
				if took = append(took, time.Since(began)); len(took) == cap(took) {
					took = took[:0]
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100]), "ns-p99")
		})
	}
	at := func() *follows {
		e := still(b)
		return &follows{e, e.snap.Load().seq}
	}
	run("no objects", at())
	many := at()
	many.distributions(999)
	run("1,000 distributions", many)
	among := million(b)
	among.manyRules(0)
	run("1,000,000 objects, 10,000 rules", among)
}

// BenchmarkSweep says what a sweep costs for each object, when one rule more has come since the last: it means none of them. They lie
// as they do in a cache of a hundred thousand, apart from each other, and mostly not in the processor's caches.
func BenchmarkSweep(b *testing.B) {
	store, err := memory.New(memory.Config{Capacity: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	e := stillOver(b, store)
	const objects = 100_000
	for i := range objects {
		keep(e, objectPath(i), 1024)
	}
	e.cfg.SweepRate = 1 << 40 // it does not rest
	f := &follows{e, e.snap.Load().seq}
	for i := 0; b.Loop(); i++ {
		f.rules(mixedLine(i))
		e.sweeper.sweep(b.Context())
	}
	if n := store.Stats().Objects; n != objects {
		b.Fatalf("%d objects are left", n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/objects, "ns/object")
}

// BenchmarkFirstHit says what the first hit costs of an object that has not been held against 10,000 mixed rules, and what the next
// one does: all but the socket. There are a million objects, so none is in the processor's caches.
func BenchmarkFirstHit(b *testing.B) {
	f := million(b)
	a := f.e.Inline().(*inline)
	const some = 100_000
	asked := make([]*httpserver.Request, some)
	for i := range asked {
		asked[i] = request(objectPath(i * (manyObjects / some)))
	}
	var out []byte
	pass := func(took []time.Duration) []time.Duration {
		for _, r := range asked {
			began := time.Now()
			got, _, ok := a.Answer(out[:0], r)
			took = append(took, time.Since(began))
			a.Sent()
			if out = got; !ok {
				b.Fatalf("%s is no plain hit", r.Path)
			}
		}
		return took
	}
	var first, next []time.Duration
	for b.Loop() {
		f.manyRules(0) // anew: none of the objects has been held against them
		first, next = pass(first), pass(next)
	}
	slices.Sort(first)
	slices.Sort(next)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(first[len(first)/2]), "ns-first-p50")
	b.ReportMetric(float64(first[len(first)*99/100]), "ns-first-p99")
	b.ReportMetric(float64(next[len(next)/2]), "ns-next-p50")
	b.ReportMetric(float64(next[len(next)*99/100]), "ns-next-p99")
}
