package edge

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
	"github.com/warmfront/warmfront/origin"
)

// cutOff lets the edge hear nothing of the journal any more.
func (w *world) cutOff() {
	w.log.SetFaults(journalmemory.Faults{
		Probe: func() error { return errors.New("cut off") },
		Push:  func(*journal.Entry) journalmemory.Push { return journalmemory.Dropped },
		Read:  func(uint64) error { return errors.New("cut off") },
		Ack:   func(journal.Ack) bool { return true },
	})
}

func (w *world) reconnect() { w.log.SetFaults(journalmemory.Faults{}) }

func TestP2_NothingIsServedBeforeJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		join := w.config.Join
		may := make(chan struct{})
		w.config.Join = func(ctx context.Context, j journal.EdgeJoined) error {
			select {
			case <-may:
				return join(ctx, j)
			default:
				return errors.New("control plane is away")
			}
		}
		w.configure(nil)
		w.start()
		defer w.stop()
		w.origin.on("/a", ok("v1"))
		w.expect("503 CapacityExceeded page", "/a")
		w.wantWhy("CapacityExceeded not-member")
		if w.edge.Ready() == nil {
			t.Error("ready")
		}
		close(may)
		w.settle(10 * time.Second)
		w.expect("200 Miss v1", "/a")
		if err := w.edge.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestP2_LeavesAfterTheLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.configure(nil)
		w.start()
		w.stop()
		entries, _ := w.log.Read(context.Background(), 1, 100)
		last := entries[len(entries)-1]
		if len(last.Facts) != 1 || last.Facts[0].EdgeLeft == nil {
			t.Errorf("the last entry is %+v, want EdgeLeft", last.Facts)
		}
		w.expect("503 CapacityExceeded page", "/a")
	})
}

func TestP2_AnotherIncarnationTakesOver(t *testing.T) {
	story(t, func(w *world) {
		w.commit(journal.Fact{EdgeJoined: &journal.EdgeJoined{Edge: "FRA50-1", Incarnation: "other"}})
		w.expect("503 CapacityExceeded page", "/a")
	})
}

func TestL5_WithoutTheJournalHitsAreRevalidated(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", `ETag: "1"`), status(304, ""))
		w.expect("200 Miss v1", "/a")
		w.cutOff()
		w.settle(29 * time.Second) // the object is younger than L, whatever the lease says
		w.expect("200 Hit v1", "/a")
		w.settle(10 * time.Second)
		w.expect("200 RefreshHit v1", "/a") // fenced: older than L, and so is the last proof
		w.expect("200 Hit v1", "/a")        // micro-TTL: fetched within L
		if w.edge.Ready() == nil {
			t.Error("ready without a lease")
		}
		w.settle(31 * time.Second)
		w.expect("200 RefreshHit v1", "/a")
		w.reconnect()
		w.settle(time.Minute)
		if err := w.edge.Ready(); err != nil {
			t.Fatal(err)
		}
		w.expect("200 Hit v1", "/a")
	})
}

func TestL5_StaleOnErrorObeysTheLease(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", `ETag: "1"`, "Cache-Control: max-age=3600"), status(502, "down"))
		w.expect("200 Miss v1", "/a")
		w.cutOff()
		w.settle(40 * time.Second)
		w.expect("502 Error down", "/a") // fresh by its own lifetime, but not known to be alive
	})
}

func TestL5_FetchThatTakesLongerThanTheLease(t *testing.T) {
	story(t, func(w *world) {
		slow := &reply{react: func(*origin.Request) *reply { time.Sleep(40 * time.Second); return ok("old") }}
		w.origin.on("/a", slow)
		w.cutOff()
		w.settle(40 * time.Second)
		v := w.ask("/a")
		w.settle(10 * time.Minute)
		v.is(t, "503 CapacityExceeded page")
		w.wantWhy("CapacityExceeded lease-lost")
	})
}

func TestI3_RuleMissedWhileCutOffIsHeardBeforeHitsReturn(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.cutOff()
		w.invalidate("/a")
		w.expect("200 Hit v1", "/a") // within L: the invalidation is not Completed yet
		w.settle(31 * time.Second)   // by now it may be
		w.expect("200 Miss v2", "/a")
		w.reconnect()
		w.settle(time.Minute)
		// Its stamp is the position that was known then: the rule that is heard of now kills it too.
		w.expect("200 Miss v2", "/a")
		w.expect("200 Hit v2", "/a")
	})
}

func TestS5_BeforeTheFirstProbeNothingStoredIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.configure(nil)
		w.log.SetFaults(journalmemory.Faults{Probe: func() error { return errors.New("no probe yet") }})
		w.start()
		defer w.stop()
		w.origin.on("/a", ok("v1"), ok("v2"), ok("v3"))
		w.expect("200 Miss v1", "/a")
		w.expect("200 Miss v2", "/a")
		w.wantWhy("Miss lease-lost")
		w.reconnect()
		w.settle(10 * time.Second)
		w.expect("200 Hit v2", "/a")
	})
}

func TestE1_ReplacedLogDropsEverything(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		old := w.object("/a")
		flying, gate := gated(ok("v1"))
		w.origin.on("/b", flying, ok("v2"))
		v := w.ask("/b")

		w.log.Replace()
		w.writer = journal.NewWriter(journal.WriterConfig{Log: w.log, Apply: func(*journal.Entry) {}})
		if err := w.writer.CatchUp(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.configure(nil)
		w.settle(time.Minute) // found out, read anew, joined again
		close(gate)
		synctest.Wait()
		v.is(t, "503 CapacityExceeded page")
		if w.object("/a") != nil {
			t.Error("the cache was not dropped")
		}
		w.store.Put(old) // as a late store would
		w.expect("200 Miss v2", "/a")
		w.expect("200 Hit v2", "/a")
		w.expect("200 Miss v2", "/b")
	})
}

func TestE1_RolledBackLogDropsEverything(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.invalidate("/other")
		w.log.RollBack(w.log.Last() - 1)
		w.writer = journal.NewWriter(journal.WriterConfig{Log: w.log, Apply: func(*journal.Entry) {}})
		if err := w.writer.CatchUp(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.commit(journal.Fact{Tick: &journal.Tick{}}) // takes the number again
		w.settle(time.Minute)
		w.expect("200 Miss v2", "/a")
	})
}

// Who finds that the journal has lost what it had acknowledged says that once more before it joins what there is now: the control plane may not know.
func TestP3_RepeatsWhatIsLostBeforeItJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.configure(nil)
		var found time.Time // when the loss is found
		var lost, joins atomic.Int64
		repeated := int64(-1) // how often it had joined when it said once more what is lost
		w.log.SetFaults(journalmemory.Faults{Ack: func(a journal.Ack) bool {
			if !found.IsZero() && time.Since(found) < ackEvery/2 && a.Seq == uint64(lost.Load()) {
				repeated = joins.Load()
			}
			return false
		}})
		join := w.config.Join
		w.config.Join = func(ctx context.Context, j journal.EdgeJoined) error {
			joins.Add(1)
			return join(ctx, j)
		}
		w.start()
		lost.Store(int64(w.invalidate("/a")))
		w.settle(ackEvery + ackEvery/4)
		w.log.RollBack(w.log.Last() - 1)
		w.writer = journal.NewWriter(journal.WriterConfig{Log: w.log, Apply: func(*journal.Entry) {}})
		if err := w.writer.CatchUp(context.Background()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		found = time.Now()
		w.commit(journal.Fact{Tick: &journal.Tick{}}) // now, and not when something is repeated anyway
		w.settle(time.Minute)
		synctest.Wait()
		if joins.Load() != 2 || repeated != 1 {
			t.Errorf("it has joined %d times, and said once more what is lost after %d", joins.Load(), repeated)
		}
		w.stop()
	})
}

func TestE4_ReceiptsCountWhatWasFreed(t *testing.T) {
	story(t, func(w *world) {
		for _, p := range []string{"/img/a", "/img/b", "/c"} {
			w.origin.on(p, ok("0123456789"))
			w.expect("200 Miss 0123456789", p)
		}
		w.invalidate("/img/*")
		r, known := w.edge.Receipt("D1", "I/img/*")
		if !known || r.Objects != 2 || r.Bytes != 20 || r.Swept.IsZero() || r.Applied.IsZero() {
			t.Errorf("receipt %+v, known %v: want 2 objects of 20 bytes, swept", r, known)
		}
		if _, known := w.edge.Receipt("D1", "nobody"); known {
			t.Error("a receipt for nothing")
		}
		w.expect("200 Hit 0123456789", "/c")
	})
}

func TestE4_ReceiptsCountWhatARequestFound(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.get("/a")
		w.invalidate("/a")
		w.get("/a")
		if r, _ := w.edge.Receipt("D1", "I/a"); r.Objects != 1 {
			t.Errorf("receipt %+v: want one object", r)
		}
	}, unswept)
}

func TestE4_DeletedDistributionGivesItsMemoryBack(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.get("/a")
		w.commit(journal.Fact{DistributionDeleted: &journal.DistributionDeleted{ID: "D1"}})
		w.expect("403 Error page", "/a")
		w.wantWhy("Error unknown-host")
		if n := w.edge.Stats().Cache.Objects; n != 0 {
			t.Errorf("%d objects left", n)
		}
	})
}

func TestE2_UnreadableItemDropsEverything(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.get("/a")
		w.invalidate("no slash")
		w.expect("200 Miss v2", "/a")
	})
}

func TestE3_TicksAreAcknowledgedWithoutWaitingForHeads(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.get("/a")
		slow := w.askAs(&viewer{holdHead: make(chan struct{})}, "/a")
		seq := w.commit(journal.Fact{Tick: &journal.Tick{}})
		// Not at once, nobody waits for it; but with the next repetition.
		if w.settle(ackEvery + 50*time.Millisecond); w.ackedUpTo() < seq {
			t.Error("a Tick waits for a head that it could not forbid")
		}
		close(slow.holdHead)
	})
}

func TestP4_SelfFence(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.expect("200 Miss v1", "/a")
		w.cutOff()
		w.settle(70 * time.Second)
		w.expect("503 CapacityExceeded page", "/a") // not even what is fetched now
		w.reconnect()
		w.settle(time.Minute)
		w.expect("200 Hit v1", "/a")
	}, func(w *world) { w.config.Timing = journal.Timing{SelfFence: time.Minute} })
}

func TestP2_LeavesAfterHeadsOfReplacedSnapshots(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.get("/a")
		slow := &viewer{holdHead: make(chan struct{})}
		w.askAs(slow, "/a")
		w.invalidate("/a") // decided before, and not written yet
		var left atomic.Bool
		w.edge.cfg.Leave = func(context.Context, journal.EdgeLeft) error { left.Store(true); return nil }
		stopped := make(chan struct{})
		go func() { w.stop(); close(stopped) }()
		synctest.Wait()
		if left.Load() {
			t.Error("it has left, and a head is still to be written that was decided without the rule")
		}
		close(slow.holdHead)
		<-stopped
		if !left.Load() {
			t.Error("it has not left")
		}
		w.stop = func() {}
	})
}

// An edge is stopped that has asked to join, and has not read that it has. It is a member all the same, and nobody must wait for it.
func TestP2_LeavesThoughItsJoinWasNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.configure(nil)
		var away atomic.Bool
		join := w.config.Join
		w.log.SetFaults(journalmemory.Faults{
			Push: func(*journal.Entry) journalmemory.Push { return journalmemory.Dropped },
			Read: func(uint64) error {
				if away.Load() {
					return errors.New("cut off")
				}
				return nil
			},
		})
		w.config.Join = func(ctx context.Context, j journal.EdgeJoined) error {
			away.Store(true)
			return join(ctx, j)
		}
		w.start()
		if w.edge.Stats().Joined {
			t.Fatal("it knows that it has joined")
		}
		away.Store(false)
		w.stop()
		entries, err := w.log.Read(context.Background(), w.log.Last(), 1)
		if err != nil || len(entries) != 1 || entries[0].Facts[0].EdgeLeft == nil {
			t.Fatalf("the journal ends with %+v, %v", entries, err)
		}
	})
}

// A join acknowledges all that is before it, and nothing of the new log kills what was decided on the old one.
func TestP2_JoinsAnotherLogAfterTheHeadsOfTheOldOne(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.get("/a")
		slow := w.askAs(&viewer{holdHead: make(chan struct{})}, "/a")
		var joined atomic.Bool
		w.edge.cfg.Join = func(context.Context, journal.EdgeJoined) error { joined.Store(true); return nil }
		w.log.Replace()
		w.edge.follower.Look()
		w.settle(500 * time.Millisecond)
		if w.edge.Ready() == nil || joined.Load() {
			t.Errorf("it has joined the new log, and a head is still to be written that was decided on the old one")
		}
		close(slow.holdHead)
		w.settle(time.Second)
		if !joined.Load() {
			t.Error("it has not joined the new log")
		}
	})
}

// A journal loses its end, and with it a join that this edge had not read yet: for the edge the chain goes on.
func TestP2_AJoinThatTheLogHasLostIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		join, joins := w.config.Join, 0
		w.config.Join = func(ctx context.Context, j journal.EdgeJoined) error {
			if joins++; joins == 1 {
				return nil // and it is lost
			}
			return join(ctx, j)
		}
		w.configure(nil)
		w.start()
		defer w.stop()
		w.settle(10 * time.Second)
		if err := w.edge.Ready(); err != nil {
			t.Fatal(err)
		}
		w.settle(time.Minute)
		if joins != 2 {
			t.Errorf("%d joins, want 2", joins)
		}
	})
}

// The answer to a join is lost and an operator ends the membership: as who it was the edge is refused from then on.
func TestP2_WhoHasLeftJoinsAsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		join, first := w.config.Join, ""
		w.config.Join = func(ctx context.Context, j journal.EdgeJoined) error {
			if j.Incarnation == first {
				return errors.New("has left")
			}
			if first != "" {
				return join(ctx, j)
			}
			first = j.Incarnation
			return errors.Join(join(ctx, j), w.config.Leave(ctx, journal.EdgeLeft{Edge: j.Edge, Incarnation: first}), errors.New("no answer"))
		}
		w.configure(nil)
		w.start()
		defer w.stop()
		w.settle(20 * time.Second)
		if err := w.edge.Ready(); err != nil {
			t.Fatal(err)
		}
	})
}

// The log is replaced while a join is under way, which then comes into the new log.
func TestP2_AMemberDoesNotJoinAgain(t *testing.T) {
	story(t, func(w *world) {
		gate := make(chan struct{})
		join := w.edge.cfg.Join
		var joins atomic.Int64
		w.edge.cfg.Join = func(ctx context.Context, j journal.EdgeJoined) error {
			joins.Add(1)
			<-gate
			w.writer = journal.NewWriter(journal.WriterConfig{Log: w.log}) // W4: the one before has stopped
			err := join(ctx, j)
			time.Sleep(100 * time.Millisecond) // the answer comes later than the entry
			return err
		}
		for range 2 {
			w.log.Replace()
			w.edge.follower.Look()
			w.settle(time.Second)
		}
		close(gate)
		w.settle(10 * time.Second)
		if w.edge.snap.Load().joined != true || joins.Load() != 1 {
			t.Errorf("a member: %v, after %d joins, want one", w.edge.snap.Load().joined, joins.Load())
		}
	})
}
