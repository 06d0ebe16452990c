package simulation

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// record is the log of record, as a store keeps it: a slot is taken once, what is confirmed is durable, and whoever asks
// may be answered by a replica that is behind. It knows nothing of chains; that is for Writer and Follower.
type record struct {
	w *world

	mu       sync.Mutex
	entries  []*journal.Entry // entry n is entries[n-1]; nil: left out
	links    []*link          // that are up
	at       []time.Time      // of entries
	lag      time.Duration    // of the replica that has fallen behind
	misled   map[string]bool  // nodes that hear of nothing but that replica
	misleads time.Time        // until then
	before   []*journal.Entry // what a roll-back took
	doubt    bool             // it may be without something that edges follow
	life     int              // how often it was written anew: what was under way to it before never arrives
}

// begin writes the first entries: a log with one distribution.
func (r *record) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := journal.Genesis(time.Now())
	e := &journal.Entry{Epoch: g.Epoch, Seq: 2, ID: journal.NewID(), Prev: g.ID, Time: time.Now(), Facts: []journal.Fact{{DistributionPut: theDistribution}}}
	r.entries = []*journal.Entry{g, e}
	r.at = make([]time.Time, 2)
	r.w.check.epoch = g.Epoch
}

// append is compare-and-swap on the last number, and on nothing else.
func (r *record) append(life int, node string, e *journal.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if life != r.life || r.isMisled(node) {
		return errLost
	}
	last := uint64(len(r.entries))
	switch {
	case r.w.mistake == slotTakenTwice && e.Seq == last && e.ID != r.entries[last-1].ID && last > 2:
		r.entries = r.entries[:last-1]
		r.w.check.overwritten(last)
	case e.Seq <= last:
		return journal.ErrSlotTaken
	case e.Seq > last+1:
		return fmt.Errorf("%w: the log ends at %d", journal.ErrBroken, last)
	}
	r.entries, r.at = append(r.entries, e), append(r.at[:len(r.entries)], time.Now())
	r.w.check.appended(e)
	for _, l := range r.links {
		if !r.isMisled(l.node) {
			l.push(e)
		}
	}
	return nil
}

// read returns what there is, or, of the replica that has fallen behind, what it has, if that is all of what is known.
func (r *record) read(from uint64, max int, known uint64, node string) []*journal.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := min(uint64(len(r.entries)), atLeast(known, r.heard(node)))
	if from > last {
		return nil
	}
	var found []*journal.Entry
	for _, e := range r.entries[from-1 : last] {
		if e != nil && len(found) < max {
			found = append(found, e)
		}
	}
	return found
}

// rollBack forgets the last n entries, confirmed or not. Those of the beginning stay, and what a compaction has kept.
func (r *record) rollBack(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := max(2, int(r.entries[0].Base), len(r.entries)-n)
	r.misled = nil
	r.before = slices.Clone(r.entries)
	r.entries = slices.Clone(r.entries[:left])
	r.w.note("the journal has lost %d entries: it ends at %d", len(r.before)-left, left)
	if r.w.mistake == unsynced {
		r.w.check.overwritten(uint64(left) + 1)
		return
	}
	r.w.check.lost(uint64(left))
}

// loseEnd is a roll-back that an operator has accepted, while no control node ran.
func (r *record) loseEnd(n int) {
	r.rollBack(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubt = true
	r.life++
}

func (r *record) doubted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.doubt
}

func (r *record) doubts() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubt = true
}

func (r *record) settled() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubt = false
}

// compact leaves out what is not needed of all but the last entries, as a control node does at its start when it has the journal
// for itself.
func (r *record) compact(tail int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	base := len(r.entries) - min(tail, len(r.entries)-1)
	if first := r.entries[0]; uint64(base) <= first.Base {
		return // it has no more before that than what an earlier one has kept
	}
	kept := extract(r.entries[:base-1])
	r.writeAnew(uint64(base), kept, r.entries[base-1:])
	r.w.note("the journal is compacted: of the entries before %d there are %d", base, len(kept))
	r.w.check.compacted(r.entries)
}

// restore puts another log in its place, made of what is needed of it, as from a backup.
func (r *record) restore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kept []*journal.Entry
	last := &journal.Entry{Epoch: journal.NewID()}
	for _, e := range extract(r.entries) {
		k := *e
		k.Epoch, k.ID, k.Prev = last.Epoch, journal.NewID(), last.ID
		kept, last = append(kept, &k), &k
	}
	end := &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Time: time.Now(), Facts: []journal.Fact{{Tick: &journal.Tick{}}}}
	r.before, r.doubt = r.entries, true
	r.writeAnew(end.Seq, kept, []*journal.Entry{end})
	r.w.note("the journal is restored: of %d entries there are %d", len(r.before), len(kept)+1)
	r.w.check.restored(r.entries)
}

// extract is what is needed of entries.
func extract(entries []*journal.Entry) []*journal.Entry {
	x := control.NewExtract(control.Limits{})
	for _, e := range entries {
		if e != nil {
			x.Add(e)
		}
	}
	return x.Entries()
}

// writeAnew makes a log of what is kept before base and the rest. With mu.
func (r *record) writeAnew(base uint64, kept, rest []*journal.Entry) {
	entries := make([]*journal.Entry, base-1, int(base)+len(rest))
	for _, e := range kept {
		k := *e
		k.Base = base
		entries[k.Seq-1] = &k
	}
	r.entries = append(entries, rest...)
	r.at = make([]time.Time, len(r.entries))
	r.life++
	r.misled = nil
}

func (r *record) add(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links = append(r.links, l)
}

func (r *record) remove(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links = slices.DeleteFunc(r.links, func(x *link) bool { return x == l })
}

// hears returns the links of control nodes that can be asked, or hear acknowledgements.
func (r *record) hears(can func(*link) bool) (found []*link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.links {
		if can(l) {
			found = append(found, l)
		}
	}
	return found
}

// named returns an acknowledgement as if it named no more than a number: whatever entry has that.
func (r *record) named(a journal.Ack) journal.Ack {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := uint64(len(r.entries)); 0 < a.Seq && a.Seq <= n && r.entries[a.Seq-1] != nil {
		a.ID = r.entries[a.Seq-1].ID
	}
	return a
}

func (r *record) lives() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.life
}

// fallBehind has nodes hear of what a replica has, which comes later by lag, until a time.
func (r *record) fallBehind(lag time.Duration, until time.Time, nodes ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lag, r.misled, r.misleads = lag, map[string]bool{}, until
	for _, n := range nodes {
		r.misled[n] = true
	}
}

// isMisled tells whether a node hears of nothing but the replica. With mu.
func (r *record) isMisled(node string) bool { return r.misled[node] && time.Now().Before(r.misleads) }

// heard returns the number of the last entry, as a node hears it. With mu.
func (r *record) heard(node string) uint64 {
	last := len(r.entries)
	if r.isMisled(node) {
		for last > 2 && time.Since(r.at[last-1]) < r.lag {
			last--
		}
	}
	return uint64(last)
}

// hearsay returns what a node that is misled hears is the number of the last entry.
func (r *record) hearsay(node string) (last uint64, misled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heard(node), r.isMisled(node)
}

// atLeast stands where the parameter max hides the builtin.
func atLeast(a, b uint64) uint64 { return max(a, b) }
