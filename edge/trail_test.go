package edge

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// cutOff is a journal to which the way can be lost.
type cutOff struct {
	*memory.Log
	mu   sync.Mutex
	lost bool // guarded by mu
}

var errNoWay = errors.New("no way to the journal")

func (c *cutOff) cut(lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = lost
}

func (c *cutOff) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return errNoWay
	}
	return nil
}

func (c *cutOff) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	if err := c.err(); err != nil {
		return nil, err
	}
	return c.Log.Read(ctx, from, max)
}

func (c *cutOff) Live(deliver func(*journal.Entry)) (stop func(), err error) {
	return c.Log.Live(func(e *journal.Entry) {
		if c.err() == nil {
			deliver(e)
		}
	})
}

func (c *cutOff) Probe(ctx context.Context) (uint64, error) {
	if err := c.err(); err != nil {
		return 0, err
	}
	return c.Log.Probe(ctx)
}

// L7, E1: a parent that still follows the end which the journal has lost has not applied what has got the lost numbers since,
// however high its own number is.
func TestTier_JournalPutBack(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.place("FRA50", "LHR50")
		fra, lhr := f.at("FRA50-1"), f.at("LHR50-1")
		way := &cutOff{Log: f.log}
		lhr.stop()
		lhr.config.Log = way
		lhr.start()
		f.settle(time.Minute)
		f.origin.on("/a", ok("v1"))
		lhr.expect("200 Miss v1", "/a")
		there := f.log.Last()
		for range 50 {
			f.commit(journal.Fact{Tick: &journal.Tick{}})
		}
		f.settle(6 * time.Second) // its lease is as young as can be
		way.cut(true)
		f.log.RollBack(there)
		for _, w := range f.edges {
			w.writer = journal.NewWriter(journal.WriterConfig{Log: f.log, Apply: func(*journal.Entry) {}})
			if err := w.writer.CatchUp(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		f.settle(15 * time.Second)
		f.origin.on("/a", ok("v2"))
		f.invalidate("/a")
		f.settle(virtualMoment)
		if err := errors.Join(fra.edge.Ready(), lhr.edge.Ready()); err != nil {
			t.Fatalf("the test shows nothing: %v", err)
		}
		if old, now := lhr.edge.Stats().Seq, fra.edge.Stats().Seq; old < now {
			t.Fatalf("the test shows nothing: the parent is at %d, and the child at %d", old, now)
		}
		f.take()
		fra.expect("200 Miss v2", "/a")
		if got := f.take(); len(got) != 1 {
			t.Errorf("asked %q", got)
		}
	})
}

func TestTrail_KeepsTheNewest(t *testing.T) {
	story(t, func(w *world) {
		x := &w.edge.trail
		s := w.edge.snap.Load()
		if !x.has(s.seq, string(s.id)) || x.has(s.seq, "other") || x.has(s.seq+1, string(s.id)) {
			t.Error("the newest entry is not told from others")
		}
		x.note(&journal.Entry{Seq: s.seq + trailKept, ID: "next"})
		if x.has(s.seq, string(s.id)) || !x.has(s.seq+trailKept, "next") {
			t.Error("it does not make room")
		}
		if x.clear(); x.has(s.seq+trailKept, "next") {
			t.Error("it does not forget")
		}
	}, func(w *world) { w.config.Address = "FRA50-1:1" })
}
