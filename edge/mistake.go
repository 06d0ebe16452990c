package edge

import mistakes "github.com/warmfront/warmfront/internal/mistake"

// mistake is an error that a build with the tag "planted" makes on purpose, to prove that the guarantee
// checker finds it: each is a rule of the protocol left out. Nothing of it is in a normal build. Some are made in edge/rules, in
// cache/disk or journal.
type mistake = mistakes.Name

const (
	hitUnchecked    mistake = "hit-unchecked"     // L3: a hit is not held against the rules; the sweeper is trusted to have been there
	stampAtStore    mistake = "stamp-at-store"    // L2: the stamp is the position at which the object is stored
	waiterUnchecked mistake = "waiter-unchecked"  // S4: who joins a flight is not held against the rules
	sweepRacesFill  mistake = "sweep-races-fill"  // E4: rules go although a fill with a smaller stamp is in flight
	compactTooEarly mistake = "compact-too-early" // E4: one rule more goes than may
	deadCondition   mistake = "dead-condition"    // S1: a conditional request is built from a dead object
	pinnedOnly      mistake = "pinned-only"       // S3: the decision is taken on the snapshot pinned at the start

	parentBehind    mistake = "parent-behind"    // L7, T2: another edge is answered before everything is applied that its question names
	parentUnchecked mistake = "parent-unchecked" // T3: what another edge gets is not held against the rules
	abroadUnchecked mistake = "abroad-unchecked" // another edge gets what is old by a rule that is in force there and not yet here
	restForgotten   mistake = "rest-forgotten"   // what is in force elsewhere, and was withdrawn here, is not kept in mind for other edges
	trailUnchecked  mistake = "trail-unchecked"  // E1: another edge is answered by the number of its entry alone, which may be another journal's

	writeUnnoted   mistake = "write-unnoted"   // RFC 9111 section 4.4: an unsafe request makes nothing old
	packedAnew     mistake = "packed-anew"     // L2: what is compressed here is stamped when it has been
	sliceUnchecked mistake = "slice-unchecked" // L3: the map is held against the rules, its slices are not
	sliceOfAny     mistake = "slice-of-any"    // neither the version of a slice nor its tags are compared with the map's

	markForgotten mistake = "mark-forgotten" // L4: a rule that marks stale goes although something is stored that it marks
	markUnasked   mistake = "mark-unasked"   // what is marked stale is shown, and no request to the origin is begun

	mustUnheeded mistake = "must-unheeded" // what is marked stale is shown although its origin says must-revalidate

	paceTurnless mistake = "pace-turnless" // what is marked stale and paced never has a turn, and is shown until a viewer may not have it any more

	variantUnnamed mistake = "variant-unnamed" // of what differs by Accept-Language or a cookie, an invalidation of the URL means the plain one only
	tagsKept       mistake = "tags-kept"       // a new version is stored with the tags of the one in whose place it comes

	missedUnheeded mistake = "missed-unheeded" // L5: what was accepted while an edge was cut off is passed over when it is back

	spellingUnread mistake = "spelling-unread" // an escape in an item means the character in that spelling only
	classUnread    mistake = "class-unread"    // conditions: a class of statuses means nothing
	storedAnew     mistake = "stored-anew"     // conditions: what comes from disk was stored when it was loaded
	ageAnew        mistake = "age-anew"        // the Age of what comes from disk is counted from when it was loaded

	loadUnchecked  mistake = "load-unchecked"   // L3: what comes from disk is taken to be checked already
	loadRacesSweep mistake = "load-races-sweep" // E4: rules go although a load with a smaller position is under way
	loadJoined     mistake = "load-joined"      // L4: what a load has found dead is shown to who joins it, by whose snapshot it is not
	restartTrusted mistake = "restart-trusted"  // S3: what is on disk at the start is taken to be checked up to the last mark
	servesEarly    mistake = "serves-early"     // P2, S5: an edge that starts goes on as the one before it, with its lease
	markUncompared mistake = "mark-uncompared"  // E1: what is on disk goes on, without a look whether the journal still has its position
	markUnkept     mistake = "mark-unkept"      // E1: a process that ends before it has read the journal leaves what is on disk without a position, and that goes on
	sweepOfAny     mistake = "sweep-of-any"     // E1: a sweep speaks for what is on disk, also if it began in another life

	pageUnleased mistake = "page-unleased" // S3, L5: an error that has waited for its page is not held against the lease again
)

// planted tells whether this process makes the mistake. In a normal build it never does: the compiler drops what stands behind it.
func planted(m mistake) bool { return mistakes.Made(m) }
