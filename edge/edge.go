// Package edge knows the life of a request, and the edge's half of the promise that nothing which
// was fetched before an invalidation was accepted is served after it is Completed.
//
// # The life of a request
//
//	Serve       one attempt after the other until one ends in an answer      visit.go
//	pin         the current snapshot: host → distribution, path → behavior   visit.go, snapshot.go
//	refuse      what never comes to the cache: protocol, method, body …      refuse.go
//	lookup      key → object → fresh, stale, dead, fenced?                   lookup.go
//	load        what is not in memory from disk, if there is one             disk.go
//	fly         one fill per key, others join it                             flight.go, fill.go
//	decide      may this be sent now? otherwise the next attempt             lookup.go
//	emit        conditional, range, fields, body                             respond.go, ranges.go, slices.go
//
// # The promise
//
// The rules of the journal's protocol are kept here: E1–E3 in apply.go, member.go and tickets.go, E4
// in sweep.go, S1 in visit.go, S2 and S4 in fill.go and flight.go, S3 and S5 in lookup.go. In short:
// an answer carries as its stamp the position that its request had pinned before the fetch began
// (L2); immediately before the head is written it is compared with every rule above its stamp that
// the edge knows of (L3); and the edge acknowledges a rule only when every head that was decided
// without it has been written (E3). A store that comes too late therefore stores something dead,
// which the next lookup and the sweeper see by its stamp.
//
// The one thing that must not happen is that a rule is forgotten while something with a smaller stamp
// is still on its way (L4). Every fill is registered from before its fetch until everybody has
// decided on it, and the sweeper cuts the index only below the oldest of them; see flights.
//
// # Costs
//
// A hit takes no lock: a ticket is two additions on one of many counters, the snapshot an atomic
// load, death one comparison with the number that the object was last checked against, and an addition
// for previews (recent). Locks are
// on the miss path only, one of many by key.
//
// # Limits (L9)
//
// Fills at once: Config.MaxFills, beyond it 503. Octets that fills hold: Config.FillMemory, beyond it
// a fill is not kept and streams through a window that its slowest viewer moves, unless others wait for him for
// silence: then he is cut off. What streams has as much again, beyond it the windows shrink to tapeChunk. Bodies in delivery
// that are stored no more: see crowd.go, beyond it no large body is kept, nor read from disk, which streams then too. Octets that compressors hold:
// Config.CompressMemory, beyond it a fill waits for compressWait and is then not compressed. Second questions of fills that wait long: maxSecond,
// beyond it they are not asked. Fills that nobody waits for: Config.MaxBackground, beyond it they are cancelled. Restarts of a request: maxRestarts,
// beyond it the request holds up acknowledgements until it is answered. Receipts: maxReceipts. Variants
// of a key: maxVariants, beyond it the one stored first goes; names in Vary: maxVaryNames, beyond it nothing
// is stored. Parts of what is not stored: one for each key. Slices that a viewer
// holds: two, and all viewers who take their time Config.FillMemory; beyond it what is missing is not kept and streams
// through a window too. Writes by unsafe requests: a table of fixed size. PURGE requests that wait: maxPurges,
// beyond it 503. What previews know of hits: recentKept keys a minute and core, beyond it a sample. Questions that an
// invalidation's pace holds up, and what it remembers: see pace.go.
//
// Reads from disk at once: maxLoads, beyond it the origin is asked; how long a request waits for one: diskWait, then
// too. Rules that mark stale: maxSoft for each distribution, beyond it the oldest remove what they have marked.
//
// It does not decide what may be stored or how long it is fresh (httpcache), what matches
// (invalidation), or what is in the key (distribution).
package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/internal/pages"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// Config says what an Edge stands on. Name, Location, Log, Store, Origin, Join and Leave are required.
type Config struct {
	Name     string // unique among the edges, e.g. "FRA50-1"
	Location string // the edge location, e.g. "FRA50-P1": the value of X-Amz-Cf-Pop

	Log    journal.Log
	Store  cache.Store // this edge's alone
	Disk   *disk.Store // the same; Run runs it, and who has opened it closes it. Nil: none
	Origin Fetcher

	// Join and Leave have the fact appended: only a control node writes to the journal.
	Join  func(context.Context, journal.EdgeJoined) error
	Leave func(context.Context, journal.EdgeLeft) error

	Timing  journal.Timing    // must be the control plane's
	Clock   journal.Clock     // default journal.Uptime
	Now     func() time.Time  // wall clock: freshness, dates, receipts; default time.Now
	Logger  *slog.Logger      // default: discard
	Observe func(x *Exchange) // called once per request, concurrently, and must not block; may be nil

	// HTTPSPort is where this edge's viewers are sent to by redirect-to-https; 0: 443.
	HTTPSPort int
	// HTTP3Port is the UDP port at which its viewers find HTTP/3; 0: nowhere.
	HTTP3Port int

	// Challenge answers what an authority asks by plain HTTP below /.well-known/acme-challenge/ before it gives a
	// certificate (RFC 8555 section 8.3); what it declines is a request like any other. Nil declines all.
	Challenge func(host, path string) (answer string, ok bool)

	// Cut closes the connections on which the head of an answer has been waiting for its viewer for longer than
	// older (httpserver.Server.CutHeads). Nil: nobody's viewers are slow.
	Cut func(older time.Duration)

	// Purge takes a PURGE to the control plane, which judges the key and has it appended: only a control node writes to
	// the journal. Its errors are *PurgeRefused, or not known to the viewer. Nil: no distribution takes the method.
	Purge func(context.Context, Purge) (Purged, error)

	// Tier asks other edges, Address is where they ask this one; nil, "": neither.
	Tier    Asker
	Address string

	MaxObject      int64 // octets of the largest body that is kept whole; default 64 MiB
	SliceFrom      int64 // longer bodies are kept in slices, if they can be; default 16 MiB
	SliceSize      int64 // octets of a slice; default 4 MiB, less where the store is small
	MaxFills       int   // fetches at once; default 4,096
	FillMemory     int64 // octets that fills may hold; default 256 MiB
	MaxBackground  int   // fills that no viewer waits for; default 64
	CompressMemory int64 // octets that compressors may hold; default 128 MiB, or 10 MiB for each core
	SweepRate      int   // objects per second that the sweeper visits; default 200,000

	leastFar  int   // for tests; default leastFar
	leastSent int64 // the same
}

// Fetcher asks origins: an *origin.Client. Its errors, and those of a response's Body, are *origin.Error.
type Fetcher interface {
	Fetch(context.Context, *distribution.Origin, *origin.Request) (*origin.Response, error)
	// Upgrade asks for a WebSocket: it returns a tunnel, or what the origin says instead.
	Upgrade(context.Context, *distribution.Origin, *origin.Request) (*origin.Tunnel, *origin.Response, error)
}

// Edge is one edge. Make it with New. Serve may be called from when Run begins; until the edge is a
// member it answers 503.
type Edge struct {
	cfg    Config
	log    *slog.Logger
	store  cache.Store
	now    func() time.Time
	clock  journal.Clock
	pager  cache.Pager               // the store, if it has pages; nil: it has none
	blank  func(n int) *pages.Octets // for a large body; nil: likewise
	crowd  crowd
	via    string // "1.1 <id>.cloudfront.net (CloudFront)"
	hop    string // "<id>.cloudfront.net (CloudFront)"
	altSvc string // where HTTP/3 is to be had; ""

	closing, announcing closing // of plain hits, without and with altSvc

	snap    atomic.Pointer[Snap]
	publish sync.Mutex // held to replace snap: by the follower, rarely by the sweeper

	disk      *disk.Store // nil: none
	loads     loads
	began     time.Duration // the clock's reading when this edge was made, and 1: it is never 0
	before    time.Duration // t0 of what an earlier process has fetched: longer ago than L
	undecided atomic.Bool   // it is not known yet whether what is on disk can be used
	begun     bool          // a log has been begun; the follower's
	resumed   *resumption   // the follower's

	lease       *journal.Lease
	unproven    journal.Causes // why probes fail
	follower    *journal.Follower
	member      *member
	flights     *flights
	sweeper     *sweeper
	compressors compressors
	pacing      pacing

	roster   roster
	trail    trail
	progress progress
	upstream upstream
	served   served

	failovers  atomic.Uint64 // see consult
	askedAgain atomic.Uint64 // see patience.go
	tagsLeft   atomic.Uint64 // see tagged
	purging    atomic.Int64  // requests, see maxPurges

	recent    recent
	signposts sync.Mutex // held while one is replaced: see variants.go
	written   atomic.Pointer[written]

	stopped chan struct{} // closed when Run ends
}

// New checks cfg; it does no I/O and starts nothing.
func New(cfg Config) (*Edge, error) {
	switch {
	case cfg.Name == "" || cfg.Location == "":
		return nil, errors.New("edge: Name and Location are required")
	case cfg.Log == nil || cfg.Store == nil || cfg.Origin == nil:
		return nil, errors.New("edge: Log, Store and Origin are required")
	case cfg.Join == nil || cfg.Leave == nil:
		return nil, errors.New("edge: Join and Leave are required")
	}
	cfg.defaults()
	id := sha256.Sum256([]byte(cfg.Name))
	e := &Edge{
		cfg: cfg, log: cfg.Logger, store: cfg.Store, disk: cfg.Disk, now: cfg.Now, clock: cfg.Clock,
		hop:     hex.EncodeToString(id[:16]) + ".cloudfront.net (CloudFront)",
		lease:   journal.NewLease(cfg.Timing),
		stopped: make(chan struct{}),
	}
	e.via = "1.1 " + e.hop
	capacity := cfg.Store.Stats().Capacity
	e.crowd.most, e.crowd.end = cfg.FillMemory+capacity/8, cfg.FillMemory+capacity/8+capacity
	if p, ok := cfg.Store.(cache.Pager); ok {
		e.pager, e.blank = p, p.Blank
	}
	e.began = e.clock() + 1
	e.before = rules.Before(e.began, e.lease)
	e.undecided.Store(cfg.Disk != nil)
	e.recent.since, e.recent.seed = e.now(), maphash.MakeSeed()
	e.announce("")
	if p := cfg.HTTP3Port; p > 0 {
		e.announce(fmt.Sprintf(`h3=":%d"; ma=86400`, p))
	}
	e.snap.Store(&Snap{hosts: noHosts, tickets: newTickets()})
	if cfg.Address != "" {
		e.trail.seed, e.trail.kept = maphash.MakeSeed(), make([]footprint, trailKept)
	}
	e.flights = newFlights(e)
	e.pacing.e = e
	e.compressors.gathered.room = semaphore.NewWeighted(cfg.CompressMemory / 2)
	e.compressors.streamed.room = semaphore.NewWeighted(cfg.CompressMemory / 2)
	e.member = newMember(e)
	e.sweeper = newSweeper(e)
	e.follower = journal.NewFollower(journal.FollowerConfig{Log: cfg.Log, Apply: e.apply, Reset: e.reset, Logger: cfg.Logger})
	return e, nil
}

func (c *Config) defaults() {
	if c.Clock == nil {
		c.Clock = journal.Uptime
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(*Exchange) {}
	}
	if c.MaxObject == 0 {
		c.MaxObject = 64 << 20
	}
	if c.SliceFrom == 0 {
		c.SliceFrom = 16 << 20
	}
	if c.SliceSize == 0 {
		c.SliceSize = sliceSize(c.Store.Stats().Capacity)
	}
	if c.MaxFills == 0 {
		c.MaxFills = 4096
	}
	if c.FillMemory == 0 {
		c.FillMemory = 256 << 20
	}
	if c.leastFar == 0 {
		c.leastFar, c.leastSent = leastFar, leastSent
	}
	if c.CompressMemory == 0 {
		c.CompressMemory = max(128<<20, 10<<20*int64(runtime.GOMAXPROCS(0)))
	}
	if c.MaxBackground == 0 {
		c.MaxBackground = 64
	}
	if c.SweepRate == 0 {
		c.SweepRate = 200_000
	}
}

// runDisk lets the disk write until the returned function is called, which waits for it.
func (e *Edge) runDisk(ctx context.Context) (stop func()) {
	if e.disk == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var g group
	g.run(func() { e.disk.Run(ctx) })
	g.run(func() { e.writeHot(ctx) })
	return func() {
		cancel()
		g.wg.Wait()
	}
}

// leaveTime bounds the goodbye: a control plane that is down must not hold up a stop.
const leaveTime = 2 * time.Second

// Run follows the journal, joins, probes, acknowledges and sweeps until ctx ends; then it cancels what
// is still being fetched, leaves and returns. Stop the server in front of it first.
//
// Goroutines, all waited for here: the follower (apply), keep (joins), the prober, settle and
// acknowledge (E3), the sweeper, and one for each fill.
func (e *Edge) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	prober := journal.Prober{Log: e.cfg.Log, Lease: e.lease, Follower: e.follower, Clock: e.clock, Failed: e.probeFailed,
		Answered: func(uint64, journal.Answer) { e.unproven.Over() }}
	failed := make(chan error, 1)
	e.flights.start(inner)
	var g group
	g.run(func() {
		if err := e.follower.Run(inner); err != nil && inner.Err() == nil {
			failed <- err
			cancel()
		}
	})
	g.run(func() { prober.Run(inner) })
	g.run(func() { e.member.keep(inner) })
	g.run(func() { e.member.settle(inner) })
	g.run(func() { e.member.acknowledge(inner) })
	g.run(func() { e.sweeper.run(inner) })

	stopDisk := e.runDisk(ctx)

	<-inner.Done()
	close(e.stopped)
	g.wg.Wait()
	e.flights.stop()
	stopDisk()
	e.unjoin()
	if e.member.asked.Load() != nil {
		bye, done := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
		e.member.leave(bye)
		done()
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// unjoin makes the edge refuse whatever still comes, and waits until what was decided is out: Leave
// comes after the last answer (P2).
func (e *Edge) unjoin() {
	e.publish.Lock()
	d := e.snap.Load().draft()
	d.joined = false
	old := append(e.member.open(), d.tickets)
	d.tickets = newTickets()
	e.snap.Store(d.snap())
	e.publish.Unlock()
	limit := time.Now().Add(e.lease.Timing().Decide)
	for _, t := range old {
		t.drain(context.Background(), limit)
	}
}

func (e *Edge) probeFailed(err error, reconnect bool) {
	if e.unproven.New(err) {
		e.log.Warn("freshness probe failed", "err", err, "again", reconnect)
	}
}

// Ready returns nil when stored objects may be served, or why not.
func (e *Edge) Ready() error {
	switch {
	case !e.snap.Load().joined:
		return errors.New("edge is not a member yet")
	case !e.lease.Synced():
		return errors.New("edge has not caught up with the journal yet")
	case !e.lease.Fresh(e.clock()):
		return errors.New("edge has lost its lease on the journal")
	}
	return nil
}

// Stats is a picture for metrics and the console.
type Stats struct {
	Seq           uint64        // applied
	Acked         uint64        // acknowledged
	Joined, Fresh bool          // membership; lease
	SinceFresh    time.Duration // how old the last proof of freshness is; 0 before the first
	Distributions int
	Rules         int // live invalidation rules
	Fills         int // in flight
	FillBytes     int64
	Failovers     uint64 // how often the second member of an origin group was asked
	Tiers         Tiers
	AskedAgain    uint64 // how often a fill asked a second time, because the first took long and somebody waited
	TagsLeft      uint64 // words in answers' cache tags that are no tags, or are too many: see invalidation.TagList
	PaceWaiting   int64  // questions that invalidations' paces hold up
	PaceOwed      int64  // URLs that their paces bound questions for
	Refetched     uint64 // objects that were asked for again after an invalidation, before a viewer did
	CompressBytes int64  // that compressors hold
	Compressed    uint64 // bodies
	Uncompressed  uint64 // bodies that would have been, if there had been room
	Cache         cache.Stats
}

// Tiers is what has been asked of other edges, and by them.
type Tiers struct {
	Asked, Answered, Hits, Refused, Failed uint64 // by this edge; Failed: that could not be asked
	Served, ServedHits, ServedRefused      uint64 // by others
}

// Stats returns the picture now.
func (e *Edge) Stats() Stats {
	s := e.snap.Load()
	now := e.clock()
	st := Stats{
		Seq: s.seq, Joined: s.joined, Fresh: e.lease.Fresh(now), Distributions: s.sites.len(),
		Fills: int(e.flights.count.Load()), FillBytes: e.flights.bytes.Load(), Failovers: e.failovers.Load(), AskedAgain: e.askedAgain.Load(), Cache: e.store.Stats(),
		PaceWaiting: e.pacing.waiting.Load(), PaceOwed: e.pacing.owed.Load(), Refetched: e.pacing.refetched.Load(),
		TagsLeft: e.tagsLeft.Load(), CompressBytes: e.compressors.busy(), Compressed: e.compressors.done.Load(), Uncompressed: e.compressors.refused.Load(),
	}
	u, d := &e.upstream, &e.served
	st.Tiers = Tiers{
		Asked: u.asked.Load(), Answered: u.answered.Load(), Hits: u.hits.Load(), Refused: u.refused.Load(), Failed: u.failed.Load(),
		Served: d.answered.Load(), ServedHits: d.hits.Load(), ServedRefused: d.refused.Load(),
	}
	if a := e.member.acked.Load(); a != nil {
		st.Acked = a.Seq
	}
	if at, ok := e.lease.Since(); ok {
		st.SinceFresh = now - at
	}
	for _, x := range s.sites.all() {
		st.Rules += x.index.Len() + x.soft.Len()
	}
	return st
}
