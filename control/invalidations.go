package control

import (
	"context"
	"errors"
	"fmt"
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
// same paths before, and with no terms: the invalidation is then that one. Nil error means that the invalidation is
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
	decide := func(s *state, before []journal.Fact) ([]journal.Fact, error) {
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
			if err := old.mustBeSame(items, &terms); err != nil {
				return nil, err
			}
			existing = old.view()
			return nil, journal.ErrMoot
		}
		if len(before) > 0 && (terms.planned() || terms.Pace != nil || among(before, distributionID, reference)) {
			return nil, journal.ErrNext // that is decided on the fold alone
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
		return []journal.Fact{fact}, s.limits.checkInProgress(d, items, before)
	}
	e, _, err := c.commitTogether(ctx, weigh(items)+len(reference)+len(terms.Comment), decide)
	switch {
	case errors.Is(err, journal.ErrTooLarge):
		return nil, false, refuse("BatchTooLarge", "The paths of the batch are too long together. Split it, or use a wildcard path for many.")
	case err != nil:
		return nil, false, inDoubt(err, reference)
	case e == nil:
		return existing, false, nil
	}
	if f := fact.Scheduled; f != nil {
		return plannedState(e.Seq, f).view(), true, nil
	}
	return newInvalidation(e.Seq, fact.Invalidated).view(), true, nil
}

// inDoubt says what to do when it is not known whether the invalidation was accepted. Whoever has left the reference to a tool has never seen it.
func inDoubt(err error, reference string) error {
	if !errors.Is(err, journal.ErrDoubt) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	same := "the same caller reference"
	if len(reference) <= 128 {
		same = fmt.Sprintf("the caller reference %q", reference)
	}
	return &Error{Code: "ServiceUnavailable", Err: err, Message: "The journal has not answered in time, so it is not known whether the invalidation was accepted. " +
		"It is safe to repeat it with " + same + ": it is then one invalidation, whatever has become of this request. The list of invalidations tells, too."}
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

// among tells whether the reference is that of one of the facts.
func among(facts []journal.Fact, distributionID, reference string) bool {
	return slices.ContainsFunc(facts, func(f journal.Fact) bool {
		switch {
		case f.Invalidated != nil:
			return f.Invalidated.CallerReference == reference && f.Invalidated.DistributionID == distributionID
		case f.Scheduled != nil:
			return f.Scheduled.CallerReference == reference && f.Scheduled.DistributionID == distributionID
		}
		return false
	})
}

// weigh is about how many bytes the fact with these items has in the journal.
func weigh(items []string) int {
	n := 512
	for _, item := range items {
		n += len(item) + 3
	}
	return n
}

// checkInProgress holds the quotas of items in progress, those of the facts before these in their entry included.
func (l Limits) checkInProgress(d *distributionState, items []string, before []journal.Fact) error {
	inProgress, wildInProgress, more := d.itemsInProgress, d.wildcardsInProgress, len(items)
	for _, f := range before {
		if f.Invalidated != nil && f.Invalidated.DistributionID == d.put.ID {
			inProgress += len(f.Invalidated.Items)
			if l.WildcardsInProgress > 0 {
				wildInProgress += wildcards(f.Invalidated.Items)
			}
		}
	}
	if l.WildcardsInProgress > 0 {
		wild := wildcards(items)
		if wild > l.WildcardsInProgress {
			return refuse("TooManyInvalidationsInProgress",
				"Processing your request would exceed the maximum of %d wildcard paths in progress by itself: it has %d. Split it.", l.WildcardsInProgress, wild)
		}
		if wildInProgress+wild > l.WildcardsInProgress {
			return refuse("TooManyInvalidationsInProgress",
				"Processing your request would exceed the maximum of %d wildcard paths in progress: %d are. Wait until some are completed.",
				l.WildcardsInProgress, wildInProgress)
		}
		inProgress, more = inProgress-wildInProgress, more-wild
	}
	if more > l.InvalidationsInProgress {
		return refuse("TooManyInvalidationsInProgress",
			"Processing your request would exceed the maximum of %d paths in progress by itself: it has %d. Split it, or use one wildcard path for many.", l.InvalidationsInProgress, more)
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
