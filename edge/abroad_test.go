package edge

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

var threePlaces = []kin{{"FRA50-1", "FRA50"}, {"LHR50-1", "LHR50"}, {"IAD89-1", "IAD89"}}

// L7: a place whose turn has been gets nothing old from a parent whose turn has not, nor from that one's parent; so when all have had
// theirs, nobody shows it.
func TestTier_LocationByLocation(t *testing.T) {
	for name, mode := range map[string]journal.Mode{"removed": journal.Remove, "marked": journal.Stale} {
		t.Run(name, func(t *testing.T) {
			families(t, threePlaces, func(f *family) {
				f.place("FRA50", "LHR50")
				f.place("LHR50", "IAD89")
				for _, path := range []string{"/a", "/b", "/c"} {
					f.origin.on(path, ok("v1", "Cache-Tag: red"))
				}
				fra, lhr, iad := f.at("FRA50-1"), f.at("LHR50-1"), f.at("IAD89-1")
				lhr.expect("200 Miss v1", "/a") // both parents have it
				iad.expect("200 Miss v1", "/b")
				for _, path := range []string{"/a", "/b", "/c"} {
					f.origin.on(path, ok("v2", "Cache-Tag: red"))
				}
				turn := func(number int, w journal.Wave) {
					w.Number = number
					f.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: []string{"#red", "/none"}, Mode: mode, Wave: &w}})
				}
				turn(1, journal.Wave{Locations: []string{"FRA50"}})
				fra.expect("200 Miss v2", "/a")
				lhr.expect("200 Hit v1", "/a") // not yet
				fra.expect("200 Miss v2", "/b")
				iad.expect("200 Hit v1", "/b")
				lhr.expect("200 Hit v2", "/b") // it has asked past the place where it is old
				turn(2, journal.Wave{Others: []string{"FRA50"}})
				for _, path := range []string{"/a", "/b", "/c"} {
					fra.get(path)
					f.settle(virtualMoment)
					if v := fra.get(path); v.text() != "v2" {
						t.Errorf("%s at a place whose turn was first: %s", path, v.text())
					}
				}
				f.take()
				f.origin.on("/d", ok("v1", "Cache-Tag: red"))
				fra.expect("200 Miss v1", "/d")
				if got := f.take(); len(got) != 2 {
					t.Errorf("asked %q: parents are asked again when they have had their turn", got)
				}
			})
		})
	}
}

// What a parent has fetched since its own turn is new enough for whoever's turn comes later: the origin is asked for it once.
func TestTier_LocationByLocation_TheParentFirst(t *testing.T) {
	families(t, threePlaces, func(f *family) {
		f.place("LHR50", "FRA50")
		f.place("IAD89", "FRA50")
		f.origin.on("/a", ok("v1"), ok("v2"), ok("v3"))
		turn := func(number int, w journal.Wave) {
			w.Number = number
			f.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: []string{"/a"}, Wave: &w}})
		}
		fra, lhr, iad := f.at("FRA50-1"), f.at("LHR50-1"), f.at("IAD89-1")
		for _, w := range []*world{fra, lhr, iad} {
			w.expect("200 Miss v1", "/a")
		}
		turn(1, journal.Wave{Locations: []string{"FRA50"}})
		fra.expect("200 Miss v2", "/a")
		turn(2, journal.Wave{Locations: []string{"LHR50"}})
		lhr.expect("200 Miss v2", "/a")
		turn(3, journal.Wave{Others: []string{"FRA50", "LHR50"}})
		iad.expect("200 Miss v2", "/a")
		if n := f.origin.times("/a"); n != 2 {
			t.Errorf("the origin was asked %d times", n)
		}
		if x := fra.edge.snap.Load().sites.of("D1").abroad; x != nil {
			t.Errorf("%+v is kept when all turns are over", x)
		}
	})
}

// What a parent has renewed is as old as it was where the turn has been: a 304 is about the validator.
func TestTier_LocationByLocation_Renewed(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		const weak = "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT"
		f.origin.on("/a", ok("v1", "Cache-Control: max-age=10", weak))
		fra, lhr := f.at("FRA50-1"), f.at("LHR50-1")
		lhr.expect("200 Miss v1", "/a")
		f.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: []string{"/a"},
			Wave: &journal.Wave{Number: 1, Locations: []string{"FRA50"}}}})
		f.settle(11 * time.Second)
		f.origin.on("/a", &reply{react: func(r *origin.Request) *reply {
			if r.Fields.Has("If-Modified-Since") {
				return status(304, "", "Cache-Control: max-age=10", weak)
			}
			return ok("v2", "Cache-Control: max-age=10", weak)
		}})
		lhr.expect("200 Miss v2", "/a")
		fra.expect("200 Miss v2", "/a")
	})
}

// An edge that nobody may ask yet does the same: given an address before its turn, it has nothing that looks newer than it is, on its disk.
func TestTurns_WithoutAnAddress(t *testing.T) {
	story(t, func(w *world) {
		if w.config.Address != "" {
			t.Fatal("it has an address")
		}
		const weak = "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT"
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=10", weak))
		w.expect("200 Miss v1", "/a")
		turn := func(number int, x journal.Wave) {
			x.Number = number
			w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: []string{"/a"}, Wave: &x}})
		}
		turn(1, journal.Wave{Locations: []string{"LHR50"}})
		w.expect("200 Hit v1", "/a")
		w.settle(11 * time.Second)
		w.origin.on("/a", &reply{react: func(r *origin.Request) *reply {
			if r.Fields.Has("If-Modified-Since") {
				return status(304, "", "Cache-Control: max-age=10", weak)
			}
			return ok("v2", "Cache-Control: max-age=60", weak)
		}})
		w.expect("200 Miss v2", "/a")
		turn(2, journal.Wave{Others: []string{"LHR50"}})
		w.expect("200 Miss v2", "/a")
		if x := w.edge.snap.Load().sites.of("D1").abroad; x != nil {
			t.Errorf("%+v is kept when all turns are over", x)
		}
	})
}

// Nor does it get slices that are old there, although their map is not, and their origin calls both versions by one name.
func TestTier_LocationByLocation_Slices(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		a := &archive{size: 95, lines: []string{"Cache-Control: max-age=60"}, valid: func(int) string { return `ETag: "release"` }}
		f.origin.on("/a", &reply{react: a.reply})
		fra, lhr := f.at("FRA50-1"), f.at("LHR50-1")
		lhr.expect("200 Miss "+a.all(), "/a")
		f.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: []string{"/a"},
			Wave: &journal.Wave{Number: 1, Locations: []string{"FRA50"}}}})
		a.change(func() { a.version = 1 })
		lhr.store.Remove(lhr.object("/a"))
		lhr.expect("206 Miss "+letters(1, 93, 95), "/a", "Range: bytes=93-94") // a new map
		f.take()
		fra.expect("206 Miss "+letters(1, 20, 30), "/a", "Range: bytes=20-29")
		fra.expect("200 Miss "+a.all(), "/a")
		if got := f.take(); len(got) < 2 || got[0] != "FRA50-1 LHR50-1" {
			t.Errorf("asked %q", got)
		}
	}, smallSlices, unswept)
}

// L9: of more invalidations than an edge keeps in mind everything is old.
func TestAbroad_Bounded(t *testing.T) {
	var a *abroad
	item, err := invalidation.Parse("/a", invalidation.Anywhere)
	if err != nil {
		t.Fatal(err)
	}
	one, other := &invalidation.Subject{Path: "/a"}, &invalidation.Subject{Path: "/b"}
	for i := range uint64(maxAbroad) {
		a = a.with("I"+strconv.FormatUint(i, 10), i+10, nil, []invalidation.Item{item})
	}
	if !a.kills(one, 11) || a.kills(other, 11) || a.kills(one, 10+maxAbroad) {
		t.Error("it does not go by what the items name")
	}
	if next := a.with("I0", 1000, nil, []invalidation.Item{item}); next != a {
		t.Error("another turn changes something: what was fetched after the first is new enough")
	}
	for i := range uint64(2) {
		a = a.with("J"+strconv.FormatUint(i, 10), 2000+i, nil, []invalidation.Item{item})
	}
	if !a.kills(other, 10) || a.kills(other, 11) {
		t.Error("what is older than the oldest that are forgotten is not old")
	}
	for i := range uint64(maxAbroad) {
		a = a.done("I" + strconv.FormatUint(i, 10)).done("J" + strconv.FormatUint(i, 10))
	}
	if !a.kills(other, 10) || a.kills(one, 11) {
		t.Errorf("%+v", a)
	}
	a = nil
	for i := range uint64(2 * maxAbroad) {
		a = a.here("H"+strconv.FormatUint(i, 10), false)
	}
	if len(a.had) != maxAbroad || a.with("H255", 5000, nil, []invalidation.Item{item}).kills(one, 4999) {
		t.Errorf("%d turns that have been here are known", len(a.had))
	}
	if !a.with("H0", 5000, nil, []invalidation.Item{item}).kills(one, 4999) {
		t.Error("it has forgotten one, and kills nothing by it")
	}
	if a = a.here("H255", true); slices.Contains(a.had, "H255") {
		t.Error("after the last turn it is still known")
	}
}
