package edge

import (
	"testing"

	"github.com/warmfront/warmfront/journal"
)

func (w *world) wave(number int, v *journal.Wave, items ...string) uint64 {
	w.t.Helper()
	v.Number = number
	return w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: items, Wave: v}})
}

func TestRollout_AppliesWhatIsForItsLocation(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"), ok("v3"))
		w.expect("200 Miss v1", "/a")
		seq := w.wave(1, &journal.Wave{Locations: []string{"GRU50-P1"}}, "/a")
		w.expect("200 Hit v1", "/a")
		w.settle(ackPause)
		if got := w.ackedUpTo(); got != seq {
			t.Errorf("acknowledged up to %d, want %d: the next location waits for this edge as well", got, seq)
		}
		w.wave(2, &journal.Wave{Locations: []string{"NRT50-P1", "FRA50-P1"}}, "/a")
		w.expect("200 Miss v2", "/a")
		w.wave(3, &journal.Wave{Others: []string{"GRU50-P1", "NRT50-P1", "FRA50-P1"}}, "/a")
		w.expect("200 Hit v2", "/a")
		w.wave(2, &journal.Wave{Others: []string{"GRU50-P1"}}, "/a")
		w.expect("200 Miss v3", "/a")
		if r, ok := w.edge.Receipt("D1", "I1"); !ok || r.Objects != 1 {
			t.Errorf("%+v", r)
		}
	})
}

// What another location's turn leaves alone must be found by this one's, however late it joins, and whatever was
// compacted away meanwhile.
func TestRollout_WhatWasStoredBetweenTheTurnsDies(t *testing.T) {
	story(t, func(w *world) {
		w.wave(1, &journal.Wave{Locations: []string{"GRU50-P1"}}, "/a")
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.settle(sweepMost)
		w.wave(2, &journal.Wave{Others: []string{"GRU50-P1"}}, "/a")
		w.expect("200 Miss v2", "/a")
	})
}

// L4: what was dead at a location stays dead when the edge bears another one's name after a restart, whether or not the turns
// go on: its disk may still have it.
func TestRollout_L4_AnEdgeThatChangesItsLocation(t *testing.T) {
	for name, mode := range map[string]journal.Mode{"removed": journal.Remove, "marked": journal.Stale} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				const strict = "Cache-Control: max-age=600, must-revalidate" // what is marked is not shown either
				w.origin.on("/a", ok("v1", strict), ok("v2", strict), ok("v3"))
				w.origin.on("/b", ok("v1"))
				w.expect("200 Miss v1", "/a")
				w.expect("200 Miss v1", "/b")
				wave := func(items string, at ...string) {
					w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I" + items, Items: []string{items},
						Mode: mode, Wave: &journal.Wave{Number: 1, Locations: at}}})
				}
				wave("/a", "FRA50-P1") // and nobody comes upon it
				wave("/b", "GRU50-P1")
				file := w.die()
				w.config.Location = "AMS50-P1"
				w.live(file)
				w.commit(journal.Fact{Withdrawn: &journal.Withdrawn{DistributionID: "D1", InvalidationID: "I/a"}})
				w.expect("200 Miss v2", "/a")
				w.expect("200 Hit v1", "/b")
				wave("/a", "FRA50-P1") // no more
				w.expect("200 Hit v2", "/a")
				wave("/a", "AMS50-P1")
				w.expect("200 Miss v3", "/a")
			}, withDisk, unswept)
		})
	}
}
