package control

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// Status words of an invalidation that is planned. CloudFront has none for it: its API says InProgress for
// Scheduled.
const (
	Scheduled = "Scheduled" // accepted, and not in force yet
	Withdrawn = "Withdrawn" // taken back before it was
)

// Terms are what CloudFront's API has no words for. The zero value is a plain invalidation, in force at once;
// at most one of At and When is set.
type Terms struct {
	Comment string             // why; one line
	At      time.Time          // when it shall be in force
	When    *journal.Condition // what must hold for it to be
	Where   *journal.Where     // what narrows its items; nil: nothing
	Pace    *journal.Pace      // how it spares the origin; nil: it does not
	Mode    string             // distribution.InvalidationRemove or …Stale; "": as the distribution's tag says
}

// furthest is how far ahead an invalidation may be planned.
const furthest = 366 * 24 * time.Hour

func (t *Terms) planned() bool { return !t.At.IsZero() || t.When != nil }

func (t *Terms) plan() journal.Plan { return journal.Plan{At: t.At.UTC().Round(0), When: t.When} }

// mode is what the invalidation does: what is asked for, or what the tags of its distribution say.
func (t *Terms) mode(tags map[string]string) journal.Mode {
	if cmp.Or(t.Mode, tags[distribution.TagInvalidationMode]) == distribution.InvalidationStale {
		return journal.Stale
	}
	return journal.Remove
}

func (t *Terms) check(now time.Time) error {
	switch {
	case len(t.Comment) > maxComment || !utf8.ValidString(t.Comment) || strings.ContainsFunc(t.Comment, unicode.IsControl):
		return refuse("InvalidArgument", "The comment must be one line of at most %d bytes of UTF-8.", maxComment)
	case !t.At.IsZero() && t.When != nil:
		return refuse("InvalidArgument", "An invalidation comes at a time or when a condition holds, not both. Leave one out.")
	case !t.At.IsZero() && !t.At.After(now):
		return refuse("InvalidArgument", "The time %s is in the past: it is %s here. Leave it out for an invalidation that is in force at once.",
			t.At.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case !t.At.IsZero() && t.At.Sub(now) > furthest:
		return refuse("InvalidArgument", "The time %s is more than a year ahead.", t.At.UTC().Format(time.RFC3339))
	case t.When != nil:
		if err := checkCondition(t.When); err != nil {
			return err
		}
	}
	if t.Mode != "" && t.Mode != distribution.InvalidationRemove && t.Mode != distribution.InvalidationStale {
		return refuse("InvalidArgument", "The mode must be %s or %s, got %.40q. Leave it out for the distribution's default.",
			distribution.InvalidationRemove, distribution.InvalidationStale, t.Mode)
	}
	return checkPace(t.Pace)
}

func checkCondition(w *journal.Condition) error {
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || len(w.URL) > 2048 || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return refuse("InvalidArgument", "The condition's URL must be one of an origin, as in https://origin.example.com/version, got %.100q.", w.URL)
	case !httpguts.ValidHeaderFieldName(w.Field):
		return refuse("InvalidArgument", "The condition needs the name of a header field, as in ETag, got %.100q.", w.Field)
	case w.Value == "" || len(w.Value) > 1024 || !httpguts.ValidHeaderFieldValue(w.Value):
		return refuse("InvalidArgument", "The condition needs the value that the field %s shall have.", w.Field)
	}
	return nil
}

// asksOrigin checks that a condition asks one of the distribution's own origins: nobody shall make the
// control plane look elsewhere.
func asksOrigin(config *wire.DistributionConfig, w *journal.Condition) error {
	u, err := url.Parse(w.URL)
	if err == nil && config.Origins != nil && slices.ContainsFunc(config.Origins.Items, func(o wire.Origin) bool {
		return strings.EqualFold(wire.Val(o.DomainName), u.Hostname()) && portOf(&o, u.Scheme) == cmp.Or(u.Port(), defaultPorts[u.Scheme])
	}) {
		return nil
	}
	return refuse("InvalidArgument", "The URL %.100q is of no origin of the distribution. Use an origin's domain name and port in it.", w.URL)
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// portOf is where an origin is asked by a scheme.
func portOf(o *wire.Origin, scheme string) string {
	var port *int64
	if custom := o.CustomOriginConfig; custom != nil {
		port = map[string]*int64{"http": custom.HTTPPort, "https": custom.HTTPSPort}[scheme]
	}
	if port == nil {
		return defaultPorts[scheme]
	}
	return strconv.FormatInt(*port, 10)
}

// met tells whether fields meet the condition. An ETag counts as the same when only its weakness or its quotes
// differ: whoever writes the condition has it from a build, not from a response.
func met(w *journal.Condition, values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		v = strings.TrimSpace(v)
		if strings.EqualFold(w.Field, "ETag") {
			bare := func(s string) string { return strings.Trim(strings.TrimPrefix(s, "W/"), `"`) }
			return bare(v) == bare(w.Value)
		}
		return v == w.Value
	})
}

// Look asks a URL of an origin and returns the answer's status and the values of one field. A node provides it.
type Look func(ctx context.Context, u *url.URL, field string) (status int, values []string, err error)

// Withdraw takes back an invalidation that is planned, or the turns that are still to come of one that comes location
// by location: where it is in force it stays so. One that was withdrawn before stays so, too. What is in force
// cannot be taken back, since edges have dropped what it matches (L4): Conflict. NoSuchDistribution,
// NoSuchInvalidation.
func (c *Control) Withdraw(ctx context.Context, by journal.Actor, distributionID, id string) (*Invalidation, error) {
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		inv, err := s.invalidation(distributionID, id)
		switch {
		case err != nil:
			return nil, err
		case inv.withdrawn != nil:
			return nil, journal.ErrMoot
		case !inv.waits() && !inv.rolls():
			return nil, refuse("Conflict", "The invalidation %s is in force since %s. What edges have dropped cannot be brought back, so it cannot be withdrawn.",
				id, inv.fact.CreateTime.Format(time.RFC3339))
		}
		return []journal.Fact{{Withdrawn: &journal.Withdrawn{DistributionID: distributionID, InvalidationID: id, Time: c.now(), By: by}}}, nil
	})
	if err != nil {
		return nil, err
	}
	return c.Invalidation(distributionID, id)
}

// What follows is the state's part.

// waits tells whether it is planned and neither in force nor withdrawn.
func (inv *invalidationState) waits() bool { return inv.planned != nil && inv.withdrawn == nil }

// checkPlans holds the bounds of what may be planned.
func (s *state) checkPlans(d *distributionState, t *Terms) error {
	if n := len(d.planned) + len(d.rolling); n >= s.limits.Scheduled {
		return refuse("TooManyInvalidationsInProgress", "%d invalidations of the distribution are scheduled or come location by location, which is the limit. Withdraw some.", n)
	}
	if t.When == nil {
		return nil
	}
	conditions := 0
	for _, d := range s.distributions {
		for _, inv := range d.planned {
			if inv.planned.Plan.When != nil {
				conditions++
			}
		}
	}
	if conditions >= s.limits.Conditions {
		return refuse("TooManyInvalidationsInProgress", "%d invalidations wait for conditions, which is the limit. Withdraw some.", conditions)
	}
	return asksOrigin(d.put.Config, t.When)
}

func plannedState(seq uint64, f *journal.Scheduled) *invalidationState {
	return &invalidationState{seq: seq, planned: f, fact: &journal.Invalidated{
		DistributionID: f.DistributionID, InvalidationID: f.InvalidationID, CallerReference: f.CallerReference,
		Items: f.Items, CreateTime: f.CreateTime, Comment: f.Comment, Plan: &f.Plan, Where: f.Where, Pace: f.Pace, Mode: f.Mode, By: f.By,
	}}
}

// schedule folds a planned invalidation in.
func (s *state) schedule(seq uint64, f *journal.Scheduled) []Change {
	d := s.distributions[f.DistributionID]
	if d == nil || d.byID[f.InvalidationID] != nil {
		return nil
	}
	inv := plannedState(seq, f)
	d.planned = append(d.planned, inv)
	d.byID[f.InvalidationID], d.byReference[f.CallerReference] = inv, inv
	return []Change{{Kind: ChangeInvalidation, ID: f.InvalidationID, DistributionID: f.DistributionID, Status: Scheduled}}
}

// withdraw folds in that one was taken back: it is history from then on.
func (s *state) withdraw(seq uint64, f *journal.Withdrawn) []Change {
	d := s.distributions[f.DistributionID]
	if d == nil || d.byID[f.InvalidationID] == nil {
		return nil
	}
	changed := []Change{{Kind: ChangeInvalidation, ID: f.InvalidationID, DistributionID: f.DistributionID, Status: Withdrawn}}
	if inv := d.byID[f.InvalidationID]; inv.rolls() {
		inv.withdrawn = f
		d.rolled(inv)
		d.progressed(inv)
		return changed
	} else if !inv.waits() {
		return nil
	}
	inv := d.unplan(f.InvalidationID)
	fact := *inv.fact
	fact.Accepted, fact.CreateTime = inv.fact.CreateTime, f.Time
	gone := &invalidationState{fact: &fact, seq: seq, planned: inv.planned, withdrawn: f}
	d.invalidations = append(d.invalidations, gone)
	d.byID[f.InvalidationID], d.byReference[fact.CallerReference] = gone, gone
	d.items += len(fact.Items)
	d.forget(s.limits, f.Time)
	return changed
}

// unplan takes one out of what is planned; nil when it is not there.
func (d *distributionState) unplan(id string) *invalidationState {
	i := slices.IndexFunc(d.planned, func(inv *invalidationState) bool { return inv.fact.InvalidationID == id })
	if i < 0 {
		return nil
	}
	inv := d.planned[i]
	d.planned = slices.Delete(d.planned, i, i+1)
	return inv
}

// all lists what there is, oldest first, what is planned last.
func (d *distributionState) all() []*invalidationState {
	if len(d.planned) == 0 {
		return d.invalidations
	}
	return append(slices.Clip(d.invalidations), d.planned...)
}
