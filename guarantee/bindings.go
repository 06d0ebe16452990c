package guarantee

import (
	"context"
	"slices"
	"sync"
	"time"
)

// An edge for which Completed does not speak is bound by the invalidation when it is heard of again: then it has applied it. So whoever was
// told of such edges goes on asking for whom it does not hold yet, and demands of the others, from then on, what is demanded of all.

const (
	bindingsKept  = 64 // further ones take the places of the oldest, of which nothing more is demanded then
	bindingsEvery = 200 * time.Millisecond
)

// bindings are the invalidations that do not bind all edges yet. Any goroutine may add.
type bindings struct {
	mu   sync.Mutex
	left []*binding // in order of their completion; guarded by mu
}

type binding struct {
	*demand
	unbound []string // those that it does not bind yet; of the goroutine that binds
	still   func(context.Context) ([]string, error)
}

// add enters an invalidation, unless it binds all.
func (b *bindings) add(d *demand, o Outcome) {
	if len(o.Unbound) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.left) == bindingsKept {
		b.left = append(b.left[:0], b.left[1:]...)
	}
	b.left = append(b.left, &binding{d, o.Unbound, o.Still})
}

// oldest returns the first of those that are left, nil if there is none.
func (b *bindings) oldest() *binding {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.left) == 0 {
		return nil
	}
	return b.left[0]
}

func (b *bindings) remove(x *binding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = slices.DeleteFunc(b.left, func(y *binding) bool { return x == y })
}

// bindAll asks for the oldest of those that are left until it binds all edges, and then for the next. Edges apply what is accepted in its order (L1): who has not
// applied that one will hardly have applied a later one.
func (r *run) bindAll(ctx context.Context) {
	tick := time.NewTicker(bindingsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for x := r.bindings.oldest(); x != nil && ctx.Err() == nil; x = r.bindings.oldest() {
			if !r.bindMore(ctx, x) {
				break
			}
		}
	}
}

// bindMore demands what an invalidation does of those edges that it has come to bind, and tells whether nothing is left to be asked of it.
func (r *run) bindMore(ctx context.Context, x *binding) bool {
	still, err := x.still(ctx)
	if err != nil { // nothing is known of it any more: a journal was put back, or it is the end
		r.bindings.remove(x)
		return true
	}
	var bound []string
	for _, via := range x.unbound {
		if !slices.Contains(still, via) {
			bound = append(bound, via)
		}
	}
	if len(bound) > 0 {
		r.bind(x.demand, bound)
		r.bound.Add(int64(len(bound)))
		x.unbound = still
	}
	if len(still) > 0 {
		return false
	}
	r.bindings.remove(x)
	return true
}
