package distribution

import (
	"reflect"
	"slices"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// Defaults, in seconds where they are times.
const (
	defaultConnectionAttempts = 3
	defaultConnectionTimeout  = 10
	defaultReadTimeout        = 30
	defaultKeepaliveTimeout   = 5
	defaultErrorTTL           = 10
)

var defaultSSLProtocols = []string{"TLSv1", "TLSv1.1", "TLSv1.2"}

// FillDefaults adds to c, in place, what CloudFront fills in, so that a read-back, sent again, is the
// same configuration: lists that were not sent are there with Quantity 0, settings have their
// default, and ids that were sent empty are absent where CloudFront leaves them out. It keeps every
// order. Filling twice changes nothing more.
//
// Clients depend on the details: Terraform's provider reads several of these lists without looking
// whether they are there, and plans a change for every field that comes back unasked.
func FillDefaults(c *wire.DistributionConfig) {
	tidy(reflect.ValueOf(c))
	fill(&c.Comment, "")
	fill(&c.DefaultRootObject, "")
	fill(&c.WebACLId, "")
	fill(&c.ContinuousDeploymentPolicyId, "")
	fill(&c.PriceClass, "PriceClass_All")
	fill(&c.HttpVersion, "http2")
	fill(&c.IsIPV6Enabled, true)
	fill(&c.Staging, false)
	absent(&c.AnycastIpListId)
	absent(&c.ConnectionMode)
	absentZero(&c.TenantConfig)
	absentZero(&c.ViewerMtlsConfig)
	absentZero(&c.ConnectionFunctionAssociation)

	fillList(&c.Aliases)
	fillList(&c.OriginGroups)
	for i := range c.OriginGroups.Items {
		absent(&c.OriginGroups.Items[i].SelectionCriteria)
	}
	fillList(&c.CacheBehaviors)
	fillList(&c.CustomErrorResponses)
	for i := range c.CustomErrorResponses.Items {
		fill(&c.CustomErrorResponses.Items[i].ErrorCachingMinTTL, defaultErrorTTL)
	}
	fillLogging(c)
	fillRestrictions(c)
	fillViewerCertificate(c)
	if c.Origins != nil {
		for i := range c.Origins.Items {
			fillOrigin(&c.Origins.Items[i])
		}
	}
	if d := c.DefaultCacheBehavior; d != nil {
		b := asCacheBehavior(d)
		fillBehavior(b)
		copyFields(d, b)
	}
	for i := range c.CacheBehaviors.Items {
		fillBehavior(&c.CacheBehaviors.Items[i])
	}
}

func fill[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

// absent drops an id that was sent empty.
func absent(p **string) {
	if *p != nil && **p == "" {
		*p = nil
	}
}

// absentZero drops a number or a structure that was sent without content.
func absentZero[T any](p **T) {
	if *p != nil && reflect.ValueOf(*p).Elem().IsZero() {
		*p = nil
	}
}

// fillList makes a list that was not sent one with Quantity 0.
func fillList[T any](p **T) {
	if *p == nil {
		*p = new(T)
		tidy(reflect.ValueOf(*p))
	}
}

// tidy walks all of v: a list sent without Quantity and without Items has Quantity 0, and Items that
// are there but empty are not there.
func tidy(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			tidy(v.Elem())
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
		}
		for i := range v.Len() {
			tidy(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			tidy(v.Field(i))
		}
		q, items := v.FieldByName("Quantity"), v.FieldByName("Items")
		if q.IsValid() && items.IsValid() && q.IsNil() && items.Len() == 0 {
			q.Set(reflect.ValueOf(wire.Ptr(int64(0))))
		}
	}
}

func fillLogging(c *wire.DistributionConfig) {
	fill(&c.Logging, wire.LoggingConfig{})
	fill(&c.Logging.Enabled, false)
	fill(&c.Logging.IncludeCookies, false)
	fill(&c.Logging.Bucket, "")
	fill(&c.Logging.Prefix, "")
}

func fillRestrictions(c *wire.DistributionConfig) {
	fill(&c.Restrictions, wire.Restrictions{})
	fillList(&c.Restrictions.GeoRestriction)
	fill(&c.Restrictions.GeoRestriction.RestrictionType, "none")
}

// fillViewerCertificate describes the certificate. It never adds an SSLSupportMethod: only clients that sent
// one expect it back. The security policy is TLSv1 with the default certificate, whatever was sent, as with
// CloudFront; with another it is TLSv1 unless another was sent. The deprecated names of a certificate follow the
// present ones: who edits what was read back may leave them as they were.
func fillViewerCertificate(c *wire.DistributionConfig) {
	fill(&c.ViewerCertificate, wire.ViewerCertificate{})
	v := c.ViewerCertificate
	absent(&v.ACMCertificateArn)
	absent(&v.IAMCertificateId)
	absent(&v.Certificate)
	absent(&v.CertificateSource)
	absent(&v.SSLSupportMethod)
	absent(&v.MinimumProtocolVersion)
	switch {
	case v.ACMCertificateArn != nil:
		fillNamedCertificate(v, *v.ACMCertificateArn, "acm")
		return
	case v.IAMCertificateId != nil:
		fillNamedCertificate(v, *v.IAMCertificateId, "iam")
		return
	}
	fill(&v.CloudFrontDefaultCertificate, true)
	if *v.CloudFrontDefaultCertificate {
		v.MinimumProtocolVersion = wire.Ptr("TLSv1")
		fill(&v.CertificateSource, "cloudfront")
	}
}

func fillNamedCertificate(v *wire.ViewerCertificate, name, source string) {
	fill(&v.CloudFrontDefaultCertificate, false)
	fill(&v.MinimumProtocolVersion, defaultSecurity)
	v.Certificate, v.CertificateSource = wire.Ptr(name), wire.Ptr(source)
}

func fillOrigin(o *wire.Origin) {
	fill(&o.OriginPath, "")
	fill(&o.OriginAccessControlId, "")
	fill(&o.ConnectionAttempts, defaultConnectionAttempts)
	fill(&o.ConnectionTimeout, defaultConnectionTimeout)
	fillList(&o.CustomHeaders)
	fill(&o.OriginShield, wire.OriginShield{})
	fill(&o.OriginShield.Enabled, false)
	absent(&o.OriginShield.OriginShieldRegion)
	absentZero(&o.VpcOriginConfig)
	if s := o.S3OriginConfig; s != nil {
		fill(&s.OriginAccessIdentity, "")
		fill(&s.OriginReadTimeout, defaultReadTimeout)
	}
	if x := o.CustomOriginConfig; x != nil {
		fill(&x.OriginReadTimeout, defaultReadTimeout)
		fill(&x.OriginKeepaliveTimeout, defaultKeepaliveTimeout)
		if x.OriginSslProtocols == nil {
			x.OriginSslProtocols = &wire.OriginSslProtocols{Quantity: wire.Ptr(int64(len(defaultSSLProtocols))), Items: slices.Clone(defaultSSLProtocols)}
		}
		absent(&x.IpAddressType)
		absentZero(&x.OriginMtlsConfig)
	}
}

func fillBehavior(b *wire.CacheBehavior) {
	absent(&b.CachePolicyId)
	absent(&b.OriginRequestPolicyId)
	absent(&b.ResponseHeadersPolicyId)
	absent(&b.RealtimeLogConfigArn)
	fill(&b.FieldLevelEncryptionId, "")
	fill(&b.SmoothStreaming, false)
	fill(&b.Compress, false)
	fill(&b.GrpcConfig, wire.GrpcConfig{})
	fill(&b.GrpcConfig.Enabled, false)
	fillList(&b.TrustedSigners)
	fill(&b.TrustedSigners.Enabled, false)
	fillList(&b.TrustedKeyGroups)
	fill(&b.TrustedKeyGroups.Enabled, false)
	fillList(&b.LambdaFunctionAssociations)
	fillList(&b.FunctionAssociations)
	fillMethods(b)
	if b.CachePolicyId != nil {
		// Only absent fields read back as CloudFront's; older clients send zeros beside a policy.
		absentZero(&b.MinTTL)
		absentZero(&b.DefaultTTL)
		absentZero(&b.MaxTTL)
		return
	}
	if b.ForwardedValues != nil {
		fillForwardedValues(b.ForwardedValues)
	}
	fill(&b.MinTTL, 0)
	fill(&b.DefaultTTL, max(day, *b.MinTTL))
	fill(&b.MaxTTL, max(year, *b.DefaultTTL))
}

func fillMethods(b *wire.CacheBehavior) {
	if b.AllowedMethods == nil {
		b.AllowedMethods = &wire.AllowedMethods{Quantity: wire.Ptr(int64(2)), Items: []string{"HEAD", "GET"}}
	}
	if b.AllowedMethods.CachedMethods == nil {
		b.AllowedMethods.CachedMethods = &wire.CachedMethods{Quantity: wire.Ptr(int64(2)), Items: []string{"HEAD", "GET"}}
	}
}

func fillForwardedValues(f *wire.ForwardedValues) {
	fillList(&f.Headers)
	fillList(&f.QueryStringCacheKeys)
	if c := f.Cookies; c != nil && (wire.Val(c.Forward) == "none" || wire.Val(c.Forward) == "all") {
		c.WhitelistedNames = nil // CloudFront deletes what is left over from "whitelist"
	}
}

// asCacheBehavior gives the default behavior the shape of the others; it has no PathPattern.
func asCacheBehavior(d *wire.DefaultCacheBehavior) *wire.CacheBehavior {
	b := &wire.CacheBehavior{}
	copyFields(b, d)
	return b
}

// copyFields copies the fields that both structures have.
func copyFields(dst, src any) {
	from := reflect.ValueOf(src).Elem()
	to := reflect.ValueOf(dst).Elem()
	for i := range from.NumField() {
		if f := to.FieldByName(from.Type().Field(i).Name); f.IsValid() {
			f.Set(from.Field(i))
		}
	}
}
