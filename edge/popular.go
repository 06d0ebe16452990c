package edge

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/warmfront/warmfront/cache"
)

// Popular is what is asked for most, of what is stored now.
type Popular struct {
	Objects []PopularObject // the most wanted first
	Since   time.Time       // when the oldest of all that was looked at was stored or renewed; zero: nothing is
}

// PopularObject is one path with its variants together.
type PopularObject struct {
	Path     string // with the query that is in the key
	Requests uint64 // hits, and the fetch
	Hits     uint64
	Bytes    int64 // that the requests took
}

// Popular goes through the store; nothing is counted while requests are answered, but for each object's
// hits. What was evicted or invalidated has lost its count. most bounds the answer and the memory that
// it takes: of paths with many variants only those count that are among the most wanted themselves.
func (e *Edge) Popular(ctx context.Context, distribution string, most int) (*Popular, error) {
	p := &Popular{}
	var top ranking
	inSlices := map[string]int64{} // by path: what was sent of it
	err := e.living(ctx, distribution, func(o *cache.Sight) {
		if o.Status == sliceStatus {
			inSlices[uri(&o.Subject)] += int64(o.Hits+1) * o.Size
			return
		}
		if p.Since.IsZero() || o.Stored.Before(p.Since) {
			p.Since = o.Stored
		}
		top.offer(o, most*4)
	})
	if err != nil {
		return nil, err
	}
	byPath := map[string]*PopularObject{}
	for _, r := range top {
		x := byPath[r.uri]
		if x == nil {
			x = &PopularObject{Path: r.uri}
			byPath[r.uri] = x
		}
		x.Hits += r.hits
		x.Requests += r.hits + 1
		x.Bytes += int64(r.hits+1) * r.size
	}
	for _, x := range byPath {
		x.Bytes += inSlices[x.Path]
		p.Objects = append(p.Objects, *x)
	}
	slices.SortFunc(p.Objects, func(a, b PopularObject) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Path, b.Path))
	})
	p.Objects = p.Objects[:min(most, len(p.Objects))]
	return p, nil
}

// ranking is a heap with the least wanted on top.
type ranking []ranked

type ranked struct {
	hits uint64
	uri  string
	size int64
}

func (r *ranking) offer(o *cache.Sight, most int) {
	switch {
	case len(*r) < most:
		heap.Push(r, ranked{o.Hits, uri(&o.Subject), o.Size})
	case o.Hits > (*r)[0].hits:
		(*r)[0] = ranked{o.Hits, uri(&o.Subject), o.Size}
		heap.Fix(r, 0)
	}
}

func (r ranking) Len() int           { return len(r) }
func (r ranking) Less(i, j int) bool { return r[i].hits < r[j].hits }
func (r ranking) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }

// Push is heap.Interface's.
func (r *ranking) Push(x any) { *r = append(*r, x.(ranked)) }

// Pop is heap.Interface's; nothing pops.
func (r *ranking) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}
