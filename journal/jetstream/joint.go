package jetstream

import (
	"context"
	"sync"
	"time"
)

// joint has those who want to know the same at the same time ask once: who comes while a question waits for its turn gets its answer. A
// question that has been sent takes nobody any more, since what it is answered may be older than who comes then. The zero value is ready.
type joint[K comparable, V any] struct {
	mu      sync.Mutex
	waiting map[K]*jointly[V] // not sent yet; guarded by mu
}

// jointly is a question of several.
type jointly[V any] struct {
	done  chan struct{} // closed when the rest is set
	is    V
	err   error
	again bool // there is none: whoever was to ask has given up
}

// do returns what ask does, called by this or another caller since; turn is called before it, and may wait. What is returned is for all of
// them, and not changed.
func (j *joint[K, V]) do(ctx context.Context, key K, turn func(context.Context) error, ask func(context.Context) (V, error)) (v V, err error) {
	for {
		a, leads := j.join(key)
		if leads {
			j.lead(ctx, key, a, turn, ask)
			return a.is, a.err
		}
		select {
		case <-a.done:
		case <-ctx.Done():
			return v, ctx.Err()
		}
		if !a.again {
			return a.is, a.err
		}
		if err := ctx.Err(); err != nil {
			return v, err
		}
	}
}

// join returns the question that waits, or a new one, which the caller is to ask.
func (j *joint[K, V]) join(key K) (a *jointly[V], leads bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if a = j.waiting[key]; a != nil {
		return a, false
	}
	if j.waiting == nil {
		j.waiting = map[K]*jointly[V]{}
	}
	a = &jointly[V]{done: make(chan struct{}), again: true}
	j.waiting[key] = a
	return a, true
}

func (j *joint[K, V]) lead(ctx context.Context, key K, a *jointly[V], turn func(context.Context) error, ask func(context.Context) (V, error)) {
	defer close(a.done)
	a.err = turn(ctx)
	j.mu.Lock()
	delete(j.waiting, key)
	j.mu.Unlock()
	if a.err == nil {
		a.is, a.err = ask(ctx)
	}
	a.again = a.err != nil && ctx.Err() != nil
}

// room is for so many at once.
type room chan struct{}

// enter waits until there is room, in order.
func (r room) enter(ctx context.Context) error {
	select {
	case r <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r room) leave() { <-r }

// spaced leaves some time between those whose turn it is. The zero value has let nobody through.
type spaced struct {
	mu   sync.Mutex
	next time.Time // when the next one may; guarded by mu
}

// turn waits until the time since whoever was before is over. That it was long ago makes it the caller's turn at once.
func (s *spaced) turn(ctx context.Context, apart time.Duration) error {
	s.mu.Lock()
	now := time.Now()
	at := s.next
	if at.Before(now) {
		at = now
	}
	s.next = at.Add(apart)
	s.mu.Unlock()
	if at == now {
		return nil
	}
	t := time.NewTimer(at.Sub(now))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
