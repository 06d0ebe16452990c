package edge

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// What began before an invalidation and ends after it is not served afterwards. Each test is one way in
// which it could slip through; the names say the law or the rule that forbids it.

func TestL2_FillBegunBeforeIsNotServedAfter(t *testing.T) {
	story(t, func(w *world) {
		old, gate := gated(ok("v1"))
		w.origin.on("/a", old, ok("v2"))
		v := w.ask("/a")
		w.invalidate("/a")
		v.is(t, "200 Miss v2") // woken at once: it does not wait for an answer that it could not use
		close(gate)
		synctest.Wait()
		w.expect("200 Hit v2", "/a")
	})
}

func TestL2_FillWhoseHeadComesInTheSameInstant(t *testing.T) {
	// Poison is a courtesy. Without it, Decide alone must refuse.
	story(t, func(w *world) {
		old := ok("v1")
		old.react = func(*origin.Request) *reply {
			r := w.writer
			r.Commit(context.Background(), func() ([]journal.Fact, error) {
				return []journal.Fact{{Invalidated: &journal.Invalidated{DistributionID: "D1", Items: []string{"/*"}}}}, nil
			})
			time.Sleep(time.Millisecond) // applied
			return ok("v1")
		}
		w.origin.on("/a", old, ok("v2"))
		v := w.ask("/a")
		w.settle(10 * time.Millisecond)
		v.is(t, "200 Miss v2")
	})
}

func TestS2_FillIsNotStoredOverARule(t *testing.T) {
	story(t, func(w *world) {
		half := ok("0123456789")
		half.rest = make(chan struct{})
		w.origin.on("/a", half, ok("v2"))
		v := w.ask("/a") // its head is out, half of its body too
		if v.over() || v.status != 200 {
			t.Fatal("the head should be out, the body not")
		}
		w.invalidate("/a")
		w.expect("200 Miss v2", "/a") // does not join what is coming
		close(half.rest)
		synctest.Wait()
		v.is(t, "200 Miss 0123456789") // it was decided before, and is complete
		w.expect("200 Hit v2", "/a")
	})
}

func TestS4_CollapsedWaitersAreSentAway(t *testing.T) {
	story(t, func(w *world) {
		old, gate := gated(ok("v1"))
		w.origin.on("/a", old, ok("v2"))
		first, second := w.ask("/a"), w.ask("/a")
		if n := w.origin.times("/a"); n != 1 {
			t.Fatalf("asked %d times, want 1: not collapsed", n)
		}
		w.invalidate("/a")
		if first.xcache() == second.xcache() || first.text() != "v2" || second.text() != "v2" {
			t.Errorf("%s %s, %s %s: want v2 twice, one of them a hit", first.xcache(), first.text(), second.xcache(), second.text())
		}
		close(gate)
		synctest.Wait()
		if n := w.origin.times("/a"); n != 2 {
			t.Errorf("asked %d times, want 2: the waiters should share the second fill too", n)
		}
	})
}

func TestS4_LateComerDoesNotJoinAnOvertakenFlight(t *testing.T) {
	story(t, func(w *world) {
		// A flight that was not poisoned: the join's own comparison must do.
		s := w.edge.snap.Load()
		gate := make(chan struct{})
		old := ok("v1")
		old.head = gate
		w.origin.on("/a", old, ok("v2"))
		f := w.flightFor("/a")
		r, b := w.edge.flights.board(f, false, false)
		if b != took {
			t.Fatal(b)
		}
		synctest.Wait()       // it has asked
		w.edge.publish.Lock() // the rule becomes true without poisoning
		d := s.draft()
		d.seq++
		x := *d.sites.of("D1")
		item, _ := invalidation.Parse("/a", invalidation.Anywhere)
		x.index = x.index.Add(d.seq, item)
		x.newest = d.seq
		d.put("D1", &x)
		w.edge.snap.Store(d.snap())
		w.edge.publish.Unlock()

		w.expect("200 Miss v2", "/a")
		close(gate)
		r.leave()
	})
}

func TestS1_RevalidationOvertakenBy304(t *testing.T) {
	story(t, func(w *world) {
		late304, gate := gated(status(304, "", `ETag: "1"`, "Cache-Control: max-age=60"))
		w.origin.on("/a", ok("v1", `ETag: "1"`, "Cache-Control: max-age=10"), late304, ok("v2", `ETag: "2"`))
		w.expect("200 Miss v1", "/a")
		w.settle(11 * time.Second)
		v := w.ask("/a")
		if got := w.origin.last().Fields.Get("If-None-Match"); got != `"1"` {
			t.Fatalf("If-None-Match %q", got)
		}
		w.invalidate("/a")
		close(gate)
		synctest.Wait()
		v.is(t, "200 Miss v2")
		if w.origin.last().Fields.Has("If-None-Match") {
			t.Error("a condition was made from a dead object (S1)")
		}
		w.expect("200 Hit v2", "/a")
	})
}

func TestS1_NoConditionFromADeadObject(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", `ETag: "1"`), ok("v2", `ETag: "1"`))
		w.expect("200 Miss v1", "/a")
		w.invalidate("/a")
		w.expect("200 Miss v2", "/a")
		w.wantWhy("Miss invalidated")
		if w.origin.last().Fields.Has("If-None-Match") {
			t.Error("a condition was made from a dead object")
		}
	}, unswept)
}

func TestL3_Renewed304CarriesTheStampOfItsRequest(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", `ETag: "1"`, "Cache-Control: max-age=10"), status(304, "", "Cache-Control: max-age=60"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		before := w.invalidate("/other")
		w.settle(11 * time.Second)
		w.expect("200 RefreshHit v1", "/a")
		o := w.object("/a")
		if o.Stamp < before {
			t.Errorf("stamp %d, want at least %d", o.Stamp, before)
		}
		w.invalidate("/a")
		w.expect("200 Miss v2", "/a")
	})
}

func TestL2_RangeOfAFillBegunBefore(t *testing.T) {
	story(t, func(w *world) {
		old, gate := gated(ok("0123456789"))
		w.origin.on("/a", old, ok("abcdefghij"))
		v := w.ask("/a", "Range: bytes=2-4")
		w.invalidate("/a")
		close(gate)
		synctest.Wait()
		v.is(t, "206 Miss cde")
	})
}

func TestL2_RangePassedThroughBegunBefore(t *testing.T) {
	story(t, func(w *world) {
		// Not storable: the second question is for the range alone.
		whole := ok("0123456789", "Cache-Control: no-store")
		old, gate := gated(status(206, "234", "Content-Range: bytes 2-4/10", "Cache-Control: no-store"))
		w.origin.on("/a", whole, old, status(206, "cde", "Content-Range: bytes 2-4/10", "Cache-Control: no-store"))
		v := w.ask("/a", "Range: bytes=2-4")
		if got := w.origin.last().Fields.Get("Range"); got != "bytes=2-4" {
			t.Fatalf("Range %q", got)
		}
		w.invalidate("/a")
		close(gate)
		synctest.Wait()
		v.is(t, "206 Miss cde")
	})
}

func TestS3_ConfigurationChangedMeanwhile(t *testing.T) {
	story(t, func(w *world) {
		old, gate := gated(ok("v1"))
		w.origin.on("/a", old)
		w.origin.on("/new/a", ok("v2"))
		v := w.ask("/a")
		w.configure(func(p *journal.DistributionPut) { p.Config.Origins.Items[0].OriginPath = wire.Ptr("/new") })
		close(gate)
		synctest.Wait()
		v.is(t, "200 Miss v2")
		w.expect("200 Hit v2", "/a")
	})
}

func TestI7_InvalidatedAfterAChangeOfConfiguration(t *testing.T) {
	// An object that survives an invalidation was fetched under the configuration that was in force. The
	// edge is held between its pin and its fetch, where it has pinned the old one.
	story(t, func(w *world) {
		f := w.flightFor("/a")
		w.configure(func(p *journal.DistributionPut) { p.Config.Origins.Items[0].OriginPath = wire.Ptr("/new") })
		seq := w.invalidate("/other")
		w.origin.on("/a", ok("v1"))
		w.origin.on("/new/a", ok("v2"))
		f.held = true // past the floor, or it would be refused for that reason already
		if r, b := w.edge.flights.board(f, false, false); b == took {
			r.decided()
			r.leave()
		}
		synctest.Wait()
		if o := w.object("/a"); o != nil && o.Stamp >= seq {
			t.Errorf("stored with stamp %d: fetched by the old configuration, it must be below %d", o.Stamp, seq)
		}
		w.invalidate("/a")
		w.expect("200 Miss v2", "/a")
	})
}

func TestL3_TagsThatComeWithTheHead(t *testing.T) {
	story(t, func(w *world) {
		old, gate := gated(ok("v1", "Cache-Tag: red, Blue"))
		w.origin.on("/a", old, ok("v2", "Cache-Tag: red, blue"))
		v := w.ask("/a")
		w.invalidate("#blue") // nobody knows yet that it means this one
		if v.over() {
			t.Fatal("answered too early")
		}
		close(gate)
		synctest.Wait()
		v.is(t, "200 Miss v2")
		w.expect("200 Hit v2", "/a")
		w.invalidate("#BLUE")
		w.expect("200 Miss v2", "/a")
	})
}

func TestL3_RootObjectHasTwoNames(t *testing.T) {
	story(t, func(w *world) {
		for _, item := range []string{"/", "/index.html"} {
			w.origin.on("/index.html", ok("v1"), ok("v2"))
			w.expect("200 Miss v1", "/")
			w.expect("200 Hit v1", "/index.html")
			w.invalidate(item)
			w.expect("200 Miss v2", "/index.html")
			w.expect("200 Hit v2", "/")
			w.invalidate("/*")
		}
	})
}

func TestL3_StaleUseObeysRules(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=10, stale-while-revalidate=600, stale-if-error=600"), status(500, "down"))
		w.expect("200 Miss v1", "/a")
		w.settle(11 * time.Second)
		w.invalidate("/a")
		w.expect("500 Error down", "/a") // neither while revalidating nor on error
	})
}

func TestL3_StaleOnErrorOvertakenWhileTheOriginFails(t *testing.T) {
	story(t, func(w *world) {
		down, gate := gated(status(500, "down"))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=10"), down, ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.settle(11 * time.Second)
		v := w.ask("/a")
		w.invalidate("/a")
		close(gate)
		synctest.Wait()
		v.is(t, "200 Miss v2")
	})
}

func TestL3_ErrorPageMadeOfTwoAnswers(t *testing.T) {
	story(t, func(w *world) {
		w.configure(func(p *journal.DistributionPut) {
			p.Config.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: wire.Ptr[int64](1), Items: []wire.CustomErrorResponse{{
				ErrorCode: wire.Ptr[int64](404), ResponsePagePath: wire.Ptr("/sorry.html"), ResponseCode: wire.Ptr("200"),
			}}}
		})
		page, gate := gated(ok("sorry v1"))
		w.origin.on("/sorry.html", page, ok("sorry v2"))
		v := w.ask("/gone")
		w.origin.on("/gone", ok("here"))
		w.invalidate("/gone") // while its page is fetched, the error dies
		close(gate)
		synctest.Wait()
		v.is(t, "200 Miss here")

		w.origin.on("/gone", status(404, "no"))
		w.invalidate("/gone", "/sorry.html")
		w.expect("200 Error sorry v2", "/gone")
		w.wantWhy("Error cold")
	})
}

func TestL4_RuleIsKeptWhileAFillIsInTheAir(t *testing.T) {
	story(t, func(w *world) {
		old, gate := gated(ok("v1", "Cache-Tag: x"))
		w.origin.on("/slow", old, ok("v2", "Cache-Tag: x"))
		v := w.ask("/slow")
		w.invalidate("#x")
		w.settle(time.Minute) // many sweeps
		if n := w.edge.Stats().Rules; n != 1 {
			t.Fatalf("%d rules, want 1: it was forgotten while a fill below it was in the air", n)
		}
		close(gate)
		w.settle(time.Minute)
		v.is(t, "200 Miss v2")
		if n := w.edge.Stats().Rules; n != 0 {
			t.Errorf("%d rules, want 0", n)
		}
		w.expect("200 Hit v2", "/slow")
	})
}

func TestL4_PinBelowTheFloorIsTakenAnew(t *testing.T) {
	story(t, func(w *world) {
		f := w.flightFor("/a")
		w.invalidate("/a") // swept and forgotten
		if n := w.edge.Stats().Rules; n != 0 {
			t.Fatalf("%d rules left", n)
		}
		if _, b := w.edge.flights.board(f, false, false); b != late {
			t.Fatalf("boarded (%d): its stamp is below a rule that nobody remembers", b)
		}
		if w.edge.flights.hold(f) {
			t.Fatal("held, with the same mistake")
		}
	})
}

func TestE4_DeadObjectStoredDuringASweep(t *testing.T) {
	// A store that raced with Apply: the object lies there with its small stamp, and its flight has not
	// landed. The sweep that has passed its place must not let the rule go.
	story(t, func(w *world) {
		half := ok("0123456789")
		half.rest = make(chan struct{})
		w.origin.on("/a", half, ok("v2"))
		r := w.ask("/a")
		stamp := w.edge.snap.Load().seq
		w.invalidate("/a")
		w.settle(5 * time.Second)
		o := &cache.Object{Key: w.key("/a"), Distribution: "D1", Subject: invalidation.Subject{Path: "/a"}, Stamp: stamp,
			Epoch: w.edge.snap.Load().life, FetchStart: instant(w.edge.clock()), Status: 200, Body: []byte("v1")}
		o.Fresh.FreshUntil = time.Now().Add(time.Hour)
		w.store.Put(o)
		w.expect("200 Miss v2", "/a")
		close(half.rest)
		synctest.Wait()
		r.is(t, "200 Miss 0123456789")
	})
}

func TestL3_EveryRuleSinceTheLastCheckCounts(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.invalidate("/a")
		w.invalidate("/b") // the newest says nothing about it
		w.expect("200 Miss v2", "/a")
		w.wantWhy("Miss invalidated")
	}, unswept)
}
