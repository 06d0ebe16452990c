// Package machines knows what the world does to the parts of Warmfront that decide. It holds no code: its tests bring events to the pure state
// machines of production, one after the other in virtual time, through schedules that a seed decides, and hold each answer against the promise.
// A schedule has no goroutines, no lock that is waited for and no real clock: more than a thousand a second on each core, and a seed is a schedule octet by octet.
//
//	go test ./simulation/machines                      20,000 schedules, each the same whenever it runs
//	go test ./simulation/machines -schedules 1000000   more of them
//	go test ./simulation/machines -seed 4711 -v        one of them, told
//	go test ./simulation/machines -tags planted        every planted mistake found (planted_test.go)
//
// # What is real
//
// Production's own: which entries are followed, when to read and that a log is another one (journal.Pursuit); leases and what a probe's answer
// means (journal.Lease); who joins, who is gone, what can be declared Completed, and whether the log is doubted (journal.Tracker); what an
// invalidation matches and which rules are left (invalidation.Index); what an edge may answer, store, forget, take up again from its
// disk, ask of a parent and give to a child (edge/rules).
//
// # What is a model
//
// What is between them, as simple as it can be: the journal's store with a replica that falls behind, a writer (W1 to W3), fills, loads, sweeps,
// heads that are slow, a disk that loses what it had not written, the network, clocks. How the code of edge and control does these is for
// package simulation, which runs whole nodes and finds what is wrong between goroutines, a hundred times slower.
//
// # What happens
//
// Messages are lost, doubled, late and overtake each other; nodes are cut off in one direction or both, die, stand still, have clocks
// that are wrong; replicas fall behind; the journal loses its end, which an operator accepts, or is compacted; members are
// removed that are cut off. In the end all is well again, and then everything must become Completed, all edges have their lease, and no rule is left.
//
// Assumed is what the protocol assumes: a process does not stand still between a decision and the write of its head.
package machines
