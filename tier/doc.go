// Package tier knows how an edge gets an answer from another edge instead of from the origin: which edges may be asked
// for a key (Map), and how they talk (Client, Server).
//
// # Who is asked
//
// Edges belong to places. A place may have a parent place, and an origin may have a shield: the place that serves a
// region, through which everybody asks that origin. So the places above a place are a chain, which ends at the shield or
// at a place without a parent; then comes the origin. Parents make no circle (Check), and a shield ends the chain.
//
// Within a place each key has an owner: the edge whose name, hashed together with the key, gives the greatest number
// (rendezvous hashing). An edge that is not the owner asks the owner first, and whoever asks a place asks its owner. When an edge is
// lost, its keys go to whoever came second, each to another one; no other key changes its owner.
//
// Who is asked by another edge acts as the owner and asks no other edge of its place. Hence a question goes up at every step:
// to a greater number within a place, then to a place above. What is asked carries the names that it has come through: if the
// edges do not know the same map for a moment, a circle is noticed by whoever finds its own name.
//
// # How they talk
//
// HTTP/1.1 over TLS 1.3, on a listener of its own, with certificates on both sides: a viewer cannot even begin to speak it.
// The question is one JSON document. The answer is a row of frames: the head, octets of the body, the end; and as
// long as there is nothing to say, a beat, so that an edge which waits for a slow origin is not taken for one that hangs.
// A body without the end is not whole.
//
// # Limits (L9)
//
// Questions at once: Server.Most, beyond it refused; connections: twice as many, beyond it closed. A question: MaxAsk octets, which come within askLimit; a head: MaxHead. An edge that does not
// take the answer for writeLimit loses it. One that cannot be reached, or falls silent, is left alone for leastAway, then for twice as long each
// time up to mostAway; meanwhile one question at a time finds out whether it is back.
//
// It refuses to know what is cached, for how long, and what an invalidation is (edge).
package tier
