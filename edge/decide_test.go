package edge

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

func TestE3_AcknowledgedOnlyWhenDecidedHeadsAreOut(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		slow := w.askAs(&viewer{holdHead: make(chan struct{})}, "/a")
		if slow.over() {
			t.Fatal("not held")
		}
		seq := w.invalidate("/a")
		w.settle(100 * time.Millisecond)
		if w.ackedUpTo() >= seq {
			t.Fatal("acknowledged while a head that was decided before is not out")
		}
		w.expect("200 Miss v2", "/a") // the rule is in force all the same
		close(slow.holdHead)
		synctest.Wait()
		if w.settle(50 * time.Millisecond); w.ackedUpTo() < seq {
			t.Error("not acknowledged although everything is out")
		}
		slow.is(t, "200 Hit v1")
	})
}

// A head that a viewer does not take is taken back after D, and only then the rule is acknowledged.
func TestE3_HeldHeadsAreCut(t *testing.T) {
	var cut func(time.Duration)
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.expect("200 Miss v1", "/a")
		slow := w.askAs(&viewer{holdHead: make(chan struct{})}, "/a")
		olds := make(chan time.Duration, 9)
		var early atomic.Bool
		var seq atomic.Uint64
		cut = func(older time.Duration) {
			olds <- older
			early.Store(early.Load() || w.ackedUpTo() >= seq.Load())
			if older == 0 { // the first attempt finds nothing that is old enough
				close(slow.holdHead)
			}
		}
		seq.Store(w.invalidate("/a"))
		w.settle(900 * time.Millisecond)
		if len(olds) != 0 {
			t.Fatal("cut before D")
		}
		w.settle(400 * time.Millisecond)
		if w.ackedUpTo() < seq.Load() || early.Load() {
			t.Errorf("acknowledged: %t; before the head was cut: %t", w.ackedUpTo() >= seq.Load(), early.Load())
		}
		if len(olds) != 2 || <-olds != 500*time.Millisecond {
			t.Error("not cut twice, first what is older than half of D")
		}
	}, func(w *world) { w.config.Cut = func(older time.Duration) { cut(older) } })
}

func TestE3_TicketDiesAfterD(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.expect("200 Miss v1", "/a")
		slow := w.askAs(&viewer{holdHead: make(chan struct{})}, "/a")
		seq := w.invalidate("/a")
		w.settle(900 * time.Millisecond)
		if w.ackedUpTo() >= seq {
			t.Fatal("acknowledged before D")
		}
		w.settle(200 * time.Millisecond)
		if w.ackedUpTo() < seq {
			t.Error("not acknowledged after D")
		}
		close(slow.holdHead)
	})
	// And what has not begun to be written by then is void.
	story(t, func(w *world) {
		k := w.edge.open()
		w.invalidate("/a")
		w.settle(900 * time.Millisecond)
		if k.dead() {
			t.Error("dead before D")
		}
		w.settle(200 * time.Millisecond)
		if !k.dead() {
			t.Error("alive after D")
		}
		k.close()
	})
}

func TestE3_StreamsDoNotHoldAcknowledgements(t *testing.T) {
	story(t, func(w *world) {
		half := ok("0123456789")
		half.rest = make(chan struct{})
		w.origin.on("/a", half)
		w.ask("/a")
		seq := w.invalidate("/*")
		if w.settle(50 * time.Millisecond); w.ackedUpTo() < seq {
			t.Error("a body under way holds up the acknowledgement")
		}
		close(half.rest)
	})
}

func TestL9_RulesFasterThanTheOrigin(t *testing.T) {
	story(t, func(w *world) {
		var rules, last atomic.Uint64
		slow := &reply{react: func(*origin.Request) *reply {
			e, _ := w.writer.Commit(context.Background(), func() ([]journal.Fact, error) {
				return []journal.Fact{{Invalidated: &journal.Invalidated{DistributionID: "D1", Items: []string{"/*"}}}}, nil
			})
			rules.Add(1)
			last.Store(e.Seq)
			time.Sleep(100 * time.Millisecond)
			return ok("fresh")
		}}
		w.origin.on("/a", slow)
		v := w.ask("/a")
		w.settle(2 * time.Second)
		v.is(t, "200 Miss fresh")
		if n := rules.Load(); n != maxRestarts+1 {
			t.Errorf("asked %d times, want %d", n, maxRestarts+1)
		}
		// The last answer was decided before the last rule, and that rule waited for it.
		if at := w.ackedUpTo(); at < last.Load() {
			t.Errorf("acknowledged %d, want %d", at, last.Load())
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if x := w.seen[len(w.seen)-1]; x.Restarts != maxRestarts {
			t.Errorf("%d restarts", x.Restarts)
		}
	})
}

func TestL9_RulesFasterThanASlowOrigin(t *testing.T) {
	story(t, func(w *world) {
		slow := &reply{react: func(*origin.Request) *reply {
			w.writer.Commit(context.Background(), func() ([]journal.Fact, error) {
				return []journal.Fact{{Invalidated: &journal.Invalidated{DistributionID: "D1", Items: []string{"/*"}}}}, nil
			})
			time.Sleep(2 * time.Second) // longer than D
			return ok("fresh")
		}}
		w.origin.on("/a", slow)
		v := w.ask("/a")
		w.settle(20 * time.Second)
		v.is(t, "503 CapacityExceeded page")
		w.wantWhy("CapacityExceeded overtaken")
	})
}

func TestS3_DecideLooksAtEverything(t *testing.T) {
	// Poison wakes the waiters of a flight before Decide can see what has changed; here Decide is alone.
	for name, change := range map[string]func(w *world){
		"a rule":          func(w *world) { w.invalidate("/a") },
		"a configuration": func(w *world) { w.configure(nil) },
		"a distribution that is gone": func(w *world) {
			w.commit(journal.Fact{DistributionDeleted: &journal.DistributionDeleted{ID: "D1"}})
		},
		"a membership that is lost": func(w *world) {
			w.commit(journal.Fact{EdgeJoined: &journal.EdgeJoined{Edge: "FRA50-1", Incarnation: "other"}})
		},
		"a journal that is another": func(w *world) { w.edge.reset("test") },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				f := w.flightFor("/a")
				w.edge.flights.hold(f) // or the sweeper would forget the rule
				defer w.edge.flights.landed(f)
				v := &visit{e: w.edge, w: &viewer{}, r: request("/a")}
				q := &query{snap: w.edge.snap.Load(), site: f.site}
				o := &cache.Object{Distribution: "D1", Subject: *f.subject.Load(), Stamp: f.stamp, Epoch: f.life, FetchStart: instant(f.began)}
				fetched := &answer{life: f.life, stamp: f.stamp, began: f.began, subject: f.subject.Load()}
				stored := &answer{life: f.life, object: o}
				for _, a := range []*answer{fetched, stored} {
					if v.decide(q, a) != found {
						t.Fatal("refused before anything has changed")
					}
				}
				v.ticket.close()
				change(w)
				for _, a := range []*answer{fetched, stored} {
					if v.decide(q, a) != again {
						t.Errorf("%s did not matter", name)
					}
				}
				v.ticket.close()
			})
		})
	}
}

// The second look in open is for an interleaving of a few nanoseconds; here it has many chances.
func TestE3_NoTicketOnWhatIsAcknowledged(t *testing.T) {
	e := still(t)
	var acked atomic.Uint64
	var g sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		g.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				k := e.open()
				if a := acked.Load(); a > k.snap.seq {
					t.Errorf("a ticket on %d while %d is acknowledged", k.snap.seq, a)
					k.close()
					return
				}
				k.close()
			}
		})
	}
	for range 20_000 {
		d := e.snap.Load().draft()
		d.seq++
		d.touch("D1")
		old, next := e.snap.Load(), d.snap()
		e.snap.Store(next)
		if !old.tickets.drain(context.Background(), time.Now().Add(time.Minute)) {
			t.Error("not drained")
		}
		acked.Store(next.seq)
	}
	close(stop)
	g.Wait()
}
