package edge

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// behave changes the default behavior.
func behave(f func(*wire.DefaultCacheBehavior)) func(*journal.DistributionPut) {
	return func(p *journal.DistributionPut) { f(p.Config.DefaultCacheBehavior) }
}

func allMethods(b *wire.DefaultCacheBehavior) {
	b.AllowedMethods = &wire.AllowedMethods{Quantity: wire.Ptr[int64](7),
		Items: []string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}}
}

// stories has one for each reason: what is done before, the request, and what comes of it.
var stories = []struct {
	reason  Reason
	outcome Outcome
	before  func(w *world)
	line    string
	fields  []string
	want    string
}{
	{Cold, Miss, func(w *world) { w.origin.on("/a", ok("v1")) }, "/a", nil, "200 Miss v1"},
	{Cold, Failed, nil, "/a", nil, "404 Error nothing here"},
	{Fresh, Hit, func(w *world) { w.origin.on("/a", ok("v1")); w.get("/a") }, "/a", nil, "200 Hit v1"},
	{Fresh, Failed, func(w *world) { w.get("/a") }, "/a", nil, "404 Error nothing here"},
	{Expired, Miss, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1"), ok("v2"))
		w.get("/a")
		w.settle(2 * time.Second)
	}, "/a", nil, "200 Miss v2"},
	{Revalidated, RefreshHit, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1", `ETag: "1"`), status(304, ""))
		w.get("/a")
		w.settle(2 * time.Second)
	}, "/a", nil, "200 RefreshHit v1"},
	{StaleWhileRevalidate, Hit, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1, stale-while-revalidate=60"), ok("v2"))
		w.get("/a")
		w.settle(2 * time.Second)
	}, "/a", nil, "200 Hit v1"},
	{MarkedStale, Hit, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.get("/a")
		w.mark("/a")
	}, "/a", nil, "200 Hit v1"},
	{StaleOnError, Hit, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1"), status(503, "down"))
		w.get("/a")
		w.settle(2 * time.Second)
	}, "/a", nil, "200 Hit v1"},
	{StaleOnRequest, Hit, func(w *world) {
		w.configure(rfc)
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=1", `ETag: "1"`))
		w.get("/a")
		w.settle(9 * time.Second)
	}, "/a", []string{"Cache-Control: max-stale=10"}, "200 Hit v1"},
	{Insisted, Miss, func(w *world) {
		w.configure(rfc)
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.get("/a")
	}, "/a", []string{"Cache-Control: no-cache"}, "200 Miss v2"},
	{Overwritten, Miss, func(w *world) {
		w.configure(rfc)
		w.origin.on("/a", ok("v1"), ok("done"), ok("v2"))
		w.get("/a")
		w.get("POST /a")
	}, "/a", nil, "200 Miss v2"},
	{OnlyIfCached, Failed, func(w *world) { w.configure(rfc) }, "/a", []string{"Cache-Control: only-if-cached"}, "504 Error page"},
	{CachingDisabled, Miss, func(w *world) {
		w.configure(behave(func(b *wire.DefaultCacheBehavior) { b.CachePolicyId = wire.Ptr("uncached") }))
		w.origin.on("/a", ok("v1"))
	}, "/a", nil, "200 Miss v1"},
	{MethodUncached, Miss, func(w *world) {
		w.configure(behave(allMethods))
		w.origin.on("/a", ok("done"))
	}, "POST /a", []string{"order"}, "200 Miss done"},
	{RangeUncached, Miss, func(w *world) {
		w.origin.on("/a", ok("0123456789", "Cache-Control: no-store"), status(206, "234", "Content-Range: bytes 2-4/10"))
	}, "/a", []string{"Range: bytes=2-4"}, "206 Miss 234"},

	{ToHTTPS, Redirect, func(w *world) {
		w.configure(behave(func(b *wire.DefaultCacheBehavior) { b.ViewerProtocolPolicy = wire.Ptr("redirect-to-https") }))
	}, "/a?x=1", nil, "301 Redirect " + movedBody},
	{Purging, Miss, func(w *world) {
		w.edge.cfg.Purge = func(context.Context, Purge) (Purged, error) { return Purged{ID: "I1", Completed: true}, nil }
		w.configure(purges("on"))
	}, "PURGE /a", []string{"Scheme: https", "Fastly-Key: id:secret"}, `200 Miss {"status":"ok","id":"I1","invalidation":"Completed"}`},
	{Purging, Failed, func(w *world) {
		w.edge.cfg.Purge = func(context.Context, Purge) (Purged, error) { panic("nobody has a key") }
		w.configure(purges("on"))
	}, "PURGE /a", []string{"Scheme: https", "Fastly-Key: nobody"}, `401 Error ` + noKey},
	{Challenged, Miss, func(w *world) {
		w.edge.cfg.Challenge = func(host, path string) (string, bool) {
			return "key for " + host, path == "/.well-known/acme-challenge/token"
		}
		w.configure(func(p *journal.DistributionPut) { p.Config.Enabled = wire.Ptr(false) })
	}, "/.well-known/acme-challenge/token", []string{"Host: nobody.test"}, "200 Miss key for nobody.test"},
	{HTTPSOnly, Failed, func(w *world) {
		w.configure(behave(func(b *wire.DefaultCacheBehavior) { b.ViewerProtocolPolicy = wire.Ptr("https-only") }))
	}, "/a", nil, "403 Error page"},
	{UnknownHost, Failed, nil, "/a", []string{"Host: nobody.test"}, "403 Error page"},
	{Disabled, Failed, func(w *world) {
		w.configure(func(p *journal.DistributionPut) { p.Config.Enabled = wire.Ptr(false) })
	}, "/a", nil, "403 Error page"},
	{Misdirected, Failed, func(w *world) { other(w, "other.test") }, "/a", []string{"ServerName: other.test"}, "421 Error page"},
	{BadTarget, Failed, nil, "OPTIONS *", nil, "400 Error page"},
	{MethodNotAllowed, Failed, nil, "POST /a", nil, "403 Error page"},
	{MethodNotAllowed, Failed, nil, "BREW /a", nil, "403 Error page"},
	{UnexpectedBody, Failed, nil, "GET /a", []string{"a body"}, "403 Error page"},
	{TooManyHops, Failed, nil, "/a", []string{"Via: 1.1 a (CloudFront), 1.1 b (CloudFront)", "Via: 1.1 c (CloudFront)"}, "403 Error page"},
	{UpgradeRefused, Failed, nil, "/a", []string{"Connection: Upgrade", "Upgrade: websocket"}, "400 Error page"},
	{WebSocket, Failed, nil, "/a", shake, "404 Error nothing here"},
	{ExpectationFailed, Failed, nil, "/a", []string{"Expect: the-spanish-inquisition"}, "417 Error page"},
	{RangeNotSatisfiable, Failed, func(w *world) { w.origin.on("/a", ok("v1")) }, "/a", []string{"Range: bytes=9-"}, "416 Error page"},
	{PreconditionFailed, Failed, func(w *world) { w.origin.on("/a", ok("v1", `ETag: "1"`)) }, "/a", []string{`If-Match: "2"`}, "412 Error page"},

	{OriginDNS, Failed, func(w *world) { w.origin.on("/a", fails(origin.DNS)) }, "/a", nil, "502 Error page"},
	{OriginConnect, Failed, func(w *world) { w.origin.on("/a", fails(origin.Connect)) }, "/a", nil, "502 Error page"},
	{OriginConnectTimeout, Failed, func(w *world) { w.origin.on("/a", fails(origin.ConnectTimeout)) }, "/a", nil, "504 Error page"},
	{OriginDown, Failed, func(w *world) { w.origin.on("/a", down(origin.Connect, time.Second)) }, "/a", nil, "502 Error page"},
	{Paced, Failed, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.get("/a")
		w.pace(1, "/a")
		w.edge.pacing.waiting.Store(maxPaceWaits)
	}, "/a", nil, "503 Error page"},
	{OriginBusy, Failed, func(w *world) { w.origin.on("/a", fails(origin.Busy)) }, "/a", nil, "503 Error page"},
	{OriginTLS, Failed, func(w *world) { w.origin.on("/a", fails(origin.TLS)) }, "/a", nil, "502 Error page"},
	{OriginReadTimeout, Failed, func(w *world) { w.origin.on("/a", fails(origin.ReadTimeout)) }, "/a", nil, "504 Error page"},
	{OriginInvalid, Failed, func(w *world) { w.origin.on("/a", fails(origin.Invalid)) }, "/a", nil, "502 Error page"},
	{OriginHeaderTooBig, Failed, func(w *world) { w.origin.on("/a", fails(origin.HeaderTooBig)) }, "/a", nil, "502 Error page"},
	{OriginClosed, Failed, func(w *world) { w.origin.on("/a", fails(origin.Closed)) }, "/a", nil, "502 Error page"},
	{OriginConnect, Failed, func(w *world) { // past the cache
		w.configure(behave(allMethods))
		w.origin.on("/a", fails(origin.Connect))
	}, "POST /a", nil, "502 Error page"},
}

// movedBody is CloudFront's, of 167 octets.
const movedBody = "<html>\r\n<head><title>301 Moved Permanently</title></head>\r\n<body>\r\n" +
	"<center><h1>301 Moved Permanently</h1></center>\r\n<hr><center>CloudFront</center>\r\n</body>\r\n</html>"

// elsewhere are the reasons whose stories need more than a request: where they are told.
var elsewhere = map[Reason]string{
	Collapsed:           "TestCollapse_WaitersStreamAlong",
	Invalidated:         "TestS1_NoConditionFromADeadObject",
	LeaseLost:           "TestS5_BeforeTheFirstProbeNothingStoredIsServed",
	IsolationServeStale: "TestIsolation_ServeStaleGoesOn",
	IsolationBypass:     "TestIsolation_BypassAsksEachTime",
	IsolationFail:       "TestIsolation_FailAnswersNothing",

	Unshared:     "TestCollapse_PrivateAnswersAreNotShared",
	NotMember:    "TestP2_NothingIsServedBeforeJoining",
	Overtaken:    "TestL9_RulesFasterThanASlowOrigin",
	TooManyFills: "TestL9_TooManyFills",
	ViewerGone:   "TestAbort_ViewerThatLeavesBeforeTheAnswer",
	Internal:     "TestFill_PanicIsContained",

	VersionChanged: "TestSlices_AnotherVersion",

	MalformedRequest:   "TestRefuse_IsToldLikeAnAnswer",
	MalformedHost:      "TestRefuse_IsToldLikeAnAnswer",
	TargetTooLong:      "TestRefuse_IsToldLikeAnAnswer",
	HeaderTooBig:       "TestRefuse_IsToldLikeAnAnswer",
	UnknownVersion:     "TestRefuse_IsToldLikeAnAnswer",
	UnknownCoding:      "TestRefuse_IsToldLikeAnAnswer",
	PlainOnHTTPS:       "TestRefuse_IsToldLikeAnAnswer",
	TooManyConnections: "TestRefuse_IsToldLikeAnAnswer",
	BodyTooSlow:        "TestWired_SocketToSocket",
}

func TestOutcome_EachReasonHasItsStory(t *testing.T) {
	told := map[Reason]bool{}
	for _, s := range stories {
		told[s.reason] = true
		t.Run(s.reason.String()+" "+s.outcome.String(), func(t *testing.T) {
			story(t, func(w *world) {
				if s.before != nil {
					s.before(w)
				}
				w.expect(s.want, s.line, s.fields...)
				w.wantWhy(s.outcome.String() + " " + s.reason.String())
			})
		})
	}
	for _, r := range Reasons() {
		if !told[r] && elsewhere[r] == "" {
			t.Errorf("%v has no story", r)
		}
		if r.String() == "" {
			t.Errorf("reason %d has no name", r)
		}
	}
	for _, o := range Outcomes() {
		if o.String() == "" || o.XCache() == "" {
			t.Errorf("outcome %d has no name", o)
		}
	}
}

func TestCollapse_WaitersStreamAlong(t *testing.T) {
	story(t, func(w *world) {
		half := ok("0123456789")
		half.rest = make(chan struct{})
		w.origin.on("/a", half)
		first, second := w.ask("/a"), w.ask("/a")
		for i, v := range []*viewer{first, second} {
			if v.text() != "01234" || !v.flushed {
				t.Errorf("viewer %d has %q before the origin went on", i, v.text())
			}
		}
		close(half.rest)
		synctest.Wait()
		first.is(t, "200 Miss 0123456789")
		second.is(t, "200 Hit 0123456789")
		w.wantEither("Hit collapsed", "Miss cold")
		if w.origin.times("/a") != 1 {
			t.Error("not collapsed")
		}
	})
}

// Who joins a flight gets what has come along with the head, but no more of it than of a stored object.
func TestCollapse_WhatHasComeGoesAlongWithTheHead(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 4<<10)
	for _, c := range []struct{ body, span, along, all string }{
		{"0123456789", "", "01234", "0123456789"},
		{"0123456789", "bytes=2-6", "234", "23456"},
		{"0123456789", "bytes=2-3", "23", "23"},
		{"0123456789", "bytes=7-", "", "789"},
		{large, "", large[:withHead], large},
		{large, "bytes=3-40002", large[3 : 3+withHead], large[3:40003]},
	} {
		story(t, func(w *world) {
			half := ok(c.body)
			half.rest = make(chan struct{})
			w.origin.on("/a", half)
			w.ask("/a")
			var lines []string
			if c.span != "" {
				lines = []string{"Range: " + c.span}
			}
			v := w.ask("/a", lines...)
			if v.along != c.along || !v.flushed {
				t.Errorf("%s of %d: %d octets came along with the head, want %d", c.span, len(c.body), len(v.along), len(c.along))
			}
			close(half.rest)
			synctest.Wait()
			if !v.over() || v.text() != c.all {
				t.Errorf("%s of %d: %d octets in the end, want %d", c.span, len(c.body), len(v.text()), len(c.all))
			}
		})
	}
}

func (w *world) wantEither(a, b string) {
	w.t.Helper()
	if got := w.why(); got != a && got != b {
		w.t.Errorf("outcome and reason: %q, want %q or %q", got, a, b)
	}
}

func TestCollapse_PrivateAnswersAreNotShared(t *testing.T) {
	story(t, func(w *world) {
		mine, gate := gated(ok("for the first", "Cache-Control: private"))
		w.origin.on("/a", mine, ok("for another", "Cache-Control: private"))
		first := w.ask("/a")
		second, third := w.ask("/a"), w.ask("/a")
		close(gate)
		synctest.Wait()
		first.is(t, "200 Miss for the first")
		second.is(t, "200 Miss for another")
		third.is(t, "200 Miss for another")
		w.wantEither("Miss unshared", "Miss cold")
		// From now on it is known, and nobody waits for anybody.
		slow, gate := gated(ok("slow", "Cache-Control: private"))
		w.origin.on("/a", slow, ok("quick", "Cache-Control: private"))
		waiting := w.ask("/a")
		w.expect("200 Miss quick", "/a")
		close(gate)
		synctest.Wait()
		waiting.is(t, "200 Miss slow")
		// And if it becomes sharable, that is noticed too.
		w.origin.on("/a", ok("public"))
		w.expect("200 Miss public", "/a")
		w.expect("200 Hit public", "/a")
	})
}

func TestCollapse_NotWithCookiesForwarded(t *testing.T) {
	story(t, func(w *world) {
		w.configure(behave(func(b *wire.DefaultCacheBehavior) { b.CachePolicyId = wire.Ptr("cookies") }))
		slow, gate := gated(ok("slow", "Set-Cookie: a=1"))
		w.origin.on("/a", slow, ok("quick"))
		v := w.ask("/a")
		w.expect("200 Miss quick", "/a")
		close(gate)
		synctest.Wait()
		v.is(t, "200 Miss slow")
		h := w.expect("200 Hit slow", "/a") // the first had the place
		if h.fields.Get("Set-Cookie") != "a=1" {
			t.Error("the cached cookie is not repeated")
		}
	})
}

func TestL9_TooManyFills(t *testing.T) {
	story(t, func(w *world) {
		slow, gate := gated(ok("v1"))
		w.origin.on("/a", slow)
		v := w.ask("/a")
		w.expect("503 CapacityExceeded page", "/b")
		w.wantWhy("CapacityExceeded too-many-fills")
		close(gate)
		synctest.Wait()
		v.is(t, "200 Miss v1")
		w.expect("404 Error nothing here", "/b")
	}, func(w *world) { w.config.MaxFills = 1 })
}

func TestAbort_ViewerThatLeavesBeforeTheAnswer(t *testing.T) {
	story(t, func(w *world) {
		slow, gate := gated(ok("v1"))
		w.origin.on("/a", slow)
		v := w.ask("/a")
		v.cancel()
		synctest.Wait()
		if !v.over() || v.status != 0 {
			t.Fatal("still there")
		}
		w.wantWhy("Error viewer-gone")
		// What is small is fetched to its end all the same.
		close(gate)
		synctest.Wait()
		w.expect("200 Hit v1", "/a")
	})
}
