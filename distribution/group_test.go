package distribution

import (
	"slices"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

func aGroup(f func(g *wire.OriginGroup)) func(*wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) { f(&c.OriginGroups.Items[0]) }
}

func codes(l ...int64) func(*wire.DistributionConfig) {
	return aGroup(func(g *wire.OriginGroup) {
		g.FailoverCriteria.StatusCodes = &wire.StatusCodes{Quantity: ptr(int64(len(l))), Items: l}
	})
}

func members(ids ...string) func(*wire.DistributionConfig) {
	return aGroup(func(g *wire.OriginGroup) {
		g.Members = &wire.OriginGroupMembers{Quantity: ptr(int64(len(ids)))}
		for _, id := range ids {
			g.Members.Items = append(g.Members.Items, wire.OriginGroupMember{OriginId: &id})
		}
	})
}

// toGroup lets behavior 1 name the group.
func toGroup(c *wire.DistributionConfig) { c.CacheBehaviors.Items[1].TargetOriginId = ptr("both") }

var refusedGroups = []refusal{
	{"InvalidArgument", "OriginGroups.Items[0].Id", aGroup(func(g *wire.OriginGroup) { g.Id = nil })},
	{"InvalidArgument", "OriginGroups.Items[0].Id", aGroup(func(g *wire.OriginGroup) { g.Id = ptr("") })},
	{"InvalidArgument", "OriginGroups.Items[0].Id", aGroup(func(g *wire.OriginGroup) { g.Id = ptr("web") })},
	{"InvalidArgument", "OriginGroups", func(c *wire.DistributionConfig) {
		c.OriginGroups.Quantity, c.OriginGroups.Items = ptr(int64(2)), append(c.OriginGroups.Items, grouped("both", "bucket", "web", 404))
	}},
	{"TooManyOriginGroupsPerDistribution", "OriginGroups", func(c *wire.DistributionConfig) {
		for range 10 {
			c.OriginGroups.Items = append(c.OriginGroups.Items, c.OriginGroups.Items[0])
		}
		c.OriginGroups.Quantity = ptr(int64(11))
	}},
	{"InconsistentQuantities", "OriginGroups.Quantity", func(c *wire.DistributionConfig) { c.OriginGroups.Quantity = ptr(int64(2)) }},
	{"InvalidArgument", "OriginGroups.Items[0].Members", aGroup(func(g *wire.OriginGroup) { g.Members = nil })},
	{"InvalidArgument", "OriginGroups.Items[0].Members", members("web")},
	{"InvalidArgument", "OriginGroups.Items[0].Members", members("web", "bucket", "web")},
	{"InvalidArgument", "OriginGroups.Items[0].Members", members("web", "web")},
	{"NoSuchOrigin", "OriginGroups.Items[0].Members.Items[1].OriginId", members("web", "nope")},
	{"NoSuchOrigin", "OriginGroups.Items[0].Members.Items[0].OriginId", members("both", "web")},
	{"InvalidArgument", "OriginGroups.Items[0].FailoverCriteria", aGroup(func(g *wire.OriginGroup) { g.FailoverCriteria = nil })},
	{"InvalidArgument", "FailoverCriteria.StatusCodes.Items", codes()},
	{"InvalidArgument", "FailoverCriteria.StatusCodes.Items[1]", codes(500, 501)},
	{"InvalidArgument", "FailoverCriteria.StatusCodes", codes(500, 500)},
	{"InvalidArgument", "OriginGroups.Items[0].SelectionCriteria", aGroup(func(g *wire.OriginGroup) { g.SelectionCriteria = ptr("best") })},
	{"InvalidArgument", "OriginGroups.Items[0].SelectionCriteria", aGroup(func(g *wire.OriginGroup) { g.SelectionCriteria = ptr("media-quality-based") })},
	{"InvalidArgument", "CacheBehaviors.Items[1].AllowedMethods", func(c *wire.DistributionConfig) {
		toGroup(c)
		c.CacheBehaviors.Items[1].AllowedMethods = &wire.AllowedMethods{Quantity: ptr(int64(7)), Items: methodBits[:]}
	}},
	{"InvalidHeadersForS3Origin", "CacheBehaviors.Items[0].ForwardedValues.Headers", func(c *wire.DistributionConfig) {
		c.CacheBehaviors.Items[0].TargetOriginId = ptr("both")
		c.CacheBehaviors.Items[0].ForwardedValues.Headers = names1("Host")
	}},
}

func TestValidate_RefusesGroups(t *testing.T) { refuses(t, refusedGroups) }

func TestGroup_AcceptsAllCodes(t *testing.T) {
	c := filled(rich())
	toGroup(c)
	codes(failoverCodes...)(c)
	c.OriginGroups.Items[0].SelectionCriteria = ptr("default")
	g := compiled(t, c).Groups[0]
	for _, code := range failoverCodes {
		if !g.FailsOver(int(code)) {
			t.Errorf("%d is no failure", code)
		}
	}
	if g.FailsOver(200) || g.FailsOver(501) {
		t.Error("a code that is not listed is a failure")
	}
}

// What the second gets is the second's: path, host and custom headers; the key does not know of it.
func TestGroup_TheSecondHasItsOwn(t *testing.T) {
	c := rich()
	toGroup(c)
	d, alone := compiled(t, c), compiled(t, rich())
	r := request("GET /a.css", "Host: www.example.com")
	b := d.Behavior(r.Path)
	first, second := b.Forward(d, r), b.Second("GET").Forward(d, r)
	if first.Path != "/a.css" || first.Host != "www.example.com" || first.Fields.Has("X-Secret") {
		t.Errorf("the first gets %+v", first)
	}
	if second.Path != "/v1/a.css" || second.Host != "b.s3.amazonaws.com" || second.Fields.Get("X-Secret") != "s3cret" {
		t.Errorf("the second gets %+v", second)
	}
	if key(d, r) != key(alone, r) {
		t.Error("the group is in the key")
	}
	if b.Group != d.Groups[0] || b.Origin.ID != "web" || b.Second("GET").Origin.ID != "bucket" || !b.Second("GET").Origin.S3 {
		t.Errorf("compiled to %+v", b)
	}
}

func TestGroup_OnlyForWhatMayBeAskedTwice(t *testing.T) {
	c := rich()
	toGroup(c)
	b := compiled(t, c).Behavior("/a.css")
	for _, m := range []string{"GET", "HEAD", "OPTIONS"} {
		if b.Second(m) == nil {
			t.Errorf("no second for %s", m)
		}
	}
	for _, m := range []string{"POST", "PUT", "PATCH", "DELETE", "get", ""} {
		if b.Second(m) != nil {
			t.Errorf("a second for %q", m)
		}
	}
	if b.Second("GET").Second("GET") != nil {
		t.Error("a third")
	}
}

func TestGroup_DefaultsKeepWhatWasSent(t *testing.T) {
	c := rich()
	c.OriginGroups.Items[0].SelectionCriteria = ptr("")
	FillDefaults(c)
	g := c.OriginGroups.Items[0]
	if g.SelectionCriteria != nil || !slices.Equal(g.FailoverCriteria.StatusCodes.Items, []int64{500, 503}) {
		t.Errorf("read back as %+v", g)
	}
}

func TestGroup_NamesTheRule(t *testing.T) {
	c := filled(rich())
	toGroup(c)
	c.CacheBehaviors.Items[1].AllowedMethods.Quantity, c.CacheBehaviors.Items[1].AllowedMethods.Items = ptr(int64(7)), methodBits[:]
	if e := asError(t, Validate(c, Known{})); !strings.Contains(e.Message, "cannot include POST, PUT, PATCH, or DELETE for a cached behavior associated with an origin group") {
		t.Errorf("clients that know CloudFront's words read %q", e.Message)
	}
}
