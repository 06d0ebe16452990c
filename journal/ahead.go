package journal

import (
	"slices"
	"sort"
	"time"

	"github.com/warmfront/warmfront/internal/mistake"
)

// An acknowledgement names its entry by number and ID, and counts if the log has that entry: after a loss another entry has the number,
// and edges that follow what was lost still acknowledge it.

// maxRecent is how many entries a Tracker remembers the IDs of (L9), at least. An acknowledgement of an older one counts for nothing: the
// slow path has completed that, or will.
const maxRecent = 1 << 14

// recent is the newest entries of a log, oldest first, at most 2*maxRecent.
type recent []Position

func (r *recent) add(p Position) {
	if len(*r) == 2*maxRecent {
		*r = append((*r)[:0], (*r)[maxRecent:]...)
	}
	*r = append(*r, p)
}

// has reports whether the entry with that number has that ID, as far as is remembered.
func (r recent) has(seq uint64, id ID) bool {
	i := sort.Search(len(r), func(i int) bool { return r[i].Seq >= seq })
	return i < len(r) && r[i].Seq == seq && (r[i].ID == id || mistake.Made(ackByNumber))
}

// Strayed reports whether p is of another log than the one that is folded, or of what that has lost, as far as is remembered.
func (t *Tracker) Strayed(p Position) bool {
	switch {
	case p.Epoch != t.epoch || p.Seq > t.seen:
		return true
	case len(t.recent) == 0 || p.Seq < t.recent[0].Seq:
		return false
	}
	return !t.recent.has(p.Seq, p.ID)
}

// keep remembers an acknowledgement of an entry that has not been folded yet: another control node, or this one, has just appended it.
// Two of a member are kept. The least, or a member that is always ahead would never be heard; and the newest, for what comes after.
func (t *Tracker) keep(m *member, a Ack) {
	switch {
	case m.next == nil:
	case a.Seq < m.next.Seq:
		if m.last == nil {
			m.last = m.next
		}
		t.unkeep(m)
	default:
		m.last = &a
		return
	}
	m.next = &a
	t.ahead[a.Seq] = append(t.ahead[a.Seq], m)
}

// furthest is the number of the newest entry that the member has acknowledged and that has not been folded yet; 0: there is none. Its edge
// joins anew above whatever it had acknowledged in the log that it joins: if not, that log has lost something.
func (m *member) furthest() uint64 {
	switch {
	case m.last != nil:
		return m.last.Seq
	case m.next != nil:
		return m.next.Seq
	}
	return 0
}

// unkeep forgets the least.
func (t *Tracker) unkeep(m *member) {
	if m.next == nil {
		return
	}
	seq := m.next.Seq
	m.next = nil
	t.ahead[seq] = slices.DeleteFunc(t.ahead[seq], func(x *member) bool { return x == m })
	if len(t.ahead[seq]) == 0 {
		delete(t.ahead, seq)
	}
}

// caughtUp counts what had been acknowledged ahead of an entry, which has been folded now.
func (t *Tracker) caughtUp(seq uint64, now time.Duration) {
	waiting := t.ahead[seq]
	delete(t.ahead, seq)
	for _, m := range waiting {
		a, last := *m.next, m.last
		m.next, m.last = nil, nil
		t.count(m, a, now)
		switch {
		case last == nil:
		case last.Seq > seq:
			t.keep(m, *last)
		default:
			t.count(m, *last, now)
		}
	}
}
