package simulation

import (
	"time"

	"github.com/warmfront/warmfront/journal"
)

// mistake is a rule of the protocol that a history leaves out, to prove that it would be noticed. The code stays as it
// is: it is told something that is not so.
type mistake string

const (
	none           mistake = ""
	noLease        mistake = "no-lease"         // S3: no lease is asked for
	shortWait      mistake = "short-wait"       // P3: the slow path does not wait until leases have run out
	probeRead      mistake = "probe-read"       // P1: a probe is answered with a number that was in the log before
	notJoined      mistake = "not-joined"       // P2: an edge serves before it has applied its own join
	rollBackUnseen mistake = "roll-back-unseen" // E1: the log has lost entries, and the cache is kept
	ackOnReceipt   mistake = "ack-on-receipt"   // E3: what was heard is acknowledged, not what was applied
	slotTakenTwice mistake = "slot-taken-twice" // W2: the last slot is overwritten by another entry
	unsynced       mistake = "unsynced"         // W2: what was confirmed is lost with the power
	ackByNumber    mistake = "ack-by-number"    // P3: after a loss that was accepted, an acknowledgement counts for whatever entry has its number
	unknownMembers mistake = "unknown-members"  // P3: … and edges that had joined in what was lost are not thought of
)

// mistakes are all, with the law that each breaks.
var mistakes = map[mistake]string{
	noLease: "L6", shortWait: "L6", probeRead: "L6", notJoined: "L6", rollBackUnseen: "L6", ackOnReceipt: "L6", slotTakenTwice: "L8", unsynced: "L8",
	ackByNumber: "L6", unknownMembers: "L6",
}

// mistaken is what a link needs to make one.
type mistaken struct {
	join  *journal.EdgeJoined // as whom the edge joins
	given []*journal.Entry    // what was read, given[n-1] is entry n
	said  journal.Ack         // the last one
}

// joins notes as whom an edge joins, which may take long.
func (l *link) joins(j journal.EdgeJoined) {
	l.mu.Lock()
	l.mistaken.join = &j
	l.mu.Unlock()
	if l.w.mistake == notJoined {
		pause(3 * time.Second)
	}
}

// acknowledged returns up to where the edge has acknowledged the log of that epoch.
func (l *link) acknowledged(epoch journal.ID) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mistaken.said.Epoch != epoch {
		return 0
	}
	return l.mistaken.said.Seq
}

// shown is what is read as the node sees it.
func (l *link) shown(from uint64, entries []*journal.Entry) []*journal.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mistaken.join == nil {
		return entries // a control node
	}
	switch l.w.mistake {
	case notJoined:
		for i, e := range entries {
			if e.Seq == 2 {
				c := *e
				c.Facts = append(c.Facts[:1:1], journal.Fact{EdgeJoined: l.mistaken.join})
				entries[i] = &c
			}
		}
	case rollBackUnseen:
		for i, e := range entries {
			entries[i] = l.chained(e)
		}
		if n := uint64(len(l.mistaken.given)); len(entries) == 0 && 1 <= from && from <= n {
			return l.mistaken.given[from-1 : from]
		}
	}
	return entries
}

// chained makes an entry look as if it came after what the node has seen.
func (l *link) chained(e *journal.Entry) *journal.Entry {
	given := l.mistaken.given
	if e.Seq <= uint64(len(given)) {
		return given[e.Seq-1]
	}
	if e.Seq == uint64(len(given))+1 {
		if n := len(given); n > 0 {
			c := *e
			c.Epoch, c.Prev = given[n-1].Epoch, given[n-1].ID
			e = &c
		}
		l.mistaken.given = append(given, e)
	}
	return e
}

// shownPush is what is pushed as the node sees it.
func (l *link) shownPush(e *journal.Entry) *journal.Entry {
	l.mu.Lock()
	j := l.mistaken.join
	if j != nil && l.w.mistake == rollBackUnseen {
		e = l.chained(e)
	}
	l.mu.Unlock()
	if j != nil && l.w.mistake == ackOnReceipt {
		l.w.record.acknowledge(l, journal.Ack{Edge: j.Edge, Incarnation: j.Incarnation, Epoch: e.Epoch, Seq: e.Seq, ID: e.ID, At: time.Now()})
	}
	return e
}
