package distribution

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/internal/message"
)

func ptr[T any](v T) *T { return &v }

func names1(l ...string) *wire.Headers { return &wire.Headers{Quantity: ptr(int64(len(l))), Items: l} }

const (
	optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
	disabled  = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
	allViewer = "216adef6-5c7f-47e4-b989-5492eafa07d3"
)

// minimal is what one writes by hand: one custom origin, a managed cache policy.
func minimal() *wire.DistributionConfig {
	return &wire.DistributionConfig{
		CallerReference: ptr("ref"),
		Comment:         ptr("site"),
		Enabled:         ptr(true),
		Origins: &wire.Origins{Quantity: ptr(int64(1)), Items: []wire.Origin{{
			Id: ptr("web"), DomainName: ptr("Origin.example.com"),
			CustomOriginConfig: &wire.CustomOriginConfig{HTTPPort: ptr(int64(80)), HTTPSPort: ptr(int64(443)), OriginProtocolPolicy: ptr("http-only")},
		}}},
		DefaultCacheBehavior: &wire.DefaultCacheBehavior{
			TargetOriginId: ptr("web"), ViewerProtocolPolicy: ptr("allow-all"), CachePolicyId: ptr(optimized),
		},
	}
}

// rich uses everything that is supported, legacy and policies side by side.
func rich() *wire.DistributionConfig {
	c := minimal()
	c.Origins.Items = append(c.Origins.Items, wire.Origin{
		Id: ptr("bucket"), DomainName: ptr("b.s3.amazonaws.com"), OriginPath: ptr("/v1"),
		S3OriginConfig: &wire.S3OriginConfig{OriginAccessIdentity: ptr("")},
		CustomHeaders: &wire.CustomHeaders{Quantity: ptr(int64(1)), Items: []wire.OriginCustomHeader{
			{HeaderName: ptr("X-Secret"), HeaderValue: ptr("s3cret")}}},
	})
	c.Origins.Quantity = ptr(int64(2))
	c.Aliases = &wire.Aliases{Quantity: ptr(int64(2)), Items: []string{"www.Example.com", "*.example.com"}}
	c.DefaultRootObject = ptr("index.html")
	c.CacheTagConfig = &wire.CacheTagConfig{HeaderName: ptr("Cache-Tag")}
	c.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: ptr(int64(2)), Items: []wire.CustomErrorResponse{
		{ErrorCode: ptr(int64(404)), ResponsePagePath: ptr("/404.html"), ResponseCode: ptr("200"), ErrorCachingMinTTL: ptr(int64(30))},
		{ErrorCode: ptr(int64(500)), ResponsePagePath: ptr(""), ResponseCode: ptr("")},
	}}
	c.OriginGroups = &wire.OriginGroups{Quantity: ptr(int64(1)), Items: []wire.OriginGroup{grouped("both", "web", "bucket", 500, 503)}}
	legacy := wire.CacheBehavior{PathPattern: ptr("/old/*"), TargetOriginId: ptr("web"), ViewerProtocolPolicy: ptr("redirect-to-https"),
		CachePolicyId: ptr(""), OriginRequestPolicyId: ptr(""), // as Terraform sends what is not set
		ForwardedValues: &wire.ForwardedValues{QueryString: ptr(true),
			Cookies:              &wire.CookiePreference{Forward: ptr("whitelist"), WhitelistedNames: &wire.CookieNames{Quantity: ptr(int64(1)), Items: []string{"sess*"}}},
			Headers:              names1("Origin", "Accept"),
			QueryStringCacheKeys: &wire.QueryStringCacheKeys{Quantity: ptr(int64(1)), Items: []string{"v"}}}}
	static := wire.CacheBehavior{PathPattern: ptr("*.css"), TargetOriginId: ptr("bucket"), ViewerProtocolPolicy: ptr("allow-all"),
		CachePolicyId: ptr(optimized), OriginRequestPolicyId: ptr(allViewer), Compress: ptr(true)}
	c.CacheBehaviors = &wire.CacheBehaviors{Quantity: ptr(int64(2)), Items: []wire.CacheBehavior{legacy, static}}
	return c
}

func grouped(id, first, second string, codes ...int64) wire.OriginGroup {
	return wire.OriginGroup{Id: &id,
		FailoverCriteria: &wire.OriginGroupFailoverCriteria{StatusCodes: &wire.StatusCodes{Quantity: ptr(int64(len(codes))), Items: codes}},
		Members:          &wire.OriginGroupMembers{Quantity: ptr(int64(2)), Items: []wire.OriginGroupMember{{OriginId: &first}, {OriginId: &second}}}}
}

func filled(c *wire.DistributionConfig) *wire.DistributionConfig { FillDefaults(c); return c }

func compiled(t testing.TB, c *wire.DistributionConfig) *Distribution {
	t.Helper()
	return compiledFrom(t, Source{Config: c})
}

func compiledFrom(t testing.TB, s Source) *Distribution {
	t.Helper()
	FillDefaults(s.Config)
	has := func(id string) bool { return s.CachePolicies[id] != nil }
	hasRequest := func(id string) bool { return s.OriginRequestPolicies[id] != nil }
	if err := Validate(s.Config, Known{has, hasRequest}); err != nil {
		t.Fatal(err)
	}
	for _, p := range s.CachePolicies {
		FillCachePolicyDefaults(p)
		if err := ValidateCachePolicy(p); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range s.OriginRequestPolicies {
		FillOriginRequestPolicyDefaults(p)
		if err := ValidateOriginRequestPolicy(p); err != nil {
			t.Fatal(err)
		}
	}
	s.ID, s.DomainName = "E1U5RQF7T870K0", "d111111abcdef8.localhost"
	d, err := Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// withPolicies compiles a distribution whose default behavior has these policies; a nil one is none.
func withPolicies(t testing.TB, cp *wire.CachePolicyConfig, rp *wire.OriginRequestPolicyConfig) *Distribution {
	t.Helper()
	s := Source{Config: minimal(), CachePolicies: map[string]*wire.CachePolicyConfig{"cp": cp}}
	s.Config.DefaultCacheBehavior.CachePolicyId = ptr("cp")
	if rp != nil {
		s.Config.DefaultCacheBehavior.OriginRequestPolicyId = ptr("rp")
		s.OriginRequestPolicies = map[string]*wire.OriginRequestPolicyConfig{"rp": rp}
	}
	return compiledFrom(t, s)
}

func withLegacy(t testing.TB, f *wire.ForwardedValues) *Distribution {
	t.Helper()
	c := minimal()
	c.DefaultCacheBehavior.CachePolicyId, c.DefaultCacheBehavior.ForwardedValues = nil, f
	return compiled(t, c)
}

// cacheBy makes a cache policy. headers, cookies and query are lists of names with an optional
// behavior in front: "", "all", "Accept Origin", "-a b" for allExcept.
func cacheBy(headers, cookies, query string, gzip, brotli bool) *wire.CachePolicyConfig {
	p := &wire.ParametersInCacheKeyAndForwardedToOrigin{EnableAcceptEncodingGzip: &gzip, EnableAcceptEncodingBrotli: &brotli,
		HeadersConfig: &wire.CachePolicyHeadersConfig{}, CookiesConfig: &wire.CachePolicyCookiesConfig{}, QueryStringsConfig: &wire.CachePolicyQueryStringsConfig{}}
	p.HeadersConfig.HeaderBehavior, p.HeadersConfig.Headers = listed(headers)
	b, l := listed(cookies)
	p.CookiesConfig.CookieBehavior = b
	if l != nil {
		p.CookiesConfig.Cookies = &wire.CookieNames{Quantity: l.Quantity, Items: l.Items}
	}
	b, l = listed(query)
	p.QueryStringsConfig.QueryStringBehavior = b
	if l != nil {
		p.QueryStringsConfig.QueryStrings = &wire.QueryStringNames{Quantity: l.Quantity, Items: l.Items}
	}
	return &wire.CachePolicyConfig{Name: ptr("p"), MinTTL: ptr(int64(0)), ParametersInCacheKeyAndForwardedToOrigin: p}
}

// requestBy is cacheBy for an origin request policy; headers also "allViewer" and "cf NAMES".
func requestBy(headers, cookies, query string) *wire.OriginRequestPolicyConfig {
	c := &wire.OriginRequestPolicyConfig{Name: ptr("p"), HeadersConfig: &wire.OriginRequestPolicyHeadersConfig{},
		CookiesConfig: &wire.OriginRequestPolicyCookiesConfig{}, QueryStringsConfig: &wire.OriginRequestPolicyQueryStringsConfig{}}
	if rest, ok := strings.CutPrefix(headers, "cf "); ok {
		c.HeadersConfig.HeaderBehavior, c.HeadersConfig.Headers = ptr("allViewerAndWhitelistCloudFront"), names1(strings.Fields(rest)...)
	} else if headers == "allViewer" {
		c.HeadersConfig.HeaderBehavior = &headers
	} else {
		c.HeadersConfig.HeaderBehavior, c.HeadersConfig.Headers = listed(headers)
	}
	b, l := listed(cookies)
	c.CookiesConfig.CookieBehavior = b
	if l != nil {
		c.CookiesConfig.Cookies = &wire.CookieNames{Quantity: l.Quantity, Items: l.Items}
	}
	b, l = listed(query)
	c.QueryStringsConfig.QueryStringBehavior = b
	if l != nil {
		c.QueryStringsConfig.QueryStrings = &wire.QueryStringNames{Quantity: l.Quantity, Items: l.Items}
	}
	return c
}

func listed(s string) (*string, *wire.Headers) {
	switch {
	case s == "":
		return ptr("none"), nil
	case s == "all":
		return ptr("all"), nil
	case s[0] == '-':
		return ptr("allExcept"), names1(strings.Fields(s[1:])...)
	}
	return ptr("whitelist"), names1(strings.Fields(s)...)
}

// request parses "GET /a?b" and field lines.
func request(line string, fields ...string) *message.Request {
	method, uri, _ := strings.Cut(line, " ")
	r := &message.Request{Method: method, Host: "d111111abcdef8.localhost", Scheme: "http", Major: 1, Minor: 1, Remote: netip.MustParseAddrPort("203.0.113.9:4711")}
	r.Path, r.Query, r.HasQuery = strings.Cut(uri, "?")
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if name == "Host" {
			r.Host, r.Port, _ = strings.Cut(value, ":")
		}
		r.Fields.Add(name, value)
	}
	return r
}

func key(d *Distribution, r *message.Request) string {
	return string(d.Behavior(d.RootedPath(r.Path)).AppendKey(nil, d, r))
}

func clone[T any](t testing.TB, c *T) *T {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	n := new(T)
	if err := json.Unmarshal(b, n); err != nil {
		t.Fatal(err)
	}
	return n
}

func asError(t testing.TB, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	return e
}
