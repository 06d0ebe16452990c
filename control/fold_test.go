package control

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
)

// A random life of a control plane, folded anew at its end: replay equals live. bubble compares.
func TestFold_ReplayEqualsLive(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubbleLimits(t, Limits{History: 6, HistoryItems: 20, Distributions: 6, HistoryAge: []time.Duration{time.Hour, 4 * time.Minute}[seed%2]}, func(t *testing.T, h *harness) {
				l := &life{h: h, r: rand.New(rand.NewPCG(seed, 1))}
				for range 300 {
					l.step()
				}
				synctest.Wait()
			})
		})
	}
}

// life does random things, most of which are allowed.
type life struct {
	h      *harness
	r      *rand.Rand
	n      int
	tokens []string // of machines
	edges  []*fakeEdge
}

func (l *life) step() {
	h, ctx := l.h, l.h.t.Context()
	l.n++
	name := fmt.Sprint(l.n)
	page, err := h.Distributions(DistributionFilter{}, "", 0)
	if err != nil {
		h.t.Fatal(err)
	}
	var d *Distribution
	if len(page.Items) > 0 {
		d = page.Items[l.r.IntN(len(page.Items))]
	}
	if l.r.IntN(8) == 0 {
		l.machine(name)
	}
	if l.n%7 == 0 {
		l.access()
	}
	switch k := l.r.IntN(20); {
	case k < 3 || d == nil:
		_, err = h.CreateDistribution(ctx, someone, config("r"+name, aliases(fmt.Sprint("a", l.r.IntN(4), ".example.com"))), map[string]string{"n": name})
	case k < 5:
		_, err = h.UpdateDistribution(ctx, someone, d.ID, d.ETag, changed(d.Config, comment(name), l.anyPolicy(), aliases(fmt.Sprint("b", l.r.IntN(4), ".example.com"))))
	case k < 6:
		off, err := h.UpdateDistribution(ctx, someone, d.ID, d.ETag, changed(d.Config, disabled))
		if err == nil {
			synctest.Wait()
			h.DeleteDistribution(ctx, someone, d.ID, off.ETag)
		}
	case k < 7:
		terms := Terms{At: time.Now().Add(time.Duration(1+l.r.IntN(200)) * time.Second)}
		if l.r.IntN(4) == 0 {
			terms = Terms{When: &journal.Condition{URL: "http://origin.example.com/v", Field: "ETag", Value: name}}
		}
		if l.r.IntN(3) > 0 {
			terms.Pace = &journal.Pace{ByLocation: &journal.ByLocation{Pause: time.Duration(l.r.IntN(100)) * time.Second}}
			if l.r.IntN(2) > 0 {
				terms.At, terms.When = time.Time{}, nil
			}
		}
		_, _, err = h.Invalidate(ctx, someone, d.ID, batch(fmt.Sprint("i", l.r.IntN(30)), "/a", fmt.Sprint("/", l.r.IntN(3))), terms)
	case k < 8:
		if p, _ := h.Invalidations(d.ID, "", 0); len(p.Items) > 0 {
			_, err = h.Withdraw(ctx, someone, d.ID, p.Items[l.r.IntN(min(3, len(p.Items)))].ID)
		}
	case k < 12:
		_, _, err = h.CreateInvalidation(ctx, someone, d.ID, batch(fmt.Sprint("i", l.r.IntN(30)), "/a", fmt.Sprint("/", l.r.IntN(3))))
	case k < 13:
		err = h.Tag(ctx, someone, d.ARN, map[string]string{"n": name})
	case k < 14:
		_, err = h.CreateCachePolicy(ctx, someone, cachePolicyConfig(fmt.Sprint("p", l.r.IntN(3)), 60))
	case k < 15:
		if p := h.policy(fmt.Sprint("p", l.r.IntN(3))); p != nil {
			_, err = h.UpdateCachePolicy(ctx, someone, p.ID, p.ETag, cachePolicyConfig(*p.Config.Name, int64(l.n)))
		}
	case k < 16:
		l.edges = append(l.edges, h.join(fmt.Sprintf("%s50-%d", []string{"FRA", "GRU"}[l.r.IntN(2)], l.r.IntN(2))))
	case k < 18:
		for _, e := range l.edges {
			e.ackAll()
		}
	default:
		time.Sleep(time.Duration(l.r.IntN(60)) * time.Second)
	}
	if c := code(err); c == "ServiceUnavailable" {
		h.t.Fatal(err)
	}
}

func (l *life) anyPolicy() func(*wire.DistributionConfig) {
	if p := l.h.policy(fmt.Sprint("p", l.r.IntN(3))); p != nil {
		return cachePolicy(p.ID)
	}
	return cachePolicy(cachingOptimized)
}

// A fact about what is gone is ignored, as by every other node.
func TestFold_IgnoresWhatDoesNotFit(t *testing.T) {
	s := newState(Limits{}.withDefaults())
	before := dump(s)
	for _, f := range []journal.Fact{
		{Invalidated: &journal.Invalidated{DistributionID: "E0", InvalidationID: "I0"}},
		{DistributionDeleted: &journal.DistributionDeleted{ID: "E0"}},
		{EdgeLeft: &journal.EdgeLeft{Edge: "FRA50-1"}},
		{CachePolicyDeleted: &journal.PolicyDeleted{ID: "x"}},
		{Completed: &journal.Completed{UpTo: 0}},
		{Tick: &journal.Tick{}},
	} {
		s.apply(&journal.Entry{Facts: []journal.Fact{f}})
	}
	if after := dump(s); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
}

func TestFold_CompletedNeverGoesBack(t *testing.T) {
	s := newState(Limits{}.withDefaults())
	for seq, upTo := range []uint64{10, 5} { // two trackers, of which the slower one was late
		s.apply(&journal.Entry{Seq: uint64(20 + seq), Facts: []journal.Fact{{Completed: &journal.Completed{UpTo: upTo}}}})
	}
	if s.completed != 10 {
		t.Errorf("completed up to %d, want 10", s.completed)
	}
}

func TestFold_LateLeaveOfAPredecessor(t *testing.T) {
	s := newState(Limits{}.withDefaults())
	for seq, f := range []journal.Fact{
		{EdgeJoined: &journal.EdgeJoined{Edge: "FRA50-1", Incarnation: "old"}},
		{EdgeJoined: &journal.EdgeJoined{Edge: "FRA50-1", Incarnation: "new"}},
		{EdgeLeft: &journal.EdgeLeft{Edge: "FRA50-1", Incarnation: "old"}},
	} {
		s.apply(&journal.Entry{Seq: uint64(seq), Facts: []journal.Fact{f}})
	}
	if m := s.members["FRA50-1"]; m == nil || m.Incarnation != "new" {
		t.Errorf("member %+v, want the new incarnation", m)
	}
}

// A restart folds a long log; the figure is reported by the benchmark.
func BenchmarkFold(b *testing.B) {
	s := newState(Limits{}.withDefaults())
	c := config("r1")
	s.apply(&journal.Entry{Seq: 1, Facts: []journal.Fact{{DistributionPut: &journal.DistributionPut{ID: "E1", DomainName: "d1", Config: c}}}})
	now := time.Now()
	seq := uint64(1)
	b.ReportAllocs()
	for b.Loop() {
		seq++
		s.apply(&journal.Entry{Seq: seq, Facts: []journal.Fact{{Invalidated: &journal.Invalidated{
			DistributionID: "E1", InvalidationID: fmt.Sprint("I", seq), CallerReference: fmt.Sprint(seq), Items: []string{"/*"}, CreateTime: now}}}})
		seq++
		s.apply(&journal.Entry{Seq: seq, Facts: []journal.Fact{{Completed: &journal.Completed{UpTo: seq - 1, At: now}}}})
	}
}
