package journal_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/journaltest"
	"github.com/warmfront/warmfront/journal/memory"
)

// TestProber_KeepsTheLease walks through an outage.
func TestProber_KeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		w := journal.NewWriter(journal.WriterConfig{Log: l})
		stop, err := l.ServeProbes(w.Tick)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		start := time.Now()
		clock := func() time.Duration { return time.Since(start) }
		lease := journal.NewLease(journal.Timing{})
		f := journal.NewFollower(journal.FollowerConfig{Log: l, Every: 1000 * time.Hour, // the answers must do
			Apply: journaltest.Each(func(e *journal.Entry) { lease.Applied(e.Seq) }),
			Reset: func(string) { lease.Revoke() }})
		reconnects := 0
		p := &journal.Prober{Log: l, Lease: lease, Follower: f, Clock: clock,
			Failed: func(_ error, reconnect bool) {
				if reconnect {
					reconnects++
				}
			}}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(ctx) })
		wg.Go(func() { p.Run(ctx) })
		defer func() { cancel(); wg.Wait() }()
		fresh := func(want bool, what string) {
			t.Helper()
			synctest.Wait()
			if lease.Fresh(clock()) != want {
				t.Fatalf("%s: fresh is %v at %v", what, !want, clock())
			}
		}
		fresh(true, "at once")
		for range 10 {
			time.Sleep(10 * time.Second)
			fresh(true, "kept")
		}
		lost := func(*journal.Entry) memory.Push { return memory.Dropped }
		l.SetFaults(memory.Faults{Push: lost})
		for range 10 {
			time.Sleep(10 * time.Second)
			fresh(true, "kept without pushes")
		}
		l.SetFaults(memory.Faults{Probe: func() error { return errors.New("no answer") }})
		time.Sleep(24 * time.Second)
		fresh(true, "lease time")
		time.Sleep(7 * time.Second)
		fresh(false, "outage")
		if reconnects == 0 || !lease.Synced() {
			t.Fatal(reconnects, lease.Synced())
		}
		l.SetFaults(memory.Faults{Push: lost})
		time.Sleep(5 * time.Second)
		fresh(true, "after the outage")

		// The log is rolled back: the writer of another node goes on with it.
		l.RollBack(4)
		w2 := journal.NewWriter(journal.WriterConfig{Log: l})
		stop2, err := l.ServeProbes(w2.Tick)
		if err != nil {
			t.Fatal(err)
		}
		defer stop2()
		at := f.Position()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if p := f.Position(); p.Seq >= at.Seq || p != w2.Position() {
			t.Fatalf("follower at %v, log at %v", p, w2.Position())
		}
		time.Sleep(5 * time.Second)
		fresh(true, "in the new life")
	})
}
