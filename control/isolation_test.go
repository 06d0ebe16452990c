package control

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/distribution"
)

func isolated(policy string) map[string]string {
	return map[string]string{distribution.TagIsolation: policy}
}

// later lets virtual time pass.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// unbound tells what the receipt says of its only edge.
func (h *harness) unbound(inv *Invalidation) (bool, string) {
	h.t.Helper()
	r, err := h.Receipt(inv.DistributionID, inv.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(r.Edges) != 1 {
		h.t.Fatalf("receipt %+v", r)
	}
	return r.Edges[0].Unbound, r.Edges[0].Lagging
}

func TestIsolation_ReceiptsSayForWhomCompletedDoesNotSpeak(t *testing.T) {
	for policy, want := range map[string]bool{"": false, "revalidate": false, "bypass": false, "fail": false, "serve-stale": true} {
		t.Run(policy, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *harness) {
				edge := h.join("FRA50-1")
				var tags map[string]string
				if policy != "" {
					tags = isolated(policy)
				}
				d := h.createTagged("r1", tags)
				edge.ackAll()
				inv := h.invalidate(d, "i1", "/a.png")
				later(3 * time.Second)
				if is, why := h.unbound(inv); is || strings.Contains(why, "will not speak for it") != want {
					t.Errorf("in progress: %v, %s", is, why)
				}
				later(time.Minute)
				h.wantStatus(inv, Completed)
				if is, why := h.unbound(inv); is != want || strings.Contains(why, "does not speak for it") != want {
					t.Errorf("completed: %v, %s", is, why)
				}
				edge.ackAll() // it is back, and has caught up
				if is, why := h.unbound(inv); is || strings.Contains(why, "until it was back") != want {
					t.Errorf("afterwards: %v, %s", is, why)
				}
			})
		})
	}
}

// What counts is what the edge knows: it may have been told so, and not have heard that it is over.
func TestIsolation_AsTheEdgeKnowsIt(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		edge := h.join("FRA50-1")
		d := h.createTagged("r1", isolated("serve-stale"))
		edge.ackAll()
		if err := h.Tag(t.Context(), someone, d.ARN, isolated("fail")); err != nil {
			t.Fatal(err)
		}
		inv := h.invalidate(d, "i1", "/a.png")
		later(time.Minute)
		if is, _ := h.unbound(inv); !is {
			t.Error("the edge has not heard of the change")
		}
		edge.ackAll()
		if is, _ := h.unbound(inv); is {
			t.Error("it is back")
		}
		next := h.invalidate(d, "i2", "/b.png")
		later(time.Minute)
		if is, _ := h.unbound(next); is {
			t.Error("it knows the change")
		}
	})
}

func TestIsolation_WhenItBegins(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		edge := h.join("FRA50-1")
		d := h.create("r1")
		edge.ackAll()
		inv := h.invalidate(d, "i1", "/a.png")
		later(time.Minute)
		if err := h.Tag(t.Context(), someone, d.ARN, isolated("serve-stale")); err != nil {
			t.Fatal(err)
		}
		if is, why := h.unbound(inv); is {
			t.Errorf("the edge cannot know what came later: %s", why)
		}
		edge.leave()
		if is, _ := h.unbound(inv); is {
			t.Error("it has left")
		}
	})
}
