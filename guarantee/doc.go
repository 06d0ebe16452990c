// Package guarantee knows one promise and how to find out whether a cache keeps it:
//
//	Once an invalidation is reported as Completed, no answer that begins after that shows any of the
//	objects that it matches in a version older than the one that the origin had when it was created.
//
// It knows nothing of how the promise is kept. It stands outside, as an origin, as the people who
// publish and as the viewers, and talks HTTP to all of them; the cache in between is an address.
//
// # The experiment
//
//	origin    serves numbered versions of some hundred objects: small ones, slow ones, ones that are
//	          revalidated all the time, errors, variants; every line of a body says its object and version
//	writers   change versions at the origin, then invalidate by all kinds of selectors, wait for Completed,
//	          and write down which version each matched object must have from then on: its floor;
//	          now and then they have the origin keep an answer back until what makes it old is Completed
//	readers   ask all edges, plainly, for ranges, with conditions, by HEAD, many at once for what has just
//	          been invalidated, and write down when they asked and what came
//	history   holds both against each other
//
// # What is a violation
//
//	old      the request was sent after Completed, and its answer is older than the floor
//	late     the request was sent before, but the answer was begun after Completed, and is older. That it
//	         was begun later is certain when it is made of octets that left the origin later: each answer of
//	         the origin carries the instant at which it was sent
//	revived  a 304 confirms to a viewer what is older than the floor
//	misdated a hit says an Age that is less than the time since its edge has first shown the same
//	mixed    an answer has octets of two versions, or a head and a body that disagree
//	torn     an answer ends early, and nothing says so
//
// Where the cache says that an invalidation does not hold for an edge, because that is cut off or its turn was withdrawn, nothing is demanded
// of it; when the cache says that it has come to hold, it is demanded from then on (bindings.go).
//
// An answer without content, such as a 503, is none of these; it is counted.
//
// # Why the verdict can be trusted
//
// Every instant is read from one monotonic clock, in one process. The instant of Completed is read after
// the cache has said so, the instant of a request before its first octet is sent; so a slow checker can
// only miss a violation, never invent one. What a selector matches is decided by a matcher of its own,
// a dozen lines without any cleverness. That the checker is sharp is itself tested: a build of Warmfront
// with known mistakes must be caught, each of them (docs/guarantee.md).
//
// # Costs
//
// Memory is bounded (L9): per object the last events, and those floors that still can matter.
package guarantee
