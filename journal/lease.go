package journal

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/internal/mistake"
)

// Lease says whether an edge may serve what it has stored (P1, and the clauses of S3 about t_fresh). It is
// a pure state machine: each event is a method, the clock is an argument, nothing waits. Prober feeds it.
//
//	probe sent at t, answered with z, z applied  ⇒  everything accepted before t is applied: fresh since t
//
// The events may come from several goroutines. Fresh, Synced and Allows are the hot path: they read
// atomics and may run beside everything. The caller must decide with a real clock reading of that moment: a
// cached one is wrong after the process was stopped.
type Lease struct {
	timing Timing

	fresh  atomic.Int64 // t_fresh in ns of the clock; never before the first answer
	synced atomic.Bool

	mu      sync.Mutex
	applied uint64      // a
	lastID  ProbeID     // numbers probes
	sent    []sentProbe // no answer yet, oldest first
	waiting []sentProbe // answered with z > applied, oldest first
	failed  int         // in a row
}

// ProbeID names a probe between ProbeSent and its end.
type ProbeID uint64

type sentProbe struct {
	id      ProbeID
	at      time.Duration // t_send
	applied uint64        // a at t_send
	z       uint64        // the answer
}

// Answer is what an answered probe means.
type Answer int

const (
	Renewed    Answer = iota // the answer's entry is applied already: fresh since the probe was sent
	Waiting                  // fresh since then as soon as the answer's entry is applied
	Stray                    // answers no probe of this lease: repeated, too late or revoked
	RolledBack               // the log's end is at or before what had been applied: follow E1, read
)

const (
	never     = math.MinInt64
	maxProbes = 16 // at 5 s each this is far beyond L: the oldest could not make anything fresh any more
)

// NewLease returns a lease that is not fresh and not synced (S5).
func NewLease(t Timing) *Lease {
	l := &Lease{timing: t.Defaults()}
	l.fresh.Store(never)
	return l
}

// Timing returns the times that the lease goes by, defaults filled in.
func (l *Lease) Timing() Timing { return l.timing }

// Fresh reports whether the edge has provably applied everything that was accepted until L ago: now−t_fresh ≤ L.
func (l *Lease) Fresh(now time.Duration) bool {
	return l.proves(now, l.fresh.Load())
}

// proves tells whether a proof from then is not too old.
func (l *Lease) proves(now time.Duration, fresh int64) bool {
	return within(now, fresh, l.timing.Lease) || mistake.Made(noLease) && fresh != never
}

// Synced reports whether any probe was answered and applied since the start or the last Revoke (S5).
func (l *Lease) Synced() bool { return l.synced.Load() }

// Allows is S3's clause about time for an object whose fetch began at began:
//
//	now−t_fresh ≤ L ∨ (synced ∧ now−t0 ≤ L ∧ now−t_fresh ≤ L2)
func (l *Lease) Allows(now, began time.Duration) bool {
	fresh := l.fresh.Load()
	if l.proves(now, fresh) {
		return true
	}
	return (l.synced.Load() || mistake.Made(youngUnsynced)) && within(now, int64(began), l.timing.Lease) &&
		(l.timing.SelfFence == 0 || within(now, fresh, l.timing.SelfFence) || mistake.Made(noSelfFence))
}

// Had reports whether the edge, fresh or not, has once been so, and is not to be silent yet: synced ∧ now−t_fresh ≤ L2. It is
// no part of S3: who serves by it has given up the promise.
func (l *Lease) Had(now time.Duration) bool {
	return l.synced.Load() && (l.timing.SelfFence == 0 || within(now, l.fresh.Load(), l.timing.SelfFence))
}

// Since returns the reading of the clock since which everything accepted before is known to be applied;
// ok is false before the first.
func (l *Lease) Since() (t time.Duration, ok bool) {
	f := l.fresh.Load()
	return time.Duration(f), f != never
}

// within reports 0 ≤ now−since ≤ d. A clock that went backwards (a restored machine) makes nothing fresh.
func within(now time.Duration, since int64, d time.Duration) bool {
	return since != never && int64(now) >= since && now-time.Duration(since) <= d
}

// ProbeSent notes that a probe is about to be sent. Call it before sending: t_send must not be later.
func (l *Lease) ProbeSent(now time.Duration) ProbeID {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastID++
	l.sent = push(l.sent, sentProbe{id: l.lastID, at: now, applied: l.applied})
	return l.lastID
}

// ProbeAnswered notes the answer z to a probe.
func (l *Lease) ProbeAnswered(id ProbeID, z uint64) Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.take(id)
	if !ok {
		return Stray
	}
	l.failed = 0
	// z was appended after the probe was sent, therefore after all that was applied by then. If it is not,
	// the log is another one, and what its numbers mean to us is unknown.
	if z <= p.applied {
		return RolledBack
	}
	p.z = z
	if z > l.applied {
		l.waiting = push(l.waiting, p)
		return Waiting
	}
	l.renew(p.at)
	return Renewed
}

// ProbeFailed notes that a probe will not be answered. After two failures in a row it says to reconnect
// elsewhere.
func (l *Lease) ProbeFailed(id ProbeID) (reconnect bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.take(id); !ok {
		return false
	}
	l.failed++
	return l.failed >= 2
}

// Applied notes that everything up to entry a has been applied, visibly to every later decision.
func (l *Lease) Applied(a uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.applied = a
	rest := l.waiting[:0]
	for _, p := range l.waiting {
		if p.z <= a {
			l.renew(p.at)
		} else {
			rest = append(rest, p)
		}
	}
	l.waiting = rest
}

// Revoke makes the edge neither fresh nor synced: the log was replaced (E1), or the clock jumped (C3).
// Probes on their way count for nothing. Call it in the same critical section that drops the cache.
func (l *Lease) Revoke() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.synced.Store(false)
	l.fresh.Store(never)
	l.applied = 0
	l.sent, l.waiting = l.sent[:0], l.waiting[:0]
}

// renew makes the edge fresh since at. Answers may come out of order; guarded by mu.
func (l *Lease) renew(at time.Duration) {
	if int64(at) > l.fresh.Load() {
		l.fresh.Store(int64(at))
	}
	l.synced.Store(true)
}

func (l *Lease) take(id ProbeID) (p sentProbe, ok bool) {
	for i, p := range l.sent {
		if p.id == id {
			l.sent = append(l.sent[:i], l.sent[i+1:]...)
			return p, true
		}
	}
	return p, false
}

// push appends p and forgets the oldest beyond maxProbes (L9).
func push(s []sentProbe, p sentProbe) []sentProbe {
	if len(s) >= maxProbes {
		s = append(s[:0], s[1:]...)
	}
	return append(s, p)
}
