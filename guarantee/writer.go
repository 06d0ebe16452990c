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
	about := w.objects[w.rnd.IntN(len(w.objects))]
	if w.rnd.IntN(4) == 0 { // what is wrong with conditions shows in these only, and not for long
		about = w.objects[w.rnd.IntN(len(w.objects)/int(kinds))*int(kinds)+int(Dated)]
	}
	items := []string{pick(w.rnd, about)}
	for w.rnd.IntN(3) == 0 && len(items) < 4 {
		items = append(items, pick(w.rnd, w.objects[w.rnd.IntN(len(w.objects))]))
	}
	matched := w.matched(items)
	for _, o := range matched {
		if w.rnd.IntN(10) > 0 { // some are invalidated although nothing has changed
			w.run.write(o)
		}
	}
	w.hot.Store(about)
	d := w.create(w.number, items, matched)
	err := w.cache.Invalidate(ctx, Batch{Reference: fmt.Sprintf("%s-%d", w.reference, d.Number), Items: items, Objects: matched})
	if err != nil {
		return fmt.Errorf("invalidation %d of %q: %w", d.Number, items, err)
	}
	w.complete(d)
	w.completed(d)
	return nil
}
