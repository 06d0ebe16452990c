package control

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/warmfront/warmfront/journal"
)

// An invalidation that comes location by location is a row of Invalidated facts with one id, a wave each. The next is
// appended when the one before is completed, as everything is (P3), and the pause since is over: both are in the log,
// so whichever control node looks, before or after a restart, finds the same turn, and the entry can only be written
// while it is that turn's. Completed is what all of it is when the last wave is. Until that is appended the rest can
// be withdrawn.
//
// The last wave is for all locations whose turn has not been, whatever their names: so an edge that joins on the way, at
// a place that nobody knew of, has its turn as well.

const (
	// maxWaves bounds the waves of one invalidation (L9): of more locations several have their turn at once.
	maxWaves = 64
	maxPause = 24 * time.Hour
	maxFirst = 256 // locations named

	leastPace = 0.1 // requests to origins a second
	mostPace  = 10_000
)

// Wave is one turn of an invalidation that comes location by location.
type Wave struct {
	Locations []string // whose turn it is or was; of the last one none:
	Others    []string // there it is the turn of all but these
	Began     time.Time
	Completed time.Time // zero: not yet
}

// checkPace checks what can be checked without the state.
func checkPace(p *journal.Pace) error {
	switch {
	case p == nil:
		return nil
	case p.RequestsPerSecond != 0 && !(p.RequestsPerSecond >= leastPace && p.RequestsPerSecond <= mostPace):
		return refuse("InvalidArgument", "A pace is from %g to %d requests to origins a second, got %g.", leastPace, mostPace, p.RequestsPerSecond)
	case p.Refetch && p.RequestsPerSecond == 0:
		return refuse("InvalidArgument", "To fetch again what was dropped needs a pace: how many requests to origins a second it may take.")
	case p.ByLocation != nil:
		return checkByLocation(p.ByLocation)
	}
	return nil
}

// checkByLocation checks what can be checked without the state.
func checkByLocation(b *journal.ByLocation) error {
	switch {
	case b.Pause < 0 || b.Pause > maxPause:
		return refuse("InvalidArgument", "The pause between two locations must be from 0 to %s, got %s.", maxPause, b.Pause)
	case len(b.First) > maxFirst:
		return refuse("InvalidArgument", "At most %d locations can be named.", maxFirst)
	}
	for i, l := range b.First {
		switch {
		case l == "" || len(l) > 64 || strings.ContainsFunc(l, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }):
			return refuse("InvalidArgument", "%.70q is no location.", l)
		case slices.Contains(b.First[:i], l):
			return refuse("InvalidArgument", "The location %s is named twice.", l)
		}
	}
	return nil
}

// What follows is the state's part.

// waveState is a wave in the fold.
type waveState struct {
	fact      *journal.Invalidated
	seq       uint64
	completed *completion // nil: edges are at it
}

// locations lists where there are edges, by name.
func (s *state) locations() []string {
	var all []string
	for _, m := range s.members {
		if !slices.Contains(all, m.Location) {
			all = append(all, m.Location)
		}
	}
	slices.Sort(all)
	return all
}

// checkPace holds what a pace asks for against what there is.
func (s *state) checkPace(d *distributionState, p *journal.Pace) error {
	if p == nil || p.ByLocation == nil {
		return nil
	}
	if len(d.planned)+len(d.rolling) >= s.limits.Scheduled {
		return refuse("TooManyInvalidationsInProgress", "%d invalidations of the distribution are scheduled or come location by location, which is the limit. Withdraw some.",
			len(d.planned)+len(d.rolling))
	}
	there := s.locations()
	for _, l := range p.ByLocation.First {
		if !slices.Contains(there, l) {
			return refuse("InvalidArgument", "There is no edge at the location %s. There are edges at: %s.", l, strings.Join(there, ", "))
		}
	}
	return nil
}

// wave returns the turn after those of the locations that have been, number n from 1; nil: all at once.
func (s *state) wave(p *journal.Pace, n int, been []string) *journal.Wave {
	if p == nil || p.ByLocation == nil {
		return nil
	}
	left := slices.DeleteFunc(s.locations(), func(l string) bool { return slices.Contains(been, l) })
	rank := func(l string) int {
		if i := slices.Index(p.ByLocation.First, l); i >= 0 {
			return i
		}
		return maxFirst
	}
	slices.SortStableFunc(left, func(a, b string) int { return rank(a) - rank(b) })
	size := 1
	if n < maxWaves {
		size = (len(left) + maxWaves - n) / (maxWaves - n + 1)
	}
	switch {
	case n < maxWaves && size < len(left):
		return &journal.Wave{Number: n, Locations: left[:size]}
	case len(been) == 0:
		return nil
	}
	return &journal.Wave{Number: n, Others: been}
}

// been lists the locations whose turn has come.
func (inv *invalidationState) been() (all []string) {
	for _, w := range inv.waves {
		all = append(all, w.fact.Wave.Locations...)
	}
	return all
}

// rolls tells whether turns are still to come.
func (inv *invalidationState) rolls() bool {
	return len(inv.waves) > 0 && inv.withdrawn == nil && !inv.waves[len(inv.waves)-1].fact.Wave.Last()
}

// moving tells whether edges are at a wave.
func (inv *invalidationState) moving() bool {
	return len(inv.waves) > 0 && inv.waves[len(inv.waves)-1].completed == nil
}

// due returns when the next turn comes; ok is false while the last one is not completed.
func (inv *invalidationState) due() (at time.Time, ok bool) {
	if !inv.rolls() || inv.moving() {
		return at, false
	}
	return inv.waves[len(inv.waves)-1].completed.At.Add(inv.fact.Pace.ByLocation.Pause), true
}

// has tells whether the fact is this invalidation's, or a wave of it.
func (inv *invalidationState) has(f *journal.Invalidated) bool {
	return inv.fact == f || slices.ContainsFunc(inv.waves, func(w *waveState) bool { return w.fact == f })
}

// roll folds a wave in that is not the first.
func (s *state) roll(seq uint64, d *distributionState, f *journal.Invalidated) []Change {
	if inv := d.byID[f.InvalidationID]; inv != nil && inv.rolls() {
		inv.waves = append(inv.waves, &waveState{fact: f, seq: seq})
		s.open = append(s.open, open{seq: seq, distribution: f.DistributionID, invalidation: f.InvalidationID})
		if f.Wave.Last() {
			d.rolled(inv)
		}
	}
	d.forget(s.limits, f.CreateTime)
	return []Change{{Kind: ChangeInvalidation, ID: f.InvalidationID, DistributionID: f.DistributionID, Status: InProgress}}
}

// rolled says that no turn comes after what has been.
func (d *distributionState) rolled(inv *invalidationState) {
	d.rolling = slices.DeleteFunc(d.rolling, func(other *invalidationState) bool { return other == inv })
}

// completeWave marks the wave with this number, and tells whether it is the last one.
func (inv *invalidationState) completeWave(seq uint64, by *completion) (last bool) {
	for _, w := range inv.waves {
		if w.seq == seq {
			w.completed = by
			return w.fact.Wave.Last()
		}
	}
	return true
}

// turns makes the public form of the waves.
func (inv *invalidationState) turns() (all []Wave) {
	for _, w := range inv.waves {
		v := Wave{Locations: w.fact.Wave.Locations, Others: w.fact.Wave.Others, Began: w.fact.CreateTime}
		if w.completed != nil {
			v.Completed = w.completed.At
		}
		all = append(all, v)
	}
	return all
}

// turn appends the next wave, unless that was done or the rest was withdrawn.
func (c *Control) turn(ctx context.Context, p due) error {
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		inv := s.known(p.distribution, p.id)
		if inv == nil || len(inv.waves) != p.turn {
			return nil, journal.ErrMoot
		}
		if _, ok := inv.due(); !ok {
			return nil, journal.ErrMoot
		}
		fact := *inv.fact
		fact.CreateTime = c.now()
		fact.Wave = s.wave(fact.Pace, p.turn+1, inv.been())
		return []journal.Fact{{Invalidated: &fact}}, nil
	})
	return err
}
