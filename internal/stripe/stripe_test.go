package stripe

import (
	"runtime"
	"sync"
	"testing"

	"github.com/warmfront/warmfront/internal/raced"
)

// On one core it is always the same number.
func TestHere_StaysOnItsCore(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	Here()
	n, changes := Here(), 0
	for range 10_000 {
		if m := Here(); m != n {
			n, changes = m, changes+1
		}
	}
	if changes > 100 && !raced.Enabled { // the collector empties pools; the race detector's drops one in four on purpose
		t.Errorf("changed %d times", changes)
	}
}

func TestHere_AllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(1000, func() { Here() }); n > 0 && !raced.Enabled {
		t.Errorf("%v allocations", n)
	}
}

func TestHere_Concurrently(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				if Here() == 0 {
					t.Error("0 is nobody's")
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkHere(b *testing.B) {
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			Here()
		}
	})
}
