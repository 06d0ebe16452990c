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

// doubted is a log that may have been opened in spite of a loss.
type doubted struct {
	*memory.Log
	doubt          bool
	found, settled int // how often it was said
}

func (d *doubted) Doubt() bool    { return d.doubt }
func (d *doubted) Doubted() error { d.found++; d.doubt = true; return nil }
func (d *doubted) Settled() error { d.settled++; d.doubt = false; return nil }

// The control plane comes up with a log that has lost an edge's join: it completes nothing at once before all are known again.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &doubted{Log: memory.New(), doubt: true}
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

// An edge has what the log has lost. The control plane that learns so is restarted before that is settled: the next one must not complete at once,
// for another edge may have joined in what is gone.
func TestDoubt_OutlastsARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &doubted{Log: memory.New()}
		h := startAs(t, log.Log, log, Limits{})
		e := h.join("FRA50-1")
		h.wantStatus(h.create("one"), InProgress)
		e.ackAll()
		entries, err := log.Read(t.Context(), log.Last(), 1)
		if err != nil {
			t.Fatal(err)
		}
		err = log.Ack(t.Context(), journal.Ack{Edge: e.name, Incarnation: e.inc, Epoch: entries[0].Epoch, Seq: entries[0].Seq, ID: "lost"})
		synctest.Wait()
		if err != nil || h.Doubt() == nil {
			t.Fatalf("not doubted: %v", err)
		}
		h.stop()
		h = startAs(t, log.Log, log, Limits{})
		defer h.stop()
		e.h = h
		d := h.create("two")
		e.ackAll()
		h.wantStatus(d, InProgress)
		time.Sleep(journal.Timing{}.Wait() + time.Second)
		e.ackAll()
		h.wantStatus(d, Deployed)
		if log.found != 1 || log.settled != 1 {
			t.Errorf("found out %d times, settled %d times", log.found, log.settled)
		}
	})
}
