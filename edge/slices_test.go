package edge

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

func TestSlices_TheFirstFetchFillsThem(t *testing.T) {
	library(t, func(w *world, a *archive) {
		v := w.expect("200 Miss "+a.all(), "/a")
		if v.length != 95 || v.fields.Has(mapField) || v.fields.Get("Content-Type") != "text/plain" {
			t.Errorf("length %d, %v", v.length, v.fields)
		}
		a.wants(t, "whole")
		for n := range int64(10) {
			if got := string(w.slice(n)); got != letters(0, n*10, min(n*10+10, 95)) {
				t.Errorf("slice %d: %q", n, got)
			}
		}
		if o := w.object("/a"); o == nil || len(o.Body) != 0 || len(o.Block) != 0 || wholeLength(o) != 95 {
			t.Errorf("the map is %+v", o)
		}
		v = w.expect("200 Hit "+a.all(), "/a")
		if v.length != 95 || v.fields.Has(mapField) || !v.fields.Has("Age") {
			t.Errorf("length %d, %v", v.length, v.fields)
		}
		a.wants(t)
		w.wantWhy("Hit fresh")
	})
}

func TestSlices_AnswerLikeOneObject(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		a.log()
		for span, want := range map[string]string{
			"bytes=0-0": letters(0, 0, 1), "bytes=9-10": letters(0, 9, 11), "bytes=15-74": letters(0, 15, 75),
			"bytes=90-": letters(0, 90, 95), "bytes=-12": letters(0, 83, 95), "bytes=20-29": letters(0, 20, 30),
			"bytes=-1000": a.all(),
		} {
			v := w.expect("206 Hit "+want, "/a", "Range: "+span)
			if r, size, _ := httpcache.ParseContentRange(v.fields.Get("Content-Range")); size != 95 || r.Length != v.length || letters(0, r.Start, r.Start+r.Length) != want {
				t.Errorf("%s: %s, %d octets", span, v.fields.Get("Content-Range"), v.length)
			}
		}
		w.expect("416 Error page", "/a", "Range: bytes=95-")
		w.expect("206 Hit b", "/a", "Range: bytes=1-1", `If-Range: "v0"`)
		w.expect("200 Hit "+a.all(), "/a", "Range: bytes=1-1", `If-Range: "v1"`)
		w.expect("304 Hit", "/a", `If-None-Match: "v0"`)
		w.expect("412 Error page", "/a", `If-Match: "v1"`)
		w.expect("200 Hit", "HEAD /a")
		v := w.get("/a", "Range: bytes=8-11, 30-31, -2")
		if v.status != 206 || v.length != int64(v.body.Len()) {
			t.Errorf("%d, %d octets announced, %d sent", v.status, v.length, v.body.Len())
		}
		for _, part := range []string{
			"Content-Range: bytes 8-11/95\r\n\r\n" + letters(0, 8, 12) + "\r\n",
			"Content-Range: bytes 30-31/95\r\n\r\n" + letters(0, 30, 32) + "\r\n",
			"Content-Range: bytes 93-94/95\r\n\r\n" + letters(0, 93, 95) + "\r\n",
		} {
			if !strings.Contains(v.text(), part) {
				t.Errorf("%q is not in %q", part, v.text())
			}
		}
		a.wants(t)
	})
}

func TestSlices_OnlyWhatIsMissingIsAskedFor(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.forget(0, 3, 4, 9)
		a.log()
		w.expect("206 Hit "+letters(0, 15, 75), "/a", "Range: bytes=15-74")
		a.wants(t, `30-39 "v0"`, `40-49 "v0"`)
		w.settle(7 * time.Second)
		v := w.expect("206 Miss "+letters(0, 5, 15), "/a", "Range: bytes=5-14")
		if v.fields.Get("Age") != "7" {
			t.Errorf("Age: %s", v.fields.Get("Age"))
		}
		w.wantWhy("Miss cold")
		a.wants(t, `0-9 "v0"`)
		w.expect("200 Hit "+a.all(), "/a")
		a.wants(t, `90-94 "v0"`)
		w.expect("200 Hit "+a.all(), "/a")
		a.wants(t)
	})
}

func TestSlices_AFirstRange(t *testing.T) {
	library(t, func(w *world, a *archive) {
		// It is asked for as it is, and tells how long the whole is.
		v := w.expect("206 Miss "+letters(0, 33, 36), "/a", "Range: bytes=33-35")
		if v.fields.Get("Content-Range") != "bytes 33-35/95" || v.fields.Has(mapField) {
			t.Errorf("%v", v.fields)
		}
		a.wants(t, "33-35")
		w.expect("206 Miss "+letters(0, 33, 42), "/a", "Range: bytes=33-41")
		a.wants(t, `30-39 "v0"`, `40-49 "v0"`)
		w.expect("206 Hit "+letters(0, 30, 50), "/a", "Range: bytes=30-49")
		w.expect("200 Hit", "HEAD /a")
		a.wants(t)
	})
	// From a slice's beginning on it is kept as it comes.
	library(t, func(w *world, a *archive) {
		v := w.expect("206 Miss "+a.all(), "/a", "Range: bytes=0-")
		if v.fields.Get("Content-Range") != "bytes 0-94/95" || v.length != 95 {
			t.Errorf("%v", v.fields)
		}
		w.expect("200 Hit "+a.all(), "/a")
		a.wants(t, "0-")
	})
	// What ends in the middle of a slice leaves the beginning of that out.
	library(t, func(w *world, a *archive) {
		w.expect("206 Miss "+letters(0, 20, 45), "/a", "Range: bytes=20-44")
		w.expect("206 Hit "+letters(0, 20, 45), "/a", "Range: bytes=20-44")
		if w.slice(2) == nil || w.slice(3) == nil || w.slice(4) == nil || w.slice(5) != nil {
			t.Error("other slices than 2 to 4 are stored")
		}
		a.wants(t, `20-44`, `40-49 "v0"`)
	})
}

func TestSlices_OfWhatTheyAreNotMade(t *testing.T) {
	for name, prepare := range map[string]func(a *archive){
		"small":          func(a *archive) { a.size = 50 },
		"weak":           func(a *archive) { a.valid = func(int) string { return `ETag: W/"1"` } },
		"no validator":   func(a *archive) { a.valid = func(int) string { return "X: y" } },
		"young":          func(a *archive) { a.valid = func(int) string { return "Last-Modified: Sat, 01 Aug 2026 12:00:00 GMT" } },
		"no ranges":      func(a *archive) { a.react = func(r *reply) { r.fields.Set("Accept-Ranges", "none") } },
		"unknown length": func(a *archive) { a.react = func(r *reply) { r.length = -1 } },
		"private":        func(a *archive) { a.lines = []string{"Cache-Control: private"} },
	} {
		t.Run(name, func(t *testing.T) {
			library(t, func(w *world, a *archive) {
				prepare(a)
				w.expect("200 Miss "+a.all(), "/a")
				if o := w.object("/a"); o != nil && isMap(o) || w.slice(0) != nil {
					t.Error("sliced")
				}
			})
		})
	}
	library(t, func(w *world, a *archive) {
		a.valid = func(int) string { return "Last-Modified: Sat, 01 Aug 2026 11:59:59 GMT" }
		w.get("/a")
		w.forget(2)
		w.expect("200 Hit "+a.all(), "/a")
		a.wants(t, "whole", "20-29 Sat, 01 Aug 2026 11:59:59 GMT")
	})
}

// An origin that says that it gives ranges, and does not, is asked for the whole from then on.
func TestSlices_RefusedAreNotTriedAgain(t *testing.T) {
	library(t, func(w *world, a *archive) {
		a.plain = true
		w.get("/a")
		w.forget(0)
		a.log()
		w.expect("200 Miss "+a.all(), "/a")
		a.wants(t, "whole for 0-9", "whole")
		if o := w.object("/a"); o == nil || isMap(o) || string(o.Body) != a.all() {
			t.Errorf("kept is %+v", o)
		}
		w.expect("206 Hit "+letters(0, 5, 7), "/a", "Range: bytes=5-6")
		a.wants(t)
	})
}

func TestSlices_AnotherVersion(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.forget(0)
		a.change(func() { a.version, a.size = 1, 80 })
		a.log()
		// Before the head: the viewer gets the new one.
		w.expect("200 Miss "+a.all(), "/a")
		a.wants(t, "whole for 0-9", "whole")
		w.expect("206 Hit "+letters(1, 15, 35), "/a", "Range: bytes=15-34")
		a.wants(t)
	})
	// Behind it: what was begun is cut, and the next one gets the new version.
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.forget(3)
		a.change(func() { a.version = 1 })
		v := w.get("/a")
		if !v.aborted || v.text() != letters(0, 0, 30) {
			t.Errorf("aborted %v, %q", v.aborted, v.text())
		}
		w.wantWhy("Hit version-changed")
		if x := w.last(); !x.Aborted {
			t.Error("not told as aborted")
		}
		if w.object("/a") != nil {
			t.Error("the map of the old version is still there")
		}
		w.expect("200 Miss "+a.all(), "/a")
	})
	// Of a slice that is on its way nobody gets another version's.
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.forget(0)
		gate := make(chan struct{})
		a.gate["bytes=0-9"] = gate
		old := w.ask("/a")
		w.store.Remove(w.object("/a"))
		a.change(func() { a.version = 1 })
		w.expect("206 Miss "+letters(1, 50, 52), "/a", "Range: bytes=50-51")
		a.change(func() { delete(a.gate, "bytes=0-9") })
		w.expect("206 Miss "+letters(1, 5, 15), "/a", "Range: bytes=5-14")
		close(gate)
		synctest.Wait()
		if !old.over() || !old.aborted && old.text() != letters(0, 0, 95) {
			t.Errorf("over %v, aborted %v, %q", old.over(), old.aborted, old.text())
		}
	})
}

func TestSlices_AreRenewedByTheirMap(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.settle(61 * time.Second)
		a.log()
		w.expect("206 RefreshHit "+letters(0, 15, 35), "/a", "Range: bytes=15-34")
		a.wants(t, "if changed")
		w.expect("200 Hit "+a.all(), "/a")
		a.wants(t)
		// A new version takes their place, whole or in part.
		w.settle(61 * time.Second)
		a.change(func() { a.version = 1 })
		w.expect("206 Miss "+letters(1, 55, 75), "/a", "Range: bytes=55-74")
		a.wants(t, `whole`, `50-59 "v1"`, `60-69 "v1"`, `70-79 "v1"`)
		// And what is small now is an object like any other.
		w.settle(61 * time.Second)
		a.change(func() { a.version, a.size = 2, 20 })
		w.expect("200 Miss "+a.all(), "/a")
		w.expect("200 Hit "+a.all(), "/a")
	})
	library(t, func(w *world, a *archive) {
		a.lines = []string{"Cache-Control: max-age=1, stale-while-revalidate=60"}
		w.get("/a")
		w.settle(2 * time.Second)
		a.change(func() { a.version = 1 })
		a.log()
		w.expect("200 Hit "+letters(0, 0, 95), "/a")
		w.settle(time.Second)
		a.wants(t, "whole")
		w.expect("206 Miss "+letters(1, 3, 4), "/a", "Range: bytes=3-3")
		if n := w.edge.Stats().Fills; n != 0 {
			t.Errorf("%d fills in the air", n)
		}
	})
	// The origin is down: what is stored is good enough.
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.settle(61 * time.Second)
		w.origin.on("/a", fails(origin.Connect))
		w.expect("200 Hit "+letters(0, 0, 95), "/a")
		w.wantWhy("Hit stale-on-error")
		w.forget(0)
		w.expect("502 Error page", "/a")
		w.expect("206 Hit "+letters(0, 20, 21), "/a", "Range: bytes=20-20")
		w.origin.on("/a", status(503, "sorry"))
		w.expect("503 Error sorry", "/a")
	})
}

// Viewers that come while the first one is being served do not have anything fetched twice.
func TestSlices_ManyViewersOneFetch(t *testing.T) {
	library(t, func(w *world, a *archive) {
		gate := make(chan struct{})
		a.gate[""] = gate
		var all []*viewer
		for range 5 {
			all = append(all, w.ask("/a"))
		}
		close(gate)
		synctest.Wait()
		for _, v := range all {
			if v.status != 200 || v.text() != a.all() || v.aborted {
				t.Errorf("%d %q, aborted %v", v.status, v.text(), v.aborted)
			}
		}
		// One of them at least asks anew where the first answer goes on; no slice is asked for twice.
		asked := a.log()
		if len(slices.Compact(slices.Clone(asked))) != len(asked) {
			t.Errorf("asked for %q", asked)
		}
	})
}

func TestSlices_SizeByTheStore(t *testing.T) {
	for capacity, want := range map[int64]int64{1 << 40: 4 << 20, 128 << 20: 4 << 20, 127 << 20: 2 << 20, 32 << 20: 1 << 20, 1 << 20: 64 << 10, 0: 64 << 10} {
		if got := sliceSize(capacity); got != want {
			t.Errorf("%d octets: slices of %d, want %d", capacity, got, want)
		}
	}
}

// What people look at shows one object.
func TestSlices_AreOneObjectToSee(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.get("/a", "Range: bytes=20-29")
		x, err := w.edge.Explain(Question{Request: &request("/a").Request})
		if err != nil || x.Stored == nil || x.Stored.Bytes != 95 || x.Stored.Hits != 1 || !x.Stored.Fresh || x.Stored.Status != 200 {
			t.Errorf("explained as %+v, %v", x.Stored, err)
		}
		p, err := w.edge.Popular(context.Background(), "D1", 10)
		if err != nil || len(p.Objects) != 1 {
			t.Fatalf("popular: %+v, %v", p, err)
		}
		if o := p.Objects[0]; o.Path != "/a" || o.Requests != 2 || o.Hits != 1 || o.Bytes != 105 {
			t.Errorf("popular is %+v", o)
		}
	})
}

// Several ranges of what is still coming are cut out of it as they pass.
func TestRanges_OfAFillInFlight(t *testing.T) {
	story(t, func(w *world) {
		r := ok("0123456789", "Cache-Control: max-age=60")
		r.rest = make(chan struct{})
		w.origin.on("/a", r)
		first := w.ask("/a")
		v := w.ask("/a", "Range: bytes=1-2, 4-5, -1")
		none := w.ask("/a", "Range: bytes=10-")
		if v.status != 206 || !strings.HasSuffix(v.text(), "Content-Range: bytes 4-5/10\r\n\r\n4") {
			t.Errorf("%d %q", v.status, v.text())
		}
		none.is(t, "416 Error page")
		close(r.rest)
		synctest.Wait()
		first.is(t, "200 Miss 0123456789")
		if v.aborted || int64(v.body.Len()) != v.length || !strings.Contains(v.text(), "1-2/10\r\n\r\n12\r\n") ||
			!strings.Contains(v.text(), "4-5/10\r\n\r\n45\r\n") || !strings.Contains(v.text(), "9-9/10\r\n\r\n9\r\n") {
			t.Errorf("%q of %d octets", v.text(), v.length)
		}
		if w.origin.times("/a") != 1 {
			t.Errorf("asked %d times", w.origin.times("/a"))
		}
	})
}

// What must be asked for again each time is asked about, not fetched, each time.
func TestSlices_AskedAboutEachTime(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		a := &archive{size: 95, lines: []string{"Cache-Control: no-cache"}}
		w.origin.on("/a", &reply{react: a.reply})
		w.edge.cfg.SliceFrom, w.edge.cfg.SliceSize = 50, 10
		w.expect("200 Miss "+a.all(), "/a")
		w.expect("206 RefreshHit "+letters(0, 15, 35), "/a", "Range: bytes=15-34")
		w.expect("200 RefreshHit "+a.all(), "/a")
		w.expect("200 RefreshHit", "HEAD /a")
		a.wants(t, "whole", "if changed", "if changed", "if changed")
		a.change(func() { a.version = 1 })
		w.expect("206 Miss "+letters(1, 15, 35), "/a", "Range: bytes=15-34")
	})
}

func TestSlices_AHeadComesFirst(t *testing.T) {
	library(t, func(w *world, a *archive) {
		v := w.expect("200 Miss", "HEAD /a")
		if v.length != 95 {
			t.Errorf("length %d", v.length)
		}
		w.expect("304 Hit", "/a", `If-None-Match: "v0"`)
		a.wants(t, "whole")
		w.expect("206 Miss z", "/a", "Range: bytes=25-25")
		a.wants(t, `20-29 "v0"`)
		if n := w.edge.Stats().Fills; n != 0 {
			t.Errorf("%d fills in the air", n)
		}
	})
}

// The tags of the same octets may change: what is stored by the old ones is not used by the new.
func TestSlices_OtherTags(t *testing.T) {
	library(t, func(w *world, a *archive) {
		a.lines = []string{"Cache-Control: max-age=60", "Cache-Tag: one"}
		w.get("/a")
		a.change(func() { a.lines[1] = "Cache-Tag: two" })
		w.forget(0)
		w.expect("206 Miss "+letters(0, 5, 6), "/a", "Range: bytes=5-5") // it shows, and what there is is dropped
		w.invalidate("#two")
		a.log()
		w.expect("206 Miss "+letters(0, 15, 16), "/a", "Range: bytes=15-15")
		a.wants(t, "15-15")
	})
	library(t, func(w *world, a *archive) {
		a.lines = []string{"Cache-Control: max-age=60", "Cache-Tag: one"}
		w.get("/a")
		w.settle(61 * time.Second)
		a.change(func() { a.lines[1] = "Cache-Tag: two" })
		a.log()
		w.expect("206 RefreshHit "+letters(0, 15, 16), "/a", "Range: bytes=15-15")
		a.wants(t, "if changed", `10-19 "v0"`)
		w.invalidate("#two")
		w.expect("206 Miss "+letters(0, 15, 16), "/a", "Range: bytes=15-15")
		a.wants(t, "15-15")
	})
}

// RFC 9111 section 4.4.
func TestSlices_AreOverwritten(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.configure(behave(allMethods))
		w.get("/a")
		w.get("POST /a", "a body")
		a.log()
		w.expect("206 Miss "+letters(0, 55, 57), "/a", "Range: bytes=55-56")
		w.expect("206 Miss "+letters(0, 15, 16), "/a", "Range: bytes=15-15")
		a.wants(t, "55-56", `10-19 "v0"`)
	})
}

// What is being sent goes on when the configuration changes, and keeps nothing of it.
func TestSlices_AnotherConfiguration(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.forget(4, 5, 6)
		v := &viewer{holdBody: make(chan struct{})}
		w.askAs(v, "/a")
		w.configure(func(p *journal.DistributionPut) { p.Config.Comment = wire.Ptr("new") })
		close(v.holdBody)
		synctest.Wait()
		v.is(t, "200 Hit "+a.all())
		if w.slice(5) != nil {
			t.Error("stored")
		}
		w.expect("200 Hit "+a.all(), "/a")
	})
}

// A slice that turns out private is for whoever asked for it.
func TestSlices_ThatArePrivate(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.forget(3)
		gate := make(chan struct{})
		a.hold["bytes=30-39"] = gate
		a.lines = []string{"Cache-Control: private"}
		a.log()
		one, two := w.ask("/a", "Range: bytes=20-39"), w.ask("/a", "Range: bytes=25-44")
		close(gate)
		synctest.Wait()
		one.is(t, "206 Hit "+letters(0, 20, 40))
		two.is(t, "206 Hit "+letters(0, 25, 45))
		a.wants(t, `30-39 "v0"`, `30-39 "v0"`)
		if w.slice(3) != nil {
			t.Error("stored")
		}
	})
}

// Two origins of a group do not complete each other's versions, whatever these are called.
func TestSlices_OfAGroup(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.configure(pair(500, 502, 503, 504))
		second := &archive{version: 3, size: 95, lines: a.lines, valid: func(int) string { return `ETag: "v0"` }}
		w.origin.on("/2/a", &reply{react: second.reply})
		w.get("/a")
		w.forget(0)
		w.origin.on("/a", fails(origin.Connect))
		v := w.get("/a")
		if v.status != 200 || v.text() != second.all() {
			t.Errorf("%d %q, want the second's", v.status, v.text())
		}
		w.forget(2)
		v = w.get("/a", "Range: bytes=15-34")
		if v.text() != letters(3, 15, 35) {
			t.Errorf("%q, want the second's", v.text())
		}
		// The first is back.
		w.origin.on("/a", &reply{react: a.reply})
		w.forget(2)
		v = w.get("/a", "Range: bytes=25-44")
		if v.text() != letters(0, 25, 45) {
			t.Errorf("%q, want the first's", v.text())
		}
		v = w.get("/a")
		if v.text() != a.all() {
			t.Errorf("%q, want the first's", v.text())
		}
	})
}

// An error page that is as large is sent from its slices too.
func TestSlices_OfAnErrorPage(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.configure(func(p *journal.DistributionPut) {
			p.Config.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: wire.Ptr[int64](1), Items: []wire.CustomErrorResponse{{
				ErrorCode: wire.Ptr[int64](404), ResponsePagePath: wire.Ptr("/a"), ResponseCode: wire.Ptr("404"), ErrorCachingMinTTL: wire.Ptr[int64](60),
			}}}
		})
		for range 2 {
			w.expect("404 Error "+a.all(), "/nothing", "Range: bytes=3-4")
		}
		w.forget(5)
		w.expect("404 Error "+a.all(), "/nothing")
		a.wants(t, "whole", `50-59 "v0"`)
	})
}

func TestSlices_OnlyIfCached(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.configure(rfc)
		w.get("/a")
		w.forget(5)
		a.log()
		w.expect("206 Hit "+letters(0, 15, 50), "/a", "Range: bytes=15-49", "Cache-Control: only-if-cached")
		w.expect("504 Error page", "/a", "Range: bytes=15-50", "Cache-Control: only-if-cached")
		a.wants(t)
		v := w.expect("206 Miss "+letters(0, 50, 51), "/a", "Range: bytes=50-50")
		if got := v.fields.Get("Cache-Status"); got != "Warmfront; fwd=partial; fwd-status=206" {
			t.Errorf("Cache-Status: %s", got)
		}
		v = w.get("/a")
		if got := v.fields.Get("Cache-Status"); !strings.HasPrefix(got, "Warmfront; hit; ttl=") {
			t.Errorf("Cache-Status: %s", got)
		}
	})
}

// The origin's connection may break off; the slice is asked for again, and only so often.
func TestSlices_BrokenOffAreAskedForAgain(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.forget(1, 5)
		a.break1["bytes=10-19"], a.break1["bytes=50-59"] = 1, 9
		v := w.get("/a")
		if !v.aborted || v.text() != letters(0, 0, 55) {
			t.Errorf("aborted %v, %q", v.aborted, v.text())
		}
		a.log()
		a.change(func() { clear(a.break1) })
		w.expect("200 Hit "+a.all(), "/a")
		a.wants(t, `50-59 "v0"`)
	})
	// So may the first answer.
	library(t, func(w *world, a *archive) {
		a.break1[""] = 1
		w.expect("200 Miss "+a.all(), "/a")
		a.wants(t, `whole`, `40-49 "v0"`, `50-59 "v0"`, `60-69 "v0"`, `70-79 "v0"`, `80-89 "v0"`, `90-94 "v0"`)
	})
}

func TestSlices_Variants(t *testing.T) {
	story(t, func(w *world) {
		w.configure(rfc)
		one, two := &archive{size: 95, lines: []string{"Cache-Control: max-age=60", "Vary: Foo"}}, &archive{version: 1, size: 95, lines: []string{"Cache-Control: max-age=60", "Vary: Foo"}}
		w.origin.on("/a", &reply{react: func(r *origin.Request) *reply {
			if r.Fields.Get("Foo") == "1" {
				return one.reply(r)
			}
			return two.reply(r)
		}})
		w.expect("200 Miss "+one.all(), "/a", "Foo: 1")
		w.expect("200 Miss "+two.all(), "/a", "Foo: 2")
		w.expect("206 Hit "+letters(0, 15, 35), "/a", "Foo: 1", "Range: bytes=15-34")
		w.expect("206 Hit "+letters(1, 15, 35), "/a", "Foo: 2", "Range: bytes=15-34")
		w.expect("200 Hit "+one.all(), "/a", "Foo: 1", "Cache-Control: only-if-cached")
		one.wants(t, "whole")
		two.wants(t, "whole")
	}, smallSlices, unswept)
}
