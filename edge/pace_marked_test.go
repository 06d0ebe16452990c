package edge

import (
	"fmt"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// markAt marks stale, at a pace.
func (w *world) markAt(perSecond float64, items ...string) uint64 {
	w.t.Helper()
	return w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I" + items[0], Items: items,
		CreateTime: time.Now(), Mode: journal.Stale, Pace: &journal.Pace{RequestsPerSecond: perSecond}}})
}

// What is marked is shown on while there is no turn for it, and renewed when there is.
func TestPace_MarkedStale(t *testing.T) {
	for _, swept := range []bool{false, true} {
		options := []func(*world){}
		if !swept {
			options = append(options, unswept)
		}
		pacedStory(t, func(w *world, o *counting) {
			const n = 30
			w.fill(n)
			w.markAt(5, "/o/*")
			w.settle(time.Second)
			o.forget()
			for range 40 { // four times as often as there are turns
				for i := range n {
					v := w.get(fmt.Sprint("/o/", i))
					if v.status != 200 || v.xcache() != Hit.XCache() {
						t.Fatalf("%d %s", v.status, v.xcache())
					}
				}
				if n := w.edge.pacing.waiting.Load(); n != 0 {
					t.Fatalf("%d questions wait, though what they are for is shown", n)
				}
				w.settle(200 * time.Millisecond)
			}
			if asked, most := o.most(); asked != n || most != 5 {
				t.Errorf("asked %d times, at most %d times in a second", asked, most)
			}
			for i := range n {
				w.expect("200 Hit v2", fmt.Sprint("/o/", i))
			}
			if swept {
				if r, _ := w.edge.Receipt("D1", "I/o/*"); r.Pace == nil || r.Pace.Asked != n || r.Pace.Owed != 0 || r.Marked != n {
					t.Errorf("%+v %+v", r, r.Pace)
				}
			}
		}, options...)
	}
}

// What must not be shown stale waits for its turn; refused, it stays as it is.
func TestPace_MarkedThatMustBeRevalidated(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.fill(3, "Cache-Control: max-age=3600, must-revalidate")
		w.markAt(0.1, "/o/*")
		o.forget()
		all := w.crowd(3)
		w.settle(paceWait)
		all[0].is(t, "200 Miss v2")
		for _, v := range all[1:] {
			if v.status != 503 && v.text() != "v2" {
				t.Errorf("%d %q", v.status, v.text())
			}
		}
		for range 3 {
			w.crowd(3)
			w.settle(paceWait)
		}
		for i := range 3 {
			w.expect("200 Hit v2", fmt.Sprint("/o/", i))
		}
		for i := 1; i < len(o.at); i++ {
			if d := o.at[i].Sub(o.at[i-1]); d < 10*time.Second {
				t.Errorf("question %d comes %s after the one before", i, d)
			}
		}
	})
}

// When the origin fails a marked object has expired: it is asked for no faster than before.
func TestPace_MarkedWhoseOriginFails(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		const n = 10
		w.configure(errorTTL(0))
		w.fill(n)
		for i := range n {
			w.origin.on(fmt.Sprint("/o/", i), status(500, "down", "Cache-Control: no-store"))
		}
		w.markAt(2, "/o/*")
		o.forget()
		for range 40 {
			w.crowd(n)
			w.settle(500 * time.Millisecond)
		}
		if asked, most := o.most(); asked < n || most > 2 {
			t.Errorf("asked %d times, at most %d times in a second", asked, most)
		}
	})
}

// What may be shown when its origin fails is shown where no turn comes, and stays marked: the next question for it waits for a turn too.
func TestPace_MarkedAndExpired(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.fill(3, "Cache-Control: max-age=1, stale-if-error=3600")
		for i := range 3 {
			w.origin.on(fmt.Sprint("/o/", i), ok("v2"))
		}
		w.settle(2 * time.Second)
		w.markAt(0.15, "/o/*") // one in 6.7 s: the third is refused at first
		o.forget()
		w.crowd(3)
		for range 3 {
			w.settle(paceWait + time.Second)
			w.crowd(3)
		}
		w.settle(time.Minute)
		if len(o.at) != 3 {
			t.Errorf("asked %d times", len(o.at))
		}
		for i := 1; i < len(o.at); i++ {
			if d := o.at[i].Sub(o.at[i-1]); d < 6*time.Second {
				t.Errorf("question %d comes %s after the one before", i, d)
			}
		}
	})
}
