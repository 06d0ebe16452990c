package control

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// invalidationState is an invalidation in the fold.
type invalidationState struct {
	fact      *journal.Invalidated
	seq       uint64
	part      int         // which fact of that entry
	completed *completion // what declared it; nil while in progress

	// Of one that is planned, or was and has been withdrawn.
	planned   *journal.Scheduled
	withdrawn *journal.Withdrawn

	waves []*waveState // of one that comes location by location, the first of which is fact
}

func newInvalidation(seq uint64, f *journal.Invalidated) *invalidationState {
	inv := &invalidationState{fact: f, seq: seq}
	if f.Wave != nil {
		inv.waves = []*waveState{{fact: f, seq: seq}}
	}
	return inv
}

func (s *state) invalidation(distributionID, id string) (*invalidationState, error) {
	d, err := s.distribution(distributionID)
	if err != nil {
		return nil, err
	}
	if inv := d.byID[id]; inv != nil {
		return inv, nil
	}
	return nil, refuse("NoSuchInvalidation", "The specified invalidation does not exist: %q. List the invalidations of %s to find its id.", id, distributionID)
}

// mustBeSame refuses items and terms that are not those of the invalidation whose caller reference came with them. That goes for
// terms that are left out as well: whoever wants all of it now must not be told of one that comes later, less or slowly. Only
// a mode that is left out is that of any, for the distribution's default may have been another then.
func (inv *invalidationState) mustBeSame(items []string, t *Terms) error {
	other := ""
	switch {
	case !sameItems(inv.fact.Items, items):
		other = "paths"
	case !samePlan(inv.fact.Plan, t), !samePace(inv.fact.Pace, t.Pace), WhereText(inv.fact.Where) != WhereText(t.Where),
		t.Mode != "" && t.mode(nil) != inv.fact.Mode:
		other = "terms"
	default:
		return nil
	}
	return refuse("InvalidationBatchAlreadyExists",
		"The caller reference %q was used for the invalidation %s with other %s. Use a new caller reference.", inv.fact.CallerReference, inv.fact.InvalidationID, other)
}

func samePlan(p *journal.Plan, t *Terms) bool {
	if p == nil || !t.planned() {
		return p == nil && !t.planned()
	}
	return reflect.DeepEqual(*p, t.plan())
}

// samePace compares what is asked for, however nothing is written.
func samePace(a, b *journal.Pace) bool {
	a, b = cmp.Or(a, &journal.Pace{}), cmp.Or(b, &journal.Pace{})
	if a.RequestsPerSecond != b.RequestsPerSecond || a.Refetch != b.Refetch || (a.ByLocation == nil) != (b.ByLocation == nil) {
		return false
	}
	return a.ByLocation == nil || a.ByLocation.Pause == b.ByLocation.Pause && slices.Equal(a.ByLocation.First, b.ByLocation.First)
}

// completions are what has declared it, or turns of it, completed.
func (inv *invalidationState) completions() (all []*completion) {
	if inv.completed != nil {
		all = append(all, inv.completed)
	}
	for _, w := range inv.waves {
		if w.completed != nil {
			all = append(all, w.completed)
		}
	}
	return all
}

// view makes the public form; the state is held for reading.
func (inv *invalidationState) view() *Invalidation {
	v := &Invalidation{
		ID:              inv.fact.InvalidationID,
		DistributionID:  inv.fact.DistributionID,
		CallerReference: inv.fact.CallerReference,
		Items:           inv.fact.Items,
		Status:          InProgress,
		CreateTime:      inv.fact.CreateTime,
		Seq:             inv.seq,
		Comment:         inv.fact.Comment,
		By:              inv.fact.By,
		Where:           inv.fact.Where,
		Pace:            inv.fact.Pace,
		Mode:            cmp.Or(string(inv.fact.Mode), distribution.InvalidationRemove),
		Waves:           inv.turns(),
	}
	if n := len(inv.waves); n > 0 {
		v.Seq = inv.waves[n-1].seq
	}
	if v.Plan = inv.fact.Plan; v.Plan != nil {
		v.InForce = inv.fact.CreateTime
	}
	if !inv.fact.Accepted.IsZero() {
		v.CreateTime = inv.fact.Accepted
	}
	switch {
	case inv.completed != nil:
		v.Status, v.CompletedTime = Completed, inv.completed.At
	case inv.withdrawn != nil:
		v.Status, v.Withdrawn = Withdrawn, inv.withdrawn.Time
		if len(inv.waves) == 0 {
			v.InForce = time.Time{}
		}
	case inv.planned != nil:
		v.Status, v.InForce = Scheduled, time.Time{}
	}
	return v
}

// invalidate folds an accepted invalidation in, a part of the entry with that number.
func (s *state) invalidate(seq uint64, part int, f *journal.Invalidated) []Change {
	d := s.distributions[f.DistributionID]
	if d == nil {
		return nil
	}
	if f.Wave != nil && f.Wave.Number > 1 {
		return s.roll(seq, d, f)
	}
	d.unplan(f.InvalidationID)
	inv := newInvalidation(seq, f)
	inv.part = part
	if inv.rolls() {
		d.rolling = append(d.rolling, inv)
	}
	d.invalidations = append(d.invalidations, inv)
	d.byID[f.InvalidationID] = inv
	d.byReference[f.CallerReference] = inv
	d.items += len(f.Items)
	d.inProgress++
	d.itemsInProgress += len(f.Items)
	d.wildcardsInProgress += wildcards(f.Items)
	s.open = append(s.open, open{seq: seq, distribution: f.DistributionID, invalidation: f.InvalidationID})
	d.forget(s.limits, f.CreateTime)
	return []Change{{Kind: ChangeInvalidation, ID: f.InvalidationID, DistributionID: f.DistributionID, Status: InProgress}}
}

// complete marks one completed, or its wave, and returns its status.
func (d *distributionState) complete(o open, by *completion) string {
	inv := d.byID[o.invalidation]
	switch last := inv.completeWave(o.seq, by); {
	case inv.withdrawn != nil:
		return Withdrawn
	case !last:
		return InProgress
	}
	inv.completed = by
	d.progressed(inv)
	return Completed
}

// progressed says that one is not in progress any more.
func (d *distributionState) progressed(inv *invalidationState) {
	d.inProgress--
	d.itemsInProgress -= len(inv.fact.Items)
	d.wildcardsInProgress -= wildcards(inv.fact.Items)
}

// forget drops the oldest completed invalidations beyond the limits, and their caller references
// with them (L9). It is part of the fold: now is the time of the newest fact or entry, no clock's.
//
// Those of which turns are to come are passed over: they may take weeks, and whatever has come and been completed since must not be kept for as
// long. They are few (Limits.Scheduled). What else is in progress is the newest there is: nothing behind it is completed.
func (d *distributionState) forget(l Limits, now time.Time) {
	n, passed, items := 0, 0, 0
	for ; n < len(d.invalidations); n++ {
		old := d.invalidations[n]
		if old.rolls() || old.moving() {
			d.invalidations[passed] = old
			passed, items = passed+1, items+len(old.fact.Items)
			continue
		}
		tooMany := len(d.invalidations)-n > l.History || d.items-items > l.HistoryItems
		if old.completed == nil && old.withdrawn == nil || !tooMany && now.Sub(old.fact.CreateTime) <= l.HistoryAge {
			break
		}
		d.items -= len(old.fact.Items)
		delete(d.byID, old.fact.InvalidationID)
		if d.byReference[old.fact.CallerReference] == old {
			delete(d.byReference, old.fact.CallerReference)
		}
	}
	copy(d.invalidations[n-passed:n], d.invalidations[:passed])
	clear(d.invalidations[:n-passed]) // the array outlives the slice
	d.invalidations = d.invalidations[n-passed:]
}

// age forgets what has become too old by the time of an entry, also of a distribution that nothing happens to any more. Edges see to it
// that an entry comes each few seconds, so it is looked in steps, by an hour where history is kept for days.
func (s *state) age(now time.Time) {
	if now = now.Truncate(min(time.Hour, s.limits.HistoryAge/60)); !now.After(s.aged) {
		return
	}
	s.aged = now
	for _, d := range s.distributions {
		d.forget(s.limits, now)
	}
}
