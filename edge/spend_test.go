package edge

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/origin"
)

// A flight that stores nothing keeps no rule from being forgotten while its body is still coming (flight.done). What it
// was to renew must not come back when that has ended: a rule may have removed it meanwhile, and be forgotten (L4).
func TestMarked_NotBackAfterItsFlightHasLanded(t *testing.T) {
	for name, second := range map[string]*reply{
		"private":   ok("v2 is private", "Cache-Control: private"),
		"too large": {status: 200, body: strings.Repeat("2", 3000), length: -1},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				second.rest = make(chan struct{})
				w.origin.on("/a", ok("v1", "Cache-Control: max-age=1, stale-if-error=1000"), second, fails(origin.Connect))
				w.get("/a")
				w.settle(2 * time.Second)
				w.mark("/a")
				v := w.ask("/a")
				if !strings.HasPrefix(v.text(), second.body[:1]) {
					t.Fatalf("the viewer has %q", v.text())
				}
				w.invalidate("/a")
				w.settle(time.Minute)
				if n := w.edge.Stats().Rules; n != 0 {
					t.Fatalf("%d rules are kept", n)
				}
				close(second.rest)
				synctest.Wait()
				w.expect("502 Error page", "/a")
			}, func(w *world) { w.config.MaxObject = 1000 })
		})
	}
}

// What the origin has said to be gone is not brought back by its next failure.
func TestMarked_Gone(t *testing.T) {
	story(t, func(w *world) {
		w.configure(errorTTL(0))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60, stale-if-error=1000"), status(410, "gone", "Cache-Control: no-store"), fails(origin.Connect))
		w.get("/a")
		w.mark("/a")
		w.expect("200 Hit v1", "/a")
		w.settle(time.Second)
		w.expect("502 Error page", "/a")
	})
}

// duringGet is a store that lets something happen when an object has been taken out.
type duringGet struct {
	cache.Store
	then func()
}

func (s *duringGet) Get(key []byte) *cache.Object {
	o := s.Store.Get(key)
	if then := s.then; then != nil {
		s.then = nil
		then()
	}
	return o
}

// L4: the flight of the last attempt goes by its open ticket, and no rule is kept for it. What it was to renew does not come back by it.
func TestL4_NotBackByTheLastAttempt(t *testing.T) {
	store := &duringGet{}
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1000, stale-if-error=1000"), ok("v2", "Cache-Control: private"), fails(origin.Connect))
		w.get("/a")
		w.mark("/a")
		v, q := w.pinned("/a")
		v.final = true
		store.then = func() {
			w.invalidate("/a")
			w.edge.sweeper.sweep(context.Background())
			if n := w.edge.Stats().Rules; n != 0 {
				t.Fatalf("%d rules are kept", n)
			}
		}
		if _, st := v.obtain(q, 0); st != found {
			t.Fatal(st)
		}
		v.release()
		synctest.Wait()
		w.expect("502 Error page", "/a")
	}, unswept, func(w *world) { store.Store, w.config.Store = w.store, store })
}
