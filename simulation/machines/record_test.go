package machines

import (
	"time"

	"github.com/warmfront/warmfront/journal"
)

// record is the log of record, as a store keeps it: a slot is taken once, what is confirmed is durable, and whoever asks may be answered by
// a replica that is behind. It knows nothing of chains.
type record struct {
	w       *world
	entries []*journal.Entry // entry n is entries[n-1]; nil: left out
	at      []time.Duration  // when they came
	doubt   bool             // it may be without something that edges follow
	life    int              // how often it was written anew: what was under way to it before never arrives

	lag      time.Duration // of the replica that has fallen behind
	misled   map[*node]bool
	misleads time.Duration // until then
}

func (r *record) begin(w *world) {
	r.w = w
	r.add(&journal.Entry{Epoch: w.id(), Seq: 1, ID: w.id()})
}

func (r *record) add(e *journal.Entry) {
	r.entries, r.at = append(r.entries, e), append(r.at, r.w.now)
}

// stored is what became of an append.
type stored uint8

const (
	confirmed stored = iota
	refused
)

// append is compare-and-swap on the last number.
func (r *record) append(life int, n *node, e *journal.Entry, reply func(stored)) {
	if life != r.life || r.isMisled(n) {
		return
	}
	if e.Seq != uint64(len(r.entries))+1 {
		reply(refused)
		return
	}
	r.add(e)
	if r.w.told != nil {
		r.w.note("journal: %d is %s of %s: %s", e.Seq, e.ID, n.name, facts{e})
	}
	r.w.check.appended(e)
	for _, c := range r.w.controls {
		r.push(c.node, &c.follower, e)
	}
	for _, x := range r.w.edges {
		r.push(x.node, &x.follower, e)
	}
	reply(confirmed)
}

func (r *record) push(n *node, f *follower, e *journal.Entry) {
	if n.up && !r.isMisled(n) {
		r.w.send(nil, n, func() {
			n.known = max(n.known, e.Seq)
			f.deliver(e)
		})
	}
}

// read returns what there is, or, of the replica that has fallen behind, what it has, if that is all of what is known.
func (r *record) read(n *node, from uint64, size int) []*journal.Entry {
	last := min(uint64(len(r.entries)), max(n.known, r.heard(n)))
	if from > last {
		return nil
	}
	found := make([]*journal.Entry, 0, last-from+1)
	for _, e := range r.entries[from-1 : last] {
		if e != nil && len(found) < size {
			found = append(found, e)
		}
	}
	return found
}

func (r *record) isMisled(n *node) bool { return r.w.now < r.misleads && r.misled[n] }

// heard returns the number of the last entry, as a node hears it.
func (r *record) heard(n *node) uint64 {
	last := len(r.entries)
	if r.isMisled(n) {
		for last > 1 && r.w.now-r.at[last-1] < r.lag {
			last--
		}
	}
	return uint64(last)
}

// loseEnd forgets the last entries, and an operator accepts it while no control node runs.
func (r *record) loseEnd(n int) {
	left := max(1, int(r.entries[0].Base), len(r.entries)-n)
	for r.entries[left-1] == nil {
		left++
	}
	r.w.note("the journal ends at %d instead of %d", left, len(r.entries))
	r.entries, r.at = append([]*journal.Entry(nil), r.entries[:left]...), append([]time.Duration(nil), r.at[:left]...)
	r.anew()
	r.w.check.lost(uint64(left))
}

// compact leaves out what is not needed of all but the last entries: it keeps the beginning, what is open, the newest join of each edge,
// and journal.Forgotten for the newest invalidation that goes.
func (r *record) compact(tail int) {
	base := len(r.entries) - min(tail, len(r.entries)-1)
	if base <= int(r.entries[0].Base) || base < 3 {
		return
	}
	needed := make([]bool, base)
	needed[0] = true
	seen := map[string]bool{}
	forgotten := 0
	for i := base - 2; i > 0; i-- {
		e := r.entries[i]
		if e == nil {
			continue
		}
		for _, f := range e.Facts {
			switch {
			case f.EdgeJoined != nil && !seen[f.EdgeJoined.Edge]:
				seen[f.EdgeJoined.Edge], needed[i] = true, true
			case f.EdgeLeft != nil && !seen[f.EdgeLeft.Edge]:
				needed[i] = true // with the join that it ends
			case f.Invalidated != nil && !r.w.check.completed(e.Seq), f.Forgotten != nil && forgotten == 0:
				needed[i] = true
			case f.Invalidated != nil && forgotten == 0:
				forgotten, needed[i] = i, true
			}
		}
	}
	entries := make([]*journal.Entry, base-1, len(r.entries))
	for i := range entries {
		if needed[i] && r.entries[i] != nil {
			k := *r.entries[i]
			k.Base = uint64(base)
			if i == forgotten && i > 0 {
				k.Facts = without(k.Facts)
			}
			entries[i] = &k
		}
	}
	r.w.note("the journal is compacted: it goes back to %d", base)
	doubt := r.doubt
	r.entries = append(entries, r.entries[base-1:]...)
	r.anew()
	r.doubt = doubt
}

// without has journal.Forgotten in place of invalidations.
func without(facts []journal.Fact) (kept []journal.Fact) {
	for _, f := range facts {
		if f.Invalidated != nil {
			f = journal.Fact{Forgotten: &journal.Forgotten{DistributionID: f.Invalidated.DistributionID}}
		}
		kept = append(kept, f)
	}
	return kept
}

func (r *record) anew() {
	r.life++
	r.doubt, r.misled = true, nil
}
