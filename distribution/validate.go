package distribution

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// Quotas of one distribution, as CloudFront's defaults are.
const (
	maxAliases        = 100
	maxOrigins        = 100
	maxCacheBehaviors = 75
	maxComment        = 128
	maxPattern        = 255
	maxTTL            = 100 * year // in seconds; more means for ever to CloudFront as well
)

// Known tells which custom policies there are. Managed ones always are; a nil func knows no other.
type Known struct {
	CachePolicy         func(id string) bool
	OriginRequestPolicy func(id string) bool
}

func (k Known) hasCachePolicy(id string) bool {
	return managedCachePolicy(id) != nil || k.CachePolicy != nil && k.CachePolicy(id)
}

func (k Known) hasOriginRequestPolicy(id string) bool {
	return managedOriginRequestPolicy(id) != nil || k.OriginRequestPolicy != nil && k.OriginRequestPolicy(id)
}

// Validate refuses a config that is wrong, or that asks for what the edge does not do; the error is an
// *Error. c has its defaults filled in. What passes compiles.
func Validate(c *wire.DistributionConfig, known Known) error {
	const path = "DistributionConfig"
	if err := checkShape(reflect.ValueOf(c), path); err != nil {
		return err
	}
	v := &checker{}
	// A target that does not exist is told first: it explains most other complaints about origins.
	v.targets(c)
	v.top(c, path)
	v.refuseTop(c, path)
	for i := range c.Origins.Items {
		v.origin(&c.Origins.Items[i], item(path+".Origins", i))
	}
	v.behavior(asCacheBehavior(c.DefaultCacheBehavior), c, known, path+".DefaultCacheBehavior")
	for i := range c.CacheBehaviors.Items {
		b, at := &c.CacheBehaviors.Items[i], item(path+".CacheBehaviors", i)
		v.pathPattern(b, at)
		v.behavior(b, c, known, at)
	}
	v.patterns(c.CacheBehaviors.Items, path+".CacheBehaviors")
	for i := range c.CustomErrorResponses.Items {
		v.errorResponse(&c.CustomErrorResponses.Items[i], item(path+".CustomErrorResponses", i))
	}
	return v.result()
}

func item(list string, i int) string { return list + ".Items[" + strconv.Itoa(i) + "]" }

func noSuchOrigin(field, id string) *Error {
	return &Error{Code: "NoSuchOrigin", Field: field, Message: "One or more of your origins or origin groups do not exist. " +
		field + " is " + strconv.Quote(id) + ": name the Id of one of DistributionConfig.Origins"}
}

func noSuchCachePolicy(field, id string) *Error {
	return &Error{Code: "NoSuchCachePolicy", Field: field, Message: "The cache policy does not exist. " +
		field + " is " + strconv.Quote(id) + ": list-cache-policies shows those that do"}
}

func noSuchOriginRequestPolicy(field, id string) *Error {
	return &Error{Code: "NoSuchOriginRequestPolicy", Field: field, Message: "The origin request policy does not exist. " +
		field + " is " + strconv.Quote(id) + ": list-origin-request-policies shows those that do"}
}

func (v *checker) targets(c *wire.DistributionConfig) {
	target := func(id *string, field string) {
		for i := range c.Origins.Items {
			if wire.Val(c.Origins.Items[i].Id) == *id {
				return
			}
		}
		for i := range c.OriginGroups.Items {
			if wire.Val(c.OriginGroups.Items[i].Id) == *id {
				return
			}
		}
		if v.err == nil {
			v.err = noSuchOrigin(field, *id)
		}
	}
	target(c.DefaultCacheBehavior.TargetOriginId, "DistributionConfig.DefaultCacheBehavior.TargetOriginId")
	for i := range c.CacheBehaviors.Items {
		target(c.CacheBehaviors.Items[i].TargetOriginId, item("DistributionConfig.CacheBehaviors", i)+".TargetOriginId")
	}
}

func (v *checker) top(c *wire.DistributionConfig, path string) {
	v.must(*c.CallerReference != "", "InvalidArgument", path+".CallerReference", "it is empty: give a value that is new with each distribution")
	v.must(utf8.RuneCountInString(*c.Comment) <= maxComment, "InvalidArgument", path+".Comment", "it is longer than %d characters: shorten it", maxComment)
	v.oneOf(c.PriceClass, wire.PriceClassValues, path+".PriceClass")
	v.oneOf(c.HttpVersion, wire.HttpVersionValues, path+".HttpVersion")
	v.must(rootObject(*c.DefaultRootObject), "InvalidDefaultRootObject", path+".DefaultRootObject",
		"%.300q is not valid: give a path without a leading \"/\", of at most 255 characters A-Z a-z 0-9 _-.*$/~\"'&", *c.DefaultRootObject)
	if t := c.CacheTagConfig; t != nil {
		v.must(token(*t.HeaderName) && len(*t.HeaderName) <= 256, "InvalidArgument", path+".CacheTagConfig.HeaderName", "%.300q is not a header name", *t.HeaderName)
	}
	v.must(len(c.Origins.Items) <= maxOrigins, "TooManyOrigins", path+".Origins", "there are %d, the limit is %d", len(c.Origins.Items), maxOrigins)
	v.must(len(c.CacheBehaviors.Items) <= maxCacheBehaviors, "TooManyCacheBehaviors", path+".CacheBehaviors", "there are %d, the limit is %d", len(c.CacheBehaviors.Items), maxCacheBehaviors)
	v.aliases(c.Aliases.Items, path+".Aliases")
	v.distinct(originIDs(c), false, path+".Origins")
	v.groups(c, path+".OriginGroups")
	var codes []string
	for _, r := range c.CustomErrorResponses.Items {
		codes = append(codes, strconv.FormatInt(*r.ErrorCode, 10))
	}
	v.distinct(codes, false, path+".CustomErrorResponses")
}

func rootObject(s string) bool {
	return len(s) <= 255 && !strings.HasPrefix(s, "/") && only(s, "_-.*$/~\"'&")
}

// aliases are checked for themselves; whether another distribution has one is control's to know.
func (v *checker) aliases(names []string, path string) {
	v.must(len(names) <= maxAliases, "TooManyDistributionCNAMEs", path, "there are %d, the limit is %d", len(names), maxAliases)
	for i, n := range names {
		// A wildcard stands for the first label and what comes before it: "*.example.com".
		v.must(hostname(strings.TrimPrefix(n, "*.")) && strings.Contains(n, "."), "InvalidArgument", item(path, i),
			"%.300q is not a domain name: write it as \"www.example.com\" or \"*.example.com\", without scheme, port or path", n)
	}
	v.distinct(names, true, path)
}

// refuseTop names every feature of a distribution as a whole that the edge does not have.
func (v *checker) refuseTop(c *wire.DistributionConfig, path string) {
	const arg = "InvalidArgument"
	v.refuse(wire.Val(c.Logging.Enabled), arg, path+".Logging.Enabled", "set it to false")
	v.refuse(*c.WebACLId != "", "InvalidWebACLId", path+".WebACLId", "leave it empty")
	g := c.Restrictions.GeoRestriction
	v.oneOf(g.RestrictionType, wire.GeoRestrictionTypeValues, path+".Restrictions.GeoRestriction.RestrictionType")
	v.refuse(*g.RestrictionType != "none", "InvalidGeoRestrictionParameter", path+".Restrictions.GeoRestriction.RestrictionType", "set it to \"none\"")
	v.must(len(g.Items) == 0, "InvalidGeoRestrictionParameter", path+".Restrictions.GeoRestriction.Items", "RestrictionType is \"none\": remove the locations")
	v.refuse(wire.Val(c.Staging), arg, path+".Staging", "set it to false")
	v.refuse(*c.ContinuousDeploymentPolicyId != "", arg, path+".ContinuousDeploymentPolicyId", "leave it empty")
	v.refuse(c.AnycastIpListId != nil, arg, path+".AnycastIpListId", "remove it")
	v.refuse(c.TenantConfig != nil, arg, path+".TenantConfig", "remove it")
	v.oneOf(c.ConnectionMode, wire.ConnectionModeValues, path+".ConnectionMode")
	v.refuse(wire.Val(c.ConnectionMode) == "tenant-only", arg, path+".ConnectionMode", "set it to \"direct\"")
	v.refuse(c.ViewerMtlsConfig != nil, arg, path+".ViewerMtlsConfig", "remove it")
	v.refuse(c.ConnectionFunctionAssociation != nil, arg, path+".ConnectionFunctionAssociation", "remove it")
	v.viewerCertificate(c.ViewerCertificate, path+".ViewerCertificate")
}

// viewerCertificate takes the names of certificates that CloudFront would show, but not on trust that there
// are such: an edge shows what its own store has for a name.
func (v *checker) viewerCertificate(c *wire.ViewerCertificate, path string) {
	const code = "InvalidViewerCertificate"
	v.oneOf(c.CertificateSource, wire.CertificateSourceValues, path+".CertificateSource")
	v.oneOf(c.SSLSupportMethod, wire.SSLSupportMethodValues, path+".SSLSupportMethod")
	v.oneOf(c.MinimumProtocolVersion, wire.MinimumProtocolVersionValues, path+".MinimumProtocolVersion")
	acm, iam := c.ACMCertificateArn, c.IAMCertificateId
	if acm == nil && iam == nil {
		v.must(wire.Val(c.CloudFrontDefaultCertificate), code, path+".CloudFrontDefaultCertificate", "it is false and no certificate is named: set it to true, or give ACMCertificateArn")
		v.must(c.Certificate == nil, code, path+".Certificate", "it is deprecated: give ACMCertificateArn or IAMCertificateId instead")
		v.must(c.CertificateSource == nil || *c.CertificateSource == "cloudfront", code, path+".CertificateSource", "it is deprecated: give ACMCertificateArn or IAMCertificateId instead")
		return
	}
	v.must(acm == nil || iam == nil, code, path+".IAMCertificateId", "there is an ACMCertificateArn too: remove one")
	v.must(!wire.Val(c.CloudFrontDefaultCertificate), code, path+".CloudFrontDefaultCertificate", "it is true and a certificate is named: set it to false, or remove the certificate")
	v.must(acm == nil || strings.HasPrefix(*acm, "arn:") && strings.Contains(*acm, ":acm:"), code, path+".ACMCertificateArn", "%.100q is not the ARN of a certificate", wire.Val(acm))
	v.must(c.SSLSupportMethod != nil, code, path+".SSLSupportMethod", "a certificate is named: add \"sni-only\"")
	v.refuse(wire.Val(c.SSLSupportMethod) != "sni-only", code, path+".SSLSupportMethod", "set it to \"sni-only\": an edge cannot know a distribution by its own IP address")
}

var (
	errorCodes    = []int64{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}
	responseCodes = []string{"200", "400", "403", "404", "405", "414", "416", "500", "501", "502", "503", "504"}
)

func (v *checker) errorResponse(r *wire.CustomErrorResponse, path string) {
	v.must(slices.Contains(errorCodes, *r.ErrorCode), "InvalidErrorCode", path+".ErrorCode", "%d is not one of %v", *r.ErrorCode, errorCodes)
	page, code := wire.Val(r.ResponsePagePath), wire.Val(r.ResponseCode)
	v.must(code == "" || slices.Contains(responseCodes, code), "InvalidResponseCode", path+".ResponseCode", "%.20q is not one of %s", code, strings.Join(responseCodes, ", "))
	v.must(page == "" || code != "", "InvalidResponseCode", path+".ResponseCode", "there is a ResponsePagePath: give both or neither")
	v.must(code == "" || page != "", "InvalidArgument", path+".ResponsePagePath", "there is a ResponseCode: give both or neither")
	v.must(page == "" || page[0] == '/' && visible(page) && !strings.ContainsAny(page, "?#") && len(page) <= 4000, "InvalidArgument", path+".ResponsePagePath",
		"%.100q is not a path: begin it with \"/\", without query", page)
	v.between(r.ErrorCachingMinTTL, 0, maxTTL, "InvalidArgument", path+".ErrorCachingMinTTL")
}
