package control

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// A caller without a deadline gets an answer, though the journal gives none, and in as much time however many ask. When it is back, all goes on.
func TestCommands_EndThoughTheJournalDoesNotAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("a")
		h.log.SetFaults(memory.Faults{
			Append: func(*journal.Entry) memory.AppendFault { return memory.Lost },
			Read:   func(uint64) error { return errors.New("no answer") },
		})
		began, answers := time.Now(), make(chan error)
		for range 20 {
			go func() {
				_, _, err := h.CreateInvalidation(t.Context(), someone, d.ID, batch("i", "/a"))
				if code(err) == "ServiceUnavailable" && !strings.Contains(err.Error(), "Nothing was changed") && !strings.Contains(err.Error(), `safe to repeat it with the caller reference "i"`) {
					t.Errorf("it says %q", err) // and not what to do
				}
				answers <- err
			}()
			go func() {
				_, err := h.CreateDistribution(t.Context(), someone, config("b"), nil)
				answers <- err
			}()
			go func() { answers <- h.Leave(t.Context(), journal.EdgeLeft{Edge: "FRA50-1"}) }()
		}
		for range 60 {
			if err := <-answers; err == nil {
				t.Error("a command was confirmed by nobody")
			}
		}
		if took := time.Since(began); took > commandTime {
			t.Errorf("the last answer came after %v", took)
		}
		h.log.SetFaults(memory.Faults{})
		h.invalidate(d, "j", "/a")
		h.update(d, func(c *wire.DistributionConfig) { c.Comment = wire.Ptr("b") })
	})
}
