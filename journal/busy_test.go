package journal

import (
	"context"
	"errors"
	"testing"
)

// The queue has a bound, by number and by weight, and gives the room back: to who leaves, and to whom a group takes or brings back (L9).
func TestQueue_IsBounded(t *testing.T) {
	var q queue
	add := func(weight int) *proposal {
		p := &proposal{weight: weight}
		if !q.add(p) {
			return nil
		}
		return p
	}
	heavy := add(2 * maxWaitingWeight)
	if heavy == nil {
		t.Fatal("one that is alone finds no room")
	}
	if add(1) != nil {
		t.Error("there is room beyond the weight")
	}
	group := q.take()
	if len(group) != 1 || q.weight != 0 {
		t.Fatalf("%d taken, %d left", len(group), q.weight)
	}
	if q.back(group); q.weight != heavy.weight || !q.leave(heavy) || q.weight != 0 {
		t.Errorf("%d is left of what has left", q.weight)
	}
	for i := range maxWaiting {
		if add(1) == nil {
			t.Fatalf("no room for number %d", i)
		}
	}
	if add(0) != nil {
		t.Error("there is room beyond the number")
	}
	w := NewWriter(WriterConfig{})
	w.queue.waiting = q.waiting
	if _, _, err := w.Together(context.Background(), 1, nil); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	for n := maxWaiting; n > 0; n -= maxGroup {
		q.take()
	}
	if q.weight != 0 || add(1) == nil {
		t.Errorf("%d of weight is left of nobody", q.weight)
	}
}
