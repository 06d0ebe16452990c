package guarantee

import (
	"fmt"
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
	Created   Instant // before the first octet of the request to create it
	Completed Instant // after it was reported; 0: not yet
}

// Fill is one answer of the origin.
type Fill struct {
	Number    uint64
	Version   uint64
	Asked     Instant // its request had arrived, and the version was read
	Sent      Instant // no octet of it had been sent before
	Condition string  // what was asked for: If-None-Match, If-Modified-Since, Range; ""
	Status    int
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
	Fill            uint64
	Begun           Instant // it cannot have been begun before: Sent, or when its fill left the origin
	Wrong           Class   // of its octets: Mixed, Torn; or none
	Why             string
	Cut             bool // ended early, visibly
}

// Class is the kind of a violation.
type Class uint8

const (
	None Class = iota
	Old
	Late
	Revived
	Mixed
	Torn
	classes
)

var classNames = [classes]string{"none", "old", "late", "revived", "mixed", "torn"}

func (c Class) String() string { return classNames[c] }

// Violation is an answer that must not be, with what proves it.
type Violation struct {
	Class  Class
	Object *Object
	Answer Answer
	Floor  uint64        // the version that it had to have at least; of Old, Late, Revived
	By     *Invalidation // whose floor it is
	Events []Event       // the object's last events, in order
}

// Event is one line of an object's history; exactly one field beside At is set.
type Event struct {
	At        Instant
	Written   uint64 // the origin's new version
	Created   *Invalidation
	Completed *Invalidation
	Fill      *Fill
	Answer    *Answer
}

// record is the history of one object.
type record struct {
	mu     sync.Mutex
	floors []floor // both fields ascend; guarded by mu
	events [120]Event
	n      int // events ever; guarded by mu
}

// floor is what an invalidation demands from an instant on.
type floor struct {
	after   Instant
	version uint64
	by      *Invalidation
}

// floorsKept bounds the floors of an object. One that is dropped is older than that many invalidations of
// the object; then an answer that was begun before all of those that are left is not judged.
const floorsKept = 256

// note appends an event. With mu.
func (r *record) note(e Event) {
	r.events[r.n%len(r.events)] = e
	r.n++
}

func (r *record) add(e Event) {
	r.mu.Lock()
	r.note(e)
	r.mu.Unlock()
}

// last returns the events in order. With mu.
func (r *record) last() []Event {
	if r.n <= len(r.events) {
		return append([]Event(nil), r.events[:r.n]...)
	}
	i := r.n % len(r.events)
	return append(append([]Event(nil), r.events[i:]...), r.events[:i]...)
}

// completed raises the floor. The instant is read inside the lock: whoever asks later and judges later
// finds the floor, however slow this goroutine is.
func (r *record) completed(version uint64, by *Invalidation, now func() Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := now()
	r.note(Event{At: at, Completed: by})
	if n := len(r.floors); n > 0 && r.floors[n-1].version >= version {
		return // demanded already, and for longer
	}
	if len(r.floors) == floorsKept {
		r.floors = append(r.floors[:0], r.floors[1:]...)
	}
	r.floors = append(r.floors, floor{at, version, by})
}

// demanded returns the floor for what begins at an instant. With mu.
func (r *record) demanded(at Instant) floor {
	for i := len(r.floors) - 1; i >= 0; i-- {
		if r.floors[i].after < at {
			return r.floors[i]
		}
	}
	return floor{}
}

// judge enters an answer into the history and says what is wrong with it, nil for nothing.
func (o *Object) judge(a *Answer) *Violation {
	r := &o.log
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(Event{At: a.End, Answer: a})
	v := &Violation{Class: a.Wrong, Object: o, Answer: *a}
	if v.Class == None && a.Version > 0 {
		if f := r.demanded(a.Sent); a.Version < f.version {
			v.Class, v.Floor, v.By = Old, f.version, f.by
			if a.Status == 304 {
				v.Class = Revived
			}
		} else if f := r.demanded(a.Begun); a.Version < f.version {
			v.Class, v.Floor, v.By = Late, f.version, f.by
		}
	}
	if v.Class == None {
		return nil
	}
	v.Events = r.last()
	return v
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
func (h *history) write(o *Object) {
	o.log.mu.Lock()
	defer o.log.mu.Unlock()
	o.log.note(Event{At: h.now(), Written: o.version.Add(1)})
}

// demand is an invalidation under way: the floors that hold when it is Completed.
type demand struct {
	*Invalidation
	objects []*Object
	floors  []uint64
}

// create enters an invalidation that is about to be created.
func (h *history) create(writer int, items []string, objects []*Object) *demand {
	d := &demand{Invalidation: &Invalidation{Number: int(h.batches.Add(1)), Writer: writer, Items: items}, objects: objects}
	d.floors = make([]uint64, len(objects))
	d.Created = h.now()
	for i, o := range objects {
		// The version is read before the request leaves: what is written meanwhile is demanded by
		// whoever writes it.
		o.log.mu.Lock()
		d.floors[i] = o.version.Load()
		o.log.note(Event{At: h.now(), Created: d.Invalidation})
		o.log.mu.Unlock()
	}
	return d
}

// complete enters that it was reported.
func (h *history) complete(d *demand) {
	d.Completed = h.now()
	for i, o := range d.objects {
		o.log.completed(d.floors[i], d.Invalidation, h.now)
	}
}

// matched returns the objects that some item means.
func (h *history) matched(items []string) []*Object {
	var out []*Object
	for _, o := range h.objects {
		for _, it := range items {
			if matches(it, o) {
				out = append(out, o)
				break
			}
		}
	}
	return out
}

func (v *Violation) String() string {
	switch v.Class {
	case Mixed, Torn:
		return fmt.Sprintf("%s answer for %s: %s", v.Class, v.Object, v.Answer.Why)
	case Late:
		return fmt.Sprintf("late: an answer for %s showed version %d; it was made of what left the origin %s after version %d was demanded of every answer",
			v.Object, v.Answer.Version, ms(v.Answer.Begun-v.By.Completed), v.Floor)
	case Revived:
		return fmt.Sprintf("revived: a 304 for %s confirmed version %d; it was asked for %s after version %d was demanded of every answer",
			v.Object, v.Answer.Version, ms(v.Answer.Sent-v.By.Completed), v.Floor)
	}
	return fmt.Sprintf("old: an answer for %s showed version %d; it was asked for %s after version %d was demanded of every answer",
		v.Object, v.Answer.Version, ms(v.Answer.Sent-v.By.Completed), v.Floor)
}
