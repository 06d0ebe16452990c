package journaltest

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/warmfront/warmfront/journal"
)

// everySeventh is what the compactions of this suite keep; the genesis among them.
func everySeventh(e *journal.Entry) bool { return e.Seq%7 == 1 }

// compacted fills a log with n entries after the genesis and compacts it. It returns all that there were.
func (s *Subject) compacted(t *testing.T, n, tail int) (all []*journal.Entry) {
	t.Helper()
	if s.Compact == nil {
		t.Skip("this log is not compacted")
	}
	last := fill(t, s.Log, genesis(t, s.Log), n)
	all = readAll(t, s.Log, 1)
	if len(all) != n+1 || journal.PositionOf(all[n]) != journal.PositionOf(last) {
		t.Fatalf("%d entries", len(all))
	}
	s.Log = s.Compact(t, tail, everySeventh)
	return all
}

// readAll reads from a number to the end as a follower does: each read begins at the last entry that is known.
func readAll(t *testing.T, l journal.Log, from uint64) (all []*journal.Entry) {
	t.Helper()
	for {
		entries, err := l.Read(within(t), from, 7)
		if err != nil {
			t.Fatalf("Read(%d): %v", from, err)
		}
		if len(all) > 0 {
			if len(entries) == 0 {
				t.Fatalf("Read(%d) does not find what it has read before", from)
			}
			same(t, entries[0], all[len(all)-1])
			entries = entries[1:]
		}
		if len(entries) == 0 {
			return all
		}
		all = append(all, entries...)
		from = all[len(all)-1].Seq
	}
}

// remains is what a compaction at base leaves of these entries.
func remains(all []*journal.Entry, base uint64, kept func(*journal.Entry) bool) (out []*journal.Entry) {
	for _, e := range all {
		switch {
		case e.Seq >= base:
			out = append(out, e)
		case kept(e):
			k := *e
			k.Base = base
			out = append(out, &k)
		}
	}
	return out
}

func wantEntries(t *testing.T, got, want []*journal.Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	for i := range got {
		same(t, got[i], want[i])
	}
}

// testCompacted: numbers, IDs, epoch and chain are what they were; who asks for what is gone gets what was kept, and it says so.
func testCompacted(t *testing.T, s Subject) {
	all := s.compacted(t, 60, 20)
	want := remains(all, 42, everySeventh)
	wantEntries(t, readAll(t, s.Log, 1), want)
	for _, c := range []struct{ from, first uint64 }{{0, 1}, {1, 1}, {2, 8}, {8, 8}, {36, 36}, {37, 42}, {41, 42}, {42, 42}, {43, 43}, {61, 61}} {
		got, err := s.Log.Read(within(t), c.from, 3)
		if err != nil || len(got) == 0 || got[0].Seq != c.first {
			t.Fatalf("Read(%d): %v, %v", c.from, got, err)
		}
	}
	last := fill(t, s.Log, all[60], 5)
	if s.Reopen != nil {
		s.Log = s.Reopen(t, true)
	}
	got := readAll(t, s.Log, 1)
	if len(got) != len(want)+5 || journal.PositionOf(got[len(got)-1]) != journal.PositionOf(last) {
		t.Fatalf("%d entries, and 5 more: %d", len(want), len(got))
	}
	if err := s.Log.Append(within(t), after(all[3])); !errors.Is(err, journal.ErrSlotTaken) {
		t.Errorf("append to a slot that was compacted: %v", err)
	}
	w := journal.NewWriter(journal.WriterConfig{Log: s.Log, Apply: func(*journal.Entry) {}})
	if z, err := w.Tick(within(t)); err != nil || z < last.Seq+1 {
		t.Fatalf("a writer that begins: %d, %v", z, err)
	}
}

func testCompactedTwice(t *testing.T, s Subject) {
	all := s.compacted(t, 60, 20)
	fill(t, s.Log, all[60], 60)
	all = append(remains(all, 42, everySeventh), readAll(t, s.Log, 62)...)
	less := func(e *journal.Entry) bool { return e.Seq%14 == 1 }
	s.Log = s.Compact(t, 10, less)
	wantEntries(t, readAll(t, s.Log, 1), remains(all, 112, less))
}

// applied is a follower that writes down what it does.
type applied struct {
	mu      sync.Mutex
	seqs    []uint64
	at      journal.Position
	resets  []string
	changed chan struct{}
}

func (a *applied) follow(t *testing.T, l journal.Log, from journal.Position) {
	a.changed, a.at = make(chan struct{}, 1), from
	note := func(f func()) {
		a.mu.Lock()
		f()
		a.mu.Unlock()
		select {
		case a.changed <- struct{}{}:
		default:
		}
	}
	f := journal.NewFollower(journal.FollowerConfig{
		Log: l, From: from,
		Apply: func(entries []*journal.Entry) {
			note(func() {
				for _, e := range entries {
					a.seqs, a.at = append(a.seqs, e.Seq), journal.PositionOf(e)
				}
			})
		},
		Reset: func(why string) { note(func() { a.resets, a.seqs = append(a.resets, why), nil }) },
	})
	running(t, f.Run)
}

// reach waits until entry seq is applied.
func (a *applied) reach(t *testing.T, seq uint64) {
	t.Helper()
	for {
		a.mu.Lock()
		n := len(a.seqs)
		done := n > 0 && a.seqs[n-1] >= seq
		a.mu.Unlock()
		if done {
			return
		}
		receive(t, a.changed, "the follower")
	}
}

// testCompactedFollower: who is within the tail goes on; who is behind it drops everything and begins; who begins reads what was kept.
func testCompactedFollower(t *testing.T, s Subject) {
	all := s.compacted(t, 60, 20)
	for name, c := range map[string]struct {
		from  uint64 // 0: nothing
		seqs  int
		reset bool
	}{
		"begins":                  {0, 6 + 20, false},
		"within the tail":         {50, 11, false},
		"at its first entry":      {42, 19, false},
		"before it":               {41, 6 + 20, true},
		"at one that was kept":    {36, 6 + 20, true},
		"far before it":           {3, 6 + 20, true},
		"at the end":              {61, 0, false},
		"at the genesis, just so": {1, 6 + 20, true},
	} {
		t.Run(name, func(t *testing.T) {
			var a applied
			var from journal.Position
			if c.from > 0 {
				from = journal.PositionOf(all[c.from-1])
			}
			a.follow(t, s.Log, from)
			if c.seqs > 0 {
				a.reach(t, 61)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if len(a.seqs) != c.seqs || len(a.resets) > 1 || len(a.resets) == 1 != c.reset || c.reset && !strings.Contains(a.resets[0], "goes back to entry 42") {
				t.Errorf("applied %v, resets %q", a.seqs, a.resets)
			}
			if a.at != journal.PositionOf(all[60]) {
				t.Errorf("at %v", a.at)
			}
		})
	}
}

// testCompactedMeanwhile: while a log is compacted again and again, appends go on; who stands at its end notices nothing; who begins comes to
// the end, and what it has applied then is what whoever begins later applies; and a crash changes nothing.
func testCompactedMeanwhile(t *testing.T, s Subject) {
	if !s.Running {
		t.Skip("this log is not compacted while it is open")
	}
	few := func(e *journal.Entry) bool { return e.Seq%30 == 1 }
	last := fill(t, s.Log, genesis(t, s.Log), 60)
	from := last.Seq
	var steady applied
	steady.follow(t, s.Log, journal.PositionOf(last))
	w := journal.NewWriter(journal.WriterConfig{Log: s.Log})
	for range 6 {
		var late applied
		late.follow(t, s.Log, journal.Position{})
		var appending sync.WaitGroup
		appending.Go(func() {
			for range 100 {
				if _, err := w.Commit(t.Context(), func() ([]journal.Fact, error) { return []journal.Fact{{Tick: &journal.Tick{}}}, nil }); err != nil {
					t.Error(err)
					return
				}
			}
		})
		s.Log = s.Compact(t, 20, few)
		appending.Wait()
		late.reach(t, w.Position().Seq)
	}
	end := w.Position().Seq
	steady.reach(t, end)
	steady.mu.Lock()
	if len(steady.resets) > 0 || uint64(len(steady.seqs)) != end-from {
		t.Errorf("who stood at the end: %d of %d entries, resets %q", len(steady.seqs), end-from, steady.resets)
	}
	steady.mu.Unlock()
	all := readAll(t, s.Log, 1)
	base := all[0].Base
	for _, e := range all {
		if e.Seq < base && !few(e) || e.Seq >= base && e.Base > 0 {
			t.Errorf("entry %d, with the base %d", e.Seq, base)
		}
	}
	if n := uint64(len(all)); base < 500 || n != (base+28)/30+end-base+1 {
		t.Errorf("%d entries of %d, with the base %d", n, end, base)
	}
	if s.Reopen != nil {
		s.Log = s.Reopen(t, true)
		wantEntries(t, readAll(t, s.Log, 1), all)
	}
}
