package node

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// waitFor waits in a bubble until something is ready at some time, that made progress until some time.
func waitFor(t *testing.T, readyAt, stuckAt time.Duration) (took time.Duration, told int, err error) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := newPhase(t.Context())
		err = p.until(t.Context(), readiness{
			ready: func() error {
				if time.Since(began) < readyAt {
					return errors.New("not yet")
				}
				return nil
			},
			progress: func() uint64 { return uint64(min(time.Since(began), stuckAt)) },
			slow:     func() { told++ },
		})
		took = time.Since(began)
		p.stop()
	})
	return took, told, err
}

func TestUntil_AsLongAsThereIsProgress(t *testing.T) {
	if took, told, err := waitFor(t, time.Second, 0); err != nil || took > 1100*time.Millisecond || told != 0 {
		t.Errorf("at once: %v, told %d times, %v", took, told, err)
	}
	if took, told, err := waitFor(t, 10*time.Minute, time.Hour); err != nil || took < 10*time.Minute || told < 100 {
		t.Errorf("slow: %v, told %d times, %v", took, told, err)
	}
	took, _, err := waitFor(t, time.Hour, time.Minute)
	if err == nil || !strings.Contains(err.Error(), "not yet") || took < time.Minute+stuckAfter || took > time.Minute+stuckAfter+2*slowAfter {
		t.Errorf("stuck: %v, %v", took, err)
	}
}

func TestUntil_EndsWithWhatItWaitsFor(t *testing.T) {
	never := readiness{ready: func() error { return errors.New("not yet") }, progress: func() uint64 { return 0 }, slow: func() {}}
	synctest.Test(t, func(t *testing.T) {
		p := newPhase(t.Context())
		p.run(func(context.Context) error { return errors.New("broken") })
		if err := p.until(t.Context(), never); err == nil || !strings.Contains(err.Error(), "broken") {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		q := newPhase(t.Context())
		if err := q.until(ctx, never); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		q.stop()
	})
}

func TestWait_SaysWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, ready, told := newPhase(t.Context()), make(chan struct{}), 0
		p.run(func(context.Context) error {
			time.Sleep(10 * time.Second) // in the bubble
			close(ready)
			return nil
		})
		if err := p.wait(t.Context(), ready, func() { told++ }); err != nil || told != 3 {
			t.Error(told, err)
		}
		p.stop()
	})
}
