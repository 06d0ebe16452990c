package edge

import (
	"testing"
	"testing/synctest"
	"time"
)

// The first question after the rule ends that what is older is shown, also when it brings nothing and what was in the air
// before comes only then, or has come while it was under way.
func TestMarked_DisplacedByWhatBringsNothing(t *testing.T) {
	for _, displacedFirst := range []bool{false, true} {
		story(t, func(w *world) {
			first, gate := gated(ok("v1"))
			second, gate2 := gated(ok("v2", "Cache-Control: no-store"))
			third, gate3 := gated(ok("v3"))
			w.origin.on("/a", first, second, third)
			early := w.ask("/a")
			w.mark("/a")
			late := w.ask("/a")
			if displacedFirst {
				close(gate)
				synctest.Wait()
				w.expect("200 Hit v1", "/a")
				w.wantWhy("Hit marked-stale")
				close(gate2)
			} else {
				close(gate2)
				synctest.Wait()
				close(gate)
			}
			synctest.Wait()
			early.is(t, "200 Miss v1")
			late.is(t, "200 Miss v2")
			next := w.ask("/a")
			if next.over() {
				t.Errorf("displaced first %v: the next who asks is not kept waiting", displacedFirst)
			}
			close(gate3)
			synctest.Wait()
			next.is(t, "200 Miss v3")
			w.expect("200 Hit v3", "/a")
		})
	}
}

// A viewer who has asked while the edge was cut off may have asked after the rule was Completed. It does not just get what was in the
// air before, though the edge hears of the rule, and has a lease again, before that comes: the origin is asked first.
func TestMarked_JoinedWhileCutOff(t *testing.T) {
	story(t, func(w *world) {
		first, gate := gated(ok("v1"))
		again, gate2 := gated(ok("v1"))
		renewing, gate3 := gated(ok("v2"))
		w.origin.on("/a", first, again, renewing)
		early := w.ask("/a")
		w.cutOff()
		w.mark("/a")
		w.settle(40 * time.Second) // by now it may be Completed
		late := w.ask("/a")
		w.reconnect()
		w.settle(20 * time.Second)
		if late.over() || w.softRules() == 0 {
			t.Fatalf("over: %v; %d rules", late.over(), w.softRules())
		}
		close(gate)
		close(gate2)
		synctest.Wait()
		early.is(t, "200 Miss v1")
		// Whether it is shown what is older meanwhile depends on whether that has been stored before it looks again.
		if n := w.origin.times("/a"); n != 3 {
			t.Errorf("asked %d times: once more for who was first, and once for the rule", n)
		}
		close(gate3)
		synctest.Wait()
		if !late.over() {
			t.Error("no answer")
		}
		w.expect("200 Hit v2", "/a")
	})
}

// What has been displaced may be stamped like what it renews: then the later fetch is the younger one. And when the one
// that has displaced it fails, what it falls back to does not take its place.
func TestMarked_DisplacedWithTheSameStamp(t *testing.T) {
	story(t, func(w *world) {
		second, gate2 := gated(ok("v2", "Cache-Control: max-age=60"))
		third, gate3 := gated(status(503, "down"))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1, stale-while-revalidate=60"), second, third)
		w.get("/a")
		w.settle(1500 * time.Millisecond)
		stamp := w.object("/a").Stamp
		w.expect("200 Hit v1", "/a")
		if now := w.edge.snap.Load().seq; now != stamp {
			t.Fatalf("stamped %d, and now it is %d", stamp, now)
		}
		w.mark("/a")
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit marked-stale")
		close(gate2)
		synctest.Wait()
		if o := w.object("/a"); string(o.Body) != "v2" {
			t.Errorf("stored is %s", o.Body)
		}
		close(gate3)
		synctest.Wait()
		if o := w.object("/a"); string(o.Body) != "v2" {
			t.Errorf("after the failure stored is %s", o.Body)
		}
	})
}

// What was asked for before a rule that marks by a tag has no tags before its head comes. It is no request that was sent after the rule.
func TestMarked_ByATagWhileItIsRenewed(t *testing.T) {
	story(t, func(w *world) {
		second, gate2 := gated(ok("v1", "Cache-Tag: t"))
		third, gate3 := gated(ok("v2", "Cache-Tag: t"))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1, stale-while-revalidate=1000", "Cache-Tag: t"), second, third)
		w.get("/a")
		w.settle(2 * time.Second)
		w.expect("200 Hit v1", "/a")
		w.mark("#t")
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit marked-stale")
		if n := w.origin.times("/a"); n != 3 {
			t.Errorf("asked %d times", n)
		}
		close(gate3)
		synctest.Wait()
		w.expect("200 Hit v2", "/a")
		close(gate2)
		synctest.Wait()
		w.expect("200 Hit v2", "/a")
	})
}

// The first question after the rule ends it also when what that has brought is gone again, before what was in the air comes.
func TestMarked_DisplacedByWhatIsGone(t *testing.T) {
	story(t, func(w *world) {
		first, gate := gated(ok("v1"))
		third, gate3 := gated(ok("v3"))
		w.origin.on("/a", first, ok("v2"), third)
		early := w.ask("/a")
		w.mark("/a")
		w.expect("200 Miss v2", "/a")
		w.store.Remove(w.object("/a"))
		close(gate)
		synctest.Wait()
		early.is(t, "200 Miss v1")
		next := w.ask("/a")
		if next.over() {
			t.Errorf("the next who asks gets %q", next.text())
		}
		close(gate3)
		synctest.Wait()
		next.is(t, "200 Miss v3")
	})
}
