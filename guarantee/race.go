package guarantee

import (
	"context"
	"sync"
	"time"
)

// raceFor is how long a race may take: much longer than two invalidations do, and not as long as one does without an edge that is silent.
const raceFor = 5 * time.Second

// race is how a writer and the origin arrange what chance brings seldom, and on some machines never: answers of the origin are on their way
// that are older than what is Completed meanwhile. As long as it is on, the origin keeps every answer for its object back that it has made.
// The zero value is ready.
type race struct {
	mu   sync.Mutex
	held chan struct{} // closed when an answer is kept back; guarded by mu
	over chan struct{} // closed when it is over; nil: it is not on; guarded by mu
}

// begin begins it, unless it is on. It is over with end, and after so long.
func (r *race) begin(most time.Duration) (held <-chan struct{}, end func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over != nil {
		return nil, nil, false
	}
	over := make(chan struct{})
	r.held, r.over = make(chan struct{}), over
	late := time.AfterFunc(most, func() { r.end(over) })
	return r.held, func() { late.Stop(); r.end(over) }, true
}

func (r *race) end(over chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over == over {
		close(over)
		r.held, r.over = nil, nil
	}
}

// on tells whether it is.
func (r *race) on() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over != nil
}

// hold keeps an answer back for as long as the race is on, and tells whether it was.
func (r *race) hold(ctx context.Context) bool {
	r.mu.Lock()
	over := r.over
	if over != nil {
		select {
		case <-r.held:
		default:
			close(r.held)
		}
	}
	r.mu.Unlock()
	if over == nil {
		return false
	}
	select {
	case <-over:
	case <-ctx.Done():
	}
	return true
}
