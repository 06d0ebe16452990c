package edge

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
	"github.com/warmfront/warmfront/origin"
)

// isolation sets the policy, beside what f sets.
func isolation(policy string, f ...func(*journal.DistributionPut)) func(*journal.DistributionPut) {
	return func(p *journal.DistributionPut) {
		for _, f := range f {
			f(p)
		}
		if p.Tags == nil {
			p.Tags = map[string]string{}
		}
		p.Tags[distribution.TagIsolation] = policy
	}
}

// isolate lets the lease run out.
func (w *world) isolate() {
	w.cutOff()
	w.settle(40 * time.Second)
}

func TestIsolation_BypassAsksEachTime(t *testing.T) {
	story(t, func(w *world) {
		w.configure(isolation("bypass", behave(allMethods)))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=3600", `ETag: "1"`), ok("v2"), ok("v3"), ok("v4"), ok("v5"))
		w.expect("200 Miss v1", "/a")
		if w.expect("200 Hit v1", "/a"); !w.both("/a") {
			t.Error("a plain hit with a lease is not answered inline")
		}
		w.isolate()
		if w.both("/a") {
			t.Error("answered inline")
		}
		w.expect("200 Miss v2", "/a")
		w.wantWhy("Miss isolation-bypass")
		w.expect("200 Miss v3", "/a") // not for L either
		w.expect("200 Miss v4", "/a", "Range: bytes=0-0")
		w.expect("200 Miss", "HEAD /a")
		w.origin.on("/gone", status(404, "no"))
		w.expect("404 Error no", "/gone")
		w.wantWhy("Error isolation-bypass")
		w.origin.on("/down", fails(origin.Connect))
		w.expect("502 Error page", "/down")
		w.origin.on("/post", ok("done"))
		w.expect("200 Miss done", "POST /post")
		w.wantWhy("Miss method-uncached")
		w.reconnect()
		w.settle(time.Minute)
		w.expect("200 Hit v1", "/a") // nothing was stored meanwhile, and nothing was invalidated
	})
}

func TestIsolation_BypassWithRFCSemantics(t *testing.T) {
	story(t, func(w *world) {
		w.configure(isolation("bypass", rfc))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=3600"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.isolate()
		w.expect("504 Error page", "/a", "Cache-Control: only-if-cached")
		v := w.expect("200 Miss v2", "/a")
		if s := v.fields.Get("Cache-Status"); s != "Warmfront; fwd=bypass; fwd-status=200" {
			t.Error(s)
		}
	})
}

// What goes past the cache is compared with the rules, and with the clock, like any fetch.
func TestIsolation_BypassDecides(t *testing.T) {
	story(t, func(w *world) {
		w.configure(isolation("bypass"))
		w.isolate()
		w.origin.on("/slow", &reply{react: func(*origin.Request) *reply { time.Sleep(40 * time.Second); return ok("old") }})
		v := w.ask("/slow")
		w.settle(10 * time.Minute)
		v.is(t, "503 CapacityExceeded page")
		w.wantWhy("CapacityExceeded lease-lost")

		flying, gate := gated(ok("v1"))
		w.origin.on("/b", flying, ok("v2"))
		v = w.ask("/b")
		w.reconnect()
		w.invalidate("/b")
		w.settle(10 * time.Second)
		close(gate)
		w.settle(time.Second)
		v.is(t, "200 Miss v2")
	})
}

func TestIsolation_FailAnswersNothing(t *testing.T) {
	story(t, func(w *world) {
		w.configure(isolation("fail", behave(allMethods)))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=3600"))
		w.expect("200 Miss v1", "/a")
		if w.expect("200 Hit v1", "/a"); !w.both("/a") {
			t.Error("a plain hit with a lease is not answered inline")
		}
		w.isolate()
		if w.both("/a") {
			t.Error("answered inline")
		}
		w.expect("503 CapacityExceeded page", "/a")
		w.wantWhy("CapacityExceeded isolation-fail")
		asked := len(w.origin.all())
		w.expect("503 CapacityExceeded page", "POST /a")
		w.expect("503 CapacityExceeded page", "/never-seen")
		if n := len(w.origin.all()); n != asked {
			t.Errorf("the origin was asked %d times", n-asked)
		}
		w.reconnect()
		w.settle(time.Minute)
		w.expect("200 Hit v1", "/a")
	})
}

func TestIsolation_ServeStaleGoesOn(t *testing.T) {
	story(t, func(w *world) {
		w.configure(isolation("serve-stale"))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=600"), ok("v2"))
		w.origin.on("/gone", status(404, "no"))
		w.expect("200 Miss v1", "/a")
		w.expect("404 Error no", "/gone")
		w.isolate()
		w.invalidate("/a") // it will not hear of it
		w.settle(5 * time.Minute)
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit isolation-serve-stale")
		if !w.both("/a") {
			t.Error("not answered inline")
		}
		w.wantWhy("Hit isolation-serve-stale")
		if w.edge.Ready() == nil {
			t.Error("ready without a lease")
		}
		w.reconnect()
		w.settle(time.Minute)
		w.expect("200 Miss v2", "/a")
		w.expect("200 Hit v2", "/a")
		w.wantWhy("Hit fresh")
	})
}

// Only the lease is forgiven: what has expired is revalidated, and shown if the origin fails then.
func TestIsolation_ServeStaleExpiresAsEver(t *testing.T) {
	story(t, func(w *world) {
		w.configure(isolation("serve-stale", rfc))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60, stale-if-error=3600"), status(502, "down"))
		w.expect("200 Miss v1", "/a")
		w.cutOff()
		w.settle(50 * time.Second)
		v := w.expect("200 Hit v1", "/a")
		if s := v.fields.Get("Cache-Status"); s != "Warmfront; hit; ttl=9; detail=isolation-serve-stale" {
			t.Error(s)
		}
		w.settle(30 * time.Second)
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit isolation-serve-stale")
	})
}

func TestIsolation_ServeStaleInSlices(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.configure(isolation("serve-stale"))
		w.get("/a")
		w.isolate()
		a.log()
		w.expect("200 Hit "+a.all(), "/a")
		a.wants(t)
		w.wantWhy("Hit isolation-serve-stale")
	})
}

// S5 holds with all policies: what an earlier process, or another journal, has left is not shown before the first proof.
func TestIsolation_NoPolicyBeforeTheFirstProof(t *testing.T) {
	for policy, want := range map[string]string{
		"serve-stale": "200 Miss v2", "bypass": "200 Miss v2", "revalidate": "200 Miss v2", "fail": "503 CapacityExceeded page",
	} {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.configure(isolation(policy))
				w.log.SetFaults(journalmemory.Faults{Probe: func() error { return errors.New("no probe yet") }})
				w.start()
				defer func() { w.stop() }()
				w.origin.on("/a", ok("v1"), ok("v2"))
				w.get("/a")
				w.expect(want, "/a")
			})
		})
	}
}

// Self-fencing ends even that.
func TestIsolation_SelfFence(t *testing.T) {
	story(t, func(w *world) {
		w.configure(isolation("serve-stale"))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=6000"))
		w.expect("200 Miss v1", "/a")
		w.isolate()
		w.expect("200 Hit v1", "/a")
		w.settle(100 * time.Second)
		w.expect("503 CapacityExceeded page", "/a")
		w.wantWhy("CapacityExceeded lease-lost")
	}, func(w *world) { w.config.Timing = journal.Timing{SelfFence: 100 * time.Second} })
}

// A change of the policy counts as soon as the edge knows of it.
func TestIsolation_AsKnownHere(t *testing.T) {
	story(t, func(w *world) {
		w.configure(isolation("serve-stale"))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=6000", `ETag: "1"`), status(304, ""))
		w.expect("200 Miss v1", "/a")
		w.cutOff()
		w.configure(isolation("fail"))
		w.settle(40 * time.Second)
		w.expect("200 Hit v1", "/a")
		w.reconnect()
		w.settle(time.Minute)
		w.isolate()
		w.expect("503 CapacityExceeded page", "/a")
	})
}

// A 304 to a date, or to a weak tag, is no proof that what may be dead is the origin's present version (S1).
func TestIsolation_AsksOnlyByStrongValidators(t *testing.T) {
	for name, c := range map[string]struct{ validator, want string }{
		"date":       {"Last-Modified: Tue, 01 Jan 1980 00:00:00 GMT", "200 Miss v2"},
		"weak tag":   {`ETag: W/"1"`, "200 Miss v2"},
		"strong tag": {`ETag: "1"`, "200 RefreshHit v1"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.origin.on("/a", ok("v1", c.validator), &reply{react: func(r *origin.Request) *reply {
					if r.Fields.Has("If-Modified-Since") || r.Fields.Has("If-None-Match") {
						return status(304, "", c.validator)
					}
					return ok("v2", c.validator)
				}})
				w.expect("200 Miss v1", "/a")
				w.isolate()
				w.expect(c.want, "/a")
			})
		})
	}
}

// With a lease any validator will do; but what a date has confirmed is no younger for it when the lease is lost.
func TestIsolation_WhatADateHasConfirmedIsNoYounger(t *testing.T) {
	for name, c := range map[string]struct{ validator, want string }{
		"date":       {"Last-Modified: Tue, 01 Jan 1980 00:00:00 GMT", "200 Miss v2"},
		"strong tag": {`ETag: "1"`, "200 Hit v1"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				const brief = "Cache-Control: max-age=20"
				w.origin.on("/a", ok("v1", c.validator, brief), status(304, "", c.validator, "Cache-Control: max-age=600"), ok("v2", c.validator))
				w.expect("200 Miss v1", "/a")
				w.settle(25 * time.Second)
				w.cutOff()
				w.settle(20 * time.Second)
				w.expect("200 RefreshHit v1", "/a") // the lease has some seconds yet
				w.settle(20 * time.Second)
				w.expect(c.want, "/a")
			})
		})
	}
}

// An edge that is cut off for long, as one that was removed is for ever, says so once, and again the next time.
func TestIsolation_IsSaidOnce(t *testing.T) {
	var said bytes.Buffer
	story(t, func(w *world) {
		w.configure(nil)
		for n := 1; n <= 2; n++ {
			w.isolate()
			w.settle(10 * time.Minute)
			for _, what := range []string{"freshness probe failed", "journal cannot be followed"} {
				if is := strings.Count(said.String(), what); is != n {
					t.Errorf("%s: said %d times after being cut off %d times:\n%s", what, is, n, &said)
				}
			}
			w.reconnect()
			w.settle(time.Minute)
		}
	}, func(w *world) { w.config.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
}

// S3: an error that was found with a lease waits for its page, and there is none any more when that comes.
func TestS3_AnErrorThatWaitsForItsPageWithoutALease(t *testing.T) {
	story(t, func(w *world) {
		w.configure(func(p *journal.DistributionPut) {
			p.Config.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: wire.Ptr[int64](1), Items: []wire.CustomErrorResponse{{
				ErrorCode: wire.Ptr[int64](404), ResponsePagePath: wire.Ptr("/sorry"), ResponseCode: wire.Ptr("404"), ErrorCachingMinTTL: wire.Ptr[int64](600),
			}}}
		})
		page, gate := gated(ok("sorry"))
		w.origin.on("/a", status(404, "nothing"), ok("here it is"))
		w.origin.on("/sorry", ok("sorry"), page)
		w.expect("404 Error sorry", "/a")
		w.store.Remove(w.object("/sorry"))
		w.settle(time.Minute)
		w.cutOff()
		w.settle(15 * time.Second)
		v := w.ask("/a")
		w.settle(20 * time.Second)
		if v.over() || !w.edge.isolated() {
			t.Fatalf("over %v, isolated %v", v.over(), w.edge.isolated())
		}
		close(gate)
		synctest.Wait()
		v.is(t, "200 Miss here it is")
	})
}
