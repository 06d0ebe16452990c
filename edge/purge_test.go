package edge

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

const noKey = `{"status":"error","message":"PURGE needs an access key that may invalidate: its id as user and its secret as password (Basic), or both with a colon between them as Bearer or Fastly-Key."}`

// purges gives the distribution the switch.
func purges(how string) func(*journal.DistributionPut) {
	return func(put *journal.DistributionPut) { put.Tags = map[string]string{distribution.TagPurge: how} }
}

// purged notes what comes to the control plane, and answers with err.
type purged struct {
	mu  sync.Mutex
	all []Purge
	err error
}

func (p *purged) purge(_ context.Context, x Purge) (Purged, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, x)
	return Purged{ID: "I1", Completed: x.Wait}, p.err
}

func TestPurge_Soft(t *testing.T) {
	story(t, func(w *world) {
		seen := &purged{}
		w.edge.cfg.Purge = seen.purge
		w.configure(purges("on"))
		for _, soft := range []string{"1", "0"} {
			w.get("PURGE /a", "Scheme: https", "Authorization: Bearer AKID:s3:cret", "Fastly-Soft-Purge: "+soft)
		}
		if len(seen.all) != 2 || !seen.all[0].Soft || seen.all[1].Soft {
			t.Errorf("%+v", seen.all)
		}
	})
}

func basic(both string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(both))
}

// What a PURGE names, and whose it is; status 0 is 200.
func TestPurge_WhatItNames(t *testing.T) {
	const key = "Authorization: Bearer AKID:s3:cret"
	for _, c := range []struct {
		how    string // the switch; "on"
		line   string
		fields []string
		items  []string
		status int
	}{
		{line: "/a.png", fields: []string{key}, items: []string{"/a.png"}},
		{line: "/a.png", fields: []string{basic("AKID:s3:cret")}, items: []string{"/a.png"}},
		{line: "/a.png", fields: []string{"authorization: bearer   AKID:s3:cret"}, items: []string{"/a.png"}},
		{line: "/a.png", fields: []string{"Fastly-Key: AKID:s3:cret"}, items: []string{"/a.png"}},
		{line: "/a?b=1&a=2", fields: []string{key}, items: []string{"/a?b=1&a=2"}},
		{line: "/a*[b]", fields: []string{key}, items: []string{"/a%2A%5Bb%5D"}},
		{line: "/", fields: []string{key}, items: []string{"/"}},
		{line: "/unkeyed?x=1", fields: []string{key}, items: []string{"/unkeyed"}},
		{line: "/a", fields: []string{key, "Surrogate-Key: One two"}, items: []string{"#one", "#two"}},
		{line: "/", fields: []string{key, "Cache-Tag: one,two"}, items: []string{"#one", "#two"}},
		{line: "/", fields: []string{key, "X-Tags: one, two"}, items: []string{"#one", "#two"}},
		{line: "/blog/.*", fields: []string{key, "X-Purge-Method: regex"}, items: []string{"/blog/*"}},
		{line: "/.*", fields: []string{key, "X-Purge-Method: regex"}, items: []string{"/*"}},
		{line: "/a", fields: []string{key, "X-Purge-Method: default"}, items: []string{"/a"}},
		{line: "/a", fields: []string{key, "Prefer: respond-async; wait=5"}, items: []string{"/a"}, status: 202},

		{line: "/a", status: 401},
		{line: "/a", fields: []string{"Authorization: Basic %%%"}, status: 401},
		{line: "/a", fields: []string{"Authorization: Digest AKID:s3:cret"}, status: 401},
		{line: "/a", fields: []string{basic("AKID")}, status: 401},
		{line: "/a", fields: []string{key, "Scheme: http"}, status: 403},
		{how: "plain", line: "/a", fields: []string{key, "Scheme: http"}, items: []string{"/a"}},
		{line: "/a", fields: []string{key, "a body"}, status: 400},
		{line: "/a", fields: []string{key, "Fastly-Soft-Purge: yes"}, status: 400},
		{line: "/a", fields: []string{key, "Surrogate-Key: "}, status: 400},
		{line: "/a", fields: []string{key, "Surrogate-Key: é"}, status: 400},
		{line: "/a", fields: []string{key, "Surrogate-Key: " + strings.Repeat("a ", 1001)}, status: 400},
		{line: "/a.*b", fields: []string{key, "X-Purge-Method: regex"}, status: 400},
		{line: "/(a|b).*", fields: []string{key, "X-Purge-Method: regex"}, status: 400},
		{line: "/a", fields: []string{key, "X-Purge-Method: ban"}, status: 400},
	} {
		name := fmt.Sprintf("%s %.60q", c.line, c.fields)
		story(t, func(w *world) {
			seen := &purged{}
			w.edge.cfg.Purge = seen.purge
			w.configure(func(put *journal.DistributionPut) {
				how := c.how
				if how == "" {
					how = "on"
				}
				purges(how)(put)
				put.Config.CacheTagConfig.HeaderName = wire.Ptr("X-Tags")
				put.Config.CacheBehaviors = withoutQueries(put.Config.DefaultCacheBehavior)
			})
			fields := c.fields
			if !slices.Contains(fields, "Scheme: http") {
				fields = append([]string{"Scheme: https"}, fields...)
			}
			v := w.get("PURGE "+c.line, fields...)
			want := c.status
			if want == 0 {
				want = 200
			}
			if v.status != want || v.fields.Get("Cache-Control") != "no-store" || v.fields.Has("WWW-Authenticate") != (want == 401) {
				t.Errorf("%s: %d %v %s", name, v.status, v.fields, v.text())
			}
			if w.origin.times(c.line) > 0 {
				t.Errorf("%s: the origin was asked", name)
			}
			if (len(seen.all) == 1) != (c.items != nil) {
				t.Fatalf("%s: %+v came to the control plane", name, seen.all)
			}
			if c.items == nil {
				return
			}
			if p := seen.all[0]; !slices.Equal(p.Items, c.items) || p.Distribution != "D1" || p.KeyID != "AKID" || p.Secret != "s3:cret" ||
				p.Address != "192.0.2.1" || p.Edge != "FRA50-1" || p.Wait != (want == 200) {
				t.Errorf("%s: %+v", name, p)
			}
		})
	}
}

// withoutQueries is a behavior for /unkeyed without queries in its keys.
func withoutQueries(d *wire.DefaultCacheBehavior) *wire.CacheBehaviors {
	return &wire.CacheBehaviors{Quantity: wire.Ptr[int64](1), Items: []wire.CacheBehavior{{
		PathPattern: wire.Ptr("/unkeyed"), TargetOriginId: d.TargetOriginId, ViewerProtocolPolicy: wire.Ptr("redirect-to-https"),
		CachePolicyId: wire.Ptr("minimum"),
	}}}
}

// Without a tag on the distribution nothing is taken, whoever asks, and what may pass goes to the origin as ever.
func TestPurge_IsOffByDefault(t *testing.T) {
	fields := []string{"Scheme: https", "Fastly-Key: AKID:secret"}
	for _, how := range []string{"", "off"} {
		story(t, func(w *world) {
			w.edge.cfg.Purge = func(context.Context, Purge) (Purged, error) { panic("it is off") }
			w.configure(func(put *journal.DistributionPut) {
				if how != "" {
					purges(how)(put)
				}
			})
			w.expect("403 Error page", "PURGE /a", fields...)
			w.wantWhy("Error method-not-allowed")
			w.configure(func(put *journal.DistributionPut) {
				rfc(put)
				behave(allMethods)(put)
			})
			w.origin.on("/a", ok("the origin's own"))
			w.expect("200 Miss the origin's own", "PURGE /a", fields...)
		})
	}
	story(t, func(w *world) { // an edge without a way to the control plane
		w.configure(purges("on"))
		w.expect("403 Error page", "PURGE /a", fields...)
	})
}

// The control plane's no is the viewer's, and no custom error page comes in its place.
func TestPurge_Refusals(t *testing.T) {
	story(t, func(w *world) {
		seen := &purged{}
		w.edge.cfg.Purge = seen.purge
		w.configure(func(put *journal.DistributionPut) {
			purges("on")(put)
			put.Config.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: wire.Ptr[int64](1), Items: []wire.CustomErrorResponse{{
				ErrorCode: wire.Ptr[int64](403), ResponsePagePath: wire.Ptr("/page"), ResponseCode: wire.Ptr("200"),
			}}}
		})
		w.origin.on("/page", ok("a page"))
		for _, c := range []struct {
			err        error
			status     int
			retryAfter string
		}{
			{&PurgeRefused{Status: 403, Message: "no"}, 403, ""},
			{&PurgeRefused{Status: 429, Message: "no", RetryAfter: 1500 * time.Millisecond}, 429, "2"},
			{errors.New("the journal's secrets"), 503, ""},
		} {
			seen.err = c.err
			v := w.get("PURGE /a", "Scheme: https", "Fastly-Key: AKID:secret")
			if v.status != c.status || v.fields.Get("Retry-After") != c.retryAfter || !strings.Contains(v.text(), `"status":"error"`) ||
				strings.Contains(v.text(), "secrets") || strings.Contains(v.text(), "a page") {
				t.Errorf("%v: %d %v %s", c.err, v.status, v.fields, v.text())
			}
			w.wantWhy("Error purging")
		}
	})
}

// The request waits for a rule that this edge itself has to acknowledge (E3): it must not be in the way. And it is
// done once, although the snapshot that it had pinned is gone when it is answered.
func TestPurge_DoesNotHoldUpItsOwnRule(t *testing.T) {
	story(t, func(w *world) {
		var stop func()
		calls := 0
		w.edge.cfg.Purge = func(ctx context.Context, p Purge) (Purged, error) {
			calls++
			e, err := w.writer.Commit(ctx, func() ([]journal.Fact, error) {
				return []journal.Fact{{Invalidated: &journal.Invalidated{DistributionID: p.Distribution, InvalidationID: "I1", Items: p.Items}}}, nil
			})
			if err != nil {
				return Purged{}, err
			}
			acked := make(chan struct{})
			stop, _ = w.log.Acks(func(a journal.Ack) {
				if a.Seq >= e.Seq {
					select {
					case <-acked:
					default:
						close(acked)
					}
				}
			})
			select {
			case <-acked:
				return Purged{ID: "I1", Completed: true}, nil
			case <-ctx.Done():
				return Purged{ID: "I1"}, nil
			}
		}
		w.configure(purges("on"))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60"), ok("v2", "Cache-Control: max-age=60"))
		w.expect("200 Miss v1", "/a")
		w.expect("200 Hit v1", "/a")
		v := w.ask("PURGE /a", "Scheme: https", "Fastly-Key: AKID:secret")
		w.settle(journal.Timing{}.Defaults().Decide / 4) // after the whole of it, heads in the way are cut
		if !v.over() {
			t.Fatal("it still waits")
		}
		defer stop()
		if v.status != 200 || calls != 1 {
			t.Errorf("%d after %d calls: %s", v.status, calls, v.text())
		}
		w.expect("200 Miss v2", "/a")
	})
}

func TestL9_PurgesThatWait(t *testing.T) {
	story(t, func(w *world) {
		release := make(chan struct{})
		w.edge.cfg.Purge = func(context.Context, Purge) (Purged, error) {
			<-release
			return Purged{ID: "I1", Completed: true}, nil
		}
		w.configure(purges("on"))
		var waiting []*viewer
		for range maxPurges {
			waiting = append(waiting, w.ask("PURGE /a", "Scheme: https", "Fastly-Key: AKID:secret"))
		}
		if v := w.get("PURGE /a", "Scheme: https", "Fastly-Key: AKID:secret"); v.status != 503 || v.fields.Get("Retry-After") != "1" {
			t.Errorf("%d %v", v.status, v.fields)
		}
		close(release)
		w.settle(time.Second)
		for _, v := range waiting {
			if !v.over() || v.status != 200 {
				t.Fatalf("%d", v.status)
			}
		}
		if v := w.get("PURGE /a", "Scheme: https", "Fastly-Key: AKID:secret"); v.status != 200 {
			t.Errorf("%d: a place was not given back", v.status)
		}
	})
}

// The engine asks for plain hits first: a PURGE is none, and must not be done then.
func TestPurge_IsNoPlainHit(t *testing.T) {
	story(t, func(w *world) {
		w.edge.cfg.Purge = func(context.Context, Purge) (Purged, error) { panic("inline") }
		w.configure(purges("on"))
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60"))
		w.get("/a")
		a := w.edge.Inline()
		r := request("PURGE /a", "Scheme: https", "Fastly-Key: AKID:secret")
		if _, _, did := a.Answer(nil, r); did {
			t.Error("answered")
		}
		a.Sent()
	})
}
