package control

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// Policy is a managed or a custom policy. Config is read only.
type Policy[C any] struct {
	ID           string
	ETag         string
	LastModified time.Time
	Managed      bool
	Config       *C
}

// The kinds of policies.
type (
	CachePolicy         = Policy[wire.CachePolicyConfig]
	OriginRequestPolicy = Policy[wire.OriginRequestPolicyConfig]
)

// policyKind is what one kind of policy has of its own; the commands below are the same for all.
type policyKind[C any] struct {
	noun string // "cache policy"
	code string // "CachePolicy", in error codes

	tooMany  string // error code
	limit    func(Limits) int
	fill     func(*C)
	validate func(*C) error
	name     func(*C) string
	custom   func(*state) map[string]*Policy[C]
	managed  func() []*Policy[C]
	put      func(p *Policy[C], by journal.Actor) journal.Fact
	deleted  func(journal.PolicyDeleted) journal.Fact
	place    func(*journal.DistributionPut) *map[string]*C // where a distribution keeps its copies
}

var cachePolicies = policyKind[wire.CachePolicyConfig]{
	noun: "cache policy", code: "CachePolicy", tooMany: "TooManyCachePolicies",
	limit:    func(l Limits) int { return l.CachePolicies },
	fill:     distribution.FillCachePolicyDefaults,
	validate: distribution.ValidateCachePolicy,
	name:     func(c *wire.CachePolicyConfig) string { return wire.Val(c.Name) },
	custom:   func(s *state) map[string]*CachePolicy { return s.cachePolicies },
	managed: func() (all []*CachePolicy) {
		for _, p := range distribution.ManagedCachePolicies() {
			all = append(all, &CachePolicy{ID: p.ID, ETag: managedETag(p.ID), LastModified: p.LastModified, Managed: true, Config: p.Config})
		}
		return all
	},
	put: func(p *CachePolicy, by journal.Actor) journal.Fact {
		return journal.Fact{CachePolicyPut: &journal.CachePolicyPut{ID: p.ID, ETag: p.ETag, LastModified: p.LastModified, Config: p.Config, By: by}}
	},
	deleted: func(d journal.PolicyDeleted) journal.Fact { return journal.Fact{CachePolicyDeleted: &d} },
	place: func(p *journal.DistributionPut) *map[string]*wire.CachePolicyConfig {
		return &p.CachePolicies
	},
}

var originRequestPolicies = policyKind[wire.OriginRequestPolicyConfig]{
	noun: "origin request policy", code: "OriginRequestPolicy", tooMany: "TooManyOriginRequestPolicies",
	limit:    func(l Limits) int { return l.OriginRequestPolicies },
	fill:     distribution.FillOriginRequestPolicyDefaults,
	validate: distribution.ValidateOriginRequestPolicy,
	name:     func(c *wire.OriginRequestPolicyConfig) string { return wire.Val(c.Name) },
	custom:   func(s *state) map[string]*OriginRequestPolicy { return s.originRequestPolicies },
	managed: func() (all []*OriginRequestPolicy) {
		for _, p := range distribution.ManagedOriginRequestPolicies() {
			all = append(all, &OriginRequestPolicy{ID: p.ID, ETag: managedETag(p.ID), LastModified: p.LastModified, Managed: true, Config: p.Config})
		}
		return all
	},
	put: func(p *OriginRequestPolicy, by journal.Actor) journal.Fact {
		return journal.Fact{OriginRequestPolicyPut: &journal.OriginRequestPolicyPut{ID: p.ID, ETag: p.ETag, LastModified: p.LastModified, Config: p.Config, By: by}}
	},
	deleted: func(d journal.PolicyDeleted) journal.Fact { return journal.Fact{OriginRequestPolicyDeleted: &d} },
	place: func(p *journal.DistributionPut) *map[string]*wire.OriginRequestPolicyConfig {
		return &p.OriginRequestPolicies
	},
}

// find returns a policy, managed or custom, or NoSuch….
func (k *policyKind[C]) find(s *state, id string) (*Policy[C], error) {
	if p := k.custom(s)[id]; p != nil {
		return p, nil
	}
	for _, p := range k.managed() {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, refuse("NoSuch"+k.code, "The %s does not exist: %q. List the policies to find its id.", k.noun, id)
}

// list returns the policies after marker: managed ones as they are known, then custom ones by id.
func (k *policyKind[C]) list(s *state, policyType, marker string, max int) (Page[*Policy[C]], error) {
	switch policyType {
	case "", "managed", "custom":
	default:
		return Page[*Policy[C]]{}, refuse("InvalidArgument", "The policy type %q is not known. Use managed or custom, or leave it out for both.", policyType)
	}
	var all []*Policy[C]
	if policyType == "" || policyType == "managed" {
		all = append(all, k.managed()...)
	}
	if policyType == "" || policyType == "custom" {
		for _, id := range slices.Sorted(maps.Keys(k.custom(s))) {
			all = append(all, k.custom(s)[id])
		}
	}
	if marker != "" {
		last := slices.IndexFunc(all, func(p *Policy[C]) bool { return p.ID == marker })
		if last < 0 { // a custom one, deleted since: its place is known by its id
			for last+1 < len(all) && (all[last+1].Managed || all[last+1].ID < marker) {
				last++
			}
		}
		all = all[last+1:]
	}
	return page(all, marker, max, func(p *Policy[C]) string { return p.ID }), nil
}

// check checks a config by itself, which includes that no name is a managed one's, and refuses a name
// that another policy of the kind has; id is the policy's own.
func (k *policyKind[C]) check(s *state, config *C, id string) error {
	if err := k.validate(config); err != nil {
		return err
	}
	name := k.name(config)
	for _, p := range k.custom(s) {
		if p.ID != id && k.name(p.Config) == name {
			return refuse(k.code+"AlreadyExists", "A %s with the name %q already exists: %s. Choose another name, or update that policy.", k.noun, name, p.ID)
		}
	}
	return nil
}

func (k *policyKind[C]) create(ctx context.Context, c *Control, by journal.Actor, config *C) (*Policy[C], error) {
	config, err := k.prepare(config)
	if err != nil {
		return nil, err
	}
	var made *Policy[C]
	_, err = c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		if err := k.check(s, config, ""); err != nil {
			return nil, err
		}
		if n := len(k.custom(s)); n >= k.limit(s.limits) {
			return nil, refuse(k.tooMany, "There are %d policies of this kind, which is the limit. Delete one that is not needed, or raise the limit.", n)
		}
		made = &Policy[C]{ID: newUUID(), ETag: newETag(), LastModified: c.now(), Config: config}
		return []journal.Fact{k.put(made, by)}, nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// update replaces a policy; each distribution that uses it gets its new resolved copy, and with it
// a new ETag, in the same entry: no edge ever sees one without the other.
func (k *policyKind[C]) update(ctx context.Context, c *Control, by journal.Actor, id, ifMatch string, config *C) (*Policy[C], error) {
	config, err := k.prepare(config)
	if err != nil {
		return nil, err
	}
	var made *Policy[C]
	_, err = c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		old, err := k.changeable(s, id, ifMatch, "IllegalUpdate")
		if err != nil {
			return nil, err
		}
		if err := k.check(s, config, id); err != nil {
			return nil, err
		}
		if equal(config, old.Config) {
			made = old
			return nil, nil
		}
		made = &Policy[C]{ID: id, ETag: newETag(), LastModified: c.now(), Config: config}
		facts := []journal.Fact{k.put(made, by)}
		for _, user := range s.users(id) {
			put := s.succeed(s.distributions[user], made.LastModified, by)
			copies := maps.Clone(*k.place(put))
			copies[id] = config
			*k.place(put) = copies
			facts = append(facts, journal.Fact{DistributionPut: put})
		}
		return facts, nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

func (k *policyKind[C]) delete(ctx context.Context, c *Control, by journal.Actor, id, ifMatch string) error {
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		if _, err := k.changeable(s, id, ifMatch, "IllegalDelete"); err != nil {
			return nil, err
		}
		if users := s.users(id); len(users) > 0 {
			return nil, refuse(k.code+"InUse", "The %s is used by %d distributions, among them %s. Give them another policy first.", k.noun, len(users), users[0])
		}
		return []journal.Fact{k.deleted(journal.PolicyDeleted{ID: id, By: by})}, nil
	})
	return err
}

// changeable returns the policy with this id if it may be changed: custom, and as the caller saw it.
func (k *policyKind[C]) changeable(s *state, id, ifMatch, illegal string) (*Policy[C], error) {
	p, err := k.find(s, id)
	if err != nil {
		return nil, err
	}
	if p.Managed {
		return nil, refuse(illegal, "The %s %s is a managed one and cannot be changed. Create a custom policy with the settings that you need.", k.noun, id)
	}
	return p, checkIfMatch(ifMatch, p.ETag)
}

func (k *policyKind[C]) prepare(config *C) (*C, error) {
	if config == nil {
		return nil, refuse("MissingBody", "This operation requires a body. Send a %sConfig.", k.code)
	}
	config = clone(config)
	k.fill(config)
	return config, nil
}

// managedETag derives a managed policy's ETag from its id: the policy never changes.
func managedETag(id string) string {
	etag := []byte("E")
	for i := 0; i < len(id) && len(etag) <= idLength; i++ {
		switch b := id[i]; {
		case b >= 'a' && b <= 'z':
			etag = append(etag, b-'a'+'A')
		case b >= '0' && b <= '9':
			etag = append(etag, b)
		}
	}
	return string(etag)
}
