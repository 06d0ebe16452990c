package edge

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
)

// still is an edge at rest: applied up to a position, joined and with a lease, without goroutines.
func still(b testing.TB) *Edge {
	b.Helper()
	store, err := memory.New(memory.Config{Capacity: 256 << 20})
	if err != nil {
		b.Fatal(err)
	}
	return stillOver(b, store)
}

func stillOver(b testing.TB, store *memory.Store) *Edge {
	b.Helper()
	e, err := New(Config{
		Name: "FRA50-1", Location: "FRA50-P1", Log: journalmemory.New(), Store: store, Origin: newTestOrigin(),
		Join:  func(context.Context, journal.EdgeJoined) error { return nil },
		Leave: func(context.Context, journal.EdgeLeft) error { return nil },
		// Long enough for every benchmark, without a prober.
		Timing: journal.Timing{Lease: 100 * time.Hour},
	})
	if err != nil {
		b.Fatal(err)
	}
	put := usual()
	distribution.FillDefaults(put.Config)
	id := e.lease.ProbeSent(e.clock())
	for i, facts := range [][]journal.Fact{
		{{Tick: &journal.Tick{}}}, {{DistributionPut: put}},
		{{EdgeJoined: &journal.EdgeJoined{Edge: "FRA50-1", Incarnation: e.member.incarnation()}}},
	} {
		e.apply([]*journal.Entry{{Epoch: "e", Seq: uint64(i + 1), Facts: facts}})
	}
	e.lease.ProbeAnswered(id, 2)
	if err := e.Ready(); err != nil {
		b.Fatal(err)
	}
	return e
}

// keep stores an object of size octets under path, fresh for ever.
func keep(e *Edge, path string, size int) *message.Request {
	r := &request(path).Request
	s := e.snap.Load()
	x := s.sites.of("D1")
	o := &cache.Object{
		Key:          string(x.Behavior(path).AppendKey(nil, x.Distribution, r)),
		Distribution: "D1", Subject: invalidation.Subject{Path: path}, Stamp: s.seq, Epoch: s.life,
		FetchStart: instant(e.clock()), Status: 200, Body: make([]byte, size),
		Fields: message.Fields{{Name: "Content-Type", Value: "image/png"}, {Name: "Date", Value: httpDate(time.Now())}},
	}
	o.Block, o.Block2 = e.blocks(o.Status, o.Fields, size)
	o.Fresh.Stored, o.Fresh.FreshUntil = time.Now(), time.Now().Add(1000*time.Hour)
	e.store.Put(o)
	return r
}

// hitOnce is what a hit costs before it is written: pin, key, lookup, judgement.
func (v *visit) hitOnce() bool {
	v.ticket, v.now = v.e.open(), v.x.Start
	_, st := v.answerFor()
	v.ticket.close()
	return st == found
}

func BenchmarkLookupHit(b *testing.B) {
	e := still(b)
	keep(e, "/img/a.png", 1024)
	v := &visit{e: e, r: request("/img/a.png"), ctx: context.Background()}
	v.x.Start = time.Now()
	if !v.hitOnce() {
		b.Fatal("no hit")
	}
	b.ReportAllocs()
	for b.Loop() {
		v.hitOnce()
	}
}

func BenchmarkLookupHitParallel(b *testing.B) {
	e := still(b)
	keep(e, "/img/a.png", 1024)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		v := &visit{e: e, r: request("/img/a.png"), ctx: context.Background()}
		v.x.Start = time.Now()
		for pb.Next() {
			v.hitOnce()
		}
	})
}

// sink is a ResponseWriter that takes everything.
type sink struct{}

func (sink) Begin(int, message.Fields, int64) error { return nil }
func (sink) Write(p []byte) (int, error)            { return len(p), nil }
func (sink) Flush() error                           { return nil }
func (sink) Abort()                                 {}

func BenchmarkServeHit(b *testing.B) {
	e := still(b)
	keep(e, "/img/a.png", 1024)
	r := request("/img/a.png")
	b.ReportAllocs()
	for b.Loop() {
		e.Serve(context.Background(), sink{}, r)
	}
}

func BenchmarkTicket(b *testing.B) {
	e := still(b)
	for b.Loop() {
		t := e.open()
		t.close()
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, rules := range []int{0, 10_000} {
		e := still(b)
		keep(e, "/img/a.png", 1024)
		x := *e.snap.Load().sites.of("D1")
		for i := range rules {
			item, _ := invalidation.Parse(fmt.Sprintf("/other/%d/*.js", i), invalidation.Anywhere)
			x.index = x.index.Add(uint64(10+i), item)
		}
		x.newest = x.index.Newest()
		var o *cache.Object
		e.store.Range(func(one *cache.Sight) bool { o = one.Object(); return true })
		b.Run(fmt.Sprintf("checked/%d rules", rules), func(b *testing.B) {
			x.check(o)
			for b.Loop() {
				if x.check(o) != 0 {
					b.Fatal("dead")
				}
			}
		})
	}
}

// A hit that is no plain one has a copy of its object: an Object, its record, its fields.
func TestBudget_HitAllocatesItsObjectOnly(t *testing.T) {
	e := still(t)
	keep(e, "/img/a.png", 1024)
	v := &visit{e: e, r: request("/img/a.png"), ctx: context.Background()}
	v.x.Start = time.Now()
	v.hitOnce()
	if n := testing.AllocsPerRun(100, func() { v.hitOnce() }); n > 4 {
		t.Errorf("%v allocations, want at most 4", n)
	}
}
