package edge

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// Pace. An invalidation may bound how many requests to origins it causes on this edge in a second. What it drops is owed:
// a count for each URL, made by whoever frees the object, so that it is known when the object itself is gone, whatever
// the selector was (owed.go). A question for a URL that is owed waits, in order, until the pace lets it through (toll.go, turn.go): the fill's
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
	paceWait     = 10 * (time.Second + paceLate) // how long a question waits at most: ten seconds, and at 6 a minute the next one has its turn by then
	maxPaceWaits = 512                           // questions that wait at once, of all paces
	maxPaces     = 16                            // of a distribution; beyond it a new one goes along with the last: see also
	maxSpans     = 1024                          // of a distribution's rules, between which others are that no pace is for; beyond it these go along
	maxOwed      = 1 << 20                       // URLs, of all paces: some 24 MiB; beyond it everything that is not stored is held to be owed
	paceLeast    = time.Hour
	paceMost     = 24 * time.Hour
	paceLate     = time.Millisecond // a question that is late by no more, as timers are, does not put the next one off; see every
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
	every   time.Duration     // between the times of two questions; so much more than the pace says that in any second, wherever it begins, there are no more although one is late
	next    time.Duration     // when the next may be asked
	refetch bool              // what is wanted most is brought back
	owed    map[uint64]uint32 // by URL: objects
	many    bool              // more were dropped than are remembered
	hot     hot               // what is to be brought back, until the sweeper has seen all
	lost    int64             // objects that were dropped
	back    int64             // that have been paid back
	newest  uint64            // of the rules that go along
	swept   bool              // nothing that is stored waits to be found dead by them
	marks   bool              // it marks stale: what it is for is not known by what is owed
	ended   bool
}

// paced are numbers of rules that a pace is for. One that several share has as many of them, one after the other, as there are others between.
type paced struct {
	first, last uint64
	*pace
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
	every := time.Duration(float64(time.Second+paceLate) / inv.Pace.RequestsPerSecond)
	marks := inv.Mode == journal.Stale
	if n := len(kept) - 1; different(kept) >= maxPaces {
		if kept[n].first == kept[n].last && kept[n].pace != kept[n-1].pace { // said once, not of each in a stream
			a.e.log.Warn("too many paced invalidations of a distribution; more of them share the last one's pace",
				"distribution", inv.DistributionID, "invalidation", inv.InvalidationID, "seq", seq, "limit", maxPaces)
		}
		kept[n].also(seq, now-ago, every, marks, inv.Pace.Refetch)
		if kept[n].last+1 == seq || len(kept) >= maxSpans {
			kept[n].last = seq
			return kept
		}
		return append(kept, paced{seq, seq, kept[n].pace}) // what is between is not paced
	}
	return append(kept, paced{seq, seq, &pace{
		all: a, began: now - ago, every: every, next: now - every, newest: seq, marks: marks, refetch: inv.Pace.Refetch, turn: make(chan struct{}, 1), owed: map[uint64]uint32{},
	}})
}

// different counts the paces.
func different(all []paced) (n int) {
	for i := range all {
		if i == 0 || all[i].pace != all[i-1].pace {
			n++
		}
	}
	return n
}

// PaceState is how far an invalidation's pace has come.
type PaceState struct {
	Asked int64 // questions that it has let through to origins
	Owed  int64 // objects that were dropped and have not been brought back
}

// paceState returns that of a rule's pace, nil when it has none any more.
func (e *Edge) paceState(distribution string, rule uint64) *PaceState {
	x := e.snap.Load().sites.of(distribution)
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
func (p *pace) also(seq uint64, began, every time.Duration, marks, refetch bool) {
	p.mu.Lock()
	p.began, p.every, p.newest, p.swept = max(p.began, began), max(p.every, every), seq, false
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

// sweptUp says that the sweeper has found what a rule numbered up to seq kills. A rule that goes along since it began has nothing swept yet.
func (x *site) sweptUp(seq uint64) {
	for _, p := range x.paces {
		p.mu.Lock()
		p.swept = p.swept || p.newest <= seq
		p.mu.Unlock()
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
