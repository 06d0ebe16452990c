package edge

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever a walk is held up by, it takes as long as its rate says, and never runs ahead of it by more than what it may make up for.
func TestStride(t *testing.T) {
	const perSecond = 100 * strideBatch
	once := func(at, of int, held time.Duration) func(int) time.Duration {
		return func(batch int) time.Duration {
			if batch%of != at {
				return 0
			}
			return held
		}
	}
	for name, c := range map[string]struct {
		held func(batch int) time.Duration // by something else, before it
		want time.Duration                 // for 200 batches
	}{
		"not held up":            {once(0, 1, 0), 2 * time.Second},
		"a bit in each":          {once(0, 1, 4*time.Millisecond), 2 * time.Second},
		"now and then":           {once(5, 20, 150*time.Millisecond), 2 * time.Second},
		"slower than the rate":   {once(0, 1, 20*time.Millisecond), 4 * time.Second},
		"for long, in the midst": {once(100, 200, time.Minute), time.Minute + 2*time.Second - strideOwed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := newStride(perSecond)
				for i := range 200 * strideBatch {
					if i%strideBatch == 0 {
						time.Sleep(c.held(i / strideBatch))
					}
					if !s.rest(context.Background(), 1) {
						t.Fatal("stopped")
					}
				}
				if took := time.Since(began); took < c.want-20*time.Millisecond || took > c.want+20*time.Millisecond {
					t.Errorf("%v, want %v", took, c.want)
				}
			})
		})
	}
}

func TestStride_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began, s := time.Now(), newStride(1)
		for s.rest(ctx, 1) {
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("after %v", took)
		}
	})
}
