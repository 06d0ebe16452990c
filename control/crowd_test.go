package control

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// many makes members, each at once with all others.
func (h *harness) many(n int) {
	h.t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if _, err := h.Join(h.t.Context(), journal.EdgeJoined{Edge: fmt.Sprint("M", i), Location: "FRA50", Incarnation: "1"}); err != nil {
				h.t.Error(err)
			}
		})
	}
	all.Wait()
	synctest.Wait()
}

// Each entry about an edge goes to all edges. Those that join one after another, or leave, are told together: their number
// of entries does not grow with theirs.
func TestCrowd_WhoComesAndGoesIsToldTogether(t *testing.T) {
	const edges, others = 1000, 400
	bubble(t, func(t *testing.T, h *harness) {
		h.many(edges)
		for what, one := range map[string]func(edge journal.EdgeJoined) error{
			"join": func(e journal.EdgeJoined) error { _, err := h.Join(t.Context(), e); return err },
			"leave": func(e journal.EdgeJoined) error {
				return h.Leave(t.Context(), journal.EdgeLeft{Edge: "M" + e.Edge, Incarnation: e.Incarnation})
			},
		} {
			time.Sleep(time.Minute)
			before, began := h.log.Last(), time.Now()
			var all sync.WaitGroup
			for i := range others {
				all.Go(func() {
					time.Sleep(time.Duration(i) * time.Millisecond)
					if err := one(journal.EdgeJoined{Edge: fmt.Sprint(i), Location: "FRA50", Incarnation: "1"}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			// 400 ms of them, in windows of about a fifth of a second.
			if n, took := h.log.Last()-before, time.Since(began); n > 8 || took > time.Second {
				t.Errorf("%s: %d entries, %v, for %d edges", what, n, took, others)
			}
		}
		if n := h.members(); n != edges {
			t.Errorf("%d edges take part in the end, want %d", n, edges)
		}
	})
}

// Who comes or goes alone does not wait, in however large a fleet.
func TestCrowd_NobodyWaitsAlone(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		h.many(1000)
		for range 3 {
			time.Sleep(time.Minute)
			began := time.Now()
			h.join("late").leave()
			if took := time.Since(began); took > crowdWindow(1001) {
				t.Errorf("to join and to leave took %v", took)
			}
		}
	})
}

// An edge that leaves and joins again with one entry's company does both, in that order.
func TestCrowd_LeavesAndJoinsAgainTogether(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		h.join("FRA50-1")
		m := h.Nodes()[0]
		h.held(func() {
			var all sync.WaitGroup
			h.t.Cleanup(all.Wait)
			all.Go(func() {
				if err := h.Leave(t.Context(), journal.EdgeLeft{Edge: "FRA50-1", Incarnation: m.Incarnation}); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			all.Go(func() {
				if _, err := h.Join(t.Context(), journal.EdgeJoined{Edge: "FRA50-1", Location: "FRA", Incarnation: "next"}); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(time.Second)
			synctest.Wait()
		})
		if all := h.Nodes(); len(all) != 1 || all[0].Incarnation != "next" {
			t.Errorf("in the end: %+v", all)
		}
	})
}
