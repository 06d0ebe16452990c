package guarantee

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Instant is a reading of the run's clock: since its beginning, monotonic.
type Instant = time.Duration

// Invalidation is one batch as its writer has seen it.
type Invalidation struct {
	Number    int
	Writer    int
	Items     []string
	Soft      bool    // it marks stale, and removes nothing
	Where     *Where  // what narrows the items; nil: nothing
	Turns     *Turns  // it comes location by location; nil: at once
	Pace      int     // of what it has dropped, so much is asked for a second; 0: not bounded
	Created   Instant // before the first octet of the request to create it
	Completed Instant // after it was reported; 0: not yet
	Withdrawn bool    // what is left of its turns; then it is in force for some edges, and never Completed
}

// Fill is one answer of the origin.
type Fill struct {
	Number    uint64
	Version   uint64
	Asked     Instant // its request had arrived, and the version was read
	Sent      Instant // no octet of it had been sent before
	Condition string  // what was asked for: If-None-Match, If-Modified-Since, Range; ""
	Status    int
	By        []string // the edges that it was asked by, by their Via; the last has sent the request
}

// Answer is what a reader got.
type Answer struct {
	Reader, Edge    int
	Method          string
	Asking          string // the condition or the range that it asked with; ""
	Sent, Head, End Instant
	Status          int
	Cache           string // X-Cache
	Version         uint64 // 0: no content of the origin
	AtMost          bool   // it shows that version, or one that is older
	Fill            uint64
	Left            Instant // when its fill left the origin; 0: not known
	Had             Instant // by then the edge that signs had got its fill, from the origin itself; 0: not known
	Age             int64   // as the cache says; negative: it says none
	Begun           Instant // it cannot have been begun before: Sent, or Left
	Protocol        string
	Coding          string // of what was sent as it is: made by the cache; ""
	Wrong           Class  // of its octets: Mixed, Torn; or none
	Why             string
	Via             string  // by which the edge signs; ""
	Absent          Instant // when an edge, any, was last known to be absent
	Away            Instant // when this edge was
	Opened          Instant // when the connection was opened by which it came: who has answered has been there since
	Excused         bool    // older than the floor of other edges: its own is cut off, and the cache says so
	Cut             bool    // ended early, visibly
	page            *Answer // that it shows, for another object's error; nil: none
}

// Class is the kind of a violation.
type Class uint8

const (
	None Class = iota
	Old
	Late
	Revived
	Overwritten
	Lingering
	Misdated
	Mixed
	Torn
	classes
)

var classNames = [classes]string{"none", "old", "late", "revived", "overwritten", "lingering", "misdated", "mixed", "torn"}

func (c Class) String() string { return classNames[c] }

// Violation is an answer that must not be, with what proves it.
type Violation struct {
	Class  Class
	Object *Object
	Answer Answer
	Floor  uint64        // the version that it had to have at least; not of Mixed and Torn
	Since  Instant       // from when on
	By     *Invalidation // whose floor it is; nil: that of a POST
	Events []Event       // the object's last events, in order
}

// Event is one line of an object's history; exactly one field beside At and Only is set.
type Event struct {
	At        Instant
	Written   uint64 // the origin's new version
	Created   *Invalidation
	Completed *Invalidation
	Only      []string // of Completed: it speaks for these edges alone, by their Via; nil: for all
	Fill      *Fill
	Answer    *Answer
}

// record is the history of one object.
type record struct {
	mu     sync.Mutex
	floors floors            // what invalidations demand of all edges; guarded by mu
	posts  map[int]floors    // what POSTs that an edge has answered demand of it; guarded by mu
	soft   []*softFloor      // what marking stale demands, as floors are ordered; guarded by mu
	some   []floor           // what invalidations demand that have conditions, or bind some edges only, by their instants; guarded by mu
	asks   map[string][]*ask // by the edge's Via; guarded by mu
	paces  []*softPace       // in order of their creation; guarded by mu
	sights sights            // guarded by mu
	events [120]Event
	n      int // events ever; guarded by mu

	children *children // all objects' records have the same
}

// floor is what an invalidation, or a POST, demands from an instant on.
type floor struct {
	after   Instant
	version uint64
	by      *Invalidation // nil: a POST
	unbound []string      // of edges that it does not bind, the Via
	only    []string      // of those that it does; nil: all others
	of      []string      // tags, of which a version has to have one to be meant; nil: none
}

// means tells whether it is certain that what an answer shows of the object is meant.
func (f *floor) means(o *Object, a *Answer) bool {
	return f.by.Where.means(o, a) && (f.of == nil || !a.AtMost && slices.Contains(f.of, o.edition(a.Version)))
}

// binds tells whether something is demanded of what an edge begins at an instant.
func (f *floor) binds(at Instant, via string) bool {
	if via == "" && len(f.unbound) > 0 {
		return false // it may be one of these
	}
	return f.after < at && !slices.Contains(f.unbound, via) && (f.only == nil || slices.Contains(f.only, via))
}

// floors ascend in instant; in version too, as far as they bind all edges.
type floors []floor

// floorsKept bounds the floors of an object. One that is dropped is older than that many invalidations of
// the object; then an answer that was begun before all of those that are left is not judged.
const floorsKept = 256

// note appends an event. With mu.
func (r *record) note(e Event) {
	r.events[r.n%len(r.events)] = e
	r.n++
}

// sent notes an answer of the origin.
func (r *record) sent(f *Fill) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(Event{At: f.Sent, Fill: f})
	r.sights.sent(f)
}

// last returns the events in order. With mu.
func (r *record) last() []Event {
	if r.n <= len(r.events) {
		return append([]Event(nil), r.events[:r.n]...)
	}
	i := r.n % len(r.events)
	return append(append([]Event(nil), r.events[i:]...), r.events[:i]...)
}

// completed raises the floor, but for edges that it does not bind. The instant is read inside the lock: whoever asks later and judges later
// finds the floor, however slow this goroutine is.
func (r *record) completed(f floor, now func() Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.after = now()
	r.note(Event{At: f.after, Completed: f.by})
	r.floors = r.floors.raise(f)
}

// posted raises the floor for one edge: it has answered a POST that has made the version.
func (r *record) posted(edge int, version uint64, now func() Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.posts == nil {
		r.posts = map[int]floors{}
	}
	r.posts[edge] = r.posts[edge].raise(floor{after: now(), version: version})
}

// raise adds a floor that holds from now on.
func (f floors) raise(x floor) floors {
	if n := len(f); n > 0 && f[n-1].version >= x.version && len(f[n-1].unbound) == 0 {
		return f // demanded already, and for longer
	}
	if len(f) == floorsKept {
		f = append(f[:0], f[1:]...)
	}
	return append(f, x)
}

// demanded returns the floor for what an edge begins at an instant: the highest there is.
func (f floors) demanded(at Instant, via string) (most floor) {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].version > most.version && f[i].binds(at, via) {
			most = f[i]
		}
	}
	return most
}

// excused tells whether an answer is older than what is demanded of other edges only.
func (f floors) excused(a *Answer) bool {
	i := slices.IndexFunc(f, func(x floor) bool {
		return x.after < a.Sent && a.Version < x.version && slices.Contains(x.unbound, a.Via)
	})
	return i >= 0
}

// judge enters an answer into the history and says what is wrong with it, nil for nothing.
func (o *Object) judge(a *Answer) *Violation {
	r := &o.log
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(Event{At: a.End, Answer: a})
	r.sights.see(a)
	v := &Violation{Class: a.Wrong, Object: o, Answer: *a}
	if v.Class == None && a.Version > 0 && a.Method != "POST" { // its answer says what it has made, and shows nothing
		if f, ok := o.below(a, a.Sent); ok {
			v.below(Old, f)
			if a.Status == 304 {
				v.Class = Revived
			}
		} else if f, ok := o.below(a, a.Begun); ok {
			v.below(Late, f)
		} else if f := r.posts[a.Edge].demanded(a.Sent, ""); a.Version < f.version && max(a.Away, a.Opened) < f.after {
			v.below(Overwritten, f)
		} else if f, why := o.lingers(a); f != nil {
			v.below(Lingering, f.floor)
			v.Answer.Why = why
		} else if why := o.misdates(a); why != "" {
			v.Class, v.Answer.Why = Misdated, why
		}
		a.Excused = r.floors.excused(a)
	}
	if v.Class == None {
		return nil
	}
	v.Events = r.last()
	return v
}

// below: the answer's version is below the floor.
func (v *Violation) below(c Class, f floor) {
	v.Class, v.Floor, v.Since, v.By = c, f.version, f.after, f.by
}

// history is what the whole run has seen.
type history struct {
	began   time.Time
	objects []*Object
	fills   atomic.Uint64
	batches atomic.Int64
}

func (h *history) now() Instant { return time.Since(h.began) }

// write gives an object its next version at the origin.
func (h *history) write(o *Object) (version uint64) {
	o.log.mu.Lock()
	defer o.log.mu.Unlock()
	version = o.version.Add(1)
	o.log.note(Event{At: h.now(), Written: version})
	return version
}

// demand is an invalidation under way: the floors that hold when it is Completed.
type demand struct {
	*Invalidation
	objects []*Object
	floors  []uint64
	of      [][]string  // of each object: of which editions what is meant has to be; nil: of any
	paces   []*softPace // of those that mark stale; nil: it is not paced
}

// create enters an invalidation that is about to be created.
func (h *history) create(writer int, b *Batch) *demand {
	objects := b.Objects
	d := &demand{Invalidation: &Invalidation{Number: int(h.batches.Add(1)), Writer: writer, Items: b.Items, Soft: b.Soft, Where: b.Where, Turns: b.Turns, Pace: b.Pace}, objects: objects}
	d.floors = make([]uint64, len(objects))
	d.Created = h.now()
	if w := b.Where; w != nil && w.Before != 0 {
		w.Until = d.Created + w.Before
		w.Moment = h.began.Add(w.Until)
	}
	for i, o := range objects {
		// The version is read before the request leaves: what is written meanwhile is demanded by
		// whoever writes it.
		o.log.mu.Lock()
		d.floors[i] = o.version.Load()
		d.of = append(d.of, nil)
		if !meant(b.Items, o) {
			d.of[i] = editionsIn(b.Items)
		}
		o.log.note(Event{At: h.now(), Created: d.Invalidation})
		if d.Soft && d.Pace > 0 {
			d.paces = append(d.paces, o.log.willMark(d.Created))
		}
		o.log.mu.Unlock()
	}
	return d
}

// complete enters that it was reported, and for whom not; or that the rest of it was withdrawn, and for whom it holds.
func (h *history) complete(d *demand, o Outcome) {
	d.Completed, d.Withdrawn = h.now(), o.Only != nil
	h.demands(d, o.Unbound, o.Only)
}

// bind enters that it holds from now on for edges for which it did not when it was Completed.
func (h *history) bind(d *demand, edges []string) { h.demands(d, nil, edges) }

// demands raises what is demanded of the objects; only: nil for all edges but those that are unbound.
func (h *history) demands(d *demand, unbound, only []string) {
	for i, o := range d.objects {
		f := floor{version: d.floors[i], by: d.Invalidation, unbound: unbound, only: only, of: d.of[i]}
		switch {
		case d.Soft && o.softly():
			o.log.marked(f, d.paceOf(i), h.now)
		case d.Soft && !o.strictly():
		case d.Soft || d.Where != nil || only != nil || f.of != nil:
			o.log.narrowed(f, h.now)
		default:
			o.log.completed(f, h.now)
		}
	}
}

// paceOf is what marks an object, nil if it is not paced.
func (d *demand) paceOf(i int) *softPace {
	if d.paces == nil {
		return nil
	}
	return d.paces[i]
}

// ofKind returns the objects of one kind.
func (h *history) ofKind(k Kind) (out []*Object) {
	for _, o := range h.objects {
		if o.Kind == k {
			out = append(out, o)
		}
	}
	return out
}

// matched returns the objects that some item means, in a late version at least.
func (h *history) matched(items []string) []*Object {
	var out []*Object
	tags := editionsIn(items)
	for _, o := range h.objects {
		if meant(items, o) || lately(tags, o) {
			out = append(out, o)
		}
	}
	return out
}

func (v *Violation) String() string {
	switch v.Class {
	case Misdated, Mixed, Torn:
		return fmt.Sprintf("%s answer for %s: %s", v.Class, v.Object, v.Answer.Why)
	case Late:
		return fmt.Sprintf("late: an answer for %s showed version %d; it was made of what left the origin %s after version %d was demanded of every answer",
			v.Object, v.Answer.Version, ms(v.Answer.Begun-v.Since), v.Floor)
	case Revived:
		return fmt.Sprintf("revived: a 304 for %s confirmed version %d; it was asked for %s after version %d was demanded of every answer",
			v.Object, v.Answer.Version, ms(v.Answer.Sent-v.Since), v.Floor)
	case Lingering:
		return fmt.Sprintf("lingering: an answer for %s showed version %d, that was to be shown no more once version %d had been asked for; %s",
			v.Object, v.Answer.Version, v.Floor, v.Answer.Why)
	case Overwritten:
		return fmt.Sprintf("overwritten: an answer for %s showed version %d; it was asked for %s after the same edge had answered the POST that made version %d",
			v.Object, v.Answer.Version, ms(v.Answer.Sent-v.Since), v.Floor)
	}
	return fmt.Sprintf("old: an answer for %s showed version %d; it was asked for %s after version %d was demanded of every answer",
		v.Object, v.Answer.Version, ms(v.Answer.Sent-v.Since), v.Floor)
}
