package control

import (
	"cmp"
	"slices"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// Extract finds out what of the beginning of a log must be kept, so that this and the rest of the log answer every query as the
// whole did, and an edge that begins with it drops all that is dead. It is what a log is compacted by, because what happens
// most, ticks, memberships and completions, soon means nothing any more. Numbers, IDs and times of what is kept are what they were.
//
// Give it every entry up to some point, in order, and then ask for Entries. It holds about twice what is kept, and at most
// a few thousand entries more (L9).
//
// # What is kept
//
// The genesis. The rest is cut in two, at the oldest entry that the audit trail shows. From there on everything is kept
// but ticks and the completions of what is gone. Of what is older:
//
//   - of each distribution the first fact, the last two that changed something at the edges, and the last:
//     what it is, since when it is so for the edges, and whether they know; the last by which edges that are cut off go on
//     (isolation.go); those by which its invalidations are read in the dialect in which they came; in between belong
//     these, which need it to exist;
//   - of a deleted one the first and the deletion, for its domain name, which must never be used again;
//   - the newest record of each user, each access key and so on, also that it is gone;
//   - of edges on other machines the tokens that are remembered, the admissions in force, and all removals;
//   - the newest fact of each policy, of each place and of each member's join; of an edge that is none the last join and its end;
//   - memberships that an operator has ended, until a Completed says that they were waited for (journal.Tracker): a control node that begins
//     would not know that it has to;
//   - of each distribution the invalidations that are remembered (Limits.History and so on), and with
//     them their caller references; what is scheduled, and what was withdrawn;
//   - the completions of all these.
//
// In the place of the newest invalidation of a distribution that is left out stands journal.Forgotten: to who answers queries it is
// nothing, to an edge it is an invalidation of everything. So whatever lay on a disk and was dead by one that is left out stays dead.
//
// Facts keep their order, and facts of one entry stay in one entry.
type Extract struct {
	limits Limits
	now    time.Time        // of the newest entry, also of a tick: what is too old by then is forgotten
	held   []*journal.Entry // without ticks
	next   int              // condense when so many are held
}

// extractBatch is how many entries may come in before it is worth looking what is superfluous.
const extractBatch = 4096

// NewExtract returns an empty one. The limits must be those of the Control that will read the log:
// what they forget is left out.
func NewExtract(limits Limits) *Extract {
	return &Extract{limits: limits.withDefaults(), next: extractBatch}
}

// Add takes the next entry of the log. It is not changed, and kept.
func (x *Extract) Add(e *journal.Entry) {
	if e.Time.After(x.now) {
		x.now = e.Time
	}
	if idle(e) {
		return
	}
	x.held = append(x.held, e)
	if len(x.held) >= x.next {
		x.held = condense(x.held, x.limits, x.now)
		x.next = 2*len(x.held) + extractBatch
	}
}

// idle tells whether an entry is nothing but ticks, as most are.
func idle(e *journal.Entry) bool {
	return e.Seq > 1 && !slices.ContainsFunc(e.Facts, func(f journal.Fact) bool { return f.Tick == nil })
}

// Entries returns what must be kept, in order.
func (x *Extract) Entries() []*journal.Entry {
	x.held = condense(x.held, x.limits, x.now)
	return x.held
}

func bySeq(e *journal.Entry, seq uint64) int { return cmp.Compare(e.Seq, seq) }

// condense returns the entries without what need not be kept. A condensed log with more entries behind it
// may be condensed again; the numbers stay what they are, with holes. now is the time of the newest entry.
func condense(entries []*journal.Entry, limits Limits, now time.Time) []*journal.Entry {
	end := newState(limits)
	for _, e := range entries {
		end.apply(e)
	}
	end.age(now)
	shown := ^uint64(0)
	if len(entries) > 0 {
		shown = entries[0].Seq
	}
	if trail := end.audit.kept(); len(trail) == limits.Audit {
		shown = trail[0].seq
	}
	c, _ := slices.BinarySearchFunc(entries, shown, bySeq)
	needed := oldPuts(entries[:c], end)
	end.keepEndings(entries, needed)
	kept := filter(append(withForgotten(entries[:c], end), entries[c:]...), func(e *journal.Entry, f *journal.Fact) bool {
		switch {
		case f.Tick != nil:
			return false
		case f.Completed != nil || f.Forgotten != nil || e.Seq >= shown:
			return true
		case f.Invalidated != nil:
			inv := end.known(f.Invalidated.DistributionID, f.Invalidated.InvalidationID)
			return inv != nil && inv.has(f.Invalidated)
		case f.Scheduled != nil:
			inv := end.known(f.Scheduled.DistributionID, f.Scheduled.InvalidationID)
			return inv != nil && inv.planned == f.Scheduled
		case f.Withdrawn != nil:
			inv := end.known(f.Withdrawn.DistributionID, f.Withdrawn.InvalidationID)
			return inv != nil && inv.withdrawn == f.Withdrawn
		case f.DistributionDeleted != nil:
			return true
		case end.keeps(f):
			return true
		}
		return needed[subject(f)]
	})
	return withoutIdleCompletions(kept)
}

// withForgotten copies entries, puts Forgotten in the place of the newest invalidation of each distribution that is not remembered at the
// end, and leaves out those from before.
func withForgotten(entries []*journal.Entry, end *state) []*journal.Entry {
	seen := map[string]bool{} // distributions of which one has been found, from the end on
	out := slices.Clone(entries)
	for i := len(out) - 1; i >= 0; i-- {
		var facts []journal.Fact // changed; nil: not
		for j := len(out[i].Facts) - 1; j >= 0; j-- {
			f := &out[i].Facts[j]
			id, gone := end.forgot(f)
			if !gone {
				continue
			}
			if facts == nil {
				facts = slices.Clone(out[i].Facts)
			}
			facts[j] = journal.Fact{}
			if !seen[id] && end.distributions[id] != nil {
				seen[id] = true
				facts[j].Forgotten = &journal.Forgotten{DistributionID: id}
			}
		}
		if facts != nil {
			e := *out[i]
			e.Facts = slices.DeleteFunc(facts, func(f journal.Fact) bool { return f == journal.Fact{} })
			out[i] = &e
		}
	}
	return out
}

// forgot tells whether a fact is an invalidation that is not remembered, or stands for some, and of which distribution.
func (s *state) forgot(f *journal.Fact) (distribution string, is bool) {
	switch {
	case f.Forgotten != nil:
		return f.Forgotten.DistributionID, true
	case f.Invalidated != nil:
		id := f.Invalidated.DistributionID
		inv := s.known(id, f.Invalidated.InvalidationID)
		return id, inv == nil || !inv.has(f.Invalidated)
	}
	return "", false
}

// known returns an invalidation that is remembered, else nil.
func (s *state) known(distribution, id string) *invalidationState {
	if d := s.distributions[distribution]; d != nil {
		return d.byID[id]
	}
	return nil
}

// filter keeps the facts that keep says, and the entries that have any.
func filter(entries []*journal.Entry, keep func(*journal.Entry, *journal.Fact) bool) []*journal.Entry {
	var kept []*journal.Entry
	for _, e := range entries {
		var facts []journal.Fact
		for i := range e.Facts {
			if keep(e, &e.Facts[i]) {
				facts = append(facts, e.Facts[i])
			}
		}
		switch {
		case len(facts) == len(e.Facts) && (len(facts) > 0 || e.Seq == 1):
			kept = append(kept, e)
		case len(facts) > 0:
			rest := *e
			rest.Facts = facts
			kept = append(kept, &rest)
		}
	}
	return kept
}

// subject returns the pointer that is the fact, for those kinds of which few are needed.
func subject(f *journal.Fact) any {
	switch {
	case f.DistributionPut != nil:
		return f.DistributionPut
	case f.CachePolicyPut != nil:
		return f.CachePolicyPut
	case f.OriginRequestPolicyPut != nil:
		return f.OriginRequestPolicyPut
	case f.PlacePut != nil:
		return f.PlacePut
	case f.EdgeJoined != nil:
		return f.EdgeJoined
	case f.EdgeLeft != nil:
		return f.EdgeLeft
	case f.EdgeAdmitted != nil:
		return f.EdgeAdmitted
	}
	return nil
}

// oldPuts finds the facts that make up what there is after the entries: distributions, policies, members. end is what is remembered.
func oldPuts(entries []*journal.Entry, end *state) map[any]bool {
	s := newState(end.limits)
	needed := map[any]bool{}
	puts := map[string]*putHistory{} // by domain name, which is never given twice, unlike, perhaps, an id
	newest := map[string]any{}       // by kind and id
	for _, e := range entries {
		s.apply(e)
		for _, f := range e.Facts {
			switch {
			case f.DistributionPut != nil:
				p := f.DistributionPut
				h := puts[p.DomainName]
				if h == nil {
					h = &putHistory{first: p}
					puts[p.DomainName] = h
				}
				h.add(p, s.distributions[p.ID] != nil && s.distributions[p.ID].seq == e.Seq)
			case f.Invalidated != nil:
				if d := s.distributions[f.Invalidated.DistributionID]; d != nil {
					if _, gone := end.forgot(&f); !gone {
						needed[puts[d.put.DomainName].turned] = true
					}
				}
			case f.CachePolicyPut != nil:
				newest["cache policy "+f.CachePolicyPut.ID] = f.CachePolicyPut
			case f.CachePolicyDeleted != nil:
				delete(newest, "cache policy "+f.CachePolicyDeleted.ID)
			case f.OriginRequestPolicyPut != nil:
				newest["origin request policy "+f.OriginRequestPolicyPut.ID] = f.OriginRequestPolicyPut
			case f.OriginRequestPolicyDeleted != nil:
				delete(newest, "origin request policy "+f.OriginRequestPolicyDeleted.ID)
			case f.PlacePut != nil:
				newest["place "+f.PlacePut.Place] = f.PlacePut
			case f.PlaceDeleted != nil:
				delete(newest, "place "+f.PlaceDeleted.Place)
			case f.EdgeJoined != nil:
				newest["edge "+f.EdgeJoined.Edge] = f.EdgeJoined
				delete(newest, "left "+f.EdgeJoined.Edge)
			case f.EdgeLeft != nil && s.left[f.EdgeLeft.Edge] == f.EdgeLeft.Incarnation:
				newest["left "+f.EdgeLeft.Edge] = f.EdgeLeft // with the join that it ends, or it would end none
			case f.EdgeRemoved != nil && s.members[f.EdgeRemoved.Edge] == nil && s.left[f.EdgeRemoved.Edge] == "":
				delete(newest, "edge "+f.EdgeRemoved.Edge)
				delete(newest, "left "+f.EdgeRemoved.Edge)
			}
		}
	}
	for _, f := range newest {
		needed[f] = true
	}
	for _, h := range puts {
		needed[h.first] = true
		if d := s.distributions[h.first.ID]; d != nil && d.put == h.last {
			needed[h.before], needed[h.deployed], needed[h.last], needed[h.clung] = true, true, true, true
		}
	}
	return needed
}

// putHistory is what must be known of a distribution's facts. The last but one that changed something at
// the edges is there because of the last, which may undo it: right after the first it would seem to change
// nothing.
//
// turned is the last by which paths are read in another dialect than before: an edge reads an invalidation in that which is in force when it
// comes.
type putHistory struct {
	first, before, deployed, last, clung, turned *journal.DistributionPut
}

func (h *putHistory) add(p *journal.DistributionPut, changesEdges bool) {
	if h.last == nil || dialectOf(h.last) != dialectOf(p) {
		h.turned = p
	}
	h.last = p
	if distribution.IsolationOf(p.Tags) == distribution.ServeStale {
		h.clung = p
	}
	if changesEdges {
		h.before, h.deployed = h.deployed, p
	}
}

func dialectOf(p *journal.DistributionPut) bool {
	return p.Tags[distribution.TagWildcards] == distribution.WildcardsAWS
}

// withoutIdleCompletions drops completions that complete nothing of what is there.
func withoutIdleCompletions(entries []*journal.Entry) []*journal.Entry {
	var opened []uint64 // numbers of what waits for completion
	ends := ended(entries)
	for _, e := range entries {
		if ends[e.Seq] != nil || slices.ContainsFunc(e.Facts, func(f journal.Fact) bool { return f.DistributionPut != nil || f.Invalidated != nil }) {
			opened = append(opened, e.Seq)
		}
	}
	completed := 0 // so many of opened
	return filter(entries, func(_ *journal.Entry, f *journal.Fact) bool {
		if f.Completed == nil {
			return true
		}
		n, _ := slices.BinarySearch(opened, f.Completed.UpTo+1)
		before := completed
		completed = max(n, completed)
		return n > before
	})
}
