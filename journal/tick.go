package journal

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/warmfront/warmfront/internal/mistake"
)

// ticks gathers the probes that wait for an append (P1). Whatever is appended next, a Tick or real facts,
// answers all that had come before it was sent.
type ticks struct {
	mu   sync.Mutex
	open *tickBatch // takes further probes; nil when there is none
	due  time.Time  // when it is appended, if nothing takes it along before
	last time.Time  // when the last Tick was sent
}

// tickBatch is a group of probes that get one answer.
type tickBatch struct {
	done chan struct{} // closed when seq or err is set
	seq  uint64
	err  error
}

// errTickAgain tells the probes of a batch that its append came to nothing: they join another one.
var errTickAgain = errors.New("journal: tick not appended")

// Tick appends an entry after it was called and returns its sequence: the answer to a probe. Calls within
// TickWindow share one entry, and any real commit serves as well.
func (w *Writer) Tick(ctx context.Context) (uint64, error) {
	return w.TickWithin(ctx, w.c.TickWindow)
}

// TickWithin is Tick for who can wait: as long as window after the last Tick, but no longer than anybody else does who waits.
func (w *Writer) TickWithin(ctx context.Context, window time.Duration) (uint64, error) {
	if ProbesAtOnce() {
		err := w.CatchUp(ctx)
		return w.Position().Seq, err
	}
	for {
		b, leader, wait := w.ticks.join(window)
		if leader {
			w.lead(ctx, b, wait)
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if !errors.Is(b.err, errTickAgain) {
			return b.seq, b.err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
}

// ProbesAtOnce tells whether a probe may be answered with where the log ends as it is read. It may not: only an append proves that there is no
// more (P1).
func ProbesAtOnce() bool { return mistake.Made(probeRead) }

// lead appends the Tick for a batch, unless some commit takes the batch along before.
func (w *Writer) lead(ctx context.Context, b *tickBatch, wait time.Duration) {
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-b.done:
			return
		case <-ctx.Done():
			w.ticks.drop(b, errTickAgain)
			return
		case <-t.C:
		}
	}
	_, err := w.Commit(ctx, func() ([]Fact, error) {
		if !w.ticks.isOpen(b) {
			return nil, errTickAgain
		}
		return []Fact{{Tick: &Tick{}}}, nil
	})
	if err == nil {
		err = errTickAgain
	}
	w.ticks.drop(b, tickError(ctx, err)) // if Commit did not come to take it
}

// tickError is what the probes of a batch are told when its append failed: the reason, unless it was only
// the one who appended that gave up.
func tickError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errTickAgain
	}
	return err
}

// join returns the open batch; leader when this call must append after wait: it has opened the batch, or waits for less than whoever has.
func (t *ticks) join(window time.Duration) (b *tickBatch, leader bool, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	due := t.last.Add(window)
	if t.open != nil && !due.Before(t.due) {
		return t.open, false, 0
	}
	if t.open == nil {
		t.open = &tickBatch{done: make(chan struct{})}
	}
	t.due = due
	return t.open, true, time.Until(due)
}

// take closes the open batch for further probes: the append that will answer it is about to be sent.
func (t *ticks) take() *tickBatch {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.open
	t.open = nil
	if b != nil {
		t.last = time.Now()
	}
	return b
}

// drop answers b with err if nothing has taken it.
func (t *ticks) drop(b *tickBatch, err error) {
	t.mu.Lock()
	mine := t.open == b
	if mine {
		t.open = nil
	}
	t.mu.Unlock()
	if mine {
		t.finish(b, 0, err)
	}
}

func (t *ticks) isOpen(b *tickBatch) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open == b
}

// finish answers the probes of b; nil is no batch.
func (t *ticks) finish(b *tickBatch, seq uint64, err error) {
	if b != nil {
		b.seq, b.err = seq, err
		close(b.done)
	}
}
