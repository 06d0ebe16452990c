// Package jetstream is the journal.Log for real: NATS JetStream, embedded in this process.
//
// It uses a narrow part of that engine: one append-only stream, compare-and-swap on the stream's last
// sequence, a plain message per entry for the live push, stateless direct reads. No key-value store, no
// durable consumers, no dedup window, no mirrors. What it refuses to rely on:
//
//   - the default fsync policy. At the defaults acknowledged entries were lost in power cuts and their
//     numbers used again. Open refuses to run unless each append is synced before it is confirmed.
//   - the length of the stream after a restart. A flipped bit makes the engine cut off everything behind
//     it, silently. The file "head" beside the store remembers the last confirmed entry, and Open
//     refuses a log that ends before it (ErrLost).
//   - last_seq as a read of the present: in a cluster it may be old. Only an append is a barrier (P1).
//
// A directory belongs to one process at a time (ErrInUse).
//
// # Several control nodes
//
// With Config.Cluster the log has a replica on each of three or five nodes. A read is answered by any of them, and each time by another,
// which may be behind: what this node was told of is waited for, and who needs to know the end appends (MayLag, Desk.Tick).
//
// # Edges on other machines
//
// With Config.Network the engine listens, with TLS 1.3 and for those alone whom Network.Admit knows. An edge connects as a
// plain client (Dial) and may do five things, each on a subject that ends with its name: hear pushes, acknowledge, probe,
// read, and say that it joins or leaves. It never speaks to the engine itself: the engine sends its answer to whatever
// subject a question names for it, the log's own included, so who may ask it can write to the log. Reads go to the
// control plane's Desk instead, which answers to inboxes only.
package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// Config says where the log is. Dir is required.
type Config struct {
	Dir string // made if it is not there; belongs to this log alone

	// Listen is a loopback address for tools such as the nats command, e.g. "127.0.0.1:4222". Whoever
	// reaches it may write to the journal: there is no authentication. Default: no listener at all.
	Listen string

	// Network opens the log to edges on other machines. Nil: there are none. Not with Listen.
	Network *Network

	// Cluster makes this one of several replicas. Nil: it is the only one.
	Cluster *Cluster

	// External has the log in a NATS of the operator's, and nothing but a witness in Dir. Nil: the engine is our own. Not with Cluster or
	// Listen.
	External *External

	// Reserve is how many bytes must stay free on the disk: with less, Append refuses (ErrFull), because
	// an engine that meets a full disk stops for good. Default 64 MiB.
	Reserve int64 // negative: 0

	// AcceptLoss opens a log that is damaged, ends before its last confirmed entry, or is not the one that
	// was confirmed, and takes its unbroken beginning for the truth. Without Cluster it makes a log of its own of
	// a replica, whose others are lost. It is the operator's decision, for
	// one start: what was confirmed and is gone, such as a distribution's last config, stays gone.
	// Nothing wrong is served: edges see that the chain is another one and drop their caches.
	AcceptLoss bool

	Logger *slog.Logger

	old   *Log         // of a node that carries its own log over to the cluster
	part  bool         // a copy of one of several replicas
	bulk  bool         // the engine does not sync: for a directory that is synced as a whole before it counts
	first uint64       // with bulk: the first slot of the log, which is to be filled
	step  func(string) // for tests in this package: called after each change that a compaction makes to Dir
}

// Log is an open log. Open makes it; all methods may be called concurrently.
type Log struct {
	session
	c      Config
	lock   *os.File
	head   *head
	srv    *server.Server
	guard  *guard     // of the network; nil: none
	engine *session   // to where the log is: the session itself, or one with an external NATS
	others *presence  // of an external NATS
	asks   *nats.Conn // for questions to edges, which see where it wants its answers; nil: no network
	js     jetstream.JetStream
	epoch  journal.ID
	slots  slots
	doubt  bool // it was doubted when it was opened

	batches   room // for mostBatches
	queues    queues
	reading   joint[wanted, received]
	deskReads room // for mostDeskReads
	desking   joint[readQuestion, [][]byte]
	probing   joint[struct{}, uint64]
	probes    spaced

	compacting chan struct{} // capacity 1: held by Compact
	compacted  atomic.Pointer[time.Time]
	watched    atomic.Pointer[watch] // nil: none is under way
	opened     atomic.Bool           // from then on it is looked for compactions by others
	fixed      atomic.Bool           // nobody compacts it while it runs, or this node may not know: it was made by an earlier version, or is in a NATS that does not permit to look
	adopting   sync.Mutex            // held while the shape is changed for a newer one
	looking    looking

	permits     permits                               // of an external NATS
	uncompacted atomic.Pointer[string]                // why an external log is not compacted by this node
	failed      atomic.Int32                          // how many of this node's tries to compact it have failed one after the other
	seen        atomic.Pointer[jetstream.StreamState] // how an external log was when it was last looked at

	known      knowledge // of a cluster
	leaderless leaderless
	waiting    string // for what Open waits; Open's

	stopped atomic.Pointer[error] // set once the engine does not write any more
	close   sync.Once
}

var _ journal.Log = (*Log)(nil)

// Errors of Open. Each comes with words about what to do.
var (
	ErrInUse  = errors.New("journal: directory in use")
	ErrEngine = errors.New("journal: engine does not start")
	ErrUnsafe = errors.New("journal: appends would not be durable")
	ErrConfig = errors.New("journal: not configured as required")
	ErrLost   = errors.New("journal: confirmed entries are gone")
	ErrQuorum = errors.New("journal: no quorum") // Quorum's, and Health's
)

// Open starts the engine on c.Dir and returns the log after having checked it. A new log gets its genesis.
func Open(ctx context.Context, c Config) (*Log, error) {
	c, lock, err := hold(c)
	if err != nil {
		return nil, err
	}
	l, err := c.open(ctx)
	if err != nil {
		lock.Close()
		return nil, err
	}
	l.lock = lock
	return l, nil
}

// open opens what the directory holds.
func (c Config) open(ctx context.Context) (*Log, error) {
	switch {
	case c.Cluster != nil && exists(c.path(external, "head")):
		return nil, c.elsewhere()
	case c.Cluster != nil:
		return openReplica(ctx, c)
	case c.External != nil:
		return openExternal(ctx, c)
	case exists(c.path(external, "head")):
		return nil, c.elsewhere()
	case exists(c.path(replica)) && c.AcceptLoss:
		if err := c.leave(); err != nil {
			return nil, fmt.Errorf("journal: this replica cannot become a log of its own: %w", err)
		}
	case exists(c.path(replica)):
		return nil, fmt.Errorf("%w: %s holds one replica of several: start this node with the others. If most of them are lost for good, start it once with --accept-journal-loss (AcceptLoss) to go on "+
			"alone with what this one has", ErrConfig, c.Dir)
	}
	return openHeld(ctx, c)
}

// hold fills in the config's defaults and takes its directory for this process.
func hold(c Config) (Config, *os.File, error) {
	if c.Dir == "" {
		return c, nil, fmt.Errorf("%w: no directory given", ErrConfig)
	}
	if c.Reserve == 0 {
		c.Reserve = 64 << 20
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.step == nil {
		c.step = func(string) {}
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return c, nil, fmt.Errorf("journal: %w", err)
	}
	lock, err := lockDir(filepath.Join(c.Dir, "lock"))
	return c, lock, err
}

// newLog returns one that is not open yet.
func newLog(c Config) *Log {
	return &Log{
		c: c, session: session{log: c.Logger, name: ownName},
		compacting: make(chan struct{}, 1), batches: make(room, mostBatches), queues: make(queues, mostBatches), deskReads: make(room, mostDeskReads),
	}
}

// openHeld opens a directory that the caller has taken.
func openHeld(ctx context.Context, c Config) (_ *Log, err error) {
	l := newLog(c)
	if c.Network != nil {
		l.guard = newGuard(c.Network)
	}
	defer func() {
		if err != nil {
			l.Close()
			err = c.withPrevious(err)
		}
	}()
	if err := c.settle(); err != nil {
		return nil, err
	}
	if err := l.examine(); err != nil {
		return nil, err
	}
	if l.head, err = openHead(filepath.Join(c.Dir, "head")); err != nil {
		return nil, err
	}
	c.settles()
	if err := l.start(); err != nil {
		return nil, err
	}
	if err := l.openStream(ctx); err != nil {
		return nil, err
	}
	c.removePrevious()
	l.opened.Store(true)
	return l, nil
}

// start starts the engine and connects to it.
func (l *Log) start() (err error) {
	if l.c.Cluster != nil {
		if err := l.unindexed(); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	if l.srv, err = startServer(l.c, l.guard); err != nil {
		return err
	}
	return l.connect()
}

// wrap is session.wrap for what goes to where the log is.
func (l *Log) wrap(what string, err error) error {
	if l.engine == nil || l.closed.Load() {
		return l.session.wrap(what, err)
	}
	return l.engine.wrap(what, err)
}

// stop stops both, as far as they were started.
func (l *Log) stop() {
	l.leaveExternal()
	for _, nc := range []*nats.Conn{l.nc, l.asks} {
		if nc != nil {
			nc.Close()
		}
	}
	if l.srv != nil {
		l.srv.Shutdown()
		l.srv.WaitForShutdown()
	}
}

// restart does something to the store while the engine is down.
func (l *Log) restart(meanwhile func() error) error {
	l.stop()
	if err := meanwhile(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return l.start()
}

// connect makes the in-process connection that everything goes over.
func (l *Log) connect() (err error) {
	o := l.options(nats.InProcessServer(l.srv))
	if l.guard != nil {
		o = append(o, nats.Token(l.guard.own))
	}
	if l.nc, err = nats.Connect("", append(slices.Clip(o), l.closes())...); err != nil {
		return fmt.Errorf("%w: %w", ErrEngine, err)
	}
	if l.guard != nil {
		if l.asks, err = nats.Connect("", append(o, nats.SyncQueueLen(1))...); err != nil {
			return fmt.Errorf("%w: %w", ErrEngine, err)
		}
	}
	if l.c.External != nil {
		return nil
	}
	l.engine = &l.session
	l.js, err = jetstream.New(l.nc)
	return err
}

// ownName is what a control node asks as.
const ownName = "control"

// Epoch names the log's life.
func (l *Log) Epoch() journal.ID { return l.epoch }

// Close stops the engine and waits for it. Appends that are under way are in doubt.
func (l *Log) Close() error {
	l.closed.Store(true)
	l.close.Do(func() {
		l.stop()
		if l.head != nil {
			l.head.close()
		}
		if l.lock != nil {
			l.lock.Close() // and with it the lock
		}
	})
	return nil
}

// Health returns nil while the log can be read and written, as far as the engine knows: ErrClosed,
// ErrFull (which passes with space), or ErrStopped.
func (l *Log) Health() error {
	if l.closed.Load() {
		return journal.ErrClosed
	}
	if err := l.ailing(); err != nil {
		return err
	}
	return l.room()
}

// ailingReplica is ailing for one of several: what a replica complains about passes, mostly, when the others are back.
func (l *Log) ailingReplica() error {
	if err := l.Quorum(); err != nil {
		return err
	}
	// Of what was kept, which has just been made perhaps, nothing depends on all replicas.
	if trouble := troubleOf(l.srv.Healthz(&server.HealthzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Stream: streamName, Details: true})); trouble != "" {
		return fmt.Errorf("journal: replica of %s: %s", l.c.Cluster.Node, trouble)
	}
	return nil
}

// ailing asks the engine whether it has stopped to write, which it does for good after a failed write, and
// does not say in its answers.
func (l *Log) ailing() error {
	switch {
	case l.c.External != nil:
		return l.Quorum()
	case l.c.Cluster != nil:
		return l.ailingReplica()
	}
	if err := l.stopped.Load(); err != nil {
		return *err
	}
	trouble := troubleOf(l.srv.Healthz(&server.HealthzOptions{Details: true}))
	if trouble == "" {
		return nil
	}
	err := fmt.Errorf("%w: %s. Make room if the disk is full, and restart; what was confirmed is safe", journal.ErrStopped, trouble)
	l.stopped.Store(&err)
	return err
}

// troubleOf is what of the engine's health says that it does not write; "": nothing. The engine also waits a thousandth of a second for
// connections to be possible, which they are as long as this process is: where the machine is so busy that this takes longer, nothing
// has stopped, and whoever took that for a stop would not write again until a restart.
func troubleOf(h *server.HealthStatus) string {
	for _, e := range h.Errors {
		if e.Type != server.HealthzErrorConn {
			return e.Error
		}
	}
	return ""
}
