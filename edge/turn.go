package edge

import (
	"context"
	"time"

	"github.com/warmfront/warmfront/origin"
)

// The turns of a pace: who may ask next, and how long the others wait.

// try takes a turn if one is free.
func (p *pace) try() bool {
	select {
	case p.turn <- struct{}{}:
	default:
		return false
	}
	defer func() { <-p.turn }()
	if p.ahead() > 0 {
		return false
	}
	p.take()
	return true
}

func (p *pace) wait(ctx context.Context) error {
	if !p.enter() {
		return errPaced
	}
	defer p.leave()
	late := time.NewTimer(paceWait)
	defer late.Stop()
	canceled := func() error { return &origin.Error{Kind: origin.Canceled, Op: "wait", Err: ctx.Err()} }
	select {
	case p.turn <- struct{}{}:
	case <-late.C:
		return errPaced
	case <-ctx.Done():
		return canceled()
	}
	defer func() { <-p.turn }()
	if d := p.ahead(); d > 0 {
		slot := time.NewTimer(d)
		defer slot.Stop()
		select {
		case <-slot.C:
		case <-late.C:
			return errPaced
		case <-ctx.Done():
			return canceled()
		}
	}
	p.take()
	return nil
}

// enter tells whether it is worth waiting.
func (p *pace) enter() bool {
	p.mu.Lock()
	every := p.every
	p.mu.Unlock()
	if n := p.waiting.Add(1); p.all.waiting.Add(1) > maxPaceWaits || time.Duration(n-1)*every > paceWait {
		p.leave()
		return false
	}
	return true
}

func (p *pace) leave() {
	p.waiting.Add(-1)
	p.all.waiting.Add(-1)
}

// ahead is how long until the next question may be asked.
func (p *pace) ahead() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next - p.all.e.clock()
}

// take lets one through. A timer that was late does not make the pace slower: from the first to the last of n+1 questions there are n times every,
// less paceLate at most.
func (p *pace) take() {
	now := p.all.e.clock()
	p.asked.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = max(p.next, now-paceLate) + p.every
}
