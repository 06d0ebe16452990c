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

func TestSure_HasWhatAnotherWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		behind := &replica{Log: l}
		behind.has.Store(1)
		a, b := journal.NewWriter(journal.WriterConfig{Log: l}), journal.NewWriter(journal.WriterConfig{Log: behind})
		for range 3 {
			e, err := a.Commit(t.Context(), ref("one"))
			if err != nil {
				t.Fatal(err)
			}
			if err := b.CatchUp(t.Context()); err != nil || b.Position().Seq >= e.Seq {
				t.Fatalf("%v at %d: the replica is not behind", err, b.Position().Seq)
			}
			if err := b.Sure(t.Context()); err != nil || b.Position().Seq != e.Seq {
				t.Fatalf("%v at %d, entry %d was confirmed", err, b.Position().Seq, e.Seq)
			}
		}
		if before := l.Last(); b.Sure(t.Context()) != nil || l.Last() != before {
			t.Error("to be sure appends something")
		}

		t.Log("nobody leads")
		behind.silent.Store(true)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Sure(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sure without an answer: %v", err)
		}
		behind.silent.Store(false)
		if err := b.Sure(t.Context()); err != nil {
			t.Errorf("a question that was not answered is in the way of the next: %v", err)
		}
	})
}

// However many want to know, one question is on its way, and who comes after it was sent is not answered by it.
func TestSure_Together(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := &replica{Log: memory.New()}
		w := journal.NewWriter(journal.WriterConfig{Log: behind})
		behind.silent.Store(true)
		first, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = w.Sure(first) })
		synctest.Wait()
		for range 100 {
			all.Go(func() {
				if err := w.Sure(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := behind.asked.Load(); n != 1 {
			t.Errorf("%d questions while one is on its way", n)
		}
		behind.silent.Store(false)
		cancel()
		all.Wait()
		if n := behind.asked.Load(); n != 2 {
			t.Errorf("%d questions for those before and those after", n)
		}
	})
}

func TestSure_OneReplicaIsTheLog(t *testing.T) {
	w := journal.NewWriter(journal.WriterConfig{Log: memory.New()})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Sure(gone); err != nil {
		t.Errorf("it asks somebody: %v", err)
	}
}
