package edge

import (
	"container/heap"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/cache"
)

// Re-fetching. A paced invalidation may bring back what was asked for most, before viewers ask. The sweeper writes down the
// keys of those of the objects that it drops or finds marked, and when it has seen all, they are asked for one by one, the most
// wanted first, each with a turn of the pace that no viewer waits for. They are fills like any other, with the stamp
// of the snapshot that they begin with; nobody waits for them.
//
// What cannot be asked for by its key alone is left to its viewers (distribution.Asked), and so are variants, parts, and
// what is large enough to be kept in slices.
const (
	maxHot        = 4096 // keys that a pace remembers; beyond it those that were asked for least are left to viewers
	maxRefetching = 8    // paces whose objects are brought back at once; beyond it a pace waits until those of another are
)

// hot are keys by how often they were asked for: a heap with the least wanted on top.
type hot []wanted

type wanted struct {
	hits uint64
	key  string
}

func (h hot) Len() int           { return len(h) }
func (h hot) Less(i, j int) bool { return h[i].hits < h[j].hits }
func (h hot) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *hot) Push(x any) { *h = append(*h, x.(wanted)) }

// Pop is heap.Interface's; nothing pops.
func (h *hot) Pop() any { panic("BUG: nothing pops") }

// wants writes down what the sweeper has dropped or found marked.
func (p *pace) wants(o *cache.Sight) {
	if p == nil || o.Status < 200 || o.Status >= 400 || o.Status == 200 && o.Size == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.refetch || p.ended || p.swept:
	case len(p.hot) < maxHot:
		heap.Push(&p.hot, wanted{o.Hits, strings.Clone(o.Key)})
	case o.Hits > p.hot[0].hits:
		p.hot[0] = wanted{o.Hits, strings.Clone(o.Key)}
		heap.Fix(&p.hot, 0)
	}
}

// hottest takes what was written down, the most wanted first.
func (p *pace) hottest() []wanted {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.hot
	p.hot = nil
	slices.SortFunc(all, func(a, b wanted) int {
		if a.hits != b.hits {
			if a.hits > b.hits {
				return -1
			}
			return 1
		}
		return strings.Compare(a.key, b.key)
	})
	return all
}

// hopes tells whether something is written down.
func (p *pace) hopes() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.hot) > 0
}

// refetch begins to bring back what the paces up to seq have written down.
func (e *Edge) refetch(s *Snap, seq uint64) {
	for id, x := range s.sites.all() {
		for _, p := range x.paces {
			if p.last <= seq && p.hopes() && !e.pacing.bring(id, p.pace) {
				return
			}
		}
	}
}

// bring begins to bring back what a pace has written down; false: too many do already, and when one has ended the sweeper is
// woken up, and tries again. From its goroutine.
func (a *pacing) bring(id string, p *pace) bool {
	a.queued.Store(true) // before the look: who ends after it sees that
	if a.refetching.Load() >= maxRefetching {
		return false
	}
	a.queued.Store(false)
	a.refetching.Add(1)
	all := p.hottest()
	on := a.e.flights.also(func() {
		p.bring(a.e.flights.ctx, id, all)
		if a.refetching.Add(-1); a.queued.Swap(false) {
			a.e.sweeper.wake()
		}
	})
	if !on {
		a.refetching.Add(-1)
	}
	return on
}

// bring asks for one after the other.
func (p *pace) bring(ctx context.Context, id string, all []wanted) {
	e := p.all.e
	for _, w := range all {
		if e.needs(id, w.key) == nil {
			continue
		}
		if !p.spare(ctx) {
			return
		}
		if f := e.needs(id, w.key); f != nil { // still
			f.prepaid = true
			if r, b := e.flights.board(f, false, false); b == took || b == boarded {
				e.pacing.refetched.Add(1)
				r.leave()
			}
		}
	}
}

// spare takes a turn when no viewer waits for one, and there is room for a fill that nobody waits for; false: it is over.
func (p *pace) spare(ctx context.Context) bool {
	e := p.all.e
	for !p.over(e.clock()) {
		if p.waiting.Load() == 0 && e.flights.background.Load() < int64(e.cfg.MaxBackground) && p.wait(ctx) == nil {
			return true
		}
		p.mu.Lock()
		every := p.every
		p.mu.Unlock()
		pause := time.NewTimer(min(max(every, 10*time.Millisecond), time.Second))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return false
		}
	}
	return false
}

// needs prepares the flight that brings back what lies under a key; nil: it is there again, or cannot be asked for.
func (e *Edge) needs(id, key string) *flight {
	s := e.snap.Load()
	x := s.sites.of(id)
	if x == nil || !s.joined || !x.Enabled {
		return nil
	}
	o := e.get(s, []byte(key)) // with its body, wherever that is
	if o != nil && (o.Epoch != s.life || x.check(o) == 0 && x.marked(o) == 0) {
		return nil
	}
	r, ok := x.Asked([]byte(key))
	if !ok || x.Behavior(r.Path).CachingDisabled {
		return nil
	}
	q := &query{snap: s, site: x, behavior: x.Behavior(r.Path), req: r, path: x.RootedPath(r.Path), key: []byte(key)}
	v := &visit{e: e}
	v.x.ID = newID()
	f := v.flight(q)
	f.refresh = true
	if o != nil && x.check(o) == 0 {
		if f.seen = o; o.Status < 400 {
			f.old = o
		}
	}
	return f
}
