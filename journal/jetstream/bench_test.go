package jetstream

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/journaltest"
)

// BenchmarkCommit is what an API call that changes something waits for: decided, synced, applied.
func BenchmarkCommit(b *testing.B) {
	l := benchLog(b)
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := w.Commit(b.Context(), fact(1)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	report(b, "commit", took)
}

// BenchmarkPublishToApplied is from the decision until three followers have applied the entry.
func BenchmarkPublishToApplied(b *testing.B) {
	l := benchLog(b)
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	applied := make(chan uint64, 100)
	const edges = 3
	for range edges {
		f := journal.NewFollower(journal.FollowerConfig{Log: l, Apply: journaltest.Each(func(e *journal.Entry) { applied <- e.Seq })})
		go f.Run(b.Context())
		<-applied
	}
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := w.Commit(b.Context(), fact(1)); err != nil {
			b.Fatal(err)
		}
		for range edges {
			<-applied
		}
		took = append(took, time.Since(start))
	}
	report(b, "applied", took)
}

// BenchmarkCatchUp follows a log from its beginning: half of a million entries are invalidations, half say Completed.
func BenchmarkCatchUp(b *testing.B) {
	const entries = 1_000_000
	dir := b.TempDir()
	long(b, dir, entries)
	p := newPKI(b)
	for _, remote := range []bool{false, true} {
		b.Run(map[bool]string{false: "in process", true: "over TLS"}[remote], func(b *testing.B) {
			c := Config{Dir: dir}
			if remote {
				c.Network = p.network(b)
			}
			l := open(b, c)
			defer l.Close()
			var from journal.Log = l
			if remote {
				desk(b, l, Desk{})
				r := p.dial(b, l.Addr(), "FRA50-1")
				connected(b, r)
				from = r
			}
			for b.Loop() {
				ctx, cancel := context.WithCancel(b.Context())
				f := journal.NewFollower(journal.FollowerConfig{Log: from, Apply: func(all []*journal.Entry) {
					if all[len(all)-1].Seq >= entries {
						cancel()
					}
				}})
				f.Behind(entries)
				f.Run(ctx)
				cancel()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/million")
		})
	}
}

// long makes a log of so many entries.
func long(b *testing.B, dir string, entries int) {
	b.Helper()
	c, lock, err := hold(Config{Dir: dir, bulk: true, first: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer lock.Close()
	l, err := openHeld(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for last, n := journal.Genesis(time.Now()), 1; ; n++ {
		encoded, err := journal.Encode(last)
		if err == nil && n%fillEntries > 0 && n < entries {
			err = l.nc.PublishMsg(message(last.Seq, encoded))
		} else if err == nil {
			err = l.appendAt(b.Context(), last.Seq, last) // the ones before are on their way
		}
		if err != nil {
			b.Fatal(err)
		}
		if n == entries {
			return
		}
		last = &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Time: time.Now().UTC()}
		if last.Seq%2 == 0 {
			last.Facts = []journal.Fact{{Invalidated: &journal.Invalidated{DistributionID: "EDFDVBD6EXAMPLE", InvalidationID: "I2J0I21PCUYOIK",
				CallerReference: fmt.Sprint("deploy-2026-11-26T00:00:00Z-", last.Seq), Items: []string{fmt.Sprintf("/images/%d/*", last.Seq)}, CreateTime: last.Time,
				By: journal.Actor{User: "ops@example.com", AccessKey: "AKIAIOSFODNN7EXAMPLE", Address: "192.0.2.17"}}}}
		} else {
			last.Facts = []journal.Fact{{Completed: &journal.Completed{UpTo: last.Seq - 1, At: last.Time}}}
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		l, err := Open(b.Context(), Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}

func benchLog(b *testing.B) *Log {
	l, err := Open(b.Context(), Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

func report(b *testing.B, what string, took []time.Duration) {
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*p/100].Microseconds()), fmt.Sprintf("µs-%s-p%d", what, p))
	}
}
