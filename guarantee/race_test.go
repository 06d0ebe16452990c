package guarantee

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestRace_KeepsAnswersBackUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r race
		if r.hold(t.Context()) {
			t.Error("an answer was kept back, and nobody races")
		}
		held, end, ok := r.begin(raceFor)
		if !ok {
			t.Fatal("it does not begin")
		}
		if _, _, again := r.begin(raceFor); again {
			t.Error("it has begun twice")
		}
		gone := make(chan bool)
		for range 2 {
			go func() { gone <- r.hold(t.Context()) }()
		}
		synctest.Wait()
		select {
		case <-held:
		default:
			t.Error("it is not said that an answer is kept back")
		}
		select {
		case <-gone:
			t.Error("an answer was let go too early")
		default:
		}
		given, giveUp := context.WithCancel(t.Context())
		giveUp()
		r.hold(given) // who asks has gone
		end()
		for range 2 {
			if !<-gone {
				t.Error("what was kept back was not")
			}
		}
		_, _, ok = r.begin(raceFor)
		if !ok {
			t.Fatal("there is no second one")
		}
		end() // the first one's: it is over already
		began := time.Now()
		if !r.hold(t.Context()) || time.Since(began) != raceFor {
			t.Errorf("an answer was kept back for %v", time.Since(began))
		}
		if r.hold(t.Context()) {
			t.Error("it is not over")
		}
	})
}
