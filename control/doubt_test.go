package control

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// doubted is a log that was opened in spite of a loss.
type doubted struct {
	*memory.Log
	settled int
}

func (d *doubted) Doubt() bool    { return d.settled == 0 }
func (d *doubted) Settled() error { d.settled++; return nil }

// The control plane comes up with a log that has lost an edge's join: it completes nothing at once before all are known again.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &doubted{Log: memory.New()}
		h := startAs(t, log.Log, log, Limits{})
		defer h.stop()
		began := time.Now()
		// A relay is admitted as an edge is, and nothing is ever heard of it.
		err := h.InviteEdge(t.Context(), someone, Invitation{Token: "t", Hash: "h", Edge: admission.Relay("fra1"), Expires: began.Add(time.Hour)})
		if err = errors.Join(err, h.AdmitEdge(t.Context(), "t", "h", "1")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if d := h.Doubt(); d == nil || !d.Since.Equal(began) || !d.Until.Equal(began.Add(journal.Timing{}.Wait())) || len(d.Unheard) != 0 {
			t.Errorf("doubted, since %v: %+v", began, d)
		}
		d := h.create("one")
		h.wantStatus(d, InProgress) // though nobody is there
		time.Sleep(journal.Timing{}.Wait() + time.Second)
		synctest.Wait()
		h.wantStatus(d, Deployed)
		if log.settled != 1 {
			t.Errorf("settled %d times", log.settled)
		}
		h.wantStatus(h.create("two"), Deployed)
		if d := h.Doubt(); d != nil {
			t.Errorf("still doubted: %+v", d)
		}
	})
}
