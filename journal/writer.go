package journal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// WriterConfig is what a Writer works with. Log is required.
type WriterConfig struct {
	Log Log

	// Now is the wall clock for Entry.Time, which is informational. Default time.Now.
	Now func() time.Time

	// Apply folds an entry into the state that decide functions read. It is called in order, never
	// concurrently, for own and foreign entries. It must not call the Writer.
	Apply func(*Entry)

	// TickWindow: within it, one Tick serves all probes. Default: the constant.
	TickWindow time.Duration

	// Every is the time between reads of Run that look for lost pushes. Default 10 s.
	Every time.Duration
}

// Writer appends decided facts to the log by rules W1–W4. Any number of writers, on any number of nodes, may
// write to one log: the compare-and-swap on the slot orders them, and who loses decides again.
//
// Its methods may be called concurrently. One commit runs at a time, those of Together in groups; who only reads the fold is not its
// concern and waits for nothing but Apply.
type Writer struct {
	c WriterConfig

	// turn holds a token while somebody decides, appends or reads. A channel, not a mutex, because whoever
	// waits for it must be able to give up. It guards cur.
	turn chan struct{}
	cur  cursor

	pos    atomic.Pointer[Position]
	broken atomic.Pointer[error] // W4: set once, never cleared

	ticks ticks
	queue queue // of Together
	ends  ends  // of Sure
}

// TickWindow is within which one Tick serves all probes, if nothing else is said.
const TickWindow = 100 * time.Millisecond

// attempt bounds a single try of an append or a read; what it did is then found out (W3).
const attempt = 5 * time.Second

// NewWriter returns a writer that knows nothing yet; CatchUp, or the first Commit, reads the log.
func NewWriter(c WriterConfig) *Writer {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Apply == nil {
		c.Apply = func(*Entry) {}
	}
	if c.TickWindow == 0 {
		c.TickWindow = TickWindow
	}
	if c.Every == 0 {
		c.Every = 10 * time.Second
	}
	w := &Writer{c: c, turn: make(chan struct{}, 1), ends: ends{turn: make(chan struct{}, 1)}}
	w.pos.Store(&Position{})
	return w
}

// Position returns what has been applied.
func (w *Writer) Position() Position { return *w.pos.Load() }

// CatchUp applies everything that the log has.
func (w *Writer) CatchUp(ctx context.Context) error {
	return w.catchUpTo(ctx, 0)
}

// Run keeps the fold caught up with what other writers append, until ctx ends or the log turns out to be
// broken (W4).
func (w *Writer) Run(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	var heard atomic.Uint64
	stop, err := w.c.Log.Live(func(e *Entry) {
		if e.Seq > w.Position().Seq {
			heard.Store(e.Seq)
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	})
	if err != nil {
		return err
	}
	defer stop()
	safety := time.NewTicker(w.c.Every)
	defer safety.Stop()
	retry := backoff{least: 20 * time.Millisecond, most: 5 * time.Second}
	reach := uint64(0) // what a push has told of; 0: whatever there is
	for {
		pushed, again := wake, (<-chan time.Time)(nil)
		switch err := w.catchUpTo(ctx, reach); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrBroken) || errors.Is(err, ErrClosed):
			return err
		case err != nil:
			pushed, again = nil, time.After(retry.next())
		default:
			retry.reset()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pushed:
			reach = heard.Load()
		case <-again:
			reach = 0
		case <-safety.C:
			reach = 0
		}
	}
}

// catchUpTo is CatchUp, unless that entry has been applied meanwhile: most pushes are of this writer's own.
func (w *Writer) catchUpTo(ctx context.Context, seq uint64) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.release()
	if seq > 0 && w.cur.at.Seq >= seq {
		return nil
	}
	_, err := w.catchUp(ctx)
	return err
}

// Commit appends what decide returns and gives it to Apply before it returns (W1, W2). decide reads the
// fold, with nobody else deciding; it may run several times and must have no effects. When it returns an
// error or no facts, Commit returns nil and that error. It is certain then that decide had seen the whole log: of one that may lag,
// that takes an entry without meaning, but for ErrMoot.
//
// It has no time limit of its own. ErrBroken: the log was rolled back or replaced, or, as its words then say, compacted further than this writer had read; it never writes again (W4). ErrDoubt: ctx ended
// before it could be found out whether the entry is stored; it may still come to be. Other errors: nothing
// was appended.
func (w *Writer) Commit(ctx context.Context, decide func() ([]Fact, error)) (*Entry, error) {
	if err := w.take(ctx); err != nil {
		return nil, err
	}
	defer w.release()
	p := &proposal{ctx: ctx, decide: func([]Fact) ([]Fact, error) { return decide() }, done: make(chan struct{})}
	w.commit(ctx, []*proposal{p})
	return p.entry, p.err
}

// mayLag reports whether what was read may not be all.
func (w *Writer) mayLag() bool {
	l, ok := w.c.Log.(Laggard)
	return ok && l.MayLag()
}

// barrier finds out whether the fold is the whole log, by an append: nothing else can tell. It reports whether it was not.
func (w *Writer) barrier(ctx context.Context) (grown bool, err error) {
	stored, err := w.append(ctx, w.next([]Fact{{Tick: &Tick{}}}))
	return !stored, err
}

// next is an entry that continues the fold.
func (w *Writer) next(facts []Fact) *Entry {
	return &Entry{Epoch: w.cur.at.Epoch, Seq: w.cur.at.Seq + 1, ID: NewID(), Prev: w.cur.at.ID, Time: w.c.Now().Round(0).UTC(), Facts: facts}
}

// append brings e into its slot and reports true, or finds another entry there and reports false (W3). In
// both cases the fold has moved past the slot.
func (w *Writer) append(ctx context.Context, e *Entry) (stored bool, err error) {
	doubt := false // some attempt may still land
	retry := backoff{least: 5 * time.Millisecond, most: 500 * time.Millisecond}
	for {
		err := w.try(ctx, e)
		switch {
		case err == nil:
			w.cur.at = PositionOf(e)
			w.apply(e)
			return true, nil
		case notSent(err):
			if doubt {
				err = fmt.Errorf("%w: %w", ErrDoubt, err)
			}
			return false, err
		case !errors.Is(err, ErrSlotTaken) && !errors.Is(err, ErrBroken):
			doubt = true
		}

		// The entry can only ever be in slot e.Seq: look there.
		slot, rerr := w.read(ctx, e.Seq)
		switch {
		case slot == e.ID:
			return true, nil
		case errors.Is(rerr, ErrBroken):
			return false, rerr
		case slot != "", w.cur.at.Seq >= e.Seq: // or a compaction has left out what was there
			return false, nil
		}
		// Empty, or unknown: the same entry once more. It cannot be stored twice.
		if errors.Is(rerr, ErrClosed) || !pause(ctx, retry.next()) {
			if doubt {
				return false, fmt.Errorf("%w: entry %d: %w", ErrDoubt, e.Seq, err)
			}
			return false, errors.Join(ctx.Err(), rerr)
		}
	}
}

// notSent reports whether err says that the entry did not leave this process.
func notSent(err error) bool {
	return errors.Is(err, ErrTooLarge) || errors.Is(err, ErrFull) || errors.Is(err, ErrStopped) || errors.Is(err, ErrClosed)
}

func (w *Writer) try(ctx context.Context, e *Entry) error {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	return w.c.Log.Append(ctx, e)
}

// catchUp reads and applies to the end of the log and reports whether there was anything new.
func (w *Writer) catchUp(ctx context.Context) (grown bool, err error) {
	before := w.cur.at.Seq
	_, err = w.read(ctx, 0)
	return w.cur.at.Seq > before, err
}

// read reads and applies to the end of the log and returns the id that it met in the slot, "" if none.
func (w *Writer) read(ctx context.Context, slot uint64) (id ID, err error) {
	for {
		one, cancel := context.WithTimeout(ctx, attempt)
		entries, err := w.c.Log.Read(one, w.cur.from(), readBatch)
		cancel()
		if errors.Is(err, ErrBroken) {
			return id, w.stop(err)
		}
		if err != nil {
			return id, err
		}
		apply, _, broken := w.cur.answered(w.cur.at, entries)
		for _, e := range apply {
			w.apply(e)
			if e.Seq == slot {
				id = e.ID
			}
		}
		switch {
		case w.cur.missed:
			return id, w.stop(compactedBeyond(broken))
		case broken != "":
			return id, w.stop(fmt.Errorf("%w: %s", ErrBroken, broken))
		}
		if len(apply) == 0 {
			return id, nil
		}
	}
}

// compactedBeyond is an ErrBroken with nothing broken: the log has been compacted further than the writer had read. The fold lacks what came since and is not there any
// more; a new one reads what was kept instead.
type compactedBeyond string

func (e compactedBeyond) Error() string {
	return "journal: compacted further than this node had read, which was away for too long (" + string(e) + "); nothing is lost: started again, it reads what was kept"
}

func (e compactedBeyond) Is(target error) bool { return target == ErrBroken }

// stop makes the writer refuse from now on (W4). What it had read was the log, and is not there any more: whoever opens what is there next must know, and may have
// read none of that.
func (w *Writer) stop(err error) error {
	if l, ok := w.c.Log.(Doubtful); ok && !errors.As(err, new(compactedBeyond)) {
		if noted := l.Doubted(); noted != nil {
			err = fmt.Errorf("%w; and that this is so cannot be noted: %w", err, noted)
		}
	}
	w.broken.CompareAndSwap(nil, &err)
	return err
}

func (w *Writer) apply(e *Entry) {
	w.c.Apply(e)
	at := PositionOf(e)
	w.pos.Store(&at)
}

func (w *Writer) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := w.broken.Load(); err != nil {
		w.release()
		return *err
	}
	return nil
}

func (w *Writer) release() { <-w.turn }

// pause waits d, or less when ctx ends: then it reports false.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
