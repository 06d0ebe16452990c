package raced

import (
	"runtime"
	"testing"
)

// Timers lets a test with many timers of synctest bubbles run on one processor, if the race detector is on, until it ends; no other
// test may run meanwhile. Go 1.26 has one race context for all timers of a bubble, and two threads that fire some at the same time spoil
// it: SIGSEGV in StackDepot::Put, seen twice in the edge's tests. Timers of one processor are fired one after the other.
func Timers(t testing.TB) {
	if !Enabled {
		return
	}
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}
