package control

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// together runs do on two control nodes that share a log, n times at once.
func together(t *testing.T, n int, prepare func(h *harness), do func(i int, h *harness)) (one, two *harness) {
	t.Helper()
	one = start(t, memory.New(), Limits{})
	two = start(t, one.log, Limits{})
	t.Cleanup(one.stop)
	t.Cleanup(two.stop)
	prepare(one)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i, []*harness{one, two}[i%2]) })
	}
	all.Wait()
	synctest.Wait()
	one.checkReplay()
	two.checkReplay()
	return one, two
}

func TestRace_OneReferenceOneInvalidation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 24
		var d *Distribution
		var ids [n]string
		var created [n]bool
		one, two := together(t, n, func(h *harness) { d = h.create("r1") }, func(i int, h *harness) {
			inv, made, err := h.CreateInvalidation(t.Context(), someone, d.ID, batch("same", "/a", "/b"))
			if err != nil {
				t.Error(err)
				return
			}
			ids[i], created[i] = inv.ID, made
		})
		made := 0
		for i := range n {
			if ids[i] != ids[0] {
				t.Errorf("ids %s and %s for one reference (I6)", ids[0], ids[i])
			}
			if created[i] {
				made++
			}
		}
		if made != 1 || strings.Count(one.facts(0), "Invalidated") != 1 {
			t.Errorf("%d were told that they created it; the log:\n%s", made, one.facts(0))
		}
		if dump(one.state) != dump(two.state) {
			t.Error("the two nodes differ")
		}
	})
}

func TestRace_OneReferenceOtherPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 12
		var d *Distribution
		var errs [n]error
		together(t, n, func(h *harness) { d = h.create("r1") }, func(i int, h *harness) {
			_, _, errs[i] = h.CreateInvalidation(t.Context(), someone, d.ID, batch("same", fmt.Sprint("/", i)))
		})
		wantOneWinner(t, errs[:], "InvalidationBatchAlreadyExists")
	})
}

func TestRace_OneETagOneUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 12
		var d *Distribution
		var errs [n]error
		together(t, n, func(h *harness) { d = h.create("r1") }, func(i int, h *harness) {
			_, errs[i] = h.UpdateDistribution(t.Context(), someone, d.ID, d.ETag, changed(d.Config, comment(fmt.Sprint(i))))
		})
		wantOneWinner(t, errs[:], "PreconditionFailed")
	})
}

func TestRace_OneAliasOneOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 12
		var errs [n]error
		together(t, n, func(*harness) {}, func(i int, h *harness) {
			_, errs[i] = h.CreateDistribution(t.Context(), someone, config(fmt.Sprint("r", i), aliases("www.example.com")), nil)
		})
		wantOneWinner(t, errs[:], "CNAMEAlreadyExists")
	})
}

func TestRace_OneNameOnePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 12
		var errs [n]error
		together(t, n, func(*harness) {}, func(i int, h *harness) {
			_, errs[i] = h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig("one", int64(i+1)))
		})
		wantOneWinner(t, errs[:], "CachePolicyAlreadyExists")
	})
}

func wantOneWinner(t *testing.T, errs []error, losers string) {
	t.Helper()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantCode(t, err, losers)
		}
	}
	if won != 1 {
		t.Errorf("%d succeeded, want one", won)
	}
}

// An append whose answer is lost, or that never arrived, is found out by its slot (W3): the caller
// sees neither, and there is one invalidation.
func TestDoubt_IsResolvedBySlot(t *testing.T) {
	for _, fault := range []memory.AppendFault{memory.LostAck, memory.Lost} {
		bubble(t, func(t *testing.T, h *harness) {
			d := h.create("r1")
			failures := 2
			h.log.SetFaults(memory.Faults{Append: func(*journal.Entry) memory.AppendFault {
				if failures > 0 {
					failures--
					return fault
				}
				return memory.Stored
			}})
			inv := h.invalidate(d, "i1", "/a")
			if again := h.invalidate(d, "i1", "/a"); again.ID != inv.ID {
				t.Errorf("%s and %s", inv.ID, again.ID)
			}
			if n := strings.Count(h.facts(0), "Invalidated"); n != 1 {
				t.Errorf("%d invalidations, want 1:\n%s", n, h.facts(0))
			}
		})
	}
}

func TestTrouble_IsNamed(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("r1")
		h.log.SetFaults(memory.Faults{Append: func(*journal.Entry) memory.AppendFault { return memory.Full }})
		_, _, err := h.CreateInvalidation(t.Context(), someone, d.ID, batch("i1", "/a"))
		wantCode(t, err, "ServiceUnavailable")

		h.log.SetFaults(memory.Faults{Append: func(*journal.Entry) memory.AppendFault { return memory.Lost }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err = h.CreateInvalidation(ctx, someone, d.ID, batch("i1", "/a"))
		wantCode(t, err, "ServiceUnavailable")
		if !strings.Contains(err.Error(), `safe to repeat it with the caller reference "i1"`) {
			t.Errorf("%v does not say how to repeat it", err)
		}
		wantCode(t, outcome(fmt.Errorf("commit: %w", journal.ErrBusy)), "Throttling")
		h.log.SetFaults(memory.Faults{})
	})
}

// A decision has no effects: when its entry cannot be stored, all is as it was.
func TestTrouble_LeavesTheStateAlone(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		p, err := h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig("mine", 60))
		if err != nil {
			t.Fatal(err)
		}
		d := h.createTagged("r1", map[string]string{"a": "b"}, cachePolicy(p.ID))
		h.log.SetFaults(memory.Faults{Append: func(*journal.Entry) memory.AppendFault { return memory.Full }})
		before := dump(h.state)
		for name, do := range map[string]func() error{
			"policy": func() error {
				_, err := h.UpdateCachePolicy(t.Context(), someone, p.ID, p.ETag, cachePolicyConfig("mine", 61))
				return err
			},
			"update": func() error {
				_, err := h.UpdateDistribution(t.Context(), someone, d.ID, d.ETag, changed(d.Config, comment("x")))
				return err
			},
			"tag": func() error { return h.Tag(t.Context(), someone, d.ARN, map[string]string{"a": "c"}) },
			"copy": func() error {
				_, err := h.CopyDistribution(t.Context(), someone, d.ID, d.ETag, &wire.CopyDistributionRequest{CallerReference: wire.Ptr("c")})
				return err
			},
		} {
			wantCode(t, do(), "ServiceUnavailable")
			if after := dump(h.state); after != before {
				t.Errorf("%s changed the state:\n%s\nwas\n%s", name, after, before)
			}
		}
	})
}

func TestRolledBackLog_EndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, memory.New(), Limits{})
		h.create("r1")
		h.log.RollBack(1)
		if _, err := h.CreateDistribution(t.Context(), someone, config("r2"), nil); code(err) != "ServiceUnavailable" {
			t.Errorf("%v, want a refusal to write (W4)", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		h.stop()
		if h.ran == nil || h.ran == context.Canceled {
			t.Errorf("Run returned %v, want what broke", h.ran)
		}
	})
}

// slowLog takes its time to store.
type slowLog struct {
	*memory.Log
	wait chan struct{}
}

func (l *slowLog) Append(ctx context.Context, e *journal.Entry) error {
	<-l.wait
	return l.Log.Append(ctx, e)
}

func TestQueries_DoNotWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{Log: memory.New(), wait: make(chan struct{}, 1)}
		c, err := New(Config{Log: log})
		if err != nil {
			t.Fatal(err)
		}
		log.wait <- struct{}{}
		d, err := c.CreateDistribution(t.Context(), someone, config("r1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, _, err := c.CreateInvalidation(t.Context(), someone, d.ID, batch("i1", "/a"))
			done <- err
		}()
		synctest.Wait() // it is at the disk now
		if _, err := c.Distribution(d.ID); err != nil {
			t.Error(err)
		}
		if p, err := c.Invalidations(d.ID, "", 0); err != nil || len(p.Items) != 0 {
			t.Errorf("%v, %v: what is not durable is not there", p.Items, err)
		}
		log.wait <- struct{}{}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// An edge asks again while it has not read its join, and an operator ends the membership in between: the edge may serve by the first
// join, and a second one would acknowledge what it has not applied (P2).
func TestJoin_OfWhoHasLeftIsNoJoin(t *testing.T) {
	bubbleLimits(t, Limits{Audit: 1}, func(t *testing.T, h *harness) {
		e := h.join("FRA50-1")
		again := journal.EdgeJoined{Edge: e.name, Location: "FRA", Incarnation: e.inc, Epoch: h.writer.Position().Epoch, After: h.log.Last() - 1}
		e.leave()
		refused := func(c *Control, when string) {
			t.Helper()
			if _, err := c.Join(t.Context(), again); code(err) != "Conflict" {
				t.Errorf("%s: the join of who has left: %v", when, err)
			}
		}
		refused(h.Control, "live")
		h.join("NRT57-1") // what the trail shows
		h.join("IAD89-1")
		x := NewExtract(h.cfg.Limits)
		for _, e := range h.entries() {
			x.Add(e)
		}
		h.log.Compact(h.log.Last(), x.Entries()[:len(x.Entries())-1])
		other := start(t, h.log, h.cfg.Limits)
		defer other.stop()
		refused(other.Control, "of a node that begins with a compacted log")

		next := again
		next.Incarnation = "next"
		if _, err := h.Join(t.Context(), next); err != nil {
			t.Errorf("another incarnation: %v", err)
		}
		h.stop()
	})
}

// A process asks to join, dies, and its successor joins: then the request comes.
func TestJoin_ThatComesLateDoesNotReplaceItsSuccessor(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		epoch := h.writer.Position().Epoch
		late := journal.EdgeJoined{Edge: "FRA50-1", Location: "FRA50", Incarnation: "one", Epoch: epoch, After: h.log.Last()}
		next := late
		next.Incarnation = "two"
		if _, err := h.Join(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Join(t.Context(), late); code(err) != "Conflict" {
			t.Errorf("a join of who has not seen the member: %v", err)
		}
		if seq, err := h.Join(t.Context(), next); err != nil || seq != h.log.Last() {
			t.Errorf("the same once more: %d, %v", seq, err)
		}
		late.After = h.log.Last() // now it has
		if _, err := h.Join(t.Context(), late); err != nil {
			t.Error(err)
		}
		elsewhere := next
		elsewhere.Epoch, elsewhere.After = "another", 1000
		if _, err := h.Join(t.Context(), elsewhere); code(err) != "Conflict" {
			t.Errorf("a join of who follows another log: %v", err)
		}
		strayed := next
		strayed.Incarnation, strayed.AfterID = "three", "lost" // as after a loss: the epoch is the same
		for _, strayed.After = range []uint64{h.log.Last(), h.log.Last() + 1} {
			if _, err := h.Join(t.Context(), strayed); code(err) != "Conflict" {
				t.Errorf("a join of who follows what was lost: %v", err)
			}
		}
		elsewhere.Epoch, elsewhere.After = "", 0
		if _, err := h.Join(t.Context(), elsewhere); err != nil {
			t.Errorf("of an earlier version, which does not say: %v", err)
		}
	})
}
