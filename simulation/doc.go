// Package simulation knows what the world does to Warmfront: it loses, doubles, delays and reorders messages, cuts nodes
// off, kills, stops and restarts them, lets their clocks run at different rates, and compacts or restores the journal. It holds no
// code: its tests run whole control planes and whole edges, the same code that runs in production with all its
// goroutines, through histories that a seed decides, and hold each answer against the promise.
//
//	go test ./simulation                        some hundreds of histories, and every planted mistake found
//	go test ./simulation -histories 100000      more of them
//	go test ./simulation -seed 4711 -v          one of them, told
//	go test ./simulation -tags planted          mistakes within the edge, too
//
// # How it works
//
// A history lives in a bubble of virtual time (testing/synctest): nothing takes time but what the world decides. Only
// the world stands between nodes. Each has a link, which is its journal.Log: what it appends, reads, acknowledges and
// probes are messages that take a time of their own, or get lost. Time goes on when everybody has come to rest, so of two
// things that happen the earlier has had all its effects before the later happens; and delays are in nanoseconds
// at random. All that is random comes from the seed, by node and by kind of message: what one node does leaves the luck of
// the others alone.
//
// What the seed does not decide, natively, is what the runtime does: in which order goroutines go on that one instant wakes, and timers that end at one; which of
// two cases a select takes that are both ready; in which order a map is walked. About half of the histories that run twice are the same to the last line; the others part where
// several proposals wake at one instant and one is the first of an entry, or where two messages of a kind leave a node at one instant and each gets the other's delay. The runtime cannot be
// told otherwise. So there is a second way to run them, built for WebAssembly, in which one number, the order, decides all of that (tools/replay): a seed and an order are a history, octet by octet
// (of 299 seeds that ran twice none differed).
//
//	make replay SEED=1-300 ARGS=-twice          each the same when it runs again
//	make replay SEED=4711 ARGS='-orders 50'     for a seed that has found something natively: the first of 50 orders that does, too, told
//
// # What is checked
//
//   - L3, L4, L6: no answer that is sent after Completed has content that is older than the invalidation (check_test.go);
//     and none that is sent by an edge after that edge has acknowledged it (E3).
//   - L8: what was accepted is in the journal, once for each CallerReference.
//   - P3: whoever a Completed names as having applied it had acknowledged it; acknowledgements do not go back.
//   - In the end, with the world in order again: all is Completed, all edges have their lease, and no rule is left.
//
// # Mistakes
//
// Package machines, below this one, runs the parts that decide alone: so much faster that it finds what is rare, but not what is wrong between
// goroutines.
//
// Each rule that is left out must be noticed within a thousand histories. A mistake is either something untrue that a node
// is told (mistake_test.go), or a rule that an edge of a build with the tag leaves out (planted_test.go, within five thousand). Those of
// model/README.md that have no counterpart here, with parent caches (M2, M12, M13) or members that an operator declares gone (M14,
// M15), are found there.
//
// A journal loses entries under a mistake only: what then is promised, docs/journal.md says at AcceptLoss.
package simulation
