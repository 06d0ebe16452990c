package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// together proposes a reference, as control does: none is used twice.
func together(ctx context.Context, w *journal.Writer, used func(string) bool, name string) (*journal.Entry, int, error) {
	return w.Together(ctx, len(name), func(before []journal.Fact) ([]journal.Fact, error) {
		if used(name) {
			return nil, nil
		}
		for _, f := range before {
			if f.Invalidated != nil && f.Invalidated.CallerReference == name {
				return nil, journal.ErrNext
			}
		}
		return ref(name)()
	})
}

// Those that come while an entry is on its way are the next entry, all of them, each with its own place there.
func TestTogether_WaitersShareTheNextEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		hold := make(chan struct{})
		l.SetFaults(memory.Faults{Append: func(e *journal.Entry) memory.AppendFault {
			if e.Seq == 2 {
				<-hold
			}
			return memory.Stored
		}})
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		var all sync.WaitGroup
		seen := make([]string, 11)
		propose := func(i int) {
			all.Go(func() {
				e, first, err := together(t.Context(), w, func(string) bool { return false }, fmt.Sprint(i))
				if err != nil {
					t.Errorf("%d: %v", i, err)
					return
				}
				if got := e.Facts[first].Invalidated.CallerReference; got != fmt.Sprint(i) {
					t.Errorf("%d: its fact is that of %s", i, got)
				}
				seen[i] = fmt.Sprintf("%d/%d", e.Seq, len(e.Facts))
			})
		}
		propose(0)
		synctest.Wait()
		for i := range 10 {
			propose(i + 1)
			synctest.Wait()
		}
		close(hold)
		all.Wait()
		if want := "2/1" + strings.Repeat(" 3/10", 10); strings.Join(seen, " ") != want {
			t.Errorf("entry and its facts: %v, not %s", seen, want)
		}
	})
}

// What a disk full, a broken log, a caller who has gone mean for the members of a group.
func TestTogether_EachHearsWhatBecameOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		hold := make(chan struct{})
		l.SetFaults(memory.Faults{Append: func(e *journal.Entry) memory.AppendFault {
			if e.Seq == 2 {
				<-hold
			}
			return memory.Stored
		}})
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		no := errors.New("no")
		gone, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		heard := map[string]error{}
		var mu sync.Mutex
		propose := func(ctx context.Context, name string, decide func([]journal.Fact) ([]journal.Fact, error)) {
			all.Go(func() {
				e, _, err := w.Together(ctx, 1, decide)
				mu.Lock()
				defer mu.Unlock()
				if heard[name] = err; (err == nil && name != "nothing") != (e != nil) {
					t.Errorf("%s: %v with %v", name, err, e)
				}
			})
			synctest.Wait()
		}
		good := func([]journal.Fact) ([]journal.Fact, error) { return ref("good")() }
		propose(t.Context(), "first", good)
		propose(t.Context(), "good", good)
		propose(gone, "gone", good)
		propose(t.Context(), "refused", func([]journal.Fact) ([]journal.Fact, error) { return nil, no })
		propose(t.Context(), "nothing", func([]journal.Fact) ([]journal.Fact, error) { return nil, nil })
		leave()
		synctest.Wait()
		close(hold)
		all.Wait()
		for name, want := range map[string]error{"first": nil, "good": nil, "gone": context.Canceled, "refused": no, "nothing": nil} {
			if !errors.Is(heard[name], want) {
				t.Errorf("%s: %v, not %v", name, heard[name], want)
			}
		}
		if n := refs(t, l); n["good"] != 2 {
			t.Errorf("%d facts, two were accepted", n["good"])
		}
	})
}

// An append that is refused is refused for all of its group, and no more than that: the next one goes on.
func TestTogether_ATooLargeOneFailsAlone(t *testing.T) {
	w := journal.NewWriter(journal.WriterConfig{Log: memory.New()})
	huge := strings.Repeat("x", journal.MaxEntry)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			name := fmt.Sprint(i)
			if i%10 == 0 {
				name += huge
			}
			_, _, err := together(t.Context(), w, func(string) bool { return false }, name)
			if errors.Is(err, journal.ErrTooLarge) != (i%10 == 0) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// Together too large for an entry is nobody's fault: each is refused only if it is so by itself, whatever was said of weights.
func TestTogether_TooLargeTogetherIsSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		hold := make(chan struct{})
		l.SetFaults(memory.Faults{Append: func(e *journal.Entry) memory.AppendFault {
			if e.Seq == 2 {
				<-hold
			}
			return memory.Stored
		}})
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		var all sync.WaitGroup
		propose := func(i, size int, want error) {
			all.Go(func() {
				name := fmt.Sprint(i) + strings.Repeat("x", size)
				e, first, err := w.Together(t.Context(), 1, func([]journal.Fact) ([]journal.Fact, error) { return ref(name)() })
				if !errors.Is(err, want) || err == nil && e.Facts[first].Invalidated.CallerReference != name {
					t.Errorf("%d: %v, not %v", i, err, want)
				}
			})
			synctest.Wait()
		}
		propose(0, 0, nil)
		for i, size := range []int{0, 600 << 10, 0, 600 << 10, journal.MaxEntry, 600 << 10, 0} {
			propose(i+1, size, []error{nil, journal.ErrTooLarge}[size/journal.MaxEntry])
		}
		close(hold)
		all.Wait()
		if n := refs(t, l); len(n) != 7 {
			t.Errorf("%d were accepted, not 7", len(n))
		}
	})
}

// Many with few references, on two writers, with lost answers: one fact each, and each caller hears of the right one.
func TestTogether_OneFactPerReference(t *testing.T) {
	l := memory.New()
	r := rand.New(rand.NewPCG(3, 1))
	var mu sync.Mutex
	l.SetFaults(memory.Faults{Append: func(*journal.Entry) memory.AppendFault {
		mu.Lock()
		defer mu.Unlock()
		return []memory.AppendFault{memory.Stored, memory.Stored, memory.Lost, memory.LostAck}[r.IntN(4)]
	}})
	var all sync.WaitGroup
	for range 2 {
		var known sync.Map
		w := journal.NewWriter(journal.WriterConfig{Log: l, Apply: func(e *journal.Entry) {
			for _, f := range e.Facts {
				if f.Invalidated != nil {
					known.Store(f.Invalidated.CallerReference, true)
				}
			}
		}})
		used := func(name string) bool { _, ok := known.Load(name); return ok }
		for i := range 120 {
			all.Go(func() {
				name := fmt.Sprint(i % 30)
				e, first, err := together(t.Context(), w, used, name)
				if err != nil || e != nil && e.Facts[first].Invalidated.CallerReference != name {
					t.Errorf("%s: %v, %v", name, e, err)
				}
			})
		}
	}
	all.Wait()
	n := refs(t, l)
	for i := range 30 {
		if n[fmt.Sprint(i)] != 1 {
			t.Errorf("%d facts of %d", n[fmt.Sprint(i)], i)
		}
	}
}
