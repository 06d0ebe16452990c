package guarantee

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Invalidations that mark stale instead of removing. Once one is Completed, an edge shows what is older than it only while a
// request to the origin for the object is under way that the edge has sent after it was created. Of an edge two things are known here:
// what it has asked the origin for, and when that had been answered to its end; and what it shows. So it
// lingers when it goes on showing the older version
//
//   - after the answer to a request has ended that was sent knowing of it, or
//   - since it has first shown it, and no such request was under way meanwhile; if it is paced, after several showings,
//     of which each would have begun one if there had been a turn.
//
// That an answer has left the origin does not say when an edge has taken it in. So lingering begins grace later: a
// violation that lasts for less than that is not seen here, as one that is over before anybody asks is not.
// Nor is one by an edge that was absent since: it may have begun anew; or one after a request that was broken off, for then it may be shown
// as anything whose origin has failed.

// grace is how long an edge may take to take in what it was sent.
const grace = 2 * time.Second

// Showings of what is paced count when they are not of the same moment: one in which the turn is another's says nothing of the next.
// At the paces that writers ask for it is free most of the time, so there is one at one of so many, whatever else the pace is for.
const (
	pacedShowings = 12
	momentLong    = 50 * time.Millisecond
)

// softly tells whether the object is judged so: there is one of it, whole, for everybody, and its validator,
// if it has one, tells versions apart.
func (o *Object) softly() bool {
	switch o.Kind {
	case Small, Slow, Revalidated, Background, Written:
		return true
	}
	return false
}

// strictly tells whether the origin says that the object is not to be used stale. Then marking demands of it what removing does.
func (o *Object) strictly() bool { return o.Kind == Encoded || o.Kind == Tongued || o.Kind == Variant }

// softFloor is what an invalidation demands that has marked stale.
type softFloor struct {
	floor
	shown map[string]*showings // by edge, of what is older, after Completed, and while nothing is asked for
}

// showings are those of one edge.
type showings struct {
	first, last Instant // of those that are counted
	n           int
}

// ask is a request for the whole of an object that an edge has sent, or another has sent on for it.
type ask struct {
	at, end Instant // end: when its answer had left the origin, or was broken off; 0: not yet
	whole   bool    // all of it has left
	through bool    // it came through another edge
}

// children are the edges that have ever asked through another one, for whatever object, by their Via.
type children struct{ all sync.Map }

// asksKept bounds the requests of an edge that are remembered of an object.
const asksKept = 64

// softPace is a paced invalidation that marks the object stale.
type softPace struct{ created, after Instant } // after: Completed; 0: not yet

// pacesKept bounds those that are remembered of an object.
const pacesKept = 32

// viaOf is the name by which an edge signs answers: the last word of Via but for its comment; "": none.
func viaOf(h http.Header) string {
	all := viasOf(h)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// viasOf are the names of all through whom a message has come, the last one last.
func viasOf(h http.Header) (names []string) {
	for _, hop := range strings.Split(strings.Join(h.Values("Via"), ","), ",") {
		if words := strings.Fields(hop); len(words) > 1 { // the protocol, the name, a comment
			names = append(names, words[1])
		}
	}
	return names
}

// askersOf are those through whom a request has come, the last one last; who does not sign is "".
func askersOf(h http.Header) []string {
	if all := viasOf(h); len(all) > 0 {
		return all
	}
	return []string{""}
}

// asked notes a request that has come through edges; the last of them has sent it to the origin. ended is called once, when its answer has left, or was broken off.
func (r *record) asked(edges []string, now func() Instant) (ended func(whole bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asks == nil {
		r.asks = map[string][]*ask{}
	}
	at := now()
	var these []*ask
	for i, edge := range edges {
		x := &ask{at: at, through: i < len(edges)-1}
		if x.through {
			r.children.all.Store(edge, nil)
		}
		all := r.asks[edge]
		if len(all) == asksKept {
			all = append(all[:0], all[1:]...)
		}
		these, r.asks[edge] = append(these, x), append(all, x)
	}
	return func(whole bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		end := now()
		for _, x := range these {
			x.end, x.whole = end, whole
		}
	}
}

// willMark notes that a paced invalidation is about to be created that marks stale.
func (r *record) willMark(at Instant) *softPace {
	if len(r.paces) == pacesKept {
		r.paces = append(r.paces[:0], r.paces[1:]...)
	}
	p := &softPace{created: at}
	r.paces = append(r.paces, p)
	return p
}

// marked raises what is demanded softly.
func (r *record) marked(f floor, pace *softPace, now func() Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.after = now()
	if pace != nil {
		pace.after = f.after
	}
	r.note(Event{At: f.after, Completed: f.by, Only: f.only})
	if n := len(r.soft); n > 0 && r.soft[n-1].version >= f.version && r.soft[n-1].plain() {
		return
	}
	if len(r.soft) == asksKept {
		r.soft = append(r.soft[:0], r.soft[1:]...)
	}
	r.soft = append(r.soft, &softFloor{f, map[string]*showings{}})
}

// plain tells whether it binds all edges, whatever they have.
func (f *floor) plain() bool {
	return f.by.Where == nil && f.of == nil && len(f.unbound) == 0 && f.only == nil
}

// lingers says why an answer must not be any more, "" if it may. With mu.
func (o *Object) lingers(a *Answer) (f *softFloor, why string) {
	r, who := &o.log, a.signature()
	for _, f := range r.soft {
		if f.version <= a.Version || !f.binds(a.Sent, a.Via) || !f.means(o, a) {
			continue
		}
		answered, going := r.asking(a, f)
		if answered != nil {
			return f, fmt.Sprintf("the answer to a request that its edge had sent after the invalidation had ended %s before", ms(a.Sent-answered.end))
		}
		s := f.shown[who]
		switch {
		case going:
			delete(f.shown, who)
		case s == nil || s.first <= a.Absent:
			f.shown[who] = &showings{first: a.End, last: a.End, n: 1}
		default:
			if a.Sent > s.last+momentLong {
				s.n, s.last = s.n+1, a.End
			}
			if max(s.first, a.Opened)+grace < a.Sent && (s.n >= pacedShowings || !r.pacedAt(a)) {
				return f, fmt.Sprintf("its edge has shown that %s before, %d times since at other moments, and has asked for nothing", ms(a.Sent-s.first), s.n-1)
			}
		}
	}
	return nil, ""
}

// asking returns a request that ends that the answer may be as old as it is; and tells whether one allows it. With mu.
func (r *record) asking(a *Answer, f *softFloor) (answered *ask, going bool) {
	if a.Via == "" {
		return nil, r.askedSince(f.by.Created)
	}
	for _, x := range r.asks[a.Via] {
		switch {
		case x.at <= a.Absent:
		case x.goes(a, f):
			going = true
		// What comes soon after Completed may have been decided on before; and another edge may have kept it waiting.
		case x.whole && !x.through && x.at > max(f.after+grace/2, a.Opened):
			answered = x
		}
	}
	// What it asks another edge, the origin may not hear of: that one may have been asking already.
	if _, behind := r.children.all.Load(a.Via); behind && !going {
		for _, asks := range r.asks {
			going = going || slices.ContainsFunc(asks, func(x *ask) bool { return x.goes(a, f) })
		}
	}
	return answered, going
}

// signature is by whom the answer is, as far as is known: one that does not sign is one of those who answer at an address.
func (a *Answer) signature() string {
	if a.Via == "" {
		return fmt.Sprint("at address ", a.Edge)
	}
	return a.Via
}

// askedSince tells whether anybody has asked for the object since an instant: of who does not sign it might have been the one. With mu.
func (r *record) askedSince(at Instant) bool {
	for _, asks := range r.asks {
		if n := len(asks); n > 0 && asks[n-1].at > at {
			return true
		}
	}
	return false
}

// goes tells whether it was sent after the invalidation was created, and was under way still when the answer was asked for, as far as is known; or has failed.
func (x *ask) goes(a *Answer, f *softFloor) bool {
	return x.at > f.by.Created && (x.end == 0 || !x.whole || x.end+grace >= a.Sent)
}

// pacedAt tells whether the last invalidation that has marked the object may be a paced one, for who has answered. With mu.
func (r *record) pacedAt(a *Answer) bool {
	return slices.ContainsFunc(r.paces, func(p *softPace) bool {
		return p.created < a.End && !slices.ContainsFunc(r.soft, func(u *softFloor) bool {
			return u.by.Pace == 0 && u.plain() && p.after > 0 && u.by.Created > p.after && u.after < a.Sent
		})
	})
}
