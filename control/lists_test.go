package control

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

func TestList_DistributionsPageByPage(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		var want []string
		for i := range 7 {
			want = append(want, h.create(fmt.Sprint("r", i)).ID)
		}
		slices.Sort(want)
		var got []string
		marker := ""
		for {
			p, err := h.Distributions(DistributionFilter{}, marker, 3)
			if err != nil {
				t.Fatal(err)
			}
			if p.MaxItems != 3 || p.Marker != marker || p.Truncated != (p.NextMarker != "") {
				t.Fatalf("page %+v", p)
			}
			for _, d := range p.Items {
				got = append(got, d.ID)
			}
			if !p.Truncated {
				break
			}
			marker = p.NextMarker
			if len(got) == 3 { // the marker's distribution goes away between two pages
				d := h.update(p.Items[2], disabled)
				if err := h.DeleteDistribution(t.Context(), someone, d.ID, d.ETag); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestList_DistributionsFiltered(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		p, err := h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig("mine", 60))
		if err != nil {
			t.Fatal(err)
		}
		h.create("r1")
		d := h.create("r2", cachePolicy(p.ID))
		for _, f := range []DistributionFilter{
			{CachePolicyID: p.ID},
			{Match: func(v *Distribution) bool { return wire.Val(v.Config.CallerReference) == "r2" }},
		} {
			got, err := h.Distributions(f, "", 0)
			if err != nil || len(got.Items) != 1 || got.Items[0].ID != d.ID {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
}

func TestList_InvalidationsNewestFirst(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("r1")
		for i := range 205 {
			h.invalidate(d, fmt.Sprint(i), "/*")
		}
		next, marker := 204, ""
		for _, size := range []int{100, 100, 5} {
			p, err := h.Invalidations(d.ID, marker, 0)
			if err != nil || len(p.Items) != size || p.Truncated != (size == 100) {
				t.Fatalf("%d items, truncated %v, %v", len(p.Items), p.Truncated, err)
			}
			for _, inv := range p.Items {
				if inv.CallerReference != fmt.Sprint(next) {
					t.Fatalf("%s, want %d", inv.CallerReference, next)
				}
				next--
			}
			marker = p.NextMarker
		}
	})
}

func TestList_PoliciesManagedFirst(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		for i := range 3 {
			if _, err := h.CreateCachePolicy(t.Context(), someone, cachePolicyConfig(fmt.Sprint("p", i), 60)); err != nil {
				t.Fatal(err)
			}
		}
		all, err := h.CachePolicies("", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		managed, _ := h.CachePolicies("managed", "", 0)
		custom, _ := h.CachePolicies("custom", "", 0)
		if len(custom.Items) != 3 || len(all.Items) != len(managed.Items)+3 || !all.Items[0].Managed || all.Items[len(all.Items)-1].Managed {
			t.Fatalf("%d managed, %d custom, %d in all", len(managed.Items), len(custom.Items), len(all.Items))
		}
		var got []string
		marker := ""
		for {
			p, err := h.CachePolicies("", marker, 1)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p.Items[0].ID)
			if marker = p.NextMarker; marker == "" {
				break
			}
		}
		for i, p := range all.Items {
			if got[i] != p.ID {
				t.Fatalf("page by page %v", got)
			}
		}
		// A page goes on after a custom policy that is gone.
		gone := custom.Items[0]
		if err := h.DeleteCachePolicy(t.Context(), someone, gone.ID, gone.ETag); err != nil {
			t.Fatal(err)
		}
		if p, _ := h.CachePolicies("", gone.ID, 0); len(p.Items) != 2 || p.Items[0].ID != custom.Items[1].ID {
			t.Errorf("after the one that is gone: %+v", p)
		}
	})
}

func TestWatch_TellsWhatChanged(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		changes, stop := h.Watch()
		edge := h.join("FRA50-1")
		d := h.create("r1")
		inv := h.invalidate(d, "i1", "/a")
		edge.ack(inv.Seq)
		stop()
		stop()
		var got []string
		for c := range changes {
			got = append(got, fmt.Sprint(c.Kind, " ", c.Status))
		}
		want := []string{"node ", "distribution InProgress", "invalidation InProgress", "node ", "distribution Deployed", "invalidation Completed"}
		if !slices.Equal(got, want) {
			t.Errorf("%q\nwant %q", got, want)
		}
	})
}

func TestWatch_DeployedOnlyOfTheNewestChange(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		edge := h.join("FRA50-1")
		d := h.create("r1")
		first := h.log.Last()
		h.update(d, comment("x"))
		changes, stop := h.Watch()
		edge.ack(first)
		stop()
		for c := range changes {
			if c.Kind == ChangeDistribution {
				t.Errorf("told %+v while a newer change is in progress", c)
			}
		}
	})
}

func TestWatch_SlowWatcherIsToldSo(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		changes, stop := h.Watch()
		defer stop()
		d := h.create("r1")
		for i := range watchBuffer {
			h.invalidate(d, fmt.Sprint(i), "/a")
		}
		synctest.Wait()
		if first := <-changes; first.Kind != ChangeMissed {
			t.Errorf("first of what is left: %+v", first)
		}
		last := h.log.Last()
		for len(changes) > 1 {
			<-changes
		}
		if c := <-changes; c.Seq != last {
			t.Errorf("the newest change is %+v, want that of entry %d", c, last)
		}
	})
}

func TestNew_SaysWhatIsWrong(t *testing.T) {
	for _, c := range []Config{
		{},
		{Log: &slowLog{}, Suffix: ".localhost"},
		{Log: &slowLog{}, AccountID: "12"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
