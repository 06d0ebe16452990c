package control

import (
	"context"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
)

// CreateCachePolicy makes a custom cache policy. Errors: CachePolicyAlreadyExists (the name is in
// use), TooManyCachePolicies, and those of distribution.ValidateCachePolicy.
func (c *Control) CreateCachePolicy(ctx context.Context, by journal.Actor, config *wire.CachePolicyConfig) (*CachePolicy, error) {
	return cachePolicies.create(ctx, c, by, config)
}

// UpdateCachePolicy replaces a custom cache policy; distributions that use it get a new ETag.
// Errors: NoSuchCachePolicy, IllegalUpdate (a managed one), and those of If-Match and of creating.
func (c *Control) UpdateCachePolicy(ctx context.Context, by journal.Actor, id, ifMatch string, config *wire.CachePolicyConfig) (*CachePolicy, error) {
	return cachePolicies.update(ctx, c, by, id, ifMatch, config)
}

// DeleteCachePolicy removes a custom cache policy that no distribution uses. Errors:
// NoSuchCachePolicy, IllegalDelete (a managed one), CachePolicyInUse, and those of If-Match.
func (c *Control) DeleteCachePolicy(ctx context.Context, by journal.Actor, id, ifMatch string) error {
	return cachePolicies.delete(ctx, c, by, id, ifMatch)
}

// CachePolicy returns one, managed or custom, or NoSuchCachePolicy.
func (c *Control) CachePolicy(id string) (*CachePolicy, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return cachePolicies.find(c.state, id)
}

// CachePolicies lists policies, managed ones first. policyType is "managed", "custom" or "" for both.
func (c *Control) CachePolicies(policyType, marker string, max int) (Page[*CachePolicy], error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return cachePolicies.list(c.state, policyType, marker, max)
}

// CreateOriginRequestPolicy makes a custom origin request policy. Errors:
// OriginRequestPolicyAlreadyExists (the name is in use), TooManyOriginRequestPolicies, and those of
// distribution.ValidateOriginRequestPolicy.
func (c *Control) CreateOriginRequestPolicy(ctx context.Context, by journal.Actor, config *wire.OriginRequestPolicyConfig) (*OriginRequestPolicy, error) {
	return originRequestPolicies.create(ctx, c, by, config)
}

// UpdateOriginRequestPolicy replaces a custom origin request policy, as UpdateCachePolicy does.
func (c *Control) UpdateOriginRequestPolicy(ctx context.Context, by journal.Actor, id, ifMatch string, config *wire.OriginRequestPolicyConfig) (*OriginRequestPolicy, error) {
	return originRequestPolicies.update(ctx, c, by, id, ifMatch, config)
}

// DeleteOriginRequestPolicy removes a custom origin request policy that no distribution uses.
func (c *Control) DeleteOriginRequestPolicy(ctx context.Context, by journal.Actor, id, ifMatch string) error {
	return originRequestPolicies.delete(ctx, c, by, id, ifMatch)
}

// OriginRequestPolicy returns one, managed or custom, or NoSuchOriginRequestPolicy.
func (c *Control) OriginRequestPolicy(id string) (*OriginRequestPolicy, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return originRequestPolicies.find(c.state, id)
}

// OriginRequestPolicies lists policies, managed ones first.
func (c *Control) OriginRequestPolicies(policyType, marker string, max int) (Page[*OriginRequestPolicy], error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return originRequestPolicies.list(c.state, policyType, marker, max)
}
