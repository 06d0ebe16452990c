package distribution

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// Limits of an origin.
const (
	maxOriginTimeout     = 120 // seconds
	maxOriginPath        = 255
	maxCustomHeaders     = 30
	maxCustomHeaderName  = 256
	maxCustomHeaderValue = 1783
	maxCustomHeadersSize = 10240
)

// ShieldRegions are the AWS regions that CloudFront has an Origin Shield in, sorted.
var ShieldRegions = []string{"ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
	"eu-central-1", "eu-west-1", "eu-west-2", "me-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-2"}

func (v *checker) origin(o *wire.Origin, path string) {
	v.must(*o.Id != "" && len(*o.Id) <= 128, "InvalidArgument", path+".Id", "give 1 to 128 characters")
	v.must(originName(*o.DomainName), "InvalidOrigin", path+".DomainName",
		"%.300q is not the name of a host: leave out scheme, port and path; CustomOriginConfig has the ports, OriginPath the path", *o.DomainName)
	v.must(originPath(*o.OriginPath), "InvalidRelativePath", path+".OriginPath",
		"%.300q is not valid: begin it with \"/\", do not end it with \"/\", at most %d characters, no query", *o.OriginPath, maxOriginPath)
	v.between(o.ConnectionAttempts, 1, 3, "InvalidArgument", path+".ConnectionAttempts")
	v.between(o.ConnectionTimeout, 1, 10, "InvalidArgument", path+".ConnectionTimeout")
	v.between(o.ResponseCompletionTimeout, 1, day, "InvalidArgument", path+".ResponseCompletionTimeout")
	v.customHeaders(o.CustomHeaders.Items, path+".CustomHeaders")

	v.refuse(o.VpcOriginConfig != nil, "InvalidArgument", path+".VpcOriginConfig", "use CustomOriginConfig")
	v.refuse(*o.OriginAccessControlId != "", "InvalidOriginAccessControl", path+".OriginAccessControlId",
		"origins are reached unsigned; leave it empty and let the origin admit the edge by a custom header")
	if s := o.OriginShield; wire.Val(s.Enabled) || s.OriginShieldRegion != nil {
		v.must(slices.Contains(ShieldRegions, wire.Val(s.OriginShieldRegion)), "InvalidArgument", path+".OriginShield.OriginShieldRegion",
			"%.50q has no Origin Shield: use one of %s", wire.Val(s.OriginShieldRegion), strings.Join(ShieldRegions, ", "))
	}
	read := int64(0)
	if s := o.S3OriginConfig; s != nil {
		v.refuse(*s.OriginAccessIdentity != "", "InvalidOriginAccessIdentity", path+".S3OriginConfig.OriginAccessIdentity",
			"buckets are reached unsigned; leave it empty")
		v.between(s.OriginReadTimeout, 1, maxOriginTimeout, "InvalidOriginReadTimeout", path+".S3OriginConfig.OriginReadTimeout")
		read = *s.OriginReadTimeout
	}
	if x := o.CustomOriginConfig; x != nil {
		v.customOrigin(x, path+".CustomOriginConfig")
		read = *x.OriginReadTimeout
	}
	v.must((o.S3OriginConfig != nil) != (o.CustomOriginConfig != nil), "InvalidOrigin", path, "give exactly one of S3OriginConfig and CustomOriginConfig")
	t := o.ResponseCompletionTimeout
	v.must(t == nil || *t >= read, "InvalidArgument", path+".ResponseCompletionTimeout",
		"%d is less than OriginReadTimeout, %d: raise it or leave it out", wire.Val(t), read)
}

func (v *checker) customOrigin(x *wire.CustomOriginConfig, path string) {
	v.refuse(x.OriginMtlsConfig != nil, "InvalidArgument", path+".OriginMtlsConfig", "remove it")
	v.oneOf(x.OriginProtocolPolicy, wire.OriginProtocolPolicyValues, path+".OriginProtocolPolicy")
	v.port(*x.HTTPPort, path+".HTTPPort")
	v.port(*x.HTTPSPort, path+".HTTPSPort")
	v.between(x.OriginReadTimeout, 1, maxOriginTimeout, "InvalidOriginReadTimeout", path+".OriginReadTimeout")
	v.between(x.OriginKeepaliveTimeout, 1, maxOriginTimeout, "InvalidOriginKeepaliveTimeout", path+".OriginKeepaliveTimeout")
	for i, p := range x.OriginSslProtocols.Items {
		v.oneOf(&p, wire.SslProtocolValues, item(path+".OriginSslProtocols", i))
	}
	v.distinct(x.OriginSslProtocols.Items, false, path+".OriginSslProtocols")
	v.refuse(slices.Equal(x.OriginSslProtocols.Items, []string{"SSLv3"}), "InvalidArgument", path+".OriginSslProtocols",
		"SSLv3 alone would reach no origin; add TLSv1.2")
	v.oneOf(x.IpAddressType, wire.IpAddressTypeValues, path+".IpAddressType")
}

func (v *checker) port(p int64, field string) {
	v.must(p == 80 || p == 443 || 1024 <= p && p <= 65535, "InvalidArgument", field, "%d is not 80, 443 or 1024 to 65535", p)
}

// originName takes host names, and addresses too: an operator's origins need not have a name.
func originName(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Zone() == ""
	}
	return hostname(s)
}

func originPath(s string) bool {
	return s == "" || len(s) <= maxOriginPath && s[0] == '/' && s[len(s)-1] != '/' && visible(s) && !strings.ContainsAny(s, "?#*\\")
}

// customDenied are the headers that no origin may be given as custom ones, besides X-Amz-* and X-Edge-*.
var customDenied = []string{
	"cache-control", "connection", "content-length", "cookie", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
	"if-unmodified-since", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "proxy-connection", "range",
	"request-range", "te", "trailer", "transfer-encoding", "upgrade", "via", "x-real-ip",
	"accept-encoding", "cdn-loop", // not in CloudFront's list; a fixed one would poison variants, or hide a loop
}

func (v *checker) customHeaders(headers []wire.OriginCustomHeader, path string) {
	v.must(len(headers) <= maxCustomHeaders, "TooManyOriginCustomHeaders", path, "there are %d, the limit is %d", len(headers), maxCustomHeaders)
	var size int
	var all []string
	for i, h := range headers {
		at, name, value := item(path, i), *h.HeaderName, *h.HeaderValue
		lower := strings.ToLower(name)
		v.must(token(name) && len(name) <= maxCustomHeaderName, "InvalidArgument", at+".HeaderName", "%.300q is not a header name of 1 to %d characters", name, maxCustomHeaderName)
		v.must(!slices.Contains(customDenied, lower) && !strings.HasPrefix(lower, "x-amz-") && !strings.HasPrefix(lower, "x-edge-"), "InvalidArgument",
			at+".HeaderName", "%q cannot be a custom header: the edge itself decides on it", name)
		v.must(len(value) <= maxCustomHeaderValue && headerValue(value), "InvalidArgument", at+".HeaderValue", "it is longer than %d characters or has control characters", maxCustomHeaderValue)
		size += len(name) + len(value)
		all = append(all, name)
	}
	v.must(size <= maxCustomHeadersSize, "InvalidArgument", path, "names and values have %d characters, the limit is %d", size, maxCustomHeadersSize)
	v.distinct(all, true, path)
}

func headerValue(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) < 0 && strings.TrimSpace(s) == s
}
