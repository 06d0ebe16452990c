package jetstream

import (
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

// BenchmarkCatchUp reads, decodes and checks a log from its beginning.
func BenchmarkCatchUp(b *testing.B) {
	const entries = 5000
	l := benchLog(b)
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	for i := range entries {
		if _, err := w.Commit(b.Context(), fact(i)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := journal.NewWriter(journal.WriterConfig{Log: l}).CatchUp(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/entries, "µs/entry")
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
