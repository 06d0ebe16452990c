package edge

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/internal/raced"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
	"github.com/warmfront/warmfront/tier"
)

var twoPlaces = []kin{{"FRA50-1", "FRA50"}, {"LHR50-1", "LHR50"}}

// A place fills through its parent: one question to the origin, and one age in both.
func TestTier_Parent(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		f.origin.on("/a", ok("v1", "Cache-Control: max-age=60", "ETag: \"1\""))
		f.at("FRA50-1").expect("200 Miss v1", "/a")
		if got := f.take(); !slices.Equal(got, []string{"FRA50-1 LHR50-1"}) {
			t.Errorf("asked %q", got)
		}
		if n := f.origin.times("/a"); n != 1 {
			t.Errorf("the origin was asked %d times", n)
		}
		f.settle(20 * time.Second)
		f.at("LHR50-1").expect("200 Hit v1", "/a")
		v := f.at("FRA50-1").expect("200 Hit v1", "/a")
		if age := v.fields.Get("Age"); age != "20" {
			t.Errorf("Age %q", age)
		}
		f.settle(39 * time.Second)
		f.at("FRA50-1").expect("200 Hit v1", "/a")
		f.settle(2 * time.Second)
		f.origin.on("/a", status(304, "", "ETag: \"1\"", "Cache-Control: max-age=60"))
		f.at("FRA50-1").expect("200 RefreshHit v1", "/a") // both are as old
	})
}

// What the parent has had for a while is as old for the child.
func TestTier_AgeGoesAlong(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		f.origin.on("/a", ok("v1", "Cache-Control: max-age=60"))
		f.at("LHR50-1").expect("200 Miss v1", "/a")
		f.settle(50 * time.Second)
		v := f.at("FRA50-1").expect("200 Miss v1", "/a")
		if age := v.fields.Get("Age"); age != "50" {
			t.Errorf("Age %q of what the parent has had for 50 s", age)
		}
		if n := len(v.fields.Values("Via")); n != 1 {
			t.Errorf("%d fields Via", n)
		}
		f.origin.on("/a", ok("v2", "Cache-Control: max-age=60"))
		f.settle(9 * time.Second)
		f.at("FRA50-1").expect("200 Hit v1", "/a")
		f.settle(2 * time.Second)
		f.at("FRA50-1").expect("200 Miss v2", "/a")
	})
}

// L7: one invalidation is enough, whatever the parent has.
func TestTier_Invalidated(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		f.origin.on("/a", ok("v1"))
		f.at("LHR50-1").expect("200 Miss v1", "/a")
		f.origin.on("/a", ok("v2"))
		f.invalidate("/a")
		f.at("FRA50-1").expect("200 Miss v2", "/a")
		f.at("LHR50-1").expect("200 Hit v2", "/a")
	})
}

// T2: a parent that has not applied what the child has is not asked for what it has; when it has, it is.
func TestTier_ParentBehind(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		f.origin.on("/a", ok("v1"))
		f.at("LHR50-1").expect("200 Miss v1", "/a")
		f.origin.on("/a", ok("v2"))
		var refused tier.Refusal
		f.heads = func(_, _ string, h *tier.Head) { refused = h.Refused }
		f.on = func(_ string, a *tier.Ask) { a.Least += 1000 }
		f.settle(time.Second)
		v := f.at("FRA50-1").ask("/b")
		f.settle(behindLimit + virtualMoment)
		if !v.over() || refused != tier.Behind {
			t.Errorf("refused %q", refused)
		}
		f.on = nil
		// A rule that the child has and the parent has not: the parent waits for it.
		parent := f.at("LHR50-1").edge
		now := parent.snap.Load()
		late := *now
		late.seq--
		parent.snap.Store(&late)
		f.on = func(_ string, a *tier.Ask) {
			time.AfterFunc(behindLimit/2, func() { parent.snap.Store(now); parent.progress.note() })
		}
		v = f.at("FRA50-1").ask("/a")
		f.settle(behindLimit)
		v.is(t, "200 Miss v1")
		if refused != "" {
			t.Errorf("refused %q", refused)
		}
	})
}

// What is marked stale is not shown to a child, who would keep it as new.
func TestTier_Marked(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		f.origin.on("/a", ok("v1"))
		f.at("FRA50-1").expect("200 Miss v1", "/a")
		f.origin.on("/a", ok("v2"))
		f.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: []string{"/a"}, Mode: journal.Stale}})
		f.at("FRA50-1").expect("200 Hit v1", "/a")
		f.settle(virtualMoment)
		f.at("FRA50-1").expect("200 Hit v2", "/a")
		f.at("LHR50-1").expect("200 Hit v2", "/a")
		if n := f.origin.times("/a"); n != 2 {
			t.Errorf("the origin was asked %d times", n)
		}
	})
}

// A tag that viewers do not see, and the conditions of invalidations, go along.
func TestTier_TagsGoAlong(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		f.origin.on("/a", ok("v1", "Cache-Tag: red"))
		f.at("LHR50-1").expect("200 Miss v1", "/a")
		f.at("FRA50-1").expect("200 Miss v1", "/a")
		f.at("FRA50-1").expect("200 Hit v1", "/a")
		f.origin.on("/a", ok("v2", "Cache-Tag: red"))
		f.invalidate("#red")
		f.at("FRA50-1").expect("200 Miss v2", "/a")
	})
}

// A parent that is lost, that refuses or fails costs a question, and no answer.
func TestTier_ParentLost(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		f.lose("LHR50-1", true)
		f.origin.on("/a", ok("v1"))
		f.at("FRA50-1").expect("200 Miss v1", "/a")
		f.lose("LHR50-1", false)
		for kind, want := range map[origin.Kind]int{origin.Connect: 2, origin.DNS: 2, origin.ReadTimeout: 1, origin.Closed: 1} {
			before := f.origin.times("/" + kind.String())
			f.origin.on("/"+kind.String(), fails(kind))
			if v := f.at("FRA50-1").get("/" + kind.String()); v.status < 502 {
				t.Errorf("%v: %d", kind, v.status)
			}
			if n := f.origin.times("/"+kind.String()) - before; n != want {
				t.Errorf("%v: the origin was asked %d times, not %d", kind, n, want)
			}
		}
		f.origin.on("/gone", status(404, "none"))
		f.at("FRA50-1").expect("404 Error none", "/gone")
		f.at("FRA50-1").expect("404 Error none", "/gone")
		if n := f.origin.times("/gone"); n != 1 {
			t.Errorf("the origin was asked %d times", n)
		}
	})
}

// Without a lease nothing of a parent's is taken (S5), and what is not cached does not go through one.
func TestTier_NotThroughParents(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		f.origin.on("/a", ok("v1"), ok("v2"))
		f.at("FRA50-1").expect("200 Miss v1", "/a")
		f.take()
		f.at("FRA50-1").get("POST /a", "body")
		f.at("FRA50-1").edge.lease.Revoke()
		f.origin.on("/b", ok("v1"))
		f.at("FRA50-1").expect("200 Miss v1", "/b")
		if got := f.take(); len(got) > 0 {
			t.Errorf("asked %q", got)
		}
	})
}

// An unsafe request makes old what the parent has, for whoever asks where it has come through.
func TestTier_Written(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.configure(func(p *journal.DistributionPut) {
			allMethods(p.Config.DefaultCacheBehavior)
		})
		f.place("FRA50", "LHR50")
		f.origin.on("/a", ok("v1"))
		f.at("LHR50-1").expect("200 Miss v1", "/a")
		f.settle(time.Second)
		f.origin.on("/a", ok("v2"))
		f.at("FRA50-1").get("POST /a", "body")
		f.settle(time.Second)
		f.at("FRA50-1").expect("200 Miss v2", "/a")
		f.at("LHR50-1").expect("200 Hit v2", "/a")
	})
}

// It does so for the life of the disk, too.
func TestTier_WrittenInAnEarlierLife(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.configure(func(p *journal.DistributionPut) {
			allMethods(p.Config.DefaultCacheBehavior)
		})
		f.place("FRA50", "LHR50")
		f.origin.on("/a", ok("v1"))
		f.origin.on("/b", ok("v1"))
		f.at("LHR50-1").expect("200 Miss v1", "/a")
		f.at("LHR50-1").expect("200 Miss v1", "/b")
		f.settle(time.Second)
		f.origin.on("/a", ok("v2"))
		f.origin.on("/b", ok("v2"))
		child := f.at("FRA50-1")
		child.get("POST /a", "body")
		child.live(child.die())
		f.settle(time.Second)
		child.expect("200 Miss v2", "/a")
		child.expect("200 Miss v1", "/b") // nobody has written to it
	}, withDisk)
}

var threeMachines = []kin{{"FRA50-1", "FRA50"}, {"FRA50-2", "FRA50"}, {"FRA50-3", "FRA50"}}

// Machines of one place share what they have: whoever is asked, the origin is asked once.
func TestTier_OwnPlace(t *testing.T) {
	families(t, threeMachines, func(f *family) {
		owners := map[string]int{}
		for _, path := range []string{"/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h"} {
			f.origin.on(path, ok("v1"))
			for _, k := range threeMachines {
				if v := f.at(k.name).get(path); v.text() != "v1" {
					t.Errorf("%s from %s: %d", path, k.name, v.status)
				}
			}
			if n := f.origin.times(path); n != 1 {
				t.Errorf("the origin was asked %d times for %s", n, path)
			}
			for _, q := range f.take() {
				owners[q[len("FRA50-1 "):]]++
			}
		}
		if len(owners) < 2 {
			t.Errorf("all keys have one owner: %v", owners)
		}
	})
}

// Two that take each other for the owner do not wait for each other.
func TestTier_Circle(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		for _, k := range twoPlaces { // each has the other for its parent, as no map says
			other := map[string]string{"FRA50": "LHR50", "LHR50": "FRA50"}[k.place]
			e := f.at(k.name).edge
			s := *e.snap.Load()
			s.tiers = s.tiers.WithoutPlace("FRA50").WithoutPlace("LHR50").WithPlace(tier.Place{Name: k.place, Parent: other})
			e.snap.Store(&s)
		}
		f.origin.on("/a", ok("v1"))
		one, two := f.at("FRA50-1").ask("/a"), f.at("LHR50-1").ask("/a")
		f.settle(virtualMoment)
		one.is(t, "200 Miss v1")
		if !two.over() || two.text() != "v1" {
			t.Errorf("%d %q", two.status, two.text())
		}
	})
}

// Origin Shield: for that origin everybody asks the place that serves the region.
func TestTier_Shield(t *testing.T) {
	families(t, append(twoPlaces, kin{"DUB50-1", "DUB50"}), func(f *family) {
		f.configure(func(p *journal.DistributionPut) {
			p.Config.Origins.Items[0].OriginShield = &wire.OriginShield{Enabled: wire.Ptr(true), OriginShieldRegion: wire.Ptr("eu-west-1")}
		})
		f.origin.on("/a", ok("v1"))
		f.at("FRA50-1").expect("200 Miss v1", "/a")
		f.at("LHR50-1").expect("200 Miss v1", "/a")
		f.at("DUB50-1").expect("200 Hit v1", "/a")
		if got := f.take(); !slices.Equal(got, []string{"FRA50-1 DUB50-1", "LHR50-1 DUB50-1"}) {
			t.Errorf("asked %q", got)
		}
		f.place("FRA50", "LHR50")
		f.place("LHR50", "", "eu-west-1")
		f.origin.on("/b", ok("v1"))
		f.at("DUB50-1").expect("200 Miss v1", "/b")
		f.at("FRA50-1").expect("200 Miss v1", "/b")
		if got := f.take(); !slices.Equal(got, []string{"DUB50-1 LHR50-1", "FRA50-1 LHR50-1"}) {
			t.Errorf("asked %q", got)
		}
	})
}

// Another configuration means something else: by it nothing is answered.
func TestTier_OtherRevision(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		var refused tier.Refusal
		f.heads = func(_, _ string, h *tier.Head) { refused = h.Refused }
		f.on = func(_ string, a *tier.Ask) { a.Revision++ }
		f.origin.on("/a", ok("v1"))
		f.at("FRA50-1").expect("200 Miss v1", "/a")
		if refused != tier.Elsewhere {
			t.Errorf("refused %q", refused)
		}
	})
}

// A stale object is of the member of a group that it came from, and not of the other, which was asked in vain when it was shown: to the edge that stores it, validators of the one mean nothing to the other,
// nor do slices of both make one object.
func TestTier_StaleIsOfItsOwnOrigin(t *testing.T) {
	for _, x := range []struct {
		name, is      string
		first, second *reply // when the object is old
		of            string
	}{
		{"the first's", "o", status(500, "down"), status(500, "down"), "/a"},
		{"the second's", "o2", status(502, "down"), nil, "/2/a"}, // the second is not asked for a 502
	} {
		families(t, twoPlaces, func(f *family) {
			f.place("FRA50", "LHR50")
			f.configure(pair(500))
			from := ""
			f.heads = func(_, _ string, h *tier.Head) { from = h.Origin }
			f.origin.on("/a", status(500, "down"))
			f.origin.on(x.of, ok("v1", "Cache-Control: max-age=1, stale-if-error=60"))
			f.at("LHR50-1").expect("200 Miss v1", "/a")
			f.settle(2 * time.Second)
			f.origin.on("/a", x.first)
			f.origin.on("/2/a", x.second)
			v := f.at("FRA50-1").get("/a")
			if v.text() != "v1" || from != x.is {
				t.Errorf("%s: %d %q, of %q", x.name, v.status, v.text(), from)
			}
		})
	}
}

// The promise holds for viewers of an edge that fills through others, whatever those have applied.
func TestPromise_ThroughParents(t *testing.T) {
	raced.Timers(t)
	chain := []kin{{"LHR50-1", "LHR50"}, {"IAD89-1", "IAD89"}}
	for seed := range *seeds / 2 {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			var options []func(*world)
			if seed%4 >= 2 {
				options = append(options, func(w *world) { w.config.SliceFrom, w.config.SliceSize = 500, 240 })
			}
			h := runThrough(t, chain[:1+seed%2], uint64(seed)+100, seed%3 == 1, seed%5 == 2, options...)
			st := h.edge.Stats().Tiers
			t.Logf("%d answers, %d of them hits; %+v", h.answers.Load(), h.hits.Load(), st)
			if h.answers.Load() == 0 || st.Hits == 0 {
				t.Error("the experiment shows nothing")
			}
		})
	}
}

// Of two versions under one date or tag a parent does not take one for the other; the same octets do not travel twice.
func TestTier_RevalidatesByOctets(t *testing.T) {
	for _, validator := range []string{"Last-Modified: Tue, 01 Jan 1980 00:00:00 GMT", `ETag: "release"`} {
		families(t, twoPlaces, func(f *family) {
			f.place("FRA50", "LHR50")
			same := false
			f.heads = func(_, _ string, h *tier.Head) { same = h.Same }
			f.origin.on("/a", ok("v1", "Cache-Control: max-age=10", validator, "X-Version: 1"))
			f.at("FRA50-1").expect("200 Miss v1", "/a")
			f.settle(11 * time.Second)
			f.origin.on("/a", ok("v1", "Cache-Control: max-age=10", validator, "X-Version: 1b"))
			f.at("LHR50-1").get("/a")
			v := f.at("FRA50-1").expect("200 RefreshHit v1", "/a")
			if !same || v.fields.Get("X-Version") != "1b" {
				t.Errorf("%s: the same octets have travelled: %t; X-Version %q", validator, !same, v.fields.Get("X-Version"))
			}
			f.settle(11 * time.Second)
			f.origin.on("/a", ok("v2", "Cache-Control: max-age=10", validator, "X-Version: 2"))
			f.at("LHR50-1").expect("200 Miss v2", "/a")
			v = f.at("FRA50-1").expect("200 Miss v2", "/a")
			if same || v.fields.Get("X-Version") != "2" {
				t.Errorf("%s: X-Version %q", validator, v.fields.Get("X-Version"))
			}
		})
	}
}
