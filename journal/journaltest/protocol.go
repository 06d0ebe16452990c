package journaltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/warmfront/warmfront/journal"
)

// fold is a small control plane: the references that were used, in order.
type fold struct {
	mu   sync.Mutex
	refs map[string]uint64
	log  []*journal.Entry
}

func (f *fold) apply(e *journal.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, e)
	for _, fact := range e.Facts {
		if fact.Invalidated != nil {
			f.refs[fact.Invalidated.CallerReference] = e.Seq
		}
	}
}

func (f *fold) has(ref string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.refs[ref]
	return ok
}

func newWriter(l journal.Log) (*journal.Writer, *fold) {
	f := &fold{refs: map[string]uint64{}}
	return journal.NewWriter(journal.WriterConfig{Log: l, Apply: f.apply, TickWindow: 1}), f
}

func commit(t *testing.T, w *journal.Writer, f *fold, ref string) *journal.Entry {
	t.Helper()
	e, err := w.Commit(within(t), func() ([]journal.Fact, error) {
		if f.has(ref) {
			return nil, journal.ErrMoot
		}
		return []journal.Fact{invalidated(ref)}, nil
	})
	if err != nil {
		t.Fatalf("commit %s: %v", ref, err)
	}
	return e
}

func testWriterCommit(t *testing.T, s Subject) {
	a, fa := newWriter(s.Log)
	b, fb := newWriter(s.Log)
	if e := commit(t, a, fa, "1"); e.Seq != 2 || !fa.has("1") {
		t.Fatalf("%+v", e)
	}
	// b knows nothing of it yet, and must neither collide nor decide from what it does not know.
	if e := commit(t, b, fb, "2"); e.Seq != 3 || !fb.has("1") {
		t.Fatalf("%+v", e)
	}
	if e := commit(t, a, fa, "2"); e != nil {
		t.Fatalf("the reference was used, and again in %+v", e)
	}
	no := errors.New("no")
	if e, err := b.Commit(within(t), func() ([]journal.Fact, error) { return nil, no }); e != nil || err != no {
		t.Fatalf("refusal: %v, %v", e, err)
	}
	want := uint64(4)
	if l, ok := s.Log.(journal.Laggard); ok && l.MayLag() {
		want++ // to refuse, b had to make sure that it knew everything
	}
	z, err := a.Tick(within(t))
	if err != nil || z != want {
		t.Fatalf("tick: %d, %v", z, err)
	}
	if err := b.CatchUp(within(t)); err != nil || b.Position().Seq != want || b.Position() != a.Position() {
		t.Fatalf("%v at %v and %v", err, a.Position(), b.Position())
	}
	if len(fa.log) != int(want) || len(fb.log) != int(want) {
		t.Fatalf("applied %d and %d entries", len(fa.log), len(fb.log))
	}
}

// testReference: many requests with few references, on two writers at once, make one fact per reference (L8).
func testReference(t *testing.T, s Subject) {
	const refs, requests = 8, 6
	a, fa := newWriter(s.Log)
	b, fb := newWriter(s.Log)
	var wg sync.WaitGroup
	for r := range refs {
		for i := range requests {
			w, f := a, fa
			if i%2 == 1 {
				w, f = b, fb
			}
			wg.Go(func() { commit(t, w, f, fmt.Sprint(r)) })
		}
	}
	wg.Wait()
	for _, w := range []*journal.Writer{a, b} {
		if err := w.CatchUp(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []*fold{fa, fb} {
		if len(f.log) != 1+refs || len(f.refs) != refs {
			t.Fatalf("%d entries for %d references", len(f.log)-1, len(f.refs))
		}
	}
}

func testWriterReopen(t *testing.T, s Subject) {
	if s.Reopen == nil {
		t.Skip("this log does not outlive its process")
	}
	var last journal.Position
	for i := range 4 {
		w, f := newWriter(s.Log)
		if err := w.CatchUp(within(t)); err != nil {
			t.Fatal(err)
		}
		if i > 0 && w.Position() != last {
			t.Fatalf("at %v after reopening, was at %v", w.Position(), last)
		}
		for j := range 5 {
			commit(t, w, f, fmt.Sprint(i, j))
		}
		if len(f.refs) != (i+1)*5 {
			t.Fatalf("%d references", len(f.refs))
		}
		last = w.Position()
		s.Log = s.Reopen(t, i%2 == 0)
	}
}

// Each is a Follower's Apply that takes the entries one by one.
func Each(apply func(*journal.Entry)) func([]*journal.Entry) {
	return func(entries []*journal.Entry) {
		for _, e := range entries {
			apply(e)
		}
	}
}

// following runs a follower until the test ends and returns what it applies.
func following(t *testing.T, l journal.Log, lease *journal.Lease) (*journal.Follower, <-chan *journal.Entry) {
	applied := make(chan *journal.Entry, 10000)
	f := journal.NewFollower(journal.FollowerConfig{Log: l, Apply: Each(func(e *journal.Entry) {
		if lease != nil {
			lease.Applied(e.Seq)
		}
		applied <- e
	}), Reset: func(reason string) { t.Errorf("reset: %s", reason) }})
	running(t, f.Run)
	return f, applied
}

// running runs f until the test ends and waits for it.
func running(t *testing.T, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func testFollower(t *testing.T, s Subject) {
	const before, during = 700, 100 // before: more than one read
	last := fill(t, s.Log, genesis(t, s.Log), before)
	f, applied := following(t, s.Log, nil)
	fill(t, s.Log, last, during)
	var at journal.Position
	for range 1 + before + during {
		e := receive(t, applied, "entry")
		if v := at.Judge(e); v != journal.Next {
			t.Fatalf("applied %d after %v: %v", e.Seq, at, v)
		}
		at = journal.PositionOf(e)
	}
	if at.Seq != 1+before+during {
		t.Fatalf("at %v", at)
	}
	f.Look()
	f.Behind(at.Seq)
}

// testFresh: an edge that follows and probes becomes fresh, with no more than the protocol in between.
func testFresh(t *testing.T, s Subject) {
	w, _ := newWriter(s.Log)
	stop, err := s.Log.ServeProbes(w.Tick)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	lease := journal.NewLease(journal.Timing{})
	f, applied := following(t, s.Log, lease)
	answers := make(chan uint64, 10)
	running(t, (&journal.Prober{Log: s.Log, Lease: lease, Follower: f, Clock: journal.Uptime,
		Answered: func(z uint64, a journal.Answer) { answers <- z }}).Run)
	z := receive(t, answers, "answer")
	for e := receive(t, applied, "genesis"); e.Seq < z; {
		e = receive(t, applied, "the tick that answered the probe")
	}
	if !lease.Synced() || !lease.Fresh(journal.Uptime()) {
		t.Fatal("answered and applied, but not fresh")
	}
}
