package journal

import (
	"slices"
	"strings"
	"time"
)

// An operator ends a membership without the edge: removes it, or lets another machine in under its name. That it is off is what one control node
// has not heard; another may be connected to it. But whatever it is told after that, it is not told that it may go on: a probe that is answered
// behind the end of its membership makes it fresh when it has applied that end, and then it serves nothing. So it serves by a lease from
// before, at most, and L_T later by none. Until then the fast path goes no further than what it has acknowledged.
//
// If it runs on, cut off, and does not fence itself (Timing.SelfFence), it still shows what it has fetched within L (S3), for as long as it runs. No wait helps
// against that: that no viewer comes to it then is the operator's word (P4).
//
// When that is over, a control node says so in the log (Settled): Completed up to the entry that ended the membership. A tracker that begins need not
// wait once more then, and a compaction may leave the membership out.
//
// An edge that leaves has given its last answer, and a process that joins under its own machine's name comes after the one before has
// ended: nobody is waited for then.

// ending is a membership that was ended so.
type ending struct {
	location string
	seq      uint64        // of the entry that did
	acked    uint64        // up to where it had acknowledged
	until    time.Duration // then its leases have run out
}

// ended notes that the member was not asked when its membership ended, with entry seq.
func (t *Tracker) ended(edge string, m *member, seq uint64, now time.Duration) {
	e := ending{m.location, seq, m.acked, now + t.fence()}
	if before, ok := t.endings[edge]; ok {
		e.acked = min(e.acked, before.acked)
	}
	t.endings[edge] = e
}

// removes tells whether an entry ends an edge's admission: then it is not the edge who leaves by it.
func removes(e *Entry, edge string) bool {
	return slices.ContainsFunc(e.Facts, func(f Fact) bool { return f.EdgeRemoved != nil && f.EdgeRemoved.Edge == edge })
}

// completedUpTo drops what some tracker has waited for: it stands in the log, so that a new one need not.
func (t *Tracker) completedUpTo(seq uint64) {
	if t.unsaid <= seq {
		t.unsaid = 0
	}
	for edge, e := range t.endings {
		if e.seq <= seq {
			delete(t.endings, edge)
		}
	}
}

// held returns the greatest entry that endings let the fast path come to.
func (t *Tracker) held(now time.Duration) uint64 {
	most := ^uint64(0)
	for edge, e := range t.endings {
		if now >= e.until {
			delete(t.endings, edge)
			t.unsaid = max(t.unsaid, e.seq)
			continue
		}
		most = min(most, e.acked)
	}
	return most
}

// Again returns when to look again whether entry seq is completed, if no acknowledgement comes; ok is as Due's.
func (t *Tracker) Again(seq uint64, now time.Duration) (at time.Duration, ok bool) {
	at, ok = t.Due(seq, now)
	t.held(now) // drops those that are over: the fast path has not looked while somebody else holds it up
	for _, e := range t.endings {
		at = min(at, e.until)
	}
	return at, ok
}

// Settled returns the newest entry that ended a membership and has been waited for, while the log does not say so; or else when to ask again, 0: when
// there is another entry.
func (t *Tracker) Settled(now time.Duration) (seq uint64, due time.Duration) {
	t.held(now)
	var at time.Duration
	if t.unsaid > 0 {
		if t.Completed(t.unsaid, now) {
			return t.unsaid, 0
		}
		at, _ = t.Due(t.unsaid, now) // its mark is that of entries that came right after it
	}
	for _, e := range t.endings {
		if at == 0 || e.until < at {
			at = e.until
		}
	}
	if at == 0 {
		return 0, 0
	}
	return 0, max(at-now, time.Millisecond)
}

// Ending is a membership that was ended so, for which an entry waits.
type Ending struct {
	Edge, Location string
	Acked          uint64        // the newest entry that it is known to have applied
	Left           time.Duration // until it is not waited for any more
}

// Endings returns those for which entry seq is not completed, by name.
func (t *Tracker) Endings(seq uint64, now time.Duration) (all []Ending) {
	due, waits := t.Due(seq, now)
	if !waits {
		return nil
	}
	for edge, e := range t.endings {
		if e.acked < seq && now < e.until {
			all = append(all, Ending{edge, e.location, e.acked, min(e.until, due) - now})
		}
	}
	slices.SortFunc(all, func(a, b Ending) int { return strings.Compare(a.Edge, b.Edge) })
	return all
}
