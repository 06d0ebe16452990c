package edge

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// archive is an origin's large file, of which there are versions.
type archive struct {
	mu      sync.Mutex
	version int
	size    int64
	lines   []string                 // fields of every answer
	asked   []string                 // "range if-range" or "whole", in order
	sent    int64                    // octets that were announced
	react   func(*reply)             // may change an answer
	plain   bool                     // knows no ranges, although it says so
	valid   func(int) string         // the validator's line of a version
	break1  map[string]int           // how often an answer to a Range breaks off
	gate    map[string]chan struct{} // in the middle of an answer to a Range
	hold    map[string]chan struct{} // before it
}

// letters is the content of a version from one octet to another.
func letters(version int, from, to int64) string {
	b := make([]byte, 0, to-from)
	for i := from; i < to; i++ {
		b = append(b, byte('a'+(i+i/26+int64(version)*7)%26))
	}
	return string(b)
}

func (a *archive) all() string { return letters(a.version, 0, a.size) }

func (a *archive) reply(r *origin.Request) *reply {
	a.mu.Lock()
	hold := a.hold[r.Fields.Get("Range")]
	a.mu.Unlock()
	if hold != nil {
		<-hold
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	lines := append([]string{"Accept-Ranges: bytes", "Date: Sat, 01 Aug 2026 12:00:00 GMT"}, a.lines...)
	valid := `ETag: "v` + strconv.Itoa(a.version) + `"`
	if a.valid != nil {
		valid = a.valid(a.version)
	}
	lines = append(lines, valid)
	_, is, _ := strings.Cut(valid, ": ")
	asked, rep := "whole", (*reply)(nil)
	span, ifRange := r.Fields.Get("Range"), r.Fields.Get("If-Range")
	ranges, verdict := httpcache.ParseRange(span, a.size)
	switch {
	case r.Fields.Has("If-None-Match") && r.Fields.Get("If-None-Match") == is:
		asked, rep = "if changed", status(304, "", lines...)
	case verdict == httpcache.RangePartial && len(ranges) == 1 && !a.plain && (ifRange == "" || ifRange == is):
		rg := ranges[0]
		asked = strings.TrimSpace(strings.TrimPrefix(span, "bytes=") + " " + ifRange)
		rep = status(206, letters(a.version, rg.Start, rg.Start+rg.Length), append(lines, "Content-Range: "+rg.ContentRange(a.size))...)
	default:
		if span != "" {
			asked = "whole for " + strings.TrimPrefix(span, "bytes=")
		}
		rep = ok(a.all(), lines...)
	}
	a.asked = append(a.asked, asked)
	if a.break1[span] > 0 {
		a.break1[span]--
		rep.length, rep.body, rep.cut = int64(len(rep.body)), rep.body[:len(rep.body)/2], true
	}
	rep.rest = a.gate[span]
	if a.react != nil {
		a.react(rep)
	}
	a.sent += int64(len(rep.body))
	return rep
}

// log returns what was asked since the last call, sorted: a slice and the one after it are asked for at once.
func (a *archive) log() (asked []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked, a.asked = a.asked, nil
	slices.Sort(asked)
	return asked
}

func (a *archive) wants(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := a.log(); !slices.Equal(got, want) {
		t.Errorf("the origin was asked for %q, want %q", got, want)
	}
}

func (a *archive) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func smallSlices(w *world) { w.config.SliceFrom, w.config.SliceSize = 50, 10 }

// library is a story about a file of 95 octets in slices of ten.
func library(t *testing.T, f func(w *world, a *archive), options ...func(*world)) {
	t.Helper()
	story(t, func(w *world) {
		a := &archive{size: 95, lines: []string{"Cache-Control: max-age=60", "Content-Type: text/plain"}, break1: map[string]int{}, gate: map[string]chan struct{}{}, hold: map[string]chan struct{}{}}
		w.origin.on("/a", &reply{react: a.reply})
		f(w, a)
	}, append([]func(*world){smallSlices, unswept}, options...)...)
}

// slice is what is stored of a file's slice; nil: nothing.
func (w *world) slice(n int64) []byte {
	if o := w.store.Peek(numbered(append([]byte(w.key("/a")), 's', 0, 0, 0, 0, 0, 0, 0, 0), n)); o != nil {
		return o.Body
	}
	return nil
}

// forget evicts slices.
func (w *world) forget(numbers ...int64) {
	w.t.Helper()
	for _, n := range numbers {
		o := w.store.Peek(numbered(append([]byte(w.key("/a")), 's', 0, 0, 0, 0, 0, 0, 0, 0), n))
		if o == nil {
			w.t.Fatalf("slice %d is not there", n)
		}
		w.store.Remove(o)
	}
}

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

// L3: what kills the map kills the slices, and the other way round. They count as one object.
func TestSlices_DieTogether(t *testing.T) {
	for _, item := range []string{"/a", "/*", "#film"} {
		library(t, func(w *world, a *archive) {
			a.lines = append(a.lines, "Cache-Tag: film")
			w.get("/a")
			p, err := w.edge.Preview(context.Background(), "D1", mustItems(t, item))
			if err != nil || p.Total.Objects != 1 || p.Total.Bytes != 95 || p.All.Objects != 1 {
				t.Errorf("preview of %s: %+v, %v", item, p, err)
			}
			a.change(func() { a.version = 0 }) // the same name for other octets: only the invalidation tells
			a.log()
			w.invalidate(item)
			w.edge.sweeper.sweep(context.Background())
			r, _ := w.edge.Receipt("D1", "I"+item)
			if r.Objects != 1 || r.Bytes != 95 {
				t.Errorf("receipt of %s: %+v", item, r)
			}
			w.expect("206 Miss "+letters(0, 15, 35), "/a", "Range: bytes=15-34")
			a.wants(t, `15-34`)
		})
	}
}

func mustItems(t *testing.T, items ...string) (list []invalidation.Item) {
	t.Helper()
	for _, s := range items {
		i, err := invalidation.Parse(s, invalidation.Anywhere)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, i)
	}
	return list
}

// A slice that was fetched before an invalidation is not used with a map from after it, although its validator
// is the same.
func TestL2_SlicesFromBeforeARuleStayDead(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.invalidate("/a")
		a.log()
		w.expect("206 Miss "+letters(0, 55, 57), "/a", "Range: bytes=55-56") // makes a new map
		w.expect("206 Miss "+letters(0, 15, 35), "/a", "Range: bytes=15-34")
		a.wants(t, `55-56`, `10-19 "v0"`, `20-29 "v0"`, `30-39 "v0"`)
	})
	// Nor one that was on its way.
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.forget(1)
		gate := make(chan struct{})
		a.hold["bytes=10-19"] = gate
		a.log()
		v := w.ask("/a", "Range: bytes=10-12")
		w.invalidate("/a")
		a.change(func() { delete(a.hold, "bytes=10-19") })
		close(gate)
		synctest.Wait()
		v.is(t, "206 Miss "+letters(0, 10, 13))
		a.wants(t, `10-19 "v0"`, "10-12") // begun anew
		w.expect("206 Miss "+letters(0, 10, 13), "/a", "Range: bytes=10-12")
		a.wants(t, `10-19 "v0"`)
	})
}

// S4: between the swap of the snapshot and the poisoning of its flights one can still get on a flight that a rule has
// overtaken. Nobody does, and who has got on before finds out when the answer is decided on.
func TestS4_SlicesInFlight(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.forget(1)
		gate := make(chan struct{})
		a.hold["bytes=10-19"] = gate
		first := w.ask("/a", "Range: bytes=10-12")
		old := w.inFlight()
		w.invalidate("/a")
		first.is(t, "206 Miss "+letters(0, 10, 13)) // and there is a new map
		a.change(func() { delete(a.hold, "bytes=10-19") })
		reopen := func() {
			old.mu.Lock()
			old.poisoned, old.closed = false, false
			old.mu.Unlock()
			old.shard.mu.Lock()
			old.shard.byKey[old.key] = old
			old.shard.mu.Unlock()
		}
		reopen()
		v := w.ask("/a", "Range: bytes=10-12")
		if !v.over() {
			t.Fatal("waits for what is too old")
		}
		v.is(t, "206 Miss "+letters(0, 10, 13))

		w.forget(1)
		reopen()
		s := w.edge.snap.Load()
		q := &query{snap: s, site: s.sites["D1"], path: "/a", req: &request("/a").Request, key: []byte(w.key("/a")), base: len(w.key("/a"))}
		q.behavior = q.site.Behavior("/a")
		is, _ := ofMap(w.object("/a"))
		walk := &walk{v: &visit{e: w.edge, ctx: context.Background(), begun: true}, q: q, of: w.object("/a"), is: is}
		walk.key = append([]byte(w.key("/a")), 's', 0, 0, 0, 0, 0, 0, 0, 0)
		old.mu.Lock()
		walk.first = piece{n: 1, reader: old.add(&reader{f: old})}
		old.mu.Unlock()
		p, err := walk.piece(1, false)
		if err != nil || p.reader == nil || p.reader.f == old {
			t.Errorf("found %+v, %v", p, err)
		}
		synctest.Wait()
		p.leave()
		close(gate)
		synctest.Wait()
	})
}

// inFlight is the only flight that there is.
func (w *world) inFlight() (f *flight) {
	for i := range w.edge.flights.shards {
		sh := &w.edge.flights.shards[i]
		sh.mu.Lock()
		for x := range sh.all {
			f = x
		}
		sh.mu.Unlock()
	}
	return f
}

// The rest of a first answer is as old as its beginning: a rule that comes while it is being read keeps what follows
// from being stored, but not from the viewer whose head was decided before.
func TestL2_TheRestOfAnAnswerHasItsStamp(t *testing.T) {
	library(t, func(w *world, a *archive) {
		gate := make(chan struct{})
		a.gate[""] = gate
		v := w.ask("/a")
		a.change(func() { delete(a.gate, "") })
		w.invalidate("/a")
		close(gate)
		synctest.Wait()
		v.is(t, "200 Miss "+letters(0, 0, 95))
		for n := range int64(10) {
			if w.slice(n) != nil && w.edge.snap.Load().sites["D1"].check(w.store.Peek(numbered(append([]byte(w.key("/a")), 's', 0, 0, 0, 0, 0, 0, 0, 0), n))) == 0 {
				t.Errorf("slice %d of before the rule is stored and alive", n)
			}
		}
		if o := w.object("/a"); o != nil && w.edge.snap.Load().sites["D1"].check(o) == 0 {
			t.Error("the map is alive")
		}
	})
}

// E4: the rules that the rest of an answer would need are forgotten while its viewer takes its time. Then that is not
// read on, but asked for anew.
func TestE4_ARestThatIsTooOld(t *testing.T) {
	library(t, func(w *world, a *archive) {
		v := &viewer{holdBody: make(chan struct{})}
		w.askAs(v, "/a")
		w.settle(time.Second)
		w.invalidate("/other")
		w.edge.sweeper.sweep(context.Background())
		close(v.holdBody)
		synctest.Wait()
		v.is(t, "200 Miss "+a.all())
		if w.slice(9) == nil {
			t.Error("what was asked for anew is not stored")
		}
		var want []string
		for n := int64(1); n < 10; n++ {
			want = append(want, strings.TrimPrefix(httpcache.Slices{Size: 10, Total: 95, Validator: `"v0"`}.Ask(n).Get("Range"), "bytes=")+` "v0"`)
		}
		a.wants(t, append(want, "whole")...)
	})
}

// E1: a slice of another life of the journal is dead, and one that is not as long as it should be is none.
func TestE1_SlicesOfAnotherLife(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		key := func(n int64) []byte { return numbered(append([]byte(w.key("/a")), 's', 0, 0, 0, 0, 0, 0, 0, 0), n) }
		forge := func(n int64, body, epoch string) {
			o := w.store.Peek(key(n))
			w.store.Remove(o)
			w.store.Put(&cache.Object{
				Key: o.Key, Distribution: o.Distribution, Subject: o.Subject, Stamp: o.Stamp, Epoch: epoch, FetchStart: o.FetchStart,
				Status: o.Status, Fields: o.Fields, Body: []byte(body), Fresh: o.Fresh,
			})
		}
		life := w.edge.snap.Load().life
		forge(2, "AAAAAAAAAA", life)
		forge(3, "BBBBBBBBBB", "another")
		forge(9, "CCCC", life)
		a.log()
		w.expect("200 Hit "+letters(0, 0, 20)+"AAAAAAAAAA"+letters(0, 30, 95), "/a")
		a.wants(t, `30-39 "v0"`, `90-94 "v0"`)
	})
}

// L5: without a lease the map is confirmed by the origin; slices that are older than that are fetched anew.
func TestL5_SlicesWithoutALease(t *testing.T) {
	library(t, func(w *world, a *archive) {
		a.lines = []string{"Cache-Control: max-age=3600"}
		w.get("/a")
		w.cutOff()
		w.settle(time.Minute)
		a.log()
		w.expect("206 RefreshHit "+letters(0, 15, 35), "/a", "Range: bytes=15-34")
		a.wants(t, `if changed`, `10-19 "v0"`, `20-29 "v0"`, `30-39 "v0"`)
		w.expect("206 Hit "+letters(0, 15, 35), "/a", "Range: bytes=15-34")
		w.expect("206 Miss "+letters(0, 45, 46), "/a", "Range: bytes=45-45")
		a.wants(t, `40-49 "v0"`)
		w.reconnect()
		w.settle(10 * time.Second)
		w.expect("200 Hit "+a.all(), "/a")
		a.wants(t)
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

func TestL9_SlicesAndTooManyFills(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.forget(0, 5)
		slow, gate := gated(ok("slow"))
		w.origin.on("/slow", slow)
		other := w.ask("/slow")
		w.expect("503 CapacityExceeded page", "/a")
		v := w.get("/a", "Range: bytes=45-54")
		if !v.aborted || v.text() != letters(0, 45, 50) {
			t.Errorf("aborted %v, %q", v.aborted, v.text())
		}
		close(gate)
		synctest.Wait()
		other.is(t, "200 Miss slow")
		w.expect("200 Miss "+a.all(), "/a")
	}, func(w *world) { w.config.MaxFills = 1 })
}

// A viewer that leaves lets the slice come to its end, and no more.
func TestSlices_AViewerLeaves(t *testing.T) {
	library(t, func(w *world, a *archive) {
		v := &viewer{holdBody: make(chan struct{})}
		w.askAs(v, "/a")
		v.cancel()
		close(v.holdBody)
		synctest.Wait()
		if !v.over() {
			t.Fatal("not over")
		}
		if w.slice(0) == nil || w.slice(5) != nil {
			t.Error("not the first slices alone are stored")
		}
		if s := w.edge.Stats(); s.Fills != 0 || s.FillBytes != 0 {
			t.Errorf("%d fills hold %d octets", s.Fills, s.FillBytes)
		}
		a.log()
		w.expect("206 Hit "+letters(0, 3, 4), "/a", "Range: bytes=3-3")
		a.wants(t)
	})
}

// A slow viewer has two slices in the air at most, however long the whole is.
func TestL9_ASlowViewerHoldsTwoSlices(t *testing.T) {
	story(t, func(w *world) {
		a := &archive{size: 10 << 20, lines: []string{"Cache-Control: max-age=60"}}
		w.origin.on("/a", &reply{react: a.reply})
		w.get("/a", "Range: bytes=5-5") // a map
		v := &viewer{holdBody: make(chan struct{})}
		w.askAs(v, "/a")
		if n := w.store.Stats().Bytes + w.edge.Stats().FillBytes; n > 3<<16 {
			t.Errorf("%d octets are held", n)
		}
		close(v.holdBody)
		synctest.Wait()
		if v.text() != a.all() {
			t.Errorf("%d octets, aborted %v", v.body.Len(), v.aborted)
		}
	}, unswept, func(w *world) { w.config.SliceFrom, w.config.SliceSize = 1<<20, 1<<16 })
}

// However many they are: what comes for them beyond a limit streams through a window.
func TestL9_SlowViewersHoldSoMuch(t *testing.T) {
	const slice, memory, viewers = 4 << 20, 24 << 20, 20
	story(t, func(w *world) {
		a := &archive{size: 2 * viewers * slice, lines: []string{"Cache-Control: max-age=60"}}
		w.origin.on("/a", &reply{react: a.reply})
		w.get("/a", "Range: bytes=5-5") // a map
		var slow []*viewer
		for i := range viewers {
			v := &viewer{holdBody: make(chan struct{})}
			slow = append(slow, w.askAs(v, "/a", fmt.Sprintf("Range: bytes=%d-%d", 2*i*slice, 2*(i+1)*slice-1)))
		}
		held := w.edge.Stats().FillBytes + w.edge.flights.lent.Load()
		if most := int64(memory + memory/2 + viewers*(tapeWindow+4*tapeChunk)); held > most || held < memory {
			t.Errorf("%d octets are held, at most %d may be", held, most)
		}
		for i, v := range slow {
			close(v.holdBody)
			synctest.Wait()
			if !v.over() || v.aborted || v.text() != letters(0, int64(2*i*slice), int64(2*(i+1)*slice)) {
				t.Errorf("viewer %d: over %v, aborted %v, %d octets", i, v.over(), v.aborted, v.body.Len())
			}
		}
		if n := w.edge.flights.lent.Load() + w.edge.Stats().FillBytes; n != 0 {
			t.Errorf("%d octets are still counted", n)
		}
	}, unswept, func(w *world) { w.config.SliceFrom, w.config.SliceSize, w.config.FillMemory = 8<<20, slice, memory })
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

// An origin that changes at any moment, breaks off, and forgets: whatever comes is one version's, complete or cut.
func TestSlices_NeverMixVersions(t *testing.T) {
	complete := 0
	for seed := range uint64(30) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			library(t, func(w *world, a *archive) {
				rnd := rand.New(rand.NewPCG(seed, 2))
				var mu sync.Mutex
				n := func(k int) int { mu.Lock(); defer mu.Unlock(); return rnd.IntN(k) }
				w.origin.on("/a", &reply{react: func(r *origin.Request) *reply {
					time.Sleep(time.Duration(n(5)) * time.Millisecond)
					rep := a.reply(r)
					time.Sleep(time.Duration(n(5)) * time.Millisecond)
					switch n(20) {
					case 0:
						return fails(origin.Connect)
					case 1:
						return status(503, "sorry")
					case 2:
						if len(rep.body) > 1 {
							rep.length, rep.body, rep.cut = int64(len(rep.body)), rep.body[:n(len(rep.body))], true
						}
					}
					return rep
				}})
				var g sync.WaitGroup
				until := time.Now().Add(40 * time.Second)
				for range 5 {
					g.Go(func() {
						for time.Now().Before(until) {
							from := n(95)
							spans := [][]string{nil, {"Range: bytes=0-"}, {fmt.Sprintf("Range: bytes=%d-", from)}, {fmt.Sprintf("Range: bytes=%d-%d", from, from+n(40))}, {"Range: bytes=3-5, 40-61, -2"}}
							v := &viewer{}
							w.edge.Serve(context.Background(), v, request("/a", spans[n(len(spans))]...))
							if v.status < 300 {
								if err := ofOneVersion(v); err != "" {
									t.Error(err)
								}
								if !v.aborted {
									mu.Lock()
									complete++
									mu.Unlock()
								}
							}
							time.Sleep(time.Duration(n(200)) * time.Millisecond)
						}
					})
				}
				g.Go(func() {
					for time.Now().Before(until) {
						time.Sleep(time.Duration(n(1000)) * time.Millisecond)
						a.change(func() { a.version++ })
						for k := range int64(10) {
							if o := w.store.Peek(numbered(append([]byte(w.key("/a")), 's', 0, 0, 0, 0, 0, 0, 0, 0), k)); o != nil && n(2) == 0 {
								w.store.Remove(o)
							}
						}
					}
				})
				g.Wait()
			})
		})
	}
	// One history alone may have little luck: a 503 is kept for ten of its forty seconds.
	t.Logf("%d complete answers", complete)
	if complete < 5000 {
		t.Errorf("%d complete answers show nothing", complete)
	}
}

// ofOneVersion says what is wrong with an answer.
func ofOneVersion(v *viewer) string {
	version, err := strconv.Atoi(strings.Trim(v.fields.Get("ETag"), `v"`))
	if err != nil {
		return "no version: " + v.fields.Get("ETag")
	}
	body := v.text()
	if !v.aborted && v.length >= 0 && int64(len(body)) != v.length {
		return fmt.Sprintf("%d octets of %d", len(body), v.length)
	}
	if strings.HasPrefix(v.fields.Get("Content-Type"), "multipart/") {
		for _, part := range strings.Split(body, "Content-Range: ")[1:] {
			span, octets, _ := strings.Cut(part, "\r\n\r\n")
			r, _, _ := httpcache.ParseContentRange(span)
			octets, _, _ = strings.Cut(octets, "\r\n")
			if !strings.HasPrefix(letters(version, r.Start, r.Start+r.Length), octets) {
				return fmt.Sprintf("part %s of version %d: %q", span, version, octets)
			}
		}
		return ""
	}
	from := int64(0)
	if r, _, ok := httpcache.ParseContentRange(v.fields.Get("Content-Range")); ok {
		from = r.Start
	}
	if want := letters(version, from, from+int64(len(body))); body != want {
		return fmt.Sprintf("version %d from %d: %q, want %q", version, from, body, want)
	}
	return ""
}

// What another origin calls by the same name, once the distribution has been changed, need not be the same either.
func TestSlices_OfAnotherOrigin(t *testing.T) {
	for name, change := range map[string]func(o *wire.Origin){
		"path": func(o *wire.Origin) { o.OriginPath = wire.Ptr("/2") },
		"id":   func(o *wire.Origin) { o.Id, o.OriginPath = wire.Ptr("o2"), wire.Ptr("/2") },
	} {
		t.Run(name, func(t *testing.T) {
			library(t, func(w *world, a *archive) {
				second := &archive{version: 3, size: 95, lines: a.lines, valid: func(int) string { return `ETag: "v0"` }}
				w.origin.on("/2/a", &reply{react: second.reply})
				w.get("/a")
				w.forget(0, 5)
				w.configure(func(p *journal.DistributionPut) {
					change(&p.Config.Origins.Items[0])
					p.Config.DefaultCacheBehavior.TargetOriginId = p.Config.Origins.Items[0].Id
				})
				if v := w.get("/a"); v.text() != second.all() {
					t.Errorf("%q, want the second's", v.text())
				}
			})
		})
	}
}

// Nor is the rest of a part another origin's.
func TestParts_OfAnotherOrigin(t *testing.T) {
	library(t, func(w *world, a *archive) {
		second := &archive{version: 3, size: 95, lines: a.lines, valid: func(int) string { return `ETag: "v0"` }}
		w.origin.on("/2/a", &reply{react: second.reply})
		if v := w.get("/a", "Range: bytes=0-9"); v.status != 206 || w.object("/a", 'p') == nil {
			t.Fatalf("no part is stored: %d", v.status)
		}
		w.configure(func(p *journal.DistributionPut) { p.Config.Origins.Items[0].OriginPath = wire.Ptr("/2") })
		if v := w.get("/a"); v.text() != second.all() {
			t.Errorf("%q, want the second's", v.text())
		}
	}, func(w *world) { w.config.SliceFrom = 1 << 20 })
}
