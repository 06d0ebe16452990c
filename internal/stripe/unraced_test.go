//go:build !race

package stripe

// raced tells whether the race detector is on.
const raced = false
