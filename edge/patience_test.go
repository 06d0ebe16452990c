package edge

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

func TestPatience_ASecondQuestionHelpsEverybody(t *testing.T) {
	story(t, func(w *world) {
		stuck, gate := gated(ok("never"))
		w.origin.on("/a", stuck, ok("v1"))
		leader := w.ask("/a")
		w.settle(2 * time.Second)
		waiter := w.ask("/a")
		w.settle(patience - 2*time.Second - time.Millisecond)
		if w.origin.times("/a") != 1 {
			t.Error("asked too early")
		}
		w.settle(time.Millisecond)
		leader.is(t, "200 Miss v1")
		waiter.is(t, "200 Hit v1")
		w.expect("200 Hit v1", "/a")
		if st := w.edge.Stats(); st.AskedAgain != 1 || st.Fills != 0 || w.origin.times("/a") != 2 {
			t.Errorf("%+v, asked %d times", st, w.origin.times("/a"))
		}
		close(gate)
	})
}

func TestPatience_NobodyElseWaits(t *testing.T) {
	story(t, func(w *world) {
		slow, gate := gated(ok("slow"))
		w.origin.on("/a", slow, ok("quick"))
		leader := w.ask("/a")
		w.settle(4*patience + time.Second)
		if w.origin.times("/a") != 1 {
			t.Error("the leader alone waits as long as the origin's limits allow")
		}
		// Who comes now waits for no more than the next turn.
		waiter := w.ask("/a")
		w.settle(patience)
		leader.is(t, "200 Miss quick")
		waiter.is(t, "200 Hit quick")
		close(gate)
	})
}

func TestPatience_TheFirstAnswerCounts(t *testing.T) {
	story(t, func(w *world) {
		for name, second := range map[string]*reply{"/late": nil, "/500": status(500, "overloaded"), "/fails": fails(origin.ReadTimeout)} {
			first, gate := gated(ok("first"))
			var late chan struct{}
			if second == nil {
				second, late = gated(ok("second"))
			}
			w.origin.on(name, first, second, ok("third"))
			leader, waiter := w.ask(name), w.ask(name)
			w.settle(20 * time.Second)
			if leader.over() || waiter.over() {
				t.Errorf("%s: answered by the second", name)
			}
			close(gate)
			synctest.Wait()
			leader.is(t, "200 Miss first")
			waiter.is(t, "200 Hit first")
			if n := w.origin.times(name); n != 2 {
				t.Errorf("%s: asked %d times", name, n)
			}
			if late != nil {
				close(late)
			}
		}
		if n := w.edge.flights.seconds.Load(); n != 0 {
			t.Errorf("%d places are still taken", n)
		}
	})
}

// When the first fails while the second is on its way, the second decides.
func TestPatience_TheFirstFails(t *testing.T) {
	story(t, func(w *world) {
		first, gate := gated(fails(origin.ReadTimeout))
		second, late := gated(ok("v1"))
		w.origin.on("/a", first, second)
		leader, waiter := w.ask("/a"), w.ask("/a")
		w.settle(patience)
		close(gate)
		synctest.Wait()
		if leader.over() {
			t.Error("the second was not waited for")
		}
		close(late)
		synctest.Wait()
		leader.is(t, "200 Miss v1")
		waiter.is(t, "200 Hit v1")

		first, gate = gated(fails(origin.ReadTimeout))
		second, late = gated(fails(origin.Connect))
		w.origin.on("/b", first, second)
		leader, waiter = w.ask("/b"), w.ask("/b")
		w.settle(patience)
		close(gate)
		close(late)
		synctest.Wait()
		leader.is(t, "504 Error page")
		waiter.is(t, "504 Error page")
		w.wantWhy("Error origin-read-timeout")
	})
}

// A stale object is asked about twice, and renewed once.
func TestPatience_Revalidation(t *testing.T) {
	story(t, func(w *world) {
		stuck, gate := gated(ok("never"))
		defer close(gate)
		w.origin.on("/a", ok("v1", `ETag: "1"`, "Cache-Control: max-age=1"), stuck, status(304, ""))
		w.get("/a")
		w.settle(2 * time.Second)
		leader, waiter := w.ask("/a"), w.ask("/a")
		w.settle(patience)
		leader.is(t, "200 RefreshHit v1")
		waiter.is(t, "200 Hit v1")
		if got := w.origin.last().Fields.Get("If-None-Match"); got != `"1"` {
			t.Errorf("the second asks %q", got)
		}
	})
}

func TestPatience_IsBounded(t *testing.T) {
	story(t, func(w *world) {
		gate := make(chan struct{})
		for i := range maxSecond + 4 {
			path := fmt.Sprintf("/%d", i)
			r := ok("v1")
			r.head = gate
			w.origin.on(path, r)
			w.ask(path)
			w.ask(path)
		}
		w.settle(time.Minute)
		if st := w.edge.Stats(); st.AskedAgain != maxSecond {
			t.Errorf("%d second questions", st.AskedAgain)
		}
		close(gate)
		synctest.Wait()
		if n := w.edge.flights.seconds.Load(); n != 0 {
			t.Errorf("%d places are still taken", n)
		}
		w.expect("200 Hit v1", "/0")
	})
}

func TestPatience_AbandonedWhileASecondIsAsked(t *testing.T) {
	story(t, func(w *world) {
		gate := make(chan struct{})
		defer close(gate)
		r := ok("v1")
		r.head = gate
		w.origin.on("/a", r)
		leader, waiter := w.ask("/a"), w.ask("/a")
		w.settle(patience)
		leader.cancel()
		waiter.cancel()
		w.settle(backgroundTime)
		if st := w.edge.Stats(); st.Fills != 0 || w.edge.flights.seconds.Load() != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestSilence_NobodyJoinsABodyThatHasStopped(t *testing.T) {
	story(t, func(w *world) {
		stuck := ok("0123456789")
		stuck.rest = make(chan struct{})
		fresh := ok("abcdefghij")
		fresh.rest = make(chan struct{})
		w.origin.on("/a", stuck, fresh, ok("third"))
		first := w.ask("/a")
		w.settle(silence)
		second := w.ask("/a") // not yet
		if w.origin.times("/a") != 1 {
			t.Error("a short pause is no silence")
		}
		w.settle(time.Second)
		third, fourth := w.ask("/a"), w.ask("/a")
		if n := w.origin.times("/a"); n != 2 || third.text() != "abcde" || fourth.text() != "abcde" {
			t.Errorf("asked %d times, %q, %q", n, third.text(), fourth.text())
		}
		close(fresh.rest)
		synctest.Wait()
		close(stuck.rest)
		synctest.Wait()
		first.is(t, "200 Miss 0123456789")
		second.is(t, "200 Hit 0123456789")
		third.is(t, "200 Miss abcdefghij")
		fourth.is(t, "200 Hit abcdefghij")
		w.expect("200 Hit abcdefghij", "/a") // the first fill has lost its place, and does not store over the second
	})
}

// A leader that turns out private lets its waiters go all at once, not one after the other.
func TestCollapse_ReleasedWaitersAskInParallel(t *testing.T) {
	story(t, func(w *world) {
		mine, gate := gated(ok("for the first", "Cache-Control: private"))
		theirs := ok("for another", "Cache-Control: private")
		theirs.head = make(chan struct{})
		w.origin.on("/a", mine, theirs)
		first := w.ask("/a")
		var waiting []*viewer
		for range 5 {
			waiting = append(waiting, w.ask("/a"))
		}
		close(gate)
		synctest.Wait()
		first.is(t, "200 Miss for the first")
		if n := w.origin.times("/a"); n != 6 {
			t.Errorf("%d are asked for at once, want all 6", n)
		}
		close(theirs.head)
		synctest.Wait()
		for _, v := range waiting {
			v.is(t, "200 Miss for another")
		}
	})
}

// What one viewer is answered because of how it asked does not have all others ask for themselves.
func TestCollapse_NobodySwitchesItOff(t *testing.T) {
	forwards := func(p *journal.DistributionPut) { rfc(p); p.Tags = nil }
	for _, c := range []struct {
		field string
		first *reply
		how   func(*journal.DistributionPut)
	}{
		{"Range: bytes=1000-", status(416, "no such range"), nil},
		{"Authorization: Basic x", ok("for one"), forwards},
		{"Cache-Control: no-store", ok("for one"), rfc},
	} {
		story(t, func(w *world) {
			w.configure(c.how)
			slow, gate := gated(ok("v1", "Cache-Control: max-age=60"))
			w.origin.on("/a", c.first, slow)
			w.get("/a", c.field)
			one, two := w.ask("/a"), w.ask("/a")
			close(gate)
			synctest.Wait()
			one.is(t, "200 Miss v1")
			two.is(t, "200 Hit v1")
			if n := w.origin.times("/a"); n != 2 {
				t.Errorf("%s: asked %d times, want 2", c.field, n)
			}
		})
	}
}

// Both answers come at once: the second has given the first up, which came all the same. Then the second is the answer,
// for nothing can be read of the first any more.
func TestPatience_BothAnswersAtOnce(t *testing.T) {
	story(t, func(w *world) {
		first, gate := gated(&reply{})
		second, late := gated(ok("second"))
		first.react = func(*origin.Request) *reply {
			close(late)
			<-time.After(time.Millisecond)
			return ok("first")
		}
		w.origin.on("/a", first, second)
		leader, waiter := w.ask("/a"), w.ask("/a")
		w.settle(patience)
		close(gate)
		w.settle(time.Second)
		leader.is(t, "200 Miss second")
		waiter.is(t, "200 Hit second")
		if leader.aborted || waiter.aborted || w.edge.flights.seconds.Load() != 0 {
			t.Errorf("cut off: %t, %t", leader.aborted, waiter.aborted)
		}
		w.expect("200 Hit second", "/a")
	})
}
