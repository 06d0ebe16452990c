package control

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// What is kept of a completion is what it says, and who it is of is kept once as long as they are the same.
func TestCompletion_SaysWhatTheFactDoes(t *testing.T) {
	at := time.Date(2026, 11, 27, 3, 4, 5, 678901000, time.UTC)
	lines := func(n int, more ...journal.EdgeApplied) (all []journal.EdgeApplied) {
		for i := range n {
			all = append(all, journal.EdgeApplied{Edge: fmt.Sprint("FRA50-", i), Location: "FRA50", At: at.Add(time.Duration(i) * time.Microsecond)})
		}
		return append(all, more...)
	}
	s := newState(Limits{})
	var before *completion
	for i, c := range []struct {
		edges []journal.EdgeApplied
		same  bool // as those before
	}{
		{lines(3), false},
		{lines(3), true},
		{nil, false},
		{lines(3), true},
		{lines(3, journal.EdgeApplied{Edge: "GRU3-1"}), false},
		{lines(3, journal.EdgeApplied{Edge: "GRU3-1", Acked: 4711}), true},
		{lines(3, journal.EdgeApplied{Edge: "GRU3-1", Location: "GRU3", At: time.Unix(-1, 0).UTC()}), false},
		{lines(4), false},
	} {
		f := &journal.Completed{UpTo: uint64(i + 1), At: at, Edges: c.edges, Members: i}
		got := s.completion(f)
		if all := got.edges(); got.At != f.At || got.Members != f.Members || len(all) != len(c.edges) || len(all) > 0 && !reflect.DeepEqual(all, c.edges) {
			t.Errorf("%d: %+v of\n%+v", i, all, c.edges)
		}
		if len(got.who) == 0 {
			continue
		}
		if before != nil && (&got.who[0] == &before.who[0]) != c.same {
			t.Errorf("%d: kept with the names of those before is %v, want %v", i, !c.same, c.same)
		}
		before = got
	}
}
