package ownapi

import (
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
)

// doubted is a log that was opened in spite of a loss.
type doubted struct{ *journalmemory.Log }

func (doubted) Doubt() bool    { return true }
func (doubted) Doubted() error { return nil }
func (doubted) Settled() error { return nil }

// While the journal is doubted, the machines and the receipts of what is in progress say so; afterwards they do not.
func TestDoubt(t *testing.T) {
	on(t, func() journal.Log { return doubted{journalmemory.New()} }, func(h *house) {
		type said struct {
			Doubt *struct {
				Since, Until time.Time
				Unheard      int
				Edges        []string
			}
		}
		d := h.create(nil)
		receipts := "/distributions/" + d.ID + "/invalidations/" + h.invalidate(d, "/a").ID + "/receipt"
		for _, path := range []string{"/nodes", receipts} {
			got := ask[said](h, 200, "GET", path, "").Doubt
			if got == nil || got.Until.Sub(got.Since) != (journal.Timing{}).Wait().Truncate(time.Millisecond) || got.Edges == nil || got.Unheard != len(got.Edges) {
				t.Errorf("%s: %+v", path, got)
			}
		}
		h.settle(journal.Timing{}.Wait() + time.Minute)
		for _, path := range []string{"/nodes", receipts} {
			if got := ask[said](h, 200, "GET", path, "").Doubt; got != nil {
				t.Errorf("%s: still %+v", path, got)
			}
		}
	})
}
