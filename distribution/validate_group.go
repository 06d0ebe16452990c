package distribution

import (
	"slices"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

const (
	maxOriginGroups = 10
	groupMembers    = 2
)

// failoverCodes are those that a group may take for a failure of its first member.
var failoverCodes = []int64{400, 403, 404, 416, 429, 500, 502, 503, 504}

func (v *checker) groups(c *wire.DistributionConfig, path string) {
	groups := c.OriginGroups.Items
	v.must(len(groups) <= maxOriginGroups, "TooManyOriginGroupsPerDistribution", path, "there are %d, the limit is %d", len(groups), maxOriginGroups)
	origins := originIDs(c)
	var ids []string
	for i := range groups {
		g, at := &groups[i], item(path, i)
		v.must(*g.Id != "" && len(*g.Id) <= 128, "InvalidArgument", at+".Id", "give 1 to 128 characters")
		v.must(!slices.Contains(origins, *g.Id), "InvalidArgument", at+".Id", "%q is the Id of an origin: choose another, for a behavior names either by its Id", *g.Id)
		v.group(g, origins, at)
		ids = append(ids, *g.Id)
	}
	v.distinct(ids, false, path)
}

func originIDs(c *wire.DistributionConfig) (ids []string) {
	for i := range c.Origins.Items {
		ids = append(ids, *c.Origins.Items[i].Id)
	}
	return ids
}

func (v *checker) group(g *wire.OriginGroup, origins []string, path string) {
	members := g.Members.Items
	v.must(len(members) == groupMembers, "InvalidArgument", path+".Members", "there are %d: list %d, first the one that is asked first", len(members), groupMembers)
	var ids []string
	for i, m := range members {
		if !slices.Contains(origins, *m.OriginId) && v.err == nil {
			v.err = noSuchOrigin(item(path+".Members", i)+".OriginId", *m.OriginId)
		}
		ids = append(ids, *m.OriginId)
	}
	v.distinct(ids, false, path+".Members")

	codes := g.FailoverCriteria.StatusCodes.Items
	for i, code := range codes {
		v.must(slices.Contains(failoverCodes, code), "InvalidArgument", item(path+".FailoverCriteria.StatusCodes", i), "%d is not one of %v", code, failoverCodes)
		v.must(!slices.Contains(codes[:i], code), "InvalidArgument", path+".FailoverCriteria.StatusCodes", "%d is there twice: remove one", code)
	}
	v.oneOf(g.SelectionCriteria, wire.OriginGroupSelectionCriteriaValues, path+".SelectionCriteria")
	v.refuse(wire.Val(g.SelectionCriteria) == "media-quality-based", "InvalidArgument", path+".SelectionCriteria", "set it to \"default\" or remove it")
}

// groupTarget is the group that a behavior names, or nil.
func groupTarget(b *wire.CacheBehavior, c *wire.DistributionConfig) *wire.OriginGroup {
	for i := range c.OriginGroups.Items {
		if g := &c.OriginGroups.Items[i]; *g.Id == *b.TargetOriginId {
			return g
		}
	}
	return nil
}

// s3Target tells whether answers to a behavior may come from a bucket.
func s3Target(b *wire.CacheBehavior, c *wire.DistributionConfig) bool {
	ids := []string{*b.TargetOriginId}
	if g := groupTarget(b, c); g != nil {
		ids = ids[:0]
		for _, m := range g.Members.Items {
			ids = append(ids, *m.OriginId)
		}
	}
	for i := range c.Origins.Items {
		if o := &c.Origins.Items[i]; o.S3OriginConfig != nil && slices.Contains(ids, *o.Id) {
			return true
		}
	}
	return false
}
