package journal

import (
	"slices"
	"time"
)

// After a loss, or with a log put back from a copy, there may be edges that the log does not know: whose EdgeJoined is in what is gone. They
// serve, and nobody waits for them. So such a log is doubted: until each edge that it knows has been heard to follow it, by having
// applied something that was appended since, and every lease has run out that had been given before, the fast path is off. What is completed by
// time needs no membership.

// doubt is what a Tracker goes by while its log is doubted.
type doubt struct {
	began  bool          // from and until are set
	from   uint64        // what is above was appended since
	until  time.Duration // leases from before have run out
	looked time.Duration // when it was last asked who is missing, which takes a look at every edge
}

// doubtEvery is how often that is asked.
const doubtEvery = 50 * time.Millisecond

// Opened says that the log has been folded to where it ended when this control plane began. Of a doubted one, doubt ends at the earliest L_T later.
func (t *Tracker) Opened(now time.Duration) {
	if t.doubt != nil && !t.doubt.began {
		t.distrust(now)
	}
}

// Doubtful reports whether the log is doubted.
func (t *Tracker) Doubtful(now time.Duration) bool {
	d := t.doubt
	if d == nil {
		return false
	}
	if !d.began || now < d.until || now-d.looked < doubtEvery {
		return true
	}
	if d.looked = now; len(t.Missing()) > 0 {
		return true
	}
	t.doubt = nil
	return false
}

// Doubt is how long a log has been doubted, and what its end waits for.
type Doubt struct {
	Since   time.Duration // it began then, by the clock of now
	Until   time.Duration // it does not end before
	Missing []string      // see Tracker.Missing
}

// Doubt tells how the log is doubted; ok is false when it is not, or has not been folded to its end yet (Opened).
func (t *Tracker) Doubt(now time.Duration) (d Doubt, ok bool) {
	if !t.Doubtful(now) || !t.doubt.began {
		return Doubt{}, false
	}
	return Doubt{t.doubt.until - t.c.Timing.Wait(), t.doubt.until, t.Missing()}, true
}

// Missing lists the edges that are admitted, or members, and have not been heard to follow a log that is doubted, by name.
func (t *Tracker) Missing() (names []string) {
	if t.doubt == nil {
		return nil
	}
	follows := func(m *member) bool { return m != nil && t.doubt.began && m.acked > t.doubt.from }
	for name := range t.admitted {
		if !follows(t.members[name]) {
			names = append(names, name)
		}
	}
	for name, m := range t.members {
		if !t.admitted[name] && !follows(m) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// distrust begins to doubt the log, as it is now.
func (t *Tracker) distrust(now time.Duration) {
	t.doubt = &doubt{began: true, from: t.seen, until: now + t.c.Timing.Wait(), looked: now - doubtEvery}
}
