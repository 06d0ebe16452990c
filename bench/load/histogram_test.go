package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogram_BucketsAreWithin3Percent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		v := r.Uint64N(1 << (1 + r.Uint64N(38)))
		up := upper(bucket(v))
		if up < v || float64(up) > float64(v)*1.04 {
			t.Fatalf("%d is counted as %d", v, up)
		}
	}
}

func TestHistogram_QuantilesAgreeWithSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var a, b Histogram
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(r.ExpFloat64() * 1e6)
		all = append(all, d)
		if i%2 == 0 {
			a.Add(d)
		} else {
			b.Add(d)
		}
	}
	a.Merge(&b)
	slices.Sort(all)
	if a.Count() != len(all) {
		t.Fatalf("%d counted", a.Count())
	}
	for _, q := range []float64{0, 0.5, 0.99, 0.999, 1} {
		want := all[min(len(all)-1, int(q*float64(len(all))))]
		got := a.Quantile(q)
		if got < want || float64(got) > float64(want)*1.04 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if (&Histogram{}).Quantile(0.5) != 0 {
		t.Error("an empty histogram has a quantile")
	}
}
