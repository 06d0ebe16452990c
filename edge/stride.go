package edge

import (
	"context"
	"runtime"
	"time"
)

// stride keeps a walk through everything that is stored at a rate: it rests after each batch. A rest that was longer than it
// should have been, on a machine that is busy, is made up for, or a million objects would take as many times longer as timers are
// late there; but of no more than strideOwed, so that a walk that stood still does not come back in one go. It belongs to one goroutine.
type stride struct {
	each    time.Duration // for a batch
	due     time.Time     // of the next one
	visited int           // since the last rest
}

const (
	strideBatch = 1024
	strideOwed  = 250 * time.Millisecond
)

func newStride(perSecond int) *stride {
	return &stride{each: time.Second * strideBatch / time.Duration(perSecond), due: time.Now()}
}

// rest is called after some visits, fewer than a batch, and returns when there may be more: whether there may, so long as ctx goes on.
func (s *stride) rest(ctx context.Context, visited int) (on bool) {
	if s.visited += visited; s.visited >= strideBatch {
		s.visited -= strideBatch
		now := time.Now()
		if s.due = s.due.Add(s.each); s.due.Before(now.Add(-strideOwed)) {
			s.due = now.Add(-strideOwed)
		}
		wait := s.due.Sub(now)
		if wait <= 0 {
			runtime.Gosched() // who serves comes first
		} else {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}
	return ctx.Err() == nil
}
