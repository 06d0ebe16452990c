package distribution

import (
	"slices"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// ManagedCachePolicy is a policy that exists everywhere, with CloudFront's own id. Config is shared:
// do not change it.
type ManagedCachePolicy struct {
	ID           string
	LastModified time.Time
	Config       *wire.CachePolicyConfig
}

// ManagedOriginRequestPolicy is the same for origin request policies.
type ManagedOriginRequestPolicy struct {
	ID           string
	LastModified time.Time
	Config       *wire.OriginRequestPolicyConfig
}

// managedSince is when all of them were last modified: never, since this program exists.
var managedSince = time.Date(2020, 7, 22, 0, 0, 0, 0, time.UTC)

// ManagedCachePolicies returns all managed cache policies in a fixed order. Those for the sole use
// of Amplify are not among them: they belong to another service.
func ManagedCachePolicies() []ManagedCachePolicy { return slices.Clone(managedCache) }

// ManagedOriginRequestPolicies returns all managed origin request policies in a fixed order.
func ManagedOriginRequestPolicies() []ManagedOriginRequestPolicy { return slices.Clone(managedRequest) }

func managedCachePolicy(id string) *wire.CachePolicyConfig {
	for i := range managedCache {
		if managedCache[i].ID == id {
			return managedCache[i].Config
		}
	}
	return nil
}

func managedOriginRequestPolicy(id string) *wire.OriginRequestPolicyConfig {
	for i := range managedRequest {
		if managedRequest[i].ID == id {
			return managedRequest[i].Config
		}
	}
	return nil
}

const (
	day  = 86400
	year = 31536000
)

// ttls are minimum, default and maximum.
type ttls [3]int64

var managedCache = []ManagedCachePolicy{
	cachePolicy("658327ea-f89d-4fab-a63d-7e88639e58f6", "CachingOptimized",
		"Policy with caching enabled. Supports Gzip and Brotli compression.", ttls{1, day, year}, true, true,
		nil, "none", "none"),
	cachePolicy("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled",
		"Policy with caching disabled", ttls{}, false, false,
		nil, "none", "none"),
	cachePolicy("b2884449-e4de-46a7-ac36-70bc7f1ddd6d", "CachingOptimizedForUncompressedObjects",
		"Policy with caching enabled, for objects that are not compressed.", ttls{1, day, year}, false, false,
		nil, "none", "none"),
	cachePolicy("2e54312d-136d-493c-8eb9-b001f22f67d2", "Amplify",
		"Policy for Amplify Origin", ttls{2, 2, 600}, true, true,
		[]string{"Authorization", "CloudFront-Viewer-Country", "Host"}, "all", "all"),
	cachePolicy("08627262-05a9-4f76-9ded-b50ca2e3a84f", "Elemental-MediaPackage",
		"Policy for Elemental MediaPackage Origin", ttls{0, day, year}, true, false,
		[]string{"Origin"}, "none", "whitelist", "aws.manifestfilter", "start", "end", "m"),
	cachePolicy("83da9c7e-98b4-4e11-a168-04f0df8e2c65", "UseOriginCacheControlHeaders",
		"Policy for origins that return Cache-Control headers. Query strings are not included in the cache key.",
		ttls{0, 0, year}, true, true, originControlHeaders, "all", "none"),
	cachePolicy("4cc15a8a-d715-48a4-82b8-cc0b614638fe", "UseOriginCacheControlHeaders-QueryStrings",
		"Policy for origins that return Cache-Control headers. Query strings are included in the cache key.",
		ttls{0, 0, year}, true, true, originControlHeaders, "all", "all"),
}

var originControlHeaders = []string{"Host", "Origin", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"}

func cachePolicy(id, name, comment string, t ttls, gzip, brotli bool, headers []string, cookies, query string, params ...string) ManagedCachePolicy {
	p := &wire.ParametersInCacheKeyAndForwardedToOrigin{
		EnableAcceptEncodingGzip:   wire.Ptr(gzip),
		EnableAcceptEncodingBrotli: wire.Ptr(brotli),
		HeadersConfig:              &wire.CachePolicyHeadersConfig{HeaderBehavior: wire.Ptr("none")},
		CookiesConfig:              &wire.CachePolicyCookiesConfig{CookieBehavior: wire.Ptr(cookies)},
		QueryStringsConfig:         &wire.CachePolicyQueryStringsConfig{QueryStringBehavior: wire.Ptr(query)},
	}
	if len(headers) > 0 {
		p.HeadersConfig = &wire.CachePolicyHeadersConfig{HeaderBehavior: wire.Ptr("whitelist"), Headers: headerList(headers)}
	}
	if len(params) > 0 {
		p.QueryStringsConfig.QueryStrings = &wire.QueryStringNames{Quantity: wire.Ptr(int64(len(params))), Items: params}
	}
	return ManagedCachePolicy{ID: id, LastModified: managedSince, Config: &wire.CachePolicyConfig{
		Name: wire.Ptr("Managed-" + name), Comment: wire.Ptr(comment),
		MinTTL: wire.Ptr(t[0]), DefaultTTL: wire.Ptr(t[1]), MaxTTL: wire.Ptr(t[2]),
		ParametersInCacheKeyAndForwardedToOrigin: p,
	}}
}

var managedRequest = []ManagedOriginRequestPolicy{
	requestPolicy("216adef6-5c7f-47e4-b989-5492eafa07d3", "AllViewer",
		"Policy to forward all parameters in viewer requests", "allViewer", nil, "all", "all"),
	requestPolicy("b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader",
		"Policy to forward all parameters in viewer requests except for the Host header", "allExcept", []string{"Host"}, "all", "all"),
	requestPolicy("33f36d7e-f396-46d9-90e0-52428a34d9dc", "AllViewerAndCloudFrontHeaders-2022-06",
		"Policy to forward all parameters in viewer requests and all CloudFront headers that were released through June 2022",
		"allViewerAndWhitelistCloudFront", cloudFront2022, "all", "all"),
	requestPolicy("59781a5b-3903-41f3-afcb-af62929ccde1", "CORS-CustomOrigin",
		"Policy for CORS with a custom origin", "whitelist", []string{"Origin"}, "none", "none"),
	requestPolicy("88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", "CORS-S3Origin",
		"Policy for S3 origin with CORS", "whitelist",
		[]string{"Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"}, "none", "none"),
	requestPolicy("775133bc-15f2-49f9-abea-afb2e0bf67d2", "Elemental-MediaTailor-PersonalizedManifests",
		"Policy for Elemental MediaTailor Personalized Manifests", "whitelist",
		[]string{"Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method", "User-Agent", "X-Forwarded-For"}, "none", "all"),
	requestPolicy("bf0718e1-ba1e-49d1-88b1-f726733018ae", "HostHeaderOnly",
		"Policy to forward the Host header only", "whitelist", []string{"Host"}, "none", "none"),
	requestPolicy("acba4595-bd28-49b8-b9fe-13317c0390fa", "UserAgentRefererHeaders",
		"Policy to forward user-agent and referer headers", "whitelist", []string{"User-Agent", "Referer"}, "none", "none"),
}

var cloudFront2022 = []string{
	"CloudFront-Forwarded-Proto", "CloudFront-Is-Android-Viewer", "CloudFront-Is-Desktop-Viewer", "CloudFront-Is-IOS-Viewer",
	"CloudFront-Is-Mobile-Viewer", "CloudFront-Is-SmartTV-Viewer", "CloudFront-Is-Tablet-Viewer", "CloudFront-Viewer-Address",
	"CloudFront-Viewer-ASN", "CloudFront-Viewer-City", "CloudFront-Viewer-Country", "CloudFront-Viewer-Country-Name",
	"CloudFront-Viewer-Country-Region", "CloudFront-Viewer-Country-Region-Name", "CloudFront-Viewer-Http-Version",
	"CloudFront-Viewer-Latitude", "CloudFront-Viewer-Longitude", "CloudFront-Viewer-Metro-Code", "CloudFront-Viewer-Postal-Code",
	"CloudFront-Viewer-Time-Zone", "CloudFront-Viewer-TLS",
}

func requestPolicy(id, name, comment, behavior string, headers []string, cookies, query string) ManagedOriginRequestPolicy {
	h := &wire.OriginRequestPolicyHeadersConfig{HeaderBehavior: wire.Ptr(behavior)}
	if len(headers) > 0 {
		h.Headers = headerList(headers)
	}
	return ManagedOriginRequestPolicy{ID: id, LastModified: managedSince, Config: &wire.OriginRequestPolicyConfig{
		Name: wire.Ptr("Managed-" + name), Comment: wire.Ptr(comment),
		HeadersConfig:      h,
		CookiesConfig:      &wire.OriginRequestPolicyCookiesConfig{CookieBehavior: wire.Ptr(cookies)},
		QueryStringsConfig: &wire.OriginRequestPolicyQueryStringsConfig{QueryStringBehavior: wire.Ptr(query)},
	}}
}

func headerList(names []string) *wire.Headers {
	return &wire.Headers{Quantity: wire.Ptr(int64(len(names))), Items: names}
}
