package edge

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// Pace. An invalidation may bound how many requests to origins it causes on this edge in a second. What it drops is owed:
// a count for each URL, made by whoever frees the object, so that it is known when the object itself is gone, whatever
// the selector was. A question for a URL that is owed waits, in order, until the pace lets it through: the fill's
// first one, and its second ones, failovers and retries as well. An answer that is none of a failing origin pays one back. What
// is not owed goes past: what was never stored, what has been brought back, and what nobody has invalidated.
//
// A question that would wait too long, or that too many wait beside, is refused, and its viewers are told when to
// come again: an edge that let them pile up would answer all of them late, and others not at all.
//
// One that marks stale (marked.go) drops nothing, and its questions are known by the object that they are to renew. What is
// marked is shown on while there is no turn for it: who asks for it takes one if one is free that moment, and waits for none.
// When the origin has failed it is owed as well, for then it is not marked any more.
//
// It ends when everything is paid back; else after twice the time that all of it takes at its pace, from an hour to a day: what
// nobody has asked for until then will hardly come as a crowd.
const (
	paceWait      = 10 * time.Second // how long a question waits at most
	maxPaceWaits  = 512              // questions that wait at once, of all paces
	maxPaces      = 16               // of a distribution; beyond it a new one goes along with the last: see also
	maxOwed       = 1 << 20          // URLs, of all paces: some 24 MiB; beyond it everything that is not stored is held to be owed
	paceLeast     = time.Hour
	paceMost      = 24 * time.Hour
	paceTolerance = 10 // a question that is late by less than this part of the time between two does not put the next one off
)

var errPaced = errors.New("edge: the invalidation's pace lets no question through for so long")

// pacing is what all paces of an edge have in common.
type pacing struct {
	e       *Edge
	owed    atomic.Int64 // URLs
	waiting atomic.Int64

	refetching atomic.Int64  // paces: see refetch.go
	queued     atomic.Bool   // there is another that waits for one of them to end
	refetched  atomic.Uint64 // objects
}

// pace is that of one invalidation. Its questions go through turn one by one; who waits there does so in order.
type pace struct {
	all  *pacing
	turn chan struct{} // capacity 1: held by the question that is next

	waiting atomic.Int64
	asked   atomic.Int64 // questions let through

	mu      sync.Mutex
	began   time.Duration     // the journal's clock, when it came into force; guarded by mu, as all that follows
	every   time.Duration     // between two questions
	next    time.Duration     // when the next may be asked
	refetch bool              // what is wanted most is brought back
	owed    map[uint64]uint32 // by URL: objects
	many    bool              // more were dropped than are remembered
	hot     hot               // what is to be brought back, until the sweeper has seen all
	lost    int64             // objects that were dropped
	back    int64             // that have been paid back
	swept   bool              // nothing that is stored waits to be found dead by it
	marks   bool              // it marks stale: what it is for is not known by what is owed
	ended   bool
}

// paced are the numbers of the rules that a pace is for.
type paced struct {
	first, last uint64
	*pace
}

// url names an object for its pace: all its variants and slices together.
func (a *pacing) url(s *invalidation.Subject) uint64 {
	h := maphash.String(a.e.flights.seed, s.Path)
	if !s.QueryIgnored && s.Query != "" {
		h = h*31 + maphash.String(a.e.flights.seed, s.Query)
	}
	return h
}

// add returns the paces of a distribution with that of an invalidation that is folded in, without those that have ended.
func (a *pacing) add(all []paced, seq uint64, inv *journal.Invalidated) []paced {
	now := a.e.clock()
	kept := make([]paced, 0, len(all)+1)
	for _, p := range all {
		if !p.over(now) {
			kept = append(kept, p)
		}
	}
	if inv.Pace == nil || inv.Pace.RequestsPerSecond <= 0 {
		return kept
	}
	ago := max(a.e.now().Sub(inv.CreateTime), 0)
	if ago >= paceMost {
		return kept // the journal is read from the beginning
	}
	every := time.Duration(float64(time.Second) / inv.Pace.RequestsPerSecond)
	marks := inv.Mode == journal.Stale
	if n := len(kept) - 1; len(kept) >= maxPaces {
		if kept[n].first == kept[n].last { // said once, not of each in a stream
			a.e.log.Warn("too many paced invalidations of a distribution; more of them share the last one's pace",
				"distribution", inv.DistributionID, "invalidation", inv.InvalidationID, "seq", seq, "limit", maxPaces)
		}
		kept[n].last = seq
		kept[n].also(now-ago, every, marks, inv.Pace.Refetch)
		return kept
	}
	return append(kept, paced{seq, seq, &pace{
		all: a, began: now - ago, every: every, next: now - every, marks: marks, refetch: inv.Pace.Refetch, turn: make(chan struct{}, 1), owed: map[uint64]uint32{},
	}})
}

// PaceState is how far an invalidation's pace has come.
type PaceState struct {
	Asked int64 // questions that it has let through to origins
	Owed  int64 // objects that were dropped and have not been brought back
}

// paceState returns that of a rule's pace, nil when it has none any more.
func (e *Edge) paceState(distribution string, rule uint64) *PaceState {
	x := e.snap.Load().sites[distribution]
	if x == nil {
		return nil
	}
	p := x.pacedBy(rule)
	if p == nil || p.over(e.clock()) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return &PaceState{Asked: p.asked.Load(), Owed: max(p.lost-p.back, 0)}
}

// also lets another invalidation go along: at the slower of both paces, for as long as the later of them lasts, and if one of
// them brings back what is wanted most, so is what the other has dropped.
func (p *pace) also(began, every time.Duration, marks, refetch bool) {
	p.mu.Lock()
	p.began, p.every, p.swept = max(p.began, began), max(p.every, every), false
	p.marks, p.refetch = p.marks || marks, p.refetch || refetch
	p.mu.Unlock()
}

// pacedBy returns the pace of the rule that kills something, nil when it has none.
func (x *site) pacedBy(rule uint64) *pace {
	for i := len(x.paces) - 1; i >= 0; i-- {
		if p := &x.paces[i]; p.first <= rule && rule <= p.last {
			return p.pace
		}
	}
	return nil
}

// owe notes that a rule is about to have an object dropped. forgive it when it was not, because somebody was faster.
func (e *Edge) owe(distribution string, rule uint64, s *invalidation.Subject) (p *pace, url uint64) {
	if rule == 0 {
		return nil, 0
	}
	x := e.snap.Load().sites[distribution]
	if x == nil || len(x.paces) == 0 {
		return nil, 0
	}
	if p = x.pacedBy(rule); p == nil {
		return nil, 0
	}
	url = e.pacing.url(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, 0
	}
	p.lost++
	p.write(url)
	return p, url
}

// write puts one more on the account. With p.mu.
func (p *pace) write(url uint64) {
	if n := p.owed[url]; n > 0 {
		p.owed[url] = n + 1
	} else if p.all.owed.Add(1) > maxOwed {
		p.all.owed.Add(-1)
		p.many = true
	} else {
		p.owed[url] = 1
	}
}

// met counts an object that the pace's invalidation has marked stale.
func (p *pace) met() {
	if p != nil {
		p.mu.Lock()
		p.lost++
		p.mu.Unlock()
	}
}

// still notes that what was to renew a marked object has failed: it is not marked any more, but owed.
func (p *pace) still(url uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended && p.owed[url] == 0 {
		p.write(url)
	}
}

func (p *pace) forgive(url uint64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost--
	p.strike(url)
}

// paid says that an origin has answered for the URL.
func (p *pace) paid(url uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.back++
	p.strike(url)
}

// strike takes one off. With p.mu.
func (p *pace) strike(url uint64) {
	switch n := p.owed[url]; n {
	case 0:
	case 1:
		delete(p.owed, url)
		p.all.owed.Add(-1)
	default:
		p.owed[url] = n - 1
	}
}

// sweptUp says that the sweeper has found what a rule numbered up to seq kills.
func (x *site) sweptUp(seq uint64) {
	for _, p := range x.paces {
		if p.last <= seq {
			p.mu.Lock()
			p.swept = true
			p.mu.Unlock()
		}
	}
}

// over tells whether it has ended, and lets its memory go then.
func (p *pace) over(now time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	lasts := min(max(2*time.Duration(p.lost)*p.every, paceLeast), paceMost)
	if now-p.began > lasts || p.swept && !p.marks && !p.many && len(p.owed) == 0 {
		p.end()
	}
	return p.ended
}

// end lets its memory go. With p.mu.
func (p *pace) end() {
	if !p.ended {
		p.ended = true
		p.all.owed.Add(-int64(len(p.owed)))
		p.owed, p.hot = nil, nil
	}
}

// goes ends the paces of a distribution that is not there any more; nil: it was not.
func (x *site) goes() {
	if x == nil {
		return
	}
	for _, p := range x.paces {
		p.mu.Lock()
		p.end()
		p.mu.Unlock()
	}
}

// owes tells whether a question for the URL is one that the invalidation has caused; stored: there is something alive
// under the key that is asked for.
func (p *pace) owes(url uint64, stored bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owed[url] > 0 || p.many && !p.ended && !stored
}

// toll is what a question has to pass; the zero value is for what nothing is owed for.
type toll struct {
	p    *pace
	url  uint64
	paid bool // for the next question, which is the first

	marked bool // what the question is to renew is there, and marked stale
}

// toll finds out which pace a question belongs to: that of the last invalidation that has dropped the object.
func (x *site) toll(e *Edge, s *invalidation.Subject, stored bool) toll {
	if len(x.paces) == 0 {
		return toll{}
	}
	now, url := e.clock(), e.pacing.url(s)
	for i := len(x.paces) - 1; i >= 0; i-- {
		if p := x.paces[i].pace; !p.over(now) && p.owes(url, stored) {
			return toll{p: p, url: url}
		}
	}
	return toll{}
}

// tollOf is the toll of a flight's question: by what it is to renew, if that is marked, else by what is owed.
func (f *flight) tollOf(old *cache.Object) toll {
	if f.cut == nil && f.seen != nil && len(f.site.paces) > 0 {
		if p := f.site.pacedBy(f.site.marked(f.seen)); p != nil && !p.over(f.e.clock()) {
			return toll{p: p, url: f.e.pacing.url(f.subject.Load()), marked: true}
		}
	}
	return f.site.toll(f.e, f.subject.Load(), old != nil)
}

// pass waits until a question may be asked: nil, errPaced, or an *origin.Error when ctx has ended.
func (t *toll) pass(ctx context.Context) error {
	if t.p == nil {
		return nil
	}
	if t.paid {
		t.paid = false
		return nil
	}
	return t.p.wait(ctx)
}

// again passes it for one more question of a fetch; nil where there is nothing to pass.
func (t *toll) again() func(context.Context) error {
	if t.p == nil {
		return nil
	}
	return t.pass
}

// answered says what came of the questions: status is 0 when nothing did.
func (t *toll) answered(status int) {
	switch {
	case t.p == nil:
	case status > 0 && status < 500:
		t.p.paid(t.url)
	case t.marked:
		t.p.still(t.url)
	}
}

// try takes a turn if one is free.
func (p *pace) try() bool {
	select {
	case p.turn <- struct{}{}:
	default:
		return false
	}
	defer func() { <-p.turn }()
	if p.ahead() > 0 {
		return false
	}
	p.take()
	return true
}

// turnFor takes a turn for the renewal of what a rule has marked: false when there is none now.
func (f *flight) turnFor(rule uint64) bool {
	if len(f.site.paces) == 0 {
		return true
	}
	p := f.site.pacedBy(rule)
	if p == nil || p.over(f.e.clock()) {
		return true
	}
	f.prepaid = p.try()
	return f.prepaid
}

// retryAfter is when a viewer may come again, in seconds: when those that wait now have been let through. 0: nothing
// is owed.
func (t *toll) retryAfter() int {
	if t.p == nil {
		return 0
	}
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	return int(time.Duration(t.p.waiting.Load()+1)*t.p.every/time.Second) + 1
}

func (p *pace) wait(ctx context.Context) error {
	if !p.enter() {
		return errPaced
	}
	defer p.leave()
	late := time.NewTimer(paceWait)
	defer late.Stop()
	canceled := func() error { return &origin.Error{Kind: origin.Canceled, Op: "wait", Err: ctx.Err()} }
	select {
	case p.turn <- struct{}{}:
	case <-late.C:
		return errPaced
	case <-ctx.Done():
		return canceled()
	}
	defer func() { <-p.turn }()
	if d := p.ahead(); d > 0 {
		slot := time.NewTimer(d)
		defer slot.Stop()
		select {
		case <-slot.C:
		case <-late.C:
			return errPaced
		case <-ctx.Done():
			return canceled()
		}
	}
	p.take()
	return nil
}

// enter tells whether it is worth waiting.
func (p *pace) enter() bool {
	p.mu.Lock()
	every := p.every
	p.mu.Unlock()
	if n := p.waiting.Add(1); p.all.waiting.Add(1) > maxPaceWaits || time.Duration(n-1)*every > paceWait {
		p.leave()
		return false
	}
	return true
}

func (p *pace) leave() {
	p.waiting.Add(-1)
	p.all.waiting.Add(-1)
}

// ahead is how long until the next question may be asked.
func (p *pace) ahead() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next - p.all.e.clock()
}

// take lets one through. A timer that was late does not make the pace slower.
func (p *pace) take() {
	now := p.all.e.clock()
	p.asked.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if now-p.next > p.every/paceTolerance {
		p.next = now
	}
	p.next += p.every
}
