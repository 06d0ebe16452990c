// Package rules knows what an edge may do by the protocol of docs/journal.md: each function is a decision of S1–S5, E1, E4, P2 or
// T1–T2 on what is given to it. It has never heard of clocks, locks, connections or goroutines: the edge asks it, and so does
// the simulation of machines, which thereby runs the decisions of production and not a copy of them. What else is decided purely is in
// package journal: Lease, Tracker, Pursuit.
//
// Each function is small enough to be inlined; hits allocate nothing in them.
package rules

import (
	"time"

	"github.com/warmfront/warmfront/internal/mistake"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/tier"
)

// Serves tells whether an edge may answer anything: its own join is applied (P2).
func Serves(joined bool) bool { return joined || mistake.Made(notJoined) }

// Mine tells whether a join under the edge's name makes it a member: it is of this incarnation, not of another process.
func Mine(incarnation string, j *journal.EdgeJoined) bool {
	return j.Incarnation == incarnation || mistake.Made(servesEarly) || mistake.Made(youngUnsynced)
}

// JoinsAnew tells whether an edge that has lost its membership may ask for another one. A member must not: what it serves until it has
// applied its next join would be taken to be acknowledged up to there (P2).
func JoinsAnew(joined bool) bool { return !joined }

// Stamp is what is stored with an answer whose question was made when everything up to pinned was applied; now it is more (S1, L2).
func Stamp(pinned, now uint64) uint64 {
	if mistake.Made(stampAtStore) {
		return now
	}
	return pinned
}

// Kills tells whether an object is dead for which rule was found, 0: none (L3).
func Kills(rule uint64) bool { return rule != 0 && !mistake.Made(hitUnchecked) }

// Withheld tells whether what is dead here is so for another edge (T3).
func Withheld(dead bool) bool { return dead && !mistake.Made(parentUnchecked) }

// Stores tells whether an answer may be stored against which rule was found, 0: none (S2).
func Stores(life, current string, rule uint64) bool {
	return life == current && rule == 0
}

// Holds tells whether an answer may go out that was made on an earlier snapshot (S3): the edge is a member, of the same life, the
// distribution's configuration is the same, and no rule was found since.
func Holds(joined bool, life, current string, revision, newest uint64, rule uint64) bool {
	return Serves(joined) && life == current && revision == newest && rule == 0
}

// Shown is S3's clause about time for what is stored and was fetched at t0.
func Shown(l *journal.Lease, now, t0 time.Duration) bool {
	return l.Allows(now, t0) || mistake.Made(servesEarly)
}

// Answered is the same for any answer. own: it was fetched by this process. Before the first probe that alone counts (S5), and for no
// longer than L: then a rule that is not known may have been completed without this edge. An edge that fences itself answers nothing before
// the first probe: it may be taken to be gone meanwhile, and cannot know for how long it has been on its own (P4).
func Answered(l *journal.Lease, now, t0 time.Duration, own bool) bool {
	t := l.Timing()
	return Shown(l, now, t0) || !l.Synced() && own && now-t0 <= t.Lease && t.SelfFence == 0
}

// Before is when a process that begins now takes to have been fetched what an earlier one has: so long ago that no clause about time but a
// lease lets it through (S5).
func Before(now time.Duration, l *journal.Lease) time.Duration {
	if mistake.Made(youngUnsynced) {
		return now
	}
	return now - l.Timing().Lease - time.Second
}

// AsksOthers tells whether a fill may ask other edges: without a lease, or before the first probe is answered, the origin is asked (S5).
func AsksOthers(l *journal.Lease, now time.Duration) bool { return l.Synced() && l.Fresh(now) }

// Least is up to where an answer must be held against the rules which another edge gives to a fill with that stamp (T1). known is the
// newest rule that the edge still has: it may have forgotten others.
func Least(stamp, known uint64) uint64 {
	if mistake.Made(leastOfRules) {
		return known
	}
	return stamp
}

// Takes tells why another edge's question is not taken, "" when it is: all is applied that its answer must reflect (T2). Behind: not yet.
// passed tells whether an entry of that number and ID has been applied here.
func Takes(joined, leased bool, at journal.Position, a *tier.Ask, passed func(seq uint64, id string) bool) tier.Refusal {
	switch {
	case !Serves(joined), !leased:
		return tier.Unable
	case string(at.Epoch) != a.Epoch:
		return tier.Elsewhere
	case mistake.Made(parentBehind) && at.Seq < a.Least, mistake.Made(leastOfRules) && at.Seq >= a.Least:
		return ""
	case at.Seq < a.Least:
		return tier.Behind
	case !passed(a.Least, a.Entry) && !mistake.Made(trailUnchecked): // one of the two has not noticed yet that the journal was put back
		return tier.Elsewhere
	}
	return ""
}

// Current tells whether what was found on disk may be put into memory: it is still there when that has been done (E4).
func Current(there bool) bool { return there || mistake.Made(loadRacesSweep) }

// Late tells whether rules may be forgotten already that a fill or a load with that stamp would need: a sweep has begun since at floor (E4).
func Late(stamp, floor uint64) bool { return stamp < floor }

// Bound is up to where a sweep may forget rules that has seen all that is stored (E4): it began when everything up to floor was applied,
// and flights and loads are the least stamps of what was under way then.
func Bound(floor, flights, loads uint64) uint64 {
	bound := min(floor, flights)
	if !mistake.Made(loadRacesSweep) {
		bound = min(bound, loads)
	}
	if mistake.Made(sweepRacesFill) {
		bound = floor
	}
	if mistake.Made(compactTooEarly) {
		bound++
	}
	return bound
}
