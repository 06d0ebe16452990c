package distribution

import (
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// maxNamesSize is how long the names of one list may be together.
const maxNamesSize = 1024

// FillCachePolicyDefaults adds to c, in place, what CloudFront fills in. Filling twice changes
// nothing more.
func FillCachePolicyDefaults(c *wire.CachePolicyConfig) {
	tidy(reflect.ValueOf(c))
	if c.MinTTL != nil {
		fill(&c.DefaultTTL, max(day, *c.MinTTL))
		fill(&c.MaxTTL, max(year, *c.DefaultTTL))
	}
	fill(&c.ParametersInCacheKeyAndForwardedToOrigin, wire.ParametersInCacheKeyAndForwardedToOrigin{})
	p := c.ParametersInCacheKeyAndForwardedToOrigin
	if reflect.ValueOf(p).Elem().IsZero() {
		p.EnableAcceptEncodingGzip = wire.Ptr(false)
		p.HeadersConfig = &wire.CachePolicyHeadersConfig{HeaderBehavior: wire.Ptr("none")}
		p.CookiesConfig = &wire.CachePolicyCookiesConfig{CookieBehavior: wire.Ptr("none")}
		p.QueryStringsConfig = &wire.CachePolicyQueryStringsConfig{QueryStringBehavior: wire.Ptr("none")}
	}
	fill(&p.EnableAcceptEncodingBrotli, false)
	if h := p.HeadersConfig; h != nil {
		h.Headers = absentList(h.Headers)
	}
	if x := p.CookiesConfig; x != nil {
		x.Cookies = absentList(x.Cookies)
	}
	if q := p.QueryStringsConfig; q != nil {
		q.QueryStrings = absentList(q.QueryStrings)
	}
}

// FillOriginRequestPolicyDefaults is the same for an origin request policy.
func FillOriginRequestPolicyDefaults(c *wire.OriginRequestPolicyConfig) {
	tidy(reflect.ValueOf(c))
	if h := c.HeadersConfig; h != nil {
		h.Headers = absentList(h.Headers)
	}
	if x := c.CookiesConfig; x != nil {
		x.Cookies = absentList(x.Cookies)
	}
	if q := c.QueryStringsConfig; q != nil {
		q.QueryStrings = absentList(q.QueryStrings)
	}
}

// absentList drops a list of a policy that has neither Quantity nor Items: policies come back
// without the lists that their behaviors do not use.
func absentList[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := reflect.ValueOf(p).Elem()
	if q, ok := v.FieldByName("Quantity").Interface().(*int64); ok && wire.Val(q) == 0 && v.FieldByName("Items").Len() == 0 {
		return nil
	}
	return p
}

// policyCodes are the codes for a list with too many names.
type policyCodes struct{ headers, cookies, queries string }

var (
	cachePolicyCodes   = policyCodes{"TooManyHeadersInCachePolicy", "TooManyCookiesInCachePolicy", "TooManyQueryStringsInCachePolicy"}
	requestPolicyCodes = policyCodes{"TooManyHeadersInOriginRequestPolicy", "TooManyCookiesInOriginRequestPolicy", "TooManyQueryStringsInOriginRequestPolicy"}
)

// ValidateCachePolicy refuses a cache policy that is wrong; the error is an *Error. c has its
// defaults filled in.
func ValidateCachePolicy(c *wire.CachePolicyConfig) error {
	const path = "CachePolicyConfig"
	if err := checkShape(reflect.ValueOf(c), path); err != nil {
		return err
	}
	v := &checker{}
	v.policyName(*c.Name, c.Comment, path)
	v.ttlOrder("InvalidArgument", c.MinTTL, c.DefaultTTL, c.MaxTTL, path)
	p, at := c.ParametersInCacheKeyAndForwardedToOrigin, path+".ParametersInCacheKeyAndForwardedToOrigin"
	h := p.HeadersConfig
	v.oneOf(h.HeaderBehavior, wire.CachePolicyHeaderBehaviorValues, at+".HeadersConfig.HeaderBehavior")
	v.list(*h.HeaderBehavior, headerItems(h.Headers), cachePolicyCodes.headers, at+".HeadersConfig.Headers")
	use := cacheHeaders
	if *p.EnableAcceptEncodingGzip || *p.EnableAcceptEncodingBrotli {
		use = cacheHeadersNormalised
	}
	v.headerNames(headerItems(h.Headers), use, at+".HeadersConfig.Headers")
	v.oneOf(p.CookiesConfig.CookieBehavior, wire.CachePolicyCookieBehaviorValues, at+".CookiesConfig.CookieBehavior")
	v.list(*p.CookiesConfig.CookieBehavior, cookieNames(p.CookiesConfig.Cookies), cachePolicyCodes.cookies, at+".CookiesConfig.Cookies")
	v.cookieNames(cookieNames(p.CookiesConfig.Cookies), at+".CookiesConfig.Cookies", false)
	v.oneOf(p.QueryStringsConfig.QueryStringBehavior, wire.CachePolicyQueryStringBehaviorValues, at+".QueryStringsConfig.QueryStringBehavior")
	v.list(*p.QueryStringsConfig.QueryStringBehavior, queryNames(p.QueryStringsConfig.QueryStrings), cachePolicyCodes.queries, at+".QueryStringsConfig.QueryStrings")
	v.queryNames(queryNames(p.QueryStringsConfig.QueryStrings), "InvalidArgument", at+".QueryStringsConfig.QueryStrings")
	if *c.MaxTTL == 0 {
		v.keyless(p, at)
	}
	return v.result()
}

// keyless refuses a key where nothing is cached: an origin request policy is the place for what the
// origin shall get.
func (v *checker) keyless(p *wire.ParametersInCacheKeyAndForwardedToOrigin, path string) {
	const why = "it is invalid for a policy with caching disabled (MaxTTL 0): set it to %s; an origin request policy forwards what the origin needs"
	v.must(!*p.EnableAcceptEncodingGzip, "InvalidArgument", path+".EnableAcceptEncodingGzip", why, "false")
	v.must(!*p.EnableAcceptEncodingBrotli, "InvalidArgument", path+".EnableAcceptEncodingBrotli", why, "false")
	v.must(*p.HeadersConfig.HeaderBehavior == "none", "InvalidArgument", path+".HeadersConfig.HeaderBehavior", why, "none")
	v.must(*p.CookiesConfig.CookieBehavior == "none", "InvalidArgument", path+".CookiesConfig.CookieBehavior", why, "none")
	v.must(*p.QueryStringsConfig.QueryStringBehavior == "none", "InvalidArgument", path+".QueryStringsConfig.QueryStringBehavior", why, "none")
}

// ValidateOriginRequestPolicy is the same for an origin request policy.
func ValidateOriginRequestPolicy(c *wire.OriginRequestPolicyConfig) error {
	const path = "OriginRequestPolicyConfig"
	if err := checkShape(reflect.ValueOf(c), path); err != nil {
		return err
	}
	v := &checker{}
	v.policyName(*c.Name, c.Comment, path)
	h := c.HeadersConfig
	v.oneOf(h.HeaderBehavior, wire.OriginRequestPolicyHeaderBehaviorValues, path+".HeadersConfig.HeaderBehavior")
	v.list(*h.HeaderBehavior, headerItems(h.Headers), requestPolicyCodes.headers, path+".HeadersConfig.Headers")
	use := requestHeaders
	switch *h.HeaderBehavior {
	case "allExcept":
		use = anyHeaders
	case "allViewerAndWhitelistCloudFront":
		use = requestCloudFrontHeaders
	}
	v.headerNames(headerItems(h.Headers), use, path+".HeadersConfig.Headers")
	v.oneOf(c.CookiesConfig.CookieBehavior, wire.OriginRequestPolicyCookieBehaviorValues, path+".CookiesConfig.CookieBehavior")
	v.list(*c.CookiesConfig.CookieBehavior, cookieNames(c.CookiesConfig.Cookies), requestPolicyCodes.cookies, path+".CookiesConfig.Cookies")
	v.cookieNames(cookieNames(c.CookiesConfig.Cookies), path+".CookiesConfig.Cookies", false)
	v.oneOf(c.QueryStringsConfig.QueryStringBehavior, wire.OriginRequestPolicyQueryStringBehaviorValues, path+".QueryStringsConfig.QueryStringBehavior")
	v.list(*c.QueryStringsConfig.QueryStringBehavior, queryNames(c.QueryStringsConfig.QueryStrings), requestPolicyCodes.queries, path+".QueryStringsConfig.QueryStrings")
	v.queryNames(queryNames(c.QueryStringsConfig.QueryStrings), "InvalidArgument", path+".QueryStringsConfig.QueryStrings")
	return v.result()
}

func headerItems(h *wire.Headers) []string {
	if h == nil {
		return nil
	}
	return h.Items
}

func (v *checker) policyName(name string, comment *string, path string) {
	v.must(name != "" && len(name) <= 128 && only(name, "-_"), "InvalidArgument", path+".Name", "%.150q is not valid: use 1 to 128 characters A-Z a-z 0-9 - _", name)
	v.must(!strings.HasPrefix(name, "Managed-"), "InvalidArgument", path+".Name", "%q begins as the managed policies do: choose another name", name)
	v.must(utf8.RuneCountInString(wire.Val(comment)) <= maxComment, "InvalidArgument", path+".Comment", "it is longer than %d characters: shorten it", maxComment)
}

// list demands names exactly with the behaviors that need them, and not too many.
func (v *checker) list(behavior string, names []string, code, path string) {
	needs := slices.Contains([]string{"whitelist", "allExcept", "allViewerAndWhitelistCloudFront"}, behavior)
	v.must(needs || len(names) == 0, "InvalidArgument", path, "names are listed, but the behavior is %q: remove them", behavior)
	v.must(!needs || len(names) > 0, "InvalidArgument", path, "the behavior is %q: list at least one name", behavior)
	v.must(len(names) <= maxNames, code, path, "there are %d, the limit is %d", len(names), maxNames)
	var size int
	for _, n := range names {
		size += len(n)
	}
	v.must(size <= maxNamesSize, "InvalidArgument", path, "the names have %d characters together, the limit is %d", size, maxNamesSize)
}

func (v *checker) cookieNames(names []string, path string, globs bool) {
	for i, n := range names {
		plain := n
		if globs { // "*" is a token character already
			plain = strings.ReplaceAll(n, "?", "")
		}
		v.must(n != "" && (plain == "" || token(plain)), "InvalidArgument", item(path, i), "%.100q is not a cookie name", n)
		v.must(!strings.HasPrefix(n, "$"), "InvalidArgument", item(path, i), "%.100q begins with \"$\": such cookies are never forwarded", n)
	}
	v.distinct(names, false, path)
}

func (v *checker) queryNames(names []string, code, path string) {
	for i, n := range names {
		v.must(n != "" && visible(n) && !strings.ContainsAny(n, "&=?#"), code, item(path, i), "%.100q cannot be the name of a query parameter as it stands in a URL", n)
	}
	v.distinct(names, false, path)
}

// headerUse is what a list of headers is for.
type headerUse uint8

const (
	anyHeaders               headerUse = iota // to be left out: any
	legacyHeaders                             // ForwardedValues
	cacheHeaders                              // cache policy
	cacheHeadersNormalised                    // cache policy that normalises Accept-Encoding
	requestHeaders                            // origin request policy
	requestCloudFrontHeaders                  // the CloudFront-* ones of an origin request policy
)

func (v *checker) headerNames(names []string, use headerUse, path string) {
	for i, n := range names {
		v.headerName(n, use, item(path, i))
	}
	v.distinct(names, true, path)
}

func (v *checker) headerName(name string, use headerUse, path string) {
	const code = "InvalidArgument"
	lower := strings.ToLower(name)
	v.must(token(name), code, path, "%.100q is not a header name", name)
	if use == anyHeaders {
		return
	}
	cf, made := cloudFrontHeaders[lower]
	if strings.HasPrefix(lower, "cloudfront-") {
		v.must(made, code, path, "there is no header %q that the edge could add", name)
		v.must(use == requestHeaders || use == requestCloudFrontHeaders || cf.inKey, code, path, "%q is different for nearly every viewer and cannot be in a cache key: use an origin request policy", name)
		return
	}
	v.must(use != requestCloudFrontHeaders, code, path, "%q is a viewer's header, which all go anyway: list CloudFront-* headers only", name)
	switch f := fateOf(lower); {
	case f == forbidden || f == unlisted || lower == "cookie":
		v.must(false, code, path, "%q is not allowed here: remove it", name)
	case f == edges:
		v.must(false, code, path, "%q is not allowed here: the edge answers conditions and ranges itself: remove it", name)
	}
	v.must(use != cacheHeadersNormalised || lower != "accept-encoding", code, path, "EnableAcceptEncodingGzip or Brotli puts it into the key already: remove it")
	v.must(use != requestHeaders || lower != "authorization", code, path, "\"Authorization\" must be in the cache policy, or all viewer headers forwarded: answers for one user would be cached for others")
}
