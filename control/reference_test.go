package control

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// L8: a caller reference is one invalidation, with its terms: whoever sends it with others, or with none where there were some,
// is told so, and not of one that does something else. Before and after a restart.
func TestReference_L8_IsOfOneRequest(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		h.join("FRA50-1")
		h.join("GRU50-1")
		d := h.create("a")
		at := time.Now().Add(24 * time.Hour)
		when := func(value string) Terms {
			return Terms{When: &journal.Condition{URL: "https://origin.example.com/v", Field: "ETag", Value: value}}
		}
		refetch := paced(2)
		refetch.Pace.Refetch = true
		all := map[string]Terms{
			"plain": {}, "at": {At: at}, "later": {At: at.Add(time.Hour)}, "when": when("v1"), "else": when("v2"),
			"paced": paced(2), "slower": paced(1), "refetch": refetch,
			"located": byLocation(0), "paused": byLocation(time.Minute), "ordered": byLocation(0, "GRU"),
			"where": {Where: &journal.Where{Status: []string{"404"}}}, "elsewhere": {Where: &journal.Where{Status: []string{"4xx"}}},
		}
		ids := map[string]string{}
		for name, terms := range all {
			ids[name] = h.plan(d, name, terms, "/a").ID
		}
		synctest.Wait()
		compare := func(h *harness) {
			for name, id := range ids {
				for other, terms := range all {
					if name == other && terms.Pace != nil && terms.Pace.ByLocation != nil && terms.Pace.ByLocation.First == nil {
						terms.Pace = &journal.Pace{ByLocation: &journal.ByLocation{First: []string{}, Pause: terms.Pace.ByLocation.Pause}} // is the same
					}
					terms.Comment = "again"
					inv, created, err := h.Invalidate(context.Background(), someone, d.ID, batch(name, "/a"), terms)
					switch {
					case name == other && (err != nil || created || inv.ID != id):
						t.Errorf("%s again: %+v %v", name, inv, err)
					case name != other && (err == nil || code(err) != "InvalidationBatchAlreadyExists"):
						t.Errorf("reference of %s, terms of %s: %v", name, other, err)
					}
				}
			}
		}
		compare(h)
		h.stop()
		again := start(t, h.log, Limits{})
		defer again.stop()
		compare(again)
	})
}
