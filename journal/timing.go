package journal

import (
	"time"

	"github.com/warmfront/warmfront/internal/mistake"
)

// Timing holds the times of the protocol that both sides must agree on: the edges' Lease and the
// control plane's Tracker take the same value. A zero field means its default.
type Timing struct {
	// Lease is L: for how long after a probe was sent its answer makes an edge fresh. It must exceed
	// every failover of the journal (the longest elections take 9 s). Default 30 s.
	Lease time.Duration

	// SelfFence is L2: for how long without freshness an edge may serve what it fetched within Lease.
	// 0 means for ever, which is the default: a fleet that stops by itself when the control plane is
	// away is worse than one that revalidates.
	SelfFence time.Duration

	// Decide is D: the longest time from the decision to serve an object to its headers being
	// written; an edge closes a connection that takes longer. Default 1 s.
	Decide time.Duration

	// Probe is the time between two freshness probes. Default 5 s.
	Probe time.Duration

	// DriftPPM is ρ in parts per million: how far the rates of two nodes' clocks may differ from true
	// time (C1). Default 1,000; crystals keep 100 and NTP slews by at most 500.
	DriftPPM int64
}

// Defaults returns t with its zero fields filled in.
func (t Timing) Defaults() Timing {
	if t.Lease == 0 {
		t.Lease = 30 * time.Second
	}
	if t.Decide == 0 {
		t.Decide = time.Second
	}
	if t.Probe == 0 {
		t.Probe = 5 * time.Second
	}
	if t.DriftPPM == 0 {
		t.DriftPPM = 1000
	}
	return t
}

// Wait is L_T = (L+D)·(1+ρ)/(1−ρ) + 1 s: how long a tracker waits on its own clock until no edge,
// heard of or not, can still serve an object that an entry forbids (P3).
func (t Timing) Wait() time.Duration {
	t = t.Defaults()
	if mistake.Made(shortWait) {
		return t.Lease / 2
	}
	rho := float64(t.DriftPPM) / 1e6
	return time.Duration(float64(t.Lease+t.Decide)*(1+rho)/(1-rho)) + time.Second
}

// A Clock reads the time since some fixed instant of this machine's life. It must count the time that
// the machine was suspended (C2): Uptime does, time.Now's monotonic reading does not. Readings are
// compared to each other only, never to another node's.
type Clock func() time.Duration
