package control

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/distribution"
)

// modes are those of the facts since a position, in order.
func (h *harness) modes(since uint64) string {
	h.t.Helper()
	entries, err := h.log.Read(h.t.Context(), since+1, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		for _, f := range e.Facts {
			if f.Invalidated != nil {
				all = append(all, f.Invalidated.Items[0]+":"+string(f.Invalidated.Mode))
			}
			if f.Scheduled != nil {
				all = append(all, "later "+f.Scheduled.Items[0]+":"+string(f.Scheduled.Mode))
			}
		}
	}
	return strings.Join(all, " ")
}

// The default is resolved when an invalidation is accepted: a fact needs no other source.
func TestMode_IsResolvedWhenAccepted(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d, before := h.create("a"), h.log.Last()
		invalidate := func(path string, terms Terms) *Invalidation { return h.plan(d, path, terms, path) }
		tag := func(mode string) {
			if err := h.Tag(t.Context(), someone, d.ARN, map[string]string{distribution.TagInvalidationMode: mode}); err != nil {
				t.Fatal(err)
			}
		}
		one := invalidate("/1", Terms{})
		two := invalidate("/2", Terms{Mode: distribution.InvalidationStale})
		tag(distribution.InvalidationStale)
		invalidate("/3", Terms{})
		invalidate("/4", Terms{Mode: distribution.InvalidationRemove})
		later := invalidate("/5", Terms{At: time.Now().Add(time.Hour)})
		tag(distribution.InvalidationRemove)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got, want := h.modes(before), "/1: /2:stale /3:stale /4: later /5:stale /5:stale"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if one.Mode != distribution.InvalidationRemove || two.Mode != distribution.InvalidationStale || later.Mode != distribution.InvalidationStale {
			t.Errorf("%s, %s, %s", one.Mode, two.Mode, later.Mode)
		}
		if v, _ := h.Invalidation(d.ID, later.ID); v.Mode != distribution.InvalidationStale {
			t.Errorf("in force: %s", v.Mode)
		}
	})
}

// Sent again it is the same invalidation, whatever the default is by then, unless another mode is asked for.
func TestMode_OfARepeatedRequest(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("a")
		first := h.plan(d, "r", Terms{Mode: distribution.InvalidationStale}, "/a")
		for _, again := range []string{"", distribution.InvalidationStale} {
			if inv := h.plan(d, "r", Terms{Mode: again}, "/a"); inv.ID != first.ID || inv.Mode != distribution.InvalidationStale {
				t.Errorf("%q: %+v", again, inv)
			}
		}
		_, _, err := h.Invalidate(t.Context(), someone, d.ID, batch("r", "/a"), Terms{Mode: distribution.InvalidationRemove})
		if no := new(Error); !errors.As(err, &no) || no.Code != "InvalidationBatchAlreadyExists" {
			t.Errorf("another mode: %v", err)
		}
		_, _, err = h.Invalidate(t.Context(), someone, d.ID, batch("s", "/a"), Terms{Mode: "fade"})
		if no := new(Error); !errors.As(err, &no) || no.Code != "InvalidArgument" || !strings.Contains(no.Message, `"fade"`) {
			t.Errorf("no mode: %v", err)
		}
	})
}
