package edge

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/invalidation"
)

// Receipt says what one accepted invalidation did on this edge.
type Receipt struct {
	Distribution  string
	Invalidations []string  // ids; entries of the journal may carry several
	Seq           uint64    // their number
	Applied       time.Time // on this edge
	Swept         time.Time // when every object had been looked at; zero: not yet
	// Objects and Bytes that were freed because of it. An object that several rules match is counted
	// once, for the newest of them that was known when it was found.
	Objects, Bytes int64
	// Marked and MarkedBytes are what was marked stale, counted likewise.
	Marked, MarkedBytes int64
	Pace                *PaceState // nil: it has none, or that has ended
}

// maxReceipts bounds the receipts kept, the oldest go (L9).
const maxReceipts = 1024

// sweeper looks at objects that nobody asks for, so that rules can be forgotten (L4, E4): it frees the
// dead and marks the others as checked. Each sweep goes through the whole store at a bounded rate.
type sweeper struct {
	e   *Edge
	due chan struct{} // capacity 1

	// What the last complete sweep has seen. Only the sweeper's goroutine knows of it.
	seenLife string
	seenSeq  uint64
	maxSoft  int

	mu       sync.Mutex
	receipts []*Receipt // in order of Seq; guarded by mu
}

const (
	sweepRetry = time.Second // first pause before a sweep for rules that a flight still needs
	sweepMost  = 30 * time.Second

	// sweepMarked is after which time it is looked whether rules that mark stale still mark something.
	sweepMarked = 10 * time.Minute

	// After a sweep there is a pause of so many times its length, for the rules that come meanwhile: in a
	// steady stream of them each sweep then serves many, and takes a tenth of the time: of a core less than one
	// percent for a cache of a hundred thousand objects (BenchmarkSweep).
	sweepRest     = 9
	sweepRestMost = 5 * time.Second
)

func newSweeper(e *Edge) *sweeper {
	return &sweeper{e: e, due: make(chan struct{}, 1), maxSoft: maxSoft}
}

func (s *sweeper) wake() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

func (s *sweeper) run(ctx context.Context) {
	retry := sweepRetry
	var again, rested <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.due:
			retry = sweepRetry
		case <-again:
			retry = min(2*retry, sweepMost)
		}
		if rested != nil {
			select {
			case <-ctx.Done():
				return
			case <-rested:
			}
		}
		again = nil
		began := time.Now()
		clean, marking := s.sweep(ctx)
		rested = time.After(min(sweepRest*time.Since(began), sweepRestMost))
		if !clean {
			again = time.After(retry)
		} else if marking {
			again = time.After(sweepMarked)
		}
	}
}

// sweep goes through the store once and then cuts the indexes. It reports whether no rule is left that
// it had applied, but for those that mark, and whether there are such.
//
// What makes it safe to forget the rules up to the bound: what was stored before the walk is visited;
// what is stored during or after it comes from a flight that was registered when the floor was raised,
// and then its stamp is at least the bound, or that was registered later, and then its stamp is at
// least the floor (flights). Decisions under way have the index of their own snapshot.
func (s *sweeper) sweep(ctx context.Context) (clean, marking bool) {
	switch { // as if there were many objects
	case planted(hitUnchecked), planted(sliceUnchecked), planted(loadUnchecked), planted(loadJoined):
		<-time.After(100 * time.Millisecond)
	case planted(restartTrusted):
		<-time.After(2 * time.Second)
	}
	snap := s.e.snap.Load()
	undecided := s.e.undecided.Load()
	flights := s.e.flights.raise(snap.seq)
	bound := rules.Bound(snap.seq, flights, s.e.loads.raise(snap.seq))
	rest := newStride(s.e.cfg.SweepRate).rest
	on := func(n int) bool { return rest(ctx, n) }
	w := &sweep{sweeper: s, snap: snap, surplus: surplus(snap, s.maxSoft), needed: needs{}}
	s.e.store.Skim(w.passes, func(o *cache.Sight) bool {
		w.visit(o, true)
		return true
	}, on)
	if s.e.disk != nil && !undecided {
		if planted(sweepOfAny) { // the same
			<-time.After(10 * time.Second)
		}
		w.disk(on)
	}
	if ctx.Err() != nil {
		return true, false
	}
	if undecided {
		return false, false // what lies on disk may yet need every rule
	}
	s.e.compacted(snap.life, bound, w.needed)
	for _, x := range snap.sites.all() {
		x.sweptUp(snap.seq)
	}
	s.e.refetch(snap, snap.seq)
	s.swept(snap.seq)
	s.seenLife, s.seenSeq = snap.life, snap.seq
	return bound == snap.seq, len(w.needed) > 0
}

// sweep is one way through both tiers.
type sweep struct {
	*sweeper
	snap    *Snap
	surplus map[string]uint64 // by distribution: up to where there are too many rules that mark stale
	needed  needs
	marking bool // something marked was met

	last    string // a distribution, and its site: most have the same as the one before
	site    *site
	subject invalidation.Subject // its memory is used again
}

// passes tells whether nothing is to be done about an object: no rule means it. Nearly all pass, in a stream of invalidations again
// and again; so it reads no more than it must, and where the object lies.
func (s *sweep) passes(o *cache.Glimpse) bool {
	if o.Epoch != s.snap.life {
		return false
	}
	if o.Distribution != s.last {
		s.last, s.site = o.Distribution, s.snap.sites.of(o.Distribution)
	}
	x := s.site
	if x == nil {
		return false
	}
	checked := o.Checked()
	if checked >= x.newest {
		return true
	}
	o.Subject(&s.subject)
	if x.index.Match(&s.subject, checked) != 0 || o.Status != signpost && x.soft.Match(&s.subject, checked) != 0 { // of a slice the octets count
		return false
	}
	s.e.confirm(x, &s.subject, o.Stamp)
	o.Mark.SetChecked(x.newest)
	return true
}

// visit is for either tier. What is dead in memory is dropped on disk as well: there it is the same, or older, and is
// not to be counted again.
func (s *sweep) visit(o *cache.Sight, memory bool) {
	snap := s.snap
	site := snap.sites.of(o.Distribution)
	switch {
	case o.Epoch != snap.life:
		// Of a life before, or, if the journal was replaced during this walk, of the next one.
		if o.Epoch != s.e.snap.Load().life {
			o.Drop()
		}
	case site == nil:
		// Its distribution is gone; ids are not used again. If it was made during this walk, its
		// objects are young and the snapshot old.
		if o.Stamp <= snap.seq {
			o.Drop()
		}
	default:
		checked := o.Checked()
		rule := site.checkSight(o)
		if rule == 0 {
			s.e.confirm(site, &o.Subject, o.Stamp)
			s.visitMarked(site, o, checked, memory)
			return
		}
		if !s.drop(o, rule) {
			return
		}
		if memory {
			s.expel(o.Key)
		}
		if o.Status != signpost {
			s.count(o.Distribution, rule, o.Status, o.Size)
		}
	}
}

// drop frees an object that a rule has killed, which owes it.
func (s *sweeper) drop(o *cache.Sight, rule uint64) bool {
	if o.Status == signpost {
		return o.Drop()
	}
	p, url := s.e.owe(o.Distribution, rule, &o.Subject)
	dropped := o.Drop()
	if dropped {
		p.wants(o)
	} else {
		p.forgive(url)
	}
	return dropped
}

func (s *sweeper) expel(key string) {
	if s.e.disk != nil {
		s.e.disk.Expel([]byte(key))
	}
}

// free drops a dead object and counts it for the rule that killed it, 0 for none. Whoever finds it
// first counts it.
func (s *sweeper) free(o *cache.Object, rule uint64) {
	var p *pace // before it is gone: who looks for it then must find that it is owed
	var url uint64
	if !isSignpost(o) {
		p, url = s.e.owe(o.Distribution, rule, &o.Subject)
	}
	if !s.e.store.Remove(o) {
		p.forgive(url)
		return
	}
	s.expel(o.Key)
	if rule != 0 && !isSignpost(o) {
		s.count(o.Distribution, rule, o.Status, int64(len(o.Body)))
	}
}

func (s *sweeper) count(distribution string, rule uint64, status int, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.find(distribution, rule); ok {
		if status != sliceStatus { // its map counts for all of them
			s.receipts[i].Objects++
		}
		s.receipts[i].Bytes += size
	}
}

// find looks a receipt up. With s.mu.
func (s *sweeper) find(distribution string, seq uint64) (int, bool) {
	i, _ := slices.BinarySearchFunc(s.receipts, seq, func(r *Receipt, seq uint64) int {
		switch {
		case r.Seq < seq:
			return -1
		case r.Seq > seq:
			return 1
		}
		return 0
	})
	for ; i < len(s.receipts) && s.receipts[i].Seq == seq; i++ {
		if s.receipts[i].Distribution == distribution {
			return i, true
		}
	}
	return 0, false
}

// accepted opens a receipt.
func (s *sweeper) accepted(distribution, invalidation string, seq uint64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.find(distribution, seq); ok {
		s.receipts[i].Invalidations = append(s.receipts[i].Invalidations, invalidation)
		return
	}
	if n := len(s.receipts); n > 0 && s.receipts[n-1].Seq > seq {
		s.receipts = nil // the numbers of another log
	}
	if len(s.receipts) >= maxReceipts {
		s.receipts[0] = nil
		s.receipts = s.receipts[1:] // append moves the others together, once in hundreds of times
	}
	s.receipts = append(s.receipts, &Receipt{
		Distribution: distribution, Invalidations: []string{invalidation}, Seq: seq, Applied: at,
	})
}

func (s *sweeper) swept(seq uint64) {
	now := s.e.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.receipts {
		if r.Seq <= seq && r.Swept.IsZero() {
			r.Swept = now
		}
	}
}

// Receipt returns what an invalidation did here; false when it is not known, or not any more.
func (e *Edge) Receipt(distribution, invalidation string) (Receipt, bool) {
	s := e.sweeper
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range slices.Backward(s.receipts) {
		if r.Distribution == distribution && slices.Contains(r.Invalidations, invalidation) {
			c := *r
			c.Invalidations = slices.Clone(r.Invalidations)
			c.Pace = e.paceState(distribution, r.Seq)
			return c, true
		}
	}
	return Receipt{}, false
}
