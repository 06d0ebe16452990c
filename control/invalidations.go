package control

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
)

// Invalidation is an invalidation as of one moment. Items belong to the state: read only.
type Invalidation struct {
	ID              string
	DistributionID  string
	CallerReference string
	Items           []string // as submitted, in order
	Status          string   // InProgress, Completed, Scheduled, Withdrawn
	CreateTime      time.Time
	CompletedTime   time.Time // zero while in progress
	Seq             uint64    // its number in the journal, or that of its newest turn
	Comment         string    // why, in the words of whoever made it; "" for none

	// Of one that is or was scheduled.
	Plan      *journal.Plan // nil: it was in force at once
	InForce   time.Time     // since when; zero while scheduled, and when withdrawn
	Withdrawn time.Time     // zero when it was not
	By        journal.Actor

	Where *journal.Where // nil: it has none
	Pace  *journal.Pace  // nil: it has none
	Mode  string         // distribution.InvalidationRemove or …Stale
	Waves []Wave         // of one that comes location by location, the turns that have come
}

// maxReference and maxComment bound what is kept as long as its invalidation; in bytes.
const (
	maxReference = 2048
	maxComment   = 1024
)

// CreateInvalidation accepts a batch. created is false when the same caller reference came with the
// same paths before: the invalidation is then that one. Nil error means that the invalidation is
// durable in the journal (L8).
//
// Errors: MissingBody, InvalidArgument (naming the item and what to do), InconsistentQuantities,
// BatchTooLarge, NoSuchDistribution, InvalidationBatchAlreadyExists, TooManyInvalidationsInProgress.
func (c *Control) CreateInvalidation(ctx context.Context, by journal.Actor, distributionID string, b *wire.InvalidationBatch) (inv *Invalidation, created bool, err error) {
	return c.Invalidate(ctx, by, distributionID, b, Terms{})
}

// Invalidate is CreateInvalidation with terms. Those of a repeated request must be the same but for the comment,
// which is not looked at. One that is planned is as durable as any: a restart does not lose it.
func (c *Control) Invalidate(ctx context.Context, by journal.Actor, distributionID string, b *wire.InvalidationBatch, terms Terms) (inv *Invalidation, created bool, err error) {
	items, err := c.checkBatch(b)
	if err == nil {
		err = terms.checkWhere()
	}
	if err != nil {
		return nil, false, err
	}
	reference := wire.Val(b.CallerReference)
	var fact journal.Fact
	var existing *Invalidation
	e, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		existing = nil
		d, err := s.distribution(distributionID)
		if err != nil {
			return nil, err
		}
		if err := checkItems(items, d.put.Tags); err != nil {
			return nil, err
		}
		// This runs on a state that has every invalidation before the slot that is written (I6): of
		// two that race with one reference, the second finds the first here.
		if old := d.byReference[reference]; old != nil {
			other := ""
			switch {
			case !sameItems(old.fact.Items, items):
				other = "paths"
			case terms.planned() && !reflect.DeepEqual(old.fact.Plan, wire.Ptr(terms.plan())),
				WhereText(old.fact.Where) != WhereText(terms.Where), // also if there were some: what was dropped is less than is asked for
				terms.Pace != nil && !reflect.DeepEqual(old.fact.Pace, terms.Pace),
				terms.Mode != "" && terms.mode(nil) != old.fact.Mode:
				other = "terms"
			}
			if other != "" {
				return nil, refuse("InvalidationBatchAlreadyExists",
					"The caller reference %q was used for the invalidation %s with other %s. Use a new caller reference.", reference, old.fact.InvalidationID, other)
			}
			existing = old.view()
			return nil, nil
		}
		id := newInvalidationID()
		for d.byID[id] != nil {
			id = newInvalidationID()
		}
		now := c.now()
		if err := terms.check(now); err != nil {
			return nil, err
		}
		if err := s.checkPace(d, terms.Pace); err != nil {
			return nil, err
		}
		mode := terms.mode(d.put.Tags)
		if terms.planned() {
			fact = journal.Fact{Scheduled: &journal.Scheduled{
				DistributionID: distributionID, InvalidationID: id, CallerReference: reference,
				Items: items, CreateTime: now, Comment: terms.Comment, Plan: terms.plan(), Where: terms.Where, Pace: terms.Pace, Mode: mode, By: by,
			}}
			return []journal.Fact{fact}, s.checkPlans(d, &terms)
		}
		fact = journal.Fact{Invalidated: &journal.Invalidated{
			DistributionID: distributionID, InvalidationID: id, CallerReference: reference,
			Items: items, CreateTime: now, Comment: terms.Comment, Where: terms.Where, Pace: terms.Pace, Mode: mode, Wave: s.wave(terms.Pace, 1, nil), By: by,
		}}
		return []journal.Fact{fact}, s.limits.checkInProgress(d, items)
	})
	switch {
	case errors.Is(err, journal.ErrTooLarge):
		return nil, false, refuse("BatchTooLarge", "The paths of the batch are too long together. Split it, or use a wildcard path for many.")
	case err != nil:
		return nil, false, err
	case e == nil:
		return existing, false, nil
	}
	if f := fact.Scheduled; f != nil {
		return plannedState(e.Seq, f).view(), true, nil
	}
	return newInvalidation(e.Seq, fact.Invalidated).view(), true, nil
}

// checkBatch checks what can be checked without the distribution, and copies the items.
func (c *Control) checkBatch(b *wire.InvalidationBatch) ([]string, error) {
	if b == nil || b.Paths == nil {
		return nil, refuse("MissingBody", "This operation requires a body. Send an InvalidationBatch with Paths and a CallerReference.")
	}
	items := b.Paths.Items
	switch reference := wire.Val(b.CallerReference); {
	case reference == "":
		return nil, refuse("InvalidArgument", "CallerReference is missing. Send a value that you use for this invalidation only.")
	case len(reference) > maxReference:
		return nil, refuse("InvalidArgument", "CallerReference has %d characters, more than %d. Send a shorter one.", len(reference), maxReference)
	case b.Paths.Quantity == nil || *b.Paths.Quantity != int64(len(items)):
		return nil, refuse("InconsistentQuantities", "The value of Paths.Quantity (%d) and the number of its Items (%d) do not match. Make them equal.",
			wire.Val(b.Paths.Quantity), len(items))
	case len(items) == 0:
		return nil, refuse("InvalidArgument", "The batch has no paths. Name at least one, for example /images/*, or /* for everything.")
	case len(items) > c.cfg.Limits.ItemsPerInvalidation:
		return nil, refuse("BatchTooLarge", "The batch has %d paths, more than %d. Split it, or use a wildcard path for many.",
			len(items), c.cfg.Limits.ItemsPerInvalidation)
	}
	return slices.Clone(items), nil
}

// checkInProgress holds the quotas of items in progress.
func (l Limits) checkInProgress(d *distributionState, items []string) error {
	inProgress, more := d.itemsInProgress, len(items)
	if l.WildcardsInProgress > 0 {
		wild := wildcards(items)
		if d.wildcardsInProgress+wild > l.WildcardsInProgress {
			return refuse("TooManyInvalidationsInProgress",
				"Processing your request would exceed the maximum of %d wildcard paths in progress: %d are. Wait until some are completed.",
				l.WildcardsInProgress, d.wildcardsInProgress)
		}
		inProgress, more = inProgress-d.wildcardsInProgress, more-wild
	}
	if inProgress+more > l.InvalidationsInProgress {
		return refuse("TooManyInvalidationsInProgress",
			"Processing your request would exceed the maximum of %d paths in progress: %d are. Wait until some are completed, or use one wildcard path for many.",
			l.InvalidationsInProgress, inProgress)
	}
	return nil
}

// wildcards counts the items with a *. A tag cannot have one.
func wildcards(items []string) (n int) {
	for _, item := range items {
		if strings.Contains(item, "*") {
			n++
		}
	}
	return n
}

// checkItems parses the items in the dialect of the distribution.
func checkItems(items []string, tags map[string]string) error {
	dialect := invalidation.Anywhere
	if tags[distribution.TagWildcards] == distribution.WildcardsAWS {
		dialect = invalidation.AWS
	}
	for i, item := range items {
		_, err := invalidation.Parse(item, dialect)
		if err == nil {
			continue
		}
		hint := ""
		if bad := new(invalidation.ItemError); errors.As(err, &bad) {
			hint = " " + bad.Hint
		}
		return refuse("InvalidArgument", "Your request contains one or more invalid invalidation paths. Number %d: %v.%s", i+1, err, hint)
	}
	return nil
}

// sameItems tells whether two batches name the same paths, in whatever order.
func sameItems(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// Invalidation returns one; NoSuchDistribution, NoSuchInvalidation.
func (c *Control) Invalidation(distributionID, id string) (*Invalidation, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	inv, err := c.state.invalidation(distributionID, id)
	if err != nil {
		return nil, err
	}
	return inv.view(), nil
}

// Invalidations lists a distribution's invalidations, those that are scheduled first, then in the order in which
// they came into force, newest first, those after marker, at most max (0 and more than 100 mean 100).
func (c *Control) Invalidations(distributionID, marker string, max int) (Page[*Invalidation], error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	d, err := c.state.distribution(distributionID)
	if err != nil {
		return Page[*Invalidation]{}, err
	}
	all := d.all()
	end := len(all)
	if marker != "" {
		last := d.byID[marker]
		if last == nil {
			return Page[*Invalidation]{}, refuse("InvalidArgument", "The marker %q is not the id of an invalidation of %s. Start again without a marker.", marker, distributionID)
		}
		end = slices.Index(all, last)
	}
	// One more than fits tells whether there is another page.
	var after []*Invalidation
	for i := end - 1; i >= 0 && len(after) <= maxPage; i-- {
		after = append(after, all[i].view())
	}
	return page(after, marker, max, func(inv *Invalidation) string { return inv.ID }), nil
}

// What follows is the state's part.

// invalidationState is an invalidation in the fold.
type invalidationState struct {
	fact      *journal.Invalidated
	seq       uint64
	completed *journal.Completed // what declared it; nil while in progress

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

// invalidate folds an accepted invalidation in.
func (s *state) invalidate(seq uint64, f *journal.Invalidated) []Change {
	d := s.distributions[f.DistributionID]
	if d == nil {
		return nil
	}
	if f.Wave != nil && f.Wave.Number > 1 {
		return s.roll(seq, d, f)
	}
	d.unplan(f.InvalidationID)
	inv := newInvalidation(seq, f)
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
func (d *distributionState) complete(o open, by *journal.Completed) string {
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
// with them (L9). It is part of the fold: now is the time of the newest fact, no clock's.
func (d *distributionState) forget(l Limits, now time.Time) {
	n := 0
	for n < len(d.invalidations) {
		old := d.invalidations[n]
		tooMany := len(d.invalidations)-n > l.History || d.items > l.HistoryItems
		if old.completed == nil && old.withdrawn == nil || old.moving() || !tooMany && now.Sub(old.fact.CreateTime) <= l.HistoryAge {
			break
		}
		d.items -= len(old.fact.Items)
		delete(d.byID, old.fact.InvalidationID)
		if d.byReference[old.fact.CallerReference] == old {
			delete(d.byReference, old.fact.CallerReference)
		}
		d.invalidations[n] = nil // the array outlives the slice
		n++
	}
	d.invalidations = d.invalidations[n:]
}
