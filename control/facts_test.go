package control

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/tier"
)

// story is a harness with the things that a row talks about.
type story struct {
	*harness
	d *Distribution // exists, with the tag Name=one
	p *CachePolicy  // what the row makes
}

type commandRow struct {
	name  string
	do    func(t *testing.T, h *story) error
	facts string // entry by entry, without the completions
	check func(t *testing.T, h *story)
}

// Each row is a command, the facts that it makes, and what is then to be read.
var commandRows = []commandRow{
	{name: "create",
		do: func(t *testing.T, h *story) (err error) {
			h.d, err = h.CreateDistribution(t.Context(), someone, config("r2", aliases("www.example.com")), map[string]string{"Name": "two"})
			return err
		},
		facts: "DistributionPut",
		check: func(t *testing.T, h *story) {
			if h.d.ID[0] != 'E' || len(h.d.ID) != 14 || h.d.DomainName[0] != 'd' || len(h.d.DomainName) != 14+len(".localhost") || !couldBeETag(h.d.ETag) {
				t.Errorf("names %s %s %s", h.d.ID, h.d.DomainName, h.d.ETag)
			}
			if want := "arn:aws:cloudfront::123456789012:distribution/" + h.d.ID; h.d.ARN != want {
				t.Errorf("ARN %s, want %s", h.d.ARN, want)
			}
			got, err := h.Distribution(h.d.ID)
			if err != nil || got.ETag != h.d.ETag || got.Status != Deployed || got.Tags["Name"] != "two" {
				t.Errorf("%+v %v", got, err)
			}
		}},
	{name: "update",
		do: func(t *testing.T, h *story) error {
			before := h.d
			after, err := h.UpdateDistribution(t.Context(), someone, h.d.ID, h.d.ETag, changed(h.d.Config, comment("new")))
			if err == nil && (after.ETag == before.ETag || after.Status != InProgress || wire.Val(after.Config.Comment) != "new") {
				t.Errorf("%+v", after)
			}
			return err
		},
		facts: "DistributionPut"},
	{name: "update to the same",
		do: func(t *testing.T, h *story) error {
			after, err := h.UpdateDistribution(t.Context(), someone, h.d.ID, h.d.ETag, h.d.Config)
			if err == nil && after.ETag != h.d.ETag {
				t.Errorf("ETag %s became %s though nothing has changed", h.d.ETag, after.ETag)
			}
			return err
		}},
	{name: "copy",
		do: func(t *testing.T, h *story) error {
			if err := h.Tag(t.Context(), someone, h.d.ARN, map[string]string{"warmfront:wildcards": "aws"}); err != nil {
				return err
			}
			copied, err := h.CopyDistribution(t.Context(), someone, h.d.ID, h.d.ETag, &wire.CopyDistributionRequest{CallerReference: wire.Ptr("copy")})
			if err == nil && (copied.ID == h.d.ID || wire.Val(copied.Config.Aliases.Quantity) != 0 || !wire.Val(copied.Config.Enabled) || len(copied.Tags) != 1) {
				t.Errorf("%+v", copied)
			}
			return err
		},
		facts: "DistributionPut\nDistributionPut"},
	{name: "delete",
		do: func(t *testing.T, h *story) error {
			off := h.update(h.d, disabled)
			return h.DeleteDistribution(t.Context(), someone, h.d.ID, off.ETag)
		},
		facts: "DistributionPut\nDistributionDeleted",
		check: func(t *testing.T, h *story) {
			_, err := h.Distribution(h.d.ID)
			wantCode(t, err, "NoSuchDistribution")
			// Its names are free again, but for the domain name.
			again := h.create("r1", aliases("www.example.com"))
			if again.DomainName == h.d.DomainName || !h.state.domains[h.d.DomainName] {
				t.Errorf("domain name %s may be used again", h.d.DomainName)
			}
		}},
	{name: "invalidate",
		do: func(t *testing.T, h *story) error {
			inv, created, err := h.CreateInvalidation(t.Context(), someone, h.d.ID, batch("i", "/b", "/a", "#News"))
			if err == nil && (!created || inv.ID[0] != 'I' || len(inv.ID) != 14) {
				t.Errorf("%+v", inv)
			}
			return err
		},
		facts: "Invalidated[/b /a #News]"},
	{name: "invalidate again",
		do: func(t *testing.T, h *story) error {
			first := h.invalidate(h.d, "i", "/b", "/a")
			again, created, err := h.CreateInvalidation(t.Context(), someone, h.d.ID, batch("i", "/a", "/b"))
			if err == nil && (created || again.ID != first.ID || again.Items[0] != "/b") {
				t.Errorf("the repetition made %+v", again)
			}
			return err
		},
		facts: "Invalidated[/b /a]"},
	{name: "the same paths with another reference",
		do: func(t *testing.T, h *story) error {
			h.invalidate(h.d, "i", "/a")
			h.invalidate(h.d, "j", "/a")
			return nil
		},
		facts: "Invalidated[/a]\nInvalidated[/a]"},
	{name: "tag and untag",
		do: func(t *testing.T, h *story) error {
			if err := h.Tag(t.Context(), someone, h.d.ARN, map[string]string{"a": "1", "b": "2"}); err != nil {
				return err
			}
			if err := h.Tag(t.Context(), someone, h.d.ARN, map[string]string{"a": "1"}); err != nil {
				return err // nothing to do
			}
			return h.Untag(t.Context(), someone, h.d.ARN, []string{"a", "missing"})
		},
		facts: "DistributionPut\nDistributionPut",
		check: func(t *testing.T, h *story) {
			tags, err := h.Tags(h.d.ARN)
			if err != nil || len(tags) != 2 || tags["b"] != "2" || tags["Name"] != "one" {
				t.Errorf("tags %v, %v", tags, err)
			}
			if got, _ := h.Distribution(h.d.ID); got.ETag != h.d.ETag {
				t.Error("a tag is no part of the config: the ETag must stay")
			}
		}},
	{name: "cache policy",
		do: func(t *testing.T, h *story) (err error) {
			if h.p, err = h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig("mine", 60)); err != nil {
				return err
			}
			if h.p, err = h.UpdateCachePolicy(t.Context(), someone, h.p.ID, h.p.ETag, cachePolicyConfig("mine", 61)); err != nil {
				return err
			}
			return h.DeleteCachePolicy(t.Context(), someone, h.p.ID, h.p.ETag)
		},
		facts: "CachePolicyPut\nCachePolicyPut\nCachePolicyDeleted"},
	{name: "origin request policy",
		do: func(t *testing.T, h *story) error {
			p, err := h.CreateOriginRequestPolicy(t.Context(), someone, originRequestPolicyConfig("mine"))
			if err != nil {
				return err
			}
			if p, err = h.UpdateOriginRequestPolicy(t.Context(), someone, p.ID, p.ETag, originRequestPolicyConfig("yours")); err != nil {
				return err
			}
			return h.DeleteOriginRequestPolicy(t.Context(), someone, p.ID, p.ETag)
		},
		facts: "OriginRequestPolicyPut\nOriginRequestPolicyPut\nOriginRequestPolicyDeleted"},
	{name: "a policy in use changes",
		do: func(t *testing.T, h *story) (err error) {
			if h.p, err = h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig("mine", 60)); err != nil {
				return err
			}
			h.d = h.update(h.d, cachePolicy(h.p.ID))
			if h.d.Tags["Name"] != "one" {
				t.Errorf("an update of the config lost the tags: %v", h.d.Tags)
			}
			h.p, err = h.UpdateCachePolicy(t.Context(), someone, h.p.ID, h.p.ETag, cachePolicyConfig("mine", 61))
			return err
		},
		facts: "CachePolicyPut\nDistributionPut\nCachePolicyPut DistributionPut",
		check: func(t *testing.T, h *story) {
			got, _ := h.Distribution(h.d.ID)
			if got.ETag == h.d.ETag {
				t.Error("the ETag must change with a policy that is used")
			}
			put := h.state.distributions[h.d.ID].put
			if c := put.CachePolicies[h.p.ID]; c == nil || wire.Val(c.MaxTTL) != 61 {
				t.Errorf("the fact carries %+v, want the new policy: edges have no other source", c)
			}
			wantCode(t, h.DeleteCachePolicy(t.Context(), someone, h.p.ID, h.p.ETag), "CachePolicyInUse")
		}},
	{name: "edges",
		do: func(t *testing.T, h *story) error {
			e := h.join("FRA50-1")
			e.leave()
			e.leave() // nobody any more
			return nil
		},
		facts: "EdgeJoined\nEdgeLeft"},
	{name: "places",
		do: func(t *testing.T, h *story) error {
			for _, p := range []tier.Place{
				{Name: "FRA50", Parent: "LHR50"}, {Name: "LHR50", Regions: []string{"eu-west-2", "eu-central-1", "eu-west-2"}}, {Name: "FRA50", Parent: "LHR50"}, {Name: "IAD89"},
			} {
				if err := h.PutPlace(t.Context(), someone, p); err != nil {
					return err
				}
			}
			for _, p := range []tier.Place{
				{Name: "LHR50", Parent: "FRA50"}, {Name: "FRA50", Parent: "FRA50"}, {Name: "nowhere"}, {Name: "FRA50", Parent: "nowhere"}, {},
				{Name: "IAD89", Regions: []string{"eu-west-9"}}, {Name: "IAD89", Regions: []string{"eu-west-2"}},
			} {
				wantCode(t, h.PutPlace(t.Context(), someone, p), "InvalidArgument")
			}
			wantCode(t, h.DeletePlace(t.Context(), someone, "NRT57"), "NoSuchPlace")
			return h.DeletePlace(t.Context(), someone, "IAD89")
		},
		facts: "PlacePut\nPlacePut\nPlacePut\nPlaceDeleted",
		check: func(t *testing.T, h *story) {
			var got []string
			for _, p := range h.Places() {
				got = append(got, fmt.Sprint(p))
			}
			if want := "[{{FRA50 LHR50 []} 0} {{LHR50  [eu-central-1 eu-west-2]} 0}]"; fmt.Sprint(got) != want {
				t.Errorf("%s, want %s", got, want)
			}
			sparing := func(region string) error {
				_, err := h.UpdateDistribution(t.Context(), someone, h.d.ID, h.d.ETag, changed(h.d.Config, func(c *wire.DistributionConfig) {
					c.Origins.Items[0].OriginShield = &wire.OriginShield{Enabled: wire.Ptr(true), OriginShieldRegion: &region}
				}))
				return err
			}
			wantCode(t, sparing("us-east-1"), "InvalidArgument")
			if err := sparing("eu-central-1"); err != nil {
				t.Error(err)
			}
		}},
	{name: "edges of other machines",
		do: func(t *testing.T, h *story) error {
			h.invite("t1", "FRA50-1")
			if err := h.AdmitEdge(t.Context(), "t1", "h", "5e"); err != nil {
				return err
			}
			h.join("FRA50-1").leave()
			return h.RemoveEdge(t.Context(), someone, "FRA50-1")
		},
		facts: "EdgeInvited\nEdgeAdmitted\nEdgeJoined\nEdgeLeft\nEdgeRemoved",
		check: func(t *testing.T, h *story) {
			if _, ok := h.Admitted("FRA50-1"); ok || len(h.AllAdmitted()) != 0 {
				t.Error("still admitted")
			}
		}},
}

func TestFacts_OfEachCommand(t *testing.T) {
	for _, r := range commandRows {
		t.Run(r.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *harness) {
				s := &story{harness: h, d: h.createTagged("r1", map[string]string{"Name": "one"})}
				before := h.log.Last()
				if err := r.do(t, s); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := withoutCompletions(h.facts(before)); got != r.facts {
					t.Errorf("facts:\n%s\nwant:\n%s", got, r.facts)
				}
				if r.check != nil {
					r.check(t, s)
				}
			})
		})
	}
}

func TestDistribution_SwitchesAreDeployed(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		edge := h.join("FRA50-1")
		d := h.create("r1")
		edge.ackAll()
		if err := h.Tag(t.Context(), someone, d.ARN, map[string]string{"Team": "web"}); err != nil {
			t.Fatal(err)
		}
		h.wantStatus(d, Deployed) // a label changes nothing that edges do
		if err := h.Tag(t.Context(), someone, d.ARN, map[string]string{"warmfront:wildcards": "aws"}); err != nil {
			t.Fatal(err)
		}
		h.wantStatus(d, InProgress)
		edge.ackAll()
		h.wantStatus(d, Deployed)
	})
}
