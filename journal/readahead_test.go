package journal_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// distant is a log whose reads take a while, and bring at most so much.
type distant struct {
	*memory.Log
	way  time.Duration
	most int

	mu         sync.Mutex
	under      int
	peak, last int                 // reads under way, where the last one began
	begins     func(read int) bool // called when a read begins, counted from 1; false: it fails
	reads      int
}

func (d *distant) Read(ctx context.Context, from uint64, most int) ([]*journal.Entry, error) {
	d.mu.Lock()
	d.under++
	d.reads++
	d.peak = max(d.peak, d.under)
	d.last = max(d.last, int(from))
	fails := d.begins != nil && !d.begins(d.reads)
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.under--
		d.mu.Unlock()
	}()
	entries, err := d.Log.Read(ctx, from, min(most, d.most))
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(d.way):
	}
	if fails {
		return nil, context.DeadlineExceeded
	}
	return entries, err
}

// filled writes a log without a writer.
func filled(t *testing.T, l *memory.Log, n int) (all []*journal.Entry) {
	t.Helper()
	genesis, err := l.Read(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	last := genesis[0]
	for all = genesis; len(all) < n; all = append(all, last) {
		last = &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Facts: []journal.Fact{{Tick: &journal.Tick{}}}}
		if err := l.Append(t.Context(), last); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// catchUp follows a distant log of so many entries that is known to end there, and returns what it did.
func catchUp(t *testing.T, d *distant, n uint64) (f *following) {
	t.Helper()
	f = &following{}
	reached := make(chan struct{})
	f.Follower = journal.NewFollower(journal.FollowerConfig{Log: d,
		Apply: func(entries []*journal.Entry) {
			f.applied = append(f.applied, entries...)
			if entries[len(entries)-1].Seq == n {
				close(reached)
			}
		},
		Reset: func(reason string) { f.resets, f.applied = append(f.resets, reason), nil },
	})
	f.Behind(n)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	select {
	case <-reached:
		synctest.Wait()
	case <-time.After(time.Hour):
		t.Error("not at the end after an hour")
	}
	cancel()
	<-done
	return f
}

// Who is far behind, and far away, has several reads under way, and none beyond what is known to be there.
func TestFollower_ReadsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 24_000
		d := &distant{Log: memory.New(), way: 100 * time.Millisecond, most: 1 << 20}
		filled(t, d.Log, n)
		began := time.Now()
		f := catchUp(t, d, n)
		f.check(t, d.Log, 1, 0)
		if took := time.Since(began); d.peak != 4 || d.last > n || took > time.Second {
			t.Errorf("%d reads at once, the last at %d, %v", d.peak, d.last, took)
		}
	})
}

// Who does not know that there is more, or waits long for an answer, asks for one thing at a time.
func TestFollower_ReadsAheadOnlyWhereItHelps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 5_000
		d := &distant{Log: memory.New(), way: time.Second, most: 1 << 20}
		filled(t, d.Log, n)
		began := time.Now()
		catchUp(t, d, n).check(t, d.Log, 1, 0)
		if took := time.Since(began); d.peak != 1 || took < 9*time.Second {
			t.Errorf("slow: %d reads at once, %v", d.peak, took)
		}
	})
}

// Whatever the answers are, it ends with the log as it is, and nothing is concluded from a read that does not join on.
func TestFollower_ReadsAheadInVain(t *testing.T) {
	for name, c := range map[string]struct {
		most   int
		begins func(d *distant, all []*journal.Entry, read int) bool
		resets int
	}{
		"short answers":            {700, nil, 0},
		"every third fails":        {1 << 20, func(_ *distant, _ []*journal.Entry, read int) bool { return read%3 > 0 }, 0},
		"compacted meanwhile":      {1 << 20, compactAt(10, 20_000), 1},
		"compacted, but behind it": {1 << 20, compactAt(10, 3_000), 0},
		"another log meanwhile":    {1 << 20, replaceAt(10), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 24_000
				d := &distant{Log: memory.New(), way: 100 * time.Millisecond, most: c.most}
				all := filled(t, d.Log, n)
				if c.begins != nil {
					d.begins = func(read int) bool { return c.begins(d, all, read) }
				}
				f := catchUp(t, d, n)
				if len(f.resets) != c.resets || len(f.applied) == 0 || f.applied[0].Seq != 1 || f.Position().Seq != n {
					t.Fatalf("resets %q, %d entries, at %v", f.resets, len(f.applied), f.Position())
				}
				if c.resets > 0 || name == "compacted, but behind it" {
					return // what it has applied before is not what is there
				}
				f.check(t, d.Log, 1, 0)
			})
		})
	}
}

func compactAt(when int, base uint64) func(*distant, []*journal.Entry, int) bool {
	return func(d *distant, all []*journal.Entry, read int) bool {
		if read == when {
			d.Log.Compact(base, all[:1])
		}
		return true
	}
}

// replaceAt puts another log into place, with other entries from some number on.
func replaceAt(when int) func(*distant, []*journal.Entry, int) bool {
	return func(d *distant, all []*journal.Entry, read int) bool {
		if read == when {
			d.Log.RollBack(10_000)
			last := all[9_999]
			for range len(all) - 10_000 {
				last = &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Facts: []journal.Fact{{Tick: &journal.Tick{}}}}
				if err := d.Log.Append(context.Background(), last); err != nil {
					panic(err)
				}
			}
		}
		return true
	}
}
