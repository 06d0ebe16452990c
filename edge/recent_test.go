package edge

import (
	"fmt"
	"hash/maphash"
	"math"
	"sync"
	"testing"
	"time"
)

func newRecent(at time.Time) *recent { return &recent{since: at, seed: maphash.MakeSeed()} }

func TestRecent_FewHitsAreKnownExactly(t *testing.T) {
	now := time.Date(2026, 5, 14, 12, 0, 30, 0, time.UTC)
	r := newRecent(now)
	for i := range recentKept {
		r.note(uint32(i), now, fmt.Append(nil, "k", i%10))
	}
	x := r.read(now)
	for i := range 10 {
		if want := float64((recentKept + 9 - i) / 10); x.of(fmt.Sprint("k", i)) != want {
			t.Errorf("k%d: %v, want %v", i, x.of(fmt.Sprint("k", i)), want)
		}
	}
	if x.of("other") != 0 || x.within != time.Minute {
		t.Errorf("%v within %v", x.of("other"), x.within)
	}
}

// Minutes that are over for five others are forgotten, and their room is used again.
func TestRecent_Slides(t *testing.T) {
	began := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	r := newRecent(began)
	for minute := range 20 {
		now := began.Add(time.Duration(minute) * time.Minute)
		for range minute + 1 {
			r.noteString(0, now, "k")
		}
		sum := 0
		for m := max(0, minute-recentMinutes+1); m <= minute; m++ {
			sum += m + 1
		}
		x := r.read(now.Add(30 * time.Second))
		if x.of("k") != float64(sum) || x.within != time.Duration(min(minute, recentMinutes-1))*time.Minute+30*time.Second && minute > 0 {
			t.Errorf("minute %d: %v within %v, want %d", minute, x.of("k"), x.within, sum)
		}
	}
	if x := r.read(began.Add(time.Hour)); x.of("k") != 0 {
		t.Error("an hour later:", x.of("k"))
	}
}

// Of many hits a sample is kept. All together are counted exactly whatever is drawn, and a share of them within what the
// package says: the bound here is ten times that.
func TestRecent_ManyHitsAreASample(t *testing.T) {
	now := time.Date(2026, 5, 14, 12, 0, 30, 0, time.UTC)
	r := newRecent(now)
	const all, hot = 200_000, 4 // every 4th
	for i := range all {
		key := fmt.Sprint("cold", i%1000)
		if i%hot == 0 {
			key = "hot"
		}
		r.noteString(3, now, key)
	}
	x := r.read(now)
	sum := 0.0
	for _, n := range x.hits {
		sum += n
	}
	if math.Abs(sum-all) > 1 {
		t.Errorf("%v in all, want %d", sum, all)
	}
	if n, want := x.of("hot"), float64(all/hot); math.Abs(n-want) > 10*want/math.Sqrt(recentKept/hot) {
		t.Errorf("%v hits of what had %v", n, want)
	}
}

func TestRecent_TogetherNothingIsLost(t *testing.T) {
	now := time.Date(2026, 5, 14, 12, 0, 30, 0, time.UTC)
	r := newRecent(now)
	r.noteString(0, now, "k")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				r.noteString(0, now, "k")
			}
		})
	}
	wg.Wait()
	if n := r.read(now).of("k"); n != 801 {
		t.Errorf("%v", n)
	}
}

func BenchmarkRecent(b *testing.B) {
	now, key := time.Now(), []byte("/images/logo.png and whatever else is in a key of a usual length, as queries are")
	r := newRecent(now)
	b.ReportAllocs()
	for b.Loop() {
		r.note(0, now, key)
	}
}
