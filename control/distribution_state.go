package control

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// This file is the distributions' part of the state: the checks that need it, and its fold.

func (s *state) distribution(id string) (*distributionState, error) {
	if d := s.distributions[id]; d != nil {
		return d, nil
	}
	return nil, refuse("NoSuchDistribution", "The specified distribution does not exist: %q. List the distributions to find its id.", id)
}

func (s *state) distributionStatus(d *distributionState) string {
	if d.seq <= s.completed {
		return Deployed
	}
	return InProgress
}

// checkConfig checks a filled-in config by itself and beside all others; id is the distribution
// that it is for, "" for a new one.
func (s *state) checkConfig(config *wire.DistributionConfig, id string) error {
	known := distribution.Known{
		CachePolicy:         func(id string) bool { return s.cachePolicies[id] != nil },
		OriginRequestPolicy: func(id string) bool { return s.originRequestPolicies[id] != nil },
	}
	if err := distribution.Validate(config, known); err != nil {
		return err
	}
	if err := s.checkShields(config); err != nil {
		return err
	}
	for _, alias := range aliasesOf(config) {
		owner := s.aliases[alias]
		if owner != "" && owner != id || s.domains[alias] {
			return refuse("CNAMEAlreadyExists",
				"The alias %s is already associated with a different resource. Remove it there first, or choose another name.", alias)
		}
	}
	return s.checkPolicyUse(config, id)
}

// checkPolicyUse holds the quota of distributions per custom policy.
func (s *state) checkPolicyUse(config *wire.DistributionConfig, id string) error {
	used := usedPolicies(config)
	for _, k := range []struct {
		ids    []string
		custom func(string) bool
		code   string
	}{
		{used.cache, func(id string) bool { return s.cachePolicies[id] != nil }, "TooManyDistributionsAssociatedToCachePolicy"},
		{used.originRequest, func(id string) bool { return s.originRequestPolicies[id] != nil }, "TooManyDistributionsAssociatedToOriginRequestPolicy"},
	} {
		for _, policy := range k.ids {
			if !k.custom(policy) {
				continue
			}
			if users := s.users(policy); len(users) >= s.limits.DistributionsPerPolicy && !slices.Contains(users, id) {
				return refuse(k.code, "The policy %s is used by %d distributions, which is the limit. Make another policy with the same settings.", policy, len(users))
			}
		}
	}
	return nil
}

// succeed starts the fact that replaces a distribution's present one: all as it is, a new ETag.
func (s *state) succeed(d *distributionState, now time.Time, by journal.Actor) *journal.DistributionPut {
	put := *d.put
	put.ETag, put.LastModified, put.By = newETag(), now, by
	return &put
}

// putDistribution folds a creation or a replacement in.
func (s *state) putDistribution(seq uint64, p *journal.DistributionPut) []Change {
	d := s.distributions[p.ID]
	if d == nil {
		d = &distributionState{byID: map[string]*invalidationState{}, byReference: map[string]*invalidationState{}}
		s.distributions[p.ID] = d
		s.domains[p.DomainName] = true
		s.references[wire.Val(p.Config.CallerReference)] = p.ID
	} else {
		s.dropAliases(p.ID, d)
	}
	for _, alias := range aliasesOf(p.Config) {
		s.aliases[alias] = p.ID
	}
	// A tag that is only a label leaves the edges as they are, and the status with them.
	if d.put == nil || d.put.ETag != p.ETag || !maps.Equal(switches(d.put.Tags), switches(p.Tags)) {
		d.seq = seq
		s.open = append(s.open, open{seq: seq, distribution: p.ID})
	}
	d.put = p
	d.clinging.put(seq, p.Tags)
	return []Change{{Kind: ChangeDistribution, ID: p.ID, Status: s.distributionStatus(d)}}
}

func (s *state) deleteDistribution(id string) []Change {
	d := s.distributions[id]
	if d == nil {
		return nil
	}
	s.dropAliases(id, d)
	delete(s.references, wire.Val(d.put.Config.CallerReference))
	delete(s.distributions, id)
	return []Change{{Kind: ChangeDistribution, ID: id}}
}

// dropAliases gives up the aliases of a distribution. In an Extract it may name one that it had given up
// before, and that is another's by now.
func (s *state) dropAliases(id string, d *distributionState) {
	for _, alias := range aliasesOf(d.put.Config) {
		if s.aliases[alias] == id {
			delete(s.aliases, alias)
		}
	}
}

// aliasesOf returns a config's aliases as they are compared: DNS names have no case.
func aliasesOf(config *wire.DistributionConfig) []string {
	if config.Aliases == nil {
		return nil
	}
	lower := make([]string, len(config.Aliases.Items))
	for i, a := range config.Aliases.Items {
		lower[i] = strings.ToLower(a)
	}
	return lower
}
