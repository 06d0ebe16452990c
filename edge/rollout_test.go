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
