package control

import (
	"fmt"
	"slices"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
)

func (h *harness) trail() (all []string) {
	h.t.Helper()
	marker := ""
	for {
		p, err := h.Audit(marker, 2)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, e := range p.Items {
			who := e.By.User
			if who == "" {
				who = "-"
			}
			all = append(all, e.Action+" "+e.Resource+" "+who)
		}
		if !p.Truncated {
			slices.Reverse(all)
			return all
		}
		marker = p.NextMarker
	}
}

func TestAudit_NamesWhatWasDone(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		e := h.join("FRA50-1")
		p, err := h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig("mine", 100))
		if err != nil {
			t.Fatal(err)
		}
		o, err := h.CreateOriginRequestPolicy(t.Context(), someone, originRequestPolicyConfig("theirs"))
		if err != nil {
			t.Fatal(err)
		}
		d := h.create("a", cachePolicy(p.ID))
		inv := h.invalidate(d, "i", "/*")
		if p, err = h.UpdateCachePolicy(t.Context(), someone, p.ID, p.ETag, cachePolicyConfig("mine", 200)); err != nil {
			t.Fatal(err)
		}
		d, _ = h.Distribution(d.ID)
		if err := h.Tag(t.Context(), someone, d.ARN, map[string]string{"a": "b"}); err != nil {
			t.Fatal(err)
		}
		if err := h.Untag(t.Context(), someone, d.ARN, []string{"a"}); err != nil {
			t.Fatal(err)
		}
		d = h.update(d, disabled, cachePolicy(cachingOptimized))
		if err := h.DeleteOriginRequestPolicy(t.Context(), someone, o.ID, o.ETag); err != nil {
			t.Fatal(err)
		}
		e.ackAll()
		if err := h.DeleteDistribution(t.Context(), journal.Actor{User: "other"}, d.ID, d.ETag); err != nil {
			t.Fatal(err)
		}
		if err := h.DeleteCachePolicy(t.Context(), someone, p.ID, p.ETag); err != nil {
			t.Fatal(err)
		}
		e.leave()

		dist := "distribution/" + d.ID
		want := []string{
			"EdgeJoined edge/FRA50-1 -",
			"CreateCachePolicy cache-policy/" + p.ID + " ops",
			"CreateOriginRequestPolicy origin-request-policy/" + o.ID + " ops",
			"CreateDistribution " + dist + " ops",
			"CreateInvalidation " + dist + "/invalidation/" + inv.ID + " ops",
			"UpdateCachePolicy cache-policy/" + p.ID + " ops",
			"TagResource " + dist + " ops",
			"UntagResource " + dist + " ops",
			"UpdateDistribution " + dist + " ops",
			"DeleteOriginRequestPolicy origin-request-policy/" + o.ID + " ops",
			"DeleteDistribution " + dist + " other",
			"DeleteCachePolicy cache-policy/" + p.ID + " ops",
			"EdgeLeft edge/FRA50-1 -",
		}
		if got := h.trail(); !slices.Equal(got, want) {
			t.Errorf("got\n%q\nwant\n%q", got, want)
		}
		first, err := h.Audit("", 1)
		if err != nil || len(first.Items) != 1 || first.Items[0].Time.IsZero() || first.Items[0].Seq == 0 {
			t.Errorf("%+v %v", first, err)
		}
		for _, marker := range []string{"x", "1", "1.x"} {
			_, err := h.Audit(marker, 1)
			wantCode(t, err, "InvalidArgument")
		}
	})
}

func TestAudit_IsBounded(t *testing.T) {
	bubbleLimits(t, Limits{Audit: 5}, func(t *testing.T, h *harness) {
		d := h.create("a")
		for i := range 17 {
			h.invalidate(d, fmt.Sprint(i), "/*")
			if n := len(h.state.audit.entries); n > 10 {
				t.Fatalf("%d entries are held", n)
			}
		}
		before, err := h.Audit("", 2)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(h.trail()); n != 5 {
			t.Errorf("%d entries, want the newest 5", n)
		}
		for i := range 5 { // the marker's entry is forgotten meanwhile: nothing older is left
			h.invalidate(d, fmt.Sprint("later", i), "/*")
		}
		after, err := h.Audit(before.NextMarker, 2)
		if err != nil || len(after.Items) != 0 || after.Truncated {
			t.Errorf("%+v %v", after, err)
		}
		if _, err := h.UpdateDistribution(t.Context(), someone, d.ID, d.ETag, changed(d.Config, func(c *wire.DistributionConfig) {})); err != nil {
			t.Fatal(err)
		}
		if got := h.trail(); got[len(got)-1][:18] != "CreateInvalidation" {
			t.Error("a change that changes nothing is in the trail")
		}
	})
}
