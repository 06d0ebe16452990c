package rules

import "github.com/warmfront/warmfront/internal/mistake"

// Mistakes that a build with the tag "planted" makes on purpose.
const (
	notJoined       mistake.Name = "not-joined"        // P2: an edge answers before its own join is applied
	servesEarly     mistake.Name = "serves-early"      // P2, S5: an edge that starts goes on as the one before it, with its lease
	youngUnsynced   mistake.Name = "young-unsynced"    // P2, S5: … and what an earlier process has fetched counts as young
	stampAtStore    mistake.Name = "stamp-at-store"    // L2, S2: the stamp is the position at which the object is stored
	hitUnchecked    mistake.Name = "hit-unchecked"     // L3: a hit is not held against the rules; the sweeper is trusted to have been there
	parentUnchecked mistake.Name = "parent-unchecked"  // T3: what another edge gets is not held against the rules
	parentBehind    mistake.Name = "parent-behind"     // L7, T2: another edge is answered before everything is applied that its question names
	trailUnchecked  mistake.Name = "trail-unchecked"   // E1: another edge is answered by the number of its entry alone, which may be another journal's
	leastOfRules    mistake.Name = "least-of-rules"    // T1: what is asked for need only reflect the rules that have not been forgotten
	loadRacesSweep  mistake.Name = "load-races-sweep"  // E4: rules go although a load with a smaller position is under way
	sweepRacesFill  mistake.Name = "sweep-races-fill"  // E4: rules go although a fill with a smaller stamp is in flight
	compactTooEarly mistake.Name = "compact-too-early" // E4: one rule more goes than may
	markUncompared  mistake.Name = "mark-uncompared"   // E1: what is on disk goes on, without a look whether the journal still has its position
	markUnkept      mistake.Name = "mark-unkept"       // E1: what is on disk without a mark goes on
	restartTrusted  mistake.Name = "restart-trusted"   // S3: what is on disk at the start is taken to be checked up to the last mark
)

func init() {
	mistake.Know(notJoined, servesEarly, youngUnsynced, stampAtStore, hitUnchecked, parentUnchecked, parentBehind, trailUnchecked, leastOfRules,
		loadRacesSweep, sweepRacesFill,
		compactTooEarly, markUncompared, markUnkept, restartTrusted)
}
