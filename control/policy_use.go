package control

import (
	"slices"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
)

// policyUse lists the ids of the policies that a config names, each once.
type policyUse struct{ cache, originRequest []string }

func usedPolicies(config *wire.DistributionConfig) (u policyUse) {
	add := func(to *[]string, id *string) {
		if v := wire.Val(id); v != "" && !slices.Contains(*to, v) {
			*to = append(*to, v)
		}
	}
	if b := config.DefaultCacheBehavior; b != nil {
		add(&u.cache, b.CachePolicyId)
		add(&u.originRequest, b.OriginRequestPolicyId)
	}
	if config.CacheBehaviors != nil {
		for i := range config.CacheBehaviors.Items {
			b := &config.CacheBehaviors.Items[i]
			add(&u.cache, b.CachePolicyId)
			add(&u.originRequest, b.OriginRequestPolicyId)
		}
	}
	return u
}

// users lists the ids of the distributions that use a policy of any kind, in order.
func (s *state) users(policyID string) (ids []string) {
	for id, d := range s.distributions {
		used := usedPolicies(d.put.Config)
		if slices.Contains(used.cache, policyID) || slices.Contains(used.originRequest, policyID) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// resolvePolicies puts the custom policies that a distribution names into its fact: an edge needs
// no other source.
func (s *state) resolvePolicies(put *journal.DistributionPut) {
	put.CachePolicies, put.OriginRequestPolicies = nil, nil
	used := usedPolicies(put.Config)
	for _, id := range used.cache {
		if p := s.cachePolicies[id]; p != nil {
			if put.CachePolicies == nil {
				put.CachePolicies = map[string]*wire.CachePolicyConfig{}
			}
			put.CachePolicies[id] = p.Config
		}
	}
	for _, id := range used.originRequest {
		if p := s.originRequestPolicies[id]; p != nil {
			if put.OriginRequestPolicies == nil {
				put.OriginRequestPolicies = map[string]*wire.OriginRequestPolicyConfig{}
			}
			put.OriginRequestPolicies[id] = p.Config
		}
	}
}
