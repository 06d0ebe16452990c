package ownapi

import "sync"

// ratios remembers, for each edge, what it had answered from its cache and what not at the last ends of steps, for the share of hits
// among them. It has no more edges than there are places.
type ratios struct {
	mu    sync.Mutex
	edges map[string][]answers // the oldest first; guarded by mu
}

// answers are what an edge has counted since it started.
type answers struct{ hits, misses uint64 }

const ratioSteps = 30 // five minutes

// note is called at each step's end with all edges that answer. Who is not among them has begun anew when it is back.
func (r *ratios) note(all []Place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[string][]answers, len(all))
	for _, p := range all {
		if p.Traffic == nil {
			continue
		}
		var now answers
		now.hits, now.misses = p.Traffic()
		kept := r.edges[p.Name]
		if n := len(kept); n > 0 && (now.hits < kept[n-1].hits || now.misses < kept[n-1].misses) {
			kept = nil // another process
		}
		kept = append(kept, now)
		next[p.Name] = kept[max(0, len(kept)-ratioSteps):]
	}
	r.edges = next
}

// of returns the share of hits among what an edge answered in the last minutes; nil: nothing could have been one, or it is not known yet.
func (r *ratios) of(p *Place) *float64 {
	if p.Traffic == nil {
		return nil
	}
	var now answers
	now.hits, now.misses = p.Traffic()
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.edges[p.Name]
	if len(kept) == 0 || now.hits < kept[0].hits || now.misses < kept[0].misses {
		return nil
	}
	hits, misses := now.hits-kept[0].hits, now.misses-kept[0].misses
	if hits+misses == 0 {
		return nil
	}
	ratio := float64(hits) / float64(hits+misses)
	return &ratio
}
