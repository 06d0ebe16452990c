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

	// Apply takes the next entries, one or more: as many as are there, for what they have in common costs once then. It
	// is called in order, from Run's goroutine only, and keeps nothing of the slice.
	Apply func([]*Entry)

	// Reset is called when the log is not the one that was followed (E1): everything stored is dead, the
	// lease is to be revoked, and Apply starts again with the genesis. From Run's goroutine.
	Reset func(reason string)

	// Every is the time between reads that look for lost pushes. Default 10 s.
	Every time.Duration

	Logger *slog.Logger
}

// Follower keeps an edge at the end of the log (E1): pushes as they come, reads where something is missing.
// One goroutine runs Run; the other methods may be called from everywhere.
//
// What it does is decided by a Pursuit.
//
// Who is far behind reads ahead (readahead.go).
type Follower struct {
	c     FollowerConfig
	p     *Pursuit // owned by Run
	reads sync.WaitGroup

	pos  atomic.Pointer[Position]
	wake chan struct{} // capacity 1: mailbox or look changed

	mu      sync.Mutex
	mailbox []*Entry // pushes that Run has not seen
	look    bool     // read, even if nothing was pushed
	there   uint64   // the log is said to go at least up to here
}

// maxMailbox bounds the pushes that wait while a read or an Apply takes long (L9). What does not fit is
// dropped and read later.
const maxMailbox = 1024

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
	f := &Follower{c: c, p: NewPursuit(c.From), wake: make(chan struct{}, 1)}
	f.p.Apply, f.p.Reset = f.apply, f.reset
	f.pos.Store(&c.From)
	return f
}

// Position returns what has been applied.
func (f *Follower) Position() Position { return *f.pos.Load() }

// Behind says that the log has an entry z, as the answer to a probe does. If it has not been applied, the
// follower reads now instead of waiting for a push that may be lost.
func (f *Follower) Behind(z uint64) {
	f.mu.Lock()
	f.there = max(f.there, z)
	f.mu.Unlock()
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

	reading, cancel := context.WithCancel(ctx)
	defer f.reads.Wait()
	defer cancel()

	safety := time.NewTicker(f.c.Every)
	defer safety.Stop()
	retry := backoff{least: 20 * time.Millisecond, most: 5 * time.Second}
	var causes Causes
	f.p.Begin, f.p.End = func(r *Reading) { f.read(reading, r) }, func(r *Reading) { r.cancel() }
	for {
		f.take()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.wake:
		case <-safety.C:
			f.Look()
		case a := <-f.first():
			err := f.p.Answered(a.entries, a.err, a.took <= soon)
			switch {
			case err == nil:
				retry.reset()
				causes.Over()
				continue
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, ErrClosed):
				return err
			}
			if causes.New(err) {
				f.c.Logger.Warn("journal cannot be followed", "at", f.Position().Seq, "err", err)
			}
			// A flood of pushes must not turn the back-off into a busy loop: nothing is looked at meanwhile.
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(retry.next()):
			}
			f.Look()
		}
	}
}

// take has what was pushed applied, and a read begun if something is missing or may be.
func (f *Follower) take() {
	f.mu.Lock()
	pushed, look, there := f.mailbox, f.look, f.there
	f.mailbox, f.look, f.there = nil, false, 0
	f.mu.Unlock()
	f.p.Pushed(pushed, look, there)
}

func (f *Follower) apply(entries []*Entry) {
	f.c.Apply(entries)
	at := PositionOf(entries[len(entries)-1])
	f.pos.Store(&at)
}

func (f *Follower) reset(reason string, missed bool) {
	if missed {
		f.c.Logger.Warn("away for longer than the journal goes back; everything stored is dropped", "at", f.Position().Seq, "reason", reason)
	} else {
		f.c.Logger.Error("journal was rolled back or replaced; everything stored is dropped", "at", f.Position().Seq, "reason", reason)
	}
	f.mu.Lock()
	f.there = 0
	f.mu.Unlock()
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
