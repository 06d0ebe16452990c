package edge

import (
	"context"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// compact leaves out what is before an entry, but for the genesis, configurations, and what change makes of invalidations; nil: nothing.
func (w *world) compact(base uint64, change func(*journal.Invalidated) *journal.Forgotten) {
	w.t.Helper()
	all, err := w.log.Read(context.Background(), 1, 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	var kept []*journal.Entry
	for _, e := range all {
		k := *e
		k.Facts = nil
		for _, f := range e.Facts {
			switch {
			case f.DistributionPut != nil, f.Forgotten != nil:
				k.Facts = append(k.Facts, f)
			case f.Invalidated != nil && change != nil:
				k.Facts = append(k.Facts, journal.Fact{Forgotten: change(f.Invalidated)})
			}
		}
		if e.Seq < base && (e.Seq == 1 || len(k.Facts) > 0) {
			kept = append(kept, &k)
		}
	}
	w.log.Compact(base, kept)
}

func forgotten(*journal.Invalidated) *journal.Forgotten {
	return &journal.Forgotten{DistributionID: "D1"}
}

// An edge that starts with a disk goes on with what is alive on it, though most of the journal from before is gone: what an
// invalidation has killed that is left out stays dead.
func TestCompacted_DiskGoesOn(t *testing.T) {
	story(t, func(w *world) {
		for _, path := range []string{"/dead", "/a", "/b"} {
			w.origin.on(path, ok("v1"), ok("v2"))
		}
		w.expect("200 Miss v1", "/dead")
		w.invalidate("/dead")
		base := w.commit(journal.Fact{Tick: &journal.Tick{}})
		w.expect("200 Miss v1", "/a")
		w.expect("200 Miss v1", "/b")
		file := w.die()
		w.invalidate("/b") // while it is away
		w.compact(base, forgotten)
		w.live2(file, nil)
		w.expect("200 Hit v1", "/a")
		w.expect("200 Miss v2", "/dead")
		w.expect("200 Miss v2", "/b")
		w.invalidate("/a")
		w.expect("200 Miss v2", "/a")
	}, withDisk, unswept)
}

func TestCompacted_DiskFromBeforeIsDropped(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		file := w.die()
		w.invalidate("/other")
		w.compact(w.commit(journal.Fact{Tick: &journal.Tick{}}), nil)
		w.live2(file, nil)
		w.expect("200 Miss v2", "/a")
		w.expect("200 Hit v2", "/a")
	}, withDisk)
}

// An edge that was cut off for longer than the journal then goes back drops what it has, joins anew, and serves.
func TestCompacted_BelowARunningEdge(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", `ETag: "1"`), ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.cutOff()
		w.invalidate("/a")
		base := w.commit(journal.Fact{Tick: &journal.Tick{}})
		w.reconnect()
		w.compact(base, nil) // the invalidation is not known any more
		w.settle(time.Minute)
		if err := w.edge.Ready(); err != nil {
			t.Fatal(err)
		}
		w.expect("200 Miss v2", "/a")
		w.expect("200 Hit v2", "/a")
	})
}

// One that has kept up does not notice.
func TestCompacted_AboveARunningEdge(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.compact(w.commit(journal.Fact{Tick: &journal.Tick{}}), nil)
		w.settle(time.Minute)
		w.expect("200 Hit v1", "/a")
		w.invalidate("/a")
		w.expect("200 Miss v2", "/a")
	})
}
