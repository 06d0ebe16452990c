package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// tick returns the facts that these tests append where it does not matter which.
func tick() ([]journal.Fact, error) { return []journal.Fact{{Tick: &journal.Tick{}}}, nil }

func ref(name string) func() ([]journal.Fact, error) {
	return func() ([]journal.Fact, error) {
		return []journal.Fact{{Invalidated: &journal.Invalidated{CallerReference: name}}}, nil
	}
}

// refs counts the references in the log.
func refs(t *testing.T, l *memory.Log) map[string]int {
	t.Helper()
	entries, err := l.Read(context.Background(), 1, 100000)
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	var at journal.Position
	for _, e := range entries {
		if v := at.Judge(e); v != journal.Next {
			t.Fatalf("%d after %v: %v", e.Seq, at, v)
		}
		at = journal.PositionOf(e)
		for _, f := range e.Facts {
			if f.Invalidated != nil {
				n[f.Invalidated.CallerReference]++
			}
		}
	}
	return n
}

// W3: an append whose answer is lost is one entry, whether it was stored or not.
func TestW3_DoubtIsResolvedByTheSlot(t *testing.T) {
	for _, fault := range []memory.AppendFault{memory.LostAck, memory.Lost} {
		synctest.Test(t, func(t *testing.T) {
			l := memory.New()
			times := 3
			l.SetFaults(memory.Faults{Append: func(*journal.Entry) memory.AppendFault {
				if times--; times >= 0 {
					return fault
				}
				return memory.Stored
			}})
			var applied []*journal.Entry
			w := journal.NewWriter(journal.WriterConfig{Log: l, Apply: func(e *journal.Entry) { applied = append(applied, e) }})
			e, err := w.Commit(t.Context(), ref("a"))
			if err != nil || e.Seq != 2 || w.Position() != journal.PositionOf(e) {
				t.Fatalf("fault %d: %v, %v", fault, e, err)
			}
			if n := refs(t, l); n["a"] != 1 || len(applied) != 2 {
				t.Fatalf("fault %d: %d in the log, %d applied", fault, n["a"], len(applied))
			}
		})
	}
}

// W3: while an append is in doubt, another writer takes the slot: decided again, not lost and not doubled.
func TestW3_AnotherTakesTheSlotInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		mine, err := l.Read(t.Context(), 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		theirs := &journal.Entry{Epoch: mine[0].Epoch, Seq: 2, ID: journal.NewID(), Prev: mine[0].ID}
		first := true
		l.SetFaults(memory.Faults{Append: func(e *journal.Entry) memory.AppendFault {
			if first {
				first = false
				return memory.Lost
			}
			return memory.Stored
		}, Read: func(from uint64) error {
			if !first && theirs != nil { // the writer comes to look at the slot: just before, it is taken
				e := theirs
				theirs = nil
				go l.Append(context.Background(), e)
				return errors.New("no answer")
			}
			return nil
		}})
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		decided := 0
		e, err := w.Commit(t.Context(), func() ([]journal.Fact, error) { decided++; return ref("a")() })
		if err != nil || e.Seq != 3 || decided != 2 {
			t.Fatalf("%+v, %v, decided %d times", e, err, decided)
		}
		if n := refs(t, l); n["a"] != 1 {
			t.Fatal(n)
		}
	})
}

func TestW3_DoubtThatOutlastsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		if err := w.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.SetFaults(memory.Faults{
			Append: func(*journal.Entry) memory.AppendFault { return memory.LostAck },
			Read:   func(uint64) error { return errors.New("no answer") },
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := w.Commit(ctx, ref("a")); !errors.Is(err, journal.ErrDoubt) {
			t.Fatal(err)
		}
		l.SetFaults(memory.Faults{})
		// The next commit learns what became of it.
		e, err := w.Commit(t.Context(), ref("b"))
		if err != nil || e.Seq != 3 {
			t.Fatalf("%+v, %v", e, err)
		}
		if n := refs(t, l); n["a"] != 1 || n["b"] != 1 {
			t.Fatal(n)
		}
	})
}

func TestWriter_FullDiskIsNoDoubt(t *testing.T) {
	l := memory.New()
	full := true
	l.SetFaults(memory.Faults{Append: func(*journal.Entry) memory.AppendFault {
		if full {
			return memory.Full
		}
		return memory.Stored
	}})
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	if _, err := w.Commit(t.Context(), tick); !errors.Is(err, journal.ErrFull) || errors.Is(err, journal.ErrDoubt) {
		t.Fatal(err)
	}
	full = false
	if e, err := w.Commit(t.Context(), tick); err != nil || e.Seq != 2 {
		t.Fatal(e, err)
	}
}

// W4: the writer of a log that was rolled back or replaced stops for good.
func TestW4_RolledBack(t *testing.T) {
	for name, spoil := range map[string]func(l *memory.Log){
		"shorter":     func(l *memory.Log) { l.RollBack(3) },
		"no log":      func(l *memory.Log) { l.RollBack(0) },
		"another one": func(l *memory.Log) { l.Replace() },
		"grown again": func(l *memory.Log) {
			l.RollBack(3)
			other := journal.NewWriter(journal.WriterConfig{Log: l})
			for range 5 {
				if _, err := other.Commit(context.Background(), tick); err != nil {
					panic(err)
				}
			}
		},
	} {
		l := memory.New()
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		for range 4 {
			if _, err := w.Commit(t.Context(), tick); err != nil {
				t.Fatal(err)
			}
		}
		spoil(l)
		last := l.Last()
		for range 2 {
			if _, err := w.Commit(t.Context(), tick); !errors.Is(err, journal.ErrBroken) {
				t.Errorf("%s: commit: %v", name, err)
			}
		}
		if err := w.CatchUp(t.Context()); !errors.Is(err, journal.ErrBroken) {
			t.Errorf("%s: catch up: %v", name, err)
		}
		if _, err := w.Tick(t.Context()); !errors.Is(err, journal.ErrBroken) {
			t.Errorf("%s: tick: %v", name, err)
		}
		if err := w.Run(t.Context()); !errors.Is(err, journal.ErrBroken) {
			t.Errorf("%s: run: %v", name, err)
		}
		if l.Last() != last {
			t.Errorf("%s: written to", name)
		}
	}
}

// Who was away while the log was compacted ends, too: its fold lacks what is gone. But nothing is broken, and its words say so; of a log that is
// another one they do not.
func TestW4_CompactedMeanwhile(t *testing.T) {
	for at, words := range map[uint64]string{ // 0: another log was followed
		0: "chain broken", 1: "reads what was kept", 3: "reads what was kept", 5: "reads what was kept", 6: "", 9: "",
	} {
		l := memory.New()
		late := journal.NewWriter(journal.WriterConfig{Log: l})
		grow := func(to uint64) {
			t.Helper()
			for other := journal.NewWriter(journal.WriterConfig{Log: l}); l.Last() < to; {
				if _, err := other.Commit(t.Context(), tick); err != nil {
					t.Fatal(err)
				}
			}
		}
		grow(max(at, 1))
		if err := late.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if at == 0 {
			l.Replace()
		}
		grow(9)
		all, err := l.Read(t.Context(), 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		l.Compact(6, []*journal.Entry{all[0], all[2]})
		_, err = late.Commit(t.Context(), tick)
		switch {
		case words == "" && err != nil:
			t.Errorf("at %d: %v", at, err)
		case words != "" && (!errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), words)):
			t.Errorf("at %d: %v, and not %s", at, err, words)
		}
		if again := journal.NewWriter(journal.WriterConfig{Log: l}); again.CatchUp(t.Context()) != nil || again.Position().Seq != l.Last() {
			t.Errorf("at %d: started again it stands at %d of %d", at, again.Position().Seq, l.Last())
		}
	}
}

// A log that is whole again may hold what others wrote meanwhile; who saw it broken does not write.
func TestW4_ForGood(t *testing.T) {
	l := memory.New()
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	l.SetFaults(memory.Faults{Read: func(uint64) error { return journal.ErrBroken }})
	if err := w.CatchUp(t.Context()); !errors.Is(err, journal.ErrBroken) {
		t.Fatal(err)
	}
	l.SetFaults(memory.Faults{})
	if _, err := w.Commit(t.Context(), tick); !errors.Is(err, journal.ErrBroken) {
		t.Fatal(err)
	}
}

// L8 under everything at once: several writers, lost answers, lost appends, unreadable slots.
func TestWriters_OneEntryPerReferenceUnderFaults(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			l := memory.New()
			rnd := rand.New(rand.NewPCG(seed, 3)) // used by the faults only, which the log calls one at a time
			l.SetFaults(memory.Faults{
				Append: func(*journal.Entry) memory.AppendFault {
					return []memory.AppendFault{0, 0, memory.Lost, memory.LostAck}[rnd.IntN(4)]
				},
				Read: func(uint64) error {
					if rnd.IntN(4) == 0 {
						return errors.New("no answer")
					}
					return nil
				},
			})
			var wg sync.WaitGroup
			for range 3 {
				var mu sync.Mutex
				used := map[string]bool{}
				w := journal.NewWriter(journal.WriterConfig{Log: l, Apply: func(e *journal.Entry) {
					mu.Lock()
					defer mu.Unlock()
					for _, f := range e.Facts {
						used[f.Invalidated.CallerReference] = true
					}
				}})
				for i := range 10 {
					wg.Go(func() {
						name := fmt.Sprint(i)
						for {
							_, err := w.Commit(t.Context(), func() ([]journal.Fact, error) {
								mu.Lock()
								defer mu.Unlock()
								if used[name] {
									return nil, nil
								}
								return ref(name)()
							})
							if err == nil {
								return
							}
						}
					})
				}
			}
			wg.Wait()
			l.SetFaults(memory.Faults{})
			n := refs(t, l)
			for name, times := range n {
				if times != 1 {
					t.Errorf("seed %d: reference %s is in the log %d times", seed, name, times)
				}
			}
			if len(n) != 10 {
				t.Errorf("seed %d: %d references", seed, len(n))
			}
		})
	}
}

// The fold can be read while an append takes its time.
func TestWriter_ReadersDoNotWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &slow{Log: memory.New(), took: time.Hour}
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		start := time.Now()
		go w.Commit(t.Context(), tick)
		synctest.Wait() // in the append
		if w.Position().Seq != 1 || time.Since(start) != 0 {
			t.Fatal(w.Position(), time.Since(start))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if w.Position().Seq != 2 {
			t.Fatal(w.Position())
		}
	})
}

// slow takes its time to append.
type slow struct {
	*memory.Log
	took time.Duration
}

func (l *slow) Append(ctx context.Context, e *journal.Entry) error {
	time.Sleep(l.took)
	return l.Log.Append(context.WithoutCancel(ctx), e)
}

// Run folds what others append, also when no push arrives.
func TestWriterRun_FollowsOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		a := journal.NewWriter(journal.WriterConfig{Log: l})
		b := journal.NewWriter(journal.WriterConfig{Log: l})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := a.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		commit := func() {
			t.Helper()
			if _, err := b.Commit(ctx, tick); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if commit(); a.Position() != b.Position() {
			t.Fatal(a.Position(), b.Position())
		}
		l.SetFaults(memory.Faults{Push: func(*journal.Entry) memory.Push { return memory.Dropped }})
		if commit(); a.Position() == b.Position() {
			t.Fatal("followed without a push")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if a.Position() != b.Position() {
			t.Fatal(a.Position(), b.Position())
		}
		cancel()
		wg.Wait()
	})
}

// replica is one replica of a log, which has no more than its first entries until something is appended by way of it.
type replica struct {
	*memory.Log
	has    atomic.Uint64
	asked  atomic.Int64 // for the end
	silent atomic.Bool  // nobody answers that
}

func (r *replica) MayLag() bool { return true }

// End is known to the one that leads, and then comes here.
func (r *replica) End(ctx context.Context) (uint64, error) {
	r.asked.Add(1)
	if r.silent.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	end := r.Log.Last()
	r.has.Store(max(r.has.Load(), end))
	return end, nil
}

func (r *replica) Append(ctx context.Context, e *journal.Entry) error {
	r.has.Store(math.MaxUint64)
	return r.Log.Append(ctx, e)
}

func (r *replica) Read(ctx context.Context, from uint64, most int) ([]*journal.Entry, error) {
	entries, err := r.Log.Read(ctx, from, most)
	for len(entries) > 0 && entries[len(entries)-1].Seq > r.has.Load() {
		entries = entries[:len(entries)-1]
	}
	return entries, err
}

// That there is nothing to do is as wrong as a refusal, if it comes from what a replica that is behind has: what was accepted by
// another node is to be undone, and this one would say that it is.
func TestWriter_NothingToDoIsCertain(t *testing.T) {
	l := memory.New()
	a := journal.NewWriter(journal.WriterConfig{Log: l})
	if _, err := a.Commit(t.Context(), ref("on")); err != nil {
		t.Fatal(err)
	}
	behind := &replica{Log: l}
	behind.has.Store(1)
	on := false
	b := journal.NewWriter(journal.WriterConfig{Log: behind, Apply: func(e *journal.Entry) { on = on || len(e.Facts) > 0 && e.Facts[0].Invalidated != nil }})
	e, err := b.Commit(t.Context(), func() ([]journal.Fact, error) {
		if !on {
			return nil, nil
		}
		return ref("off")()
	})
	if err != nil || e == nil {
		t.Fatalf("it is off, says one that did not know that it is on: %v, %v", e, err)
	}
	end := b.Position().Seq
	for _, commit := range []func() (*journal.Entry, error){
		func() (*journal.Entry, error) {
			return b.Commit(t.Context(), func() ([]journal.Fact, error) { return nil, journal.ErrMoot })
		},
		func() (*journal.Entry, error) {
			e, _, err := b.Together(t.Context(), 1, func([]journal.Fact) ([]journal.Fact, error) { return nil, journal.ErrMoot })
			return e, err
		},
	} {
		if e, err := commit(); e != nil || err != nil || b.Position().Seq != end {
			t.Errorf("%v, %v, at %d: nothing can change that it is moot", e, err, b.Position().Seq)
		}
	}
}

// distrusted counts how often it was said of a log that it is to be doubted.
type distrusted struct {
	journal.Log
	found int
}

func (d *distrusted) Doubt() bool    { return false }
func (d *distrusted) Doubted() error { d.found++; return errors.New("no disk") }
func (d *distrusted) Settled() error { return nil }

// W4: a node that has found its log broken is started again. What it knew is gone with it, but for what the log keeps.
func TestW4_IsKept(t *testing.T) {
	for broken, want := range map[bool]int{true: 1, false: 0} {
		l := memory.New()
		log := &distrusted{Log: l}
		w := journal.NewWriter(journal.WriterConfig{Log: log})
		for range 4 {
			if _, err := w.Commit(t.Context(), tick); err != nil {
				t.Fatal(err)
			}
		}
		if broken {
			l.RollBack(3)
		} else { // compacted further than it had read
			other := journal.NewWriter(journal.WriterConfig{Log: l})
			for range 5 {
				if _, err := other.Commit(t.Context(), tick); err != nil {
					t.Fatal(err)
				}
			}
			l.Compact(8, nil)
		}
		for range 2 {
			if _, err := w.Commit(t.Context(), tick); !errors.Is(err, journal.ErrBroken) || strings.Contains(err.Error(), "no disk") != broken {
				t.Errorf("broken: %t: %v", broken, err)
			}
		}
		if log.found != want {
			t.Errorf("broken: %t: it is said to be doubted %d times, not %d", broken, log.found, want)
		}
	}
}

// short is a log whose reads bring two entries, and one of them fails.
type short struct {
	*memory.Log
	reads, fails int
}

func (s *short) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	if s.reads++; s.reads == s.fails {
		return nil, errors.New("not now")
	}
	return s.Log.Read(ctx, from, min(max, 2))
}

// A writer that has not read all that a compaction has kept finds no entry in the slot behind: there never will be one.
func TestWriter_WithinWhatWasKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		grown := journal.NewWriter(journal.WriterConfig{Log: l})
		for range 8 {
			if _, err := grown.Commit(t.Context(), tick); err != nil {
				t.Fatal(err)
			}
		}
		all, err := l.Read(t.Context(), 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		l.Compact(7, []*journal.Entry{all[0], all[2], all[4]})
		w := journal.NewWriter(journal.WriterConfig{Log: &short{Log: l, fails: 2}})
		if err := w.CatchUp(t.Context()); err == nil || w.Position().Seq != 3 {
			t.Fatalf("%v, at %v", err, w.Position())
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if e, err := w.Commit(ctx, tick); err != nil || e.Seq != 10 || time.Since(began) > time.Second {
			t.Errorf("%+v, %v, after %v", e, err, time.Since(began))
		}
	})
}
