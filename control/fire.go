package control

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/journal"
)

const (
	lookEvery   = 5 * time.Second // how often a condition is looked at
	lookTimeout = 5 * time.Second
	looksAtOnce = 128 // all of them, if the limit is as usual: a round lasts no longer than one origin may

	// A timer goes by a monotonic clock and a plan by the wall clock, which may be set: it is read again then.
	clockCheck = 30 * time.Second
)

// due is a planned invalidation whose time has come, or whose condition is to be looked at; or one whose next turn
// has come.
type due struct {
	distribution, id string
	turn             int                // how many have been; 0: it is planned
	when             *journal.Condition // nil: its time has come
	refused          error              // why its origin is not asked
}

// runPlans puts planned invalidations in force whose time has come, and others at the next location. Every control node does: the first whose entry
// gets into the journal has, and the others find that there is nothing left to do.
func (c *Control) runPlans(ctx context.Context) {
	for {
		ready, next := c.plans(c.cfg.Now())
		wait := min(next, clockCheck)
		for _, p := range ready {
			if !c.put(ctx, p) {
				wait = retryAfter
			}
		}
		if !pause(ctx, c.planned, wait) {
			return
		}
	}
}

// runLooks puts in force what waits for a condition, when that holds. It is apart from runPlans, for an origin may take its time, and nothing that
// is due waits for that.
func (c *Control) runLooks(ctx context.Context) {
	var looked time.Time
	for {
		now, wait := c.cfg.Now(), clockCheck
		if conditions := c.conditions(); len(conditions) > 0 {
			if now.Sub(looked) >= lookEvery || now.Before(looked) {
				looked = now
				c.lookAt(ctx, conditions)
			}
			wait = lookEvery - c.cfg.Now().Sub(looked)
		}
		if !pause(ctx, c.conditional, wait) {
			return
		}
	}
}

// pause ends when something has come, after a time, or with ctx: false.
func pause(ctx context.Context, come <-chan struct{}, most time.Duration) bool {
	alarm := time.NewTimer(max(most, 0))
	defer alarm.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-come:
	case <-alarm.C:
	}
	return true
}

// put puts in force what is due; false: not yet.
func (c *Control) put(ctx context.Context, p due) bool {
	put := c.fire
	if p.turn > 0 {
		put = c.turn
	}
	err := put(ctx, p)
	if err != nil {
		c.cfg.Logger.Warn("a scheduled invalidation could not be put in force yet", "invalidation", p.id, "turn", p.turn, "error", err)
	}
	return err == nil
}

// plans returns what is due, and how long until the next time comes.
func (c *Control) plans(now time.Time) (ready []due, next time.Duration) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	next = furthest
	for id, d := range c.state.distributions {
		for _, inv := range d.rolling {
			switch at, ok := inv.due(); {
			case !ok: // what makes it due is an entry, which wakes runPlans
			case !at.After(now):
				ready = append(ready, due{distribution: id, id: inv.fact.InvalidationID, turn: len(inv.waves)})
			default:
				next = min(next, at.Sub(now))
			}
		}
		for _, inv := range d.planned {
			switch plan := &inv.planned.Plan; {
			case plan.When != nil: // runLooks
			case !plan.At.After(now):
				ready = append(ready, due{distribution: id, id: inv.fact.InvalidationID})
			default:
				next = min(next, plan.At.Sub(now))
			}
		}
	}
	return ready, next
}

// conditions returns what waits for one.
func (c *Control) conditions() (all []due) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for id, d := range c.state.distributions {
		for _, inv := range d.planned {
			if when := inv.planned.Plan.When; when != nil {
				all = append(all, due{distribution: id, id: inv.fact.InvalidationID, when: when, refused: asksOrigin(d.put.Config, when)})
			}
		}
	}
	return all
}

// fire puts a planned invalidation in force, unless that was done or it was withdrawn.
func (c *Control) fire(ctx context.Context, p due) error {
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		d := s.distributions[p.distribution]
		if d == nil || d.byID[p.id] == nil || !d.byID[p.id].waits() {
			return nil, journal.ErrMoot
		}
		fact := *d.byID[p.id].fact
		fact.Accepted, fact.CreateTime = fact.CreateTime, c.now()
		fact.Wave = s.wave(fact.Pace, 1, nil)
		return []journal.Fact{{Invalidated: &fact}}, nil
	})
	return err
}

// lookAt asks the origins, and puts in force at once what waits for what one of them says.
func (c *Control) lookAt(ctx context.Context, conditions []due) {
	said := make([]string, len(conditions)) // "": it holds
	at := c.now()
	room := make(chan struct{}, looksAtOnce)
	var all sync.WaitGroup
	for i := range conditions {
		room <- struct{}{}
		all.Go(func() {
			if said[i] = c.look(ctx, &conditions[i]); said[i] == "" {
				c.put(ctx, conditions[i])
			}
			<-room
		})
	}
	all.Wait()
	seen := make(map[string]Looked, len(conditions))
	for i, p := range conditions {
		if said[i] != "" {
			seen[p.id] = Looked{At: at, Said: said[i]}
		}
	}
	c.looked.Store(&seen)
}

// look asks one origin: "" when the condition holds, else what it said.
func (c *Control) look(ctx context.Context, p *due) string {
	u, err := url.Parse(p.when.URL)
	if err = errors.Join(err, p.refused); err != nil {
		return err.Error()
	}
	if c.cfg.Look == nil {
		return "this node looks at no origin"
	}
	bounded, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	status, values, err := c.cfg.Look(bounded, u, p.when.Field)
	switch {
	case err != nil && bounded.Err() != nil:
		return fmt.Sprintf("the origin did not answer within %v", lookTimeout)
	case err != nil:
		return err.Error()
	case status >= 400:
		return fmt.Sprintf("the origin answers %d", status)
	case met(p.when, values):
		return ""
	case len(values) == 0:
		return fmt.Sprintf("the origin answers %d without %s", status, p.when.Field)
	}
	return fmt.Sprintf("the origin answers %d with %s: %.200s", status, p.when.Field, strings.Join(values, ", "))
}

// Looked is how a condition was found when it was looked at last.
type Looked struct {
	At   time.Time
	Said string // why it does not hold
}

// Looked returns what this node has seen of a condition that is waited for; ok is false when it has not looked.
func (c *Control) Looked(id string) (l Looked, ok bool) {
	if seen := c.looked.Load(); seen != nil {
		l, ok = (*seen)[id]
	}
	return l, ok
}
