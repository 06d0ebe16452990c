package control

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/tier"
)

// state is the fold of the log up to entry seq: a function of the entries and of the limits, of
// nothing else. There is no clock and no randomness in it, so a replay gives what was live.
//
// Facts have been decided; apply does not judge them. What does not fit, such as a fact about a
// distribution that is gone, is ignored, here as on every other node.
type state struct {
	limits Limits
	seq    uint64
	aged   time.Time // up to when what is older has been forgotten; see age

	distributions map[string]*distributionState
	domains       map[string]bool   // domain names ever given out, also of what is deleted: never reused
	references    map[string]string // caller reference of an existing distribution → its id
	aliases       map[string]string // alias in lower case → id of the distribution that has it

	cachePolicies         map[string]*CachePolicy // custom ones
	originRequestPolicies map[string]*OriginRequestPolicy

	members   map[string]*member   // by name of the edge
	left      map[string]string    // the incarnation that has left, by name of an edge that is no member
	invited   map[string]*invited  // by the public half of the token
	admitted  map[string]*admitted // by name of the edge
	places    map[string]*journal.PlacePut
	tiers     *tier.Map   // of places and members
	completed uint64      // greatest Completed.UpTo
	named     []edgeNamed // of whom the last one was, by name
	open      []open      // what waits for Completed, in order

	access accessRecords
	audit  audit
}

// open is one change that is in progress.
type open struct {
	seq          uint64
	distribution string
	invalidation string // "" for a change of the distribution itself
}

// member is an edge that has joined and not left (P2).
type member struct {
	journal.EdgeJoined
	seq  uint64
	time time.Time // of the entry; informational
}

func newState(limits Limits) *state {
	return &state{
		limits:                limits,
		distributions:         map[string]*distributionState{},
		domains:               map[string]bool{},
		references:            map[string]string{},
		aliases:               map[string]string{},
		cachePolicies:         map[string]*CachePolicy{},
		originRequestPolicies: map[string]*OriginRequestPolicy{},
		members:               map[string]*member{},
		left:                  map[string]string{},
		invited:               map[string]*invited{},
		admitted:              map[string]*admitted{},
		places:                map[string]*journal.PlacePut{},
		access:                accessRecords{},
		audit:                 audit{limit: limits.Audit},
	}
}

// apply folds one entry in and says what a watcher wants to know.
func (s *state) apply(e *journal.Entry) (changes []Change) {
	s.seq = e.Seq
	s.age(e.Time)
	for i := range e.Facts {
		s.note(e, i)
		changes = append(changes, s.applyFact(e, i)...)
	}
	for i := range changes {
		changes[i].Seq = e.Seq
	}
	return changes
}

func (s *state) applyFact(e *journal.Entry, part int) []Change {
	f := &e.Facts[part]
	switch {
	case f.DistributionPut != nil:
		return s.putDistribution(e.Seq, f.DistributionPut)
	case f.DistributionDeleted != nil:
		return s.deleteDistribution(f.DistributionDeleted.ID)
	case f.Invalidated != nil:
		return s.invalidate(e.Seq, part, f.Invalidated)
	case f.Scheduled != nil:
		return s.schedule(e.Seq, f.Scheduled)
	case f.Withdrawn != nil:
		return s.withdraw(e.Seq, f.Withdrawn)
	case f.Completed != nil:
		return s.complete(f.Completed)
	case f.AccessChanged != nil:
		s.access.apply(f.AccessChanged)
	case f.CachePolicyPut != nil:
		p := f.CachePolicyPut
		s.cachePolicies[p.ID] = &CachePolicy{ID: p.ID, ETag: p.ETag, LastModified: p.LastModified, Config: p.Config}
		return []Change{{Kind: ChangePolicy, ID: p.ID}}
	case f.CachePolicyDeleted != nil:
		delete(s.cachePolicies, f.CachePolicyDeleted.ID)
		return []Change{{Kind: ChangePolicy, ID: f.CachePolicyDeleted.ID}}
	case f.OriginRequestPolicyPut != nil:
		p := f.OriginRequestPolicyPut
		s.originRequestPolicies[p.ID] = &OriginRequestPolicy{ID: p.ID, ETag: p.ETag, LastModified: p.LastModified, Config: p.Config}
		return []Change{{Kind: ChangePolicy, ID: p.ID}}
	case f.OriginRequestPolicyDeleted != nil:
		delete(s.originRequestPolicies, f.OriginRequestPolicyDeleted.ID)
		return []Change{{Kind: ChangePolicy, ID: f.OriginRequestPolicyDeleted.ID}}
	case f.EdgeInvited != nil:
		return s.invite(e, f.EdgeInvited)
	case f.EdgeAdmitted != nil:
		return s.admit(e, f.EdgeAdmitted)
	case f.EdgeRemoved != nil:
		delete(s.admitted, f.EdgeRemoved.Edge)
		delete(s.left, f.EdgeRemoved.Edge) // who is not admitted does not join
		return []Change{{Kind: ChangeNode, ID: f.EdgeRemoved.Edge}}
	case f.PlacePut != nil:
		s.putPlace(f.PlacePut)
		return []Change{{Kind: ChangeNode}}
	case f.PlaceDeleted != nil:
		s.deletePlace(f.PlaceDeleted.Place)
		return []Change{{Kind: ChangeNode}}
	case f.EdgeJoined != nil:
		s.join(&member{EdgeJoined: *f.EdgeJoined, seq: e.Seq, time: e.Time.Round(0)})
		return []Change{{Kind: ChangeNode, ID: f.EdgeJoined.Edge}}
	case f.EdgeLeft != nil:
		// A late Leave of an incarnation that has been replaced must not remove its successor.
		if m := s.members[f.EdgeLeft.Edge]; m != nil && m.Incarnation == f.EdgeLeft.Incarnation {
			s.part(f.EdgeLeft.Edge)
			s.left[f.EdgeLeft.Edge] = f.EdgeLeft.Incarnation
			return []Change{{Kind: ChangeNode, ID: f.EdgeLeft.Edge}}
		}
	}
	return nil
}

// complete raises the watermark: what was open up to it is completed, once and for ever.
func (s *state) complete(f *journal.Completed) (changes []Change) {
	if f.UpTo <= s.completed {
		return nil // another tracker said so before
	}
	s.completed = f.UpTo
	n := sort.Search(len(s.open), func(i int) bool { return s.open[i].seq > f.UpTo })
	var by *completion // of all of them
	for _, o := range s.open[:n] {
		d := s.distributions[o.distribution]
		switch {
		case d == nil: // deleted meanwhile
		case o.invalidation != "":
			if by == nil {
				by = s.completion(f)
			}
			changes = append(changes, Change{Kind: ChangeInvalidation, ID: o.invalidation, DistributionID: o.distribution, Status: d.complete(o, by)})
		case d.seq == o.seq: // not changed again since
			changes = append(changes, Change{Kind: ChangeDistribution, ID: o.distribution, Status: Deployed})
		}
	}
	s.open = slices.Clone(s.open[n:]) // a new array, or the old one would be held for ever
	return changes
}

// openUpTo returns the greatest open number that is at most mark, 0 when there is none: what a
// tracker that has reached mark should declare.
func (s *state) openUpTo(mark uint64) uint64 {
	n := sort.Search(len(s.open), func(i int) bool { return s.open[i].seq > mark })
	if n == 0 {
		return 0
	}
	return s.open[n-1].seq
}

// switches returns the tags that change what an edge does.
func switches(tags map[string]string) map[string]string {
	found := map[string]string{}
	for k, v := range tags {
		if strings.HasPrefix(k, "warmfront:") {
			found[k] = v
		}
	}
	return found
}
