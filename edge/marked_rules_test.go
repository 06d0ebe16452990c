package edge

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// What is marked on disk, and for how long the rules stay that mark it (L4, L9).

func TestMarked_OnDisk(t *testing.T) {
	story(t, func(w *world) {
		for _, path := range []string{"/a", "/b", "/c"} {
			w.origin.on(path, ok("v1", `ETag: "1"`), ok("v2"))
			w.get(path)
		}
		w.emptied()
		w.mark("/a", "/b")
		w.settle(time.Minute)
		if w.softRules() != 2 {
			t.Errorf("%d rules, with what they mark on disk", w.softRules())
		}
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit marked-stale")
		w.settle(time.Second)
		w.expect("200 Hit v2", "/a")
		w.expect("200 Hit v1", "/c")
		w.wantWhy("Hit fresh")
		w.emptied()
		w.mark("/elsewhere") // for a sweep
		w.settle(time.Minute)
		if w.softRules() != 2 { // they came together
			t.Errorf("%d rules", w.softRules())
		}
		w.live(w.die())
		w.expect("200 Hit v2", "/a")
		w.wantWhy("Hit fresh")
		w.expect("200 Hit v1", "/b")
		w.wantWhy("Hit marked-stale")
		w.settle(time.Second)
		w.expect("200 Hit v2", "/b")
		w.mark("/elsewhere")
		w.settle(time.Minute)
		if w.softRules() != 0 {
			t.Errorf("%d rules, and nothing that they mark", w.softRules())
		}
	}, withDisk)
}

// L9: of more rules than may be kept the oldest remove what they have marked.
func TestL9_TooManyRulesThatMark(t *testing.T) {
	for _, kind := range [][]func(*world){nil, {withDisk}} {
		story(t, func(w *world) {
			for i := range 6 {
				path := fmt.Sprintf("/%d", i)
				w.origin.on(path, ok("v1"), ok("v2"))
				w.get(path)
			}
			w.settle(time.Second)
			for i := range 5 {
				w.mark(fmt.Sprintf("/%d", i))
			}
			w.settle(time.Minute)
			if w.softRules() != 3 {
				t.Errorf("%d rules", w.softRules())
			}
			w.expect("200 Miss v2", "/0")
			w.expect("200 Miss v2", "/1")
			w.expect("200 Hit v1", "/2")
			w.wantWhy("Hit marked-stale")
			w.expect("200 Hit v1", "/5")
			w.wantWhy("Hit fresh")
		}, append(kind, func(w *world) { w.before = func() { w.edge.sweeper.maxSoft = 3 } })...)
	}
}

// What is loaded from disk is shown from there: in memory nothing would keep its rule.
func TestMarked_IsNotPutIntoMemory(t *testing.T) {
	story(t, func(w *world) {
		next, gate := gated(ok("v2"))
		w.origin.on("/a", ok("v1"), next)
		w.get("/a")
		w.emptied()
		w.get("/a") // its body stays on disk
		if o := w.object("/a"); o == nil || !o.Away() {
			t.Fatal("its body is in memory")
		}
		w.mark("/a")
		for range 2 {
			w.expect("200 Hit v1", "/a")
			w.wantWhy("Hit marked-stale")
			if n := w.last().Restarts; n > 0 {
				t.Errorf("after %d attempts", n)
			}
			if w.object("/a") != nil {
				t.Error("it is in memory")
			}
		}
		close(gate)
		synctest.Wait()
		w.expect("200 Hit v2", "/a")
	}, withDisk, func(w *world) { w.config.leastFar = 1 })
}

// L4: what is marked on disk keeps its rule also when the sweeper has another reason to go round.
func TestMarked_CompleteSegmentsKeepTheirRules(t *testing.T) {
	story(t, func(w *world) {
		other(w, "other.test")
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.get("/a")
		for i := range 12 {
			path := fmt.Sprintf("/%d", i)
			w.origin.on(path, ok(strings.Repeat("x", 200<<10)))
			w.get(path)
		}
		w.emptied()
		w.mark("/a")
		for range 3 {
			w.settle(time.Minute)
			w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D2", Items: []string{"/b"}}})
		}
		w.settle(time.Minute)
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit marked-stale")
	}, withDisk)
}
