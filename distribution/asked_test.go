package distribution

import (
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/internal/message"
)

func TestAsked_HasTheKeyThatItWasMadeOf(t *testing.T) {
	for name, c := range map[string]struct {
		d  *Distribution
		r  *message.Request
		ok bool
	}{
		"plain":     {compiled(t, minimal()), request("GET /a"), true},
		"encodings": {compiled(t, minimal()), request("GET /a", "Accept-Encoding: gzip, br"), true},
		"query":     {withPolicies(t, cacheBy("", "", "all", false, false), nil), request("GET /a?x=1&y=2"), true},
		"no query":  {withPolicies(t, cacheBy("", "", "all", false, false), nil), request("GET /a?"), true},
		"cookies":   {withPolicies(t, cacheBy("", "a b", "", false, false), nil), request("GET /", "Cookie: a=1; b=2; c=3"), true},
		"headers":   {withPolicies(t, cacheBy("Accept X-Version", "", "", false, false), nil), request("GET /", "Accept: a", "Accept: b", "X-Version: 1"), true},
		"host":      {withPolicies(t, cacheBy("Host", "", "", false, false), nil), request("GET /", "Host: a.example.com:8081"), true},
		"scheme":    {withPolicies(t, cacheBy("CloudFront-Forwarded-Proto", "", "", false, false), nil), request("GET /"), true},
		"device":    {withPolicies(t, cacheBy("CloudFront-Is-Mobile-Viewer", "", "", false, false), nil), request("GET /", "User-Agent: iPhone Mobile"), false},
		"OPTIONS":   {compiled(t, minimal()), request("OPTIONS /a"), false},
	} {
		key := c.d.Behavior(c.r.Path).AppendKey(nil, c.d, c.r)
		r, ok := c.d.Asked(key)
		if ok != c.ok {
			t.Errorf("%s: %t, %+v", name, ok, r)
		} else if ok && (r.Host == "" || r.Scheme == "" || string(c.d.Behavior(r.Path).AppendKey(nil, c.d, r)) != string(key)) {
			t.Errorf("%s: %+v", name, r)
		}
		for n := range key {
			c.d.Asked(key[:n]) // must not panic
		}
		if _, ok := c.d.Asked(append(key, 'p')); ok {
			t.Errorf("%s: the key of a part is taken for that of the whole", name)
		}
	}
}

func TestAsked_WhatAnOriginMayDependOn(t *testing.T) {
	c := minimal()
	c.Origins.Items[0].CustomOriginConfig.OriginProtocolPolicy = ptr("match-viewer")
	d := compiled(t, c)
	key := d.Behavior("/a").AppendKey(nil, d, request("GET /a"))
	if _, ok := d.Asked(key); ok {
		t.Error("the scheme is not in the key, and the origin's is the viewer's")
	}
	c.DefaultCacheBehavior.ViewerProtocolPolicy = ptr("https-only")
	c.Aliases = &wire.Aliases{Quantity: ptr(int64(2)), Items: []string{"*.example.com", "www.example.com"}}
	c.ViewerCertificate = nil
	if r, ok := compiled(t, c).Asked(key); !ok || r.Scheme != "https" || r.Host != "www.example.com" {
		t.Errorf("%t %+v", ok, r)
	}
}
