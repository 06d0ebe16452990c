package edge

// mistake is an error that a build with the tag "planted" makes on purpose, to prove that the guarantee
// checker finds it: each is a rule of the protocol left out. Nothing of it is in a normal build.
type mistake string

const (
	hitUnchecked    mistake = "hit-unchecked"     // L3: a hit is not held against the rules; the sweeper is trusted to have been there
	stampAtStore    mistake = "stamp-at-store"    // L2: the stamp is the position at which the object is stored
	waiterUnchecked mistake = "waiter-unchecked"  // S4: who joins a flight is not held against the rules
	sweepRacesFill  mistake = "sweep-races-fill"  // E4: rules go although a fill with a smaller stamp is in flight
	compactTooEarly mistake = "compact-too-early" // E4: one rule more goes than may
	deadCondition   mistake = "dead-condition"    // S1: a conditional request is built from a dead object
	pinnedOnly      mistake = "pinned-only"       // S3: the decision is taken on the snapshot pinned at the start
)
