package control

import (
	"fmt"
	"math/rand/v2"
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

// manyMemberships is a history of two edges: they are let in, join, leave, are replaced and removed, and Completed comes now and then.
func manyMemberships(r *rand.Rand) (all []*journal.Entry) {
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	add := func(facts ...journal.Fact) {
		n := uint64(len(all) + 1)
		at = at.Add(time.Minute)
		all = append(all, &journal.Entry{Epoch: "e", Seq: n, ID: journal.ID(fmt.Sprint("i", n)), Time: at, Facts: facts})
	}
	add()
	joined, admitted, completed := map[string]string{}, map[string]bool{}, uint64(0)
	for n := range 5 + r.IntN(25) {
		edge, name := fmt.Sprint("FRA50-", r.IntN(2)), fmt.Sprint("n", n)
		left := journal.Fact{EdgeLeft: &journal.EdgeLeft{Edge: edge, Incarnation: joined[edge]}}
		switch what := r.IntN(8); {
		case what < 2:
			add(journal.Fact{EdgeInvited: &journal.EdgeInvited{Token: name, Edge: edge, Expires: at.Add(time.Hour)}})
			add(journal.Fact{EdgeAdmitted: &journal.EdgeAdmitted{Token: name, Edge: edge, Serial: name}})
			admitted[edge] = true
		case what == 2:
			if completed < uint64(len(all)) {
				completed += 1 + r.Uint64N(uint64(len(all))-completed)
				add(journal.Fact{Completed: &journal.Completed{UpTo: completed}})
			}
		case !admitted[edge]:
		case what < 5:
			joined[edge] = name
			add(journal.Fact{EdgeJoined: &journal.EdgeJoined{Edge: edge, Incarnation: name}})
		case what == 5:
			add(journal.Fact{EdgeAdmitted: &journal.EdgeAdmitted{Edge: edge, Serial: name}})
		case what == 6 && joined[edge] != "":
			add(left)
			delete(joined, edge)
		case what == 7:
			facts := []journal.Fact{{EdgeRemoved: &journal.EdgeRemoved{Edge: edge}}}
			if joined[edge] != "" {
				facts = append([]journal.Fact{left}, facts...)
			}
			add(facts...)
			delete(joined, edge)
			delete(admitted, edge)
		}
	}
	add(journal.Fact{EdgeInvited: &journal.EdgeInvited{Token: "last", Edge: "GRU50-1", Expires: at}}) // what the trail shows
	return all
}

// Whatever has come of two edges: who begins with what a compaction keeps has the same members, and waits for the same memberships.
func TestEnded_ACompactionChangesNoMembership(t *testing.T) {
	tracked := func(entries []*journal.Entry, upTo uint64) (acked map[string]uint64, members string) {
		tracker := journal.NewTracker(journal.TrackerConfig{})
		for _, e := range entries {
			tracker.Applied(e, 0)
		}
		acked = map[string]uint64{}
		for _, e := range tracker.Endings(upTo, 0) {
			acked[e.Edge] = e.Acked
		}
		for _, m := range tracker.Rows(upTo, 0) {
			members += fmt.Sprintf("%s %s %d; ", m.Edge, m.Incarnation, m.Acked)
		}
		return acked, members
	}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		limits := Limits{Audit: 1 + r.IntN(12)}.withDefaults()
		all, batch := manyMemberships(r), 1+r.IntN(8)
		x, last := NewExtract(limits), uint64(0)
		for i, e := range all {
			if x.Add(e); i%batch == batch-1 {
				x.held = condense(x.held, x.limits, x.now)
			}
			last = e.Seq
		}
		kept := x.Entries()
		whole, held := fold(limits, all), fold(limits, kept)
		held.completed = whole.completed
		if a, b := dump(whole), dump(held); a != b {
			t.Fatalf("history %d: %s", seed, firstDifference(a, b))
		}
		waits, members := tracked(all, last)
		got, after := tracked(kept, last)
		if after != members {
			t.Fatalf("history %d: members %q and not %q", seed, after, members)
		}
		// Two of an edge are one to a tracker, which goes by the lesser; of one that has been waited for a new one need know nothing.
		least := map[string]uint64{}
		for seq, facts := range ended(all) {
			for _, f := range facts {
				if j, is := f.(*journal.EdgeJoined); is && seq > whole.completed {
					for _, e := range all {
						if e.Seq < seq && len(e.Facts) == 1 && e.Facts[0].EdgeJoined == j && (least[j.Edge] == 0 || e.Seq < least[j.Edge]) {
							least[j.Edge] = e.Seq
						}
					}
				}
			}
		}
		if len(got) != len(waits) || len(got) != len(least) {
			t.Fatalf("history %d: waits for %v and not for %v", seed, got, waits)
		}
		for edge, acked := range least {
			if has, is := got[edge]; !is || has > acked || waits[edge] > acked {
				t.Fatalf("history %d: waits for %v, by the whole %v, at least for %v", seed, got, waits, least)
			}
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
