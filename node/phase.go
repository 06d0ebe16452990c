package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// phase is a group of goroutines that start and stop together.
type phase struct {
	g      *errgroup.Group
	ctx    context.Context // of what runs in it; ends at the first failure
	cancel context.CancelFunc
}

func newPhase(ctx context.Context) *phase {
	ctx, cancel := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	return &phase{g, ctx, cancel}
}

func (p *phase) run(f func(context.Context) error) { p.g.Go(func() error { return f(p.ctx) }) }

func (p *phase) failed() <-chan struct{} { return p.ctx.Done() }

// stop ends the phase, waits for all of it and returns the first failure.
func (p *phase) stop() error {
	p.cancel()
	if err := p.g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// wait waits for ready, or for what prevents it. When that takes long, slow is called now and again.
func (p *phase) wait(ctx context.Context, ready <-chan struct{}, slow func()) error {
	tick := time.NewTicker(slowAfter)
	defer tick.Stop()
	for {
		select {
		case <-ready:
			return nil
		case <-tick.C:
			slow()
		case <-p.ctx.Done():
			return p.stop()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const (
	slowAfter  = 3 * time.Second  // after which somebody who waits wants to know for what
	stuckAfter = 30 * time.Second // without progress, after which waiting has no sense
)

// readiness is something that is waited for.
type readiness struct {
	ready    func() error  // nil: it is; else why not
	progress func() uint64 // grows as it comes nearer
	slow     func()        // called now and again when it takes long
}

// until waits until r is ready, however long, as long as there is progress. It asks again as often as a
// person would not notice.
func (p *phase) until(ctx context.Context, r readiness) error {
	tick, slow := time.NewTicker(2*time.Millisecond), time.NewTicker(slowAfter)
	defer tick.Stop()
	defer slow.Stop()
	at, moved := r.progress(), time.Now()
	for {
		err := r.ready()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-slow.C:
			if now := r.progress(); now != at {
				at, moved = now, time.Now()
			} else if time.Since(moved) >= stuckAfter {
				return fmt.Errorf("no progress within %v: %w", stuckAfter, err)
			}
			r.slow()
		case <-p.ctx.Done():
			return errors.Join(err, p.stop())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
