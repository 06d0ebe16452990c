package control

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// A control plane on the compacted log answers every query as the one on the whole log does. The
// lives are random, with limits so small that everything is forgotten soon.
func TestExtract_AnswersEveryQueryTheSame(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			limits := Limits{History: 6, HistoryItems: 20, Distributions: 6, HistoryAge: []time.Duration{time.Hour, 4 * time.Minute}[seed/4%2], Audit: []int{1, 5, 40, 1000}[seed%4]}
			bubbleLimits(t, limits, func(t *testing.T, h *harness) {
				l := &life{h: h, r: rand.New(rand.NewPCG(seed, 2))}
				for range 300 {
					l.step()
					if l.r.IntN(3) == 0 {
						h.tick()
					}
					if l.r.IntN(10) == 0 && len(l.edges) > 0 {
						l.edges[l.r.IntN(len(l.edges))].leave()
					}
				}
				synctest.Wait()
				all := h.entries()
				for range 5 { // also at other ends, in which more is in progress
					end := 1 + l.r.IntN(len(all))
					checkExtract(t, all[:end], h.cfg, 1+l.r.IntN(200))
				}
				checkExtract(t, all, h.cfg, 1<<20)
			})
		})
	}
}

// checkExtract compares a log to its extract, which is condensed each time that so many entries have come.
func checkExtract(t *testing.T, all []*journal.Entry, cfg Config, batch int) {
	t.Helper()
	x := NewExtract(cfg.Limits)
	for i, e := range all {
		x.Add(e)
		if i%batch == batch-1 {
			x.held = condense(x.held, x.limits, x.now)
		}
	}
	kept := x.Entries()

	// With the numbers as they were, the states are equal, but for what no query shows.
	// A log goes on behind what was compacted: the ticks that are left out had a time that the next entry has, too.
	next := &journal.Entry{Seq: all[len(all)-1].Seq + 1, Time: all[len(all)-1].Time, Facts: []journal.Fact{{Tick: &journal.Tick{}}}}
	then := func(entries []*journal.Entry) []*journal.Entry { return append(slices.Clip(entries), next) }
	whole, held := fold(cfg.Limits, then(all)), fold(cfg.Limits, then(x.held))
	held.seq, held.completed = whole.seq, whole.completed
	for _, s := range []*state{whole, held} {
		s.open = slices.DeleteFunc(s.open, func(o open) bool { // what is gone, or was changed again
			d := s.distributions[o.distribution]
			return d == nil || o.invalidation == "" && d.seq != o.seq
		})
	}
	if a, b := dump(whole), dump(held); a != b {
		t.Fatalf("the extract of %d entries differs:\n%s", len(all), firstDifference(a, b))
	}
	// And the answers.
	if a, b := answers(t, cfg, then(all)), answers(t, cfg, then(kept)); a != b {
		t.Fatalf("%d entries answer other than their extract:\n%s", len(all), firstDifference(a, b))
	}
	for i, e := range kept {
		was := all[e.Seq-1]
		if journal.PositionOf(e) != journal.PositionOf(was) || e.Prev != was.Prev || !e.Time.Equal(was.Time) || i == 0 && e.Seq != 1 || i > 0 && (e.Seq <= kept[i-1].Seq || len(e.Facts) == 0) {
			t.Fatalf("entry %d at %d: %+v", e.Seq, i, e)
		}
		for _, f := range e.Facts {
			if f.Tick != nil {
				t.Fatalf("entry %d at %d: %+v", e.Seq, i, f)
			}
		}
	}
	checkForgotten(t, all, kept)
	// What is kept once need be kept again, and nothing more.
	again := NewExtract(cfg.Limits)
	for _, e := range kept {
		again.Add(e)
	}
	if n := len(again.Entries()); n != len(kept) {
		t.Fatalf("of %d kept entries %d are kept", len(kept), n)
	}
}

// checkForgotten: of each invalidation of a distribution that there is, an edge that begins with what is kept knows it, or a later one that
// is of everything.
func checkForgotten(t *testing.T, all, kept []*journal.Entry) {
	t.Helper()
	there, forgotten, gone := map[string]bool{}, map[string]uint64{}, map[string]bool{}
	for _, e := range kept {
		for _, f := range e.Facts {
			switch {
			case f.Invalidated != nil:
				there[fmt.Sprint(e.Seq, f.Invalidated.InvalidationID, f.Invalidated.Items)] = true
			case f.Forgotten != nil:
				if forgotten[f.Forgotten.DistributionID] > 0 {
					t.Fatalf("two stand for what is forgotten of %s", f.Forgotten.DistributionID)
				}
				forgotten[f.Forgotten.DistributionID] = e.Seq
			case f.DistributionDeleted != nil:
				gone[f.DistributionDeleted.ID] = true
			}
		}
	}
	for _, e := range all {
		for _, f := range e.Facts {
			inv := f.Invalidated
			if inv != nil && !gone[inv.DistributionID] && !there[fmt.Sprint(e.Seq, inv.InvalidationID, inv.Items)] && forgotten[inv.DistributionID] < e.Seq {
				t.Fatalf("entry %d, %+v, is left out, and nothing stands for it", e.Seq, inv)
			}
		}
	}
}

// What a path means depends on the distribution's dialect when the invalidation came: with what was between left out, it would be read in
// another one, and what it has dropped of a disk would be alive again.
func TestExtract_KeepsTheDialectOfEachInvalidation(t *testing.T) {
	bubbleLimits(t, Limits{Audit: 1}, func(t *testing.T, h *harness) {
		d := h.createTagged("one", map[string]string{distribution.TagWildcards: "aws"})
		for i, dialect := range []string{"aws", "anywhere", "aws", "anywhere", "anywhere", "aws"} {
			if err := h.Tag(t.Context(), someone, d.ARN, map[string]string{distribution.TagWildcards: dialect}); err != nil {
				t.Fatal(err)
			}
			if i%2 == 1 {
				h.invalidate(d, fmt.Sprint(i), "/a*/b.css")
			}
			for n := range 3 {
				if err := h.Tag(t.Context(), someone, d.ARN, map[string]string{distribution.TagIsolation: []string{"fail", "bypass"}[n%2]}); err != nil {
					t.Fatal(err)
				}
			}
		}
		read := func(entries []*journal.Entry) (means []string) {
			tags := ""
			for _, e := range entries {
				for _, f := range e.Facts {
					switch {
					case f.DistributionPut != nil:
						tags = f.DistributionPut.Tags[distribution.TagWildcards]
					case f.Invalidated != nil:
						means = append(means, fmt.Sprint(e.Seq, " ", tags == "aws"))
					}
				}
			}
			return means
		}
		synctest.Wait()
		x, all := NewExtract(h.cfg.Limits), h.entries()
		for _, e := range all {
			x.Add(e)
		}
		kept := x.Entries()
		if a, b := read(all), read(kept); !slices.Equal(a, b) || len(a) != 3 {
			t.Errorf("invalidations and their dialects are %q, and in what is kept %q", a, b)
		}
		if len(kept) > len(all)*2/3 {
			t.Errorf("%d of %d are kept", len(kept), len(all))
		}
	})
}

func fold(limits Limits, entries []*journal.Entry) *state {
	s := newState(limits)
	for _, e := range entries {
		s.apply(e)
	}
	return s
}

// answers is what all queries say, without numbers of entries.
func answers(t *testing.T, cfg Config, entries []*journal.Entry) string {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		c.apply(e)
	}
	var out strings.Builder
	say := func(v any, err error) {
		b, jsonErr := json.Marshal(v)
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		fmt.Fprintf(&out, "%T %s %v\n", v, b, err)
	}
	found, err := c.Distributions(DistributionFilter{}, "", 0)
	say(found, err)
	for _, d := range found.Items {
		say(c.Tags(d.ARN))
		invs, err := c.Invalidations(d.ID, "", 0)
		for _, inv := range invs.Items {
			inv.Seq = 0
			r, err := c.Receipt(d.ID, inv.ID)
			if err != nil {
				t.Fatal(err)
			}
			r.Invalidation.Seq = 0
			for i := range r.Edges {
				r.Edges[i].Lagging = "" // it names numbers
			}
			say(r, err)
		}
		say(invs, err)
	}
	say(c.CachePolicies("", "", 0))
	say(c.OriginRequestPolicies("", "", 0))
	for _, n := range c.Nodes() {
		n.Applied, n.Behind = 0, 0
		say(n, nil)
	}
	for marker, more := "", true; more; {
		p, err := c.Audit(marker, 0)
		marker, more = p.NextMarker, p.Truncated
		for _, e := range p.Items {
			e.ID, e.Seq = "", 0
			say(e, err)
		}
	}
	say(c.state.domains, nil)
	say(c.state.references, nil)
	say(c.state.aliases, nil)
	return out.String()
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d\n- %s\n+ %s", i, strings.Join(x[max(0, i-5):min(len(x), i+5)], "\n- "), strings.Join(y[max(0, i-5):min(len(y), i+5)], "\n+ "))
		}
	}
	return fmt.Sprintf("%d lines, %d lines", len(x), len(y))
}

func (h *harness) entries() []*journal.Entry {
	h.t.Helper()
	all, err := h.log.Read(h.t.Context(), 1, 1<<20)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func (h *harness) tick() {
	h.t.Helper()
	if _, err := h.writer.Tick(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// What stays of one story after the other, when nothing is shown of the trail but the newest entry.
func TestExtract_WhatStays(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(h *harness, e *fakeEdge)
		want string
	}{
		{"ticks", func(h *harness, e *fakeEdge) { h.tick(); h.tick() }, ""},
		{"an edge comes and goes", func(h *harness, e *fakeEdge) { h.join("IAD89-1").leave() }, "EdgeJoined EdgeLeft"},
		{"an edge comes and goes twice", func(h *harness, e *fakeEdge) { h.join("IAD89-1").leave(); h.join("IAD89-1").leave() }, "EdgeJoined EdgeLeft"},
		{"an edge has come back", func(h *harness, e *fakeEdge) { h.join("IAD89-1").leave(); h.join("IAD89-1") }, "EdgeJoined"},
		{"a distribution changes", func(h *harness, e *fakeEdge) {
			d := h.create("a")
			for i := range 9 {
				d = h.update(d, comment(fmt.Sprint(i)))
				e.ackAll()
			}
		}, "DistributionPut Completed(4) DistributionPut Completed(18) DistributionPut Completed(20)"},
		{"a distribution is invalidated, then changes", func(h *harness, e *fakeEdge) {
			d := h.create("a")
			h.invalidate(d, "i", "/a")
			for i := range 9 {
				d = h.update(d, comment(fmt.Sprint(i)))
			}
			e.ackAll()
		}, "DistributionPut Invalidated[/a] DistributionPut DistributionPut Completed(13)"},
		{"invalidations that nobody remembers", func(h *harness, e *fakeEdge) {
			d := h.create("a")
			for i := range 9 {
				h.invalidate(d, fmt.Sprint(i), fmt.Sprint("/", i))
				e.ackAll()
			}
		}, "DistributionPut Completed(4) Forgotten Invalidated[/7] Completed(18) Invalidated[/8] Completed(20)"},
		{"a label changes", func(h *harness, e *fakeEdge) {
			d := h.create("a")
			e.ackAll()
			for i := range 9 {
				if err := h.Tag(h.t.Context(), someone, d.ARN, map[string]string{"n": fmt.Sprint(i)}); err != nil {
					h.t.Fatal(err)
				}
			}
		}, "DistributionPut Completed(3) DistributionPut"},
		{"a distribution is gone", func(h *harness, e *fakeEdge) {
			d := h.create("a")
			h.invalidate(d, "i", "/a")
			d = h.update(d, disabled)
			e.ackAll()
			if err := h.DeleteDistribution(h.t.Context(), someone, d.ID, d.ETag); err != nil {
				h.t.Fatal(err)
			}
		}, "DistributionPut Completed(5) DistributionDeleted"},
		{"a policy is gone", func(h *harness, e *fakeEdge) {
			p, err := h.CreateCachePolicy(h.t.Context(), someone, cachePolicyConfig("mine", 1))
			if err == nil {
				err = h.DeleteCachePolicy(h.t.Context(), someone, p.ID, p.ETag)
			}
			if err != nil {
				h.t.Fatal(err)
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubbleLimits(t, Limits{Audit: 1, History: 2}, func(t *testing.T, h *harness) {
				e := h.join("FRA50-1")
				c.do(h, e)
				h.join("NRT57-1") // what the trail shows
				x := NewExtract(h.cfg.Limits)
				for _, e := range h.entries() {
					x.Add(e)
				}
				var names []string
				for _, e := range x.Entries() {
					for _, f := range e.Facts {
						names = append(names, factName(f))
					}
				}
				want := strings.Fields("EdgeJoined " + c.want + " EdgeJoined")
				if !slices.Equal(names, want) {
					t.Errorf("kept\n%s\nwant\n%s", names, want)
				}
			})
		})
	}
}

// An alias that went from one distribution to another stays with it, though the first one's old fact,
// which names it, is kept.
func TestExtract_AliasThatMoved(t *testing.T) {
	bubbleLimits(t, Limits{Audit: 1}, func(t *testing.T, h *harness) {
		a := h.create("a", aliases("www.example.com"))
		a = h.update(a, aliases("old.example.com"))
		b := h.create("b", aliases("www.example.com"))
		for i := range 4 {
			a = h.update(a, comment(fmt.Sprint(i)))
		}
		h.join("FRA50-1")
		checkExtract(t, h.entries(), h.cfg, 3)
		if owner := fold(h.cfg.Limits, h.entries()).aliases["www.example.com"]; owner != b.ID {
			t.Errorf("www.example.com belongs to %s", owner)
		}
	})
}

// A switch that was set and taken back is a change that the edges must still learn, though the distribution
// is as it was made.
func TestExtract_ChangeThatIsUndone(t *testing.T) {
	bubbleLimits(t, Limits{Audit: 1}, func(t *testing.T, h *harness) {
		e := h.join("FRA50-1")
		d := h.create("a")
		e.ackAll()
		err := h.Tag(t.Context(), someone, d.ARN, map[string]string{"warmfront:wildcards": "aws"})
		if err == nil {
			err = h.Untag(t.Context(), someone, d.ARN, []string{"warmfront:wildcards"})
		}
		if err != nil {
			t.Fatal(err)
		}
		h.wantStatus(d, InProgress)
		h.join("IAD89-1")
		checkExtract(t, h.entries(), h.cfg, 3)
	})
}

// It holds little of a long log.
func TestExtract_HoldsLittle(t *testing.T) {
	x := NewExtract(Limits{Audit: 10, History: 10})
	c := config("a")
	add := func(seq uint64, f journal.Fact) {
		x.Add(&journal.Entry{Seq: seq, Time: time.Unix(int64(seq), 0), Facts: []journal.Fact{f}})
		if len(x.held) > 3*extractBatch {
			t.Fatalf("%d entries are held", len(x.held))
		}
	}
	add(2, journal.Fact{DistributionPut: &journal.DistributionPut{ID: "E1", DomainName: "d1", Config: c}})
	for seq := uint64(3); seq < 60000; seq += 2 {
		add(seq, journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "E1", InvalidationID: fmt.Sprint("I", seq), CallerReference: fmt.Sprint(seq), Items: []string{"/*"}}})
		add(seq+1, journal.Fact{Completed: &journal.Completed{UpTo: seq}})
	}
	if n := len(x.Entries()); n > 30 {
		t.Errorf("%d entries are kept", n)
	}
}
