package edge

import (
	"fmt"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/journal"
)

// bringBack invalidates at a pace, and lets what is wanted most be brought back.
func (w *world) bringBack(perSecond float64, mode journal.Mode, items ...string) uint64 {
	w.t.Helper()
	return w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I" + items[0], Items: items,
		CreateTime: time.Now(), Mode: mode, Pace: &journal.Pace{RequestsPerSecond: perSecond, Refetch: true}}})
}

func TestRefetch_TheMostWantedFirstWithinThePace(t *testing.T) {
	for _, mode := range []journal.Mode{"", journal.Stale} {
		pacedStory(t, func(w *world, o *counting) {
			const n = 12
			w.fill(n, "Content-Type: text/plain")
			for i := range n {
				for range (i * 7) % n { // 0 7 2 9 4 11 6 1 8 3 10 5
					w.get(fmt.Sprint("/o/", i))
				}
			}
			o.forget()
			asked := len(w.origin.all())
			w.bringBack(2, mode, "/o/*")
			w.settle(3*time.Second + 100*time.Millisecond)
			want := []string{"/o/5", "/o/10", "/o/3", "/o/8", "/o/1", "/o/6"}
			for i, path := range want {
				if got := w.origin.all()[asked+i].Path; got != path {
					t.Errorf("%s is brought back as number %d, want %s", got, i, path)
				}
				w.expect("200 Hit v2", path)
				if w.wantWhy("Hit fresh"); w.object(path).Stamp != w.edge.snap.Load().seq {
					t.Errorf("stamp %d", w.object(path).Stamp)
				}
			}
			w.settle(10 * time.Second)
			all, most := o.most()
			if st := w.edge.Stats(); all != n || most != 2 || st.Refetched < n-1 || st.PaceWaiting != 0 {
				t.Errorf("asked %d times, at most %d times in a second; %+v", all, most, st)
			}
			for i := range n {
				w.expect("200 Hit v2", fmt.Sprint("/o/", i))
			}
		})
	}
}

// While viewers wait, each of them comes before what nobody waits for.
func TestRefetch_ViewersFirst(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.fill(60)
		for i := 30; i < 60; i++ {
			w.get(fmt.Sprint("/o/", i))
		}
		w.bringBack(2, "", "/o/*")
		w.settle(time.Second)
		w.crowd(3)
		before := w.edge.Stats().Refetched
		for i := 3; i < 20; i++ {
			w.ask(fmt.Sprint("/o/", i))
			w.settle(480 * time.Millisecond)
		}
		if n := w.edge.Stats().Refetched - before; n > 1 {
			t.Errorf("%d were brought back meanwhile", n)
		}
		w.settle(30 * time.Second)
		if _, most := o.most(); w.owed() != 0 {
			t.Errorf("%d owed, %d in a second", w.owed(), most)
		}
	})
}

// What cannot be asked for by its key alone, or is not worth it, is left to viewers.
func TestRefetch_WhatIsLeftToViewers(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		w.fill(1)
		w.get("/gone") // 404
		w.origin.on("/empty", ok(""))
		w.get("/empty")
		version := "0123456789"
		w.origin.on("/part", sliced(&version))
		w.expect("206 Miss 0123", "/part", "Range: bytes=0-3")
		o.forget()
		w.bringBack(10, "", "/*")
		w.settle(time.Minute)
		if all, _ := o.most(); all != 1 || w.origin.last().Path != "/o/0" {
			t.Errorf("asked %d times, last for %s %v", all, w.origin.last().Path, w.origin.last().Fields)
		}
	})
	// An edge that stops brings nothing back any more.
	pacedStory(t, func(w *world, o *counting) {
		w.fill(100)
		w.bringBack(1, "", "/o/*")
		w.settle(3 * time.Second)
	})
	// Another invalidation on the way: what it makes of it is what counts.
	pacedStory(t, func(w *world, o *counting) {
		w.fill(20)
		w.bringBack(2, "", "/o/*")
		w.settle(3 * time.Second)
		for i := range 20 {
			w.origin.on(fmt.Sprint("/o/", i), ok("v3"))
		}
		w.invalidate("/o/*")
		w.settle(20 * time.Second)
		for i := range 20 {
			if v := w.get(fmt.Sprint("/o/", i)); v.text() != "v3" {
				t.Errorf("/o/%d is %q", i, v.text())
			}
		}
	})
}

func TestRefetch_RemembersTheHottest(t *testing.T) {
	story(t, func(w *world) {
		p := &pace{all: &w.edge.pacing, refetch: true, turn: make(chan struct{}, 1)}
		s := &cache.Sight{Status: 200, Size: 1}
		for i := range maxHot + 100 {
			s.Hits, s.Key = uint64(i), fmt.Sprint("/", i)
			p.wants(s)
		}
		all := p.hottest()
		if len(all) != maxHot || all[0].hits != maxHot+99 || all[maxHot-1].hits != 100 || p.hottest() != nil {
			t.Errorf("%d, from %d to %d", len(all), all[0].hits, all[len(all)-1].hits)
		}
	})
}

// Of so many invalidations that they share paces, and of more paces than are brought back at once, all is brought back (L9).
func TestRefetch_OfMoreThanThereArePaces(t *testing.T) {
	pacedStory(t, func(w *world, o *counting) {
		const n = 2 * (maxPaces + 4) // two for each pace, of which the second has to wait
		w.fill(n, "Content-Type: text/plain")
		o.forget()
		var last uint64
		for i := 0; i < n; i += 2 {
			rate := 0.2
			if i >= 2*maxPaces {
				rate = 0.1
			}
			last = w.bringBack(rate, "", fmt.Sprint("/o/", i), fmt.Sprint("/o/", i+1))
		}
		x := w.edge.snap.Load().sites.of("D1")
		if shared := x.paces[len(x.paces)-1]; len(x.paces) != maxPaces || x.pacedBy(last) != shared.pace || shared.every != 10*(time.Second+paceLate) {
			t.Fatalf("%d paces, the last one is for %d to %d, one each %s", len(x.paces), shared.first, shared.last, shared.every)
		}
		w.settle(3 * time.Minute)
		for i := range n {
			w.expect("200 Hit v2", fmt.Sprint("/o/", i))
			w.wantWhy("Hit fresh")
		}
		if all, _ := o.most(); all != n || w.edge.Stats().Refetched != n || w.edge.pacing.refetching.Load() != 0 {
			t.Errorf("asked %d times for %d; %+v", all, n, w.edge.Stats())
		}
	})
	pacedStory(t, func(w *world, o *counting) { // that of a plain one that is shared by one that brings back
		w.fill(maxPaces + 1)
		for i := range maxPaces {
			w.pace(1, fmt.Sprint("/o/", i))
		}
		w.bringBack(1, "", fmt.Sprint("/o/", maxPaces))
		w.settle(time.Minute)
		w.expect("200 Hit v2", fmt.Sprint("/o/", maxPaces))
		w.wantWhy("Hit fresh")
	})
}
