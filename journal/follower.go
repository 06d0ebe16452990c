package journal

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// FollowerConfig is what a Follower works with. Log and Apply are required.
type FollowerConfig struct {
	Log  Log
	From Position // what has been applied already; zero: nothing

	// Apply takes the next entry. It is called in order, from Run's goroutine only.
	Apply func(*Entry)

	// Reset is called when the log is not the one that was followed (E1): everything stored is dead, the
	// lease is to be revoked, and Apply starts again with the genesis. From Run's goroutine.
	Reset func(reason string)

	// Every is the time between reads that look for lost pushes. Default 10 s.
	Every time.Duration

	Logger *slog.Logger
}

// Follower keeps an edge at the end of the log (E1): pushes as they come, reads where something is missing.
// One goroutine runs Run; the other methods may be called from everywhere.
type Follower struct {
	c   FollowerConfig
	cur cursor // owned by Run

	pos  atomic.Pointer[Position]
	wake chan struct{} // capacity 1: mailbox or look changed

	mu      sync.Mutex
	mailbox []*Entry // pushes that Run has not seen
	look    bool     // read, even if nothing was pushed
}

// maxMailbox bounds the pushes that wait while a read or an Apply takes long (L9). What does not fit is
// dropped and read later.
const maxMailbox = 1024

// readBatch is how many entries one read asks for.
const readBatch = 512

// NewFollower returns a follower that does nothing until Run.
func NewFollower(c FollowerConfig) *Follower {
	if c.Every == 0 {
		c.Every = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Reset == nil {
		c.Reset = func(string) {}
	}
	f := &Follower{c: c, cur: cursor{at: c.From}, wake: make(chan struct{}, 1), look: true}
	f.pos.Store(&c.From)
	return f
}

// Position returns what has been applied.
func (f *Follower) Position() Position { return *f.pos.Load() }

// Behind says that the log has an entry z, as the answer to a probe does. If it has not been applied, the
// follower reads now instead of waiting for a push that may be lost.
func (f *Follower) Behind(z uint64) {
	if f.Position().Seq < z {
		f.Look()
	}
}

// Look makes the follower read now, which also proves that the log still has what was applied.
func (f *Follower) Look() {
	f.mu.Lock()
	f.look = true
	f.mu.Unlock()
	f.signal()
}

// Run follows the log until ctx ends or the log is closed, and returns that error. A log that cannot be read
// is tried again for ever; meanwhile the lease runs out by itself.
func (f *Follower) Run(ctx context.Context) error {
	// Subscribed before the first read: an entry is in the read, or pushed after it, or both.
	stop, err := f.c.Log.Live(f.deliver)
	if err != nil {
		return err
	}
	defer stop()

	safety := time.NewTicker(f.c.Every)
	defer safety.Stop()
	retry := backoff{least: 20 * time.Millisecond, most: 5 * time.Second}
	for {
		var again <-chan time.Time
		if err := f.step(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, ErrClosed) {
				return err
			}
			f.c.Logger.Warn("journal cannot be followed", "at", f.Position().Seq, "err", err)
			again = time.After(retry.next())
		} else {
			retry.reset()
		}
		if !f.wait(ctx, again, safety.C) {
			return ctx.Err()
		}
	}
}

// wait blocks until there is something to do: after an error until again, otherwise until a push, a call
// of Look, or the safety read is due.
func (f *Follower) wait(ctx context.Context, again, safety <-chan time.Time) bool {
	wake := f.wake
	if again != nil {
		wake = nil // a flood of pushes must not turn the back-off into a busy loop
	}
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-again:
		f.Look()
	case <-safety:
		f.Look()
	}
	return true
}

// step applies what was pushed and reads what is missing.
func (f *Follower) step(ctx context.Context) error {
	f.mu.Lock()
	pushed, look := f.mailbox, f.look
	f.mailbox, f.look = nil, false
	f.mu.Unlock()

	if look { // before the pushes: after a read most of them are merely old
		if err := f.read(ctx); err != nil {
			return err
		}
	}
	for _, e := range pushed {
		if e.Seq <= f.cur.at.Seq && look {
			continue // came while we read; the read has proved that position
		}
		accepted, read := f.cur.pushed(e)
		if accepted {
			f.apply(e)
		}
		if read {
			if err := f.read(ctx); err != nil {
				return err
			}
			look = true
		}
	}
	return nil
}

// read reads to the end of the log and applies.
func (f *Follower) read(ctx context.Context) error {
	for {
		entries, err := f.c.Log.Read(ctx, f.cur.from(), readBatch)
		if errors.Is(err, ErrBroken) {
			f.reset(err.Error())
			return err
		}
		if err != nil {
			return err
		}
		apply, broken := f.cur.answered(entries)
		for _, e := range apply {
			f.apply(e)
		}
		if broken != "" {
			f.reset(broken)
			// Through Run's back-off: a log that is broken in the middle would be read in a circle.
			return errors.New(broken)
		}
		if len(apply) == 0 || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (f *Follower) apply(e *Entry) {
	f.c.Apply(e)
	at := PositionOf(e)
	f.pos.Store(&at)
}

func (f *Follower) reset(reason string) {
	f.c.Logger.Error("journal was rolled back or replaced; everything stored is dropped", "at", f.cur.at.Seq, "reason", reason)
	f.cur.at = Position{}
	f.pos.Store(&Position{})
	f.c.Reset(reason)
}

// deliver takes a push from the log's goroutine.
func (f *Follower) deliver(e *Entry) {
	f.mu.Lock()
	if len(f.mailbox) < maxMailbox {
		f.mailbox = append(f.mailbox, e)
	} else {
		f.look = true
	}
	f.mu.Unlock()
	f.signal()
}

func (f *Follower) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// backoff doubles from least to most.
type backoff struct{ least, most, cur time.Duration }

func (b *backoff) next() time.Duration {
	b.cur = min(max(b.cur*2, b.least), b.most)
	return b.cur
}

func (b *backoff) reset() { b.cur = 0 }
