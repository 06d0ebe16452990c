package edge

import (
	"context"
	"fmt"
	"math/rand/v2"
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

// L3: what kills the map kills the slices, and the other way round. They count as one object.
func TestSlices_DieTogether(t *testing.T) {
	for _, item := range []string{"/a", "/*", "#film"} {
		library(t, func(w *world, a *archive) {
			a.lines = append(a.lines, "Cache-Tag: film")
			w.get("/a")
			p, err := w.edge.Preview(context.Background(), "D1", NewSelection(mustItems(t, item), nil))
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

// And they are marked stale as one, with the octets of all.
func TestSlices_MarkedTogether(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.mark("/a")
		w.edge.sweeper.sweep(context.Background())
		w.mark("/elsewhere")
		w.edge.sweeper.sweep(context.Background())
		if r, _ := w.edge.Receipt("D1", "I/a"); r.Marked != 1 || r.MarkedBytes != 95 || r.Objects != 0 {
			t.Errorf("receipt: %+v", r)
		}
	})
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
		q := &query{snap: s, site: s.sites.of("D1"), path: "/a", req: &request("/a").Request, key: []byte(w.key("/a")), base: len(w.key("/a"))}
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
			if w.slice(n) != nil && w.edge.snap.Load().sites.of("D1").check(w.store.Peek(numbered(append([]byte(w.key("/a")), 's', 0, 0, 0, 0, 0, 0, 0, 0), n))) == 0 {
				t.Errorf("slice %d of before the rule is stored and alive", n)
			}
		}
		if o := w.object("/a"); o != nil && w.edge.snap.Load().sites.of("D1").check(o) == 0 {
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
