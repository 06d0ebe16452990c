package memory_test

import (
	"slices"
	"testing"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/journaltest"
	"github.com/warmfront/warmfront/journal/memory"
)

func TestLog(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) journaltest.Subject {
		l := memory.New()
		return journaltest.Subject{Log: l, Running: true, Compact: func(t *testing.T, tail int, kept func(*journal.Entry) bool) journal.Log {
			base := l.Last() - uint64(tail) + 1
			all, err := l.Read(t.Context(), 1, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			l.Compact(base, slices.DeleteFunc(all, func(e *journal.Entry) bool { return e.Seq >= base || !kept(e) }))
			return l
		}}
	})
}
