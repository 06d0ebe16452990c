package edge

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/tier"
)

// flight is one fetch from an origin for what may be stored or shared. Its goroutine runs the fetch;
// viewers are readers of it, also the one that began it, so that no viewer's leaving ends it for the
// others. What is not guarded by a lock is set before the flight is launched and never changed.
type flight struct {
	e     *Edge
	shard *flightShard
	key   string // changes when the answer tells its variant; written with shard.mu, by the flight's own goroutine
	base  int    // length of the key without variant and part
	hash  uint64 // of key[:base]
	span  string // Range of the part that is asked for; "": the whole; written as key is

	// What the request that began it had pinned. The stamp is the position of that snapshot (L2, S1),
	// not of the moment at which the fetch really began.
	life     string
	epoch    string // of the journal
	stamp    uint64
	entry    string // the ID of that entry
	site     *site
	behavior *distribution.Behavior
	request  *message.Request // a copy; GET for HEAD
	id       string           // X-Amz-Cf-Id of the request that began it
	began    time.Duration    // t0
	since    time.Duration    // t0 of the oldest octets that it may hand out: began, the part's, or that of who has fetched them; with shard.mu until head is set
	after    time.Duration    // of another edge's question: what was fetched before counts for nothing
	through  []string         // the edges that the question has come through; nil: a viewer's
	doubtful bool             // old may be dead for all that is known: the edge is isolated (isolation.go). The fill's own
	old      *cache.Object    // stale, alive at stamp: what a 304 renews, or a failure falls back to; or nil
	part     *cache.Object    // fresh, alive at stamp: the beginning, of which the rest is asked for; or nil
	cut      *cut             // the slice that is asked for; nil: it is for none

	// subject gains its tags when the head arrives.
	subject atomic.Pointer[invalidation.Subject]

	// With RFC semantics: by which fields the answer varies, and this one's variant. Set before head is.
	vary    []string
	variant [sha256.Size]byte

	// What the object has beside its fields, if it is compressed here. Set before head is.
	marks message.Fields

	seen    *cache.Object // what the lookup had found, alive or not; nil: nothing, or the origin has said that it is gone
	refresh bool          // begun for no viewer, to renew a stale object
	held    bool          // the viewer's ticket stays open: the final attempt

	alone     bool // not in byKey: nobody joins, nothing is stored; guarded by shard.mu until launch
	storing   bool // guarded by shard.mu
	displaced bool // a rule that marks has come, and a younger one has its place; guarded by shard.mu
	overtook  bool // it has displaced another; guarded by shard.mu until launch
	visitor   bool // it has its key's place only while it spends; guarded by shard.mu
	kept      bool // something of it was stored; used by the flight's own goroutine
	spent     bool // the same, of what it was to renew (spend.go)

	asking atomic.Pointer[string] // the edge that is asked, or has answered; nil: the origin is
	above  *tier.Head             // what it has said of its answer; nil: the origin's; used by the flight's own goroutine

	asked *distribution.Behavior // behavior, or its Second: of whom the answer is; used by the flight's own goroutine

	vacated bool // it has given back its place; used by the flight's own goroutine
	prepaid bool // a turn of the pace was taken before it began; the same
	unasked bool // the pace has let no question through; the same
	large   bool // its body takes so much that it matters what viewers hold; the same
	retry   int  // seconds after which it may be tried again, of one that an invalidation's pace has refused; the same

	ctx    context.Context
	cancel context.CancelFunc

	mu        sync.Mutex
	changed   chan struct{} // closed and forgotten at each change that a reader may wait for; nil: nobody waits
	head      *head
	tape      tape
	touched   time.Duration // when the head came, or octets did last
	ended     bool
	err       error // why the body is not complete
	poisoned  bool
	closed    bool // takes no more readers
	sealed    bool // complete, and on its way into the store: the right to store cannot be lost any more
	readers   []*reader
	undecided int
	source    *source  // what is left of the answer, for the viewer that began it; nil: nothing, or taken
	idle      bool     // counted in flights.background
	stuck     struct { // where the slowest reader of a full window is, and since when
		at    int64
		since time.Duration
	}
	timer *time.Timer // ends an idle flight

	lent        int64 // octets of a slice that has come, and that is still being read
	sourceTaken bool  // and with it the flight's context
	leaderGone  bool  // who began it
	stays       bool  // see stay
}

// head is what a flight's answer begins with.
type head struct {
	status int
	fields message.Fields // for the viewer that began it
	shared message.Fields // for everybody else, and as stored
	length int64          // -1: not known
	source int64          // of what is compressed here: the length at the origin
	forAll bool           // others than the first viewer may have it too
	keep   bool           // the body is collected to be stored
	sliced bool           // it has become a map
	slice  sliceState     // of a flight for a slice

	object  *cache.Object // the answer is this object: renewed by a 304, or stale after a failure
	failure Reason        // the answer is made here: what went wrong; Fresh (0) for none
	outcome Outcome       // of whoever began it
	reason  Reason        // if not what the lookup said; Fresh (0) for that
	met     met           // of a stale object that stands in for an answer: for which

	noStore httpcache.NoStoreReason
	fresh   httpcache.Freshness
	latency time.Duration
	from    string // id of the origin that was asked
	age     string // that the origin's answer arrived with, as its Age field; "" for none
	retry   int    // of a failure: seconds after which it may be tried again; 0: not said
}

// met is what asking the origin came to, where something else is the answer: a status, or none and why.
type met struct {
	status int
	why    Reason
}

// reader is one viewer on a flight. It is used by one goroutine.
type reader struct {
	f       *flight
	first   bool  // began the flight
	off     int64 // guarded by f.mu
	lent    int64 // octets given out by next, not yet consumed
	pending bool  // undecided; guarded by f.mu
	behind  bool  // cut off; guarded by f.mu
	gone    bool
}

var (
	errPoisoned = errors.New("edge: flight overtaken by a rule")
	errShort    = errors.New("edge: body ends early")
	errLong     = errors.New("edge: body goes on beyond its length")
	errUnasked  = errors.New("edge: 304 to a question without a condition")
	errBroken   = errors.New("edge: fill panicked")
	errBehind   = errors.New("edge: too slow for those who wait for the same body")
)

// lead makes the first reader. Before launch.
func (f *flight) lead() *reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.add(&reader{f: f, first: true})
}

// join adds a reader for what want was prepared for, if this flight can serve it (S4): same
// configuration, not poisoned, and still complete from its first octet. Called with shard.mu.
func (f *flight) join(want *flight) *reader {
	if f.life != want.life || f.site.rev != want.site.rev || f.span != "" && f.span != want.span {
		return nil
	}
	if f.cut != nil && version(f.cut.of) != version(want.cut.of) {
		return nil // the same slice of another version
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.poisoned || f.closed || f.head != nil && !f.head.forAll {
		return nil
	}
	return f.add(&reader{f: f})
}

func (f *flight) add(r *reader) *reader {
	r.pending = true
	f.readers = append(f.readers, r)
	f.undecided++
	if f.idle {
		f.idle = false
		f.e.flights.background.Add(-1)
	}
	return r
}

// notify wakes everybody who waits for a change. With f.mu.
func (f *flight) notify() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// await releases f.mu, waits for a change or ctx, and locks again.
func (f *flight) await(ctx context.Context) error {
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	c := f.changed
	f.mu.Unlock()
	defer f.mu.Lock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// poison sends everybody away who has not decided. Who has decided goes on reading.
func (f *flight) poison() {
	f.mu.Lock()
	f.poisoned, f.closed = true, true
	f.notify()
	f.mu.Unlock()
	f.e.flights.withdraw(f)
}

// wait returns the head, errPoisoned, or ctx's error.
func (r *reader) wait(ctx context.Context) (*head, error) {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.poisoned:
			return nil, errPoisoned
		case f.head != nil:
			return f.head, nil
		}
		if err := f.await(ctx); err != nil {
			return nil, err
		}
	}
}

// decided says that this reader's head is about to be written.
func (r *reader) decided() {
	r.f.mu.Lock()
	landed := r.settle()
	r.f.mu.Unlock()
	if landed {
		r.f.e.flights.landed(r.f)
	}
}

// settle ends the reader's undecidedness and tells whether the flight is over. With f.mu.
func (r *reader) settle() bool {
	if !r.pending {
		return false
	}
	r.pending = false
	r.f.undecided--
	return r.f.done()
}

// done tells that no rule needs to be kept for this flight any more: it cannot store, and nobody has
// to decide on it. Its body may still be coming. With f.mu.
func (f *flight) done() bool {
	passing := f.head != nil && f.closed && !f.tape.whole && f.head.object == nil
	return f.undecided == 0 && !f.stays && (f.ended || passing)
}

func (f *flight) landIfDone() {
	f.mu.Lock()
	done := f.done()
	f.mu.Unlock()
	if done {
		f.e.flights.landed(f)
	}
}

// seek lets next begin at off.
func (r *reader) seek(off int64) {
	r.f.mu.Lock()
	r.off, r.lent = off, 0
	r.f.mu.Unlock()
}

// here is next without waiting: what has come of the body already, at most so many octets.
func (r *reader) here(most int64) []byte {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	if r.behind {
		return nil
	}
	r.off += r.lent
	p := r.f.tape.from(r.off)
	p = p[:min(int64(len(p)), most)]
	r.lent = int64(len(p))
	return p
}

// next returns the next octets of the body, waiting for them; nil at its clean end. What it returned
// before is consumed by the call. ready tells that there is more to be had without waiting.
func (r *reader) next(ctx context.Context) (p []byte, ready bool, err error) {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	r.off += r.lent
	r.lent = 0
	if r.behind {
		return nil, false, errBehind
	}
	if !f.tape.whole {
		f.notify() // the fill may be waiting for this reader
	}
	for {
		if p = f.tape.from(r.off); len(p) > 0 {
			r.lent = int64(len(p))
			return p, r.off+r.lent < f.tape.size, nil
		}
		if f.ended {
			return nil, false, f.err
		}
		if err := f.await(ctx); err != nil {
			return nil, false, err
		}
	}
}

// leave takes the reader off. The last one decides what becomes of the fill; a second call does
// nothing.
func (r *reader) leave() {
	if r == nil || r.gone {
		return
	}
	r.gone = true
	f := r.f
	f.mu.Lock()
	var rest *source
	if r.first {
		f.leaderGone = true
		rest, f.source = f.source, nil
	}
	landed := r.settle()
	for i, x := range f.readers {
		if x == r {
			f.readers = append(f.readers[:i], f.readers[i+1:]...)
			break
		}
	}
	f.lend()
	f.notify() // the slowest reader may have gone
	cancel := len(f.readers) == 0 && !f.ended && !f.sourceTaken && !f.worthFinishing()
	if cancel {
		f.closed = true
	}
	f.mu.Unlock()
	rest.close()
	if landed {
		f.e.flights.landed(f)
	}
	if cancel {
		f.e.flights.withdraw(f)
		f.cancel()
	}
}

const (
	// backgroundLimit is how large a body may be that is fetched to its end though all viewers left.
	backgroundLimit = 1 << 20
	// backgroundTime is how long that may take.
	backgroundTime = 30 * time.Second
)

// worthFinishing decides whether a fill without a reader goes on. CloudFront lets go of what its
// viewer does not wait for; to finish what is small costs the origin less than to be asked again. With
// f.mu.
func (f *flight) worthFinishing() bool {
	if f.poisoned || f.alone {
		return false
	}
	if h := f.head; h != nil && (!h.keep || !f.tape.whole ||
		!f.refresh && f.cut == nil && max(h.length, h.source, f.tape.size) > backgroundLimit) {
		return false
	}
	return f.idle || f.enterBackground()
}

// enterBackground takes one of the places for fills that nobody waits for. With f.mu.
func (f *flight) enterBackground() bool {
	if f.e.flights.background.Add(1) > int64(f.e.cfg.MaxBackground) {
		f.e.flights.background.Add(-1)
		return false
	}
	f.idle = true
	if f.timer == nil {
		f.timer = time.AfterFunc(backgroundTime, f.giveUp)
	}
	return true
}

// giveUpStoring lets the body of a slow fill go to its readers only.
func (f *flight) giveUpStoring() {
	f.mu.Lock()
	if f.head != nil && !f.ended && !f.sealed {
		f.letGo()
	}
	f.mu.Unlock()
	f.landIfDone()
}

// giveUp ends a fill that nobody has waited for during backgroundTime.
func (f *flight) giveUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timer = nil
	if f.idle && !f.ended {
		f.closed = true
		f.cancel()
	}
}

// scrap ends a flight that is not launched. Who has joined it already tries again.
func (f *flight) scrap(lead *reader) {
	f.end(nil)
	lead.leave()
}

// end is the last thing that a fill does: err says why the body is not complete.
func (f *flight) end(err error) {
	f.mu.Lock()
	f.ended, f.closed, f.err = true, true, err
	if f.head == nil && err == nil {
		f.poisoned = true // never had an answer: whoever came along tries again
	}
	if f.idle {
		f.idle = false
		f.e.flights.background.Add(-1)
	}
	if f.timer != nil {
		f.timer.Stop()
	}
	f.hold(-f.tape.reserved)
	f.e.flights.paged.Add(-f.tape.paged)
	f.tape.paged = 0
	f.lend()
	var rest *source
	if f.leaderGone {
		rest, f.source = f.source, nil
	}
	landed := f.done()
	f.notify()
	f.mu.Unlock()
	rest.close()
	if landed {
		f.e.flights.landed(f)
	} else {
		f.e.flights.stored(f)
	}
}
