package cloudfront

import (
	"context"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
)

// Both kinds of policies are spoken of in the same way; what differs are the structures.

func createCachePolicy(ctx context.Context, c *call) (*result, error) {
	config := new(wire.CachePolicyConfig)
	if err := c.decodePolicy(config); err != nil {
		return nil, err
	}
	p, err := c.control.CreateCachePolicy(ctx, c.by, config)
	return policyResult(p, err, cachePolicy, "/cache-policy/")
}

func getCachePolicy(_ context.Context, c *call) (*result, error) {
	p, err := c.control.CachePolicy(c.label("Id"))
	return policyResult(p, err, cachePolicy, "")
}

func getCachePolicyConfig(_ context.Context, c *call) (*result, error) {
	return policyConfigResult(c.control.CachePolicy(c.label("Id")))
}

func updateCachePolicy(ctx context.Context, c *call) (*result, error) {
	config := new(wire.CachePolicyConfig)
	if err := c.decodePolicy(config); err != nil {
		return nil, err
	}
	p, err := c.control.UpdateCachePolicy(ctx, c.by, c.label("Id"), c.ifMatch(), config)
	return policyResult(p, err, cachePolicy, "")
}

func deleteCachePolicy(ctx context.Context, c *call) (*result, error) {
	return &result{}, c.control.DeleteCachePolicy(ctx, c.by, c.label("Id"), c.ifMatch())
}

func listCachePolicies(_ context.Context, c *call) (*result, error) {
	marker, max, err := c.page()
	if err != nil {
		return nil, err
	}
	p, err := c.control.CachePolicies(c.query.Get("Type"), marker, max)
	if err != nil {
		return nil, err
	}
	list := &wire.CachePolicyList{MaxItems: wire.Ptr(int64(p.MaxItems)), Quantity: wire.Ptr(int64(len(p.Items))), NextMarker: nextMarker(p.NextMarker)}
	for _, p := range p.Items {
		list.Items = append(list.Items, wire.CachePolicySummary{Type: policyType(p.Managed), CachePolicy: cachePolicy(p)})
	}
	return &result{body: list}, nil
}

func createOriginRequestPolicy(ctx context.Context, c *call) (*result, error) {
	config := new(wire.OriginRequestPolicyConfig)
	if err := c.decodePolicy(config); err != nil {
		return nil, err
	}
	p, err := c.control.CreateOriginRequestPolicy(ctx, c.by, config)
	return policyResult(p, err, originRequestPolicy, "/origin-request-policy/")
}

func getOriginRequestPolicy(_ context.Context, c *call) (*result, error) {
	p, err := c.control.OriginRequestPolicy(c.label("Id"))
	return policyResult(p, err, originRequestPolicy, "")
}

func getOriginRequestPolicyConfig(_ context.Context, c *call) (*result, error) {
	return policyConfigResult(c.control.OriginRequestPolicy(c.label("Id")))
}

func updateOriginRequestPolicy(ctx context.Context, c *call) (*result, error) {
	config := new(wire.OriginRequestPolicyConfig)
	if err := c.decodePolicy(config); err != nil {
		return nil, err
	}
	p, err := c.control.UpdateOriginRequestPolicy(ctx, c.by, c.label("Id"), c.ifMatch(), config)
	return policyResult(p, err, originRequestPolicy, "")
}

func deleteOriginRequestPolicy(ctx context.Context, c *call) (*result, error) {
	return &result{}, c.control.DeleteOriginRequestPolicy(ctx, c.by, c.label("Id"), c.ifMatch())
}

func listOriginRequestPolicies(_ context.Context, c *call) (*result, error) {
	marker, max, err := c.page()
	if err != nil {
		return nil, err
	}
	p, err := c.control.OriginRequestPolicies(c.query.Get("Type"), marker, max)
	if err != nil {
		return nil, err
	}
	list := &wire.OriginRequestPolicyList{MaxItems: wire.Ptr(int64(p.MaxItems)), Quantity: wire.Ptr(int64(len(p.Items))), NextMarker: nextMarker(p.NextMarker)}
	for _, p := range p.Items {
		list.Items = append(list.Items, wire.OriginRequestPolicySummary{Type: policyType(p.Managed), OriginRequestPolicy: originRequestPolicy(p)})
	}
	return &result{body: list}, nil
}

// decodePolicy reads a policy's configuration, of which the model's required members must be there.
func (c *call) decodePolicy(config any) error {
	if err := c.decode(config); err != nil {
		return err
	}
	return wire.CheckRequired(config)
}

// policyResult has the location of what was created under the path created, or none when that is "".
func policyResult[C, W any](p *control.Policy[C], err error, body func(*control.Policy[C]) *W, created string) (*result, error) {
	if err != nil {
		return nil, err
	}
	r := &result{body: body(p), etag: p.ETag}
	if created != "" {
		r.location = created + p.ID
	}
	return r, nil
}

func policyConfigResult[C any](p *control.Policy[C], err error) (*result, error) {
	if err != nil {
		return nil, err
	}
	return &result{body: p.Config, etag: p.ETag}, nil
}

func cachePolicy(p *control.CachePolicy) *wire.CachePolicy {
	return &wire.CachePolicy{Id: &p.ID, LastModifiedTime: &wire.Timestamp{Time: p.LastModified}, CachePolicyConfig: p.Config}
}

func originRequestPolicy(p *control.OriginRequestPolicy) *wire.OriginRequestPolicy {
	return &wire.OriginRequestPolicy{Id: &p.ID, LastModifiedTime: &wire.Timestamp{Time: p.LastModified}, OriginRequestPolicyConfig: p.Config}
}

func policyType(managed bool) *string {
	if managed {
		return wire.Ptr("managed")
	}
	return wire.Ptr("custom")
}
