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
	looksAtOnce = 8

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

// runPlans puts planned invalidations in force, and others at the next location. Every control node does: the first whose entry gets into the
// journal has, and the others find that there is nothing left to do.
func (c *Control) runPlans(ctx context.Context) {
	var looked time.Time
	for {
		now := c.cfg.Now()
		ready, conditions, next := c.plans(now)
		wait := min(next, clockCheck)
		if len(conditions) > 0 {
			if now.Sub(looked) >= lookEvery || now.Before(looked) {
				ready, looked = append(ready, c.lookAt(ctx, conditions)...), now
			}
			wait = min(wait, lookEvery-now.Sub(looked))
		}
		for _, p := range ready {
			put := c.fire
			if p.turn > 0 {
				put = c.turn
			}
			if err := put(ctx, p); err != nil {
				c.cfg.Logger.Warn("a scheduled invalidation could not be put in force yet", "invalidation", p.id, "turn", p.turn, "error", err)
				wait = retryAfter
			}
		}
		alarm := time.NewTimer(max(wait, 0))
		select {
		case <-ctx.Done():
			alarm.Stop()
			return
		case <-c.planned:
		case <-alarm.C:
		}
		alarm.Stop()
	}
}

// plans returns what is due, the conditions that are waited for, and how long until the next time comes.
func (c *Control) plans(now time.Time) (ready, conditions []due, next time.Duration) {
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
			plan := &inv.planned.Plan
			p := due{distribution: id, id: inv.fact.InvalidationID, when: plan.When}
			switch {
			case plan.When != nil:
				p.refused = asksOrigin(d.put.Config, plan.When)
				conditions = append(conditions, p)
			case !plan.At.After(now):
				ready = append(ready, p)
			default:
				next = min(next, plan.At.Sub(now))
			}
		}
	}
	return ready, conditions, next
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

// lookAt asks the origins and returns those whose condition holds.
func (c *Control) lookAt(ctx context.Context, conditions []due) (ready []due) {
	said := make([]string, len(conditions)) // "": it holds
	at := c.now()
	room := make(chan struct{}, looksAtOnce)
	var all sync.WaitGroup
	for i := range conditions {
		room <- struct{}{}
		all.Go(func() {
			said[i] = c.look(ctx, &conditions[i])
			<-room
		})
	}
	all.Wait()
	seen := make(map[string]Looked, len(conditions))
	for i, p := range conditions {
		if said[i] == "" {
			ready = append(ready, p)
		} else {
			seen[p.id] = Looked{At: at, Said: said[i]}
		}
	}
	c.looked.Store(&seen)
	return ready
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
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	status, values, err := c.cfg.Look(ctx, u, p.when.Field)
	switch {
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
