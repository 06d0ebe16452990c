package guarantee

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// writer is somebody who publishes. It belongs to one goroutine.
type writer struct {
	*run
	number int
	rnd    *rand.Rand
}

func (w *writer) write(ctx context.Context) error {
	for ctx.Err() == nil && w.wanted() {
		if err := w.publish(ctx); err != nil && ctx.Err() == nil && w.wanted() {
			return err
		}
		select {
		case <-time.After(time.Duration(w.rnd.Int64N(int64(2*w.Pause)) + 1)):
		case <-ctx.Done():
		}
	}
	return nil
}

// publish changes what some selectors match, invalidates it, and demands it when that is Completed.
func (w *writer) publish(ctx context.Context) error {
	about := w.about()
	items := []string{pick(w.rnd, about)}
	for w.rnd.IntN(3) == 0 && len(items) < 4 {
		items = append(items, pick(w.rnd, w.objects[w.rnd.IntN(len(w.objects))]))
	}
	if w.rnd.IntN(8) == 0 { // nobody is told of this: whoever finds out by asking the origin is right, and who does not is not wrong
		w.run.write(w.objects[w.rnd.IntN(len(w.objects))])
	}
	matched := w.matched(items)
	for _, o := range matched {
		if w.rnd.IntN(10) > 0 { // some are invalidated although nothing has changed
			w.run.write(o)
		}
	}
	w.hot.Store(about)
	soft := w.own && w.rnd.IntN(6) == 0
	var where *Where
	if w.own && w.rnd.IntN(6) == 0 {
		where = narrow(w.rnd, about, w.host)
	}
	d := w.create(w.number, items, matched, soft, where)
	b := Batch{Reference: fmt.Sprintf("%s-%d", w.reference, d.Number), Items: items, Objects: matched, Soft: soft, Where: where}
	if w.rnd.IntN(10) == 0 {
		b.Ahead = time.Duration(1 + w.rnd.Int64N(int64(200*time.Millisecond)))
	}
	unbound, err := w.cache.Invalidate(ctx, b)
	if err != nil {
		return fmt.Errorf("invalidation %d of %q: %w", d.Number, items, err)
	}
	w.complete(d, unbound)
	w.completed(d)
	return nil
}

// about picks the object that is to be published. What is wrong with conditions shows in dated ones only, and not for
// long; large ones are few.
func (w *writer) about() *Object {
	some := w.objects
	switch n := w.rnd.IntN(16); {
	case n < 3:
		some = w.ofKind(Dated)
	case n == 3 && w.Large > 0:
		some = w.ofKind(Large + Kind(w.rnd.IntN(int(kinds-Large))))
	}
	return some[w.rnd.IntN(len(some))]
}
