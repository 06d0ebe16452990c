package journal

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/mistake"
)

// TrackerConfig is what a Tracker goes by.
type TrackerConfig struct {
	Timing Timing // the same as the edges' leases

	// Lag: an edge that has not acknowledged an entry for this long is lagging. It decides nothing, it is
	// shown. Default 2 s.
	Lag time.Duration

	// Doubt: there may be edges that the log does not know (Doubtful).
	Doubt bool

	// Passive tells of who is admitted whether it is none that ever joins: a relay, which serves nobody, and of which nothing is heard. Nil: all join.
	Passive func(admitted string) bool
}

// Tracker knows up to where the log is completed (P3): no edge serves any more what an entry forbids.
//
//	fast: the log up to s is folded, and every member has acknowledged s, as has who was one until less than L_T ago and was not asked (ending.go)
//	slow: L_T has passed since this tracker saw s, whatever became of the edges
//
// The fast one is off while the log is doubted (Doubtful). Both are stable: a completed entry stays completed, through joins, restarts of edges, and for every other
// tracker. It keeps nothing that must survive: a new tracker merely waits anew.
//
// It is a pure state machine; now is a reading of one Clock. Not safe for concurrent use.
type Tracker struct {
	c        TrackerConfig
	epoch    ID
	doubt    *doubt // nil: the log is not doubted
	seen     uint64 // tp: folded up to here
	members  map[string]*member
	admitted map[string]bool      // edges that may join, of other machines
	endings  map[string]ending    // by edge
	unsaid   uint64               // the newest of those that are over, while no Completed in the log says so; 0: none
	marks    []mark               // when entries were seen, oldest first; bounded by markEvery
	slow     uint64               // completed by time
	fast     uint64               // completed by acknowledgements
	holding  int                  // members that have acknowledged no more than fast: while there are some, it cannot move
	recent   recent               // what an acknowledgement is held against
	ahead    map[uint64][]*member // whose next acknowledgement is of an entry that is not folded yet, by its number
}

type member struct {
	location    string
	incarnation string
	joined      uint64
	acked       uint64        // at least joined: it serves nothing before it has applied its own Join (P2)
	heard       time.Duration // last sign of life
	replaced    bool          // another machine has been let in under its name
	history     []ackMark     // for receipts, oldest first, at most maxHistory
	next, last  *Ack          // that are ahead of the fold: the least, in the tracker's ahead, and the newest of the others
}

type ackMark struct {
	seq uint64
	at  time.Time
}

// mark says that all entries up to seq had been seen at at.
type mark struct {
	seq   uint64
	first time.Duration // when the first of this mark was seen
	at    time.Duration // when the last was
}

const (
	// markEvery is how much longer than L_T the slow path may take, for the sake of a bounded table:
	// entries that come within it are remembered as one.
	markEvery = 50 * time.Millisecond

	maxHistory = 256
)

// NewTracker returns a tracker that stands before the genesis.
func NewTracker(c TrackerConfig) *Tracker {
	c.Timing = c.Timing.Defaults()
	if c.Lag == 0 {
		c.Lag = 2 * time.Second
	}
	t := &Tracker{c: c, members: map[string]*member{}, admitted: map[string]bool{}, endings: map[string]ending{}, ahead: map[uint64][]*member{}}
	if c.Doubt && !mistake.Made(ackByNumber) {
		t.doubt = &doubt{}
	}
	return t
}

// Applied folds the next entry of the log, in order.
func (t *Tracker) Applied(e *Entry, now time.Duration) {
	if e.Seq <= t.seen {
		return
	}
	t.epoch, t.seen = e.Epoch, e.Seq
	if e.Seq >= e.Base {
		t.recent.add(PositionOf(e)) // below the base of a compaction entries are missing that an edge may name all the same
	}
	for i := range e.Facts {
		switch f := &e.Facts[i]; {
		case f.EdgeJoined != nil:
			j := f.EdgeJoined
			if m := t.members[j.Edge]; m != nil && m.replaced {
				t.ended(j.Edge, m, e.Seq, now)
			}
			if m := t.members[j.Edge]; m != nil && m.furthest() >= e.Seq && t.doubt == nil {
				t.distrust(now)
			}
			t.drop(j.Edge)
			t.members[j.Edge] = &member{
				location: j.Location, incarnation: j.Incarnation,
				joined: e.Seq, acked: e.Seq, heard: now,
			}
		case f.EdgeLeft != nil:
			if m := t.members[f.EdgeLeft.Edge]; m != nil && m.incarnation == f.EdgeLeft.Incarnation {
				if removes(e, f.EdgeLeft.Edge) {
					t.ended(f.EdgeLeft.Edge, m, e.Seq, now)
				}
				t.drop(f.EdgeLeft.Edge)
			}
		case f.EdgeAdmitted != nil:
			if t.c.Passive == nil || !t.c.Passive(f.EdgeAdmitted.Edge) {
				t.admitted[f.EdgeAdmitted.Edge] = true
			}
			if m := t.members[f.EdgeAdmitted.Edge]; m != nil && f.EdgeAdmitted.Token != "" {
				m.replaced = true
			}
		case f.EdgeRemoved != nil:
			delete(t.admitted, f.EdgeRemoved.Edge)
		case f.Completed != nil:
			t.completedUpTo(f.Completed.UpTo)
		}
	}
	if n := len(t.marks); n > 0 && now-t.marks[n-1].first < markEvery {
		t.marks[n-1].seq, t.marks[n-1].at = e.Seq, now
	} else {
		t.marks = append(t.marks, mark{e.Seq, now, now})
	}
	t.caughtUp(e.Seq, now)
	t.advance(now)
}

// Acked notes an edge's acknowledgement (E3). Lost, repeated and reordered ones do no harm; those of an
// earlier incarnation, another life of the log, or entries that this log does not have count for nothing. But from the last it is
// learned that the log has lost something.
func (t *Tracker) Acked(a Ack, now time.Duration) {
	m := t.members[a.Edge]
	if m == nil || m.incarnation != a.Incarnation || a.Epoch != t.epoch {
		return
	}
	m.heard = now
	if a.Seq > t.seen {
		t.keep(m, a)
		return
	}
	t.count(m, a, now)
	t.advance(now)
}

// count is Acked for an entry that has been folded.
func (t *Tracker) count(m *member, a Ack, now time.Duration) {
	if !t.recent.has(a.Seq, a.ID) {
		if a.ID != "" && t.doubt == nil && t.Strayed(Position{a.Epoch, a.Seq, a.ID}) {
			t.distrust(now)
		}
		return
	}
	if a.Seq <= m.acked && !(len(m.history) == 0 && a.Seq == m.acked) {
		return
	}
	if m.acked <= t.fast && a.Seq > t.fast {
		t.holding--
	}
	m.acked = a.Seq
	if len(m.history) == maxHistory {
		m.history = append(m.history[:0], m.history[1:]...)
	}
	m.history = append(m.history, ackMark{a.Seq, a.At})
}

// Completed reports whether entry seq is completed.
func (t *Tracker) Completed(seq uint64, now time.Duration) bool { return seq <= t.Watermark(now) }

// Watermark returns the greatest completed entry.
func (t *Tracker) Watermark(now time.Duration) uint64 {
	t.advance(now)
	return max(t.fast, t.slow)
}

// Due returns when the slow path will complete entry seq if nothing else does before; ok is false when
// that is over, or the entry has not been seen.
func (t *Tracker) Due(seq uint64, now time.Duration) (at time.Duration, ok bool) {
	if seq > t.seen || t.Completed(seq, now) {
		return 0, false
	}
	return t.sawAt(seq) + t.c.Timing.Wait(), true
}

// Row is one member in a receipt.
type Row struct {
	Edge, Location, Incarnation string

	Acked     uint64        // everything up to here is applied there
	Applied   bool          // Acked covers the entry
	AppliedAt time.Time     // by the edge's wall clock, at the latest; zero: not, or before what is remembered
	Lagging   bool          // not applied though the entry was seen more than Lag ago
	Silent    time.Duration // since its last sign of life
}

// Rows returns a row per member for entry seq, by name. A member that joined after the entry started with
// it applied.
func (t *Tracker) Rows(seq uint64, now time.Duration) []Row {
	rows := make([]Row, 0, len(t.members))
	for name, m := range t.members {
		r := Row{Edge: name, Location: m.location, Incarnation: m.incarnation,
			Acked: m.acked, Applied: m.acked >= seq, Silent: now - m.heard}
		if i := sort.Search(len(m.history), func(i int) bool { return m.history[i].seq >= seq }); i < len(m.history) {
			r.AppliedAt = m.history[i].at
		}
		r.Lagging = !r.Applied && seq <= t.seen && now-t.sawAt(seq) > t.c.Lag
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Edge, b.Edge) })
	return rows
}

// Silent returns how long ago a member's last sign of life was; 0 of who is none.
func (t *Tracker) Silent(edge string, now time.Duration) time.Duration {
	if m := t.members[edge]; m != nil {
		return now - m.heard
	}
	return 0
}

// Gone tells whether a member has been silent for so long that it cannot have a lease; who is none is. It serves nothing then if it fences
// itself (Timing.SelfFence), but to whoever has known that it was cut off or gone (P4).
func (t *Tracker) Gone(edge string, now time.Duration) bool {
	return t.members[edge] == nil || t.Silent(edge, now) > t.fence()
}

// fence is after which time nobody has a lease any more who is not told that he may go on.
func (t *Tracker) fence() time.Duration {
	if mistake.Made(shortFence) {
		return t.c.Timing.Lease / 4
	}
	return t.c.Timing.Wait()
}

// Declarable returns what can be declared Completed, or else when to look again; 0: an entry or an
// acknowledgement is needed first. first is the oldest entry that is open, upTo returns the newest that is, up to a mark; 0: none.
func (t *Tracker) Declarable(first uint64, upTo func(mark uint64) uint64, now time.Duration) (done uint64, due time.Duration) {
	if done = upTo(t.Watermark(now)); done > 0 {
		return done, 0
	}
	at, ok := t.Again(first, now)
	if !ok {
		return 0, 0 // not folded yet
	}
	return 0, max(at-now, time.Millisecond)
}

// Joining is what a request to join means.
type Joining uint8

const (
	Joins    Joining = iota // it is to be appended
	Joined                  // it is a member already, of that incarnation
	Replaced                // another has joined since: it may be a request of an earlier process that comes late
	Strayed                 // it follows a log that has another entry where it stands
	Left                    // that incarnation has left, and does not come back
)

// Joining judges a request to join (P2): nobody is replaced who is not known, and a member is taken to have applied all before its join. at is
// the entry by which the edge's member has joined, left the incarnation under its name that has left; "": none.
func (t *Tracker) Joining(j *EdgeJoined, left string) (means Joining, at uint64) {
	if j.AfterID != "" && t.Strayed(Position{j.Epoch, j.After, j.AfterID}) {
		return Strayed, 0
	}
	m := t.members[j.Edge]
	switch {
	case m == nil && left == j.Incarnation:
		return Left, 0
	case m == nil:
		return Joins, 0
	case m.incarnation == j.Incarnation && m.location == j.Location:
		return Joined, m.joined
	case j.Epoch != "" && (j.After < m.joined || j.Epoch != t.epoch):
		return Replaced, m.joined
	}
	return Joins, m.joined
}

// AckedBy returns what a member has acknowledged; who joins has acknowledged what came before.
func (t *Tracker) AckedBy(edge string) (seq uint64, member bool) {
	m := t.members[edge]
	if m == nil {
		return 0, false
	}
	return m.acked, true
}

// Members returns how many edges are members.
func (t *Tracker) Members() int { return len(t.members) }

// advance moves both watermarks to what now and the acknowledgements allow. They never go back: a join
// counts as an acknowledgement of what came before it.
func (t *Tracker) advance(now time.Duration) {
	wait := t.c.Timing.Wait()
	for len(t.marks) > 0 && now-t.marks[0].at >= wait {
		t.slow = t.marks[0].seq
		t.marks = t.marks[1:]
	}
	if t.holding > 0 || t.fast == t.seen || t.Doubtful(now) {
		return
	}
	held := t.held(now)
	if held <= t.fast {
		return
	}
	// Nobody holds it up any more: not looked at for each acknowledgement, as there are as many as there are edges.
	least := min(t.seen, held)
	for _, m := range t.members {
		least = min(least, m.acked)
	}
	t.fast = max(t.fast, least)
	for _, m := range t.members {
		if m.acked <= t.fast {
			t.holding++
		}
	}
}

// drop ends a membership.
func (t *Tracker) drop(edge string) {
	m := t.members[edge]
	if m == nil {
		return
	}
	if m.acked <= t.fast {
		t.holding--
	}
	t.unkeep(m)
	delete(t.members, edge)
}

// sawAt returns by when the entry, which has been seen, had been seen.
func (t *Tracker) sawAt(seq uint64) time.Duration {
	i := sort.Search(len(t.marks), func(i int) bool { return t.marks[i].seq >= seq })
	if i == len(t.marks) {
		return 0
	}
	return t.marks[i].at
}
