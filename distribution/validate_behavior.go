package distribution

import (
	"slices"
	"strings"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// maxNames is how many headers, cookies or query parameters one list may have.
const maxNames = 10

func (v *checker) behavior(b *wire.CacheBehavior, c *wire.DistributionConfig, known Known, path string) {
	v.oneOf(b.ViewerProtocolPolicy, wire.ViewerProtocolPolicyValues, path+".ViewerProtocolPolicy")
	v.methods(b.AllowedMethods, path+".AllowedMethods")
	v.must(groupTarget(b, c) == nil || Methods(b.AllowedMethods.Items...)&^failoverMethods == 0, "InvalidArgument", path+".AllowedMethods",
		"The parameter AllowedMethods cannot include POST, PUT, PATCH, or DELETE for a cached behavior associated with an origin group")
	v.refuseBehavior(b, path)
	if id := b.OriginRequestPolicyId; id != nil && v.err == nil {
		if !known.hasOriginRequestPolicy(*id) {
			v.err = noSuchOriginRequestPolicy(path+".OriginRequestPolicyId", *id)
		}
		v.must(b.CachePolicyId != nil, "InvalidArgument", path+".OriginRequestPolicyId",
			"it cannot be used with ForwardedValues: use a CachePolicyId")
	}
	if b.CachePolicyId == nil {
		v.legacy(b, s3Target(b, c), path)
		return
	}
	if !known.hasCachePolicy(*b.CachePolicyId) && v.err == nil {
		v.err = noSuchCachePolicy(path+".CachePolicyId", *b.CachePolicyId)
	}
	beside := "it cannot be used when a cache policy is associated to the cache behavior: remove it, or CachePolicyId"
	v.must(b.ForwardedValues == nil, "InvalidArgument", path+".ForwardedValues", "%s", beside)
	v.must(b.MinTTL == nil, "InvalidArgument", path+".MinTTL", "%s", beside)
	v.must(b.DefaultTTL == nil, "InvalidArgument", path+".DefaultTTL", "%s", beside)
	v.must(b.MaxTTL == nil, "InvalidArgument", path+".MaxTTL", "%s", beside)
}

func (v *checker) methods(m *wire.AllowedMethods, path string) {
	two, three := Methods("GET", "HEAD"), Methods("GET", "HEAD", "OPTIONS")
	all := Methods(methodBits[:]...)
	for i, name := range m.Items {
		v.oneOf(&name, wire.MethodValues, item(path, i))
	}
	for i, name := range m.CachedMethods.Items {
		v.oneOf(&name, wire.MethodValues, item(path+".CachedMethods", i))
	}
	v.distinct(m.Items, false, path)
	v.distinct(m.CachedMethods.Items, false, path+".CachedMethods")
	allowed, cached := Methods(m.Items...), Methods(m.CachedMethods.Items...)
	v.must(allowed == two || allowed == three || allowed == all, "InvalidArgument", path,
		"list GET and HEAD; or GET, HEAD and OPTIONS; or all of %s", strings.Join(methodBits[:], ", "))
	v.must(cached == two || cached == three, "InvalidArgument", path+".CachedMethods", "list GET and HEAD; or GET, HEAD and OPTIONS")
	v.must(cached&^allowed == 0, "InvalidArgument", path+".CachedMethods", "OPTIONS is cached but not allowed: allow it")
}

// refuseBehavior names every feature of a behavior that the edge does not have.
func (v *checker) refuseBehavior(b *wire.CacheBehavior, path string) {
	const arg = "InvalidArgument"
	v.refuse(*b.TrustedSigners.Enabled || len(b.TrustedSigners.Items) > 0, arg, path+".TrustedSigners", "set Enabled to false and Quantity to 0")
	v.refuse(*b.TrustedKeyGroups.Enabled || len(b.TrustedKeyGroups.Items) > 0, arg, path+".TrustedKeyGroups", "set Enabled to false and Quantity to 0")
	v.refuse(*b.SmoothStreaming, arg, path+".SmoothStreaming", "set it to false")
	v.refuse(len(b.LambdaFunctionAssociations.Items) > 0, "InvalidLambdaFunctionAssociation", path+".LambdaFunctionAssociations", "set Quantity to 0")
	v.refuse(len(b.FunctionAssociations.Items) > 0, "InvalidFunctionAssociation", path+".FunctionAssociations", "set Quantity to 0")
	v.refuse(*b.FieldLevelEncryptionId != "", arg, path+".FieldLevelEncryptionId", "leave it empty")
	v.refuse(b.RealtimeLogConfigArn != nil, arg, path+".RealtimeLogConfigArn", "remove it")
	v.refuse(b.ResponseHeadersPolicyId != nil, arg, path+".ResponseHeadersPolicyId", "remove it and let the origin send the headers")
	v.refuse(*b.GrpcConfig.Enabled, arg, path+".GrpcConfig.Enabled", "set it to false")
}

// legacy checks the settings that a cache policy replaces.
func (v *checker) legacy(b *wire.CacheBehavior, s3 bool, path string) {
	f := b.ForwardedValues
	v.must(f != nil, "InvalidArgument", path, "there is neither CachePolicyId nor ForwardedValues: give a CachePolicyId, for example %s (Managed-CachingOptimized)", managedCache[0].ID)
	if f == nil {
		return
	}
	v.ttlOrder("InvalidTTLOrder", b.MinTTL, b.DefaultTTL, b.MaxTTL, path)
	at := path + ".ForwardedValues"
	headers := f.Headers.Items
	v.must(len(headers) <= maxNames, "TooManyHeadersInForwardedValues", at+".Headers", "there are %d, the limit is %d", len(headers), maxNames)
	if slices.Contains(headers, "*") {
		v.must(len(headers) == 1, "InvalidArgument", at+".Headers", "\"*\" stands for all headers: list nothing beside it")
		v.must(*b.MinTTL == 0, "InvalidArgument", path+".MinTTL", "all headers are forwarded, so nothing is cached: set it to 0")
	} else {
		v.headerNames(headers, legacyHeaders, at+".Headers")
	}
	v.must(!s3 || !containsFold(headers, "Host"), "InvalidHeadersForS3Origin", at+".Headers", "an S3 origin cannot get the viewer's Host: remove it")
	v.legacyCookies(f.Cookies, at+".Cookies")
	keys := f.QueryStringCacheKeys.Items
	v.must(len(keys) <= maxNames, "TooManyQueryStringParameters", at+".QueryStringCacheKeys", "there are %d, the limit is %d", len(keys), maxNames)
	v.must(len(keys) == 0 || *f.QueryString, "InvalidQueryStringParameters", at+".QueryStringCacheKeys", "QueryString is false, so they would mean nothing: set it to true or remove them")
	v.queryNames(keys, "InvalidQueryStringParameters", at+".QueryStringCacheKeys")
}

func (v *checker) legacyCookies(c *wire.CookiePreference, path string) {
	v.must(slices.Contains(wire.ItemSelectionValues, *c.Forward), "InvalidForwardCookies", path+".Forward",
		"%.100q is not one of %s", *c.Forward, strings.Join(wire.ItemSelectionValues, ", "))
	names := cookieNames(c.WhitelistedNames)
	v.must((*c.Forward == "whitelist") == (len(names) > 0), "InvalidForwardCookies", path+".WhitelistedNames", "list names with Forward \"whitelist\", and only then")
	v.must(len(names) <= maxNames, "TooManyCookieNamesInWhiteList", path+".WhitelistedNames", "there are %d, the limit is %d", len(names), maxNames)
	v.cookieNames(names, path+".WhitelistedNames", true)
}

// ttlOrder demands 0 <= min <= default <= max.
func (v *checker) ttlOrder(code string, least, def, most *int64, path string) {
	v.between(least, 0, maxTTL, "InvalidArgument", path+".MinTTL")
	v.between(def, 0, maxTTL, "InvalidArgument", path+".DefaultTTL")
	v.between(most, 0, maxTTL, "InvalidArgument", path+".MaxTTL")
	v.must(*least <= *def, code, path+".MinTTL", "%d is greater than DefaultTTL, %d: order them MinTTL, DefaultTTL, MaxTTL", *least, *def)
	v.must(*def <= *most, code, path+".DefaultTTL", "%d is greater than MaxTTL, %d: order them MinTTL, DefaultTTL, MaxTTL", *def, *most)
}

func (v *checker) pathPattern(b *wire.CacheBehavior, path string) {
	p := *b.PathPattern
	v.must(p != "" && len(p) <= maxPattern && only(p, "_-.*$/~\"'@:+&?"), "InvalidArgument", path+".PathPattern",
		"%.300q is not valid: use 1 to %d characters A-Z a-z 0-9 _-.*$/~\"'@:+& and ?; the query is not part of it", p, maxPattern)
}

// patterns demands that none comes twice: the second would never match.
func (v *checker) patterns(all []wire.CacheBehavior, path string) {
	var names []string
	for i := range all {
		names = append(names, "/"+strings.TrimPrefix(*all[i].PathPattern, "/"))
	}
	v.distinct(names, false, path)
}

func containsFold(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}
