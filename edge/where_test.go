package edge

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
)

// narrowed invalidates under conditions.
func (w *world) narrowed(where journal.Where, items ...string) uint64 {
	w.t.Helper()
	return w.commit(journal.Fact{Invalidated: &journal.Invalidated{
		DistributionID: "D1", InvalidationID: "I" + items[0], Items: items, Where: &where}})
}

// L3: of what the items name, what the conditions mean is dead and the rest is not: for a hit, in memory and on disk, and
// for the sweeper, which counts what the preview has said.
func TestL3_Conditions(t *testing.T) {
	for name, options := range map[string][]func(*world){"memory": nil, "disk": {withDisk}, "a restart": {withDisk}} {
		for i, c := range []struct {
			where journal.Where
			dead  string // of the paths
		}{
			{journal.Where{Status: []string{"301"}}, "e"},
			{journal.Where{Status: []string{"2xx"}}, "pco"},
			{journal.Where{ContentType: []string{"image/*"}}, "pe"},
			{journal.Where{ContentType: []string{"text/css"}}, "c"},
			{journal.Where{ContentType: []string{"image/*"}, Status: []string{"200", "404"}}, "p"},
			{journal.Where{Host: []string{"elsewhere.example"}}, "pceo"}, // they are for every host
			{journal.Where{StoredBefore: time.Date(2000, 1, 1, 0, 15, 0, 0, time.UTC)}, "pce"},
			{journal.Where{StoredBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)}, ""},
			{journal.Where{Status: []string{"no such class"}}, "pceo"}, // of a newer control plane
		} {
			story(t, func(w *world) {
				w.origin.on("/p", ok("1", "Content-Type: image/png"), ok("v2"))
				w.origin.on("/c", ok("1", "Content-Type: Text/CSS; charset=utf-8"), ok("v2"))
				w.origin.on("/e", status(301, "1", "Content-Type: image/png", "Cache-Control: max-age=86400"), ok("v2"))
				w.origin.on("/o", ok("1"), ok("v2")) // without a type
				for _, path := range []string{"/p", "/c", "/e"} {
					w.get(path)
				}
				w.settle(30 * time.Minute)
				w.get("/o")
				switch name {
				case "disk":
					w.emptied()
				case "a restart":
					w.live(w.die())
				}
				parsed, err := invalidation.ParseWhere(invalidation.Conditions(c.where))
				p, failed := w.edge.Preview(context.Background(), "D1", NewSelection(items(t, "/*"), parsed))
				if failed != nil || err == nil && int(p.Total.Objects) != len(c.dead) {
					t.Errorf("%s %d: preview %+v, %v", name, i, p, failed)
				}
				w.narrowed(c.where, "/*")
				if i%2 == 0 {
					w.settle(time.Minute) // the sweeper is first
					if r, _ := w.edge.Receipt("D1", "I/*"); int(r.Objects) != len(c.dead) || w.edge.Stats().Rules != 0 {
						t.Errorf("%s %d: receipt %+v; %d rules are left", name, i, r, w.edge.Stats().Rules)
					}
				}
				dead := ""
				for _, path := range []string{"/p", "/c", "/e", "/o"} {
					if w.get(path).text() == "v2" {
						dead += path[1:]
					}
				}
				if dead != c.dead {
					t.Errorf("%s %d, %+v: %q is dead, want %q", name, i, c.where, dead, c.dead)
				}
			}, options...)
		}
	}
}

// keysHost lets a distribution answer for two hosts, each with objects of its own.
func keysHost(put *journal.DistributionPut) {
	put.Config.Aliases = &wire.Aliases{Quantity: wire.Ptr[int64](2), Items: []string{"a.test", "b.test"}}
	p := put.CachePolicies["policy"].ParametersInCacheKeyAndForwardedToOrigin
	p.HeadersConfig = &wire.CachePolicyHeadersConfig{HeaderBehavior: wire.Ptr("whitelist"),
		Headers: &wire.Headers{Quantity: wire.Ptr[int64](2), Items: []string{"Accept-Language", "Host"}}}
}

func TestL3_ConditionOnTheHost(t *testing.T) {
	story(t, func(w *world) {
		w.configure(keysHost)
		w.origin.on("/x", ok("1"), ok("2"), ok("3"), ok("4"))
		w.expect("200 Miss 1", "/x", "Host: a.test", "Accept-Language: da")
		w.expect("200 Miss 2", "/x", "Host: b.test")
		w.narrowed(journal.Where{Host: []string{"A.test"}}, "/x")
		w.expect("200 Miss 3", "/x", "Host: a.test", "Accept-Language: da")
		w.expect("200 Hit 2", "/x", "Host: b.test")
	}, unswept)
}

// Before the head of a fill has come any condition may hold: who waits for it is sent for another. After that it is known.
func TestL3_ConditionsMeetAFillInFlight(t *testing.T) {
	for _, c := range []struct {
		early bool
		where journal.Where
		want  string
	}{
		{true, journal.Where{Status: []string{"404"}}, "200 Miss v2"},
		{true, journal.Where{StoredBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)}, "200 Miss v2"},
		{false, journal.Where{Status: []string{"404"}}, "200 Hit v1"},
		{false, journal.Where{Status: []string{"200"}, ContentType: []string{"image/png"}}, "200 Miss v2"},
		{false, journal.Where{ContentType: []string{"text/css"}}, "200 Hit v1"},
	} {
		story(t, func(w *world) {
			slow, open := ok("v1", "Content-Type: image/png"), make(chan struct{})
			if c.early {
				slow.head = open
			} else {
				slow.rest = open
			}
			w.origin.on("/x", slow, ok("v2"))
			v := w.ask("/x")
			synctest.Wait()
			w.narrowed(c.where, "/x")
			close(open)
			synctest.Wait()
			if c.early {
				v.is(t, c.want)
				return
			}
			v.is(t, "200 Miss v1") // decided before
			w.expect(c.want, "/x")
		}, unswept)
	}
}

// A 304 may say another type. What dies by it is the object that it has made, also where it lies on disk.
func TestL3_ConditionsSeeWhatA304Says(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/x", ok("v1", "Content-Type: text/css", `ETag: "1"`, "Cache-Control: max-age=4000"),
			status(304, "", "Content-Type: image/png", `ETag: "1"`, "Cache-Control: max-age=4000"), ok("v2"))
		w.get("/x")
		w.settle(2 * time.Hour)
		w.expect("200 RefreshHit v1", "/x")
		w.settle(time.Minute)
		w.emptied()
		w.narrowed(journal.Where{ContentType: []string{"text/css"}}, "/x")
		w.expect("200 Hit v1", "/x")
		w.emptied()
		w.narrowed(journal.Where{ContentType: []string{"image/png"}, StoredBefore: w.edge.now()}, "/x")
		w.expect("200 Miss v2", "/x")
	}, withDisk, unswept)
}

// Slices are of the type and the status of what they are slices of.
func TestL3_ConditionsMeanSlices(t *testing.T) {
	for _, c := range []struct {
		where journal.Where
		asked []string
	}{
		{journal.Where{Status: []string{"404"}}, nil},
		{journal.Where{ContentType: []string{"image/*"}}, nil},
		{journal.Where{Status: []string{"200"}}, []string{"15-34"}},
		{journal.Where{ContentType: []string{"text/plain"}}, []string{"15-34"}},
	} {
		library(t, func(w *world, a *archive) {
			w.get("/a")
			a.log()
			w.narrowed(c.where, "/a")
			w.edge.sweeper.sweep(context.Background())
			want := int64(0)
			if c.asked != nil {
				want = 95
			}
			if r, _ := w.edge.Receipt("D1", "I/a"); r.Bytes != want {
				t.Errorf("%+v: %d octets are dead, want %d", c.where, r.Bytes, want)
			}
			w.get("/a", "Range: bytes=15-34")
			a.wants(t, c.asked...)
		})
	}
}

// A signpost is of no type and no status: it is as dead as any of its variants may be, and each variant is what it is.
func TestL3_ConditionsMeetVariants(t *testing.T) {
	story(t, func(w *world) {
		w.configure(rfc)
		w.origin.on("/x", ok("1", "Content-Type: text/css", "Vary: Accept", "Cache-Control: max-age=60"),
			ok("2", "Content-Type: image/png", "Vary: Accept", "Cache-Control: max-age=60"), ok("3"))
		w.expect("200 Miss 1", "/x", "Accept: text/css")
		w.expect("200 Miss 2", "/x", "Accept: image/png")
		w.narrowed(journal.Where{ContentType: []string{"image/*"}}, "/x")
		if v := w.get("/x", "Accept: image/png"); v.text() != "3" {
			t.Errorf("the variant that is meant: %s %q", v.xcache(), v.text())
		}
	}, unswept)
}

// A name with its final dot is the same name.
func TestWhere_HostWithItsFinalDot(t *testing.T) {
	story(t, func(w *world) {
		w.configure(func(p *journal.DistributionPut) {
			headers := &wire.CachePolicyHeadersConfig{HeaderBehavior: wire.Ptr("whitelist"), Headers: &wire.Headers{Quantity: wire.Ptr(int64(1)), Items: []string{"Host"}}}
			p.CachePolicies["policy"].ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig = headers
		})
		for _, host := range []string{"d1.localhost", "d1.localhost."} {
			w.origin.on("/a", ok("v1"), ok("v2"))
			w.expect("200 Miss v1", "/a", "Host: "+host)
			w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I", Items: []string{"/a"}, Where: &journal.Where{Host: []string{"d1.localhost"}}}})
			w.expect("200 Miss v2", "/a", "Host: "+host)
		}
	})
}
