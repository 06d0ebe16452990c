package distribution

import (
	"slices"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

func TestValidate_Accepts(t *testing.T) {
	for name, c := range map[string]*wire.DistributionConfig{"minimal": minimal(), "rich": rich()} {
		if err := Validate(filled(c), Known{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// refusal is a change of rich() that makes it wrong, and the complaint about it.
type refusal struct {
	code, field string // the field is the end of the path
	change      func(c *wire.DistributionConfig)
}

var refusedOnTop = []refusal{
	{"InvalidArgument", "DistributionConfig.Enabled", func(c *wire.DistributionConfig) { c.Enabled = nil }},
	{"InvalidArgument", "DistributionConfig.Origins", func(c *wire.DistributionConfig) { c.Origins = nil }},
	{"InvalidArgument", "Origins.Items", func(c *wire.DistributionConfig) { c.Origins.Items, c.Origins.Quantity = nil, ptr(int64(0)) }},
	{"InvalidArgument", "Origins.Items[1].Id", func(c *wire.DistributionConfig) { c.Origins.Items[1].Id = nil }},
	{"InconsistentQuantities", "Aliases.Quantity", func(c *wire.DistributionConfig) { c.Aliases.Quantity = ptr(int64(3)) }},
	{"InconsistentQuantities", "Aliases.Quantity", func(c *wire.DistributionConfig) { c.Aliases.Items = nil }},
	{"InvalidArgument", "Aliases.Quantity", func(c *wire.DistributionConfig) { c.Aliases.Quantity = nil }},
	{"InconsistentQuantities", "CachedMethods.Quantity", func(c *wire.DistributionConfig) {
		c.DefaultCacheBehavior.AllowedMethods = &wire.AllowedMethods{Quantity: ptr(int64(2)), Items: []string{"GET", "HEAD"},
			CachedMethods: &wire.CachedMethods{Quantity: ptr(int64(1)), Items: []string{"GET", "HEAD"}}}
	}},
	{"InvalidArgument", "CallerReference", func(c *wire.DistributionConfig) { c.CallerReference = ptr("") }},
	{"NoSuchOrigin", "DefaultCacheBehavior.TargetOriginId", func(c *wire.DistributionConfig) { c.DefaultCacheBehavior.TargetOriginId = ptr("nope") }},
	{"NoSuchOrigin", "CacheBehaviors.Items[1].TargetOriginId", func(c *wire.DistributionConfig) { c.CacheBehaviors.Items[1].TargetOriginId = ptr("nope") }},
	{"InvalidArgument", "Origins", func(c *wire.DistributionConfig) {
		c.Origins.Items[1].Id = ptr("web")
		c.CacheBehaviors.Items = nil
		c.CacheBehaviors.Quantity = ptr(int64(0))
	}},
	{"InvalidArgument", "Comment", func(c *wire.DistributionConfig) { c.Comment = ptr(strings.Repeat("é", 129)) }},
	{"InvalidArgument", "PriceClass", func(c *wire.DistributionConfig) { c.PriceClass = ptr("PriceClass_7") }},
	{"InvalidArgument", "HttpVersion", func(c *wire.DistributionConfig) { c.HttpVersion = ptr("http9") }},
	{"InvalidDefaultRootObject", "DefaultRootObject", func(c *wire.DistributionConfig) { c.DefaultRootObject = ptr("/index.html") }},
	{"InvalidDefaultRootObject", "DefaultRootObject", func(c *wire.DistributionConfig) { c.DefaultRootObject = ptr("a b") }},
	{"InvalidDefaultRootObject", "DefaultRootObject", func(c *wire.DistributionConfig) { c.DefaultRootObject = ptr(strings.Repeat("a", 256)) }},
	{"InvalidArgument", "CacheTagConfig.HeaderName", func(c *wire.DistributionConfig) { c.CacheTagConfig.HeaderName = ptr("") }},
	{"InvalidArgument", "CacheTagConfig.HeaderName", func(c *wire.DistributionConfig) { c.CacheTagConfig.HeaderName = nil }},
	{"InvalidArgument", "Aliases.Items[1]", func(c *wire.DistributionConfig) { c.Aliases.Items[1] = "*.*.example.com" }},
	{"InvalidArgument", "Aliases.Items[0]", func(c *wire.DistributionConfig) { c.Aliases.Items[0] = "https://x.example.com" }},
	{"InvalidArgument", "Aliases.Items[0]", func(c *wire.DistributionConfig) { c.Aliases.Items[0] = "x.example.com:80" }},
	{"InvalidArgument", "Aliases", func(c *wire.DistributionConfig) { c.Aliases.Items[1] = "WWW.example.com" }},
	{"InvalidErrorCode", "CustomErrorResponses.Items[0].ErrorCode", func(c *wire.DistributionConfig) { c.CustomErrorResponses.Items[0].ErrorCode = ptr(int64(418)) }},
	{"InvalidArgument", "CustomErrorResponses", func(c *wire.DistributionConfig) { c.CustomErrorResponses.Items[0].ErrorCode = ptr(int64(500)) }},
	{"InvalidResponseCode", "CustomErrorResponses.Items[0].ResponseCode", func(c *wire.DistributionConfig) { c.CustomErrorResponses.Items[0].ResponseCode = ptr("201") }},
	{"InvalidResponseCode", "CustomErrorResponses.Items[0].ResponseCode", func(c *wire.DistributionConfig) { c.CustomErrorResponses.Items[0].ResponseCode = nil }},
	{"InvalidArgument", "CustomErrorResponses.Items[0].ResponsePagePath", func(c *wire.DistributionConfig) { c.CustomErrorResponses.Items[0].ResponsePagePath = nil }},
	{"InvalidArgument", "CustomErrorResponses.Items[0].ResponsePagePath", func(c *wire.DistributionConfig) { c.CustomErrorResponses.Items[0].ResponsePagePath = ptr("404.html") }},
	{"InvalidArgument", "CustomErrorResponses.Items[0].ErrorCachingMinTTL", func(c *wire.DistributionConfig) { c.CustomErrorResponses.Items[0].ErrorCachingMinTTL = ptr(int64(-1)) }},
}

var refusedOrigins = []refusal{
	{"InvalidOrigin", "Origins.Items[0].DomainName", func(c *wire.DistributionConfig) { c.Origins.Items[0].DomainName = ptr("http://example.com") }},
	{"InvalidOrigin", "Origins.Items[0].DomainName", func(c *wire.DistributionConfig) { c.Origins.Items[0].DomainName = ptr("example.com:8080") }},
	{"InvalidOrigin", "Origins.Items[0].DomainName", func(c *wire.DistributionConfig) { c.Origins.Items[0].DomainName = ptr("a..b") }},
	{"InvalidRelativePath", "Origins.Items[0].OriginPath", func(c *wire.DistributionConfig) { c.Origins.Items[0].OriginPath = ptr("v1") }},
	{"InvalidRelativePath", "Origins.Items[0].OriginPath", func(c *wire.DistributionConfig) { c.Origins.Items[0].OriginPath = ptr("/v1/") }},
	{"InvalidArgument", "OriginShieldRegion", shielded("eu-west-9")},
	{"InvalidArgument", "ConnectionAttempts", func(c *wire.DistributionConfig) { c.Origins.Items[0].ConnectionAttempts = ptr(int64(4)) }},
	{"InvalidArgument", "ConnectionTimeout", func(c *wire.DistributionConfig) { c.Origins.Items[0].ConnectionTimeout = ptr(int64(0)) }},
	{"InvalidArgument", "ResponseCompletionTimeout", func(c *wire.DistributionConfig) { c.Origins.Items[0].ResponseCompletionTimeout = ptr(int64(29)) }},
	{"InvalidOrigin", "Origins.Items[0]", func(c *wire.DistributionConfig) { c.Origins.Items[0].CustomOriginConfig = nil }},
	{"InvalidOrigin", "Origins.Items[0]", func(c *wire.DistributionConfig) { c.Origins.Items[0].S3OriginConfig = &wire.S3OriginConfig{} }},
	{"InvalidArgument", "HTTPPort", func(c *wire.DistributionConfig) { c.Origins.Items[0].CustomOriginConfig.HTTPPort = ptr(int64(81)) }},
	{"InvalidArgument", "OriginProtocolPolicy", func(c *wire.DistributionConfig) {
		c.Origins.Items[0].CustomOriginConfig.OriginProtocolPolicy = ptr("ftp")
	}},
	{"InvalidOriginReadTimeout", "OriginReadTimeout", func(c *wire.DistributionConfig) {
		c.Origins.Items[0].CustomOriginConfig.OriginReadTimeout = ptr(int64(121))
	}},
	{"InvalidOriginKeepaliveTimeout", "OriginKeepaliveTimeout", func(c *wire.DistributionConfig) {
		c.Origins.Items[0].CustomOriginConfig.OriginKeepaliveTimeout = ptr(int64(0))
	}},
	{"InvalidArgument", "OriginSslProtocols.Items[0]", func(c *wire.DistributionConfig) {
		c.Origins.Items[0].CustomOriginConfig.OriginSslProtocols = &wire.OriginSslProtocols{Quantity: ptr(int64(1)), Items: []string{"TLSv9"}}
	}},
	{"InvalidArgument", "OriginSslProtocols", func(c *wire.DistributionConfig) {
		c.Origins.Items[0].CustomOriginConfig.OriginSslProtocols = &wire.OriginSslProtocols{Quantity: ptr(int64(1)), Items: []string{"SSLv3"}}
	}},
	{"InvalidArgument", "CustomHeaders.Items[0].HeaderName", func(c *wire.DistributionConfig) { c.Origins.Items[1].CustomHeaders.Items[0].HeaderName = ptr("Host") }},
	{"InvalidArgument", "CustomHeaders.Items[0].HeaderName", func(c *wire.DistributionConfig) {
		c.Origins.Items[1].CustomHeaders.Items[0].HeaderName = ptr("x-amz-y")
	}},
	{"InvalidArgument", "CustomHeaders.Items[0].HeaderName", func(c *wire.DistributionConfig) { c.Origins.Items[1].CustomHeaders.Items[0].HeaderName = ptr("a b") }},
	{"InvalidArgument", "CustomHeaders.Items[0].HeaderValue", func(c *wire.DistributionConfig) {
		c.Origins.Items[1].CustomHeaders.Items[0].HeaderValue = ptr("a\r\nB: c")
	}},
	{"TooManyOriginCustomHeaders", "CustomHeaders", func(c *wire.DistributionConfig) {
		h := c.Origins.Items[1].CustomHeaders
		h.Items = nil
		for _, n := range many(31) {
			h.Items = append(h.Items, wire.OriginCustomHeader{HeaderName: ptr(n), HeaderValue: ptr("v")})
		}
		h.Quantity = ptr(int64(31))
	}},
}

var refusedBehaviors = []refusal{
	{"InvalidArgument", "CacheBehaviors.Items[0].PathPattern", func(c *wire.DistributionConfig) { c.CacheBehaviors.Items[0].PathPattern = ptr("/a b") }},
	{"InvalidArgument", "CacheBehaviors.Items[0].PathPattern", func(c *wire.DistributionConfig) { c.CacheBehaviors.Items[0].PathPattern = ptr("") }},
	{"InvalidArgument", "CacheBehaviors.Items[0].PathPattern", func(c *wire.DistributionConfig) {
		c.CacheBehaviors.Items[0].PathPattern = ptr(strings.Repeat("a", 256))
	}},
	{"InvalidArgument", "CacheBehaviors", func(c *wire.DistributionConfig) { c.CacheBehaviors.Items[0].PathPattern = ptr("/*.css") }},
	{"InvalidArgument", "ViewerProtocolPolicy", func(c *wire.DistributionConfig) { c.DefaultCacheBehavior.ViewerProtocolPolicy = ptr("never") }},
	{"InvalidArgument", "AllowedMethods", methods([]string{"GET"}, nil)},
	{"InvalidArgument", "AllowedMethods", methods([]string{"GET", "HEAD", "POST"}, nil)},
	{"InvalidArgument", "AllowedMethods", methods([]string{"GET", "GET"}, nil)},
	{"InvalidArgument", "AllowedMethods.Items[2]", methods([]string{"GET", "HEAD", "TRACE"}, nil)},
	{"InvalidArgument", "AllowedMethods.CachedMethods", methods([]string{"GET", "HEAD"}, []string{"GET", "HEAD", "OPTIONS"})},
	{"InvalidArgument", "AllowedMethods.CachedMethods", methods([]string{"GET", "HEAD"}, []string{"GET"})},
	{"NoSuchCachePolicy", "DefaultCacheBehavior.CachePolicyId", func(c *wire.DistributionConfig) { c.DefaultCacheBehavior.CachePolicyId = ptr("nope") }},
	{"NoSuchOriginRequestPolicy", "DefaultCacheBehavior.OriginRequestPolicyId", func(c *wire.DistributionConfig) { c.DefaultCacheBehavior.OriginRequestPolicyId = ptr("nope") }},
	{"InvalidArgument", "CacheBehaviors.Items[0].OriginRequestPolicyId", func(c *wire.DistributionConfig) { c.CacheBehaviors.Items[0].OriginRequestPolicyId = ptr(allViewer) }},
	{"InvalidArgument", "CacheBehaviors.Items[0].ForwardedValues", func(c *wire.DistributionConfig) { c.CacheBehaviors.Items[0].CachePolicyId = ptr(optimized) }},
	{"InvalidArgument", "DefaultCacheBehavior.MaxTTL", func(c *wire.DistributionConfig) { c.DefaultCacheBehavior.MaxTTL = ptr(int64(5)) }},
	{"InvalidArgument", "DefaultCacheBehavior", func(c *wire.DistributionConfig) { c.DefaultCacheBehavior.CachePolicyId = nil }},
	{"InvalidTTLOrder", "CacheBehaviors.Items[0].MinTTL", func(c *wire.DistributionConfig) {
		c.CacheBehaviors.Items[0].MinTTL, c.CacheBehaviors.Items[0].DefaultTTL = ptr(int64(2)), ptr(int64(1))
	}},
	{"InvalidTTLOrder", "CacheBehaviors.Items[0].DefaultTTL", func(c *wire.DistributionConfig) { c.CacheBehaviors.Items[0].MaxTTL = ptr(int64(60)) }},
	{"InvalidForwardCookies", "Cookies.Forward", legacy(func(v *wire.ForwardedValues) { v.Cookies.Forward = ptr("some") })},
	{"InvalidForwardCookies", "Cookies.WhitelistedNames", legacy(func(v *wire.ForwardedValues) { v.Cookies.WhitelistedNames = nil })},
	{"TooManyCookieNamesInWhiteList", "Cookies.WhitelistedNames", legacy(func(v *wire.ForwardedValues) {
		v.Cookies.WhitelistedNames = &wire.CookieNames{Quantity: ptr(int64(11)), Items: many(11)}
	})},
	{"TooManyHeadersInForwardedValues", "Headers", legacy(func(v *wire.ForwardedValues) { v.Headers = names1(many(11)...) })},
	{"InvalidArgument", "Headers", legacy(func(v *wire.ForwardedValues) { v.Headers = names1("*", "Accept") })},
	{"InvalidArgument", "Headers.Items[0]", legacy(func(v *wire.ForwardedValues) { v.Headers = names1("Cookie") })},
	{"InvalidArgument", "Headers.Items[0]", legacy(func(v *wire.ForwardedValues) { v.Headers = names1("If-None-Match") })},
	{"InvalidArgument", "CacheBehaviors.Items[0].MinTTL", func(c *wire.DistributionConfig) {
		c.CacheBehaviors.Items[0].ForwardedValues.Headers, c.CacheBehaviors.Items[0].MinTTL = names1("*"), ptr(int64(1))
	}},
	{"InvalidHeadersForS3Origin", "Headers", func(c *wire.DistributionConfig) {
		c.CacheBehaviors.Items[0].TargetOriginId, c.CacheBehaviors.Items[0].ForwardedValues.Headers = ptr("bucket"), names1("host")
	}},
	{"InvalidQueryStringParameters", "QueryStringCacheKeys", legacy(func(v *wire.ForwardedValues) { v.QueryString = ptr(false) })},
	{"InvalidQueryStringParameters", "QueryStringCacheKeys.Items[0]", legacy(func(v *wire.ForwardedValues) { v.QueryStringCacheKeys.Items[0] = "a=b" })},
	{"TooManyQueryStringParameters", "QueryStringCacheKeys", legacy(func(v *wire.ForwardedValues) {
		v.QueryStringCacheKeys = &wire.QueryStringCacheKeys{Quantity: ptr(int64(11)), Items: many(11)}
	})},
	{"InvalidViewerCertificate", "ViewerCertificate.ACMCertificateArn", certificate(func(v *wire.ViewerCertificate) { v.ACMCertificateArn = ptr("x") })},
	{"InvalidViewerCertificate", "ViewerCertificate.IAMCertificateId", certificate(func(v *wire.ViewerCertificate) { v.IAMCertificateId = ptr("x") })},
	{"InvalidViewerCertificate", "ViewerCertificate.CloudFrontDefaultCertificate", certificate(func(v *wire.ViewerCertificate) { v.CloudFrontDefaultCertificate = ptr(true) })},
	{"InvalidViewerCertificate", "ViewerCertificate.CloudFrontDefaultCertificate", certificate(func(v *wire.ViewerCertificate) {
		*v = wire.ViewerCertificate{CloudFrontDefaultCertificate: ptr(false)}
	})},
	{"InvalidViewerCertificate", "ViewerCertificate.Certificate", certificate(func(v *wire.ViewerCertificate) { *v = wire.ViewerCertificate{Certificate: ptr("x")} })},
	{"InvalidViewerCertificate", "ViewerCertificate.CertificateSource", certificate(func(v *wire.ViewerCertificate) { *v = wire.ViewerCertificate{CertificateSource: ptr("acm")} })},
	{"InvalidViewerCertificate", "ViewerCertificate.SSLSupportMethod", certificate(func(v *wire.ViewerCertificate) { v.SSLSupportMethod = nil })},
	{"InvalidViewerCertificate", "ViewerCertificate.SSLSupportMethod", certificate(func(v *wire.ViewerCertificate) { v.SSLSupportMethod = ptr("vip") })},
	{"InvalidArgument", "ViewerCertificate.MinimumProtocolVersion", certificate(func(v *wire.ViewerCertificate) { v.MinimumProtocolVersion = ptr("TLSv9") })},
	{"InvalidGeoRestrictionParameter", "GeoRestriction.Items", func(c *wire.DistributionConfig) {
		c.Restrictions = &wire.Restrictions{GeoRestriction: &wire.GeoRestriction{RestrictionType: ptr("none"), Quantity: ptr(int64(1)), Items: []string{"DE"}}}
	}},
}

// certificate changes a certificate of one's own.
func certificate(f func(*wire.ViewerCertificate)) func(*wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) {
		c.ViewerCertificate = byACM("TLSv1.2_2021")
		f(c.ViewerCertificate)
	}
}

// many returns n different names.
func many(n int) []string {
	l := make([]string, n)
	for i := range l {
		l[i] = "n" + strings.Repeat("x", i)
	}
	return l
}

func legacy(f func(v *wire.ForwardedValues)) func(c *wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) { f(c.CacheBehaviors.Items[0].ForwardedValues) }
}

func TestValidate_Refuses(t *testing.T) {
	refuses(t, slices.Concat(refusedOnTop, refusedOrigins, refusedBehaviors))
}

func refuses(t *testing.T, all []refusal) {
	t.Helper()
	for _, x := range all {
		c := rich()
		x.change(c)
		err := Validate(filled(c), Known{})
		if err == nil {
			t.Errorf("%s %s: accepted", x.code, x.field)
			continue
		}
		e := asError(t, err)
		if e.Code != x.code || !strings.HasSuffix(e.Field, x.field) {
			t.Errorf("want %s at %s, got %s at %s: %s", x.code, x.field, e.Code, e.Field, e.Message)
		}
		if !strings.Contains(e.Message, e.Field) {
			t.Errorf("the message does not name %s: %s", e.Field, e.Message)
		}
	}
}

func methods(allowed, cached []string) func(c *wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) {
		m := &wire.AllowedMethods{Quantity: ptr(int64(len(allowed))), Items: allowed}
		if cached != nil {
			m.CachedMethods = &wire.CachedMethods{Quantity: ptr(int64(len(cached))), Items: cached}
		}
		c.DefaultCacheBehavior.AllowedMethods = m
	}
}

func TestValidate_TooMany(t *testing.T) {
	c := rich()
	for len(c.Aliases.Items) <= maxAliases {
		c.Aliases.Items = append(c.Aliases.Items, strings.Repeat("a", len(c.Aliases.Items)/60+1)+strings.Repeat("b", len(c.Aliases.Items)%60+1)+".example.com")
	}
	c.Aliases.Quantity = ptr(int64(len(c.Aliases.Items)))
	if e := asError(t, Validate(filled(c), Known{})); e.Code != "TooManyDistributionCNAMEs" {
		t.Error(e)
	}
	c = rich()
	for len(c.CacheBehaviors.Items) <= maxCacheBehaviors {
		c.CacheBehaviors.Items = append(c.CacheBehaviors.Items, c.CacheBehaviors.Items[1])
	}
	c.CacheBehaviors.Quantity = ptr(int64(len(c.CacheBehaviors.Items)))
	if e := asError(t, Validate(filled(c), Known{})); e.Code != "TooManyCacheBehaviors" {
		t.Error(e)
	}
}

func TestValidate_CustomPoliciesAreKnown(t *testing.T) {
	c := minimal()
	c.DefaultCacheBehavior.CachePolicyId, c.DefaultCacheBehavior.OriginRequestPolicyId = ptr("mine"), ptr("mine too")
	known := Known{CachePolicy: func(id string) bool { return id == "mine" }, OriginRequestPolicy: func(id string) bool { return id == "mine too" }}
	if err := Validate(filled(c), known); err != nil {
		t.Error(err)
	}
	if _, err := Compile(Source{Config: c}); err == nil || asError(t, err).Code != "NoSuchCachePolicy" {
		t.Errorf("compiled without its policy: %v", err)
	}
}

func TestValidate_OriginsMayBeAddresses(t *testing.T) {
	for _, name := range []string{"127.0.0.1", "::1", "localhost", "my_bucket.s3.amazonaws.com", "xn--bcher-kva.example"} {
		c := minimal()
		c.Origins.Items[0].DomainName = &name
		if err := Validate(filled(c), Known{}); err != nil {
			t.Error(err)
		}
		host := compiled(t, c).Behaviors[0].Forward(&Distribution{}, request("GET /")).Host
		if want := strings.Replace(name, "::1", "[::1]", 1); host != want {
			t.Errorf("%s: Host %s", name, host)
		}
	}
}

func TestValidateTags(t *testing.T) {
	many := map[string]string{}
	for i := range 51 {
		many[strings.Repeat("k", i+1)] = ""
	}
	for _, c := range []struct {
		tags map[string]string
		want string // a part of the message; "" accepts
	}{
		{nil, ""},
		{map[string]string{"Name": "my site", "Größe": "1_.:/=+-@", "empty": ""}, ""},
		{map[string]string{"warmfront:wildcards": "aws"}, ""},
		{map[string]string{"warmfront:wildcards": "anywhere"}, ""},
		{map[string]string{"warmfront:wildcards": "AWS"}, "anywhere, aws"},
		{map[string]string{"warmfront:wildcard": "aws"}, `no switch "warmfront:wildcard"`},
		{map[string]string{"Warmfront:wildcards": "aws"}, `no switch "Warmfront:wildcards"`},
		{map[string]string{"aws:x": ""}, "reserved"},
		{map[string]string{"AWS:x": ""}, "reserved"},
		{map[string]string{"": "x"}, "0 characters"},
		{map[string]string{strings.Repeat("k", 129): ""}, "129 characters"},
		{map[string]string{"k": strings.Repeat("v", 257)}, "longer than 256"},
		{map[string]string{"k": "a\nb"}, "a character other than"},
		{map[string]string{"a*": ""}, "a character other than"},
		{map[string]string{"k": "\xff"}, "a character other than"},
		{many, "50 tags"},
	} {
		err := ValidateTags(c.tags)
		if c.want == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%v: accepted", c.tags)
			continue
		}
		if e := asError(t, err); e.Code != "InvalidTagging" || !strings.Contains(e.Message, c.want) {
			t.Errorf("%v: %v", c.tags, e)
		}
	}
	if d := compiledFrom(t, Source{Config: minimal(), Tags: map[string]string{TagWildcards: WildcardsAWS}}); !d.AWSWildcards {
		t.Error("the switch has no effect")
	}
	if compiled(t, minimal()).AWSWildcards {
		t.Error("the switch is on by itself")
	}
}
