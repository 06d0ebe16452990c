package edge

import (
	"errors"
	"testing"
	"time"

	"github.com/warmfront/warmfront/origin"
)

// down is a reply of a client that does not ask: for the next retry, because of what failed last.
func down(k origin.Kind, retry time.Duration) *reply {
	last := &origin.Error{Kind: k, Op: "connect", Err: errors.New("scripted")}
	return &reply{err: &origin.Error{Kind: origin.Down, Op: "ask", Err: last, Retry: retry}}
}

// The status is that of what failed, so custom error pages and failover go by it.
func TestDown_TheStatusIsOfTheFailure(t *testing.T) {
	for kind, want := range map[origin.Kind]string{
		origin.Connect: "502 Error page", origin.DNS: "502 Error page", origin.ConnectTimeout: "504 Error page", origin.ReadTimeout: "504 Error page",
	} {
		bothLaws(t, func(t *testing.T, w *world) {
			w.origin.on("/a", down(kind, time.Second))
			w.expect(want, "/a")
			w.wantWhy("Error origin-down")
			w.configure(behave(allMethods))
			w.origin.on("/b", down(kind, time.Second))
			w.expect(want, "POST /b", "body")
			w.wantWhy("Error origin-down")
		})
	}
}

// What was not asked is asked again as soon as it is worth it, not after the error caching minimum.
func TestDown_IsNotKeptBeyondTheRetry(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		w.origin.on("/a", down(origin.Connect, 300*time.Millisecond), ok("back"))
		w.expect("502 Error page", "/a")
		w.settle(200 * time.Millisecond)
		w.expect("502 Error page", "/a")
		if n := w.origin.times("/a"); n != 1 {
			t.Errorf("asked %d times within the pause", n)
		}
		w.settle(200 * time.Millisecond)
		w.expect("200 Miss back", "/a")
	})
}

// The same goes for what found no place among the requests on their way.
func TestDown_BusyIsNotKeptEither(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		busy := &reply{err: &origin.Error{Kind: origin.Busy, Op: "ask", Err: errors.New("scripted"), Retry: 100 * time.Millisecond}}
		w.origin.on("/a", busy, ok("a place"))
		w.expect("503 Error page", "/a")
		w.wantWhy("Error origin-busy")
		w.settle(200 * time.Millisecond)
		w.expect("200 Miss a place", "/a")
	})
}

func TestDown_StaleMeanwhile(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		w.origin.on("/a", ok("old", "Cache-Control: max-age=1, stale-if-error=600"), down(origin.ReadTimeout, 300*time.Millisecond), ok("new"))
		w.expect("200 Miss old", "/a")
		w.settle(2 * time.Second)
		w.expect("200 Hit old", "/a")
		w.wantWhy("Hit stale-on-error")
		w.settle(200 * time.Millisecond)
		w.expect("200 Hit old", "/a")
		w.settle(200 * time.Millisecond)
		w.expect("200 Miss new", "/a")
	})
}

// A first member that is down counts as what it is down with, and nobody waits for it.
func TestDown_TheSecondAtOnce(t *testing.T) {
	pairStory(t, []int64{504}, func(t *testing.T, w *world) {
		w.origin.on("/a", down(origin.ReadTimeout, time.Second))
		w.origin.on("/2/a", ok("second"))
		w.expect("200 Miss second", "/a")
		w.origin.on("/b", down(origin.Connect, time.Second)) // 503, which is not listed
		w.origin.on("/2/b", ok("second"))
		w.expect("502 Error page", "/b")
		w.wantWhy("Error origin-down")
	})
}
