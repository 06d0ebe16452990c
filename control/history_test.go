package control

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// found walks all pages of a search and returns the caller references.
func (h *harness) found(f HistoryFilter, max int) (references []string) {
	h.t.Helper()
	for marker := ""; ; {
		p, err := h.History(f, marker, max)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(p.Items) > max || p.Truncated != (p.NextMarker != "") {
			h.t.Fatalf("%d items, %+v", len(p.Items), p.NextMarker)
		}
		for _, r := range p.Items {
			references = append(references, r.Invalidation.CallerReference)
		}
		if marker = p.NextMarker; marker == "" {
			return references
		}
	}
}

func TestHistory_SearchFindsWhatALinearLookFinds(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		r := rand.New(rand.NewPCG(1, 7))
		var all []*Invalidation // newest first
		ds := []*Distribution{h.create("a"), h.create("b"), h.create("c")}
		began := time.Now()
		edge := h.join("FRA50-1")
		for i := range 60 {
			time.Sleep(time.Minute)
			who := journal.Actor{User: []string{"anna", "ci"}[r.IntN(2)], AccessKey: "AK" + fmt.Sprint(r.IntN(3)), Address: "192.0.2.1"}
			inv, _, err := h.Invalidate(t.Context(), who, ds[r.IntN(3)].ID, batch(fmt.Sprint("ref", i), fmt.Sprintf("/P%d/x", r.IntN(4))), Terms{Comment: []string{"", "Fixes the Logo"}[r.IntN(2)]})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			all = append([]*Invalidation{inv}, all...)
			if i == 40 {
				edge.ackAll()
			}
		}
		for _, k := range []struct {
			filter HistoryFilter
			want   func(*Invalidation) bool
		}{
			{HistoryFilter{}, func(*Invalidation) bool { return true }},
			{HistoryFilter{DistributionID: ds[1].ID}, func(v *Invalidation) bool { return v.DistributionID == ds[1].ID }},
			{HistoryFilter{Text: "/p2/"}, func(v *Invalidation) bool { return v.Items[0] == "/P2/x" }},
			{HistoryFilter{Text: "logo"}, func(v *Invalidation) bool { return v.Comment != "" }},
			{HistoryFilter{Text: "REF7"}, func(v *Invalidation) bool { return v.CallerReference == "ref7" }},
			{HistoryFilter{By: "anna"}, func(v *Invalidation) bool { return v.By.User == "anna" }},
			{HistoryFilter{By: "AK1"}, func(v *Invalidation) bool { return v.By.AccessKey == "AK1" }},
			{HistoryFilter{By: "192.0.2.1", Text: "/P0"}, func(v *Invalidation) bool { return strings.HasPrefix(v.Items[0], "/P0") }},
			{HistoryFilter{From: began.Add(10 * time.Minute), Before: began.Add(20 * time.Minute)}, func(v *Invalidation) bool {
				return !v.CreateTime.Before(began.Add(10*time.Minute)) && v.CreateTime.Before(began.Add(20*time.Minute))
			}},
			{HistoryFilter{Status: Completed}, func(v *Invalidation) bool { return h.status(v) == Completed }},
			{HistoryFilter{Status: InProgress}, func(v *Invalidation) bool { return h.status(v) == InProgress }},
			{HistoryFilter{Text: "nowhere"}, func(*Invalidation) bool { return false }},
		} {
			var want []string
			for _, v := range all {
				if k.want(v) {
					want = append(want, v.CallerReference)
				}
			}
			for _, max := range []int{1, 7, 100} {
				if got := h.found(k.filter, max); !slices.Equal(got, want) {
					t.Errorf("%+v by %d: %v, want %v", k.filter, max, got, want)
				}
			}
		}
	})
}

// What is searched is all that says what an invalidation is about: also what it waits for.
func TestHistory_FindsConditions(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("a")
		h.plan(d, "waits", Terms{When: &journal.Condition{URL: "https://origin.example.com/version.txt", Field: "ETag", Value: `"v42"`}}, "/a")
		h.plan(d, "narrow", Terms{Where: &journal.Where{ContentType: []string{"image/png"}}}, "/a")
		h.invalidate(d, "plain", "/a")
		for text, want := range map[string]string{"VERSION.TXT": "waits", `etag: "v42"`: "waits", "image/png": "narrow", "plain": "plain"} {
			if got := h.found(HistoryFilter{Text: text}, 100); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %v, want %s", text, got, want)
			}
		}
	})
}

func TestHistory_HasReceipts(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		edge := h.join("FRA50-1")
		inv := h.invalidate(h.create("a"), "i", "/a")
		time.Sleep(time.Second)
		edge.ackAll()
		p, err := h.History(HistoryFilter{}, "", 0)
		if err != nil || len(p.Items) != 1 {
			t.Fatal(p, err)
		}
		if r := p.Items[0]; r.Invalidation.ID != inv.ID || r.Took != time.Second || len(r.Edges) != 1 || !r.Edges[0].Applied {
			t.Errorf("%+v", r)
		}
	})
}

func TestHistory_Refusals(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		_, err := h.History(HistoryFilter{}, "x", 0)
		wantCode(t, err, "InvalidArgument")
		_, err = h.History(HistoryFilter{DistributionID: "E0"}, "", 0)
		wantCode(t, err, "NoSuchDistribution")
		d := h.create("a")
		for _, comment := range []string{strings.Repeat("x", maxComment+1), "two\nlines", "\xff"} {
			_, _, err = h.Invalidate(t.Context(), someone, d.ID, batch("i", "/a"), Terms{Comment: comment})
			wantCode(t, err, "InvalidArgument")
		}
	})
}
