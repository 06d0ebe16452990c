package edge

import (
	"fmt"
	"testing"
	"testing/synctest"
)

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

// A request for a few octets here and there does not make an origin send all that lies between.
func TestL9_SmallRangesOfManySlices(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.get("/a", "Range: bytes=5-5") // a map
		a.log()
		v := w.get("/a", "Range: bytes=3-3,10-10,20-20,30-30,40-40,50-50,60-60,70-70")
		if v.status != 206 || len(a.log()) != 8 {
			t.Errorf("of eight slices: %d", v.status)
		}
		w.forget(1, 2)
		w.expect("200 Hit "+a.all(), "/a", "Range: bytes=3-3,10-10,20-20,30-30,40-40,50-50,60-60,70-70,80-80")
		v = w.get("/a", "Range: bytes=0-9,10-39,50-50,60-60,70-70,80-80,90-90")
		if v.status != 206 || v.length != int64(v.body.Len()) {
			t.Errorf("of five slices beyond what is asked for: %d", v.status)
		}
	})
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
