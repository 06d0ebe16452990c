package distribution

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// Compile makes the form that edges use. put.Config has passed FillDefaults and Validate; what can
// still be wrong is a policy that is not there.
func Compile(put Source) (*Distribution, error) {
	c := put.Config
	d := &Distribution{
		ID:                put.ID,
		DomainName:        strings.ToLower(put.DomainName),
		Enabled:           wire.Val(c.Enabled),
		DefaultRootObject: wire.Val(c.DefaultRootObject),
		ErrorPages:        map[int]ErrorPage{},
		AWSWildcards:      put.Tags[TagWildcards] == WildcardsAWS,
		RFC:               put.Tags[TagSemantics] == SemanticsRFC,
		PurgePlain:        put.Tags[TagPurge] == PurgePlain,
		Isolation:         IsolationOf(put.Tags),
		HTTPVersion:       wire.Val(c.HttpVersion),
	}
	d.Purge = d.PurgePlain || put.Tags[TagPurge] == PurgeOn
	switch put.Tags[TagTargeted] {
	case TargetedHeeded:
		d.Targeted = true
	case "":
		d.Targeted = d.RFC
	}
	d.root = "/" + d.DefaultRootObject
	d.Security = securityOf(defaultSecurity)
	if v := c.ViewerCertificate; v != nil {
		d.Security = securityOf(wire.Val(v.MinimumProtocolVersion))
	}
	if c.CacheTagConfig != nil {
		d.CacheTagHeader = wire.Val(c.CacheTagConfig.HeaderName)
	}
	if c.Aliases != nil {
		for _, a := range c.Aliases.Items {
			d.Aliases = append(d.Aliases, strings.ToLower(a))
		}
	}
	d.compileOrigins(c)
	d.compileGroups(c)
	d.compileErrorPages(c)
	return d, d.compileBehaviors(put)
}

func (d *Distribution) compileOrigins(c *wire.DistributionConfig) {
	if c.Origins == nil {
		return
	}
	for i := range c.Origins.Items {
		d.Origins = append(d.Origins, compileOrigin(&c.Origins.Items[i]))
	}
}

func compileOrigin(w *wire.Origin) *Origin {
	o := &Origin{
		ID:                        wire.Val(w.Id),
		DomainName:                strings.ToLower(wire.Val(w.DomainName)),
		Path:                      wire.Val(w.OriginPath),
		ConnectionAttempts:        int(wire.Val(w.ConnectionAttempts)),
		ConnectionTimeout:         seconds(w.ConnectionTimeout),
		ResponseCompletionTimeout: seconds(w.ResponseCompletionTimeout),
		KeepaliveTimeout:          defaultKeepaliveTimeout * time.Second,
		IPAddressType:             "ipv4",
	}
	if s := w.OriginShield; s != nil && wire.Val(s.Enabled) {
		o.Shield = wire.Val(s.OriginShieldRegion)
	}
	o.host = o.DomainName
	if strings.Contains(o.host, ":") {
		o.host = "[" + o.host + "]"
	}
	if w.CustomHeaders != nil {
		for _, h := range w.CustomHeaders.Items {
			o.CustomHeaders.Add(wire.Val(h.HeaderName), wire.Val(h.HeaderValue))
		}
	}
	if s3 := w.S3OriginConfig; s3 != nil {
		// A bucket's endpoint is reached as the viewer reached us, on the standard ports.
		o.S3, o.Protocol, o.HTTPPort, o.HTTPSPort = true, OriginMatchViewer, 80, 443
		o.SSLProtocols, o.ReadTimeout = slices.Clone(defaultSSLProtocols), seconds(s3.OriginReadTimeout)
	}
	if x := w.CustomOriginConfig; x != nil {
		o.Protocol = originProtocols[wire.Val(x.OriginProtocolPolicy)]
		o.HTTPPort, o.HTTPSPort = int(wire.Val(x.HTTPPort)), int(wire.Val(x.HTTPSPort))
		o.ReadTimeout, o.KeepaliveTimeout = seconds(x.OriginReadTimeout), seconds(x.OriginKeepaliveTimeout)
		if x.OriginSslProtocols != nil {
			o.SSLProtocols = slices.Clone(x.OriginSslProtocols.Items)
		}
		if t := wire.Val(x.IpAddressType); t != "" {
			o.IPAddressType = t
		}
	}
	return o
}

var originProtocols = map[string]OriginProtocol{
	"http-only": OriginHTTPOnly, "https-only": OriginHTTPSOnly, "match-viewer": OriginMatchViewer,
}

var viewerProtocols = map[string]ViewerProtocol{
	"allow-all": AllowAll, "redirect-to-https": RedirectToHTTPS, "https-only": HTTPSOnly,
}

func seconds(p *int64) time.Duration { return time.Duration(wire.Val(p)) * time.Second }

func (d *Distribution) compileErrorPages(c *wire.DistributionConfig) {
	if c.CustomErrorResponses == nil {
		return
	}
	for _, r := range c.CustomErrorResponses.Items {
		p := ErrorPage{
			ErrorCode: int(wire.Val(r.ErrorCode)),
			PagePath:  wire.Val(r.ResponsePagePath),
			MinTTL:    seconds(r.ErrorCachingMinTTL),
		}
		p.ResponseCode, _ = strconv.Atoi(wire.Val(r.ResponseCode)) // "" is none; others passed Validate
		d.ErrorPages[p.ErrorCode] = p
	}
}

func (d *Distribution) compileBehaviors(put Source) error {
	add := func(w *wire.CacheBehavior) error {
		b, err := d.compileBehavior(w, put)
		d.Behaviors = append(d.Behaviors, b)
		return err
	}
	if put.Config.CacheBehaviors != nil {
		for i := range put.Config.CacheBehaviors.Items {
			if err := add(&put.Config.CacheBehaviors.Items[i]); err != nil {
				return err
			}
		}
	}
	if put.Config.DefaultCacheBehavior == nil {
		return fail("InvalidArgument", "DistributionConfig.DefaultCacheBehavior", "it is required: add it")
	}
	def := asCacheBehavior(put.Config.DefaultCacheBehavior)
	def.PathPattern = wire.Ptr("*")
	if err := add(def); err != nil {
		return err
	}
	d.Behaviors[len(d.Behaviors)-1].Default = true
	return nil
}

func (d *Distribution) compileBehavior(w *wire.CacheBehavior, put Source) (*Behavior, error) {
	b := &Behavior{
		PathPattern:           wire.Val(w.PathPattern),
		ViewerProtocol:        viewerProtocols[wire.Val(w.ViewerProtocolPolicy)],
		Allowed:               Methods("GET", "HEAD"),
		Cached:                Methods("GET", "HEAD"),
		Compress:              wire.Val(w.Compress),
		CachePolicyID:         wire.Val(w.CachePolicyId),
		OriginRequestPolicyID: wire.Val(w.OriginRequestPolicyId),
	}
	b.pattern = compilePattern(b.PathPattern)
	if m := w.AllowedMethods; m != nil {
		b.Allowed = Methods(m.Items...)
		if m.CachedMethods != nil {
			b.Cached = Methods(m.CachedMethods.Items...)
		}
	}
	if err := d.target(b, wire.Val(w.TargetOriginId)); err != nil {
		return nil, err
	}
	err := b.compilePolicies(w, put)
	b.Zstd = put.Tags[TagCompression] == CompressionZstd && (b.Gzip || b.Brotli)
	b.finish()
	return b, err
}

// compilePolicies settles TTLs, key and what is forwarded.
func (b *Behavior) compilePolicies(w *wire.CacheBehavior, put Source) error {
	if b.CachePolicyID == "" {
		b.Legacy = true
		b.MinTTL, b.DefaultTTL, b.MaxTTL = seconds(w.MinTTL), seconds(w.DefaultTTL), seconds(w.MaxTTL)
		b.compileForwardedValues(w.ForwardedValues)
		return nil
	}
	cp := put.CachePolicies[b.CachePolicyID]
	if cp == nil {
		cp = managedCachePolicy(b.CachePolicyID)
	}
	if cp == nil {
		return noSuchCachePolicy("CachePolicyId", b.CachePolicyID)
	}
	b.compileCachePolicy(cp)
	if b.OriginRequestPolicyID == "" {
		return nil
	}
	rp := put.OriginRequestPolicies[b.OriginRequestPolicyID]
	if rp == nil {
		rp = managedOriginRequestPolicy(b.OriginRequestPolicyID)
	}
	if rp == nil {
		return noSuchOriginRequestPolicy("OriginRequestPolicyId", b.OriginRequestPolicyID)
	}
	b.compileOriginRequestPolicy(rp)
	return nil
}

func (b *Behavior) compileCachePolicy(c *wire.CachePolicyConfig) {
	b.MinTTL, b.DefaultTTL, b.MaxTTL = seconds(c.MinTTL), seconds(c.DefaultTTL), seconds(c.MaxTTL)
	p := c.ParametersInCacheKeyAndForwardedToOrigin
	if p == nil {
		return
	}
	b.Gzip, b.Brotli = wire.Val(p.EnableAcceptEncodingGzip), wire.Val(p.EnableAcceptEncodingBrotli)
	headers := selector{fold: true}
	if h := p.HeadersConfig; h != nil && h.Headers != nil {
		headers = headerSelector(wire.Val(h.HeaderBehavior), h.Headers.Items)
	} else if h != nil {
		headers = headerSelector(wire.Val(h.HeaderBehavior), nil)
	}
	if x := p.CookiesConfig; x != nil {
		b.key.cookies = namedSelector(wire.Val(x.CookieBehavior), cookieNames(x.Cookies))
	}
	if q := p.QueryStringsConfig; q != nil {
		b.key.query = namedSelector(wire.Val(q.QueryStringBehavior), queryNames(q.QueryStrings))
	}
	b.keyHeaders(headers.names)
	b.forward = forwardPlan{query: b.key.query, cookies: b.key.cookies, headers: headers}
	b.makeHeaders(headers.names)
}

// compileOriginRequestPolicy adds to what the cache policy forwards already.
func (b *Behavior) compileOriginRequestPolicy(c *wire.OriginRequestPolicyConfig) {
	if h := c.HeadersConfig; h != nil {
		var listed []string
		if h.Headers != nil {
			listed = h.Headers.Items
		}
		s := headerSelector(wire.Val(h.HeaderBehavior), listed)
		b.forward.headers = union(b.forward.headers, s)
		if s.mode != selectExcept {
			b.makeHeaders(listed)
		}
	}
	if x := c.CookiesConfig; x != nil {
		b.forward.cookies = union(b.forward.cookies, namedSelector(wire.Val(x.CookieBehavior), cookieNames(x.Cookies)))
	}
	if q := c.QueryStringsConfig; q != nil {
		b.forward.query = union(b.forward.query, namedSelector(wire.Val(q.QueryStringBehavior), queryNames(q.QueryStrings)))
	}
}

// compileForwardedValues settles the legacy settings. They cache gzip and other answers apart, as
// CloudFront does, unless Accept-Encoding itself is selected.
func (b *Behavior) compileForwardedValues(f *wire.ForwardedValues) {
	if f == nil {
		return
	}
	if wire.Val(f.QueryString) {
		b.forward.query = selector{mode: selectAll}
		b.key.query = b.forward.query
		if k := f.QueryStringCacheKeys; k != nil && len(k.Items) > 0 {
			b.key.query = selector{mode: selectOnly, names: slices.Clone(k.Items)}
		}
	}
	if c := f.Cookies; c != nil {
		b.forward.cookies = namedSelector(wire.Val(c.Forward), cookieNames(c.WhitelistedNames))
		b.forward.cookies.globs = true
		b.key.cookies = b.forward.cookies
	}
	b.forward.headers = selector{fold: true}
	if f.Headers != nil && len(f.Headers.Items) > 0 {
		b.forward.headers = headerSelector("whitelist", f.Headers.Items)
		if slices.Contains(f.Headers.Items, "*") {
			b.forward.headers.mode, b.CachingDisabled = selectAll, true
		}
		b.keyHeaders(b.forward.headers.names)
		b.makeHeaders(b.forward.headers.names)
	}
	b.Gzip = !b.forward.headers.has("accept-encoding")
}

func (b *Behavior) finish() {
	if b.MaxTTL == 0 {
		b.CachingDisabled = true
	}
	b.KeyHasQuery = b.key.query.mode != selectNone
	b.ForwardsCookies = b.forward.cookies.mode != selectNone
	if b.Group != nil {
		second := *b
		second.Origin, second.Group = b.Group.Members[1], nil
		b.second = &second
	}
}

// keyHeaders puts headers into the key, sorted: their order in the policy means nothing, and
// re-ordering them must not empty the cache.
func (b *Behavior) keyHeaders(listed []string) {
	listed = slices.Clone(listed)
	slices.Sort(listed)
	for _, n := range slices.Compact(listed) {
		h := cloudFrontHeaders[n]
		if n != "*" && h.made != madeUnknown {
			b.key.headers = append(b.key.headers, keyHeader{name: n, made: h.made})
		}
	}
}

// makeHeaders adds those of the listed headers that the edge makes, once each.
func (b *Behavior) makeHeaders(listed []string) {
	for _, n := range listed {
		h, ok := cloudFrontHeaders[strings.ToLower(n)]
		m := madeHeader{name: h.canon, made: h.made, device: h.device}
		if ok && h.made != madeUnknown && !slices.Contains(b.forward.made, m) {
			b.forward.made = append(b.forward.made, m)
		}
	}
}

// headerSelector reads a HeaderBehavior. Names are lower case afterwards.
func headerSelector(behavior string, listed []string) selector {
	s := selector{fold: true}
	switch behavior {
	case "allViewer", "allViewerAndWhitelistCloudFront":
		s.mode = selectAll // CloudFront-* of the viewer never pass; those listed are made
		return s
	case "whitelist":
		s.mode = selectOnly
	case "allExcept":
		s.mode = selectExcept
	default:
		return s
	}
	for _, n := range listed {
		s.names = append(s.names, strings.ToLower(n))
	}
	return s
}

// namedSelector reads a CookieBehavior, a QueryStringBehavior or the legacy cookies' Forward.
func namedSelector(behavior string, listed []string) selector {
	switch behavior {
	case "all":
		return selector{mode: selectAll}
	case "whitelist":
		return selector{mode: selectOnly, names: slices.Clone(listed)}
	case "allExcept":
		return selector{mode: selectExcept, names: slices.Clone(listed)}
	}
	return selector{}
}

func cookieNames(n *wire.CookieNames) []string {
	if n == nil {
		return nil
	}
	return n.Items
}

func queryNames(n *wire.QueryStringNames) []string {
	if n == nil {
		return nil
	}
	return n.Items
}
