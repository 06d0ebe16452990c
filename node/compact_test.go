package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/internal/lasting"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// threeConfigs are three control nodes that know each other, and the first of them alone.
func threeConfigs(t *testing.T) (cs []Config, alone Config) {
	t.Helper()
	var peers []string
	for i := range 3 {
		c := controlConfig(t)
		c.Name = "control" + string(rune('1'+i))
		c.Control, c.Journal = lasting.Address(), lasting.Address()
		peers = append(peers, c.Name+"="+lasting.Address())
		cs = append(cs, c)
	}
	alone = cs[0]
	for i := range cs {
		cs[i].Peers = peers
	}
	return cs, alone
}

// The journal of three control nodes is compacted by the one that leads it, while all of them and an edge go on; and by any of them, when that is told.
func TestControl_ThreeCompactTheJournal(t *testing.T) {
	cs, alone := threeConfigs(t)
	for i := range cs {
		cs[i].JournalEntries, cs[i].compactTail, cs[i].compactEvery = 300, 100, 50*time.Millisecond
	}
	d, stop := startRole(t, Control, alone)
	dist, err := d.control.CreateDistribution(t.Context(), journal.Actor{User: "test"}, demoConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	batch := &wire.InvalidationBatch{CallerReference: wire.Ptr("before"), Paths: &wire.Paths{Quantity: wire.Ptr[int64](1), Items: []string{"/images/*"}}}
	inv, _, err := d.control.CreateInvalidation(t.Context(), journal.Actor{User: "test"}, dist.ID, batch)
	if err != nil {
		t.Fatal(err)
	}
	ec := edgeConfig(t, tokenFor(t, d, "FRA50-1"))
	said := whispers{slog.DiscardHandler, make(chan string, 100)}
	ec.Logger = slog.New(said)
	e, stopEdge := startRole(t, Edge, ec)
	three := grown(t, cs, d, stop)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	changes := func(i int, what string) { // they may be electing
		t.Helper()
		comes(t, func() string {
			if err := three.all[i].control.AccessChanged(ctx, journal.Actor{User: "test"}, "Test", what); err != nil {
				return err.Error()
			}
			return ""
		})
	}
	near := func() string { // who is too far behind begins again, as it may have to after it has lost its control node
		if three.all[1].control.Seq() > e.places[0].edge.Stats().Seq+100 {
			return "the edge is behind"
		}
		return ""
	}
	ticks := func(enough func() bool) {
		t.Helper()
		w := journal.NewWriter(journal.WriterConfig{Log: three.all[1].log})
		for !enough() {
			if _, err := w.Commit(ctx, func() ([]journal.Fact, error) { return []journal.Fact{{Tick: &journal.Tick{}}}, nil }); err != nil && ctx.Err() != nil {
				t.Fatal(err)
			}
			if near() != "" {
				comes(t, near)
			}
		}
	}
	baseOf := func(i int) uint64 { return three.all[i].log.(*jetstream.Log).Extent().Base }
	grown := func(above uint64) func() bool {
		return func() bool { return baseOf(0) > above && baseOf(1) > above && baseOf(2) > above }
	}
	changes(2, "before")
	ticks(grown(0))
	ticks(grown(baseOf(0)))
	base := baseOf(2)
	for i, d := range three.all {
		comes(t, func() string { // another one may be at it
			if done, err := d.compactNow(ctx, nil); err != nil || done.Base < base {
				return fmt.Sprint(d.Name, ", told to: ", done, err)
			}
			return ""
		})
		if n := d.controlNodes(); len(n) != 3 || n[i].Journal == nil || n[i].Journal.Base < base || n[i].Journal.Compacted == nil {
			t.Errorf("of %d control nodes: %+v", len(n), n)
		}
	}

	goesOn := func(what string) {
		t.Helper()
		changes(1, what)
		seq := three.all[1].control.Seq()
		for _, d := range three.all {
			comes(t, func() string {
				if d.control.Seq() < seq || e.places[0].edge.Stats().Seq < seq {
					return d.Name + " or the edge is behind"
				}
				return ""
			})
			trail, err := d.control.Audit("", 0)
			if err != nil || trail.Items[0].Resource != what || !slices.ContainsFunc(trail.Items, func(r control.AuditEntry) bool { return r.Resource == "before" }) {
				t.Errorf("the trail of %s: %+v, %v", d.Name, trail, err)
			}
			history, err := d.control.History(control.HistoryFilter{}, "", 0)
			if err != nil || len(history.Items) != 1 || history.Items[0].Invalidation.ID != inv.ID || history.Items[0].Invalidation.Status != control.Completed {
				t.Errorf("the history of %s: %+v, %v", d.Name, history, err)
			}
		}
	}
	goesOn("after")
	if err := three.stop(); err != nil {
		t.Fatal(err)
	}
	var starting sync.WaitGroup
	for i := range cs {
		cs[i].JournalEntries = 0 // only when told
		starting.Go(func() { three.all[i], three.stops[i] = startRole(t, Control, cs[i]) })
	}
	starting.Wait()
	comes(t, func() string {
		if baseOf(0) < base {
			return fmt.Sprintf("base %d, it was %d", baseOf(0), base)
		}
		return ""
	})
	left := 300
	ticks(func() bool { left--; return left < 0 })
	goesOn("in the end")
	base = max(baseOf(0), baseOf(1), baseOf(2))
	comes(t, func() string { // the edge may not have said yet what it has applied
		if done, err := three.all[0].compactNow(ctx, nil); err != nil || done.Base <= base {
			return fmt.Sprint("told to, and no other does: ", done, err)
		}
		return ""
	})
	comes(t, func() string {
		if baseOf(0) != baseOf(1) || baseOf(1) != baseOf(2) {
			return "the others do not know of it"
		}
		return ""
	})
	if err := errors.Join(stopEdge(), three.stop()); err != nil {
		t.Error(err)
	}
	close(said.messages)
	for m := range said.messages {
		t.Error("the edge:", m)
	}
}
