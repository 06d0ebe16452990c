// Package journaltest is the suite that every journal.Log passes, alone and with Writer, Follower, Lease
// and Prober on top.
package journaltest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// Subject is a log under test.
type Subject struct {
	Log journal.Log

	// Reopen closes the log as a stop or, with crash, as the death of the process does, and opens it
	// again. Nil for a log that does not outlive its process.
	Reopen func(t *testing.T, crash bool) journal.Log

	// Compact leaves out what is before the last tail entries, but for kept, and returns the log, which it may have closed
	// and opened again. Nil for a log of which nothing is left out.
	Compact func(t *testing.T, tail int, kept func(*journal.Entry) bool) journal.Log

	// Running says that Compact leaves the log open, and that everything may go on meanwhile.
	Running bool
}

// Run tests the logs that open makes. Each is fresh: it has its genesis and nothing else.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		f    func(t *testing.T, s Subject)
	}{
		{"Genesis", testGenesis},
		{"AppendRead", testAppendRead},
		{"SlotTaken", testSlotTaken},
		{"SlotBeyondTheEnd", testBeyond},
		{"ContinuesAnother", testStrayed},
		{"TooLarge", testTooLarge},
		{"Contenders", testContenders},
		{"Live", testLive},
		{"Acks", testAcks},
		{"Probes", testProbes},
		{"Canceled", testCanceled},
		{"Closed", testClosed},
		{"Reopen", testReopen},
		{"WriterCommit", testWriterCommit},
		{"WritersRace_OneFactPerReference", testReference},
		{"WriterAcrossReopen", testWriterReopen},
		{"FollowerCatchesUpAndStays", testFollower},
		{"FreshByProbe", testFresh},
		{"Compacted", testCompacted},
		{"CompactedTwice", testCompactedTwice},
		{"CompactedBelowAFollower", testCompactedFollower},
		{"CompactedMeanwhile", testCompactedMeanwhile},
	} {
		t.Run(c.name, func(t *testing.T) { c.f(t, open(t)) })
	}
}

// patience bounds what takes no time: it is only ever used up by a bug.
const patience = 2 * time.Minute

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing came", what)
		panic("unreachable")
	}
}

// after returns an entry that continues prev.
func after(prev *journal.Entry, facts ...journal.Fact) *journal.Entry {
	return &journal.Entry{Epoch: prev.Epoch, Seq: prev.Seq + 1, ID: journal.NewID(), Prev: prev.ID,
		Time: time.Now().UTC().Round(0), Facts: facts}
}

func invalidated(ref string) journal.Fact {
	return journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "E1", CallerReference: ref, Items: []string{"/a b/*", "/é?x=\"<&>\""}}}
}

// genesis returns entry 1.
func genesis(t *testing.T, l journal.Log) *journal.Entry {
	t.Helper()
	entries, err := l.Read(within(t), 1, 1)
	if err != nil || len(entries) != 1 {
		t.Fatalf("Read(1) = %v, %v", entries, err)
	}
	return entries[0]
}

// fill appends n entries after e and returns the last.
func fill(t *testing.T, l journal.Log, e *journal.Entry, n int) *journal.Entry {
	t.Helper()
	for range n {
		e = after(e, invalidated(fmt.Sprint(e.Seq)))
		if err := l.Append(within(t), e); err != nil {
			t.Fatalf("append %d: %v", e.Seq, err)
		}
	}
	return e
}

func testGenesis(t *testing.T, s Subject) {
	e := genesis(t, s.Log)
	if e.Seq != 1 || e.Prev != "" || e.Epoch == "" || e.ID == "" || len(e.Facts) != 0 {
		t.Fatalf("genesis: %+v", e)
	}
	if more, err := s.Log.Read(within(t), 2, 10); err != nil || len(more) != 0 {
		t.Fatalf("after the genesis: %v, %v", more, err)
	}
}

func testAppendRead(t *testing.T, s Subject) {
	e := genesis(t, s.Log)
	var want []*journal.Entry
	for i := range 20 {
		e = after(e, invalidated(fmt.Sprint(i)), journal.Fact{Tick: &journal.Tick{}})
		want = append(want, e)
		if err := s.Log.Append(within(t), e); err != nil {
			t.Fatal(err)
		}
	}
	for from := uint64(2); from <= 22; {
		got, err := s.Log.Read(within(t), from, 7)
		if err != nil || len(got) > 7 {
			t.Fatalf("Read(%d, 7): %d entries, %v", from, len(got), err)
		}
		if len(got) == 0 {
			if from != 22 {
				t.Fatalf("the log ends before %d", from)
			}
			break
		}
		for _, g := range got {
			same(t, g, want[from-2])
			from++
		}
	}
	if got, err := s.Log.Read(within(t), 1000, 7); err != nil || len(got) != 0 {
		t.Fatalf("far beyond the end: %v, %v", got, err)
	}
}

func same(t *testing.T, got, want *journal.Entry) {
	t.Helper()
	g, err := journal.Encode(got)
	w, err2 := journal.Encode(want)
	if err = errors.Join(err, err2); err != nil || string(g) != string(w) {
		t.Fatalf("got  %s\nwant %s\n%v", g, w, err)
	}
}

func testSlotTaken(t *testing.T, s Subject) {
	g := genesis(t, s.Log)
	won, lost := after(g, invalidated("a")), after(g, invalidated("b"))
	if err := s.Log.Append(within(t), won); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*journal.Entry{lost, won, g} {
		if err := s.Log.Append(within(t), e); !errors.Is(err, journal.ErrSlotTaken) {
			t.Errorf("append to taken slot %d: %v", e.Seq, err)
		}
	}
	got, err := s.Log.Read(within(t), 1, 10)
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	same(t, got[1], won)
}

func testBeyond(t *testing.T, s Subject) {
	e := after(genesis(t, s.Log), invalidated("a"))
	e.Seq = 7
	if err := s.Log.Append(within(t), e); !errors.Is(err, journal.ErrBroken) {
		t.Fatalf("append beyond the end: %v", err)
	}
}

// testStrayed: the number alone does not make an entry the next. It may have been decided on a log that was in the place of this one.
func testStrayed(t *testing.T, s Subject) {
	first := genesis(t, s.Log)
	for n := range uint64(3) {
		stray := after(first, invalidated("stray"))
		stray.Prev = journal.NewID()
		if err := s.Log.Append(within(t), stray); !errors.Is(err, journal.ErrBroken) {
			t.Fatalf("an entry %d that continues another: %v", stray.Seq, err)
		}
		next := after(first, invalidated(strings.Repeat("large", int(n)*journal.MaxEntry/12)))
		if err := s.Log.Append(within(t), next); err != nil {
			t.Fatal(err)
		}
		first = next
	}
	if all, err := s.Log.Read(within(t), 1, 10); err != nil || len(all) != 4 || all[3].ID != first.ID {
		t.Fatalf("%d entries, %v", len(all), err)
	}
}

func testTooLarge(t *testing.T, s Subject) {
	g := genesis(t, s.Log)
	big := after(g, invalidated(strings.Repeat("x", journal.MaxEntry)))
	if err := s.Log.Append(within(t), big); !errors.Is(err, journal.ErrTooLarge) {
		t.Fatalf("append of too much: %v", err)
	}
	most := after(g, invalidated(""))
	b, err := journal.Encode(most)
	if err != nil {
		t.Fatal(err)
	}
	most.Facts[0].Invalidated.CallerReference = strings.Repeat("x", journal.MaxEntry-len(b))
	if err := s.Log.Append(within(t), most); err != nil {
		t.Fatalf("append of the most that is allowed: %v", err)
	}
	got, err := s.Log.Read(within(t), 2, 1)
	if err != nil || len(got) != 1 {
		t.Fatalf("%d, %v", len(got), err)
	}
	same(t, got[0], most)
}

// testContenders: of several who want a slot exactly one gets it, and the chain stays whole.
func testContenders(t *testing.T, s Subject) {
	const writers, slots = 4, 25
	prev := genesis(t, s.Log)
	for range slots {
		entries := make([]*journal.Entry, writers)
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for i := range writers {
			entries[i] = after(prev, invalidated(fmt.Sprint(i)))
			wg.Go(func() { errs[i] = s.Log.Append(within(t), entries[i]) })
		}
		wg.Wait()
		var winner *journal.Entry
		for i, err := range errs {
			switch {
			case err == nil && winner == nil:
				winner = entries[i]
			case !errors.Is(err, journal.ErrSlotTaken):
				t.Fatalf("slot %d: contender %d: %v", prev.Seq+1, i, err)
			}
		}
		if winner == nil {
			t.Fatalf("slot %d: nobody won", prev.Seq+1)
		}
		got, err := s.Log.Read(within(t), prev.Seq+1, 2)
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		same(t, got[0], winner)
		prev = winner
	}
}

func testCanceled(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Log.Read(ctx, 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Read: %v", err)
	}
	if err := s.Log.Append(ctx, after(genesis(t, s.Log))); err == nil {
		t.Error("Append with a canceled context succeeded")
	}
	if _, err := s.Log.Probe(ctx); err == nil {
		t.Error("Probe with a canceled context succeeded")
	}
}

func testClosed(t *testing.T, s Subject) {
	e := after(genesis(t, s.Log))
	for range 2 {
		if err := s.Log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx := within(t)
	_, readErr := s.Log.Read(ctx, 1, 1)
	_, liveErr := s.Log.Live(func(*journal.Entry) {})
	_, acksErr := s.Log.Acks(func(journal.Ack) {})
	_, probeErr := s.Log.Probe(ctx)
	_, serveErr := s.Log.ServeProbes(func(context.Context) (uint64, error) { return 0, nil })
	for name, err := range map[string]error{
		"Read": readErr, "Live": liveErr, "Acks": acksErr, "Probe": probeErr, "ServeProbes": serveErr,
		"Append": s.Log.Append(ctx, e), "Ack": s.Log.Ack(ctx, journal.Ack{Edge: "a"}),
	} {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testReopen(t *testing.T, s Subject) {
	if s.Reopen == nil {
		t.Skip("this log does not outlive its process")
	}
	e := genesis(t, s.Log)
	var want []*journal.Entry
	for i := range 4 {
		for range 10 {
			e = after(e, invalidated(fmt.Sprint(e.Seq)))
			want = append(want, e)
			if err := s.Log.Append(within(t), e); err != nil {
				t.Fatal(err)
			}
		}
		s.Log = s.Reopen(t, i%2 == 1)
		got, err := s.Log.Read(within(t), 2, 100)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d of %d entries, %v", len(got), len(want), err)
		}
		for i := range got {
			same(t, got[i], want[i])
		}
	}
}
