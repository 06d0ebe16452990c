package guarantee

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Where narrows what an invalidation's items mean to objects that were answered so. Each condition that is given must
// hold. It is Warmfront's own; other caches are not asked for it.
type Where struct {
	Status string        // "404", "4xx"; "": any
	Type   string        // "text/css", "text/*"; "": any
	Host   string        // ""; any
	Before time.Duration // stored before so long after the invalidation was created, may be negative; 0: whenever
	Until  Instant       // that, on the run's clock; set when it is created, as Moment is
	Moment time.Time

	here bool // Host is the one that the readers ask for
}

// skew is by how much the clocks of the checker and of an edge may differ.
const skew = time.Second

// means tells whether it is certain that what an answer shows of the object is meant. Of the time at which an edge has stored something
// the checker knows that it is over when the edge has shown it.
func (w *Where) means(o *Object, a *Answer) bool {
	if w == nil {
		return true
	}
	version, status := a.Version, strconv.Itoa(o.status(a.Version))
	return (w.Status == "" || w.Status == status || strings.TrimSuffix(w.Status, "xx") == status[:1]) &&
		(w.Type == "" || !a.AtMost && glob(w.Type, o.contentType(version))) &&
		(w.Host == "" || w.here || !o.hosted()) &&
		(w.Before == 0 || w.Before > skew || !o.large() && a.Had > 0 && a.Had+skew < w.Until)
}

// words are the conditions that are given, by name.
func (w *Where) words() map[string]string {
	all := map[string]string{}
	if w == nil {
		return all
	}
	for name, value := range map[string]string{"status": w.Status, "type": w.Type, "host": w.Host} {
		if value != "" {
			all[name] = value
		}
	}
	if w.Before != 0 {
		all["before"] = w.Before.String()
	}
	return all
}

func (w *Where) String() string {
	if w == nil {
		return ""
	}
	s := ""
	for _, name := range []string{"status", "type", "host", "before"} {
		if value, ok := w.words()[name]; ok {
			s += fmt.Sprintf(" %s=%s", name, value)
		}
	}
	return " where" + s
}

// narrow makes conditions that the object meets in some version, mostly: one or two.
func narrow(r *rand.Rand, o *Object, host string) *Where {
	w := &Where{}
	version := o.version.Load() - min(o.version.Load()-1, uint64(r.IntN(2)))
	for range 1 + r.IntN(2) {
		switch n := r.IntN(10); {
		case n < 5:
			w.Status = strconv.Itoa(o.status(version))
			if r.IntN(2) == 0 {
				w.Status = w.Status[:1] + "xx"
			}
		case n < 8:
			w.Type = o.contentType(version)
			if r.IntN(4) == 0 {
				major, _, _ := strings.Cut(w.Type, "/")
				w.Type = major + "/*"
			}
		case n < 9:
			w.Host, w.here = host, true
			if r.IntN(2) == 0 {
				w.Host, w.here = "elsewhere.example.com", false
			}
		default:
			// Mostly a moment that has been just now: what an edge has had for a while was stored before, what is new was not.
			w.Before = -time.Duration(r.Int64N(int64(3*time.Second))) - 1
			if r.IntN(3) == 0 {
				w.Before = time.Hour
			}
		}
	}
	return w
}

// someKept bounds those that are remembered of an object.
const someKept = 64

// narrowed notes what an invalidation demands that has conditions, means some versions by their tags, or binds some edges only: nothing of versions that
// are left out, nor of other edges.
func (r *record) narrowed(f floor, now func() Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.after = now()
	r.note(Event{At: f.after, Completed: f.by, Only: f.only})
	if len(r.some) == someKept {
		r.some = append(r.some[:0], r.some[1:]...)
	}
	r.some = append(r.some, f)
}

// below finds what demands more than an answer shows of what an edge begins at an instant. With mu.
func (o *Object) below(a *Answer, at Instant) (f floor, ok bool) {
	if f := o.log.floors.demanded(at, a.Via); a.Version < f.version {
		return f, true
	}
	for _, f := range o.log.some {
		at := at
		if f.by.Soft { // who had been waiting when it marked gets what comes
			at = a.Sent
		}
		if a.Version < f.version && f.binds(at, a.Via) && f.means(o, a) {
			return f, true
		}
	}
	return floor{}, false
}
