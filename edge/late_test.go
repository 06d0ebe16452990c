package edge

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/journal"
)

// halfway is a request that has found what is stored, and then comes to nothing for a while.
func (w *world) halfway(path string) (v *visit, q *query, a *answer) {
	w.t.Helper()
	v, q = w.pinned(path)
	a, st := v.obtain(q, 0)
	if st != found || a.object == nil || a.reader != nil {
		w.t.Fatal("not stored")
	}
	return v, q, a
}

// pinned is a request that has got no further than that.
func (w *world) pinned(path string) (v *visit, q *query) {
	w.t.Helper()
	v = &visit{e: w.edge, ctx: context.Background(), r: request(path)}
	v.ticket, v.now = w.edge.open(), w.edge.now()
	q = &v.main
	if v.pin(q) != nil {
		w.t.Fatal("refused")
	}
	q.key = q.behavior.AppendKey(nil, q.site.Distribution, q.req)
	return v, q
}

// L4, S3: a map that was found before a rule waits for a slice that somebody else fetches after it. Nothing in the
// air needs the rule then; but the map does, when it is decided on.
func TestL4_AMapThatWaitsForAYoungerSlice(t *testing.T) {
	library(t, func(w *world, a *archive) {
		a.change(func() { a.lines = append(a.lines, "X-Text: old") })
		w.get("/a")
		w.forget(0)

		v, q, had := w.halfway("/a")
		if !had.isMap() {
			t.Fatal("no map")
		}

		a.change(func() { a.lines[len(a.lines)-1] = "X-Text: new" })
		w.invalidate("/a")
		w.get("HEAD /a")
		hold := make(chan struct{})
		a.change(func() { a.hold["bytes=0-9"] = hold })
		other := w.ask("/a", "Range: bytes=0-9")

		var said message.Fields
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer v.release()
			if b, st := v.throughSlices(q, had, 0); st == found && v.decide(q, b) == found {
				said = b.fields
			}
		}()
		synctest.Wait()
		w.edge.sweeper.sweep(context.Background())
		close(hold)
		<-done
		if got := said.Get("X-Text"); got == "old" {
			t.Errorf("after the rule it answers with %q", got)
		}
		synctest.Wait()
		if got := other.fields.Get("X-Text"); got != "new" {
			t.Errorf("the other one was answered with %q", got)
		}
	})
}

// The other way round: who has pinned before a rule joins the fetch of the map that has been begun after it. A slice from before the
// rule, which its pin does not know, is alive for it, and belongs to that map by its validator; and nothing keeps the rule.
func TestL4_AMapThatIsYoungerThanAStoredSlice(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.store.Remove(w.object("/a"))
		v, q := w.pinned("/a")

		w.invalidate("/a")
		hold := make(chan struct{})
		a.change(func() { a.hold[""] = hold })
		other := w.ask("HEAD /a")
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer v.release()
			had, st := v.obtain(q, 0)
			if st != found || !had.isMap() || had.reader == nil {
				t.Error("it has not come along")
				return
			}
			b, st := v.throughSlices(q, had, 0)
			w.edge.sweeper.sweep(context.Background())
			if st == found && v.decide(q, b) == found && b.walk.good(&b.walk.first) {
				t.Error("it is answered with octets of before the rule")
			}
		}()
		synctest.Wait()
		close(hold)
		<-done
		other.is(t, "200 Miss")
	})
}

// The same of an error that was found before a rule, and waits for its page.
func TestL4_AnErrorThatWaitsForAYoungerPage(t *testing.T) {
	story(t, func(w *world) {
		w.configure(func(p *journal.DistributionPut) {
			p.Config.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: wire.Ptr[int64](1), Items: []wire.CustomErrorResponse{{
				ErrorCode: wire.Ptr[int64](404), ResponsePagePath: wire.Ptr("/sorry"), ResponseCode: wire.Ptr("404"), ErrorCachingMinTTL: wire.Ptr[int64](60),
			}}}
		})
		page, gate := gated(ok("sorry"))
		w.origin.on("/a", status(404, "nothing"), ok("here it is"))
		w.origin.on("/sorry", ok("sorry"), page)
		w.expect("404 Error sorry", "/a")
		w.store.Remove(w.object("/sorry"))
		v, q, a := w.halfway("/a")

		w.invalidate("/a")
		other := w.ask("/sorry")
		done := make(chan step)
		go func() {
			defer v.release()
			_, st := v.explain(a)
			done <- st
		}()
		synctest.Wait()
		w.edge.sweeper.sweep(context.Background())
		close(gate)
		if st := <-done; st == found {
			t.Errorf("after the rule it answers with what was stored of %s", q.path)
		}
		synctest.Wait()
		other.is(t, "200 Miss sorry")
		w.expect("200 Miss here it is", "/a")
	}, unswept)
}

// The same where the page is marked stale: while it is looked whether there is a turn for its renewal, somebody else begins one,
// and there is no room any more to leave that behind.
func TestL4_AnErrorThatWaitsForAYoungerPageOfMarked(t *testing.T) {
	var w *world
	var meanwhile func()
	story(t, func(world *world) {
		w = world
		w.configure(func(p *journal.DistributionPut) {
			p.Config.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: wire.Ptr[int64](1), Items: []wire.CustomErrorResponse{{
				ErrorCode: wire.Ptr[int64](404), ResponsePagePath: wire.Ptr("/sorry"), ResponseCode: wire.Ptr("404"), ErrorCachingMinTTL: wire.Ptr[int64](60),
			}}}
		})
		page, gate := gated(ok("still sorry"))
		w.origin.on("/a", status(404, "nothing"), ok("here it is"))
		w.origin.on("/sorry", ok("sorry"), page)
		w.expect("404 Error sorry", "/a")
		w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: []string{"/sorry"},
			CreateTime: w.edge.now(), Mode: journal.Stale, Pace: &journal.Pace{RequestsPerSecond: 1000}}})
		v, q, a := w.halfway("/a")

		w.invalidate("/a")
		meanwhile = func() {
			f := w.flightFor("/sorry")
			f.seen = w.object("/sorry")
			r, b := w.edge.flights.board(f, false, false)
			if b != took {
				t.Error(b)
			}
			r.leave()
			w.edge.flights.background.Add(1000)
		}
		done := make(chan step)
		go func() {
			defer v.release()
			_, st := v.explain(a)
			done <- st
		}()
		synctest.Wait()
		w.edge.sweeper.sweep(context.Background())
		w.edge.flights.background.Add(-1000)
		close(gate)
		if st := <-done; st == found {
			t.Errorf("after the rule it answers with what was stored of %s", q.path)
		}
		synctest.Wait()
		w.expect("200 Miss here it is", "/a")
	}, unswept, func(w *world) {
		clock := w.config.Clock
		w.config.Clock = func() time.Duration {
			if f := meanwhile; f != nil && len(w.edge.snap.Load().sites.of("D1").paces[0].turn) > 0 { // who takes the turn looks at the clock
				meanwhile = nil
				f()
			}
			return clock()
		}
	})
}
