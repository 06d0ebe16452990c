package httpcache

import (
	"testing"
	"time"
)

func TestFreshness_EndsExactly(t *testing.T) {
	f := Store(get(), 200, cc("max-age=60"), legacy, Options{}, t0).Fresh
	for _, tt := range []struct {
		after time.Duration
		fresh bool
	}{{0, true}, {59*time.Second + 999*time.Millisecond, true}, {time.Minute, false}, {time.Hour, false}} {
		if got := f.IsFresh(t0.Add(tt.after)); got != tt.fresh {
			t.Errorf("after %v: fresh=%v", tt.after, got)
		}
	}
	if (Freshness{}).IsFresh(t0) || (Freshness{}).MayServeStale(t0, OnError) != StaleNotGranted {
		t.Error("the zero value is usable")
	}
}

func TestFreshness_Age(t *testing.T) {
	f := Store(get(), 200, cc("max-age=60", "Age", "7"), legacy, Options{}, t0).Fresh
	if got := f.Age(t0.Add(3 * time.Second)); got != 10*time.Second {
		t.Errorf("age %v", got)
	}
	if got := f.Age(t0.Add(-time.Hour)); got != 7*time.Second {
		t.Errorf("age after the clock was set back: %v", got)
	}
}

func TestFreshness_MayServeStale(t *testing.T) {
	tests := []struct {
		cc    string
		ttl   TTL
		after time.Duration
		use   StaleUse
		want  StaleVerdict
	}{
		{"max-age=10", legacy, 5 * time.Second, OnError, StaleAllowed}, // still fresh
		{"max-age=10", legacy, time.Minute, WhileRevalidating, StaleNotGranted},
		// CloudFront answers for a failing origin without being asked to, up to the maximum TTL.
		{"max-age=10", legacy, time.Minute, OnError, StaleAllowed},
		{"max-age=10", TTL{0, 0, time.Minute}, 69 * time.Second, OnError, StaleAllowed},
		{"max-age=10", TTL{0, 0, time.Minute}, 70 * time.Second, OnError, StaleTooOld},
		{"max-age=10, stale-if-error=0", legacy, 11 * time.Second, OnError, StaleNotGranted},
		{"max-age=10, stale-if-error=5", legacy, 14 * time.Second, OnError, StaleAllowed},
		{"max-age=10, stale-if-error=5", legacy, 15 * time.Second, OnError, StaleTooOld},
		{"max-age=10, stale-if-error=500", TTL{0, 0, time.Minute}, 69 * time.Second, OnError, StaleAllowed},
		{"max-age=10, stale-if-error=500", TTL{0, 0, time.Minute}, 70 * time.Second, OnError, StaleTooOld},
		{"max-age=10, stale-while-revalidate=5", legacy, 14 * time.Second, WhileRevalidating, StaleAllowed},
		{"max-age=10, stale-while-revalidate=5", legacy, 15 * time.Second, WhileRevalidating, StaleTooOld},
		{"max-age=10, stale-while-revalidate=500", TTL{0, 0, time.Minute}, 71 * time.Second, WhileRevalidating, StaleTooOld},
		{"max-age=10, stale-while-revalidate=x", legacy, 11 * time.Second, WhileRevalidating, StaleNotGranted},
		{"max-age=10, must-revalidate", legacy, 11 * time.Second, OnError, StaleMustRevalidate},
		{"max-age=10, proxy-revalidate, stale-if-error=99", legacy, 11 * time.Second, OnError, StaleMustRevalidate},
		{"max-age=10, must-revalidate, stale-while-revalidate=99", legacy, 11 * time.Second, WhileRevalidating, StaleMustRevalidate},
		// s-maxage=1, stale-while-revalidate is what people write for shared caches.
		{"s-maxage=1, stale-while-revalidate=9", legacy, 5 * time.Second, WhileRevalidating, StaleAllowed},
		{"no-cache", legacy, time.Second, OnError, StaleMustRevalidate},
		// What only the minimum TTL overruled is not stretched any further.
		{"no-store", optimized, 2 * time.Second, OnError, StaleMustRevalidate},
		{"private, stale-while-revalidate=60", optimized, 2 * time.Second, WhileRevalidating, StaleMustRevalidate},
	}
	for _, tt := range tests {
		v := Store(get(), 200, cc(tt.cc), tt.ttl, Options{}, t0)
		if !v.OK {
			t.Errorf("%s: refused: %v", tt.cc, v.Reason)
			continue
		}
		if got := v.Fresh.MayServeStale(t0.Add(tt.after), tt.use); got != tt.want {
			t.Errorf("%s after %v, use %d: %v, want %v", tt.cc, tt.after, tt.use, got, tt.want)
		}
	}
}

func TestFreshness_Hold(t *testing.T) {
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	f := Store(get(), 200, cc("max-age=10, stale-if-error=30"), legacy, Options{}, t0).Fresh
	if f.Held(at(11)) {
		t.Error("held before any failure")
	}
	h := f.Hold(at(11), OnError, 10*time.Second)
	if !h.Held(at(20)) || h.Held(at(21)) || f.Held(at(20)) {
		t.Error("held for something other than 10 s")
	}
	if h := f.Hold(at(35), OnError, 10*time.Second); !h.Held(at(39)) || h.Held(at(40)) {
		t.Error("held beyond the stale window")
	}
	f.MustRevalidate = true
	if f.Hold(at(11), OnError, time.Minute).Held(at(12)) {
		t.Error("held in spite of must-revalidate")
	}
}

var sink bool

func BenchmarkIsFresh(b *testing.B) {
	now := time.Now()
	f := Store(get(), 200, cc("max-age=60"), legacy, Options{}, now).Fresh
	b.ReportAllocs()
	for b.Loop() {
		sink = f.IsFresh(now)
	}
}
