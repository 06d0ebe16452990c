package guarantee

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Invalidations that mark stale instead of removing. Once one is Completed, an edge shows what is older than it only while a
// request to the origin for the object is under way that the edge has sent after it. Of an edge two things are known here:
// what it has asked the origin for, and when that had been answered to its end; and what it shows. So it
// lingers when it goes on showing the older version
//
//   - after the answer to such a request has ended, or
//   - without having sent any since it has first shown it.
//
// That an answer has left the origin does not say when an edge has taken it in. So lingering begins grace later: a
// violation that lasts for less than that is not seen here, as one that is over before anybody asks is not.
// Nor is one by an edge that was absent since: it may have begun anew.

// grace is how long an edge may take to take in what it was sent.
const grace = 2 * time.Second

// softly tells whether the object is judged so: there is one of it, whole, for everybody, and its validator,
// if it has one, tells versions apart.
func (o *Object) softly() bool {
	switch o.Kind {
	case Small, Slow, Revalidated, Background, Variant, Written:
		return true
	}
	return false
}

// softFloor is what an invalidation demands that has marked stale.
type softFloor struct {
	floor
	shown map[string]Instant // when each edge has shown what is older first, after Completed
}

// ask is a request of an edge for the whole of an object.
type ask struct {
	at, end Instant // end: when its answer had left the origin, all of it; 0: not yet, or not all
}

// asksKept bounds the requests of an edge that are remembered of an object.
const asksKept = 64

// viaOf is the name by which an edge signs requests and answers: the last word of Via but for its comment; "": none.
func viaOf(h http.Header) string {
	words := strings.Fields(strings.Join(h.Values("Via"), ", "))
	for i := len(words) - 1; i >= 0; i-- {
		if !strings.HasPrefix(words[i], "(") {
			return words[i]
		}
	}
	return ""
}

// asked notes a request of an edge. answered is called when its answer has left.
func (r *record) asked(edge string, now func() Instant) (answered func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asks == nil {
		r.asks = map[string][]*ask{}
	}
	x := &ask{at: now()}
	all := r.asks[edge]
	if len(all) == asksKept {
		all = append(all[:0], all[1:]...)
	}
	r.asks[edge] = append(all, x)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		x.end = now()
	}
}

// marked raises what is demanded softly.
func (r *record) marked(f floor, now func() Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.after = now()
	r.note(Event{At: f.after, Completed: f.by, Only: f.only})
	if n := len(r.soft); n > 0 && r.soft[n-1].version >= f.version && r.soft[n-1].plain() {
		return
	}
	if len(r.soft) == asksKept {
		r.soft = append(r.soft[:0], r.soft[1:]...)
	}
	r.soft = append(r.soft, &softFloor{f, map[string]Instant{}})
}

// plain tells whether it binds all edges, whatever they have.
func (f *floor) plain() bool { return f.by.Where == nil && len(f.unbound) == 0 && f.only == nil }

// lingers says why an answer must not be any more, "" if it may. With mu.
func (o *Object) lingers(a *Answer) (f *softFloor, why string) {
	if a.Via == "" {
		return nil, ""
	}
	r := &o.log
	for _, f := range r.soft {
		if f.version <= a.Version || !f.binds(a.Sent, a.Via) || !f.by.Where.means(o, a.Version) {
			continue
		}
		asked := false
		for _, x := range r.asks[a.Via] {
			if x.at <= a.Absent || x.at <= f.after {
				continue
			}
			asked = true
			// What comes soon after Completed may have been decided on before.
			if x.at > f.after+grace/2 && x.end > 0 && x.end+grace < a.Sent {
				return f, fmt.Sprintf("the answer to a request that its edge had sent after the invalidation had ended %s before", ms(a.Sent-x.end))
			}
		}
		first, shown := f.shown[a.Via]
		switch {
		case asked:
		case !shown || first <= a.Absent:
			f.shown[a.Via] = a.End
		case first+grace < a.Sent:
			return f, fmt.Sprintf("its edge has shown that %s before, and has asked for nothing since", ms(a.Sent-first))
		}
	}
	return nil, ""
}
