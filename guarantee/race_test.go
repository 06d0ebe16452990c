package guarantee

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestRace_KeepsAnswersBackUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r race
		if r.hold(t.Context()) {
			t.Error("an answer was kept back, and nobody races")
		}
		held, end, ok := r.begin()
		if !ok {
			t.Fatal("it does not begin")
		}
		if _, _, again := r.begin(); again {
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
		if !<-gone || !<-gone {
			t.Error("what was kept back was not")
		}
		if _, end, ok := r.begin(); !ok {
			t.Error("there is no second one")
		} else {
			end()
		}
	})
}
