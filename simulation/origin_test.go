package simulation

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// originServer is where the truth is: a version for each path.
type originServer struct {
	w       *world
	mu      sync.Mutex
	version [paths]int64
}

func (o *originServer) read(path int) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.version[path]
}

func (o *originServer) change(path int) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version[path]++
	return o.version[path]
}

// Upgrade implements edge.Fetcher; nobody asks for it here.
func (o *originServer) Upgrade(context.Context, *distribution.Origin, *origin.Request) (*origin.Tunnel, *origin.Response, error) {
	return nil, nil, &origin.Error{Kind: origin.Connect, Op: "ask", Err: errors.New("no WebSockets here")}
}

// Fetch implements edge.Fetcher. Between its two waits the content is read.
func (o *originServer) Fetch(ctx context.Context, _ *distribution.Origin, q *origin.Request) (*origin.Response, error) {
	r := o.w.luckOf("origin of " + q.Fields.Get("Via") + q.Path)
	path, _ := strconv.Atoi(strings.TrimPrefix(q.Path, "/p"))
	if !o.wait(ctx, r) {
		return nil, &origin.Error{Kind: origin.Canceled, Op: "ask", Err: context.Canceled}
	}
	v := strconv.FormatInt(o.read(path), 10)
	o.w.note("%s is read: version %s", q.Path, v)
	if !o.wait(ctx, r) {
		return nil, &origin.Error{Kind: origin.Canceled, Op: "ask", Err: context.Canceled}
	}
	resp := &origin.Response{Status: 200, FirstByte: time.Millisecond}
	add := func(name, value string) { resp.Fields = append(resp.Fields, message.Field{Name: name, Value: value}) }
	add("Cache-Control", []string{"max-age=1", "max-age=600", "max-age=600", "no-cache", "max-age=1, stale-while-revalidate=20"}[r.n(5)])
	add("Cache-Tag", "t"+strconv.Itoa(path))
	add("X-Version", v)
	add("ETag", `"`+v+`"`)
	body := "version " + v
	switch {
	case r.one(20):
		return nil, &origin.Error{Kind: origin.Connect, Op: "connect", Err: errors.New("refused")}
	case q.Fields.Get("If-None-Match") == `"`+v+`"`:
		resp.Status, body = 304, ""
	}
	resp.ContentLength, resp.Body = int64(len(body)), io.NopCloser(strings.NewReader(body))
	return resp, nil
}

func (o *originServer) wait(ctx context.Context, r *luck) (on bool) {
	t := time.NewTimer(o.w.delay(r))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// theDistribution has one behavior that caches all paths.
var theDistribution = func() *journal.DistributionPut {
	p, n := wire.Ptr[string], wire.Ptr[int64]
	put := &journal.DistributionPut{
		ID: "D1", DomainName: "d1.localhost", ETag: "E1",
		Config: &wire.DistributionConfig{
			CallerReference: p("x"), Comment: p(""), Enabled: wire.Ptr(true),
			Origins: &wire.Origins{Quantity: n(1), Items: []wire.Origin{{
				Id: p("o"), DomainName: p("origin.test"),
				CustomOriginConfig: &wire.CustomOriginConfig{HTTPPort: n(80), HTTPSPort: n(443), OriginProtocolPolicy: p("http-only")},
			}}},
			DefaultCacheBehavior: &wire.DefaultCacheBehavior{TargetOriginId: p("o"), ViewerProtocolPolicy: p("allow-all"), CachePolicyId: p("policy")},
			CacheTagConfig:       &wire.CacheTagConfig{HeaderName: p("Cache-Tag")},
		},
		CachePolicies: map[string]*wire.CachePolicyConfig{"policy": {
			Name: p("policy"), MinTTL: n(0), DefaultTTL: n(3600), MaxTTL: n(86400),
			ParametersInCacheKeyAndForwardedToOrigin: &wire.ParametersInCacheKeyAndForwardedToOrigin{
				EnableAcceptEncodingGzip: wire.Ptr(false), EnableAcceptEncodingBrotli: wire.Ptr(false),
				HeadersConfig:      &wire.CachePolicyHeadersConfig{HeaderBehavior: p("none")},
				CookiesConfig:      &wire.CachePolicyCookiesConfig{CookieBehavior: p("none")},
				QueryStringsConfig: &wire.CachePolicyQueryStringsConfig{QueryStringBehavior: p("none")},
			},
		}},
	}
	distribution.FillDefaults(put.Config)
	return put
}()
