package ownapi

import (
	"testing"
	"time"
)

// The share of hits is of the last five minutes, and of one process.
func TestNodes_HitRatio(t *testing.T) {
	at(t, func(h *house) {
		type nodes struct {
			Edges []struct {
				Edge, Version string
				HitRatio      *float64
			}
			Control []struct {
				Name    string
				Ready   bool
				Problem string
			}
		}
		var now answers
		h.cfg.Places[0].Version = "v1"
		h.cfg.Places[0].Traffic = func() (uint64, uint64) { return now.hits, now.misses }
		h.cfg.Nodes = func() []ControlNode { return []ControlNode{{Name: "c1", Position: 3}} }
		expect := func(what string, want float64) {
			t.Helper()
			n := ask[nodes](h, 200, "GET", "/nodes", "")
			switch got := n.Edges[0].HitRatio; {
			case want < 0 && got != nil:
				t.Errorf("%s: %v", what, *got)
			case want >= 0 && (got == nil || *got != want):
				t.Errorf("%s: %v, want %v", what, got, want)
			}
			if n.Edges[0].Version != "v1" || n.Edges[1].HitRatio != nil || len(n.Control) != 1 || !n.Control[0].Ready {
				t.Errorf("%s: %+v", what, n)
			}
		}
		expect("before anything is known", -1)
		h.settle(step)
		expect("without requests", -1)
		now = answers{3, 1}
		expect("four requests", 0.75)
		h.settle(4 * time.Minute)
		expect("still the last five minutes", 0.75)
		h.settle(2 * time.Minute)
		expect("no more", -1)
		now = answers{3, 3}
		expect("misses alone", 0)
		now = answers{1, 0} // it has started again
		expect("before the step's end", -1)
		h.settle(step)
		now = answers{2, 1}
		expect("counted from there", 0.5)
	})
}
