package journal

import (
	"context"
	"fmt"
	"sync/atomic"
)

// ends gathers those who want to know where the log ends: an answer serves all who had come before its question was sent, so
// that however many ask, one question is on its way.
type ends struct {
	begun atomic.Uint64 // questions

	turn     chan struct{} // holds a token while a question is on its way; guards the rest
	answered uint64        // the last question that was
	end      uint64        // its answer
}

// Sure returns when the fold has everything that was confirmed, to whomever, before the call. Of a log that cannot lag it always has.
// Otherwise that costs a question to whoever knows the end, and seldom a read; it appends nothing.
func (w *Writer) Sure(ctx context.Context) error {
	l, ok := w.c.Log.(Laggard)
	if !ok || !l.MayLag() {
		return nil
	}
	end, err := w.ends.ask(ctx, l)
	if err != nil || w.Position().Seq >= end {
		return err
	}
	if err := w.catchUpTo(ctx, end); err != nil {
		return err
	}
	if at := w.Position().Seq; at < end {
		return fmt.Errorf("journal: entry %d cannot be read yet, the log goes to %d", at+1, end)
	}
	return nil
}

func (x *ends) ask(ctx context.Context, l Laggard) (uint64, error) {
	before := x.begun.Load()
	select {
	case x.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-x.turn }()
	if x.answered > before {
		return x.end, nil
	}
	n := x.begun.Add(1)
	end, err := l.End(ctx)
	if err == nil {
		x.answered, x.end = n, end
	}
	return end, err
}
