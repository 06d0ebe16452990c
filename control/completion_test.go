package control

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

func TestCompleted_NobodyToWaitFor(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("r1")
		h.wantStatus(d, Deployed)
		inv := h.invalidate(d, "i1", "/*")
		if inv.Status != InProgress {
			t.Errorf("the answer says %s, want %s: the entry is this moment's", inv.Status, InProgress)
		}
		h.wantStatus(inv, Completed)
	})
}

func TestCompleted_WaitsForEveryMember(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		a, b, c := h.join("FRA50-1"), h.join("IAD50-1"), h.join("NRT50-1")
		d := h.create("r1")
		inv := h.invalidate(d, "i1", "/a.png")
		a.ack(inv.Seq)
		b.ack(inv.Seq)
		h.wantStatus(inv, InProgress)
		h.wantStatus(d, InProgress)
		if v, _ := h.Distribution(d.ID); v.InProgressInvalidations != 1 {
			t.Errorf("%d invalidations in progress, want 1", v.InProgressInvalidations)
		}
		c.ack(inv.Seq - 1) // the distribution, not yet the invalidation
		h.wantStatus(d, Deployed)
		h.wantStatus(inv, InProgress)
		c.ack(inv.Seq)
		h.wantStatus(inv, Completed)
		if v, _ := h.Distribution(d.ID); v.InProgressInvalidations != 0 {
			t.Errorf("%d invalidations in progress, want 0", v.InProgressInvalidations)
		}
	})
}

func TestCompleted_SilentEdgeIsWaitedForUntilItsLeaseHasRunOut(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		a := h.join("FRA50-1")
		h.join("IAD50-1") // never acknowledges again
		d := h.create("r1")
		inv := h.invalidate(d, "i1", "/a.png")
		began := time.Now()
		a.ackAll()
		wait := journal.Timing{}.Wait()
		time.Sleep(wait - time.Second)
		synctest.Wait()
		h.wantStatus(inv, InProgress)

		time.Sleep(time.Second + 100*time.Millisecond)
		synctest.Wait()
		h.wantStatus(inv, Completed)
		v, _ := h.Invalidation(d.ID, inv.ID)
		if took := v.CompletedTime.Sub(began); took < wait.Truncate(time.Millisecond) { // as the API shows it
			t.Errorf("completed after %v, must not be before %v (P3)", took, wait)
		}
	})
}

func TestCompleted_OldIncarnationCountsForNothing(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		old := h.join("FRA50-1")
		d := h.create("r1")
		// The edge crashes without leaving and comes back under its name.
		inv := h.invalidate(d, "i1", "/a.png")
		back := h.join("FRA50-1")
		h.wantStatus(inv, Completed) // it serves nothing before it has applied its Join, which is later (P2)

		second := h.invalidate(d, "i2", "/b.png")
		old.ackAll()
		h.wantStatus(second, InProgress)
		old.leave() // late, and of somebody who has been replaced
		h.wantStatus(second, InProgress)
		if n := h.Nodes(); len(n) != 1 || n[0].Incarnation != back.inc {
			t.Errorf("nodes %+v, want the new incarnation alone", n)
		}
		back.ackAll()
		h.wantStatus(second, Completed)
	})
}

func TestCompleted_LeaveEndsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		a, b := h.join("FRA50-1"), h.join("IAD50-1")
		inv := h.invalidate(h.create("r1"), "i1", "/a.png")
		a.ackAll()
		h.wantStatus(inv, InProgress)
		b.leave()
		h.wantStatus(inv, Completed)
	})
}

func TestCompleted_NeverGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, memory.New(), Limits{})
		edge := first.join("FRA50-1")
		d := first.create("r1")
		done := first.invalidate(d, "i1", "/a.png")
		edge.ackAll()
		first.wantStatus(done, Completed)
		pending := first.invalidate(d, "i2", "/b.png")
		first.stop()

		// A new control plane has heard no acknowledgement of anything.
		second := start(t, first.log, Limits{})
		defer second.stop()
		second.wantStatus(d, Deployed)
		second.wantStatus(done, Completed)
		second.wantStatus(pending, InProgress)
		before, _ := first.Invalidation(d.ID, done.ID)
		after, _ := second.Invalidation(d.ID, done.ID)
		if !before.CompletedTime.Equal(after.CompletedTime) {
			t.Errorf("completed at %v, after the restart at %v", before.CompletedTime, after.CompletedTime)
		}
		edge.h = second
		edge.ackAll()
		second.wantStatus(pending, Completed)
		second.checkReplay()
	})
}

func TestCompleted_RestartWaitsAnewForWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, memory.New(), Limits{})
		first.join("FRA50-1")
		pending := first.invalidate(first.create("r1"), "i1", "/a.png")
		time.Sleep(20 * time.Second)
		first.stop()

		second := start(t, first.log, Limits{})
		defer second.stop()
		time.Sleep(journal.Timing{}.Wait() - time.Second) // 51 s after it was accepted
		synctest.Wait()
		second.wantStatus(pending, InProgress)
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		second.wantStatus(pending, Completed)
	})
}

func TestCompleted_TwoControlNodesDeclareOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := start(t, memory.New(), Limits{})
		defer one.stop()
		two := start(t, one.log, Limits{})
		defer two.stop()
		edge := one.join("FRA50-1")
		d := one.create("r1")
		inv := one.invalidate(d, "i1", "/a.png")
		before := one.log.Last()
		edge.ack(before)
		one.wantStatus(inv, Completed)
		two.wantStatus(inv, Completed)
		if got := one.facts(before); strings.Contains(got, "\n") {
			t.Errorf("declared more than once:\n%s", got)
		}
	})
}

func TestReceipt_PerEdge(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		a, b := h.join("FRA50-1"), h.join("IAD50-1")
		d := h.create("r1")
		inv := h.invalidate(d, "i1", "/a.png")
		time.Sleep(40 * time.Millisecond)
		a.ack(inv.Seq)
		time.Sleep(5 * time.Second)

		r, err := h.Receipt(d.ID, inv.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Edges) != 2 || r.Took != 5040*time.Millisecond {
			t.Fatalf("receipt %+v", r)
		}
		if e := r.Edges[0]; e.Edge != "FRA50-1" || e.Location != "FRA" || !e.Applied || e.Took != 40*time.Millisecond || e.Lagging != "" {
			t.Errorf("the edge that has applied it: %+v", e)
		}
		if e := r.Edges[1]; e.Applied || e.Took != 5040*time.Millisecond || !strings.Contains(e.Lagging, "until its lease has provably run out") {
			t.Errorf("the edge that lags: %+v", e)
		}

		b.ack(inv.Seq)
		r, _ = h.Receipt(d.ID, inv.ID)
		if e := r.Edges[1]; r.Invalidation.Status != Completed || !e.Applied || e.Took != 5040*time.Millisecond {
			t.Errorf("completed: %+v", r)
		}
		h.join("NRT50-1") // later: it began with it
		if r, _ = h.Receipt(d.ID, inv.ID); len(r.Edges) != 2 || r.Edges[0].Took != 40*time.Millisecond {
			t.Errorf("after a join: %+v", r)
		}
	})
}

func TestReceipt_SilentEdge(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		h.join("FRA50-1")
		d := h.create("r1")
		inv := h.invalidate(d, "i1", "/a.png")
		time.Sleep(time.Minute)
		r, err := h.Receipt(d.ID, inv.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Edges) != 1 || r.Edges[0].Applied || !strings.Contains(r.Edges[0].Lagging, "did not acknowledge") {
			t.Errorf("receipt %+v", r)
		}
	})
}

func TestNodes_TellWhoIsBehind(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		edge := h.join("FRA50-1")
		h.create("r1")
		time.Sleep(3 * time.Second)
		n := h.Nodes()
		if len(n) != 1 || n[0].Behind != 1 || n[0].Silent != 3*time.Second || n[0].Joined.IsZero() {
			t.Errorf("%+v", n)
		}
		edge.ackAll()
		if n := h.Nodes(); n[0].Silent != 0 {
			t.Errorf("%+v", n)
		}
	})
}

func TestProbe_AnsweredByAnAppend(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		before := h.log.Last()
		z, err := h.log.Probe(t.Context())
		if err != nil || z <= before {
			t.Errorf("answer %d, %v; want an entry appended after %d (P1)", z, err, before)
		}
	})
}

// Each Tick goes to every edge: of many edges a probe waits for an entry that comes anyway, and appends one of its own only when none does.
func TestProbe_OfManyEdgesSharesWhatComesAnyway(t *testing.T) {
	const edges = 200
	bubble(t, func(t *testing.T, h *harness) {
		for i := range edges {
			h.join(fmt.Sprintf("FRA%d", i))
		}
		ask := func(meanwhile func()) (z uint64, took time.Duration) {
			began := time.Now()
			answered := make(chan error, 1)
			go func() {
				var err error
				z, err = h.log.Probe(t.Context())
				took = time.Since(began)
				answered <- err
			}()
			synctest.Wait()
			meanwhile()
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
			return z, took
		}
		before := h.log.Last()
		if z, took := ask(func() {}); z != before+1 || took != 0 {
			t.Errorf("after a pause: answer %d behind %d, after %v", z, before, took)
		}
		if z, took := ask(func() { time.Sleep(150 * time.Millisecond); h.create("r1") }); z != before+2 || took != 150*time.Millisecond {
			t.Errorf("with an entry: answer %d behind %d, after %v", z, before, took)
		}
		if z, took := ask(func() {}); z != before+3 || took != edges*tickPerEdge {
			t.Errorf("without: answer %d behind %d, after %v", z, before, took)
		}
	})
	probe := journal.Timing{}.Defaults().Probe
	for edges, want := range map[int]time.Duration{0: journal.TickWindow, 3: journal.TickWindow, 300: 600 * time.Millisecond, 100_000: time.Second} {
		if got := tickWindow(edges, probe); got != want {
			t.Errorf("%d edges: %v", edges, got)
		}
	}
}
