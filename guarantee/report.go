package guarantee

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// tallies counts what has been seen. Any goroutine may add.
type tallies struct {
	answers    atomic.Int64
	judged     atomic.Int64 // with a version, for an object of which something was demanded
	empty      atomic.Int64 // without content of the origin
	failed     atomic.Int64 // no head came
	cut        atomic.Int64
	caches     sync.Map // X-Cache → *atomic.Int64
	kinds      [kinds]atomic.Int64
	asked      [5]atomic.Int64 // see askedNames
	confirmed  atomic.Int64    // 304
	excused    atomic.Int64    // of edges that are cut off, for which Completed does not speak
	survived   atomic.Int64    // made of what had left the origin before the edge was last absent
	absences   []atomic.Int64  // of each edge: the instant at which no answer came from there, last
	failure    atomic.Pointer[string]
	done       atomic.Int64 // invalidations completed
	raced      atomic.Int64 // of these, while the origin kept an older answer back
	bound      atomic.Int64 // edges for which invalidations did not hold when they were Completed, and then did
	protocols  sync.Map     // Proto → *atomic.Int64
	codings    sync.Map     // Coding → *atomic.Int64
	violations [classes]atomic.Int64
	where      [kinds]atomic.Int64 // violations by kind of object
	found      []*Violation        // the first of each class; guarded by run.out

	mu        sync.Mutex
	latencies []Instant      // of invalidations, from create to Completed
	shapes    map[string]int // of items completed
	soft      int            // invalidations completed that have marked stale
	inTurns   int            // that have come location by location
	paced     int            // that were paced
	withdrawn int            // not completed: those of which the last turns were withdrawn
	narrowed  map[string]int // and with conditions, by their names
}

var askedNames = [...]string{"plain", "range", "conditional", "HEAD", "POST"}

// latenciesKept bounds the list; further ones take the places of the first.
const latenciesKept = 1 << 18

func (t *tallies) tally(q *question, a *Answer) {
	t.answers.Add(1)
	t.kinds[q.object.Kind].Add(1)
	how := 0
	switch {
	case a.Method == "POST":
		how = 4
	case a.Method == "HEAD":
		how = 3
	case len(q.tags) > 0 || q.since > 0:
		how = 2
	case len(q.parts) > 0:
		how = 1
	}
	t.asked[how].Add(1)
	switch {
	case a.Status == 0:
		t.failed.Add(1)
		t.absences[q.edge].Store(int64(a.End)) // nobody listens there, or who did is gone
		t.failure.CompareAndSwap(nil, &a.Why)
		return
	case a.Version == 0:
		t.empty.Add(1)
	default:
		t.judged.Add(1)
	}
	if a.Cut {
		t.cut.Add(1)
	}
	if a.Excused {
		t.excused.Add(1)
	}
	if a.Status == 304 {
		t.confirmed.Add(1)
	}
	if absent := Instant(t.absences[q.edge].Load()); 0 < a.Left && a.Left < absent && absent < a.Sent {
		t.survived.Add(1)
	}
	count(&t.caches, cmp.Or(a.Cache, "(none)"))
	count(&t.protocols, a.Protocol)
	if a.Coding != "" {
		count(&t.codings, a.Coding)
	}
}

// count adds one to what is counted under a name.
func count(m *sync.Map, name string) {
	n, ok := m.Load(name)
	if !ok {
		n, _ = m.LoadOrStore(name, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
}

// counted returns all that is.
func counted(m *sync.Map) map[string]int64 {
	out := map[string]int64{}
	m.Range(func(k, v any) bool { out[k.(string)] = v.(*atomic.Int64).Load(); return true })
	return out
}

func (t *tallies) completed(d *demand) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shapes == nil {
		t.shapes = map[string]int{}
	}
	for _, it := range d.Items {
		t.shapes[shape(it)]++
	}
	if d.Withdrawn {
		t.withdrawn++
		return
	}
	t.done.Add(1)
	if d.Soft {
		t.soft++
	}
	if d.Turns != nil {
		t.inTurns++
	}
	if d.Pace > 0 {
		t.paced++
	}
	if t.narrowed == nil {
		t.narrowed = map[string]int{}
	}
	for name := range d.Where.words() {
		t.narrowed[name]++
	}
	took := d.Completed - d.Created
	if len(t.latencies) < latenciesKept {
		t.latencies = append(t.latencies, took)
	} else {
		t.latencies[d.Number%latenciesKept] = took
	}
}

// hits counts what came from a cache without the origin, by what X-Cache says.
func (t *tallies) hits() (n int64) {
	for name, count := range counted(&t.caches) {
		if strings.HasPrefix(strings.ToLower(name), "hit") {
			n += count
		}
	}
	return n
}

func (t *tallies) line(at Instant) string {
	t.mu.Lock()
	n, p99 := len(t.latencies), percentile(sorted(t.latencies), 99)
	t.mu.Unlock()
	answers := t.judged.Load()
	line := fmt.Sprintf("%4.0f s  %9d answers  %2d %% hits  %6d invalidations, Completed p99 %s  %d violations",
		at.Seconds(), answers, t.hits()*100/max(answers, 1), n, ms(p99), t.violated())
	if excused := t.excused.Load(); excused > 0 {
		line += fmt.Sprintf("  %d excused  %d bound", excused, t.bound.Load())
	}
	return line
}

func (t *tallies) violated() (n int64) {
	for i := range t.violations {
		n += t.violations[i].Load()
	}
	return n
}

// Report is what a run has shown.
type Report struct {
	Adapter       string
	Edges         int
	Seed          uint64
	Objects       int
	Seconds       float64
	Answers       int64            // that came, and requests that failed
	Judged        int64            // answers with a version
	Hits          int64            // of those from a cache
	Cache         map[string]int64 // answers by X-Cache
	Kinds         map[string]int64 // by kind of object
	Asked         map[string]int64 // by kind of request
	Protocols     map[string]int64 // by version of HTTP
	Codings       map[string]int64 // by content coding, where the cache has made it
	Survived      int64            // of what an edge had got before nobody listened there: from its disk, after a restart
	Excused       int64            // older than is demanded, of edges for which the cache says that Completed does not speak
	Bound         int64            // of those, how often one was heard of again, and an invalidation demanded of it from then on
	NotModified   int64            // 304
	Cut           int64            // ended early, visibly
	Empty         int64            // without content of the origin, such as a 503
	Failed        int64            // no answer at all
	Failure       string           `json:",omitempty"` // what the first of these was
	Fills         uint64           // answers of the origin
	Revalidations int64            // of these, 304
	Invalidations int
	Soft          int            // of these, how many have marked stale instead of removing
	InTurns       int            // have come location by location
	Withdrawn     int            // not Completed: their last turns were withdrawn
	Paced         int            // were paced
	Raced         int64          // were Completed while the origin kept an answer back that it had made before
	Items         map[string]int // by shape
	Conditions    map[string]int // of invalidations that were narrowed, by name
	Forgotten     int64          // of what was accepted, how many a restored journal had not; created again
	CompletedP50  float64        // milliseconds from create to Completed
	CompletedP99  float64
	CompletedMax  float64
	Violations    map[string]int64 // by class; empty: the promise was kept
	Where         map[string]int64 // the same by kind of object
	Examples      []string         `json:",omitempty"`
}

func (r *run) report() *Report {
	p := &Report{
		Adapter: r.Adapter, Edges: len(r.Edges), Seed: r.Seed, Objects: len(r.objects), Seconds: r.now().Seconds(),
		Answers: r.answers.Load(), Judged: r.judged.Load(), Hits: r.hits(), NotModified: r.confirmed.Load(),
		Cut: r.cut.Load(), Empty: r.empty.Load(), Failed: r.failed.Load(), Fills: r.fills.Load(), Revalidations: r.origin.reused.Load(),
		Cache: counted(&r.caches), Protocols: counted(&r.protocols), Codings: counted(&r.codings), Survived: r.survived.Load(), Excused: r.excused.Load(), Bound: r.bound.Load(), Kinds: map[string]int64{}, Asked: map[string]int64{}, Violations: map[string]int64{}, Where: map[string]int64{},
		Invalidations: len(r.latencies), Soft: r.soft, InTurns: r.inTurns, Withdrawn: r.withdrawn, Paced: r.paced, Raced: r.raced.Load(), Items: r.shapes, Conditions: r.narrowed,
	}
	if w, ok := r.cache.(*warmfront); ok {
		p.Forgotten = w.forgotten.Load()
	}
	for k := range kinds {
		p.Kinds[k.String()] = r.tallies.kinds[k].Load()
		if n := r.where[k].Load(); n > 0 {
			p.Where[k.String()] = n
		}
	}
	if why := r.failure.Load(); why != nil {
		p.Failure = *why
	}
	for i, name := range askedNames {
		p.Asked[name] = r.asked[i].Load()
	}
	for c := range classes {
		if n := r.violations[c].Load(); n > 0 {
			p.Violations[c.String()] = n
		}
	}
	for _, v := range r.found {
		p.Examples = append(p.Examples, v.String())
	}
	all := sorted(r.latencies)
	milli := func(d Instant) float64 { return float64(d) / float64(time.Millisecond) }
	p.CompletedP50, p.CompletedP99, p.CompletedMax = milli(percentile(all, 50)), milli(percentile(all, 99)), milli(percentile(all, 100))
	return p
}

// Kept tells whether no violation was found.
func (p *Report) Kept() bool { return len(p.Violations) == 0 }

// telling is an error when the run proves nothing either way.
func (p *Report) telling() error {
	switch {
	case !p.Kept():
		return nil
	case p.Invalidations == 0:
		return errors.New("no invalidation was Completed: this has tested nothing")
	case p.Hits == 0:
		return errors.New("no answer came from a cache: this has tested nothing")
	}
	return nil
}

// Print writes the summary.
func (p *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%d answers of %d edges in %.1f s (seed %d); %d judged, %d from a cache, %d times 304, %d cut visibly, %d without content, %d failed\n",
		p.Answers, p.Edges, p.Seconds, p.Seed, p.Judged, p.Hits, p.NotModified, p.Cut, p.Empty, p.Failed)
	fmt.Fprintf(w, "  by X-Cache      %s\n", counts(p.Cache))
	fmt.Fprintf(w, "  by request      %s; %s\n", counts(p.Asked), counts(p.Protocols))
	fmt.Fprintf(w, "  by object       %s\n", counts(p.Kinds))
	if len(p.Codings) > 0 {
		fmt.Fprintf(w, "  compressed      %s\n", counts(p.Codings))
	}
	fmt.Fprintf(w, "  origin          %d answers, %d of them 304\n", p.Fills, p.Revalidations)
	if p.Failed > 0 {
		fmt.Fprintf(w, "  failed          first: %s\n", p.Failure)
	}
	if p.Survived > 0 {
		fmt.Fprintf(w, "  survived        %d answers of what an edge had got before it was last absent\n", p.Survived)
	}
	if p.Excused > 0 {
		fmt.Fprintf(w, "  excused         %d answers, older than is demanded of others: of edges for which Completed did not speak; %d times it came to do so\n", p.Excused, p.Bound)
	}
	fmt.Fprintf(w, "  invalidations   %d, %d of them mark stale, %d come location by location, %d paced, %d more withdrawn on the way, %d are Completed while an older answer of the origin is kept back; items: %s\n",
		p.Invalidations, p.Soft, p.InTurns, p.Paced, p.Withdrawn, p.Raced, counts(p.Items))
	if len(p.Conditions) > 0 {
		fmt.Fprintf(w, "  narrowed by     %s\n", counts(p.Conditions))
	}
	if p.Forgotten > 0 {
		fmt.Fprintf(w, "  forgotten       %d invalidations by a journal that was put back; created again\n", p.Forgotten)
	}
	fmt.Fprintf(w, "  Completed       after %.1f ms (p50), %.1f ms (p99), %.1f ms (longest)\n", p.CompletedP50, p.CompletedP99, p.CompletedMax)
	if p.Kept() {
		fmt.Fprintln(w, "The guarantee was kept.")
		return
	}
	fmt.Fprintf(w, "THE GUARANTEE WAS VIOLATED: %s (of these objects: %s)\n", counts(p.Violations), counts(p.Where))
}

// counts writes a table of counts in one line, the greatest first.
func counts[N int | int64](m map[string]N) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, m[name])
	}
	return strings.Join(names, ", ")
}
