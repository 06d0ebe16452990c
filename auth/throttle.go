package auth

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// throttle bounds how often something may be tried in somebody's name. Names share a fixed number of
// buckets, chosen by a hash with a secret seed: no flood of names makes it grow or makes it forget (L9),
// and nobody can aim at another's bucket but under that one's own name. Two names in one bucket wait for
// each other, which is seldom and harms little.
type throttle struct {
	burst int           // tries at once
	every time.Duration // one more after this long

	seed    maphash.Seed
	mu      sync.Mutex
	buckets [4096]time.Time // when the bucket will be full again; guarded by mu
}

func newThrottle(burst int, every time.Duration) *throttle {
	return &throttle{burst: burst, every: every, seed: maphash.MakeSeed()}
}

func (t *throttle) bucket(name string) *time.Time {
	return &t.buckets[maphash.String(t.seed, name)%uint64(len(t.buckets))]
}

// take uses up one try; when there is none, wait says how long until there is.
func (t *throttle) take(name string, now time.Time) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bucket(name)
	from := *b
	if from.Before(now) {
		from = now
	}
	full := from.Add(t.every)
	if over := full.Sub(now) - time.Duration(t.burst)*t.every; over > 0 {
		return over, false
	}
	*b = full
	return 0, true
}

// spent tells whether there is no try left, and how long until there is one; it uses none up.
func (t *throttle) spent(name string, now time.Time) (wait time.Duration, yes bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := *t.bucket(name)
	if from.Before(now) {
		from = now
	}
	over := from.Add(t.every).Sub(now) - time.Duration(t.burst)*t.every
	return over, over > 0
}

// giveBack returns a try: it was no failure.
func (t *throttle) giveBack(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bucket(name)
	*b = b.Add(-t.every)
}

// network is in whose name an address tries: of IPv6 the network, since whoever has one address has
// the 2^64 beside it.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	p, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}
