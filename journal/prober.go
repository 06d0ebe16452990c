package journal

import (
	"context"
	"time"
)

// Prober renews a Lease with probes (P1): one at once, then one each Timing.Probe; sooner after a failure.
// The functions may be nil, the other fields are required; none is changed after Run began.
type Prober struct {
	Log      Log
	Lease    *Lease
	Follower *Follower
	Clock    Clock

	// Answered is called after each probe that was answered, when the lease knows it.
	Answered func(z uint64, a Answer)
	// Failed is called after each probe that failed; reconnect means that it was not the first in a row.
	Failed func(err error, reconnect bool)
}

// Run probes until ctx ends and returns ctx's error.
func (p *Prober) Run(ctx context.Context) error {
	every := p.Lease.Timing().Probe
	retry := backoff{least: every / 50, most: every}
	for {
		pause := every
		if p.probe(ctx, every) {
			retry.reset()
		} else {
			pause = retry.next()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// probe sends one probe and reports whether it was answered. An answer later than the next probe would
// be is of little use, hence the timeout.
func (p *Prober) probe(ctx context.Context, timeout time.Duration) bool {
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	id := p.Lease.ProbeSent(p.Clock())
	z, err := p.Log.Probe(within)
	if err != nil {
		reconnect := p.Lease.ProbeFailed(id)
		if p.Failed != nil && ctx.Err() == nil {
			p.Failed(err, reconnect)
		}
		return false
	}
	a := p.Lease.ProbeAnswered(id, z)
	switch a {
	case Waiting:
		p.Follower.Behind(z)
	case RolledBack:
		p.Follower.Look()
	}
	if p.Answered != nil {
		p.Answered(z, a)
	}
	return true
}
