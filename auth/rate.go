package auth

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// DefaultRate is how many calls a second a key may make where nothing else is said. It is far above what
// people, CI jobs and Terraform do, and stops a script that has gone mad before others feel it.
const DefaultRate = 1000

// maxRated bounds the keys that are counted (L9). Keys and sessions have their own bounds below it; beyond
// it a key is forgotten, and may begin anew.
const maxRated = 8192

// Rate bounds the calls of each access key, with bursts of twice what a second allows. Doors ask it about
// keys that they have admitted, so that a stranger uses up nobody's. It may be used concurrently; nil allows
// everything. Make one with NewRate.
type Rate struct {
	perSecond int
	now       func() time.Time

	mu   sync.Mutex
	keys map[string]*rate.Limiter
}

// NewRate returns one that allows each key so many calls a second. now is time.Now when nil.
func NewRate(perSecond int, now func() time.Time) *Rate {
	if now == nil {
		now = time.Now
	}
	return &Rate{perSecond: perSecond, now: now, keys: map[string]*rate.Limiter{}}
}

// Throttled is a call beyond its key's rate.
type Throttled struct {
	Key       string
	PerSecond int
	Wait      time.Duration // after which one more is allowed
}

func (e *Throttled) Error() string {
	return fmt.Sprintf("rate exceeded: the access key %s may make %d calls a second", e.Key, e.PerSecond)
}

// Take counts a call of a key, or returns a *Throttled and counts nothing.
func (r *Rate) Take(key string) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	l := r.keys[key]
	if l == nil {
		r.makeRoom(now)
		l = rate.NewLimiter(rate.Limit(r.perSecond), 2*r.perSecond)
		r.keys[key] = l
	}
	if l.AllowN(now, 1) {
		return nil
	}
	return &Throttled{Key: key, PerSecond: r.perSecond, Wait: time.Duration((1 - l.TokensAt(now)) / float64(r.perSecond) * float64(time.Second))}
}

// makeRoom forgets keys: those that have been idle lose nothing by it, and if there are none, any.
func (r *Rate) makeRoom(now time.Time) {
	if len(r.keys) < maxRated {
		return
	}
	for key, l := range r.keys {
		if l.TokensAt(now) >= float64(2*r.perSecond) {
			delete(r.keys, key)
		}
	}
	for key := range r.keys {
		if len(r.keys) < maxRated {
			return
		}
		delete(r.keys, key)
	}
}
