package guarantee

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
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
	if w.own {
		if o := w.lay(); o != nil {
			defer w.laid(o)
			return w.invalidate(ctx, o, &Batch{Items: []string{o.Target()}, Soft: true, Pace: 2000 + w.rnd.IntN(8000)})
		}
	}
	about := w.about()
	items := []string{pick(w.rnd, about)}
	for w.rnd.IntN(3) == 0 && len(items) < 4 {
		items = append(items, pick(w.rnd, w.objects[w.rnd.IntN(len(w.objects))]))
	}
	if w.rnd.IntN(8) == 0 { // nobody is told of this: whoever finds out by asking the origin is right, and who does not is not wrong
		w.run.write(w.objects[w.rnd.IntN(len(w.objects))])
	}
	if w.disturbs(items) {
		return nil
	}
	b := &Batch{Items: items}
	if w.own {
		w.vary(b, about)
		if b.Turns == nil && w.rnd.IntN(5) == 0 {
			return w.race(ctx, about, b)
		}
	}
	return w.invalidate(ctx, about, b)
}

// vary has it be what only Warmfront can do.
func (w *writer) vary(b *Batch, about *Object) {
	b.Soft = w.rnd.IntN(6) == 0
	if w.rnd.IntN(6) == 0 {
		b.Where = narrow(w.rnd, about, w.host)
	}
	// What is marked and paced must be known of all objects (stale.go), and a tag of a version may be met by one that is written meanwhile.
	if mayPace := !b.Soft || len(editionsIn(b.Items)) == 0; mayPace && (w.rnd.IntN(12) == 0 || b.Soft && w.rnd.IntN(4) == 0) {
		// So fast that a turn is free most of the time: what is marked may be shown until there is one (stale.go).
		b.Pace, b.Refetch = 2000+w.rnd.IntN(8000), w.rnd.IntN(2) == 0
	}
	if w.rnd.IntN(12) == 0 {
		b.Turns = &Turns{Order: w.rnd.Uint64(), Pause: time.Duration(w.rnd.Int64N(int64(100 * time.Millisecond)))}
		if w.rnd.IntN(3) == 0 {
			b.Turns.Withdraw = 1 + time.Duration(w.rnd.Int64N(int64(150*time.Millisecond)))
		}
	}
}

// heldFor is how long is waited for an edge to ask the origin for what was just invalidated.
const heldFor = 500 * time.Millisecond

// race invalidates the object, so that edges ask for it; and then again while the origin keeps its answers back, which are older than what is
// Completed by the time at which they leave.
func (w *writer) race(ctx context.Context, about *Object, b *Batch) error {
	held, end, ok := about.race.begin(raceFor)
	if !ok { // another writer has it
		return w.invalidate(ctx, about, b)
	}
	defer end()
	if err := w.invalidate(ctx, about, &Batch{Items: []string{spellings[1].Replace(about.Target())}}); err != nil {
		return err
	}
	select {
	case <-held:
		w.raced.Add(1)
	case <-time.After(heldFor):
	case <-ctx.Done():
	}
	return w.invalidate(ctx, about, b)
}

// invalidate writes what the batch's items match, invalidates it, and waits until that is Completed. It completes the batch.
func (w *writer) invalidate(ctx context.Context, about *Object, b *Batch) error {
	b.Objects = w.matched(b.Items)
	tags := editionsIn(b.Items)
	for _, o := range b.Objects {
		if shown := meant(b.Items, o) || slices.Contains(tags, o.edition(o.version.Load())); shown && w.rnd.IntN(10) > 0 { // some are invalidated although nothing has changed
			w.run.write(o)
		}
	}
	w.hot.Store(about)
	d := w.create(w.number, b)
	b.Reference = fmt.Sprintf("%s-%d", w.reference, d.Number)
	if w.rnd.IntN(10) == 0 {
		b.Ahead = time.Duration(1 + w.rnd.Int64N(int64(200*time.Millisecond)))
	}
	if w.own {
		defer w.keepPage().Stop()
	}
	o, err := w.cache.Invalidate(ctx, *b)
	if err != nil {
		return fmt.Errorf("invalidation %d of %q: %w", d.Number, b.Items, err)
	}
	w.complete(d, o)
	w.completed(d)
	w.bindings.add(d, o)
	return nil
}

// about picks the object that is to be published. What is wrong with conditions shows in dated ones only, and not for
// long; errors are few at any time, and so are large ones.
func (w *writer) about() *Object {
	some := w.objects
	switch n := w.rnd.IntN(16); {
	case n < 3:
		some = w.ofKind(Dated)
	case n == 3:
		some = w.ofKind(Failing)
	case n == 4 && w.Large > 0:
		some = w.ofKind(Large + Kind(w.rnd.IntN(int(kinds-Large))))
	}
	return some[w.rnd.IntN(len(some))]
}
