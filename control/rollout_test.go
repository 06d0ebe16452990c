package control

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

func byLocation(pause time.Duration, first ...string) Terms {
	return Terms{Pace: &journal.Pace{ByLocation: &journal.ByLocation{First: first, Pause: pause}}}
}

func paced(perSecond float64) Terms {
	return Terms{Pace: &journal.Pace{RequestsPerSecond: perSecond}}
}

// waves says which turns are in the log after a number, one a line.
func (h *harness) waves(after uint64) string {
	h.t.Helper()
	entries, err := h.log.Read(h.t.Context(), after+1, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	var lines []string
	for _, e := range entries {
		for _, f := range e.Facts {
			switch {
			case f.Invalidated == nil:
			case f.Invalidated.Wave == nil:
				lines = append(lines, "everywhere")
			case f.Invalidated.Wave.Last():
				lines = append(lines, fmt.Sprint(f.Invalidated.Wave.Number, " but ", f.Invalidated.Wave.Others))
			default:
				lines = append(lines, fmt.Sprint(f.Invalidated.Wave.Number, " at ", f.Invalidated.Wave.Locations))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// rows says how each edge is doing, by the receipt.
func (h *harness) rows(inv *Invalidation) string {
	h.t.Helper()
	r, err := h.Receipt(inv.DistributionID, inv.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	var words []string
	for _, e := range r.Edges {
		state := "at it"
		if e.Applied {
			state = "applied"
		} else if e.Waits {
			state = "waits"
		}
		words = append(words, e.Edge+" "+state)
	}
	return strings.Join(words, ", ")
}

func ackAll(edges ...*fakeEdge) {
	for _, e := range edges {
		e.ackAll()
	}
}

func TestRollout_OneLocationAfterTheOther(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		fra1, fra2, gru, nrt := h.join("FRA50-1"), h.join("FRA50-2"), h.join("GRU50-1"), h.join("NRT50-1")
		d := h.create("a")
		ackAll(fra1, fra2, gru, nrt)
		before := h.log.Last()
		inv := h.plan(d, "i", byLocation(time.Minute, "GRU"), "/a")
		want := func(waves, rows string) {
			t.Helper()
			if got := h.waves(before); got != waves {
				t.Errorf("the log has\n%s\nwant\n%s", got, waves)
			}
			if got := h.rows(inv); got != rows {
				t.Errorf("the receipt says %s, want %s", got, rows)
			}
		}
		h.wantStatus(inv, InProgress)
		want("1 at [GRU]", "FRA50-1 waits, FRA50-2 waits, GRU50-1 at it, NRT50-1 waits")
		gru.ackAll() // the others follow the log too: until they have acknowledged, it is not completed
		want("1 at [GRU]", "FRA50-1 waits, FRA50-2 waits, GRU50-1 applied, NRT50-1 waits")
		ackAll(fra1, fra2, nrt)
		time.Sleep(59 * time.Second)
		want("1 at [GRU]", "FRA50-1 waits, FRA50-2 waits, GRU50-1 applied, NRT50-1 waits")
		time.Sleep(time.Second)
		synctest.Wait()
		want("1 at [GRU]\n2 at [FRA]", "FRA50-1 at it, FRA50-2 at it, GRU50-1 applied, NRT50-1 waits")
		ackAll(fra1, fra2, gru, nrt)
		time.Sleep(time.Minute)
		synctest.Wait()
		all := "1 at [GRU]\n2 at [FRA]\n3 but [GRU FRA]"
		want(all, "FRA50-1 applied, FRA50-2 applied, GRU50-1 applied, NRT50-1 at it")
		h.wantStatus(inv, InProgress)
		_, err := h.Withdraw(t.Context(), someone, d.ID, inv.ID)
		wantCode(t, err, "Conflict")
		ackAll(fra1, fra2, gru, nrt)
		h.wantStatus(inv, Completed)
		want(all, "FRA50-1 applied, FRA50-2 applied, GRU50-1 applied, NRT50-1 applied")
		v, _ := h.Invalidation(d.ID, inv.ID)
		if len(v.Waves) != 3 || v.Waves[1].Completed.IsZero() || v.Waves[1].Began.Sub(v.Waves[0].Completed) != time.Minute || !v.CompletedTime.Equal(v.Waves[2].Completed) {
			t.Errorf("%+v", v)
		}
		if p := h.found(HistoryFilter{Status: Completed}, 5); !slices.Equal(p, []string{"i"}) {
			t.Errorf("the history has %v", p)
		}
		if trail := h.trail(); strings.Count(strings.Join(trail, "\n"), "CreateInvalidation") != 1 || strings.Contains(strings.Join(trail, "\n"), "InForce") {
			t.Errorf("the trail has %v", trail)
		}
		time.Sleep(time.Hour)
		want(all, "FRA50-1 applied, FRA50-2 applied, GRU50-1 applied, NRT50-1 applied")
	})
}

// Where there is nobody, or one location, there is nothing to take turns.
func TestRollout_OneLocationIsAllAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("a")
		before := h.log.Last()
		h.wantStatus(h.plan(d, "i", byLocation(0), "/a"), Completed)
		edges := []*fakeEdge{h.join("FRA50-1"), h.join("FRA50-2")}
		inv := h.plan(d, "j", byLocation(0), "/a")
		ackAll(edges...)
		h.wantStatus(inv, Completed)
		if got := h.waves(before); got != "everywhere\neverywhere" {
			t.Errorf("%s", got)
		}
	})
}

// An edge that joins on the way, at a place that was not there, has its turn; so has one that comes after the last
// turn, whose journal begins with it.
func TestRollout_WhoJoinsOnTheWay(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		fra, gru := h.join("FRA50-1"), h.join("GRU50-1")
		d := h.create("a")
		before := h.log.Last()
		inv := h.plan(d, "i", byLocation(time.Minute), "/a")
		ackAll(fra, gru)
		ams := h.join("AMS50-1")
		ackAll(fra, gru, ams)
		time.Sleep(time.Minute)
		synctest.Wait()
		ackAll(fra, gru, ams)
		gru.leave()
		time.Sleep(time.Minute)
		synctest.Wait()
		ackAll(fra, ams)
		h.wantStatus(inv, Completed)
		if got := h.waves(before); got != "1 at [FRA]\n2 at [AMS]\n3 but [FRA AMS]" {
			t.Errorf("%s", got)
		}
	})
}

// An edge that is silent holds the next turn up for as long as its lease may last, wherever it is.
func TestRollout_ASilentEdgeIsWaitedForByTheSlowPath(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		fra, _ := h.join("FRA50-1"), h.join("GRU50-1")
		d := h.create("a")
		before := h.log.Last()
		inv := h.plan(d, "i", byLocation(0), "/a")
		fra.ackAll()
		time.Sleep(journal.Timing{}.Wait() - time.Second)
		if got := h.waves(before); got != "1 at [FRA]" {
			t.Errorf("%s", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := h.waves(before); got != "1 at [FRA]\n2 but [FRA]" {
			t.Errorf("%s", got)
		}
		h.wantStatus(inv, InProgress)
		time.Sleep(journal.Timing{}.Wait() + time.Second)
		h.wantStatus(inv, Completed)
	})
}

func TestRollout_WithdrawnOnTheWay(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		fra, gru, nrt := h.join("FRA50-1"), h.join("GRU50-1"), h.join("NRT50-1")
		d := h.create("a")
		ackAll(fra, gru, nrt)
		before := h.log.Last()
		inv := h.plan(d, "i", byLocation(time.Minute), "/a", "/b")
		ackAll(fra, gru, nrt)
		time.Sleep(time.Minute)
		synctest.Wait()
		fra.ackAll()
		v, err := h.Withdraw(t.Context(), someone, d.ID, inv.ID)
		if err != nil || v.Status != Withdrawn || v.Withdrawn.IsZero() || len(v.Waves) != 2 {
			t.Errorf("%+v, %v", v, err)
		}
		if got := h.rows(inv); got != "FRA50-1 applied, GRU50-1 at it, NRT50-1 waits" {
			t.Errorf("the receipt says %s", got)
		}
		if _, err := h.Withdraw(t.Context(), someone, d.ID, inv.ID); err != nil {
			t.Error(err)
		}
		ackAll(fra, gru, nrt)
		time.Sleep(time.Hour)
		synctest.Wait()
		h.wantStatus(inv, Withdrawn)
		if got := h.rows(inv); got != "FRA50-1 applied, GRU50-1 applied, NRT50-1 waits" {
			t.Errorf("the receipt says %s", got)
		}
		if got := h.waves(before); got != "1 at [FRA]\n2 at [GRU]" {
			t.Errorf("%s", got)
		}
		if d, _ := h.Distribution(d.ID); d.InProgressInvalidations != 0 {
			t.Errorf("%d in progress", d.InProgressInvalidations)
		}
	})
}

func TestRollout_SurvivesRestartsAndComesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		h := start(t, log, Limits{})
		edges := []*fakeEdge{h.join("FRA50-1"), h.join("GRU50-1"), h.join("NRT50-1")}
		inv := h.plan(h.create("a"), "i", byLocation(time.Minute), "/a")
		ackAll(edges...)
		for range 6 { // killed while edges are at it, and while all wait
			h.stop()
			time.Sleep(30 * time.Second)
			h = start(t, log, Limits{})
			other := start(t, log, Limits{}) // a second control node sees the same turn
			synctest.Wait()
			for _, e := range edges {
				e.h = h
				e.ackAll()
			}
			other.stop()
			h.checkReplay()
		}
		defer h.stop()
		h.wantStatus(inv, Completed)
		if got := h.waves(0); got != "1 at [FRA]\n2 at [GRU]\n3 but [FRA GRU]" {
			t.Errorf("%s", got)
		}
	})
}

func TestRollout_OfWhatWasScheduled(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		edges := []*fakeEdge{h.join("FRA50-1"), h.join("GRU50-1")}
		d := h.create("a")
		before := h.log.Last()
		terms := byLocation(0)
		terms.At = time.Now().Add(time.Hour)
		inv := h.plan(d, "i", terms, "/a")
		h.wantStatus(inv, Scheduled)
		time.Sleep(time.Hour)
		synctest.Wait()
		h.wantStatus(inv, InProgress)
		ackAll(edges...)
		ackAll(edges...)
		h.wantStatus(inv, Completed)
		if got := h.waves(before); got != "1 at [FRA]\n2 but [FRA]" {
			t.Errorf("%s", got)
		}
	})
}

func TestRollout_ManyLocationsTakeTurnsTogether(t *testing.T) {
	s := newState(Limits{}.withDefaults())
	for i := range 200 {
		name := fmt.Sprintf("L%03d", i)
		s.members[name] = &member{EdgeJoined: journal.EdgeJoined{Edge: name, Location: name}}
	}
	p := byLocation(0, "L100").Pace
	var been []string
	for n := 1; ; n++ {
		w := s.wave(p, n, been)
		if n == 1 && w.Locations[0] != "L100" {
			t.Errorf("the first turn is %v", w.Locations)
		}
		if w.Last() {
			if n > maxWaves || n < maxWaves/2 {
				t.Errorf("%d waves", n)
			}
			break
		}
		been = append(been, w.Locations...)
	}
	slices.Sort(been)
	if len(been) >= 200 || len(slices.Compact(been)) != len(been) {
		t.Errorf("%d turns", len(been))
	}
}

func TestPace_IsWhatEdgesAreTold(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d := h.create("a")
		terms := paced(2.5)
		terms.At = time.Now().Add(time.Minute)
		inv := h.plan(d, "i", terms, "/a")
		time.Sleep(time.Minute)
		synctest.Wait()
		entries, _ := h.log.Read(t.Context(), inv.Seq+1, 1)
		if f := entries[0].Facts[0].Invalidated; f == nil || f.Pace.RequestsPerSecond != 2.5 || f.Wave != nil {
			t.Errorf("%+v", entries[0].Facts)
		}
	})
}

func TestRollout_Refusals(t *testing.T) {
	bubbleLimits(t, Limits{Scheduled: 1}, func(t *testing.T, h *harness) {
		h.join("FRA50-1")
		h.join("GRU50-1")
		d := h.create("a")
		refused := func(want string, terms Terms) {
			t.Helper()
			_, _, err := h.Invalidate(t.Context(), someone, d.ID, batch("new", "/a"), terms)
			wantCode(t, err, want)
		}
		for _, terms := range []Terms{byLocation(-1), byLocation(maxPause + 1), byLocation(0, "AMS"), byLocation(0, "FRA", "FRA"),
			paced(-1), {Pace: &journal.Pace{Refetch: true}}, paced(0.09), paced(10_001), paced(math.NaN()), byLocation(0, ""), byLocation(0, "a\nb"), byLocation(0, strings.Repeat("x", 65)), byLocation(0, make([]string, maxFirst+1)...)} {
			refused("InvalidArgument", terms)
		}
		first := h.plan(d, "r", byLocation(time.Second), "/a")
		if again := h.plan(d, "r", byLocation(time.Second), "/a"); again.ID != first.ID {
			t.Error("a repeated request has made another")
		}
		refused("TooManyInvalidationsInProgress", byLocation(0))
		refused("TooManyInvalidationsInProgress", in(time.Hour))
	})
}
