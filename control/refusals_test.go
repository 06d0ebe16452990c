package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
)

// try is a command that must be refused, on a distribution that exists.
type try func(ctx context.Context, h *harness, d *Distribution) error

func tryInvalidate(b *wire.InvalidationBatch) try {
	return func(ctx context.Context, h *harness, d *Distribution) error {
		_, _, err := h.CreateInvalidation(ctx, someone, d.ID, b)
		return err
	}
}

func tryCreate(c *wire.DistributionConfig) try {
	return func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.CreateDistribution(ctx, someone, c, nil)
		return err
	}
}

func tryUpdate(etag string, change ...func(*wire.DistributionConfig)) try {
	return func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.UpdateDistribution(ctx, someone, d.ID, cmp.Or(etag, d.ETag), changed(d.Config, change...))
		return err
	}
}

type refusalRow struct {
	name, code string
	say        string // part of the message
	do         try
}

// Each row is refused with CloudFront's code, says what to do, and leaves no fact behind.
var refusalRows = []refusalRow{
	{"same reference", "DistributionAlreadyExists", "new caller reference", tryCreate(config("r1"))},
	{"alias in use", "CNAMEAlreadyExists", "www.example.com", tryCreate(config("r2", aliases("WWW.example.com")))},
	{"no body", "MissingBody", "Send", tryCreate(nil)},
	{"no If-Match", "InvalidIfMatchVersion", "Send the ETag", tryUpdate("nonsense", comment("x"))},
	{"outdated If-Match", "PreconditionFailed", "Read it again", tryUpdate("E0123456789ABC", comment("x"))},
	{"another reference", "IllegalUpdate", `"r1"`, tryUpdate("", func(c *wire.DistributionConfig) { c.CallerReference = wire.Ptr("x") })},
	{"staging changed", "IllegalUpdate", "Staging", tryUpdate("", func(c *wire.DistributionConfig) { c.Staging = wire.Ptr(true) })},
	{"delete enabled", "DistributionNotDisabled", "Enabled false", func(ctx context.Context, h *harness, d *Distribution) error {
		return h.DeleteDistribution(ctx, someone, d.ID, d.ETag)
	}},
	{"delete with an outdated ETag", "PreconditionFailed", "", func(ctx context.Context, h *harness, d *Distribution) error {
		return h.DeleteDistribution(ctx, someone, d.ID, "E0123456789ABC")
	}},
	{"delete what is not there", "NoSuchDistribution", "", func(ctx context.Context, h *harness, d *Distribution) error {
		return h.DeleteDistribution(ctx, someone, "E0", d.ETag)
	}},
	{"copy what is not there", "NoSuchDistribution", "", func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.CopyDistribution(ctx, someone, "E0", d.ETag, &wire.CopyDistributionRequest{})
		return err
	}},

	{"no batch", "MissingBody", "", tryInvalidate(nil)},
	{"no reference", "InvalidArgument", "CallerReference", tryInvalidate(batch("", "/a"))},
	{"long reference", "InvalidArgument", "shorter", tryInvalidate(batch(strings.Repeat("r", maxReference+1), "/a"))},
	{"no paths", "InvalidArgument", "at least one", tryInvalidate(batch("i"))},
	{"wrong quantity", "InconsistentQuantities", "(7)", tryInvalidate(&wire.InvalidationBatch{CallerReference: wire.Ptr("i"),
		Paths: &wire.Paths{Quantity: wire.Ptr[int64](7), Items: []string{"/a"}}})},
	{"no quantity", "InconsistentQuantities", "", tryInvalidate(&wire.InvalidationBatch{CallerReference: wire.Ptr("i"), Paths: &wire.Paths{Items: []string{"/a"}}})},
	{"too many paths", "BatchTooLarge", "Split it", tryInvalidate(batch("i", slices.Repeat([]string{"/a"}, 3001)...))},
	{"paths too long together", "BatchTooLarge", "Split it", tryInvalidate(batch("i", slices.Repeat([]string{"/" + strings.Repeat("a", 3000)}, 400)...))},
	{"no slash", "InvalidArgument", `Number 2: invalid item "img/*"`, tryInvalidate(batch("i", "/ok", "img/*"))},
	{"a mangled path", "InvalidArgument", "MSYS_NO_PATHCONV", tryInvalidate(batch("i", "C:/Program Files/Git/x"))},
	{"other paths", "InvalidationBatchAlreadyExists", "new caller reference", tryInvalidate(batch("i0", "/other"))},
	{"of nothing", "NoSuchDistribution", "", func(ctx context.Context, h *harness, d *Distribution) error {
		_, _, err := h.CreateInvalidation(ctx, someone, "E0", batch("i", "/a"))
		return err
	}},
	{"no such invalidation", "NoSuchInvalidation", "", func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.Invalidation(d.ID, "I0")
		return err
	}},
	{"marker that is none", "InvalidArgument", "without a marker", func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.Invalidations(d.ID, "I0", 0)
		return err
	}},

	{"name in use", "CachePolicyAlreadyExists", "another name", func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.CreateCachePolicy(ctx, someone, cachePolicyConfig("taken", 60))
		return err
	}},
	{"no such policy", "NoSuchCachePolicy", "", func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.UpdateCachePolicy(ctx, someone, "x", d.ETag, cachePolicyConfig("n", 60))
		return err
	}},
	{"policy with a wrong ETag", "InvalidIfMatchVersion", "", func(ctx context.Context, h *harness, d *Distribution) error {
		return h.DeleteCachePolicy(ctx, someone, h.policy("taken").ID, "")
	}},
	{"unknown policy type", "InvalidArgument", "managed or custom", func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.CachePolicies("wild", "", 0)
		return err
	}},
	{"users of no policy", "NoSuchCachePolicy", "", func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.Distributions(DistributionFilter{CachePolicyID: "x"}, "", 0)
		return err
	}},
	{"users of no origin request policy", "NoSuchOriginRequestPolicy", "", func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.Distributions(DistributionFilter{OriginRequestPolicyID: "x"}, "", 0)
		return err
	}},

	{"tag nothing", "NoSuchResource", "", func(ctx context.Context, h *harness, d *Distribution) error {
		return h.Tag(ctx, someone, h.arn("E0"), map[string]string{"a": "b"})
	}},
	{"tag of another account", "NoSuchResource", "", func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.Tags(strings.Replace(d.ARN, "1234", "9999", 1))
		return err
	}},
	{"tag no ARN", "InvalidArgument", "arn:aws:cloudfront::123456789012:distribution/", func(ctx context.Context, h *harness, d *Distribution) error {
		return h.Untag(ctx, someone, d.ID, []string{"a"})
	}},
	{"join as nobody", "InvalidArgument", "", func(ctx context.Context, h *harness, d *Distribution) error {
		_, err := h.Join(ctx, journal.EdgeJoined{Edge: "FRA50-1"})
		return err
	}},
}

func TestRefused(t *testing.T) {
	for _, r := range refusalRows {
		t.Run(r.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *harness) {
				d := h.create("r1", aliases("www.example.com"))
				h.invalidate(d, "i0", "/first")
				if _, err := h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig("taken", 60)); err != nil {
					t.Fatal(err)
				}
				before := h.log.Last()
				err := r.do(t.Context(), h, d)
				wantCode(t, err, r.code)
				var e *Error
				if errors.As(err, &e) && (!strings.Contains(e.Message, r.say) || !strings.HasSuffix(e.Message, ".")) {
					t.Errorf("message %q, want it to say %q", e.Message, r.say)
				}
				if got := h.facts(before); got != "" {
					t.Errorf("a refused command left facts:\n%s", got)
				}
			})
		})
	}
}

func (h *harness) policy(name string) *CachePolicy {
	for _, p := range h.state.cachePolicies {
		if wire.Val(p.Config.Name) == name {
			return p
		}
	}
	return nil
}

func TestRefused_ManagedPoliciesStay(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		p, err := h.CachePolicy(cachingOptimized)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.UpdateCachePolicy(t.Context(), someone, p.ID, p.ETag, cachePolicyConfig("n", 1))
		wantCode(t, err, "IllegalUpdate")
		wantCode(t, h.DeleteCachePolicy(t.Context(), someone, p.ID, p.ETag), "IllegalDelete")
		_, err = h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig(wire.Val(p.Config.Name), 1))
		wantCode(t, err, "InvalidArgument")
		_, err = h.OriginRequestPolicy(allViewer)
		wantCode(t, err, "<nil>")
	})
}

func TestRefused_UnknownPolicy(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		_, err := h.CreateDistribution(t.Context(), someone, config("r1", cachePolicy("00000000-0000-4000-8000-000000000000")), nil)
		wantCode(t, err, "NoSuchCachePolicy")
	})
}

func TestRefused_DeleteBeforeEdgesKnow(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		edge := h.join("FRA50-1")
		d := h.update(h.create("r1"), disabled)
		wantCode(t, h.DeleteDistribution(t.Context(), someone, d.ID, d.ETag), "DistributionNotDisabled")
		edge.ackAll()
		wantCode(t, h.DeleteDistribution(t.Context(), someone, d.ID, d.ETag), "<nil>")
	})
}

func TestRefused_Quotas(t *testing.T) {
	limits := Limits{Distributions: 2, CachePolicies: 1, OriginRequestPolicies: 1, DistributionsPerPolicy: 1, InvalidationsInProgress: 3}
	bubbleLimits(t, limits, func(t *testing.T, h *harness) {
		p, err := h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig("one", 60))
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig("two", 60))
		wantCode(t, err, "TooManyCachePolicies")

		d := h.create("r1", cachePolicy(p.ID))
		_, err = h.CreateDistribution(t.Context(), someone, config("r2", cachePolicy(p.ID)), nil)
		wantCode(t, err, "TooManyDistributionsAssociatedToCachePolicy")
		d = h.update(d, comment("its own user may go on"))
		h.create("r2")
		_, err = h.CreateDistribution(t.Context(), someone, config("r3"), nil)
		wantCode(t, err, "TooManyDistributions")

		edge := h.join("FRA50-1")
		h.invalidate(d, "i1", "/a", "/b")
		_, _, err = h.CreateInvalidation(t.Context(), someone, d.ID, batch("i2", "/c", "/d"))
		wantCode(t, err, "TooManyInvalidationsInProgress")
		edge.ackAll()
		h.invalidate(d, "i2", "/c", "/d")
	})
}

func TestHistory_IsBounded(t *testing.T) {
	bubbleLimits(t, Limits{History: 5, HistoryItems: 8}, func(t *testing.T, h *harness) {
		edge := h.join("FRA50-1")
		d := h.create("r1")
		for i := range 9 {
			h.invalidate(d, fmt.Sprint("i", i), "/a")
		}
		p, _ := h.Invalidations(d.ID, "", 0)
		if len(p.Items) != 9 {
			t.Errorf("%d kept, want all: none is completed", len(p.Items))
		}
		edge.ackAll()
		h.invalidate(d, "i9", "/a", "/b", "/c", "/d")
		p, _ = h.Invalidations(d.ID, "", 0)
		if len(p.Items) != 5 || p.Items[4].CallerReference != "i5" {
			t.Errorf("%d kept, want the newest 5", len(p.Items))
		}
		edge.ackAll()
		h.invalidate(d, "i10", "/a", "/b", "/c")
		if p, _ = h.Invalidations(d.ID, "", 0); len(p.Items) != 3 {
			t.Errorf("%d kept, want those with 8 items together", len(p.Items))
		}
		// A reference that is forgotten is free.
		if inv := h.invalidate(d, "i0", "/other"); inv.Status != InProgress {
			t.Errorf("%+v", inv)
		}
		edge.ackAll()
		synctest.Wait()
	})
}

func TestHistory_AgesOut(t *testing.T) {
	bubbleLimits(t, Limits{HistoryAge: time.Hour}, func(t *testing.T, h *harness) {
		d := h.create("r1")
		old := h.invalidate(d, "i1", "/a")
		time.Sleep(59 * time.Minute)
		h.invalidate(d, "i2", "/a")
		h.wantStatus(old, Completed)
		time.Sleep(2 * time.Minute)
		h.invalidate(d, "i3", "/a")
		h.wantStatus(old, "NoSuchInvalidation")
		if p, _ := h.Invalidations(d.ID, "", 0); len(p.Items) != 2 {
			t.Errorf("%d kept, want 2", len(p.Items))
		}
	})
}

// Time passes by the journal's entries, whatever they say: what is too old goes, also of a distribution that nobody invalidates any more, and
// also when another control node reads the log.
func TestHistory_AgesOutThoughNothingIsInvalidatedAnyMore(t *testing.T) {
	bubbleLimits(t, Limits{HistoryAge: time.Hour, Audit: 1}, func(t *testing.T, h *harness) {
		d, other := h.create("r1"), h.create("r2")
		old := h.invalidate(d, "i1", "/a")
		scheduled, _, err := h.Invalidate(t.Context(), someone, d.ID, batch("later", "/b"), Terms{At: time.Now().Add(10 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		gone, _, err := h.Invalidate(t.Context(), someone, other.ID, batch("later", "/b"), Terms{At: time.Now().Add(10 * time.Hour)})
		if err == nil {
			_, err = h.Withdraw(t.Context(), someone, other.ID, gone.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		h.tick()
		h.wantStatus(old, Completed)
		h.wantStatus(gone, Withdrawn)
		time.Sleep(3 * time.Minute)
		h.tick()
		h.wantStatus(old, "NoSuchInvalidation")
		h.wantStatus(gone, "NoSuchInvalidation")
		h.wantStatus(scheduled, Scheduled)
		if p, err := h.History(HistoryFilter{}, "", 0); err != nil || len(p.Items) != 1 {
			t.Errorf("%+v, %v", p.Items, err)
		}
		x := NewExtract(h.cfg.Limits)
		for _, e := range h.entries() {
			x.Add(e)
		}
		for _, e := range x.Entries() { // nor does a compaction keep it, which leaves out the ticks
			if e.Seq == old.Seq && e.Facts[0].Forgotten == nil {
				t.Errorf("it is kept: %+v", e.Facts[0])
			}
		}
		if inv, created, err := h.CreateInvalidation(t.Context(), someone, d.ID, batch("i1", "/other")); !created || err != nil { // its reference is free
			t.Errorf("%+v, %v", inv, err)
		}
	})
}

// One whose turns take long holds up nothing else: what is completed behind it is forgotten as ever, and it stays.
func TestHistory_IsBoundedWhileOneComesLocationByLocation(t *testing.T) {
	bubbleLimits(t, Limits{History: 5, HistoryItems: 8}, func(t *testing.T, h *harness) {
		d := h.create("r1")
		edges := []*fakeEdge{h.join("FRA50-1"), h.join("GRU50-1")}
		settle := func() {
			for _, e := range edges {
				e.ackAll()
			}
		}
		var slow []*Invalidation
		for i := range 2 {
			inv, _, err := h.Invalidate(t.Context(), someone, d.ID, batch(fmt.Sprint("slow", i), slices.Repeat([]string{"/a"}, 6)...), Terms{Pace: &journal.Pace{ByLocation: &journal.ByLocation{Pause: 20 * time.Hour}}})
			if err != nil {
				t.Fatal(err)
			}
			slow = append(slow, inv)
			settle()
			h.invalidate(d, fmt.Sprint("between", i), "/a")
			settle()
		}
		var newest []*Invalidation
		for i := range 30 {
			newest = append(newest, h.invalidate(d, fmt.Sprint("i", i), "/a"))
			settle()
		}
		p, err := h.Invalidations(d.ID, "", 0)
		if err != nil || len(p.Items) != 5+2 {
			t.Errorf("%d are kept, %v", len(p.Items), err)
		}
		for i, inv := range newest {
			want := "NoSuchInvalidation"
			if i >= 25 {
				want = Completed
			}
			h.wantStatus(inv, want)
		}
		if n := len(p.Items); n > 2 && (p.Items[n-1].ID != slow[0].ID || p.Items[n-2].ID != slow[1].ID) {
			t.Errorf("the oldest are %s and %s, want those that are under way", p.Items[n-1].ID, p.Items[n-2].ID)
		}
		found, err := h.History(HistoryFilter{Text: "slow"}, "", 0)
		if err != nil || len(found.Items) != 2 {
			t.Errorf("%+v, %v", found, err)
		}
		time.Sleep(21 * time.Hour) // its last turn
		synctest.Wait()
		settle()
		for i := range 6 {
			h.invalidate(d, fmt.Sprint("after", i), "/a")
			settle()
		}
		for _, inv := range slow {
			h.wantStatus(inv, "NoSuchInvalidation")
		}
	})
}

func TestRefused_AWSQuotasCountWildcardsApart(t *testing.T) {
	limits := Limits{}.AWS()
	limits.InvalidationsInProgress = 2
	bubbleLimits(t, limits, func(t *testing.T, h *harness) {
		d := h.create("r")
		edge := h.join("FRA50-1")
		refused := func(reference string, items ...string) {
			t.Helper()
			_, _, err := h.CreateInvalidation(t.Context(), someone, d.ID, batch(reference, items...))
			wantCode(t, err, "TooManyInvalidationsInProgress")
			if alone := len(items) > 2; strings.Contains(err.Error(), "by itself") != alone || strings.Contains(err.Error(), "Wait until") == alone {
				t.Errorf("%d: %v", len(items), err) // for what is too much by itself there is nothing to wait for
			}
		}
		wild := make([]string, 15)
		for i := range wild {
			wild[i] = fmt.Sprintf("/%d/*", i)
		}
		refused("sixteen at once", append(wild, "/*.css")...)
		refused("three at once", "/a", "/b", "/c")
		h.invalidate(d, "fifteen", wild...)
		refused("one more", "/a/*")
		h.invalidate(d, "others are counted apart", "/a", "#tag")
		refused("a third", "/b")
		edge.ackAll()
		h.invalidate(d, "again", append(wild, "/a", "/b")...)
	})
}
