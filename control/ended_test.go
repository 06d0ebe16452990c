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

// admittedAndSilent is a member that no node has heard for so long that it may be removed or replaced.
func (h *harness) admittedAndSilent(edge string) {
	h.t.Helper()
	h.invite("first", edge)
	if err := h.AdmitEdge(h.t.Context(), "first", "h", "1"); err != nil {
		h.t.Fatal(err)
	}
	h.join(edge)
	time.Sleep(journal.Timing{}.Wait() + time.Second)
}

var endsMembership = map[string]func(h *harness, edge string){
	"removed": func(h *harness, edge string) {
		h.t.Helper()
		if err := h.RemoveEdge(h.t.Context(), someone, edge); err != nil {
			h.t.Fatal(err)
		}
	},
	"replaced by another machine": func(h *harness, edge string) {
		h.t.Helper()
		h.invite("second", edge)
		if err := h.AdmitEdge(h.t.Context(), "second", "h", "2"); err != nil {
			h.t.Fatal(err)
		}
		h.join(edge)
	},
}

// completesAtOnce tells whether a control node that begins with what a compaction keeps completes as soon as all members have acknowledged.
func (h *harness) completesAtOnce() bool {
	h.t.Helper()
	x := NewExtract(h.cfg.Limits)
	for _, e := range h.entries() {
		x.Add(e)
	}
	began, err := New(h.cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	kept := x.Entries()
	for _, e := range kept {
		began.apply(e)
	}
	last := kept[len(kept)-1]
	for _, n := range began.Nodes() {
		began.acked(journal.Ack{Edge: n.Edge, Incarnation: n.Incarnation, Epoch: last.Epoch, Seq: last.Seq, ID: last.ID})
	}
	return began.tracking.tracker.Completed(last.Seq, h.cfg.Clock())
}

// A control node that begins with a compacted log waits for who was ended just before the base, as all others do, and only while they do.
func TestEnded_ACompactionKeepsWhoIsWaitedFor(t *testing.T) {
	for name, end := range endsMembership {
		for _, trail := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", shown in the trail ", trail), func(t *testing.T) {
				bubbleLimits(t, Limits{Audit: 1}, func(t *testing.T, h *harness) {
					h.admittedAndSilent("FRA50-1")
					end(h, "FRA50-1")
					if !trail {
						h.create("a") // what the trail shows
					}
					checkExtract(t, h.entries(), h.cfg, 2)
					if h.completesAtOnce() {
						t.Error("a control node that begins waits for nobody")
					}
					time.Sleep(journal.Timing{}.Wait() + time.Second)
					synctest.Wait()
					if !h.completesAtOnce() {
						t.Error("a control node that begins waits once more")
					}
					checkExtract(t, h.entries(), h.cfg, 2)
				})
			})
		}
	}
}

// That it has been waited for stands in the log: control nodes that start later complete at once, and only one of them says so.
func TestEnded_IsWaitedForOnce(t *testing.T) {
	for name, end := range endsMembership {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := memory.New()
				h := start(t, log, Limits{})
				other := start(t, log, Limits{})
				h.admittedAndSilent("FRA50-1")
				before := log.Last()
				end(h, "FRA50-1")
				ended := log.Last()
				time.Sleep(journal.Timing{}.Wait() + time.Second)
				synctest.Wait()
				said := 0
				for _, e := range h.entries()[before:] {
					for _, f := range e.Facts {
						if f.Completed != nil && f.Completed.UpTo >= ended {
							said++
						}
					}
				}
				if said != 1 {
					t.Fatalf("it stands in the log %d times that it was waited for", said)
				}
				other.stop()
				h.stop()
				h = start(t, log, Limits{})
				defer h.stop()
				for _, n := range h.Nodes() { // the new machine is there
					(&fakeEdge{h: h, name: n.Edge, inc: n.Incarnation}).ackAll()
				}
				d := h.create("a")
				inv := h.invalidate(d, "i", "/a")
				for _, n := range h.Nodes() {
					(&fakeEdge{h: h, name: n.Edge, inc: n.Incarnation}).ack(inv.Seq)
				}
				h.wantStatus(inv, Completed)
			})
		})
	}
}

// While somebody is waited for who is no edge any more, the receipt says for whom, why, and until when; beside the line of who has its name now.
func TestReceipt_OfWhoWasEnded(t *testing.T) {
	for name, end := range endsMembership {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *harness) {
				d := h.create("a")
				h.admittedAndSilent("FRA50-1")
				end(h, "FRA50-1")
				successors := len(h.Nodes())
				time.Sleep(2 * time.Second)
				inv := h.invalidate(d, "i", "/a")
				for _, n := range h.Nodes() {
					(&fakeEdge{h: h, name: n.Edge, inc: n.Incarnation}).ack(inv.Seq)
				}
				r, err := h.Receipt(d.ID, inv.ID)
				if err != nil {
					t.Fatal(err)
				}
				var former []ReceiptRow
				for _, row := range r.Edges {
					if row.Former {
						former = append(former, row)
					} else if !row.Applied {
						t.Errorf("its successor: %+v", row)
					}
				}
				if len(former) != 1 || len(r.Edges) != 1+successors {
					t.Fatalf("receipt %+v", r)
				}
				if row := former[0]; row.Edge != "FRA50-1" || row.Location != "FRA" || row.Applied || !strings.Contains(row.Lagging, "removed") ||
					!strings.HasSuffix(row.Lagging, "until its lease has provably run out, in 30s") {
					t.Errorf("%+v", row)
				}
				time.Sleep(31 * time.Second)
				synctest.Wait()
				r, _ = h.Receipt(d.ID, inv.ID)
				if r.Invalidation.Status != Completed || len(r.Edges) != successors {
					t.Errorf("completed: %+v", r)
				}
			})
		})
	}
}
