package distribution

import (
	"reflect"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

func TestManagedPolicies_AreCompleteAndValid(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range ManagedCachePolicies() {
		name, ok := strings.CutPrefix(*p.Config.Name, "Managed-")
		if !ok || len(p.ID) != 36 || seen[p.ID] || p.LastModified.IsZero() {
			t.Errorf("%s %s", p.ID, *p.Config.Name)
		}
		seen[p.ID] = true
		c := clone(t, p.Config)
		FillCachePolicyDefaults(c)
		if !reflect.DeepEqual(c, p.Config) {
			t.Errorf("%s lacks defaults", name)
		}
		c.Name = &name // only the name is reserved
		if err := ValidateCachePolicy(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, p := range ManagedOriginRequestPolicies() {
		name, ok := strings.CutPrefix(*p.Config.Name, "Managed-")
		if !ok || len(p.ID) != 36 || seen[p.ID] || p.LastModified.IsZero() {
			t.Errorf("%s %s", p.ID, *p.Config.Name)
		}
		seen[p.ID] = true
		c := clone(t, p.Config)
		c.Name = &name
		err := ValidateOriginRequestPolicy(c)
		if tooMany := name == "AllViewerAndCloudFrontHeaders-2022-06"; tooMany != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(seen) != 15 {
		t.Errorf("%d managed policies", len(seen))
	}
}

func TestManagedPolicies_AllCombinationsCompile(t *testing.T) {
	for _, cp := range ManagedCachePolicies() {
		for _, rp := range ManagedOriginRequestPolicies() {
			d := withManaged(t, cp.ID, rp.ID)
			d.Behaviors[0].Forward(d, everything("GET /a?b=c"))
			if key(d, request("GET /a")) == key(d, request("GET /b")) {
				t.Errorf("%s with %s", *cp.Config.Name, *rp.Config.Name)
			}
		}
	}
}

func TestFillCachePolicyDefaults(t *testing.T) {
	c := &wire.CachePolicyConfig{Name: ptr("p"), MinTTL: ptr(int64(100000))}
	FillCachePolicyDefaults(c)
	p := c.ParametersInCacheKeyAndForwardedToOrigin
	if *c.DefaultTTL != 100000 || *c.MaxTTL != 31536000 || *p.EnableAcceptEncodingGzip || *p.EnableAcceptEncodingBrotli ||
		*p.HeadersConfig.HeaderBehavior != "none" || *p.CookiesConfig.CookieBehavior != "none" || *p.QueryStringsConfig.QueryStringBehavior != "none" {
		t.Errorf("%+v %+v", c, p)
	}
	p.HeadersConfig.Headers = &wire.Headers{Quantity: ptr(int64(0))}
	once := clone(t, c)
	FillCachePolicyDefaults(c)
	if once.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig.Headers = nil; !reflect.DeepEqual(c, once) {
		t.Error("an empty list of names came back")
	}
	if err := ValidateCachePolicy(c); err != nil {
		t.Error(err)
	}
}

func TestValidateCachePolicy_Refuses(t *testing.T) {
	eleven := strings.Join([]string{"n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10", "n11"}, " ")
	with := func(c *wire.CachePolicyConfig, f func(c *wire.CachePolicyConfig)) *wire.CachePolicyConfig {
		f(c)
		return c
	}
	plain := func() *wire.CachePolicyConfig { return cacheBy("", "", "", false, false) }
	for _, x := range []struct {
		code, field string
		c           *wire.CachePolicyConfig
	}{
		{"InvalidArgument", "CachePolicyConfig.Name", with(plain(), func(c *wire.CachePolicyConfig) { c.Name = nil })},
		{"InvalidArgument", "CachePolicyConfig.Name", with(plain(), func(c *wire.CachePolicyConfig) { c.Name = ptr("a b") })},
		{"InvalidArgument", "CachePolicyConfig.Name", with(plain(), func(c *wire.CachePolicyConfig) { c.Name = ptr("Managed-Mine") })},
		{"InvalidArgument", "CachePolicyConfig.MinTTL", with(plain(), func(c *wire.CachePolicyConfig) { c.MinTTL = nil })},
		{"InvalidArgument", "CachePolicyConfig.MinTTL", with(plain(), func(c *wire.CachePolicyConfig) { c.MinTTL = ptr(int64(-1)) })},
		{"InvalidArgument", "CachePolicyConfig.DefaultTTL", with(plain(), func(c *wire.CachePolicyConfig) { c.MaxTTL = ptr(int64(1)) })},
		{"InvalidArgument", "CachePolicyConfig.Comment", with(plain(), func(c *wire.CachePolicyConfig) { c.Comment = ptr(strings.Repeat("x", 129)) })},
		{"InvalidArgument", "HeadersConfig", with(plain(), func(c *wire.CachePolicyConfig) { c.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig = nil })},
		{"InvalidArgument", "HeaderBehavior", with(plain(), func(c *wire.CachePolicyConfig) {
			c.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig.HeaderBehavior = ptr("all")
		})},
		{"InvalidArgument", "HeadersConfig.Headers", with(plain(), func(c *wire.CachePolicyConfig) {
			c.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig.Headers = names1("Accept")
		})},
		{"InvalidArgument", "HeadersConfig.Headers", with(cacheBy("Accept", "", "", false, false), func(c *wire.CachePolicyConfig) {
			c.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig.Headers = nil
		})},
		{"InconsistentQuantities", "Headers.Quantity", with(cacheBy("Accept", "", "", false, false), func(c *wire.CachePolicyConfig) {
			c.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig.Headers.Quantity = ptr(int64(2))
		})},
		{"TooManyHeadersInCachePolicy", "HeadersConfig.Headers", cacheBy(eleven, "", "", false, false)},
		{"TooManyCookiesInCachePolicy", "CookiesConfig.Cookies", cacheBy("", "-"+eleven, "", false, false)},
		{"TooManyQueryStringsInCachePolicy", "QueryStringsConfig.QueryStrings", cacheBy("", "", eleven, false, false)},
		{"InvalidArgument", "QueryStringsConfig.QueryStrings", cacheBy("", "", strings.Repeat("x", 1025), false, false)},
		{"InvalidArgument", "Headers.Items[0]", cacheBy("Cookie", "", "", false, false)},
		{"InvalidArgument", "Headers.Items[0]", cacheBy("Range", "", "", false, false)},
		{"InvalidArgument", "Headers.Items[0]", cacheBy("Accept-Encoding", "", "", true, false)},
		{"InvalidArgument", "Headers.Items[1]", cacheBy("Accept CloudFront-Viewer-Address", "", "", false, false)},
		{"InvalidArgument", "Headers.Items[0]", cacheBy("CloudFront-Nonsense", "", "", false, false)},
		{"InvalidArgument", "HeadersConfig.Headers", cacheBy("Accept accept", "", "", false, false)},
		{"InvalidArgument", "Cookies.Items[0]", cacheBy("", "$a", "", false, false)},
		{"InvalidArgument", "QueryStrings.Items[0]", cacheBy("", "", "a&b", false, false)},
		{"InvalidArgument", "CookiesConfig.CookieBehavior", with(cacheBy("", "all", "", false, false), func(c *wire.CachePolicyConfig) { c.DefaultTTL, c.MaxTTL = ptr(int64(0)), ptr(int64(0)) })},
		{"InvalidArgument", "EnableAcceptEncodingBrotli", with(cacheBy("", "", "", false, true), func(c *wire.CachePolicyConfig) { c.DefaultTTL, c.MaxTTL = ptr(int64(0)), ptr(int64(0)) })},
	} {
		FillCachePolicyDefaults(x.c)
		err := ValidateCachePolicy(x.c)
		if err == nil {
			t.Errorf("%s %s: accepted", x.code, x.field)
			continue
		}
		if e := asError(t, err); e.Code != x.code || !strings.HasSuffix(e.Field, x.field) {
			t.Errorf("want %s at %s, got %v at %s", x.code, x.field, e, e.Field)
		}
	}
	if err := ValidateCachePolicy(filledPolicy(cacheBy("Accept-Encoding Authorization CloudFront-Viewer-Country", "a", "-b", false, false))); err != nil {
		t.Error(err)
	}
}

func filledPolicy(c *wire.CachePolicyConfig) *wire.CachePolicyConfig {
	FillCachePolicyDefaults(c)
	return c
}

func TestValidateOriginRequestPolicy_Refuses(t *testing.T) {
	for _, x := range []struct {
		code, field string
		c           *wire.OriginRequestPolicyConfig
	}{
		{"InvalidArgument", "Headers.Items[0]", requestBy("Authorization", "", "")},
		{"InvalidArgument", "Headers.Items[0]", requestBy("Connection", "", "")},
		{"InvalidArgument", "Headers.Items[0]", requestBy("cf Accept", "", "")},
		{"InvalidArgument", "Headers.Items[0]", requestBy("cf CloudFront-X", "", "")},
		{"TooManyHeadersInOriginRequestPolicy", "HeadersConfig.Headers", requestBy("a b c d e f g h i j k", "", "")},
		{"TooManyCookiesInOriginRequestPolicy", "CookiesConfig.Cookies", requestBy("", "a b c d e f g h i j k", "")},
		{"TooManyQueryStringsInOriginRequestPolicy", "QueryStringsConfig.QueryStrings", requestBy("", "", "-a b c d e f g h i j k")},
	} {
		FillOriginRequestPolicyDefaults(x.c)
		err := ValidateOriginRequestPolicy(x.c)
		if err == nil {
			t.Errorf("%s %s: accepted", x.code, x.field)
			continue
		}
		if e := asError(t, err); e.Code != x.code || !strings.HasSuffix(e.Field, x.field) {
			t.Errorf("want %s at %s, got %v at %s", x.code, x.field, e, e.Field)
		}
	}
	for _, ok := range []*wire.OriginRequestPolicyConfig{requestBy("-Authorization Host", "all", "all"), requestBy("CloudFront-Viewer-Address X-A", "a", "-b"), requestBy("allViewer", "", "")} {
		FillOriginRequestPolicyDefaults(ok)
		if err := ValidateOriginRequestPolicy(ok); err != nil {
			t.Error(err)
		}
	}
}
