package edge

import (
	"testing"
	"testing/synctest"

	"github.com/warmfront/warmfront/cache"
)

// peeked is a store that is held at its next Peek: between the moment at which a flight can be joined and its
// launch.
type peeked struct {
	cache.Store
	then func() *cache.Object
}

func (p *peeked) Peek(key []byte) *cache.Object {
	if then := p.then; then != nil {
		p.then = nil
		return then()
	}
	return p.Store.Peek(key)
}

// Whoever joins a flight that is not launched yet and leaves it again must not take it for its own.
func TestBoard_JoinedAndLeftBeforeTheLaunch(t *testing.T) {
	store := &peeked{}
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		store.then = func() *cache.Object {
			r, b := w.edge.flights.board(w.flightFor("/a"), false, false)
			if b != boarded {
				t.Fatal(b)
			}
			r.f.poison() // or it would be worth finishing
			r.leave()
			return nil
		}
		w.expect("200 Miss v1", "/a")
	}, func(w *world) { store.Store, w.config.Store = w.store, store })
}

// A flight that comes to nothing before its launch does not keep those who have joined it.
func TestBoard_JoinedAndNeverLaunched(t *testing.T) {
	store := &peeked{}
	story(t, func(w *world) {
		var r *reader
		store.then = func() *cache.Object {
			r, _ = w.edge.flights.board(w.flightFor("/a"), false, false)
			return &cache.Object{} // another flight has stored meanwhile
		}
		if _, b := w.edge.flights.board(w.flightFor("/a"), false, false); b != late {
			t.Fatal(b)
		}
		if _, err := r.wait(t.Context()); err != errPoisoned {
			t.Error(err)
		}
		r.leave()
		synctest.Wait()
		for i := range w.edge.flights.shards {
			if n := len(w.edge.flights.shards[i].all); n != 0 {
				t.Errorf("%d flights never land", n)
			}
		}
	}, func(w *world) { store.Store, w.config.Store = w.store, store })
}
