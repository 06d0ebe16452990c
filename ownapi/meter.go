package ownapi

import (
	"context"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/edge"
)

// Meter remembers, for each distribution, what its last three hours were like, in steps of ten seconds.
// Every request of every edge passes Observe, so that costs two additions on one of several cache lines
// and takes no lock; once per step the counters are read and the difference is put into a ring.
//
// The requests of this process's edges are in it, and those that others have counted (Add); of the fetches only those that a viewer
// waited for. It begins empty at each start: it is for looking at, not for billing.
//
// Limits (L9): MaxMetered distributions, others are not metered until one has been silent for the whole
// history; a ring is made at the first request, 52 KiB each.
type Meter struct {
	now    func() time.Time
	series atomic.Pointer[map[string]*series] // by distribution; copied on growth

	mu        sync.Mutex // of growth, of what series says is guarded, and of collected
	collected time.Time  // when the counters were last read
}

const (
	step = 10 * time.Second
	kept = int(3 * time.Hour / step) // steps

	// MaxMetered bounds the distributions that have a history.
	MaxMetered = 1000

	stripes = 8
)

// series is one distribution's counters and history.
type series struct {
	stripes [stripes]stripe
	latency [latencies]atomic.Uint64 // of fetches; a miss is slow enough for one line

	// What follows is guarded by Meter.mu.
	seen        totals // when the counters were last read
	seenLatency [latencies]uint64
	ring        []point // by step number modulo kept; nil before the first request
	active      int64   // the last step with requests
}

// stripe is one cache line of counters; the requests of a core use the same.
type stripe struct {
	outcomes [edge.CapacityExceeded + 1]atomic.Uint64
	bytes    atomic.Uint64
	_        [8]byte
}

// totals are counters added up.
type totals struct {
	outcomes [edge.CapacityExceeded + 1]uint64
	bytes    uint64
}

// point is what happened within one step.
type point struct {
	step     int64
	outcomes [edge.CapacityExceeded + 1]uint32
	fetches  uint32
	bytes    uint64
	p50, p99 float32 // ms
}

// NewMeter returns an empty meter. now is time.Now when nil.
func NewMeter(now func() time.Time) *Meter {
	if now == nil {
		now = time.Now
	}
	m := &Meter{now: now, collected: now()}
	m.series.Store(&map[string]*series{})
	return m
}

// Observe is for edge.Config.Observe. It does not keep x.
func (m *Meter) Observe(x *edge.Exchange) {
	if x.Distribution == "" {
		return
	}
	s := (*m.series.Load())[x.Distribution]
	if s == nil {
		if s = m.grow(x.Distribution); s == nil {
			return
		}
	}
	st := &s.stripes[x.Stripe%stripes]
	st.outcomes[x.Outcome].Add(1)
	if x.Bytes > 0 {
		st.bytes.Add(uint64(x.Bytes))
	}
	if x.OriginLatency > 0 {
		s.latency[latencyBucket(x.OriginLatency)].Add(1)
	}
}

func (m *Meter) grow(id string) *series {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.series.Load()
	if s := old[id]; s != nil {
		return s
	}
	if len(old) >= MaxMetered {
		return nil
	}
	next := maps.Clone(old)
	s := &series{active: stepOf(m.now())}
	next[id] = s
	m.series.Store(&next)
	return s
}

// run collects at each step's end until ctx ends, and calls then.
func (m *Meter) run(ctx context.Context, then func()) {
	for {
		now := m.now()
		t := time.NewTimer(now.Truncate(step).Add(step).Sub(now))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
			m.collect(m.now())
			then()
		}
	}
}

func stepOf(t time.Time) int64 { return t.Unix() / int64(step/time.Second) }

// collect reads all counters into the step that has just ended. A timer may be a little early.
func (m *Meter) collect(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.collected = now
	ended := stepOf(now.Add(-step / 2))
	all := *m.series.Load()
	silent := 0
	for _, s := range all {
		s.collect(ended)
		if ended-s.active > int64(kept) {
			silent++
		}
	}
	if silent > 0 {
		next := maps.Clone(all)
		maps.DeleteFunc(next, func(_ string, s *series) bool { return ended-s.active > int64(kept) })
		m.series.Store(&next)
	}
}

func (s *series) read() (t totals) {
	for i := range s.stripes {
		for o := range t.outcomes {
			t.outcomes[o] += s.stripes[i].outcomes[o].Load()
		}
		t.bytes += s.stripes[i].bytes.Load()
	}
	return t
}

func (s *series) collect(ended int64) {
	t := s.read()
	if t == s.seen {
		return // a step without requests has no point
	}
	if s.ring == nil {
		s.ring = make([]point, kept)
	}
	p := &s.ring[ended%int64(kept)]
	if p.step != ended { // the same one again when the clock was set back
		*p = point{step: ended}
	}
	for o := range t.outcomes {
		p.outcomes[o] += uint32(t.outcomes[o] - s.seen.outcomes[o])
	}
	p.bytes += t.bytes - s.seen.bytes
	s.seen = t
	var fetched [latencies]uint64
	for i := range fetched {
		n := s.latency[i].Load()
		fetched[i] = n - s.seenLatency[i]
		p.fetches += uint32(fetched[i])
		s.seenLatency[i] = n
	}
	p.p50, p.p99 = quantile(&fetched, 0.50), quantile(&fetched, 0.99)
	s.active = max(s.active, ended)
}

// Latencies are counted in buckets whose bounds grow by the fourth root of 2, from a quarter of a
// millisecond to a minute.
const (
	latencies    = 73
	firstLatency = 250 * time.Microsecond
)

func latencyBucket(d time.Duration) int {
	if d < firstLatency {
		return 0
	}
	return min(1+int(4*math.Log2(float64(d)/float64(firstLatency))), latencies-1)
}

// quantile returns where the q-th part of the fetches lies, in ms, as if they were spread evenly over
// their bucket: within a fifth of the truth. 0: there were none.
func quantile(counts *[latencies]uint64, q float64) float32 {
	var sum uint64
	for _, n := range counts {
		sum += n
	}
	if sum == 0 {
		return 0
	}
	rank := q * float64(sum)
	for i, n := range counts {
		if float64(n) < rank {
			rank -= float64(n)
			continue
		}
		low, high := 0.0, float64(firstLatency)
		if i > 0 {
			low = float64(firstLatency) * math.Pow(2, float64(i-1)/4)
			high = low * math.Pow(2, 0.25)
		}
		return float32((low + (high-low)*rank/float64(n)) / float64(time.Millisecond))
	}
	return 0
}
