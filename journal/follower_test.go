package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/journaltest"
	"github.com/warmfront/warmfront/journal/memory"
)

// following is a follower in a synctest bubble, with what it did.
type following struct {
	*journal.Follower
	mu      sync.Mutex
	applied []*journal.Entry // since the last reset
	resets  []string
	reads   int
	said    bytes.Buffer // Run's
}

func follow(t *testing.T, l *memory.Log, from journal.Position) *following {
	f := &following{}
	f.Follower = journal.NewFollower(journal.FollowerConfig{Log: counted{l, f}, From: from, Logger: slog.New(slog.NewTextHandler(&f.said, nil)),
		Apply: func(entries []*journal.Entry) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.applied = append(f.applied, entries...)
		},
		Reset: func(reason string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.resets, f.applied = append(f.resets, reason), nil
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return f
}

// counted counts the reads.
type counted struct {
	*memory.Log
	f *following
}

func (c counted) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	c.f.mu.Lock()
	c.f.reads++
	c.f.mu.Unlock()
	return c.Log.Read(ctx, from, max)
}

// count returns how many reads there were.
func (f *following) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// check demands that exactly the log was applied since the last reset, up to its end.
func (f *following) check(t *testing.T, l *memory.Log, first uint64, resets int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	want, err := l.Read(context.Background(), first, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.applied) != len(want) {
		t.Fatalf("applied %d entries, the log has %d from %d on", len(f.applied), len(want), first)
	}
	for i, e := range want {
		if journal.PositionOf(f.applied[i]) != journal.PositionOf(e) {
			t.Fatalf("applied %v, the log has %v", journal.PositionOf(f.applied[i]), journal.PositionOf(e))
		}
	}
	if len(f.resets) != resets {
		t.Fatalf("resets: %q", f.resets)
	}
	if n := len(want); n > 0 && f.Position() != journal.PositionOf(want[n-1]) {
		t.Fatalf("position %v", f.Position())
	}
}

func write(t *testing.T, l *memory.Log, n int) {
	t.Helper()
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	for range n {
		if _, err := w.Commit(t.Context(), tick); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
}

func TestE1_FollowsByPushAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		write(t, l, 2000)
		f := follow(t, l, journal.Position{})
		f.check(t, l, 1, 0)
		reads := f.count()
		write(t, l, 100)
		f.check(t, l, 1, 0)
		if f.count() != reads {
			t.Fatalf("%d reads for entries that were pushed", f.count()-reads)
		}
	})
}

func TestE1_FromAPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		write(t, l, 9)
		all, err := l.Read(t.Context(), 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		f := follow(t, l, journal.PositionOf(all[4]))
		f.check(t, l, 6, 0)

		// A position that the log never had.
		p := journal.PositionOf(all[4])
		p.ID = journal.NewID()
		f = follow(t, l, p)
		time.Sleep(time.Second)
		synctest.Wait()
		f.check(t, l, 1, 1)
	})
}

func TestE1_LostPushIsReadAtTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		f := follow(t, l, journal.Position{})
		l.SetFaults(memory.Faults{Push: func(e *journal.Entry) memory.Push {
			if e.Seq%3 != 0 {
				return memory.Dropped
			}
			return memory.Delivered
		}})
		write(t, l, 101) // the last pushed is 102 = the last
		f.check(t, l, 1, 0)
	})
}

func TestE1_LostLastPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		f := follow(t, l, journal.Position{})
		l.SetFaults(memory.Faults{Push: func(e *journal.Entry) memory.Push { return memory.Dropped }})
		write(t, l, 3)
		if f.Position().Seq != 1 {
			t.Fatal("followed without pushes")
		}
		f.Behind(4) // as the answer to a probe says
		synctest.Wait()
		f.check(t, l, 1, 0)

		write(t, l, 3)
		time.Sleep(10 * time.Second) // the safety read
		synctest.Wait()
		f.check(t, l, 1, 0)

		reads := f.count()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := f.count() - reads; n != 6 {
			t.Fatalf("%d reads in a minute in which nothing happened", n)
		}
	})
}

// What comes while Apply takes its time is applied together, in order.
func TestE1_WhatComesMeanwhileIsAppliedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		release := make(chan struct{})
		var calls []string
		f := journal.NewFollower(journal.FollowerConfig{Log: l, Every: time.Hour, Apply: func(entries []*journal.Entry) {
			call := ""
			for _, e := range entries {
				call += fmt.Sprint(e.Seq, " ")
			}
			if calls = append(calls, call); entries[0].Seq == 2 {
				<-release
			}
		}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		synctest.Wait()
		write(t, l, 1)
		synctest.Wait()
		write(t, l, 4)
		if at := f.Position().Seq; at != 1 {
			t.Errorf("stands at %d before 2 is applied", at)
		}
		close(release)
		synctest.Wait()
		if want := []string{"1 ", "2 ", "3 4 5 6 "}; !slices.Equal(calls, want) || f.Position().Seq != 6 {
			t.Errorf("applied %q, want %q; stands at %d", calls, want, f.Position().Seq)
		}
		cancel()
		<-done
	})
}

// What does not fit into the mailbox is read, also when nothing is pushed after it.
func TestE1_MailboxOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		release := make(chan struct{})
		var n int
		f := journal.NewFollower(journal.FollowerConfig{Log: l, Every: time.Hour, Apply: journaltest.Each(func(e *journal.Entry) {
			if n++; e.Seq == 2 {
				<-release
			}
		})})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		synctest.Wait()
		write(t, l, 5000)
		close(release)
		synctest.Wait()
		if n != 5001 || f.Position().Seq != 5001 {
			t.Fatalf("applied %d, at %v", n, f.Position())
		}
		cancel()
		<-done
	})
}

// E1: an edge whose log was rolled back or replaced drops everything and begins anew.
func TestE1_BrokenChain(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, l *memory.Log){
		"rolled back, noticed by the safety read": func(t *testing.T, l *memory.Log) { l.RollBack(5); time.Sleep(11 * time.Second) },
		"rolled back and grown, fewer":            func(t *testing.T, l *memory.Log) { l.RollBack(5); write(t, l, 2); time.Sleep(time.Second) },
		"rolled back and grown to the same":       func(t *testing.T, l *memory.Log) { l.RollBack(5); write(t, l, 6); time.Sleep(time.Second) },
		"rolled back and grown beyond":            func(t *testing.T, l *memory.Log) { l.RollBack(5); write(t, l, 60); time.Sleep(time.Second) },
		"replaced":                                func(t *testing.T, l *memory.Log) { l.Replace(); write(t, l, 20); time.Sleep(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := memory.New()
				write(t, l, 10)
				f := follow(t, l, journal.Position{})
				f.check(t, l, 1, 0)
				spoil(t, l)
				synctest.Wait()
				f.check(t, l, 1, 1)
			})
		})
	}
}

// A straggler of an earlier life, or a forgery, is not worth a cache.
func TestE1_OnlyReadsBreakTheChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		write(t, l, 5)
		f := follow(t, l, journal.Position{})
		for _, e := range []*journal.Entry{
			{Epoch: "other", Seq: 7, ID: "x", Prev: "y"},
			{Epoch: f.Position().Epoch, Seq: 7, ID: "x", Prev: "y"},
			{Epoch: f.Position().Epoch, Seq: 6, ID: "x", Prev: "y"},
			{Epoch: f.Position().Epoch, Seq: 2, ID: "x", Prev: "y"},
			{Epoch: f.Position().Epoch, Seq: 9999, ID: "x", Prev: "y"},
		} {
			l.Push(e)
			synctest.Wait()
			f.check(t, l, 1, 0)
		}
	})
}

// away is a log from which everything comes late, in order.
type away struct {
	*memory.Log
	way time.Duration
}

func (a away) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	time.Sleep(a.way)
	defer time.Sleep(a.way)
	return a.Log.Read(ctx, from, max)
}

func (a away) Live(deliver func(*journal.Entry)) (stop func(), err error) {
	type parcel struct {
		due time.Time
		e   *journal.Entry
	}
	on := make(chan parcel, 1000)
	go func() {
		for p := range on {
			time.Sleep(time.Until(p.due))
			deliver(p.e)
		}
	}()
	unsubscribe, err := a.Log.Live(func(e *journal.Entry) { on <- parcel{time.Now().Add(a.way), e} })
	return func() { unsubscribe(); close(on) }, err
}

// Each read takes several entries' time, so there is something new whenever one is answered. What an edge has applied
// is yet never older than the way.
func TestE1_FarAwayItIsNoLaterThanThePushes(t *testing.T) {
	const way, every = 150 * time.Millisecond, 20 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		write(t, l, 1000)
		at := map[uint64]time.Time{}
		var mu sync.Mutex
		f := journal.NewFollower(journal.FollowerConfig{Log: away{l, way}, Apply: journaltest.Each(func(e *journal.Entry) {
			mu.Lock()
			defer mu.Unlock()
			at[e.Seq] = time.Now()
		})})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		time.Sleep(3 * time.Second) // three reads: there is more than one answer brings
		written := map[uint64]time.Time{}
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		for i := range 1500 { // 30 s: three safety reads
			if _, err := w.Commit(t.Context(), tick); err != nil {
				t.Error(err)
			}
			written[l.Last()] = time.Now()
			if i%100 == 0 {
				f.Behind(l.Last())
			}
			time.Sleep(every)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for seq, began := range written {
			if late := at[seq].Sub(began); late > way {
				t.Errorf("entry %d was applied after %v, %v is the way", seq, late, way)
				break
			}
		}
		cancel()
		<-done
	})
}

// A push that is lost while the log is read is missed by that read, and found by the next.
func TestE1_PushLostWhileItReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		lose := false
		l.SetFaults(memory.Faults{Push: func(*journal.Entry) memory.Push {
			if lose {
				return memory.Dropped
			}
			return memory.Delivered
		}})
		f := journal.NewFollower(journal.FollowerConfig{Log: away{l, time.Second}, Every: time.Hour, Apply: func([]*journal.Entry) {}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		time.Sleep(5 * time.Second)
		f.Look()
		time.Sleep(1500 * time.Millisecond) // it has been read, and the answer is under way
		lose = true
		write(t, l, 1)
		lose = false
		write(t, l, 2)
		time.Sleep(5 * time.Second)
		if at := f.Position().Seq; at != l.Last() {
			t.Errorf("at %d of %d", at, l.Last())
		}
		cancel()
		<-done
	})
}

func TestFollower_UnreadableLogIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		l.SetFaults(memory.Faults{Read: func(uint64) error { return journal.ErrDamaged }})
		f := follow(t, l, journal.Position{})
		time.Sleep(time.Minute)
		if f.Position().Seq != 0 || f.count() < 12 || f.count() > 30 {
			t.Fatalf("%v after %d reads", f.Position(), f.count())
		}
		synctest.Wait()
		if n := strings.Count(f.said.String(), "journal cannot be followed"); n != 1 {
			t.Errorf("it was said %d times: %s", n, &f.said)
		}
		l.SetFaults(memory.Faults{})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		f.check(t, l, 1, 0)
	})
}

func TestFollower_ClosedLog(t *testing.T) {
	l := memory.New()
	l.Close()
	f := journal.NewFollower(journal.FollowerConfig{Log: l, Apply: func([]*journal.Entry) {}})
	if err := f.Run(t.Context()); !errors.Is(err, journal.ErrClosed) {
		t.Fatal(err)
	}
}

// TestE1_Property: whatever happens to the pushes, each entry is applied once and in order, and the follower
// arrives.
func TestE1_Property(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 4))
			l := memory.New()
			fate := rand.New(rand.NewPCG(seed, 5)) // of the faults, which the log calls one at a time
			var old []*journal.Entry
			l.SetFaults(memory.Faults{
				Push: func(e *journal.Entry) memory.Push {
					old = append(old, e)
					return []memory.Push{memory.Delivered, memory.Delivered, memory.Dropped, memory.Held}[fate.IntN(4)]
				},
				Read: func(uint64) error {
					if fate.IntN(8) == 0 {
						return errors.New("no answer")
					}
					return nil
				},
			})
			f := follow(t, l, journal.Position{})
			w := journal.NewWriter(journal.WriterConfig{Log: l})
			for range 200 {
				switch rnd.IntN(8) {
				case 0:
					l.Release()
				case 1: // again, and out of order
					for range rnd.IntN(4) {
						if len(old) > 0 {
							l.Push(old[rnd.IntN(len(old))])
						}
					}
				case 2:
					time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
				case 3:
					f.Behind(rnd.Uint64N(2 * l.Last()))
				default:
					w.Commit(t.Context(), tick) // may fail to catch up: then it is tried at the next turn
				}
				if rnd.IntN(3) == 0 {
					synctest.Wait()
				}
			}
			l.SetFaults(memory.Faults{})
			l.Release()
			time.Sleep(20 * time.Second)
			synctest.Wait()
			f.check(t, l, 1, 0)
		})
	}
}
