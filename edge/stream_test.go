package edge

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/origin"
)

func TestStream_CutIsVisibleAndNotKept(t *testing.T) {
	story(t, func(w *world) {
		cut := ok("0123456789")
		cut.cut = true
		w.origin.on("/a", cut, ok("whole"))
		v := w.get("/a")
		if !v.aborted || v.length != 10 {
			t.Errorf("aborted %v, length %d", v.aborted, v.length)
		}
		w.expect("200 Miss whole", "/a")
	})
}

func TestStream_LengthThatIsALie(t *testing.T) {
	story(t, func(w *world) {
		for name, length := range map[string]int64{"/short": 20, "/long": 5} {
			lie := ok("0123456789")
			lie.length = length
			w.origin.on(name, lie)
			if v := w.get(name); !v.aborted {
				t.Errorf("%s: not cut", name)
			}
			if w.object(name) != nil {
				t.Errorf("%s: kept", name)
			}
		}
	})
}

func TestStream_PassedThroughCutIsVisible(t *testing.T) {
	story(t, func(w *world) {
		w.configure(behave(allMethods))
		cut := ok("0123456789")
		cut.cut = true
		w.origin.on("/a", cut)
		if v := w.get("POST /a"); !v.aborted || v.text() != "0123456789" {
			t.Errorf("aborted %v, %q", v.aborted, v.text())
		}
	})
}

func TestStream_UnknownLengthIsKept(t *testing.T) {
	story(t, func(w *world) {
		r := ok(strings.Repeat("x", 100_000))
		r.length = -1
		w.origin.on("/a", r)
		if v := w.get("/a"); v.length != -1 || len(v.text()) != 100_000 || v.aborted {
			t.Errorf("length %d, %d octets, aborted %v", v.length, len(v.text()), v.aborted)
		}
		if v := w.get("/a"); v.length != 100_000 || !strings.HasPrefix(v.xcache(), "Hit") {
			t.Errorf("length %d, %s", v.length, v.xcache())
		}
	})
}

func TestStream_EmptyBody(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok(""))
		w.expect("200 Miss", "/a")
		w.expect("200 Hit", "/a")
		w.expect("200 Hit", "/a", "Range: bytes=-5")
	})
}

// A body that is too large flows through a window: neither memory nor a store is filled, and the
// slowest of its viewers sets the pace.
func TestStream_TooLargeFlowsThroughAWindow(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	story(t, func(w *world) {
		r := ok(large)
		r.length = -1 // nobody knows in the beginning
		r.head = make(chan struct{})
		w.origin.on("/a", r)
		quick := w.ask("/a")
		slow := w.askAs(&viewer{holdBody: make(chan struct{})}, "/a")
		close(r.head)
		synctest.Wait()
		if slow.over() || quick.over() {
			t.Fatal("over, although one does not read")
		}
		held := w.edge.Stats().FillBytes
		if limit := int64(1<<20 + tapeWindow + 4*tapeChunk); held > limit {
			t.Errorf("%d octets held, want at most %d", held, limit)
		}
		if n := len(quick.text()); n < 1<<20 || n > 1<<20+tapeWindow+2*tapeChunk {
			t.Errorf("the quick one has %d octets", n)
		}
		if late := w.ask("/a"); !late.over() || late.body.Len() != len(large) || w.origin.times("/a") != 2 {
			t.Error("a late comer, for whom the beginning is gone, should fetch for itself")
		}
		close(slow.holdBody)
		synctest.Wait()
		for _, v := range []*viewer{quick, slow} {
			if !bytes.Equal(v.body.Bytes(), []byte(large)) || v.aborted {
				t.Errorf("%d octets, aborted %v", v.body.Len(), v.aborted)
			}
		}
		synctest.Wait()
		if n := w.edge.Stats().FillBytes; n != 0 {
			t.Errorf("%d octets still counted", n)
		}
		if w.object("/a") != nil {
			t.Error("kept")
		}
	}, func(w *world) { w.config.MaxObject = 1 << 20 })
}

func TestStream_SlowestGoesAway(t *testing.T) {
	large := strings.Repeat("x", 4<<20)
	story(t, func(w *world) {
		r := ok(large)
		r.length = -1
		r.head = make(chan struct{})
		w.origin.on("/a", r)
		quick := w.ask("/a")
		slow := w.askAs(&viewer{holdBody: make(chan struct{})}, "/a")
		close(r.head)
		synctest.Wait()
		slow.cancel()
		close(slow.holdBody)
		synctest.Wait()
		if !quick.over() || quick.aborted || quick.body.Len() != len(large) {
			t.Errorf("over %v, aborted %v, %d octets", quick.over(), quick.aborted, quick.body.Len())
		}
	}, func(w *world) { w.config.MaxObject = 1 << 20 })
}

// Who stands still is not everybody's pace for long; nor is he hurried when nobody waits for him.
func TestStream_WhoStandsStillIsCutOff(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	story(t, func(w *world) {
		r := ok(large)
		r.length = -1
		r.head = make(chan struct{})
		w.origin.on("/a", r)
		quick := w.ask("/a")
		slow := w.askAs(&viewer{holdBody: make(chan struct{})}, "/a")
		close(r.head)
		w.settle(silence - time.Second)
		if quick.over() {
			t.Error("cut off too early")
		}
		w.settle(2 * time.Second)
		if !quick.over() || quick.aborted || quick.text() != large {
			t.Errorf("the quick one: over %v, aborted %v, %d octets", quick.over(), quick.aborted, quick.body.Len())
		}
		close(slow.holdBody)
		synctest.Wait()
		if got := slow.text(); !slow.over() || !slow.aborted || !strings.HasPrefix(large, got) || len(got) == len(large) {
			t.Errorf("the slow one: over %v, aborted %v, %d octets", slow.over(), slow.aborted, len(got))
		}
		alone := w.askAs(&viewer{holdBody: make(chan struct{})}, "/a")
		w.settle(3 * silence)
		close(alone.holdBody)
		synctest.Wait()
		if !alone.over() || alone.aborted || alone.text() != large {
			t.Errorf("alone: over %v, aborted %v, %d octets", alone.over(), alone.aborted, alone.body.Len())
		}
		if n := w.edge.Stats().FillBytes; n != 0 {
			t.Errorf("%d octets still counted", n)
		}
	}, func(w *world) { w.config.MaxObject = 1 << 20 })
}

// Windows are bounded too, and leave room for what is to be kept.
func TestL9_WindowsAreBounded(t *testing.T) {
	const memory, viewers = 1 << 20, 12
	large := strings.Repeat("x", 2<<20)
	story(t, func(w *world) {
		var slow []*viewer
		for range viewers {
			w.origin.on("/large", ok(large, "Cache-Control: no-store"))
			slow = append(slow, w.askAs(&viewer{holdBody: make(chan struct{})}, "/large"))
		}
		if n, most := w.edge.Stats().FillBytes, int64(memory+tapeWindow+viewers*2*tapeChunk); n > most {
			t.Errorf("%d octets are held, at most %d may be", n, most)
		}
		w.origin.on("/a", ok(strings.Repeat("y", 100_000)))
		w.get("/a")
		if w.object("/a") == nil {
			t.Error("viewers of other things keep it from being stored")
		}
		for _, v := range slow {
			close(v.holdBody)
			synctest.Wait()
			if !v.over() || v.aborted || v.body.Len() != len(large) {
				t.Fatalf("over %v, aborted %v, %d octets", v.over(), v.aborted, v.body.Len())
			}
		}
		if f := w.edge.flights; f.bytes.Load() != 0 || f.kept.Load() != 0 || f.lent.Load() != 0 || f.paged.Load() != 0 {
			t.Errorf("still counted: %d, %d, %d, %d", f.bytes.Load(), f.kept.Load(), f.lent.Load(), f.paged.Load())
		}
	}, func(w *world) { w.config.FillMemory = memory })
}

// What is being sent stays in memory though the store has dropped it. So viewers who take their time with one thing after the
// other, be its length said or not, do not have all of it kept.
func TestL9_BodiesInDeliveryAreBounded(t *testing.T) {
	const size, viewers = 2 << 20, 20
	story(t, func(w *world) {
		body, f := strings.Repeat("x", size), w.edge.flights
		var slow []*viewer
		come := func(n int) (held int64) {
			for range n {
				r := ok(body)
				if len(slow)%2 == 1 {
					r.length = -1
				}
				path := fmt.Sprint("/", len(slow))
				w.origin.on(path, r)
				slow = append(slow, w.askAs(&viewer{holdBody: make(chan struct{})}, path))
			}
			return w.edge.apart() + f.bytes.Load()
		}
		rest := int64(w.config.FillMemory + tapeWindow + 2*size + viewers*2*tapeChunk)
		held := come(viewers)
		if held > w.edge.crowd.end+rest || held <= w.edge.crowd.most {
			t.Errorf("%d octets are held beside the store, want more than %d and at most %d", held, w.edge.crowd.most, w.edge.crowd.end+rest)
		}
		w.settle(crowdTime)
		if more := come(viewers); more > held+rest {
			t.Errorf("%d octets are held beside the store, and were %d when it was known", more, held)
		}
		w.origin.on("/small", ok("small"))
		w.get("/small")
		w.expect("200 Hit small", "/small")
		for i, v := range slow {
			close(v.holdBody)
			synctest.Wait()
			if !v.over() || v.aborted || v.text() != body {
				t.Fatalf("viewer %d: over %v, aborted %v, %d octets", i, v.over(), v.aborted, v.body.Len())
			}
		}
		if f.bytes.Load() != 0 || f.kept.Load() != 0 || f.lent.Load() != 0 || f.paged.Load() != 0 {
			t.Errorf("still counted: %d, %d, %d, %d", f.bytes.Load(), f.kept.Load(), f.lent.Load(), f.paged.Load())
		}
		for n := 0; w.edge.apart() > w.edge.crowd.most && n < 1000; n++ { // nobody refers to it any more
			runtime.GC()
		}
		w.origin.on("/again", ok(body))
		w.get("/again")
		if w.object("/again") == nil {
			t.Error("not kept, although nobody holds anything any more")
		}
	}, tight)
}

// What has been dropped and nobody holds is no reason not to keep what comes in its place: after everything was invalidated
// that is most of what memory had.
func TestL9_WhatIsNotCollectedYetIsNotHeld(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // only who is asked to collects
	story(t, func(w *world) {
		body := strings.Repeat("x", 2<<20)
		for i := range 6 {
			w.origin.on(fmt.Sprint("/", i), ok(body))
			w.get(fmt.Sprint("/", i))
		}
		w.store.Clear()
		if w.edge.apart() <= w.edge.crowd.most {
			t.Fatal("collected already: this has tested nothing")
		}
		w.origin.on("/new", ok(body))
		w.get("/new")
		if w.object("/new") == nil {
			t.Error("not kept")
		}
	}, tight)
}

// tight is an edge with little memory.
func tight(w *world) {
	w.config.FillMemory = 4 << 20
	w.store, _ = memory.New(memory.Config{Capacity: 16 << 20})
	w.config.Store = w.store
}

func TestL9_FillMemoryIsBounded(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok(strings.Repeat("x", 300_000)))
		if v := w.get("/a"); len(v.text()) != 300_000 {
			t.Errorf("%d octets", len(v.text()))
		}
		if w.object("/a") != nil {
			t.Error("kept beyond the bound")
		}
		if n := w.edge.Stats().FillBytes; n != 0 {
			t.Errorf("%d octets still counted", n)
		}
	}, func(w *world) { w.config.FillMemory = 100_000 })
}

// What has passed through the window is held no more: a long download does not keep what others fetch meanwhile from being kept.
func TestL9_WhatHasStreamedThroughIsNotHeld(t *testing.T) {
	story(t, func(w *world) {
		long := ok(strings.Repeat("x", 32<<20), "Cache-Control: no-store")
		long.rest = make(chan struct{})
		w.origin.on("/long", long)
		w.origin.on("/a", ok("v1"))
		v := w.ask("/long")
		if n := len(v.text()); n != 16<<20 {
			t.Fatalf("%d octets have come", n)
		}
		if n := w.edge.Stats().FillBytes; n > tapeWindow+4*tapeChunk {
			t.Errorf("%d octets held", n)
		}
		w.expect("200 Miss v1", "/a")
		w.expect("200 Hit v1", "/a")
		close(long.rest)
		synctest.Wait()
		if n := w.edge.Stats().FillBytes; n != 0 || v.body.Len() != 32<<20 {
			t.Errorf("%d octets still counted, %d octets have come", n, v.body.Len())
		}
	}, func(w *world) { w.config.FillMemory = 8 << 20 })
}

func TestAbort_OneViewerDoesNotEndTheFillOfOthers(t *testing.T) {
	story(t, func(w *world) {
		half := ok("0123456789")
		half.rest = make(chan struct{})
		w.origin.on("/a", half)
		first, second := w.ask("/a"), w.ask("/a")
		first.cancel()
		synctest.Wait()
		if !first.over() || !first.aborted {
			t.Error("the first should be cut")
		}
		close(half.rest)
		synctest.Wait()
		if !second.over() || second.text() != "0123456789" || second.aborted {
			t.Errorf("second: %q", second.text())
		}
		w.expect("200 Hit 0123456789", "/a")
	})
}

func TestAbort_LargeFillEndsWithItsLastViewer(t *testing.T) {
	story(t, func(w *world) {
		large := ok(strings.Repeat("x", 2<<20))
		large.rest = make(chan struct{})
		w.origin.on("/a", large)
		v := w.ask("/a")
		v.cancel()
		synctest.Wait()
		if n := w.edge.Stats().Fills; n != 0 {
			t.Errorf("%d fills go on", n)
		}
		if w.object("/a") != nil {
			t.Error("kept")
		}
	})
}

func TestAbort_BackgroundFillsAreBoundedInNumberAndTime(t *testing.T) {
	story(t, func(w *world) {
		for _, p := range []string{"/a", "/b", "/c"} {
			r, _ := gated(ok("x"))
			w.origin.on(p, r)
			w.ask(p).cancel()
			synctest.Wait()
		}
		if n := w.edge.Stats().Fills; n != 2 {
			t.Errorf("%d fills go on, want 2", n)
		}
		w.settle(backgroundTime + time.Second)
		if n := w.edge.Stats().Fills; n != 0 {
			t.Errorf("%d fills go on after their time", n)
		}
		// A viewer that comes while nobody waits takes the fill over.
		r, gate := gated(ok("y"))
		w.origin.on("/d", r)
		w.ask("/d").cancel()
		synctest.Wait()
		v := w.ask("/d")
		w.settle(backgroundTime + time.Second)
		close(gate)
		synctest.Wait()
		v.is(t, "200 Hit y")
	}, func(w *world) { w.config.MaxBackground = 2 })
}

func TestAbort_EverythingIsGivenBack(t *testing.T) {
	story(t, func(w *world) {
		for i := range 20 {
			r := ok(strings.Repeat("x", 100_000))
			r.head, r.rest = make(chan struct{}), make(chan struct{})
			w.origin.on("/a", r)
			one, two := w.ask("/a"), w.ask("/a")
			if i%2 == 0 {
				one.cancel()
			}
			close(r.head)
			synctest.Wait()
			if i%3 == 0 {
				two.cancel()
			}
			w.invalidate("/a")
			close(r.rest)
			synctest.Wait()
		}
		w.settle(2 * time.Minute)
		f := w.edge.flights
		if f.count.Load() != 0 || f.bytes.Load() != 0 || f.background.Load() != 0 {
			t.Errorf("count %d, bytes %d, background %d: want 0", f.count.Load(), f.bytes.Load(), f.background.Load())
		}
		for i := range f.shards {
			if n := len(f.shards[i].all) + len(f.shards[i].byKey); n != 0 {
				t.Errorf("%d flights are still registered", n)
			}
		}
		if n := w.edge.Stats().Rules; n != 0 {
			t.Errorf("%d rules are kept for nothing", n)
		}
	})
}

func TestFill_PanicIsContained(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", &reply{react: func(*origin.Request) *reply { panic("BUG: for this test") }}, ok("v1"))
		w.expect("500 Error page", "/a")
		w.wantWhy("Error internal")
		w.expect("200 Miss v1", "/a")
	})
}

// A request that cannot be written is our mistake, not the origin's.
func TestFill_UnsendableIsInternal(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", fails(origin.Unsendable))
		w.expect("500 Error page", "/a")
		w.wantWhy("Error internal")
	})
}

func TestFill_UnaskedNotModified(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", status(304, ""))
		w.expect("502 Error page", "/a")
		w.wantWhy("Error origin-invalid")
	})
}

func TestL9_DrippingOriginDoesNotKeepRulesForEver(t *testing.T) {
	story(t, func(w *world) {
		drip := ok("0123456789")
		drip.rest = make(chan struct{})
		w.origin.on("/a", drip)
		v := w.ask("/a")
		w.invalidate("/other")
		w.settle(4 * time.Minute)
		if n := w.edge.Stats().Rules; n != 1 {
			t.Fatalf("%d rules, want 1", n)
		}
		w.settle(3 * time.Minute)
		if n := w.edge.Stats().Rules; n != 0 {
			t.Errorf("%d rules are kept for a fill that drips", n)
		}
		close(drip.rest)
		synctest.Wait()
		v.is(t, "200 Miss 0123456789") // its viewer gets it all the same
		if w.object("/a") != nil {
			t.Error("stored, although rules that it needs are forgotten")
		}
	})
}

func TestCache_OptionsHaveTheirOwnObject(t *testing.T) {
	story(t, func(w *world) {
		w.configure(behave(func(b *wire.DefaultCacheBehavior) {
			allMethods(b)
			b.AllowedMethods.CachedMethods = &wire.CachedMethods{Quantity: wire.Ptr[int64](3), Items: []string{"GET", "HEAD", "OPTIONS"}}
		}))
		w.origin.on("/a", ok("options"), ok("get"))
		w.expect("200 Miss options", "OPTIONS /a")
		w.expect("200 Hit options", "OPTIONS /a")
		w.expect("200 Miss get", "/a")
		// And there are no conditions for it (RFC 9110 section 13.2.1).
		w.origin.on("/b", ok("options", `ETag: "1"`))
		w.expect("200 Miss options", "OPTIONS /b")
		w.expect("200 Hit options", "OPTIONS /b", `If-None-Match: "1"`)
		w.expect("200 Hit options", "OPTIONS /b", `If-Match: "2"`)
	})
}
