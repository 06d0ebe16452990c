package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/ownapi"
)

// heard is what a process has said in its log.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

func (h *heard) has(words string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(h.text.String(), words)
}

// trio are control nodes that run.
type trio struct {
	all   []*process
	stops []func() error
}

func (s *trio) stop() (err error) {
	for _, stop := range s.stops {
		err = errors.Join(err, stop())
	}
	return err
}

// grown makes control nodes of the first one, which runs alone, and of others, which are none yet.
func grown(t *testing.T, cs []Config, d *process, stop func() error) *trio {
	t.Helper()
	s := &trio{make([]*process, len(cs)), make([]func() error, len(cs))}
	var others sync.WaitGroup
	for i := range cs[1:] {
		c := &cs[i+1]
		token, err := d.gate.controlToken(t.Context(), journal.Actor{User: "test"}, ownapi.ControlWish{Node: c.Name, Life: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		c.Token = token.Token
		others.Go(func() { s.all[i+1], s.stops[i+1] = startRole(t, Control, *c) })
	}
	for _, c := range cs[1:] {
		comes(t, func() string {
			if _, err := os.Stat(filepath.Join(c.Data, joining)); err != nil {
				return err.Error()
			}
			return ""
		})
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s.all[0], s.stops[0] = startRole(t, Control, cs[0])
	others.Wait()
	return s
}

// The journal of three control nodes is compacted as docs/operate.md says: one goes on alone with what it has, and the others take their
// places anew. An edge stays, whoever there is.
func TestControl_ThreeAreCompactedByOneAlone(t *testing.T) {
	cs, alone := threeConfigs(t)
	var out heard
	alone.JournalEntries, alone.compactTail, alone.Out = 500, 1, &out
	d, stop := startRole(t, Control, alone)
	e, stopEdge := startRole(t, Edge, edgeConfig(t, tokenFor(t, d, "FRA50-1")))
	reached := func(d *process) {
		t.Helper()
		seq := d.control.Seq()
		comes(t, func() string {
			if e.places[0].edge.Stats().Seq < seq || len(d.fleet.connected()) != 1 {
				return "the edge is behind, or away from " + d.Name
			}
			return ""
		})
	}
	three := grown(t, cs, d, stop)
	if err := three.all[2].control.AccessChanged(t.Context(), journal.Actor{User: "test"}, "Test", "before"); err != nil {
		t.Fatal(err)
	}
	reached(three.all[0])
	if err := three.stop(); err != nil {
		t.Fatal(err)
	}

	t.Log("one alone")
	accepts := alone
	accepts.AcceptJournalLoss = true
	d, stop = startRole(t, Control, accepts)
	reached(d)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	grow(t, filepath.Join(alone.Data, "journal"), 600)
	d, stop = startRole(t, Control, alone)
	if !out.has("compacted, it has") {
		t.Error("it is not compacted")
	}
	reached(d)

	t.Log("three again")
	for i := range cs[1:] {
		cs[i+1].Data = t.TempDir()
	}
	three = grown(t, cs, d, stop)
	if err := three.all[1].control.AccessChanged(t.Context(), journal.Actor{User: "test"}, "Test", "after"); err != nil {
		t.Fatal(err)
	}
	reached(three.all[1])
	for _, d := range three.all {
		comes(t, func() string {
			trail, err := d.control.Audit("", 0)
			if err != nil || len(trail.Items) < 2 || trail.Items[0].Resource != "after" {
				return d.Name + " does not show what was accepted last"
			}
			for _, i := range trail.Items {
				if i.Resource == "before" {
					return ""
				}
			}
			return d.Name + " does not show what was accepted before"
		})
	}
	if err := errors.Join(stopEdge(), three.stop()); err != nil {
		t.Error(err)
	}
}
