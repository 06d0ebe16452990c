package control

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// Distribution is a distribution as of one moment. Config, Tags and what they point to belong to
// the state: read only.
type Distribution struct {
	ID                      string
	ARN                     string
	DomainName              string
	ETag                    string
	Status                  string // InProgress, Deployed
	LastModified            time.Time
	InProgressInvalidations int
	Config                  *wire.DistributionConfig // with the defaults filled in
	Tags                    map[string]string
}

// distributionState is a distribution in the fold, with its invalidations.
type distributionState struct {
	put *journal.DistributionPut // all that it is; immutable
	seq uint64                   // of the newest entry that changed what edges do

	invalidations   []*invalidationState // in order of their numbers: the completed ones first
	byID            map[string]*invalidationState
	byReference     map[string]*invalidationState // by caller reference
	items           int                           // in invalidations
	inProgress      int                           // invalidations in progress
	itemsInProgress int

	wildcardsInProgress int // of the items

	planned []*invalidationState // scheduled, neither in force nor withdrawn, in order of their numbers
	rolling []*invalidationState // of invalidations: turns of theirs are still to come

	clinging clinging
}

// CreateDistribution makes a distribution. Errors: DistributionAlreadyExists, CNAMEAlreadyExists,
// InvalidTagging, TooMany…, and those of distribution.Validate. c is not changed and not kept.
//
// A caller reference that is in use is refused whatever the config, as CloudFront does today (unlike
// an invalidation's): a tool that lost the answer of a create finds its distribution by the id in
// the message.
func (c *Control) CreateDistribution(ctx context.Context, by journal.Actor, config *wire.DistributionConfig, tags map[string]string) (*Distribution, error) {
	config, err := prepareConfig(config)
	if err != nil {
		return nil, err
	}
	var put *journal.DistributionPut
	e, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		if put, err = c.decideCreate(s, config, tags, by); err != nil {
			return nil, err
		}
		return []journal.Fact{{DistributionPut: put}}, nil
	})
	if err != nil {
		return nil, err
	}
	return c.changed(e, put), nil
}

// CopyDistribution makes a distribution with another's configuration. Enabled is true unless req
// says otherwise. ifMatch is the ETag of the one that is copied. Aliases stay where they are, since a
// name belongs to one distribution; of the tags those are copied that switch something.
func (c *Control) CopyDistribution(ctx context.Context, by journal.Actor, primaryID, ifMatch string, req *wire.CopyDistributionRequest) (*Distribution, error) {
	var put *journal.DistributionPut
	e, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		primary, err := s.distribution(primaryID)
		if err != nil {
			return nil, err
		}
		if err := checkIfMatch(ifMatch, primary.put.ETag); err != nil {
			return nil, err
		}
		config := clone(primary.put.Config)
		config.CallerReference = wire.Ptr(wire.Val(req.CallerReference))
		config.Staging = wire.Ptr(wire.Val(req.Staging))
		config.Enabled = wire.Ptr(req.Enabled == nil || *req.Enabled)
		config.Aliases = nil
		distribution.FillDefaults(config)
		if put, err = c.decideCreate(s, config, switches(primary.put.Tags), by); err != nil {
			return nil, err
		}
		return []journal.Fact{{DistributionPut: put}}, nil
	})
	if err != nil {
		return nil, err
	}
	return c.changed(e, put), nil
}

// decideCreate checks a filled-in config against the state and gives it its names.
func (c *Control) decideCreate(s *state, config *wire.DistributionConfig, tags map[string]string, by journal.Actor) (*journal.DistributionPut, error) {
	if err := s.checkConfig(config, ""); err != nil {
		return nil, err
	}
	if err := distribution.ValidateTags(tags); err != nil {
		return nil, err
	}
	if id, taken := s.references[wire.Val(config.CallerReference)]; taken {
		return nil, refuse("DistributionAlreadyExists",
			"The caller reference that you are using to create a distribution is associated with another distribution. Already exists: %s. "+
				"Use a new caller reference, or update that distribution.", id)
	}
	if n := len(s.distributions); n >= s.limits.Distributions {
		return nil, refuse("TooManyDistributions",
			"There are %d distributions, which is the limit. Delete one that is not needed, or raise the limit.", n)
	}
	put := &journal.DistributionPut{
		ID:           newDistributionID(),
		DomainName:   newDomainLabel() + "." + c.cfg.Suffix,
		ETag:         newETag(),
		LastModified: c.now(),
		Config:       config,
		Tags:         maps.Clone(tags),
		By:           by,
	}
	for s.distributions[put.ID] != nil || s.domains[put.DomainName] {
		put.ID, put.DomainName = newDistributionID(), newDomainLabel()+"."+c.cfg.Suffix
	}
	s.resolvePolicies(put)
	return put, nil
}

// UpdateDistribution replaces a configuration as a whole. When nothing changes the ETag stays.
func (c *Control) UpdateDistribution(ctx context.Context, by journal.Actor, id, ifMatch string, config *wire.DistributionConfig) (*Distribution, error) {
	config, err := prepareConfig(config)
	if err != nil {
		return nil, err
	}
	var put *journal.DistributionPut
	e, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		d, err := s.distribution(id)
		if err != nil {
			return nil, err
		}
		if err := checkIfMatch(ifMatch, d.put.ETag); err != nil {
			return nil, err
		}
		if err := checkUpdate(d.put.Config, config); err != nil {
			return nil, err
		}
		if err := s.checkConfig(config, id); err != nil {
			return nil, err
		}
		if equal(config, d.put.Config) {
			return nil, nil
		}
		put = s.succeed(d, c.now(), by)
		put.Config = config
		s.resolvePolicies(put)
		return []journal.Fact{{DistributionPut: put}}, nil
	})
	if err != nil {
		return nil, err
	}
	if e == nil {
		return c.Distribution(id)
	}
	return c.changed(e, put), nil
}

// checkUpdate refuses changes of what never changes.
func checkUpdate(old, config *wire.DistributionConfig) error {
	if was := wire.Val(old.CallerReference); wire.Val(config.CallerReference) != was {
		return refuse("IllegalUpdate", "The CallerReference of a distribution cannot be changed. Send %q, as reading the config returned it.", was)
	}
	if was := wire.Val(old.Staging); wire.Val(config.Staging) != was {
		return refuse("IllegalUpdate", "Staging of a distribution cannot be changed. Send %t, or make another distribution.", was)
	}
	return nil
}

// DeleteDistribution removes a distribution that is disabled and Deployed.
func (c *Control) DeleteDistribution(ctx context.Context, by journal.Actor, id, ifMatch string) error {
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		d, err := s.distribution(id)
		if err != nil {
			return nil, err
		}
		if err := checkIfMatch(ifMatch, d.put.ETag); err != nil {
			return nil, err
		}
		if wire.Val(d.put.Config.Enabled) {
			return nil, refuse("DistributionNotDisabled",
				"The distribution you are trying to delete has not been disabled. Update it with Enabled false, wait until its status is Deployed, and delete it then.")
		}
		if s.distributionStatus(d) != Deployed {
			return nil, refuse("DistributionNotDisabled",
				"The distribution is disabled, but not all edges know it yet. Wait until its status is Deployed, then delete it.")
		}
		return []journal.Fact{{DistributionDeleted: &journal.DistributionDeleted{ID: id, By: by}}}, nil
	})
	return err
}

// Distribution returns one, or NoSuchDistribution.
func (c *Control) Distribution(id string) (*Distribution, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	d, err := c.state.distribution(id)
	if err != nil {
		return nil, err
	}
	return c.view(d), nil
}

// DistributionFilter selects distributions; empty fields select all.
type DistributionFilter struct {
	CachePolicyID         string // uses it in any behavior; NoSuchCachePolicy when there is none
	OriginRequestPolicyID string // uses it in any behavior; NoSuchOriginRequestPolicy when there is none
	Match                 func(*Distribution) bool
}

// Distributions lists distributions ordered by id, those after marker, at most max (0 and more than
// 100 mean 100). With an order that needs no table a page can start after one that is gone.
func (c *Control) Distributions(f DistributionFilter, marker string, max int) (Page[*Distribution], error) {
	found, err := c.selected(f, marker)
	if err != nil {
		return Page[*Distribution]{}, err
	}
	if f.Match != nil {
		found = slices.DeleteFunc(found, func(d *Distribution) bool { return !f.Match(d) })
	}
	return page(found, marker, max, func(d *Distribution) string { return d.ID }), nil
}

// selected lists what the filter's fields select, after marker.
func (c *Control) selected(f DistributionFilter, marker string) (found []*Distribution, err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if f.CachePolicyID != "" {
		if _, err := cachePolicies.find(c.state, f.CachePolicyID); err != nil {
			return nil, err
		}
	}
	if f.OriginRequestPolicyID != "" {
		if _, err := originRequestPolicies.find(c.state, f.OriginRequestPolicyID); err != nil {
			return nil, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.state.distributions)) {
		if d := c.state.distributions[id]; id > marker && f.selects(d) {
			found = append(found, c.view(d))
		}
	}
	return found, nil
}

func (f *DistributionFilter) selects(d *distributionState) bool {
	used := usedPolicies(d.put.Config)
	return (f.CachePolicyID == "" || slices.Contains(used.cache, f.CachePolicyID)) &&
		(f.OriginRequestPolicyID == "" || slices.Contains(used.originRequest, f.OriginRequestPolicyID))
}

// view makes the public form; c.mu is held for reading.
func (c *Control) view(d *distributionState) *Distribution {
	return &Distribution{
		ID:                      d.put.ID,
		ARN:                     c.arn(d.put.ID),
		DomainName:              d.put.DomainName,
		ETag:                    d.put.ETag,
		Status:                  c.state.distributionStatus(d),
		LastModified:            d.put.LastModified,
		InProgressInvalidations: d.inProgress + len(d.planned),
		Config:                  d.put.Config,
		Tags:                    d.put.Tags,
	}
}

// changed is the answer to a command: the distribution as its own entry made it, whatever another
// command has done to it since, and InProgress, since the entry is this moment's.
func (c *Control) changed(e *journal.Entry, put *journal.DistributionPut) *Distribution {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v := c.view(&distributionState{put: put, seq: e.Seq})
	v.Status = InProgress
	if d := c.state.distributions[put.ID]; d != nil {
		v.InProgressInvalidations = d.inProgress + len(d.planned)
	}
	return v
}

const arnPrefix = "arn:aws:cloudfront::"

func (c *Control) arn(distributionID string) string {
	return arnPrefix + c.cfg.AccountID + ":distribution/" + distributionID
}

// prepareConfig copies what a caller sent, so that the facts share nothing with it, and fills it in.
func prepareConfig(config *wire.DistributionConfig) (*wire.DistributionConfig, error) {
	if config == nil {
		return nil, refuse("MissingBody", "This operation requires a body. Send a DistributionConfig.")
	}
	config = clone(config)
	distribution.FillDefaults(config)
	return config, nil
}

// clone copies a structure of wire through JSON, the form in which the journal stores it: what is
// live then has the very shape of what a replay finds.
func clone[T any](v *T) *T {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: a wire structure that JSON cannot hold: " + err.Error())
	}
	into := new(T)
	if err := json.Unmarshal(b, into); err != nil {
		panic("BUG: a wire structure that JSON cannot give back: " + err.Error())
	}
	return into
}

func equal[T any](a, b *T) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
