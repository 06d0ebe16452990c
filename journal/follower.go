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
// A read takes as long as the log is away, and under a steady stream something new has come whenever one is answered.
// So pushes go on being applied while a read is under way, those that do not fit are kept until it is answered, and
// reading ends where pushes go on. Otherwise an edge that is far away would read for ever, and be a round trip behind.
//
// Who is far behind reads ahead (readahead.go).
type Follower struct {
	c   FollowerConfig
	cur cursor // owned by Run, as all up to pos

	asked  []*reading  // reads under way, in the order in which their answers are taken
	batch  int         // how many entries the next one asks for
	kept   []*Entry    // pushes since the first of them that did not fit, at most maxMailbox
	known  map[ID]bool // what the last answer brought: their pushes may come later
	pushed Position    // of the newest push that fitted, or that a read had brought before
	fitted []*Entry    // pushes that are to be applied next
	reads  sync.WaitGroup

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
	f := &Follower{c: c, cur: cursor{at: c.From}, batch: readBatch, wake: make(chan struct{}, 1), look: true}
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
	for {
		if f.take() && len(f.asked) == 0 {
			f.read(reading)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.wake:
		case <-safety.C:
			f.Look()
		case a := <-f.first():
			err := f.answered(reading, a)
			switch {
			case err == nil:
				retry.reset()
				continue
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, ErrClosed):
				return err
			}
			f.c.Logger.Warn("journal cannot be followed", "at", f.Position().Seq, "err", err)
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

// take applies what was pushed, and reports whether something is missing or may be.
func (f *Follower) take() (missing bool) {
	f.mu.Lock()
	pushed, look := f.mailbox, f.look
	f.mailbox = nil
	if n := len(pushed); n > 0 {
		f.there = max(f.there, pushed[n-1].Seq)
	}
	if len(f.asked) == 0 {
		f.look = false
	}
	f.mu.Unlock()
	return f.fit(pushed) || look
}

// fit applies those of some pushes that are the next entries, and reports whether one that is not calls for a read.
func (f *Follower) fit(pushed []*Entry) (missing bool) {
	next := f.fitted[:0]
	for _, e := range pushed {
		if f.next(e) {
			next = append(next, e)
		} else {
			missing = f.misses(e) || missing
		}
	}
	f.apply(next)
	clear(next)
	f.fitted = next
	return missing
}

// next tells whether a push is the next entry, and moves on to it.
func (f *Follower) next(e *Entry) bool {
	accepted, _ := f.cur.pushed(e)
	if accepted {
		f.pushed = f.cur.at
	}
	return accepted
}

// misses tells whether a push that is not the next entry calls for a read.
func (f *Follower) misses(e *Entry) bool {
	if f.known[e.ID] {
		f.pushed = PositionOf(e)
		return false // merely late
	}
	if len(f.asked) == 0 {
		return true
	}
	if len(f.kept) < maxMailbox {
		f.kept = append(f.kept, e)
	} else {
		f.Look()
	}
	return false
}

// answered applies what the first read under way brought, and then what was pushed meanwhile.
func (f *Follower) answered(ctx context.Context, a answer) error {
	r, kept := f.asked[0], f.kept
	f.asked, f.kept = f.asked[1:], nil
	full := len(a.entries) == r.size
	if r.guessed {
		if a.entries = f.cur.joined(a.entries); a.entries == nil {
			f.drop() // it is read again, from where the cursor stands
			f.Look()
			return nil
		}
		r.at = f.cur.at
	}
	if errors.Is(a.err, ErrBroken) {
		f.reset(a.err.Error())
	}
	if a.err != nil {
		f.batch = readBatch
		f.drop()
		return a.err
	}
	apply, end, broken := f.cur.answered(r.at, a.entries)
	if broken == "" {
		f.ahead(ctx, full && a.took <= soon)
	}
	if len(apply) > 0 {
		f.known = map[ID]bool{}
	}
	for _, e := range apply {
		f.known[e.ID] = true
	}
	f.apply(apply)
	if broken != "" {
		f.drop()
		if r.guessed { // only who asks from where it stands is told so
			f.Look()
			return nil
		}
		f.reset(broken)
		// Through Run's back-off: a log that is broken in the middle would be read in a circle.
		return errors.New(broken)
	}
	if missing := f.fit(kept); missing || !end && len(f.asked) == 0 && f.pushed != f.cur.at {
		f.Look()
	}
	return nil
}

func (f *Follower) apply(entries []*Entry) {
	if len(entries) == 0 {
		return
	}
	f.c.Apply(entries)
	at := PositionOf(entries[len(entries)-1])
	f.pos.Store(&at)
}

func (f *Follower) reset(reason string) {
	if f.cur.missed {
		f.c.Logger.Warn("away for longer than the journal goes back; everything stored is dropped", "at", f.cur.at.Seq, "reason", reason)
	} else {
		f.c.Logger.Error("journal was rolled back or replaced; everything stored is dropped", "at", f.cur.at.Seq, "reason", reason)
	}
	f.cur, f.pushed, f.known = cursor{}, Position{}, nil
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
