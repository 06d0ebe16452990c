package journal_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

func TestTick_Coalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 100 * time.Millisecond})
		start := time.Now()
		if z, err := w.Tick(t.Context()); z != 2 || err != nil || time.Since(start) != 0 {
			t.Fatalf("first: %d, %v after %v", z, err, time.Since(start))
		}
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				if z, err := w.Tick(t.Context()); z != 3 || err != nil {
					t.Errorf("%d: %d, %v", i, z, err)
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Fatalf("answered after %v", d)
		}
		// A real commit in the window serves as well, and saves the tick.
		wg.Go(func() {
			if z, err := w.Tick(t.Context()); z != 4 || err != nil {
				t.Errorf("%d, %v", z, err)
			}
		})
		synctest.Wait()
		if e, err := w.Commit(t.Context(), ref("a")); err != nil || e.Seq != 4 {
			t.Fatal(e, err)
		}
		wg.Wait()
		time.Sleep(time.Second)
		if l.Last() != 4 {
			t.Fatalf("%d entries", l.Last())
		}
	})
}

// Who can wait does so for a real entry, or for somebody who waits for less: then one Tick serves both.
func TestTickWithin_WaitsForNoLongerThanAnybodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 100 * time.Millisecond})
		if _, err := w.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var wg sync.WaitGroup
		ask := func(want uint64, after time.Duration, tick func() (uint64, error)) {
			wg.Go(func() {
				if z, err := tick(); z != want || err != nil || time.Since(start) != after {
					t.Errorf("%d, %v after %v, not %d after %v", z, err, time.Since(start), want, after)
				}
			})
			synctest.Wait()
		}
		patient := func() (uint64, error) { return w.TickWithin(t.Context(), time.Second) }
		ask(3, 100*time.Millisecond, patient)
		ask(3, 100*time.Millisecond, func() (uint64, error) { return w.Tick(t.Context()) })
		ask(3, 100*time.Millisecond, patient)
		wg.Wait()
		time.Sleep(2 * time.Second)
		if l.Last() != 3 {
			t.Fatalf("%d entries: who was patient has appended too", l.Last())
		}
		ask(4, 2100*time.Millisecond, patient) // the last one is longer ago than that
		wg.Wait()
		ask(5, 3100*time.Millisecond, patient)
		wg.Wait()
	})
}

// A tick is an entry that was appended after the call, also when the append before it had just begun.
func TestTick_NotAnsweredByAnAppendThatHadBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &slow{Log: memory.New(), took: time.Second}
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		go w.Commit(t.Context(), ref("a"))
		synctest.Wait()
		if z, err := w.Tick(t.Context()); z != 3 || err != nil {
			t.Fatal(z, err)
		}
	})
}

// The leader of a batch waits for its turn while a commit takes the batch along: one entry serves both.
func TestTick_TakenAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		var wg sync.WaitGroup
		e, err := w.Commit(t.Context(), func() ([]journal.Fact, error) {
			wg.Go(func() {
				if z, err := w.Tick(t.Context()); z != 2 || err != nil {
					t.Error(z, err)
				}
			})
			synctest.Wait()
			return ref("a")()
		})
		wg.Wait()
		if err != nil || e.Seq != 2 || l.Last() != 2 {
			t.Fatal(e, err, l.Last())
		}
	})
}

// The others of a batch do not suffer when its leader gives up, neither before its time nor while it waits
// for its turn.
func TestTick_LeaderGivesUp(t *testing.T) {
	for _, busy := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := &slow{Log: memory.New()}
			w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: time.Minute})
			if _, err := w.Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := uint64(3)
			var wg sync.WaitGroup
			if busy {
				time.Sleep(time.Hour) // the window is over
				l.took = time.Second
				want = 4
				wg.Go(func() { w.Commit(t.Context(), ref("a")) })
				synctest.Wait()
			}
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() {
				if _, err := w.Tick(ctx); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
			synctest.Wait()
			wg.Go(func() {
				if z, err := w.Tick(t.Context()); z != want || err != nil {
					t.Error(z, err)
				}
			})
			synctest.Wait()
			cancel()
			wg.Wait()
		})
	}
}
