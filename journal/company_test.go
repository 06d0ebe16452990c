package journal_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// Who waits for company waits for as long as was said, all who do are then one entry, and whoever appends a group before takes them along.
func TestTogetherWithin_WaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		type done struct {
			e    *journal.Entry
			took time.Duration
			err  error
		}
		propose := func(ctx context.Context, wait time.Duration, name string) <-chan done {
			out := make(chan done, 1)
			began := time.Now()
			go func() {
				e, _, err := w.TogetherWithin(ctx, wait, 1, func([]journal.Fact) ([]journal.Fact, error) { return ref(name)() })
				out <- done{e, time.Since(began), err}
			}()
			synctest.Wait()
			return out
		}
		first, second := propose(t.Context(), time.Second, "a"), propose(t.Context(), time.Second, "b")
		a, b := <-first, <-second
		if a.err != nil || b.err != nil || a.took != time.Second || a.e != b.e || len(a.e.Facts) != 2 {
			t.Errorf("two that wait: %+v, %+v", a, b)
		}
		first = propose(t.Context(), time.Hour, "c")
		b = <-propose(t.Context(), 0, "d")
		if a = <-first; a.err != nil || a.took != 0 || a.e != b.e || len(a.e.Facts) != 2 {
			t.Errorf("one that waits and one that does not: %+v, %+v", a, b)
		}
		ctx, cancel := context.WithCancel(t.Context())
		last := l.Last()
		first = propose(ctx, time.Hour, "e")
		cancel()
		if a = <-first; !errors.Is(a.err, context.Canceled) || a.took != 0 || l.Last() != last {
			t.Errorf("one that gives up: %+v, the log ends with %d, not %d", a, l.Last(), last)
		}
	})
}
