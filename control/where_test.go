package control

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
)

func TestWhere_IsAcceptedInCanonicalForm(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("a")
		then := time.Date(2026, 5, 1, 12, 0, 0, 0, time.FixedZone("", 7200))
		terms := func(status ...string) Terms {
			return Terms{Where: &journal.Where{Status: status, Host: []string{"B.example", "a.example"}, StoredBefore: then}}
		}
		inv := h.plan(d, "i", terms("4XX", "404"), "/a")
		const want = "status 4xx; host a.example, b.example; stored before 2026-05-01T10:00:00Z"
		if got := WhereText(inv.Where); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if again := h.plan(d, "i", terms("4xx"), "/a"); again.ID != inv.ID {
			t.Error("what means the same is another invalidation")
		}
		for name, other := range map[string]Terms{"others": terms("404"), "none": {}} {
			_, _, err := h.Invalidate(t.Context(), someone, d.ID, batch("i", "/a"), other)
			if err == nil || code(err) != "InvalidationBatchAlreadyExists" {
				t.Errorf("the reference with %s: %v", name, err)
			}
		}
		planned := terms("500")
		planned.At = time.Now().Add(time.Hour)
		later := h.plan(d, "later", planned, "/b")
		empty := h.plan(d, "empty", Terms{Where: &journal.Where{Status: []string{}}}, "/b")
		if empty.Where != nil {
			t.Errorf("no condition is a condition: %+v", empty.Where)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if v, _ := h.Invalidation(d.ID, later.ID); v.InForce.IsZero() || WhereText(v.Where) != WhereText(planned.Where) {
			t.Errorf("in force: %+v", v)
		}
		for text, want := range map[string]int{"B.EXAMPLE": 2, "status 5": 1, "stored before": 2} {
			if p, err := h.History(HistoryFilter{Text: text}, "", 0); err != nil || len(p.Items) != want {
				t.Errorf("%q finds %d, want %d; %v", text, len(p.Items), want, err)
			}
		}
	})
}

func TestWhere_Refusals(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("a")
		for name, w := range map[string]journal.Where{
			"Status": {Status: []string{"4"}}, "ContentType": {ContentType: []string{"*/*"}}, "Host": {Host: []string{"https://a"}},
			"StoredBefore": {StoredBefore: time.Date(1, 2, 3, 0, 0, 0, 0, time.UTC)},
		} {
			_, _, err := h.Invalidate(t.Context(), someone, d.ID, batch("i", "/a"), Terms{Where: &w})
			if err == nil || code(err) != "InvalidArgument" || !strings.Contains(err.Error(), "The condition "+name+" ") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
