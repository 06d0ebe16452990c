package origin

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// maxQueue is how many requests wait for a place at an address. More are told at once.
const maxQueue = 1024

var errBusy = errors.New("as many requests are on their way to this address as may be")

func busy() *Error { return &Error{Kind: Busy, Op: "ask", Err: errBusy, Retry: minPause} }

// queue is the places of an address: a request has one from before its connection until its answer has
// been read or is let go. Who waits longest gets the next that is free.
type queue struct {
	most    int
	taken   int
	waiting []chan struct{} // closed when the place is theirs
}

// take takes a place, or returns what to wait for; nil for either: the queue is full.
func (q *queue) take() (ok bool, turn chan struct{}) {
	switch {
	case q.taken < q.most:
		q.taken++
		return true, nil
	case len(q.waiting) >= maxQueue:
		return false, nil
	}
	turn = make(chan struct{})
	q.waiting = append(q.waiting, turn)
	return false, turn
}

// free hands a place on, or has one more.
func (q *queue) free() {
	if len(q.waiting) == 0 {
		q.taken--
		return
	}
	close(q.waiting[0])
	q.waiting = slices.Delete(q.waiting, 0, 1)
}

// forget takes a request out that waits no more. If its turn had come, its place goes on.
func (q *queue) forget(turn chan struct{}) {
	if i := slices.Index(q.waiting, turn); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return
	}
	q.free()
}

// place takes a place at the address, waiting for one for at most limit. It returns what gives it back, which
// may be called more than once, and whether it has waited.
func (l *line) place(ctx context.Context, limit time.Duration) (free func(), waited bool, failed *Error) {
	l.mu.Lock()
	ok, turn := l.take()
	l.mu.Unlock()
	switch {
	case !ok && turn == nil:
		return nil, false, busy()
	case !ok:
		if failed = l.wait(ctx, turn, limit); failed != nil {
			return nil, true, failed
		}
	}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		l.free()
		l.mu.Unlock()
	}), !ok, nil
}

// wait waits for a turn.
func (l *line) wait(ctx context.Context, turn chan struct{}, limit time.Duration) *Error {
	late := time.NewTimer(limit)
	defer late.Stop()
	var failed *Error
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		failed = &Error{Kind: Canceled, Op: "ask", Err: context.Cause(ctx)}
	case <-late.C:
		failed = busy()
	}
	l.mu.Lock()
	l.forget(turn)
	l.mu.Unlock()
	return failed
}
