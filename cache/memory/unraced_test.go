//go:build !race

package memory

// raced tells whether the race detector is on.
const raced = false
