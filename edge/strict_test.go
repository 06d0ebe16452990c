package edge

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// rfc makes the usual distribution one with RFC semantics, all methods, and all viewer headers forwarded.
func rfc(p *journal.DistributionPut) {
	p.Tags = map[string]string{distribution.TagSemantics: distribution.SemanticsRFC}
	all := wire.Ptr("allViewer")
	p.OriginRequestPolicies = map[string]*wire.OriginRequestPolicyConfig{"viewer": {
		Name: wire.Ptr("viewer"), HeadersConfig: &wire.OriginRequestPolicyHeadersConfig{HeaderBehavior: all},
		CookiesConfig:      &wire.OriginRequestPolicyCookiesConfig{CookieBehavior: wire.Ptr("none")},
		QueryStringsConfig: &wire.OriginRequestPolicyQueryStringsConfig{QueryStringBehavior: wire.Ptr("all")},
	}}
	allMethods(p.Config.DefaultCacheBehavior)
	p.Config.DefaultCacheBehavior.OriginRequestPolicyId = wire.Ptr("viewer")
}

func strictStory(t *testing.T, f func(w *world)) {
	t.Helper()
	story(t, func(w *world) {
		w.configure(rfc)
		f(w)
	}, unswept)
}

// echo answers with the values of what Vary names.
func echo(vary string, more ...string) *reply {
	return &reply{react: func(r *origin.Request) *reply {
		var b []string
		for name := range strings.SplitSeq(vary, ",") {
			b = append(b, r.Fields.Joined(strings.TrimSpace(name)))
		}
		return ok(strings.Join(b, "|"), append([]string{"Vary: " + vary, "Cache-Control: max-age=60"}, more...)...)
	}}
}

func TestVary_EachVariantIsAnObject(t *testing.T) {
	strictStory(t, func(w *world) {
		w.origin.on("/a", echo("Foo"))
		w.expect("200 Miss 1", "/a", "Foo: 1")
		w.expect("200 Miss 2", "/a", "Foo: 2")
		w.expect("200 Miss", "/a")
		w.expect("200 Hit 1", "/a", "Foo: 1")
		w.expect("200 Hit 2", "/a", "Foo: 2", "Bar: x")
		w.expect("200 Hit", "/a")
		v := w.expect("200 Hit 2", "/a", "Foo:  2 ")
		if got := v.fields.Get("Vary"); got != "Foo" {
			t.Errorf("Vary %q", got)
		}
		w.invalidate("/a")
		for _, foo := range []string{"1", "2"} {
			w.expect("200 Miss "+foo, "/a", "Foo: "+foo)
			w.expect("200 Hit "+foo, "/a", "Foo: "+foo)
		}
	})
}

func TestVary_NamesAreJoinedAndVariantsBounded(t *testing.T) {
	strictStory(t, func(w *world) {
		w.origin.on("/a", echo("Foo"))
		w.get("/a", "Foo: 1", "Bar: 1")
		w.origin.on("/a", echo("Bar"))
		w.get("/a", "Foo: 2", "Bar: 2")
		w.expect("200 Miss 3", "/a", "Foo: 2", "Bar: 3") // by both from now on
		w.expect("200 Hit 2", "/a", "Foo: 2", "Bar: 2")
		for i := range maxVariants + 10 {
			w.get("/a", fmt.Sprintf("Foo: x%d", i), "Bar: 9")
		}
		if n := w.stored(); n != maxVariants+1 {
			t.Errorf("%d objects are stored, want %d variants and a signpost", n, maxVariants)
		}
		w.expect("200 Miss 9", "/a", "Foo: x9", "Bar: 9")
		w.expect("200 Hit 9", "/a", "Foo: x70", "Bar: 9")
	})
}

func (w *world) stored() (n int) {
	w.store.Range(func(*cache.Sight) bool { n++; return true })
	return n
}

func TestVary_TooWideIsNotStored(t *testing.T) {
	strictStory(t, func(w *world) {
		var names []string
		for i := range maxVaryNames + 1 {
			names = append(names, fmt.Sprintf("F%d", i))
		}
		w.origin.on("/a", echo(strings.Join(names, ", ")))
		w.get("/a")
		w.get("/a")
		if w.origin.times("/a") != 2 || w.stored() != 0 {
			t.Error("stored")
		}
	})
}

func TestVary_WaitersGetTheirOwn(t *testing.T) {
	strictStory(t, func(w *world) {
		r, gate := gated(echo("Foo"))
		w.origin.on("/a", r, echo("Foo"))
		first := w.ask("/a", "Foo: 1")
		same, other := w.ask("/a", "Foo: 1"), w.ask("/a", "Foo: 2")
		close(gate)
		synctest.Wait()
		first.is(t, "200 Miss 1")
		same.is(t, "200 Hit 1")
		other.is(t, "200 Miss 2")
		if n := w.origin.times("/a"); n != 2 {
			t.Errorf("asked %d times", n)
		}
		w.expect("200 Hit 2", "/a", "Foo: 2")
	})
}

func TestVary_GoneAgain(t *testing.T) {
	strictStory(t, func(w *world) {
		w.origin.on("/a", echo("Foo"), ok("for all", "Cache-Control: max-age=60"))
		w.get("/a", "Foo: 1")
		w.expect("200 Miss for all", "/a", "Foo: 2")
		w.expect("200 Hit for all", "/a", "Foo: 1")
	})
}

// A variant outlives its signpost. What was chosen by one field is not found by the same words in another.
func TestVary_AnotherFieldIsAnotherVariant(t *testing.T) {
	strictStory(t, func(w *world) {
		w.origin.on("/a", ok("by foo", "Vary: Foo", "Cache-Control: max-age=60"), ok("by bar", "Vary: Bar", "Cache-Control: max-age=60"))
		w.expect("200 Miss by foo", "/a", "Foo: x")
		w.store.Remove(w.object("/a")) // evicted
		w.expect("200 Miss by bar", "/a", "Bar: y")
		w.expect("200 Miss by bar", "/a", "Bar: x")
		w.expect("200 Hit by bar", "/a", "Bar: x")
	})
}

func TestVary_WhatTheOriginIsNotToldDoesNotCount(t *testing.T) {
	strictStory(t, func(w *world) {
		w.origin.on("/a", ok("same", "Vary: Cookie, Accept-Encoding", "Cache-Control: max-age=60"))
		w.expect("200 Miss same", "/a", "Cookie: a=1")
		w.expect("200 Hit same", "/a", "Cookie: a=2")
		w.expect("200 Miss same", "/a", "Accept-Encoding: gzip")
		w.expect("200 Hit same", "/a", "Accept-Encoding: gzip;q=0.5")
	})
}

func TestUnsafe_NothingFetchedBeforeIsServedAfter(t *testing.T) {
	strictStory(t, func(w *world) {
		slow, gate := gated(ok("before"))
		w.origin.on("/a", slow, ok("done"), ok("after"))
		waiting := w.ask("/a")
		w.get("POST /a")
		w.expect("200 Miss after", "/a") // does not join what was asked before
		close(gate)
		synctest.Wait()
		waiting.is(t, "200 Miss before") // it was there before the write
		w.expect("200 Hit after", "/a")
	})
}

// Without a later request to take its place the fill stores what is dead already.
func TestUnsafe_AFillStoresNothingOfUse(t *testing.T) {
	strictStory(t, func(w *world) {
		slow, gate := gated(ok("before"))
		w.origin.on("/a", slow, ok("done"), ok("after"))
		waiting := w.ask("/a")
		w.get("POST /a")
		close(gate)
		synctest.Wait()
		waiting.is(t, "200 Miss before")
		w.expect("200 Miss after", "/a")
	})
}

// Writes that come faster than the origin answers starve nobody.
func TestUnsafe_BusyURI(t *testing.T) {
	strictStory(t, func(w *world) {
		for range 10 {
			slow, gate := gated(ok("content"))
			w.origin.on("/a", slow, ok("done"))
			reading := w.ask("/a")
			w.get("POST /a")
			close(gate)
			synctest.Wait()
			reading.is(t, "200 Miss content")
		}
	})
}

func TestUnsafe_A304ToAnEarlierQuestionRevivesNothing(t *testing.T) {
	strictStory(t, func(w *world) {
		late, gate := gated(status(304, ""))
		w.origin.on("/a", ok("before", "Cache-Control: max-age=1", `ETag: "1"`), late, ok("done"), ok("after"))
		w.get("/a")
		w.settle(2 * time.Second)
		waiting := w.ask("/a")
		w.get("PUT /a")
		close(gate)
		synctest.Wait()
		waiting.is(t, "200 RefreshHit before") // it was there before the write
		w.expect("200 Miss after", "/a")
	})
}

func TestUnsafe_WhatIsInvalidated(t *testing.T) {
	tests := []struct {
		name, method string
		reply        *reply
		gone         bool
	}{
		{"2xx", "POST /w", ok("done", "Location: /a?x=1"), true},
		{"3xx", "PUT /w", status(303, "", "Content-Location: a?x=1"), true},
		{"absolute", "DELETE /w", ok("done", "Location: http://"+host+"/a?x=1"), true},
		{"default port", "PATCH /w", ok("done", "Location: http://"+host+":80/a?x=1"), true},
		{"any method", "M-SEARCH /w", ok("done", "Location: /a?x=1"), true},
		{"no answer, of its own URI", "POST /a?x=1", fails(origin.ReadTimeout), true},
		{"its own URI", "POST /a?x=1", ok("done"), true},
		{"error", "POST /w", status(500, "", "Location: /a?x=1"), false},
		{"client's error", "POST /a?x=1", status(409, ""), false},
		{"another origin", "POST /w", ok("done", "Location: http://other.test/a?x=1"), false},
		{"another scheme", "POST /w", ok("done", "Location: https://"+host+"/a?x=1"), false},
		{"another query", "POST /a?x=2", ok("done"), false},
		{"safe", "OPTIONS /a?x=1", ok("done"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			strictStory(t, func(w *world) {
				w.origin.on("/a", ok("v1"))
				w.get("/a?x=1")
				_, path, _ := strings.Cut(tt.method, " ")
				path, _, _ = strings.Cut(path, "?")
				w.origin.on(path, tt.reply)
				w.get(tt.method)
				w.origin.on("/a", ok("v2"))
				want := "200 Hit v1"
				if tt.gone {
					want = "200 Miss v2"
				}
				w.expect(want, "/a?x=1")
			})
		})
	}
}

// CloudFront documents nothing about it, so the RFC counts; but of a redirect's target nothing is known to have changed.
func TestUnsafe_WithCloudFrontSemantics(t *testing.T) {
	for _, c := range []struct {
		ask   string
		reply *reply
		gone  bool
	}{
		{"POST /a", ok("done"), true},
		{"DELETE /a", status(303, "", "Location: /"), true},
		{"PUT /a", status(500, "down"), false},
		{"PATCH /a", fails(origin.ReadTimeout), true},
		{"POST /b", ok("done"), false},
		{"POST /b", status(201, "done", "Location: /a"), true},
		{"POST /b", ok("done", "Content-Location: /a"), true},
		{"POST /b", status(303, "", "Location: /a"), false},
		{"M-SEARCH /a", ok("done"), false},
	} {
		t.Run(c.ask, func(t *testing.T) {
			story(t, func(w *world) {
				w.configure(behave(allMethods))
				_, path, _ := strings.Cut(c.ask, " ")
				w.origin.on("/a", ok("v1"))
				w.get("/a")
				w.origin.on(path, c.reply)
				w.get(c.ask)
				w.origin.on("/a", ok("v2"))
				if !c.gone {
					w.expect("200 Hit v1", "/a")
					return
				}
				w.expect("200 Miss v2", "/a")
				w.wantWhy("Miss overwritten")
				w.expect("200 Hit v2", "/a")
			}, unswept)
		})
	}
}

// What was written to stays so when the configuration changes.
func TestUnsafe_OutlivesAChangeOfConfiguration(t *testing.T) {
	story(t, func(w *world) {
		w.configure(behave(allMethods))
		w.origin.on("/a", ok("v1"), ok("done"), ok("v2"))
		w.get("/a")
		w.get("POST /a")
		w.configure(nil)
		w.expect("200 Miss v2", "/a")
	}, unswept)
}

func TestStrict_RequestDirectives(t *testing.T) {
	tests := []struct {
		reply, ask string
		after      time.Duration
		want       string
	}{
		{"max-age=60", "max-age=10", 5 * time.Second, "Hit fresh"},
		{"max-age=60", "max-age=10", 11 * time.Second, "RefreshHit revalidated"},
		{"max-age=60", "max-age=0", time.Second, "RefreshHit revalidated"},
		{"max-age=60, immutable", "max-age=0", time.Second, "Hit fresh"},
		{"max-age=60, immutable", "no-cache", time.Second, "RefreshHit revalidated"},
		{"max-age=60", "min-fresh=30", 29 * time.Second, "Hit fresh"},
		{"max-age=60", "min-fresh=30", 31 * time.Second, "RefreshHit revalidated"},
		{"max-age=60", "max-stale", time.Hour, "Hit stale-on-request"},
		{"max-age=60", "max-stale=10", 69 * time.Second, "Hit stale-on-request"},
		{"max-age=60", "max-stale=10", 71 * time.Second, "RefreshHit revalidated"},
		{"max-age=60, must-revalidate", "max-stale", 61 * time.Second, "RefreshHit revalidated"},
		{"s-maxage=60", "max-stale", 61 * time.Second, "RefreshHit revalidated"},
		{"max-age=60", "only-if-cached", time.Second, "Hit fresh"},
		{"max-age=60", "only-if-cached", 61 * time.Second, "Error only-if-cached"},
		{"max-age=60", "only-if-cached, max-stale", 61 * time.Second, "Hit stale-on-request"},
		{"max-age=60", "no-store", time.Second, "Hit fresh"},
		{"max-age=60, stale-while-revalidate=60", "x", 61 * time.Second, "Hit stale-while-revalidate"},
	}
	for _, tt := range tests {
		t.Run(tt.reply+" "+tt.ask+" "+tt.after.String(), func(t *testing.T) {
			strictStory(t, func(w *world) {
				w.origin.on("/a", ok("v1", "Cache-Control: "+tt.reply, `ETag: "1"`), status(304, ""))
				w.get("/a")
				w.settle(tt.after)
				w.mu.Lock()
				w.seen = nil
				w.mu.Unlock()
				w.get("/a", "Cache-Control: "+tt.ask)
				w.wantWhy(tt.want)
			})
		})
	}
}

func TestStrict_RequestNoStoreLeavesNothing(t *testing.T) {
	strictStory(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.get("/a", "Cache-Control: no-store")
		if w.stored() != 0 {
			t.Error("stored")
		}
	})
}

func TestStrict_Unreachable(t *testing.T) {
	for cc, want := range map[string]string{
		"max-age=1":                   "200 Hit v1", // disconnected: section 4.2.4
		"max-age=1, must-revalidate":  "504 Error page",
		"s-maxage=1":                  "504 Error page",
		"max-age=1, stale-if-error=0": "502 Error page",
	} {
		strictStory(t, func(w *world) {
			w.origin.on("/a", ok("v1", "Cache-Control: "+cc, `ETag: "1"`), fails(origin.Connect))
			w.get("/a")
			w.settle(2 * time.Second)
			w.expect(want, "/a")
		})
	}
	for cc, want := range map[string]string{
		"max-age=1":                    "503 Error down",
		"max-age=1, stale-if-error=60": "200 Hit v1",
	} {
		strictStory(t, func(w *world) {
			w.origin.on("/a", ok("v1", "Cache-Control: "+cc), status(503, "down"))
			w.get("/a")
			w.settle(2 * time.Second)
			w.expect(want, "/a")
		})
	}
}

func TestStrict_CacheStatus(t *testing.T) {
	strictStory(t, func(w *world) {
		last := func(v *viewer) string {
			all := v.fields.Values("Cache-Status")
			return all[len(all)-1]
		}
		want := func(v *viewer, want string) {
			t.Helper()
			if got := last(v); got != want {
				t.Errorf("Cache-Status: %s\nwant          %s", got, want)
			}
		}
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60", `ETag: "1"`, "Cache-Status: Inner; hit"), status(304, ""))
		want(w.get("/a"), "Warmfront; fwd=uri-miss; fwd-status=200; stored")
		w.settle(10 * time.Second)
		v := w.get("/a")
		want(v, "Warmfront; hit; ttl=49")
		if v.fields.Get("Cache-Status") != "Inner; hit" {
			t.Error("the caches before are not named first")
		}
		want(w.get("/a", "Cache-Control: no-cache"), "Warmfront; fwd=request; fwd-status=304; stored")
		w.settle(70 * time.Second)
		want(w.get("/a", "Cache-Control: max-stale"), "Warmfront; hit; ttl=-10")
		w.origin.on("/b", echo("Foo"))
		w.get("/b")
		want(w.get("/b", "Foo: 1"), "Warmfront; fwd=vary-miss; fwd-status=200; stored")
		w.origin.on("/c", status(500, "", "Cache-Control: no-store"))
		want(w.get("/c"), "Warmfront; fwd=uri-miss; fwd-status=500")
		want(w.get("POST /c"), "Warmfront; fwd=method; fwd-status=500")
		want(w.get("/d", "Cache-Control: only-if-cached"), "Warmfront; detail=only-if-cached")
		w.origin.on("/e", fails(origin.Connect))
		want(w.get("/e"), "Warmfront; fwd=uri-miss; detail=origin-connect")
		w.origin.on("/f", ok("v1", "Cache-Control: max-age=1, stale-if-error=60"), status(503, ""))
		w.get("/f")
		w.settle(2 * time.Second)
		want(w.get("/f"), "Warmfront; fwd=stale; fwd-status=503") // without it 200 would be meant: RFC 9211 section 2.3
		want(w.get("/f"), "Warmfront; hit; ttl=-1")
		w.origin.on("/g", ok("v1", "Cache-Control: max-age=1"), fails(origin.ReadTimeout))
		w.get("/g")
		w.settle(2 * time.Second)
		want(w.get("/g"), "Warmfront; fwd=stale; detail=origin-read-timeout")
	})
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		if w.get("/a").fields.Has("Cache-Status") {
			t.Error("CloudFront sends no Cache-Status")
		}
	})
}

func TestStrict_SurrogateControl(t *testing.T) {
	strictStory(t, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: no-store", "Surrogate-Control: max-age=60", "Set-Cookie: a=1"))
		w.get("/a", `Surrogate-Capability: x="Surrogate/1.0"`)
		if got := w.origin.last().Fields.Get("Surrogate-Capability"); got != `x="Surrogate/1.0", warmfront="Surrogate/1.0"` {
			t.Errorf("Surrogate-Capability: %s", got)
		}
		v := w.expect("200 Hit v1", "/a")
		if v.fields.Has("Surrogate-Control") || v.fields.Get("Cache-Control") != "no-store" || v.fields.Get("Set-Cookie") != "a=1" {
			t.Errorf("fields: %v", v.fields)
		}
	})
}

func TestTargeted_ByTheTag(t *testing.T) {
	reply := ok("v1", "Cache-Control: no-store", "Surrogate-Control: max-age=60")
	for _, c := range []struct {
		semantics, targeted string
		heeded              bool
	}{{"", "", false}, {"", "heeded", true}, {"cloudfront", "ignored", false}, {"rfc", "", true}, {"rfc", "ignored", false}} {
		story(t, func(w *world) {
			w.configure(func(p *journal.DistributionPut) {
				p.Tags = map[string]string{}
				for key, value := range map[string]string{distribution.TagSemantics: c.semantics, distribution.TagTargeted: c.targeted} {
					if value != "" {
						p.Tags[key] = value
					}
				}
			})
			w.origin.on("/a", reply)
			v, want := w.get("/a"), "200 Miss v1"
			if c.heeded {
				want = "200 Hit v1"
			}
			w.expect(want, "/a")
			if v.fields.Has("Surrogate-Control") == c.heeded || w.origin.last().Fields.Has("Surrogate-Capability") != c.heeded {
				t.Errorf("%+v: viewers get %v, the origin %v", c, v.fields, w.origin.last().Fields)
			}
		})
	}
}

func TestSemantics_AChangeFindsNothingOfTheOther(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60"))
		w.expect("200 Miss v1", "/a")
		w.configure(rfc)
		w.expect("200 Miss v1", "/a")
		w.expect("200 Hit v1", "/a")
		w.configure(nil)
		w.expect("200 Hit v1", "/a")
	})
}

func TestSameOrigin(t *testing.T) {
	r := &message.Request{Scheme: "http", Host: "a.test", Port: "8080", Path: "/x/y", Query: "q=1", HasQuery: true}
	for ref, want := range map[string]string{
		"":                         "",
		"z":                        "/x/z",
		"../z?":                    "/z?",
		"?p=2":                     "/x/y?p=2",
		"//a.test:8080/%7Eb":       "/%7Eb",
		"http://A.test:8080/":      "",
		"http://a.test/":           "",
		"http://a.test:8080":       "",
		"http://[::1":              "",
		"http://a.test:8080/a%2Fb": "/a%2Fb",
	} {
		got := ""
		if there := sameOrigin(r, ref); there != nil {
			got = there.URI()
		}
		if got != want {
			t.Errorf("%q leads to %q, want %q", ref, got, want)
		}
	}
}

func TestExplain_Variants(t *testing.T) {
	strictStory(t, func(w *world) {
		w.origin.on("/a", echo("Foo"), echo("Foo"), ok("done"))
		w.get("/a", "Foo: 1")
		w.get("/a", "Foo: 22")
		if w.explain("/a").Stored != nil || w.explain("/a", "Foo: 3").Stored != nil {
			t.Error("a variant that nobody asked for is stored")
		}
		if s := w.explain("/a", "Foo: 22").Stored; s == nil || s.Bytes != 2 || !s.Fresh {
			t.Errorf("%+v", s)
		}
		w.get("POST /a")
		if s := w.explain("/a", "Foo: 22").Stored; s == nil || s.Fresh {
			t.Errorf("after a write: %+v", s)
		}
	})
}

// A signpost is no object to those who count.
func TestVary_SignpostsDoNotCount(t *testing.T) {
	story(t, func(w *world) {
		w.configure(rfc)
		w.origin.on("/a", echo("Foo"))
		w.get("/a", "Foo: 1")
		w.get("/a", "Foo: 2")
		p, err := w.edge.Preview(t.Context(), "D1", NewSelection([]invalidation.Item{everything}, nil))
		if err != nil || p.Total.Objects != 2 || p.All.Objects != 2 {
			t.Errorf("preview: %+v, %v", p, err)
		}
		w.invalidate("/a")
		w.settle(time.Second)
		if r, ok := w.edge.Receipt("D1", "I/a"); !ok || r.Objects != 2 {
			t.Errorf("receipt: %+v", r)
		}
		if w.stored() != 0 {
			t.Errorf("%d objects are left", w.stored())
		}
	})
}
