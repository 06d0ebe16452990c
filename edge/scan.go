package edge

import (
	"context"
	"errors"
	"runtime"
	"strings"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/invalidation"
)

// ErrNoDistribution: this edge knows no distribution with that id, or none for that host.
var ErrNoDistribution = errors.New("edge: no such distribution")

const scanBatch = 1024 // objects between two looks at the context

// living calls visit for every stored object of a distribution that no rule has killed, fresh or not.
// It counts as no use. What is shown is valid during the visit only. A scan goes through the whole store, so it
// lets others run now and then: who asks is a person, who waits beside it is a viewer.
func (e *Edge) living(ctx context.Context, distribution string, visit func(*cache.Sight)) error {
	snap := e.snap.Load()
	x := snap.sites.of(distribution)
	if x == nil {
		return ErrNoDistribution
	}
	n := 0
	e.store.Range(func(o *cache.Sight) bool {
		if n++; n%scanBatch == 0 {
			if ctx.Err() != nil {
				return false
			}
			runtime.Gosched()
		}
		if o.Distribution == distribution && o.Status != signpost && o.Epoch == snap.life && x.checkSight(o) == 0 {
			visit(o)
		}
		return true
	})
	if e.disk != nil && ctx.Err() == nil {
		e.livingOnDisk(ctx, snap, distribution, visit)
	}
	return ctx.Err()
}

// uri is how an object is called: its path and the part of the query that is in its key. The string is its own.
func uri(s *invalidation.Subject) string {
	if s.QueryIgnored || s.Query == "" {
		return strings.Clone(s.Path)
	}
	return s.Path + "?" + s.Query
}
