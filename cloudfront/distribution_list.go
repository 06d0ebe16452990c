package cloudfront

import (
	"context"
	"slices"
	"strings"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
)

// The lists of distributions by something ask the configurations themselves. Where a feature does not
// exist yet, validation lets no configuration name it, so that its list is empty and true.

func listDistributions(_ context.Context, c *call) (*result, error) {
	return c.fullList(control.DistributionFilter{})
}

func listByCachePolicy(_ context.Context, c *call) (*result, error) {
	return c.idList(control.DistributionFilter{CachePolicyID: c.label("CachePolicyId")})
}

func listByOriginRequestPolicy(_ context.Context, c *call) (*result, error) {
	return c.idList(control.DistributionFilter{OriginRequestPolicyID: c.label("OriginRequestPolicyId")})
}

func listByResponseHeadersPolicy(_ context.Context, c *call) (*result, error) {
	id := c.label("ResponseHeadersPolicyId")
	return c.idList(anyBehavior(func(b behavior) bool { return wire.Val(b.responseHeadersPolicy) == id }))
}

func listByKeyGroup(_ context.Context, c *call) (*result, error) {
	id := c.label("KeyGroupId")
	return c.idList(anyBehavior(func(b behavior) bool { return b.keyGroups != nil && slices.Contains(b.keyGroups.Items, id) }))
}

func listByVpcOrigin(_ context.Context, c *call) (*result, error) {
	id := c.label("VpcOriginId")
	return c.idList(configs(func(d *wire.DistributionConfig) bool {
		return d.Origins != nil && slices.ContainsFunc(d.Origins.Items, func(o wire.Origin) bool {
			return o.VpcOriginConfig != nil && wire.Val(o.VpcOriginConfig.VpcOriginId) == id
		})
	}))
}

// listByWebACL takes "null" for the distributions that have none.
func listByWebACL(_ context.Context, c *call) (*result, error) {
	id := c.label("WebACLId")
	if id == "null" {
		id = ""
	}
	return c.fullList(configs(func(d *wire.DistributionConfig) bool { return wire.Val(d.WebACLId) == id }))
}

func listByAnycastIPList(_ context.Context, c *call) (*result, error) {
	id := c.label("AnycastIpListId")
	return c.fullList(configs(func(d *wire.DistributionConfig) bool { return wire.Val(d.AnycastIpListId) == id }))
}

func listByConnectionMode(_ context.Context, c *call) (*result, error) {
	mode := c.label("ConnectionMode")
	if !slices.Contains(wire.ConnectionModeValues, mode) {
		return nil, refuse("InvalidArgument", "The connection mode must be one of %s, got '%.40s'.", strings.Join(wire.ConnectionModeValues, ", "), mode)
	}
	return c.fullList(configs(func(d *wire.DistributionConfig) bool {
		has := wire.Val(d.ConnectionMode)
		return has == mode || has == "" && mode == "direct" // the mode of who did not choose
	}))
}

func listByConnectionFunction(_ context.Context, c *call) (*result, error) {
	id := c.query.Get("ConnectionFunctionIdentifier")
	if id == "" {
		return nil, refuse("InvalidArgument", "The query parameter ConnectionFunctionIdentifier is missing.")
	}
	return c.fullList(configs(func(d *wire.DistributionConfig) bool {
		return d.ConnectionFunctionAssociation != nil && wire.Val(d.ConnectionFunctionAssociation.Id) == id
	}))
}

func listByTrustStore(_ context.Context, c *call) (*result, error) {
	id := c.query.Get("TrustStoreIdentifier")
	if id == "" {
		return nil, refuse("InvalidArgument", "The query parameter TrustStoreIdentifier is missing.")
	}
	return c.fullList(configs(func(d *wire.DistributionConfig) bool {
		m := d.ViewerMtlsConfig
		return m != nil && m.TrustStoreConfig != nil && wire.Val(m.TrustStoreConfig.TrustStoreId) == id
	}))
}

// listByRealtimeLogConfig is the one list whose question comes in the body.
func listByRealtimeLogConfig(_ context.Context, c *call) (*result, error) {
	req := new(wire.ListDistributionsByRealtimeLogConfigRequest)
	if err := c.decode(req); err != nil {
		return nil, err
	}
	name, arn := wire.Val(req.RealtimeLogConfigName), wire.Val(req.RealtimeLogConfigArn)
	if name == "" && arn == "" {
		return nil, refuse("InvalidArgument", "Name the real-time log configuration by RealtimeLogConfigName or RealtimeLogConfigArn.")
	}
	max := maxItems
	if req.MaxItems != nil {
		if max = int(min(*req.MaxItems, maxItems)); max < 1 {
			return nil, refuse("InvalidArgument", "MaxItems must be an integer from 1 to %d, got '%d'.", maxItems, *req.MaxItems)
		}
	}
	filter := anyBehavior(func(b behavior) bool {
		has := wire.Val(b.realtimeLogConfig)
		return has != "" && (has == arn || name != "" && strings.HasSuffix(has, ":realtime-log-config/"+name))
	})
	return fullPage(c.control.Distributions(filter, wire.Val(req.Marker), max))
}

// listByOwnedResource asks for resources that accounts share with each other. There are none.
func listByOwnedResource(_ context.Context, c *call) (*result, error) {
	if arn := c.label("ResourceArn"); !strings.HasPrefix(arn, "arn:") {
		return nil, refuse("InvalidArgument", "'%.200s' is not an ARN.", arn)
	}
	marker, max, err := c.page()
	if err != nil {
		return nil, err
	}
	return &result{body: &wire.DistributionIdOwnerList{
		Marker: &marker, MaxItems: wire.Ptr(int64(max)), IsTruncated: wire.Ptr(false), Quantity: wire.Ptr(int64(0)),
	}}, nil
}

func configs(match func(*wire.DistributionConfig) bool) control.DistributionFilter {
	return control.DistributionFilter{Match: func(d *control.Distribution) bool { return match(d.Config) }}
}

// behavior is what the default behavior and the others have in common and can be asked for.
type behavior struct {
	responseHeadersPolicy *string
	realtimeLogConfig     *string
	keyGroups             *wire.TrustedKeyGroups
}

func anyBehavior(match func(behavior) bool) control.DistributionFilter {
	return configs(func(d *wire.DistributionConfig) bool {
		if b := d.DefaultCacheBehavior; b != nil && match(behavior{b.ResponseHeadersPolicyId, b.RealtimeLogConfigArn, b.TrustedKeyGroups}) {
			return true
		}
		return d.CacheBehaviors != nil && slices.ContainsFunc(d.CacheBehaviors.Items, func(b wire.CacheBehavior) bool {
			return match(behavior{b.ResponseHeadersPolicyId, b.RealtimeLogConfigArn, b.TrustedKeyGroups})
		})
	})
}

func (c *call) distributions(f control.DistributionFilter) (control.Page[*control.Distribution], error) {
	marker, max, err := c.page()
	if err != nil {
		return control.Page[*control.Distribution]{}, err
	}
	return c.control.Distributions(f, marker, max)
}

func (c *call) fullList(f control.DistributionFilter) (*result, error) {
	return fullPage(c.distributions(f))
}

func fullPage(p control.Page[*control.Distribution], err error) (*result, error) {
	if err != nil {
		return nil, err
	}
	list := &wire.DistributionList{
		Marker: &p.Marker, MaxItems: wire.Ptr(int64(p.MaxItems)), IsTruncated: &p.Truncated,
		Quantity: wire.Ptr(int64(len(p.Items))), NextMarker: nextMarker(p.NextMarker),
	}
	for _, d := range p.Items {
		list.Items = append(list.Items, summary(d))
	}
	return &result{body: list}, nil
}

func (c *call) idList(f control.DistributionFilter) (*result, error) {
	p, err := c.distributions(f)
	if err != nil {
		return nil, err
	}
	list := &wire.DistributionIdList{
		Marker: &p.Marker, MaxItems: wire.Ptr(int64(p.MaxItems)), IsTruncated: &p.Truncated,
		Quantity: wire.Ptr(int64(len(p.Items))), NextMarker: nextMarker(p.NextMarker),
	}
	for _, d := range p.Items {
		list.Items = append(list.Items, d.ID)
	}
	return &result{body: list}, nil
}

// nextMarker is there on all pages but the last: clients go on as long as they see one.
func nextMarker(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
