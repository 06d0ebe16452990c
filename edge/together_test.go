package edge

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
)

// together commits an entry for each fact, all of which the edge hears of at once.
func (w *world) together(facts ...journal.Fact) (last uint64) {
	w.t.Helper()
	w.log.SetFaults(journalmemory.Faults{Push: func(*journal.Entry) journalmemory.Push { return journalmemory.Dropped }})
	for _, f := range facts {
		last = w.commit(f)
	}
	if w.edge.snap.Load().seq >= last {
		w.t.Fatal("they have not come together")
	}
	w.log.SetFaults(journalmemory.Faults{})
	w.edge.follower.Look()
	synctest.Wait()
	return last
}

func invalidated(id string, items ...string) journal.Fact {
	return journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: id, Items: items, CreateTime: time.Now()}}
}

// Each entry counts, and has a receipt of its own; one acknowledgement says all of it, behind the heads of before.
func TestE2_EntriesThatComeTogether(t *testing.T) {
	story(t, func(w *world) {
		for _, p := range []string{"/a", "/b", "/c", "/d"} {
			w.origin.on(p, ok("v1"), ok("v2"))
			w.get(p)
		}
		slow := w.askAs(&viewer{holdHead: make(chan struct{})}, "/d")
		before := w.ackedUpTo()
		var acked []uint64
		w.onAck = func(seq uint64) { acked = append(acked, seq) }
		last := w.together(invalidated("1", "/a"), journal.Fact{Tick: &journal.Tick{}}, invalidated("2", "/b"), invalidated("3", "/nothing"))
		if w.ackedUpTo() != before {
			t.Errorf("acknowledged up to %d with a head of %d on its way", w.ackedUpTo(), before)
		}
		close(slow.holdHead)
		w.settle(10 * time.Millisecond)
		if len(acked) != 1 || acked[0] != last {
			t.Errorf("acknowledged %d, want once %d", acked, last)
		}
		w.expect("200 Miss v2", "/a")
		w.expect("200 Miss v2", "/b")
		w.expect("200 Hit v1", "/c")
		w.settle(time.Second)
		for id, want := range map[string]int64{"1": 1, "2": 1, "3": 0} {
			if r, known := w.edge.Receipt("D1", id); !known || r.Objects != want || r.Seq > last {
				t.Errorf("receipt %s: %+v, want %d objects", id, r, want)
			}
		}
	})
}

// What a rule in the midst of them overtakes is owed as well.
func TestPace_FillsThatAreOvertakenByOneOfSeveral(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		gate := make(chan struct{})
		for i := range 30 {
			old := ok("v1")
			old.head = gate
			w.origin.on(fmt.Sprint("/o/", i), old, ok("v2"))
		}
		all := w.crowd(30)
		o.forget()
		paced := invalidated("paced", "/o/*")
		paced.Invalidated.Pace = &journal.Pace{RequestsPerSecond: 10}
		w.together(paced, invalidated("another", "/nothing"))
		w.settle(10 * time.Second)
		for _, v := range all {
			v.is(t, "200 Miss v2")
		}
		if asked, most := o.most(); asked != 30 || most != 10 {
			t.Errorf("asked %d times, at most %d times in a second", asked, most)
		}
		close(gate)
		synctest.Wait()
	})
}
