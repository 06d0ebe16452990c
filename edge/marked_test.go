package edge

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// mark invalidates in the mode Stale.
func (w *world) mark(items ...string) uint64 {
	w.t.Helper()
	return w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I" + items[0], Items: items, Mode: journal.Stale}})
}

// softRules is how many rules that mark there are.
func (w *world) softRules() int { return w.edge.snap.Load().sites.of("D1").soft.Len() }

// errorTTL has failures cached for so many seconds.
func errorTTL(seconds int64) func(*journal.DistributionPut) {
	return func(p *journal.DistributionPut) {
		e := &wire.CustomErrorResponses{}
		for _, code := range []int64{404, 410, 500, 502, 503} {
			e.Items = append(e.Items, wire.CustomErrorResponse{ErrorCode: &code, ErrorCachingMinTTL: &seconds})
		}
		e.Quantity = wire.Ptr(int64(len(e.Items)))
		p.Config.CustomErrorResponses = e
	}
}

func TestMarked_ShownWhileOneRequestRevalidates(t *testing.T) {
	story(t, func(w *world) {
		next, gate := gated(ok("v2", `ETag: "2"`))
		w.origin.on("/a", ok("v1", `ETag: "1"`), next)
		w.expect("200 Miss v1", "/a")
		w.expect("200 Hit v1", "/a")
		w.mark("/a")
		for range 3 {
			w.expect("200 Hit v1", "/a")
			w.wantWhy("Hit marked-stale")
		}
		w.expect("206 Hit v", "/a", "Range: bytes=0-0")
		w.expect("304 Hit", "/a", `If-None-Match: "1"`)
		w.expect("200 Hit", "HEAD /a")
		if n := w.origin.times("/a"); n != 2 {
			t.Errorf("the origin was asked %d times", n)
		}
		if got := w.origin.last().Fields.Get("If-None-Match"); got != `"1"` {
			t.Errorf("it was asked whether %q is still good", got)
		}
		close(gate)
		synctest.Wait()
		w.expect("200 Hit v2", "/a")
		w.wantWhy("Hit fresh")
		if n := w.origin.times("/a"); n != 2 {
			t.Errorf("the origin was asked %d times", n)
		}
		w.settle(sweepMarked + time.Minute)
		if w.softRules() != 0 {
			t.Error("the rule has not gone with what it had marked")
		}
	})
}

// The mark goes with a 304 to a question that was asked after it, and stays with one to an earlier question (L2).
func TestMarked_RenewedByA304(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", `ETag: "1"`), status(304, ""), ok("v2"))
		w.get("/a")
		w.mark("/a")
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit marked-stale")
		w.settle(time.Second)
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit fresh")

		asked, gate := gated(status(304, ""))
		w.origin.on("/b", ok("v1", `ETag: "1"`, "Cache-Control: max-age=1"), asked, ok("v2"))
		w.get("/b")
		w.settle(2 * time.Second)
		v := w.ask("/b")
		w.mark("/b")
		close(gate)
		synctest.Wait()
		v.is(t, "200 RefreshHit v1") // it had asked before
		w.expect("200 Hit v1", "/b")
		w.wantWhy("Hit marked-stale")
		w.settle(time.Second)
		w.expect("200 Hit v2", "/b")
	})
}

// What is in the air when the rule comes goes to who waits for it, and to nobody else.
func TestMarked_FillInFlight(t *testing.T) {
	story(t, func(w *world) {
		slow, gate := gated(ok("v1"))
		second, gate2 := gated(ok("v2"))
		w.origin.on("/a", slow, second, ok("v3"))
		early := w.ask("/a")
		w.mark("/a")
		late := w.ask("/a")
		close(gate)
		synctest.Wait()
		early.is(t, "200 Miss v1")
		if late.over() {
			t.Error("who came after the rule has the fill from before")
		}
		close(gate2)
		synctest.Wait()
		late.is(t, "200 Miss v2")
		w.expect("200 Hit v2", "/a")

		// If nobody else comes, it is stored, and marked.
		slow, gate = gated(ok("v1"))
		w.origin.on("/b", slow, ok("v2"))
		early = w.ask("/b")
		w.mark("/b")
		w.settle(time.Minute) // the sweeper finds nothing, and must not forget the rule
		close(gate)
		synctest.Wait()
		early.is(t, "200 Miss v1")
		w.expect("200 Hit v1", "/b")
		w.wantWhy("Hit marked-stale")
		w.settle(time.Second)
		w.expect("200 Hit v2", "/b")
	})
}

// Where stale use is forbidden, or its time is over without the mark, the viewer waits; all who come wait for one.
func TestMarked_WaitsWhereStaleIsNotAllowed(t *testing.T) {
	for name, first := range map[string]*reply{
		"must-revalidate": ok("v1", "Cache-Control: max-age=60, must-revalidate", `ETag: "1"`),
		"expired":         ok("v1", "Cache-Control: max-age=1", `ETag: "1"`),
		"window over":     ok("v1", "Cache-Control: max-age=1, stale-while-revalidate=1", `ETag: "1"`),
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				next, gate := gated(status(304, ""))
				w.origin.on("/a", first, next)
				w.get("/a")
				w.settle(2 * time.Second)
				w.mark("/a")
				one, two := w.ask("/a"), w.ask("/a")
				if one.over() || two.over() {
					t.Error("shown without asking")
				}
				close(gate)
				synctest.Wait()
				one.is(t, "200 RefreshHit v1")
				two.is(t, "200 Hit v1")
				if n := w.origin.times("/a"); n != 2 {
					t.Errorf("the origin was asked %d times", n)
				}
			})
		})
	}
	story(t, func(w *world) { // still within its window
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1, stale-while-revalidate=60"), ok("v2"))
		w.get("/a")
		w.settle(2 * time.Second)
		w.mark("/a")
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit marked-stale")
	})
}

// A revalidation that ends without anything to store is over all the same: nobody is shown what was there before
// without waiting for the origin.
func TestMarked_SpentByARevalidationThatBringsNothing(t *testing.T) {
	for name, second := range map[string]*reply{
		"private":          ok("v2", "Cache-Control: private"),
		"broken off":       {status: 200, body: "v2 and more", cut: true},
		"304 that forbids": status(304, "", "Cache-Control: no-store"),
		"gone":             status(410, "gone", "Cache-Control: no-store"),
	} {
		for _, kind := range [][]func(*world){nil, {withDisk}} {
			t.Run(fmt.Sprint(name, len(kind)), func(t *testing.T) {
				story(t, func(w *world) {
					third, gate := gated(ok("v3"))
					w.origin.on("/a", ok("v1", `ETag: "1"`), second, third)
					w.get("/a")
					w.settle(time.Second)
					w.mark("/a")
					if kind != nil {
						w.emptied()
					}
					w.expect("200 Hit v1", "/a")
					w.wantWhy("Hit marked-stale")
					w.settle(time.Second)
					if kind != nil {
						w.emptied()
					}
					v := w.ask("/a")
					if v.over() {
						t.Fatalf("shown again: %s", v.text())
					}
					close(gate)
					synctest.Wait()
					if got := v.text(); got != "v3" {
						t.Error(got)
					}
				}, kind...)
			})
		}
	}
}

// A failure of the origin is treated as with anything that has become stale at that moment.
func TestMarked_OriginFails(t *testing.T) {
	story(t, func(w *world) {
		w.configure(errorTTL(10))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60, stale-if-error=100"), status(503, "down"))
		w.get("/a")
		w.mark("/a")
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit marked-stale")
		w.settle(time.Second)
		w.expect("200 Hit v1", "/a") // left alone for the error caching minimum
		w.wantWhy("Hit stale-on-error")
		w.settle(20 * time.Second)
		w.expect("200 Hit v1", "/a") // asked again, and waited for
		w.wantWhy("Hit stale-on-error")
		if n := w.origin.times("/a"); n != 3 {
			t.Errorf("the origin was asked %d times", n)
		}
		w.settle(80 * time.Second) // 100 s after the first failure
		w.expect("503 Error down", "/a")
	})
	story(t, func(w *world) {
		w.configure(errorTTL(0))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60, stale-if-error=0"), fails(origin.Connect))
		w.get("/a")
		w.mark("/a")
		w.expect("200 Hit v1", "/a")
		w.settle(time.Second)
		w.expect("502 Error page", "/a")
	})
	// An earlier failure does not keep anybody from asking after the rule.
	story(t, func(w *world) {
		w.configure(errorTTL(10))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1, stale-if-error=100"), status(503, "down"), ok("v2"))
		w.get("/a")
		w.settle(2 * time.Second)
		w.expect("200 Hit v1", "/a")
		w.mark("/a")
		w.expect("200 Miss v2", "/a")
		w.wantWhy("Miss invalidated")
	})
	// must-revalidate: nothing stale, however the origin fails.
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60, must-revalidate"), fails(origin.Connect))
		w.get("/a")
		w.mark("/a")
		w.expect("502 Error page", "/a")
	})
	// An error that is marked is asked for again, and nobody gets it instead.
	story(t, func(w *world) {
		w.configure(errorTTL(100))
		w.origin.on("/a", status(404, "no"), fails(origin.Connect), ok("v2"))
		w.get("/a")
		w.mark("/a")
		w.expect("502 Error page", "/a")
		w.mark("/a")
		w.expect("200 Miss v2", "/a")
	})
}

func TestMarked_RemovedAfterAll(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"), ok("v3"))
		w.get("/a")
		w.mark("/a")
		w.invalidate("/a")
		w.expect("200 Miss v2", "/a")
		w.invalidate("/a")
		w.mark("/a")
		w.expect("200 Miss v3", "/a")
		w.expect("200 Hit v3", "/a")
	}, unswept)
}

// An unknown mode removes.
func TestMarked_UnknownModeRemoves(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.get("/a")
		w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", Items: []string{"/a"}, Mode: "fade"}})
		w.expect("200 Miss v2", "/a")
	})
}

// When there is no room for revalidations that nobody waits for, who begins one waits, and the others do not.
func TestMarked_NoRoomInTheBackground(t *testing.T) {
	story(t, func(w *world) {
		b, gateB := gated(ok("v2"))
		a, gateA := gated(ok("v2"))
		w.origin.on("/a", ok("v1"), a)
		w.origin.on("/b", ok("v1"), b)
		w.get("/a")
		w.get("/b")
		w.mark("/*")
		w.expect("200 Hit v1", "/a") // has the only place
		first := w.ask("/b")
		if first.over() {
			t.Error("it has not waited")
		}
		w.expect("200 Hit v1", "/b")
		close(gateB)
		close(gateA)
		synctest.Wait()
		first.is(t, "200 Miss v2")
		w.expect("200 Hit v2", "/a")
	}, func(w *world) { w.config.MaxBackground = 1 })
	// And when there is room for none at all, it is shown, and asked for by the next.
	story(t, func(w *world) {
		slow, gate := gated(ok("v1"))
		w.origin.on("/slow", slow)
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.get("/a")
		w.ask("/slow")
		w.mark("/a")
		w.expect("200 Hit v1", "/a")
		w.expect("200 Hit v1", "/a")
		close(gate)
		synctest.Wait()
		w.expect("200 Hit v1", "/a")
		w.settle(time.Second)
		w.expect("200 Hit v2", "/a")
	}, func(w *world) { w.config.MaxFills = 1 })
}

// What is kept in slices is renewed by its map: slices of a version that is still good stay.
func TestMarked_Slices(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		a.log()
		w.mark("/a")
		w.expect("200 Hit "+a.all(), "/a")
		w.wantWhy("Hit marked-stale")
		w.settle(time.Second)
		a.wants(t, "if changed")
		w.expect("200 Hit "+a.all(), "/a")
		w.wantWhy("Hit fresh")
		w.mark("/a")
		a.change(func() { a.version = 1 })
		w.expect("206 Hit "+letters(0, 55, 75), "/a", "Range: bytes=55-74")
		w.settle(time.Second)
		w.expect("206 Miss "+letters(1, 55, 75), "/a", "Range: bytes=55-74")
		w.edge.sweeper.sweep(t.Context())
		if w.softRules() != 0 {
			t.Error("slices keep the rule")
		}
	})
}

// A part of what is not stored is asked for anew.
func TestMarked_Parts(t *testing.T) {
	story(t, func(w *world) {
		version := "1" + strings.Repeat("x", 99)
		w.origin.on("/a", sliced(&version))
		w.get("/a", "Range: bytes=0-9")
		version = "2" + version[1:]
		w.mark("/a")
		w.expect("206 Miss 2xxxxxxxxx", "/a", "Range: bytes=0-9")
	})
}

func TestMarked_IsNoPlainHit(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.origin.on("/b", ok("v1"))
		w.get("/a")
		w.get("/b")
		if !w.both("/a") || !w.both("/b") {
			t.Fatal("no plain hits")
		}
		w.mark("/a")
		if w.both("/a") {
			t.Error("marked, and answered without asking")
		}
		if !w.both("/b") {
			t.Error("b is not marked")
		}
		w.get("/a")
		w.settle(time.Second)
		if !w.both("/a") {
			t.Error("renewed, and no plain hit")
		}
	})
}

func TestMarked_Receipt(t *testing.T) {
	story(t, func(w *world) {
		for i := range 4 {
			w.origin.on(fmt.Sprintf("/%d", i), ok("0123456789"))
			w.get(fmt.Sprintf("/%d", i))
		}
		w.edge.sweeper.wake()
		w.mark("/1", "/2", "/3")
		w.get("/1")
		w.settle(time.Minute)
		w.get("/2")
		w.get("/2")
		w.mark("/elsewhere")
		w.settle(time.Minute)
		r, _ := w.edge.Receipt("D1", "I/1")
		if r.Marked != 3 || r.MarkedBytes != 30 || r.Objects != 0 || r.Bytes != 0 || r.Swept.IsZero() {
			t.Errorf("%+v", r)
		}
	})
	story(t, func(w *world) {
		for _, path := range []string{"/a", "/b"} {
			w.origin.on(path, ok("0123456789"))
			w.get(path)
		}
		w.emptied()
		w.get("/a")
		w.mark("/*")
		w.settle(time.Minute)
		w.mark("/elsewhere")
		w.settle(time.Minute)
		if r, _ := w.edge.Receipt("D1", "I/*"); r.Marked != 2 || r.MarkedBytes != 20 {
			t.Errorf("with a disk: %+v", r)
		}
	}, withDisk)
}

// With RFC semantics a request's wishes count as with anything that is stored.
func TestMarked_Strict(t *testing.T) {
	story(t, func(w *world) {
		w.configure(rfc)
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60", "Vary: Foo"), ok("v2", "Cache-Control: max-age=60", "Vary: Foo"))
		w.get("/a", "Foo: 1")
		w.mark("/a")
		w.expect("504 Error page", "/a", "Foo: 1", "Cache-Control: only-if-cached")
		v := w.expect("200 Hit v1", "/a", "Foo: 1", "Cache-Control: max-stale=10")
		w.wantWhy("Hit marked-stale")
		if got := v.fields.Get("Cache-Status"); got != "Warmfront; hit; ttl=0" {
			t.Error(got)
		}
		w.settle(time.Second)
		w.expect("200 Hit v2", "/a", "Foo: 1")
		w.mark("/a")
		w.expect("200 Miss v2", "/a", "Foo: 1", "Cache-Control: no-cache")
		w.wantWhy("Miss insisted")
	})
	story(t, func(w *world) {
		w.configure(rfc)
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60, must-revalidate", `ETag: "1"`), status(304, "", "Cache-Control: max-age=60, must-revalidate"))
		w.get("/a")
		w.mark("/a")
		v := w.expect("200 RefreshHit v1", "/a")
		if got := v.fields.Get("Cache-Status"); !strings.HasPrefix(got, "Warmfront; fwd=stale; fwd-status=304") {
			t.Error(got)
		}
	})
}

// duringPeek is a store that lets something happen when it is looked into.
type duringPeek struct {
	cache.Store
	then func()
}

func (s *duringPeek) Peek(key []byte) *cache.Object {
	if then := s.then; then != nil {
		s.then = nil
		then()
	}
	return s.Store.Peek(key)
}

// Whoever finds something else in the object's place when he goes to have it renewed looks again.
func TestMarked_RenewedMeanwhile(t *testing.T) {
	store := &duringPeek{}
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v3"))
		w.get("/a")
		seq := w.mark("/a")
		store.then = func() {
			o := anew(w.object("/a"))
			o.Stamp, o.Body = seq, []byte("v2")
			store.Put(o)
		}
		w.expect("200 Hit v2", "/a")
		w.wantWhy("Hit fresh")
	}, func(w *world) { store.Store, w.config.Store = w.store, store })
}

// When an answer that is not kept begins, the revalidation is over, however long its body takes.
func TestMarked_SpentByAHead(t *testing.T) {
	story(t, func(w *world) {
		slow := ok("v2", "Cache-Control: private")
		slow.rest = make(chan struct{})
		third, gate := gated(ok("v3"))
		w.origin.on("/a", ok("v1"), slow, third)
		w.get("/a")
		w.mark("/a")
		first := w.ask("/a")
		second := w.ask("/a")
		if first.text() != "v" || second.over() {
			t.Errorf("%q, %q", first.text(), second.text())
		}
		close(gate)
		close(slow.rest)
		synctest.Wait()
		first.is(t, "200 Miss v2")
		second.is(t, "200 Miss v3")
	}, func(w *world) { w.config.MaxBackground = -1 })
}

// Of two revalidations for two rules each may store, but the older one not over the younger.
func TestMarked_AgainWhileItIsRenewed(t *testing.T) {
	for _, youngerFirst := range []bool{false, true} {
		story(t, func(w *world) {
			second, gate2 := gated(ok("v2"))
			third, gate3 := gated(ok("v3"))
			w.origin.on("/a", ok("v1"), second, third)
			w.get("/a")
			w.mark("/a")
			w.expect("200 Hit v1", "/a")
			w.mark("/a")
			w.expect("200 Hit v1", "/a")
			w.expect("200 Hit v1", "/a")
			if n := w.origin.times("/a"); n != 3 {
				t.Errorf("asked %d times, not once for each rule", n)
			}
			if youngerFirst {
				close(gate3)
				synctest.Wait()
				w.expect("200 Hit v3", "/a")
				close(gate2)
			} else {
				close(gate2)
				synctest.Wait()
				w.expect("200 Hit v2", "/a")
				w.wantWhy("Hit marked-stale")
				close(gate3)
			}
			synctest.Wait()
			w.expect("200 Hit v3", "/a")
			w.wantWhy("Hit fresh")
		})
	}
}
