// Package control knows the control plane: commands come in, facts go out, and the fold of the facts
// answers queries. It speaks in CloudFront's nouns and decides everything that CloudFront's API
// decides: ids, ETags, caller references, names in use, quotas, statuses. Doors only translate.
//
// # State is the fold of the log
//
// Nothing is kept beside the journal. A command runs as a decision on the state caught up to the
// journal's end (W1), its facts are appended with compare-and-swap (W2), and the entry is applied
// by the same code that replays the log at start: what a restart knows is what was known before.
// Queries read the folded state under a read lock that is never held across I/O, so they do not
// wait for an fsync.
//
// # Completed is a fact
//
// P3 lets any tracker declare an invalidation completed, and a new tracker restarts its wait. If
// the status were read from the tracker, a restart would turn Completed back into InProgress for
// up to the slow path's wait. So a declaration is itself appended, as journal.Completed, and status
// is a function of the log: an invalidation, or a distribution's change, is Completed (Deployed)
// when its number is at or below the greatest Completed.UpTo. All control nodes agree, nothing
// flaps, and one short append, shared by all that complete together, is the price.
//
// # Limits (L9)
//
// History is kept for Limits.HistoryAge and at most Limits.History invalidations per distribution;
// what is in progress is never dropped. The audit trail is its newest Limits.Audit entries. A watcher
// that does not keep up loses its buffered changes and is told so. Every other table is bounded by a
// quota with CloudFront's error, but for the domain names ever given out, since none may
// be used again, and the names of users and keys that are gone.
package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/journal"
)

// Config says what a Control stands on. Log is required, everything else has a default.
type Config struct {
	Log journal.Log

	Now       func() time.Time // wall clock, for times that people read; default time.Now
	Clock     journal.Clock    // for the slow path of P3; default journal.Uptime
	Timing    journal.Timing   // the same as the edges'
	Suffix    string           // of distributions' domain names, without a dot in front; default "localhost"
	AccountID string           // twelve digits, part of every ARN; default "000000000000"
	Logger    *slog.Logger     // default: discard

	Limits Limits

	// Access gets the records of who may, in the order of the journal; nil: they are for others.
	Access *auth.Access

	// Look asks origins for what conditions of scheduled invalidations wait for; nil: conditions are not looked
	// at here.
	Look Look
}

// Control answers all commands and queries. Make one with New; all methods may be called
// concurrently. Commands work before Run; queries answer from what has been folded so far, so
// doors open after Ready.
type Control struct {
	cfg    Config
	writer *journal.Writer
	ready  chan struct{}

	// mu guards state. It is held for writing while one entry is folded in and for reading by
	// queries, never across I/O. Before tracking.mu.
	mu    sync.RWMutex
	state *state

	tracking struct {
		mu       sync.Mutex
		tracker  *journal.Tracker
		doubtful bool // as it was told last
	}
	progress chan struct{} // capacity 1: something may have become completed
	crowd    crowd         // of edges that join and leave

	planned     chan struct{}                     // capacity 1: an invalidation was scheduled, or its next turn may have come
	conditional chan struct{}                     // the same, for who looks at conditions
	looked      atomic.Pointer[map[string]Looked] // by invalidation, what waits for a condition

	watchers watchers
}

// Status words of the API.
const (
	InProgress = "InProgress"
	Deployed   = "Deployed"  // of a distribution
	Completed  = "Completed" // of an invalidation
)

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// New checks cfg; it does no I/O and starts nothing.
func New(cfg Config) (*Control, error) {
	if cfg.Log == nil {
		return nil, errors.New("control: Config.Log is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Clock == nil {
		cfg.Clock = journal.Uptime
	}
	if cfg.Suffix == "" {
		cfg.Suffix = "localhost"
	}
	cfg.Suffix = strings.ToLower(cfg.Suffix)
	if strings.HasPrefix(cfg.Suffix, ".") {
		return nil, fmt.Errorf("control: suffix %q begins with a dot: leave it out", cfg.Suffix)
	}
	if cfg.AccountID == "" {
		cfg.AccountID = "000000000000"
	}
	if !accountID.MatchString(cfg.AccountID) {
		return nil, fmt.Errorf("control: account id %q is not twelve digits", cfg.AccountID)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Limits = cfg.Limits.withDefaults()
	c := &Control{
		cfg:      cfg,
		ready:    make(chan struct{}),
		state:    newState(cfg.Limits),
		progress: make(chan struct{}, 1),
		planned:  make(chan struct{}, 1), conditional: make(chan struct{}, 1),
	}
	if l, ok := cfg.Log.(journal.Doubtful); ok {
		c.tracking.doubtful = l.Doubt()
	}
	c.tracking.tracker = journal.NewTracker(journal.TrackerConfig{Timing: cfg.Timing, Doubt: c.tracking.doubtful, Passive: admission.IsRelay})
	c.writer = journal.NewWriter(journal.WriterConfig{Log: cfg.Log, Now: cfg.Now, Apply: c.apply})
	return c, nil
}

// Ready is closed when the state has caught up with the log as it was when Run began.
func (c *Control) Ready() <-chan struct{} { return c.ready }

// Seq returns the number of the newest entry that has been folded in.
func (c *Control) Seq() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.state.seq
}

// apply folds one entry in. The writer calls it for each entry of the log, in order, one at a time.
func (c *Control) apply(e *journal.Entry) {
	c.mu.Lock()
	changes := c.state.apply(e)
	c.mu.Unlock()
	c.applyAccess(e)

	c.tracking.mu.Lock()
	c.tracking.tracker.Applied(e, c.cfg.Clock())
	c.tracking.mu.Unlock()

	c.watchers.publish(changes...)
	c.poke()
	if slices.ContainsFunc(e.Facts, func(f journal.Fact) bool { return f.Scheduled != nil || f.Completed != nil }) {
		for _, come := range []chan struct{}{c.planned, c.conditional} {
			select {
			case come <- struct{}{}:
			default:
			}
		}
	}
}

// commandTime bounds a command, whose caller may have no deadline: waiting for its turn, and what becomes of its entry. A journal that cannot be
// written for so long would collect callers, and answers that nobody waits for any more.
const commandTime = 30 * time.Second

// commit runs a command: decide looks at the state, with nobody else deciding, and returns facts, or
// none when there is nothing to do (the entry is then nil), or a refusal. It may run again when
// another control node was faster, so it assigns its results anew each time and has no effects.
func (c *Control) commit(ctx context.Context, decide func(s *state) ([]journal.Fact, error)) (*journal.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	e, err := c.writer.Commit(ctx, func() ([]journal.Fact, error) {
		if err := provided(ctx); err != nil {
			return nil, err
		}
		c.mu.RLock()
		defer c.mu.RUnlock()
		return decide(c.state)
	})
	return e, outcome(err)
}

// commitTogether is commit for what may share an entry with others; decide also gets the facts before its own there, see
// journal.Writer.Together. weight is about the bytes of its facts.
func (c *Control) commitTogether(ctx context.Context, weight int, decide func(s *state, before []journal.Fact) ([]journal.Fact, error)) (e *journal.Entry, part int, err error) {
	return c.commitWithin(ctx, 0, weight, decide)
}

// commitWithin is commitTogether for what can wait for company, see journal.Writer.TogetherWithin.
func (c *Control) commitWithin(ctx context.Context, wait time.Duration, weight int, decide func(s *state, before []journal.Fact) ([]journal.Fact, error)) (e *journal.Entry, part int, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	e, part, err = c.writer.TogetherWithin(ctx, wait, weight, func(before []journal.Fact) ([]journal.Fact, error) {
		if err := provided(ctx); err != nil {
			return nil, err
		}
		c.mu.RLock()
		defer c.mu.RUnlock()
		return decide(c.state, before)
	})
	return e, part, outcome(err)
}

// now is the time to put into a fact: in UTC, with the milliseconds that the API shows, so that what
// is live equals what is replayed.
func (c *Control) now() time.Time { return c.cfg.Now().UTC().Truncate(time.Millisecond) }
