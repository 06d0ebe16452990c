package edge

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// counting is an origin that writes down when it was asked.
type counting struct {
	Fetcher
	mu sync.Mutex
	at []time.Time
}

func (c *counting) Fetch(ctx context.Context, d *distribution.Origin, r *origin.Request) (*origin.Response, error) {
	c.mu.Lock()
	c.at = append(c.at, time.Now())
	c.mu.Unlock()
	return c.Fetcher.Fetch(ctx, d, r)
}

// most returns how often it was asked, and the most in any second.
func (c *counting) most() (all, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := 0
	for i, at := range c.at {
		for at.Sub(c.at[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return len(c.at), most
}

func (c *counting) forget() {
	c.mu.Lock()
	c.at = nil
	c.mu.Unlock()
}

// pacedStory has an origin that counts.
func pacedStory(t *testing.T, f func(w *world, c *counting), options ...func(*world)) {
	t.Helper()
	c := &counting{}
	story(t, func(w *world) { f(w, c) }, append(options, func(w *world) { c.Fetcher, w.config.Origin = w.origin, c })...)
}

// pace invalidates at so many requests to origins a second.
func (w *world) pace(perSecond float64, items ...string) uint64 {
	w.t.Helper()
	return w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I" + items[0], Items: items,
		CreateTime: time.Now(), Pace: &journal.Pace{RequestsPerSecond: perSecond}}})
}

// fill has n objects stored: /o/0 and so on.
func (w *world) fill(n int, lines ...string) {
	w.t.Helper()
	for i := range n {
		path := fmt.Sprint("/o/", i)
		w.origin.on(path, ok("v1", lines...), ok("v2", lines...))
		w.get(path)
	}
}

// crowd asks for all of them at once.
func (w *world) crowd(n int) (all []*viewer) {
	for i := range n {
		all = append(all, w.ask(fmt.Sprint("/o/", i)))
	}
	return all
}

func (w *world) owed() (n int64) { return w.edge.pacing.owed.Load() }

func TestPace_HoldsForWhatTheOriginCounts(t *testing.T) {
	for name, c := range map[string]struct {
		item  string
		swept bool
		lines []string
	}{
		"found by viewers":     {"/o/*", false, nil},
		"found by the sweeper": {"/o/*", true, nil},
		"by tag, and swept":    {"#t", true, []string{"Cache-Tag: t"}},
	} {
		t.Run(name, func(t *testing.T) {
			options := []func(*world){}
			if !c.swept {
				options = append(options, unswept)
			}
			pacedStory(t, func(w *world, o *counting) {
				const n = 150
				w.fill(n, c.lines...)
				w.pace(10, c.item)
				if c.swept {
					w.settle(5 * time.Second)
					if w.owed() != n {
						t.Fatalf("%d owed", w.owed())
					}
				}
				o.forget()
				began := time.Now()
				all := w.crowd(n)
				w.origin.on("/new", ok("new"))
				w.expect("200 Miss new", "/new") // was never stored: nobody has caused that
				o.mu.Lock()
				o.at = o.at[:len(o.at)-1]
				o.mu.Unlock()
				w.settle(paceWait)
				served, refused := 0, 0
				for i, v := range all {
					switch {
					case !v.over():
						t.Fatalf("%d waits for longer than it should", i)
					case v.status == 200 && v.text() == "v2":
						served++
					case v.status == 503 && v.fields.Get("Retry-After") != "":
						refused++
					default:
						t.Errorf("%d got %d %q", i, v.status, v.text())
					}
				}
				asked, most := o.most()
				if most != 10 || asked != served || served < 100 || served > 101 || refused != n-served {
					t.Errorf("asked %d times, at most %d times in a second, served %d, refused %d", asked, most, served, refused)
				}
				for i, v := range w.crowd(n) { // those that were refused are let through as they come again
					w.settle(50 * time.Millisecond)
					if !v.over() && i < served {
						t.Errorf("%d is there, and waits", i)
					}
				}
				w.settle(paceWait)
				if asked, most := o.most(); asked != n || most > 10 || w.owed() != 0 {
					t.Errorf("asked %d times, at most %d times in a second, %d owed", asked, most, w.owed())
				}
				if d := time.Since(began); d < n/10*time.Second {
					t.Errorf("all in %s", d)
				}
			}, options...)
		})
	}
}

// Also of a second that begins with a question that comes when its turn has been there for a moment.
func TestPace_HoldsInAnySecond(t *testing.T) {
	for _, late := range []time.Duration{0, time.Millisecond, 3 * time.Millisecond, 49 * time.Millisecond} {
		t.Run(late.String(), func(t *testing.T) {
			pacedStory(t, func(w *world, o *counting) {
				const n = 120
				w.fill(n)
				w.pace(20, "/o/*")
				o.forget()
				all := w.crowd(1)
				w.settle(51*time.Millisecond + late)
				all = append(all, w.ask("/o/1"))
				for i := 2; i < n; i++ {
					all = append(all, w.ask(fmt.Sprint("/o/", i)))
				}
				w.settle(paceWait)
				for _, v := range all {
					v.is(t, "200 Miss v2")
				}
				if asked, most := o.most(); asked != n || most != 20 {
					t.Errorf("asked %d times, at most %d times in a second", asked, most)
				}
			})
		})
	}
}

// What is in the air when the rule comes has to be asked for again: that is caused by it as well.
func TestPace_FillsThatAreOvertaken(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		gate := make(chan struct{})
		for i := range 30 {
			old := ok("v1")
			old.head = gate
			w.origin.on(fmt.Sprint("/o/", i), old, ok("v2"))
		}
		all := w.crowd(30)
		o.forget()
		w.pace(10, "/o/*")
		w.settle(10 * time.Second)
		for _, v := range all {
			v.is(t, "200 Miss v2")
		}
		if asked, most := o.most(); asked != 30 || most != 10 {
			t.Errorf("asked %d times, at most %d times in a second", asked, most)
		}
		close(gate)
		synctest.Wait()
	})
}

func TestPace_InOrderAndWhoLeavesTakesNoTurn(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.fill(20)
		w.pace(1, "/o/*")
		o.forget()
		all := w.crowd(10)
		for _, v := range all[1:9] {
			v.cancel()
		}
		synctest.Wait()
		// Eight fills that nobody waits for go on in the background, as fills of small objects do: they have their turns.
		w.settle(9*time.Second + 9*paceLate)
		all[9].is(t, "200 Miss v2")
		if asked, most := o.most(); asked != 10 || most != 1 {
			t.Errorf("asked %d times, %d in a second", asked, most)
		}
		asked := w.origin.all()
		for i, r := range asked[len(asked)-10:] {
			if r.Path != fmt.Sprint("/o/", i) {
				t.Errorf("%d is %s", i, r.Path)
			}
		}
	})
	pacedStory(t, func(w *world, o *counting) {
		w.fill(20)
		w.pace(1, "/o/*")
		o.forget()
		all := w.crowd(10)
		for _, v := range all[1:9] {
			v.cancel()
		}
		w.settle(time.Second)
		all[9].is(t, "200 Miss v2")
	}, func(w *world) { w.config.MaxBackground = -1 })
}

// A failover and a second question are questions.
func TestPace_EveryQuestionOfAFillCounts(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.configure(pair(503))
		w.fill(3)
		w.pace(1, "/o/*")
		o.forget()
		for i := range 3 {
			w.origin.on(fmt.Sprint("/o/", i), status(503, "down"))
			w.origin.on(fmt.Sprint("/2/o/", i), ok("v2"))
		}
		all := w.crowd(3)
		w.settle(8 * time.Second)
		for _, v := range all {
			v.is(t, "200 Miss v2")
		}
		if asked, most := o.most(); asked != 6 || most != 1 {
			t.Errorf("asked %d times, %d in a second", asked, most)
		}
	})
	pacedStory(t, func(w *world, o *counting) {
		w.fill(3)
		w.pace(0.5, "/o/*")
		o.forget()
		slow, gate := gated(ok("slow"))
		w.origin.on("/o/0", slow, ok("v2"))
		all := append(w.crowd(1), w.ask("/o/0"))
		w.settle(patience - time.Millisecond)
		all = append(all, w.ask("/o/1"), w.ask("/o/2"))
		w.settle(10 * time.Second)
		for _, v := range all {
			if v.text() != "v2" {
				t.Errorf("%d %q", v.status, v.text())
			}
		}
		if asked, _ := o.most(); asked != 4 {
			t.Errorf("asked %d times", asked)
		}
		for i := 1; i < len(o.at); i++ {
			if d := o.at[i].Sub(o.at[i-1]); d < 2*time.Second {
				t.Errorf("question %d comes %s after the one before", i, d)
			}
		}
		close(gate)
		synctest.Wait()
	})
}

// While the origin fails, what was dropped stays owed: each new attempt is caused by the invalidation.
func TestPace_AFailurePaysNothingBack(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.fill(5)
		w.pace(1, "/o/*")
		for i := range 5 {
			w.origin.on(fmt.Sprint("/o/", i), status(500, "down", "Cache-Control: no-store"), fails(origin.ReadTimeout), ok("v2"))
		}
		o.forget()
		for range 3 {
			w.crowd(5)
			w.settle(30 * time.Second)
		}
		if asked, most := o.most(); asked != 15 || most != 1 || w.owed() != 0 {
			t.Errorf("asked %d times, %d in a second, %d owed", asked, most, w.owed())
		}
	})
}

func TestPace_SlicesAndRanges(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a")
		w.pace(1, "/a")
		w.settle(2 * time.Second)
		before, began := len(w.origin.all()), time.Now()
		var all []*viewer
		for _, span := range []string{"bytes=15-34", "bytes=70-74", "bytes=40-49", "bytes=0-94"} {
			all = append(all, w.ask("/a", "Range: "+span))
		}
		for _, v := range all {
			<-v.done
			if v.status != 206 {
				t.Errorf("%d", v.status)
			}
		}
		asked := len(w.origin.all()) - before
		if took := time.Since(began); asked < 2 || took < time.Duration(asked-1)*time.Second {
			t.Errorf("%d questions in %s", asked, took)
		}
	})
}

// Nothing is limited that the invalidation has not caused.
func TestPace_WhatIsAliveIsNotHeldUp(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1"))
		w.get("/a")
		w.origin.on("/b", ok("v1"))
		w.get("/b")
		w.pace(0.1, "/a", "/c")
		w.get("/a") // pays it back
		for range 5 {
			w.settle(1100 * time.Millisecond)
			w.expect("200 Miss v1", "/a")
		}
		w.origin.on("/c", ok("v1", "Cache-Control: no-store"))
		w.expect("200 Miss v1", "/c")
		w.expect("200 Miss v1", "/c")
		w.expect("200 Hit v1", "/b")
		w.settle(sweepMost)
		w.invalidate("/none") // folds it out
		if n := len(w.edge.snap.Load().sites.of("D1").paces); n != 0 {
			t.Errorf("%d paces are left", n)
		}
	})
}

func TestPace_PlainOneThatComesAfterIsNotHeldUp(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.fill(3)
		w.pace(0.1, "/o/*")
		w.invalidate("/o/*")
		for _, v := range w.crowd(3) {
			v.is(t, "200 Miss v2")
		}
	}, unswept)
}

// The limits of what is kept (L9).
func TestPace_Limits(t *testing.T) {
	story(t, func(w *world) {
		for i := range maxPaces + 5 {
			w.pace(float64(10+i), fmt.Sprint("/", i))
		}
		paces := w.edge.snap.Load().sites.of("D1").paces
		last := paces[len(paces)-1]
		if len(paces) != maxPaces || last.last-last.first != 5 || last.every != (time.Second+paceLate)/(10+maxPaces-1) {
			t.Errorf("%d paces, the last is for %d to %d, one each %s", len(paces), last.first, last.last, last.every)
		}
		if x := w.edge.snap.Load().sites.of("D1"); x.pacedBy(last.first+3) != last.pace || x.pacedBy(paces[0].first-1) != nil {
			t.Error("a rule has another's pace")
		}
	}, unswept)
	story(t, func(w *world) { // more URLs than are remembered
		w.fill(1)
		w.edge.pacing.owed.Store(maxOwed)
		w.pace(0.2, "/o/*")
		w.get("/o/0")
		v := w.ask("/new")
		w.settle(4 * time.Second)
		if v.over() {
			t.Error("what may be owed has gone past")
		}
		w.settle(time.Second + 5*paceLate)
		v.is(t, "404 Error nothing here")
		w.edge.pacing.owed.Store(0)
	}, unswept)
	story(t, func(w *world) { // more that wait than may
		w.fill(2)
		w.pace(0.1, "/o/*")
		w.get("/o/0")
		w.edge.pacing.waiting.Store(maxPaceWaits)
		w.expect("503 Error page", "/o/1")
		w.edge.pacing.waiting.Store(0)
	})
}

func TestPace_EndsWithItsTime(t *testing.T) {
	story(t, func(w *world) {
		w.fill(2)
		w.pace(0.1, "/o/*")
		w.settle(sweepMost)
		w.origin.on("/o/0", ok("v2"))
		w.get("/o/0")
		if v := w.ask("/o/1"); v.over() {
			t.Error("not held up")
		}
		w.settle(paceLeast)
		p := w.edge.snap.Load().sites.of("D1").paces[0]
		p.mu.Lock()
		p.owed[1], p.lost = 1, 400 // at one in ten seconds that is 4004 s: twice as long it lasts
		p.mu.Unlock()
		if p.over(p.began+8008*time.Second) || !p.over(p.began+8009*time.Second) {
			t.Error("it lasts for another time")
		}
	})
	story(t, func(w *world) { // one that shares another's begins anew
		for i := range maxPaces {
			w.pace(1, fmt.Sprint("/", i))
		}
		w.settle(paceLeast - time.Minute)
		w.pace(1, "/o/*")
		w.settle(2 * time.Minute)
		paces := w.edge.snap.Load().sites.of("D1").paces
		if shared := paces[maxPaces-1]; shared.over(w.edge.clock()) || !paces[0].over(w.edge.clock()) {
			t.Error("it ends with the one before")
		}
	}, unswept)
	// One that is read in an old journal is not begun again.
	story(t, func(w *world) {
		old := &journal.Invalidated{DistributionID: "D1", Items: []string{"/a"}, CreateTime: time.Now().Add(-paceMost), Pace: &journal.Pace{RequestsPerSecond: 1}}
		w.commit(journal.Fact{Invalidated: old})
		if n := len(w.edge.snap.Load().sites.of("D1").paces); n != 0 {
			t.Errorf("%d paces", n)
		}
	})
}

func TestPace_CustomErrorPageSaysWhenToComeAgain(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.configure(func(p *journal.DistributionPut) {
			p.Config.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: wire.Ptr[int64](1), Items: []wire.CustomErrorResponse{{
				ErrorCode: wire.Ptr[int64](503), ResponsePagePath: wire.Ptr("/sorry"), ResponseCode: wire.Ptr("503"), ErrorCachingMinTTL: wire.Ptr[int64](60)}}}
		})
		w.origin.on("/sorry", ok("sorry"))
		w.fill(1)
		w.pace(0.1, "/o/*")
		w.edge.pacing.waiting.Store(maxPaceWaits)
		if v := w.expect("503 Error sorry", "/o/0"); v.fields.Get("Retry-After") != "11" {
			t.Errorf("%v", v.fields)
		}
		w.edge.pacing.waiting.Store(0)
		w.expect("200 Miss v2", "/o/0") // the failure was not kept
	})
}

// The disk outlives the process: what is found dead there after a restart is owed by an invalidation that came while
// the edge was away.
func TestPace_WhatIsDeadOnDiskAfterARestart(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.fill(20)
		w.settle(time.Minute) // written
		w.live2(w.die(), func() { w.pace(2, "/o/*") })
		w.settle(time.Second)
		o.forget()
		all := w.crowd(20)
		w.settle(paceWait)
		for _, v := range all {
			v.is(t, "200 Miss v2")
		}
		if asked, most := o.most(); asked != 20 || most != 2 {
			t.Errorf("asked %d times, at most %d times in a second", asked, most)
		}
	}, withDisk)
}

// One that is not paced is not held up by those that share a pace, before it and after it.
func TestPace_WhatIsBetweenSharedOnes(t *testing.T) {
	pacedStory(t, func(w *world, _ *counting) {
		for i := range maxPaces {
			w.pace(0.1, fmt.Sprint("/none/", i))
		}
		w.fill(5)
		w.pace(0.1, "/none/a")
		w.removeO()
		w.pace(0.1, "/none/b")
		w.pace(0.1, "/none/c")
		spans := w.edge.snap.Load().sites.of("D1").paces
		n := len(spans)
		if n != maxPaces+1 || different(spans) != maxPaces || spans[n-1].pace != spans[n-2].pace || spans[n-1].last != spans[n-1].first+1 {
			t.Fatalf("%d spans of %d paces: %+v", n, different(spans), spans)
		}
		all := w.crowd(5)
		w.settle(time.Second)
		for _, v := range all {
			v.is(t, "200 Miss v2")
		}
	}, unswept)
}

// A sweep that began before another invalidation shared the pace says nothing of what that one drops.
func TestPace_SharedWhileTheSweeperIsOnItsWay(t *testing.T) {
	pacedStory(t, func(w *world, _ *counting) {
		w.fill(3)
		for i := range maxPaces {
			w.pace(0.1, fmt.Sprint("/none/", i))
		}
		swept := w.edge.snap.Load()
		w.pace(0.1, "/o/*")
		last := w.edge.snap.Load()
		swept.sites.of("D1").sweptUp(swept.seq)
		p := last.sites.of("D1").pacedBy(last.seq)
		if p.over(w.edge.clock()) {
			t.Error("it has ended, and nothing is known of what it has to drop")
		}
		last.sites.of("D1").sweptUp(last.seq)
		if !p.over(w.edge.clock()) {
			t.Error("it goes on, and has dropped nothing")
		}
	}, unswept)
}

// removeO removes what fill has stored, at no pace.
func (w *world) removeO() {
	w.t.Helper()
	w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "Iall", Items: []string{"/o/*"}, CreateTime: time.Now()}})
}

// With its distribution, or the whole log, a pace goes: what it remembers is no longer counted among all that may be.
func TestPace_GoesWithItsDistribution(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"deleted":  func(w *world) { w.commit(journal.Fact{DistributionDeleted: &journal.DistributionDeleted{ID: "D1"}}) },
		"replaced": func(w *world) { w.log.Replace(); w.settle(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			pacedStory(t, func(w *world, _ *counting) {
				w.fill(20)
				w.pace(1, "/o/*")
				w.settle(time.Second)
				if w.owed() != 20 {
					t.Fatalf("%d are owed", w.owed())
				}
				end(w)
				if w.owed() != 0 {
					t.Errorf("%d are owed for ever", w.owed())
				}
			})
		})
	}
}
