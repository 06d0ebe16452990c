package ownapi

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/edge"
)

type metricsT struct {
	Step   int
	Points []struct {
		Time                                                                          time.Time
		Requests, Hits, RefreshHits, Misses, Errors, Redirects, Bytes, OriginRequests uint64
		OriginLatencyMsP50, OriginLatencyMsP99                                        float64
	}
	Now struct{ RequestsPerSecond, HitRatio float64 }
}

func TestMetrics(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		h.settle(time.Until(time.Now().Truncate(step).Add(step + time.Second))) // a second into a step
		path := "/distributions/" + d.ID + "/metrics"
		for range 4 {
			h.view(0, d, "/a") // a miss, then hits
		}
		h.view(1, d, "/a")
		now := ask[metricsT](h, 200, "GET", path, "").Now
		if now.HitRatio != 0.6 || now.RequestsPerSecond == 0 {
			t.Errorf("while the step goes on: %+v", now)
		}
		h.settle(2 * step)
		m := ask[metricsT](h, 200, "GET", path+"?minutes=1", "")
		if m.Step != 10 || len(m.Points) != 6 {
			t.Fatalf("%+v", m)
		}
		for i, p := range m.Points {
			if i > 0 && p.Time.Sub(m.Points[i-1].Time) != step {
				t.Error("the points are not in steps")
			}
			switch {
			case i != 4:
				if p.Requests+p.Bytes+p.OriginRequests != 0 {
					t.Errorf("%d: %+v", i, p)
				}
			case p.Requests != 5 || p.Hits != 3 || p.Misses != 2 || p.Errors != 0 || p.Bytes != 10 || p.OriginRequests != 2 ||
				p.OriginLatencyMsP50 < 8 || p.OriginLatencyMsP99 > 12:
				t.Errorf("%+v", p)
			}
		}
		if m.Now.RequestsPerSecond != 0 {
			t.Errorf("%+v", m.Now)
		}
		if n := len(ask[metricsT](h, 200, "GET", path+"?minutes=180", "").Points); n != 1080 {
			t.Error(n)
		}
		h.wantRefusal(400, "InvalidArgument", "GET", path+"?minutes=181", "")
		h.wantRefusal(404, "NotFound", "GET", "/distributions/E0/metrics", "")
	})
}

func TestPopular(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		for path, times := range map[string]int{"/a": 3, "/bb": 5, "/c": 1} {
			for range times {
				h.view(0, d, path)
			}
		}
		for range 4 {
			h.view(1, d, "/a")
		}
		type popularT struct {
			Items []struct {
				Path                  string
				Requests, Hits, Bytes int
			}
			Since *time.Time
		}
		p := ask[popularT](h, 200, "GET", "/distributions/"+d.ID+"/popular?max=2", "")
		if got := fmt.Sprint(p.Items); got != "[{/a 7 5 14} {/bb 5 4 15}]" || p.Since == nil {
			t.Errorf("%s %v", got, p.Since)
		}
		empty := h.create(nil)
		if p := ask[popularT](h, 200, "GET", "/distributions/"+empty.ID+"/popular", ""); p.Items == nil || len(p.Items) != 0 || p.Since != nil {
			t.Errorf("%+v", p)
		}
		h.wantRefusal(404, "NotFound", "GET", "/distributions/E0/popular", "")
	})
}

// clockwork is a Meter whose time the test moves.
type clockwork struct {
	*Meter
	at time.Time
}

func newClockwork() *clockwork {
	c := &clockwork{at: time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)}
	c.Meter = NewMeter(func() time.Time { return c.at })
	return c
}

func (c *clockwork) tick() { c.at = c.at.Add(step); c.collect(c.at) }

func (c *clockwork) observe(id string, n int) {
	for range n {
		c.Observe(&edge.Exchange{Distribution: id, Outcome: edge.Hit, Bytes: 3})
	}
}

func TestMeter_HistoryGoesRound(t *testing.T) {
	c := newClockwork()
	for i := range kept + 100 {
		c.observe("E1", i%7)
		c.tick()
	}
	all := c.points("E1", kept)
	for i, p := range all {
		if want := uint64((i + 100) % 7); p.Requests != want || p.Bytes != 3*want {
			t.Fatalf("step %d: %+v, want %d", i, p, want)
		}
	}
}

func TestMeter_IsBounded(t *testing.T) {
	c := newClockwork()
	c.Observe(&edge.Exchange{Outcome: edge.Failed}) // nobody's
	for i := range MaxMetered + 10 {
		c.observe(fmt.Sprint("E", i), 1)
	}
	if n := len(*c.series.Load()); n != MaxMetered {
		t.Errorf("%d series", n)
	}
	for range kept {
		c.tick()
		c.observe("E0", 1)
	}
	for range 3 {
		c.tick()
	}
	if n := len(*c.series.Load()); n != 1 {
		t.Errorf("%d series are left of those that were silent for the whole history", n)
	}
	if c.observe("new", 1); len(*c.series.Load()) != 2 {
		t.Error("there is no room")
	}
}

func TestMeter_Latencies(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, top := range []time.Duration{time.Millisecond, 100 * time.Millisecond, 20 * time.Second} {
		var counts [latencies]uint64
		var all []float64
		for range 10000 {
			d := time.Duration(random.Int64N(int64(top))) + 1
			all = append(all, float64(d)/1e6)
			counts[latencyBucket(d)]++
		}
		slices.Sort(all)
		for _, q := range []float64{0.5, 0.99} {
			want := all[int(q*float64(len(all)))]
			if got := float64(quantile(&counts, q)); math.Abs(got-want)/want > 0.2 {
				t.Errorf("up to %v: %.2f-quantile is %.3f, want %.3f", top, q, got, want)
			}
		}
	}
	for _, d := range []time.Duration{1, firstLatency - 1, firstLatency, time.Hour, math.MaxInt64} {
		if b := latencyBucket(d); b < 0 || b >= latencies {
			t.Errorf("%v is in bucket %d", d, b)
		}
	}
	if quantile(&[latencies]uint64{}, 0.5) != 0 {
		t.Error("of nothing")
	}
}

func TestMeter_LosesNothingAmongMany(t *testing.T) {
	c := newClockwork()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				c.observe(fmt.Sprint("E", i%5), 1)
			}
		})
	}
	all.Go(func() {
		for range 50 {
			c.collect(c.at) // into one step, again and again
		}
	})
	all.Wait()
	c.tick()
	sum := uint64(0)
	for i := range 5 {
		for _, p := range c.points(fmt.Sprint("E", i), 10) {
			sum += p.Requests
		}
	}
	if sum != 8000 {
		t.Errorf("%d of 8000 requests", sum)
	}
}

func BenchmarkMeter_Observe(b *testing.B) {
	m := NewMeter(nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		x := &edge.Exchange{Distribution: "E1", Outcome: edge.Hit, Bytes: 1024}
		for pb.Next() {
			m.Observe(x)
		}
	})
}
