package e2e

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
)

// policies are the managed cache and origin request policies that stories name.
var policies = map[string]string{
	"optimized":    "658327ea-f89d-4fab-a63d-7e88639e58f6",
	"disabled":     "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
	"uncompressed": "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
	"origin-qs":    "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
	"all-viewer":   "216adef6-5c7f-47e4-b989-5492eafa07d3",
	"cors-custom":  "59781a5b-3903-41f3-afcb-af62929ccde1",
}

// distributionConfig builds the config of a distribution from a story's options:
//
//	origin=o1            the origin (required)
//	originpath=/x        its path
//	originhost=name      its name, when the story maps it with start --origin
//	second=o2:500,503    a group of o1 and o2, with these failover criteria; secondpath=/x its path
//	policy=optimized     a managed cache policy by the names above, or the id of a custom one; otherwise legacy settings:
//	ttl=min/default/max  seconds
//	query=all|none       and headers=a,b  cookies=all|none
//	orp=all-viewer       origin request policy
//	methods=2|3|7        viewer=allow-all|redirect-to-https|https-only
//	behavior=/api/*:disabled   one more behavior with a managed policy
//	root=index.html      default root object
//	error=404:/404.html:200:10  or error=404:::5
//	alias=www.example.com    tagheader=x-tags    enabled=false    custom='X-Key: v'   timeout=read/connect/attempts
//	version=http1.1|http2|http3|http2and3
//	tag:<key>=<value>    a tag of the distribution
func distributionConfig(w *world, reference string, opt map[string]string) (*types.DistributionConfig, error) {
	origin, err := originConfig(w, opt)
	if err != nil {
		return nil, err
	}
	base, err := defaultBehavior(opt)
	if err != nil {
		return nil, err
	}
	c := &types.DistributionConfig{
		CallerReference:      &reference,
		Comment:              aws.String("e2e"),
		Enabled:              aws.Bool(opt["enabled"] != "false"),
		Origins:              &types.Origins{Quantity: aws.Int32(1), Items: []types.Origin{*origin}},
		DefaultCacheBehavior: base,
		DefaultRootObject:    aws.String(opt["root"]),
		HttpVersion:          types.HttpVersion(opt["version"]),
	}
	if s := opt["second"]; s != "" {
		if err := groupConfig(w, c, s, opt); err != nil {
			return nil, err
		}
	}
	if b := opt["behavior"]; b != "" {
		pattern, policy, _ := strings.Cut(b, ":")
		c.CacheBehaviors = &types.CacheBehaviors{Quantity: aws.Int32(1), Items: []types.CacheBehavior{{
			PathPattern: &pattern, TargetOriginId: aws.String("o"), ViewerProtocolPolicy: types.ViewerProtocolPolicyAllowAll,
			CachePolicyId: aws.String(policies[policy]),
		}}}
	}
	if e := opt["error"]; e != "" {
		r, err := errorResponse(e)
		if err != nil {
			return nil, err
		}
		c.CustomErrorResponses = &types.CustomErrorResponses{Quantity: aws.Int32(1), Items: []types.CustomErrorResponse{*r}}
	}
	if a := opt["alias"]; a != "" {
		c.Aliases = &types.Aliases{Quantity: aws.Int32(1), Items: []string{a}}
	}
	if h := opt["tagheader"]; h != "" {
		c.CacheTagConfig = &types.CacheTagConfig{HeaderName: &h}
	}
	return c, nil
}

func originConfig(w *world, opt map[string]string) (*types.Origin, error) {
	address := "127.0.0.1:1" // for stories whose origin is only a name
	if o := w.origins[opt["origin"]]; o != nil {
		address = o.address()
	} else if opt["originhost"] == "" {
		return nil, fmt.Errorf("origin=%q: no such origin in this story", opt["origin"])
	}
	host, portText, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(portText)
	if h := opt["originhost"]; h != "" {
		host, port = h, 80
	} else {
		host = "localhost"
	}
	o := &types.Origin{
		Id: aws.String("o"), DomainName: &host, OriginPath: aws.String(opt["originpath"]),
		CustomOriginConfig: &types.CustomOriginConfig{
			HTTPPort: aws.Int32(int32(port)), HTTPSPort: aws.Int32(443), OriginProtocolPolicy: types.OriginProtocolPolicyHttpOnly,
			OriginSslProtocols: &types.OriginSslProtocols{Quantity: aws.Int32(1), Items: []types.SslProtocol{types.SslProtocolTLSv12}},
		},
	}
	if h := opt["custom"]; h != "" {
		n, v, _ := strings.Cut(h, ": ")
		o.CustomHeaders = &types.CustomHeaders{Quantity: aws.Int32(1), Items: []types.OriginCustomHeader{{HeaderName: &n, HeaderValue: &v}}}
	}
	if t := opt["timeout"]; t != "" {
		var read, connect, attempts int32
		if _, err := fmt.Sscanf(t, "%d/%d/%d", &read, &connect, &attempts); err != nil {
			return nil, fmt.Errorf("timeout=%s: %w", t, err)
		}
		o.CustomOriginConfig.OriginReadTimeout, o.ConnectionTimeout, o.ConnectionAttempts = &read, &connect, &attempts
	}
	return o, nil
}

// groupConfig makes a group of the origin that is there and a second, "o2:500,503", and lets the default behavior
// name it.
func groupConfig(w *world, c *types.DistributionConfig, second string, opt map[string]string) error {
	name, codes, _ := strings.Cut(second, ":")
	o, err := originConfig(w, map[string]string{"origin": name, "originpath": opt["secondpath"], "custom": "X-Second: " + name, "timeout": opt["timeout"]})
	if err != nil {
		return err
	}
	o.Id = &name
	c.Origins.Items, c.Origins.Quantity = append(c.Origins.Items, *o), aws.Int32(2)
	failures := &types.StatusCodes{}
	for code := range strings.SplitSeq(codes, ",") {
		n, err := strconv.Atoi(code)
		if err != nil {
			return fmt.Errorf("second=%s: %w", second, err)
		}
		failures.Items = append(failures.Items, int32(n))
	}
	failures.Quantity = aws.Int32(int32(len(failures.Items)))
	c.OriginGroups = &types.OriginGroups{Quantity: aws.Int32(1), Items: []types.OriginGroup{{
		Id: aws.String("group"), FailoverCriteria: &types.OriginGroupFailoverCriteria{StatusCodes: failures},
		Members: &types.OriginGroupMembers{Quantity: aws.Int32(2), Items: []types.OriginGroupMember{{OriginId: aws.String("o")}, {OriginId: &name}}},
	}}}
	c.DefaultCacheBehavior.TargetOriginId = aws.String("group")
	return nil
}

func defaultBehavior(opt map[string]string) (*types.DefaultCacheBehavior, error) {
	b := &types.DefaultCacheBehavior{TargetOriginId: aws.String("o"), ViewerProtocolPolicy: types.ViewerProtocolPolicyAllowAll, Compress: aws.Bool(true)}
	if v := opt["viewer"]; v != "" {
		b.ViewerProtocolPolicy = types.ViewerProtocolPolicy(v)
	}
	switch opt["methods"] {
	case "3":
		b.AllowedMethods = methods("GET", "HEAD", "OPTIONS")
	case "7":
		b.AllowedMethods = methods("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE")
	}
	if p := opt["orp"]; p != "" {
		b.OriginRequestPolicyId = aws.String(policies[p])
	}
	legacy := opt["ttl"] != "" || opt["query"] != "" || opt["headers"] != "" || opt["cookies"] != ""
	if !legacy {
		p := opt["policy"]
		if p == "" {
			p = "uncompressed"
		}
		if id, ok := policies[p]; ok {
			p = id
		}
		b.CachePolicyId = &p
		return b, nil
	}
	return b, legacySettings(b, opt)
}

func legacySettings(b *types.DefaultCacheBehavior, opt map[string]string) error {
	cookies := opt["cookies"]
	if cookies == "" {
		cookies = "none"
	}
	f := &types.ForwardedValues{QueryString: aws.Bool(opt["query"] == "all"), Cookies: &types.CookiePreference{Forward: types.ItemSelection(cookies)}}
	if h := opt["headers"]; h != "" {
		names := strings.Split(h, ",")
		f.Headers = &types.Headers{Quantity: aws.Int32(int32(len(names))), Items: names}
	}
	b.ForwardedValues = f
	if t := opt["ttl"]; t != "" {
		var lo, def, hi int64
		if _, err := fmt.Sscanf(t, "%d/%d/%d", &lo, &def, &hi); err != nil {
			return fmt.Errorf("ttl=%s: %w", t, err)
		}
		b.MinTTL, b.DefaultTTL, b.MaxTTL = &lo, &def, &hi
	}
	return nil
}

func methods(names ...types.Method) *types.AllowedMethods {
	return &types.AllowedMethods{Quantity: aws.Int32(int32(len(names))), Items: names}
}

// errorResponse reads "404:/404.html:200:10".
func errorResponse(s string) (*types.CustomErrorResponse, error) {
	p := strings.Split(s, ":")
	if len(p) != 4 {
		return nil, fmt.Errorf("error=%s: write code:page:response:ttl", s)
	}
	code, err := strconv.Atoi(p[0])
	if err != nil {
		return nil, err
	}
	r := &types.CustomErrorResponse{ErrorCode: aws.Int32(int32(code))}
	if p[1] != "" {
		r.ResponsePagePath, r.ResponseCode = &p[1], &p[2]
	}
	if p[3] != "" {
		ttl, err := strconv.ParseInt(p[3], 10, 64)
		if err != nil {
			return nil, err
		}
		r.ErrorCachingMinTTL = &ttl
	}
	return r, nil
}
