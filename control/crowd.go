package control

import (
	"sync"
	"time"
)

// Each edge that joins or leaves is told to all: told one by one, a fleet that starts, or comes back, would cost with the square of its
// size. So those that come soon after another wait until some more have come, and share an entry (journal.Writer.TogetherWithin).
const (
	crowdPerEdge = 200 * time.Microsecond // of 1,000 edges: each at once, or with all others that come in a fifth of a second
	crowdMost    = time.Second
)

// crowdWindow is how much time is left between two entries that tell so many edges who has come and gone.
func crowdWindow(edges int) time.Duration {
	return min(time.Duration(edges)*crowdPerEdge, crowdMost)
}

// crowd says when who comes or goes may. The zero value is ready.
type crowd struct {
	mu   sync.Mutex
	last time.Time // when somebody has been let through, or will be; guarded by mu
}

// wait is for how long: not at all if nobody has been let through within the window before, else until that is over, with all others who
// come meanwhile.
func (g *crowd) wait(window time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.last.Before(now) {
		g.last = g.last.Add(window)
	}
	if g.last.Before(now) {
		g.last = now
	}
	return g.last.Sub(now)
}
