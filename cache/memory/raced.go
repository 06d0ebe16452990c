//go:build race

package memory

// raced: the race detector is on. Segments lie in the heap, where it watches them.
const raced = true
