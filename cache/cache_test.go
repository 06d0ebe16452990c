package cache

import (
	"sync"
	"testing"
)

func TestUsed_CountsExactlyThenNearly(t *testing.T) {
	var o Object
	for range exactHits {
		o.Used()
	}
	if n := o.Hits.Load(); n != exactHits {
		t.Errorf("%d counted of the first %d", n, exactHits)
	}
	const more = 400_000
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range more / 4 {
				o.Used()
			}
		})
	}
	wg.Wait()
	// One standard deviation is 0.4 %: eight of them are never seen.
	if n := o.Hits.Load() - exactHits; n < more*97/100 || n > more*103/100 {
		t.Errorf("%d counted of %d", n, more)
	}
}
