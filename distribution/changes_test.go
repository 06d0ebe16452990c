package distribution

import "github.com/warmfront/warmfront/cloudfront/wire"

// changes gives every compiled field of a distribution another valid value. Numbers in brackets
// choose the element of rich(): behavior 0 has the legacy settings, 1 has policies.
var changes = map[string]func(c *wire.DistributionConfig){
	"Enabled":         func(c *wire.DistributionConfig) { c.Enabled = ptr(false) },
	"HttpVersion":     func(c *wire.DistributionConfig) { c.HttpVersion = ptr("http2and3") },
	"Aliases.Items[]": func(c *wire.DistributionConfig) { c.Aliases.Items[0] = "other.example.com" },
	"ViewerCertificate.MinimumProtocolVersion": func(c *wire.DistributionConfig) {
		c.ViewerCertificate = byACM("TLSv1.2_2021")
	},
	"DefaultRootObject":                               func(c *wire.DistributionConfig) { c.DefaultRootObject = ptr("home.html") },
	"CacheTagConfig.HeaderName":                       func(c *wire.DistributionConfig) { c.CacheTagConfig.HeaderName = ptr("X-Tags") },
	"Origins.Items[].Id":                              func(c *wire.DistributionConfig) { renameOrigin(c) },
	"Origins.Items[].DomainName":                      func(c *wire.DistributionConfig) { c.Origins.Items[0].DomainName = ptr("127.0.0.1") },
	"Origins.Items[].OriginPath":                      func(c *wire.DistributionConfig) { c.Origins.Items[0].OriginPath = ptr("/x") },
	"Origins.Items[].ConnectionAttempts":              func(c *wire.DistributionConfig) { c.Origins.Items[0].ConnectionAttempts = ptr(int64(1)) },
	"Origins.Items[].ConnectionTimeout":               func(c *wire.DistributionConfig) { c.Origins.Items[0].ConnectionTimeout = ptr(int64(1)) },
	"Origins.Items[].OriginShield.Enabled":            shielded("eu-central-1"),
	"Origins.Items[].OriginShield.OriginShieldRegion": shielded("eu-west-1"),
	"Origins.Items[].ResponseCompletionTimeout": func(c *wire.DistributionConfig) {
		c.Origins.Items[0].ResponseCompletionTimeout = ptr(int64(60))
	},
	"Origins.Items[].CustomHeaders.Items[].HeaderName": func(c *wire.DistributionConfig) {
		c.Origins.Items[1].CustomHeaders.Items[0].HeaderName = ptr("X-Other")
	},
	"Origins.Items[].CustomHeaders.Items[].HeaderValue": func(c *wire.DistributionConfig) {
		c.Origins.Items[1].CustomHeaders.Items[0].HeaderValue = ptr("other")
	},
	"Origins.Items[].S3OriginConfig.OriginReadTimeout": func(c *wire.DistributionConfig) {
		c.Origins.Items[1].S3OriginConfig.OriginReadTimeout = ptr(int64(7))
	},
	"Origins.Items[].CustomOriginConfig.HTTPPort":             custom(func(x *wire.CustomOriginConfig) { x.HTTPPort = ptr(int64(8080)) }),
	"Origins.Items[].CustomOriginConfig.HTTPSPort":            custom(func(x *wire.CustomOriginConfig) { x.HTTPSPort = ptr(int64(8443)) }),
	"Origins.Items[].CustomOriginConfig.OriginProtocolPolicy": custom(func(x *wire.CustomOriginConfig) { x.OriginProtocolPolicy = ptr("https-only") }),
	"Origins.Items[].CustomOriginConfig.OriginSslProtocols.Items[]": custom(func(x *wire.CustomOriginConfig) {
		x.OriginSslProtocols = &wire.OriginSslProtocols{Quantity: ptr(int64(1)), Items: []string{"TLSv1.2"}}
	}),
	"Origins.Items[].CustomOriginConfig.OriginReadTimeout":      custom(func(x *wire.CustomOriginConfig) { x.OriginReadTimeout = ptr(int64(7)) }),
	"Origins.Items[].CustomOriginConfig.OriginKeepaliveTimeout": custom(func(x *wire.CustomOriginConfig) { x.OriginKeepaliveTimeout = ptr(int64(7)) }),
	"Origins.Items[].CustomOriginConfig.IpAddressType":          custom(func(x *wire.CustomOriginConfig) { x.IpAddressType = ptr("dualstack") }),
	"OriginGroups.Items[].Id":                                   func(c *wire.DistributionConfig) { c.OriginGroups.Items[0].Id = ptr("other") },
	"OriginGroups.Items[].FailoverCriteria.StatusCodes.Items[]": func(c *wire.DistributionConfig) {
		c.OriginGroups.Items[0].FailoverCriteria.StatusCodes.Items[0] = 404
	},
	"OriginGroups.Items[].Members.Items[].OriginId": func(c *wire.DistributionConfig) {
		c.OriginGroups.Items[0] = grouped("both", "bucket", "web", 500, 503)
	},
	"CustomErrorResponses.Items[].ErrorCode":          errorPage(func(r *wire.CustomErrorResponse) { r.ErrorCode = ptr(int64(403)) }),
	"CustomErrorResponses.Items[].ResponsePagePath":   errorPage(func(r *wire.CustomErrorResponse) { r.ResponsePagePath = ptr("/other.html") }),
	"CustomErrorResponses.Items[].ResponseCode":       errorPage(func(r *wire.CustomErrorResponse) { r.ResponseCode = ptr("503") }),
	"CustomErrorResponses.Items[].ErrorCachingMinTTL": errorPage(func(r *wire.CustomErrorResponse) { r.ErrorCachingMinTTL = ptr(int64(0)) }),
	"Behavior.PathPattern":                            behaviorAt(0, func(b *wire.CacheBehavior) { b.PathPattern = ptr("/other/*") }),
	"Behavior.TargetOriginId":                         behaviorAt(0, func(b *wire.CacheBehavior) { b.TargetOriginId = ptr("bucket") }),
	"Behavior.ViewerProtocolPolicy":                   behaviorAt(0, func(b *wire.CacheBehavior) { b.ViewerProtocolPolicy = ptr("https-only") }),
	"Behavior.Compress":                               behaviorAt(0, func(b *wire.CacheBehavior) { b.Compress = ptr(true) }),
	"Behavior.AllowedMethods.Items[]": behaviorAt(0, func(b *wire.CacheBehavior) {
		b.AllowedMethods.Quantity, b.AllowedMethods.Items = ptr(int64(3)), []string{"GET", "HEAD", "OPTIONS"}
	}),
	"Behavior.AllowedMethods.CachedMethods.Items[]": behaviorAt(0, func(b *wire.CacheBehavior) {
		three := []string{"GET", "HEAD", "OPTIONS"}
		b.AllowedMethods = &wire.AllowedMethods{Quantity: ptr(int64(3)), Items: three,
			CachedMethods: &wire.CachedMethods{Quantity: ptr(int64(3)), Items: three}}
	}),
	"Behavior.CachePolicyId":         behaviorAt(1, func(b *wire.CacheBehavior) { b.CachePolicyId = ptr(disabled) }),
	"Behavior.OriginRequestPolicyId": behaviorAt(1, func(b *wire.CacheBehavior) { b.OriginRequestPolicyId = nil }),
	"Behavior.MinTTL":                behaviorAt(0, func(b *wire.CacheBehavior) { b.MinTTL = ptr(int64(5)) }),
	"Behavior.DefaultTTL":            behaviorAt(0, func(b *wire.CacheBehavior) { b.DefaultTTL = ptr(int64(5)) }),
	"Behavior.MaxTTL":                behaviorAt(0, func(b *wire.CacheBehavior) { b.MaxTTL = ptr(int64(100000)) }),
	"Behavior.ForwardedValues.QueryString": behaviorAt(0, func(b *wire.CacheBehavior) {
		b.ForwardedValues.QueryString, b.ForwardedValues.QueryStringCacheKeys = ptr(false), nil
	}),
	"Behavior.ForwardedValues.Cookies.Forward": behaviorAt(0, func(b *wire.CacheBehavior) {
		b.ForwardedValues.Cookies = &wire.CookiePreference{Forward: ptr("all")}
	}),
	"Behavior.ForwardedValues.Cookies.WhitelistedNames.Items[]": behaviorAt(0, func(b *wire.CacheBehavior) {
		b.ForwardedValues.Cookies.WhitelistedNames.Items[0] = "other"
	}),
	"Behavior.ForwardedValues.Headers.Items[]":              behaviorAt(0, func(b *wire.CacheBehavior) { b.ForwardedValues.Headers.Items[0] = "X-Other" }),
	"Behavior.ForwardedValues.QueryStringCacheKeys.Items[]": behaviorAt(0, func(b *wire.CacheBehavior) { b.ForwardedValues.QueryStringCacheKeys.Items[0] = "other" }),
}

func renameOrigin(c *wire.DistributionConfig) {
	c.Origins.Items[1].Id, c.CacheBehaviors.Items[1].TargetOriginId = ptr("renamed"), ptr("renamed")
	c.OriginGroups.Items[0] = grouped("both", "web", "renamed", 500, 503)
}

func custom(f func(*wire.CustomOriginConfig)) func(*wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) { f(c.Origins.Items[0].CustomOriginConfig) }
}

func errorPage(f func(*wire.CustomErrorResponse)) func(*wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) { f(&c.CustomErrorResponses.Items[0]) }
}

func behaviorAt(i int, f func(*wire.CacheBehavior)) func(*wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) { f(&c.CacheBehaviors.Items[i]) }
}

func shielded(region string) func(c *wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) {
		c.Origins.Items[0].OriginShield = &wire.OriginShield{Enabled: ptr(true), OriginShieldRegion: ptr(region)}
	}
}
