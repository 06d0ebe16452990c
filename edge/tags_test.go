package edge

import (
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
)

// The field that a distribution names for its tags is read by its own rules, and is shown to viewers only if it is
// not one of those that are between an origin and its caches. Without a name none of them means anything.
func TestTags_FieldsThatOtherCachesHaveMadeCommon(t *testing.T) {
	for _, c := range []struct {
		header, value, item string
		kept                bool // no tag of the value is the item
		shown               bool
	}{
		{header: "Surrogate-Key", value: "home post/1 Author:7", item: "#author:7"},
		{header: "Surrogate-Key", value: "home post/1", item: "#post", kept: true},
		{header: "surrogate-key", value: "a, b", item: "#a"},
		{header: "Cache-Tag", value: "home,post 1, b", item: "#b"},
		{header: "Cache-Tag", value: "home post", item: "#home", kept: true},
		{header: "X-Tags", value: "home, b", item: "#b", shown: true},
		{header: "Cache-Tag", value: strings.Repeat("t,", invalidation.MaxTags) + "b", item: "#b"},
		{header: "X-Tags", value: strings.Repeat("t,", invalidation.MaxTags) + "b", item: "#b", kept: true, shown: true},
		{value: "home", item: "#home", kept: true, shown: true},
	} {
		story(t, func(w *world) {
			w.configure(func(put *journal.DistributionPut) {
				put.Config.CacheTagConfig = nil
				if c.header != "" {
					put.Config.CacheTagConfig = &wire.CacheTagConfig{HeaderName: wire.Ptr(c.header)}
				}
			})
			name := c.header
			if name == "" {
				name = "Surrogate-Key"
			}
			w.origin.on("/a", ok("v", "Cache-Control: max-age=600", name+": "+c.value))
			for _, x := range []string{"Miss", "Hit"} {
				v := w.get("/a")
				if !strings.HasPrefix(v.xcache(), x) {
					t.Fatalf("%s: %s", name, v.xcache())
				}
				if v.fields.Has(name) != c.shown {
					t.Errorf("%s is shown with a %s: %v", name, x, !c.shown)
				}
			}
			w.invalidate(c.item)
			want := 2
			if c.kept {
				want = 1
			}
			if w.get("/a"); w.origin.times("/a") != want {
				t.Errorf("%q of %.30q and %s: fetched %d times, want %d", c.header, c.value, c.item, w.origin.times("/a"), want)
			}
		})
	}
}

// What does not count as a tag is counted: an operator who wonders why nothing was dropped finds it there.
func TestTags_ThoseLeftOutAreCounted(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v", "Cache-Control: max-age=600", "Cache-Tag: good, a b, é, "+strings.Repeat("x", 257)))
		w.get("/a")
		w.get("/a")
		if n := w.edge.Stats().TagsLeft; n != 3 {
			t.Errorf("%d", n)
		}
	})
}

// A 304 without the field leaves the tags as they were, although viewers and what is stored have never had it.
func TestTags_PrivateOnesOutliveA304(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v", "Cache-Control: max-age=1", `ETag: "1"`, "Cache-Tag: b"), status(304, "", `ETag: "1"`, "Cache-Control: max-age=600"))
		w.get("/a")
		w.settle(2 * time.Second)
		if v := w.get("/a"); !strings.HasPrefix(v.xcache(), "RefreshHit") {
			t.Fatal(v.xcache())
		}
		w.invalidate("#b")
		w.origin.on("/a", ok("w"))
		if v := w.get("/a"); v.text() != "w" {
			t.Errorf("%s", v.text())
		}
	})
}

// A distribution that names another header, or none, does not forget what objects were called: CloudFront does, and an
// invalidation of the old name then leaves them.
func TestTags_OutliveTheirHeadersName(t *testing.T) {
	for _, next := range []*wire.CacheTagConfig{nil, {HeaderName: wire.Ptr("X-Other")}} {
		story(t, func(w *world) {
			w.origin.on("/a", ok("v1", "Cache-Tag: b"), ok("v2"))
			w.get("/a")
			w.configure(func(put *journal.DistributionPut) { put.Config.CacheTagConfig = next })
			w.expect("200 Hit v1", "/a")
			w.invalidate("#b")
			w.expect("200 Miss v2", "/a")
		})
	}
}
