package ownapi

import (
	"testing"
	"time"

	"github.com/warmfront/warmfront/edge"
)

// Two meters that add up what they hear of a third, by its counts, know what it knows.
func TestMeter_CountsAddUp(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	clock := func() time.Time { return now }
	far, here := NewMeter(clock), NewMeter(clock)
	seen := map[string]Counts{}
	tell := func() {
		for id, c := range far.Counts() {
			here.Add(id, c.Since(seen[id]))
			seen[id] = c
		}
	}
	hit := func(n int) {
		for i := range n {
			far.Observe(&edge.Exchange{Distribution: "E1", Outcome: edge.Outcome(1 + i%2), Bytes: 7, OriginLatency: time.Duration(i) * time.Millisecond, Stripe: uint32(i)})
		}
	}
	hit(10)
	tell()
	tell()
	hit(5)
	tell()
	want, got := (*far.series.Load())["E1"], (*here.series.Load())["E1"]
	if a, b := want.read(), got.read(); a != b || a.bytes != 15*7 {
		t.Errorf("%+v, want %+v", b, a)
	}
	for i := range want.latency {
		if a, b := want.latency[i].Load(), got.latency[i].Load(); a != b {
			t.Errorf("bucket %d: %d, want %d", i, b, a)
		}
	}
	// It was started again.
	far = NewMeter(clock)
	hit(3)
	tell()
	if b := got.read(); b.bytes != 18*7 {
		t.Errorf("%d octets, want %d", b.bytes, 18*7)
	}
	// Another version's.
	here.Add("E1", Counts{Outcomes: map[int]uint64{-1: 1, 1000: 1}, Latencies: map[int]uint64{-1: 1, 1000: 1}})
	if b := got.read(); b.bytes != 18*7 {
		t.Errorf("%d octets", b.bytes)
	}
}
