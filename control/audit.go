package control

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// AuditEntry says who did what: one command, as the journal has it.
type AuditEntry struct {
	ID       string // for paging
	Time     time.Time
	Action   string // the operation's name in CloudFront's API, or "EdgeJoined", "EdgeLeft", "EdgeAdmitted"
	Resource string // "distribution/E1…", "distribution/E1…/invalidation/I1…", "cache-policy/…", "user/anna", "edge/FRA50-1"
	By       journal.Actor
	Seq      uint64
}

// Audit lists what was done, newest first, what is older than marker, at most max (0 and more than 100
// mean 100). The newest Limits.Audit entries are remembered. InvalidArgument: no such marker.
func (c *Control) Audit(marker string, max int) (Page[AuditEntry], error) {
	before := ^uint64(0)
	part := 0
	if marker != "" {
		var err error
		if before, part, err = parseAuditID(marker); err != nil {
			return Page[AuditEntry]{}, refuse("InvalidArgument", "The marker %.40q is not the id of an entry. Start again without a marker.", marker)
		}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := c.state.audit.kept()
	// By number, not by position: the entry that the marker names may have been forgotten meanwhile.
	end, _ := slices.BinarySearchFunc(all, auditID(before, part), func(e auditEntry, _ string) int {
		return cmpAudit(e.seq, e.part, before, part)
	})
	var after []AuditEntry
	for i := end - 1; i >= 0 && len(after) <= maxPage; i-- {
		after = append(after, all[i].view())
	}
	return page(after, marker, max, func(e AuditEntry) string { return e.ID }), nil
}

func auditID(seq uint64, part int) string { return fmt.Sprintf("%d.%d", seq, part) }

func parseAuditID(id string) (seq uint64, part int, err error) {
	a, b, _ := strings.Cut(id, ".")
	if seq, err = strconv.ParseUint(a, 10, 64); err != nil {
		return 0, 0, err
	}
	part, err = strconv.Atoi(b)
	return seq, part, err
}

func cmpAudit(seq uint64, part int, otherSeq uint64, otherPart int) int {
	switch {
	case seq < otherSeq:
		return -1
	case seq > otherSeq:
		return 1
	}
	return part - otherPart
}

// What follows is the state's part.

// audit is the fold of who did what: the newest limit entries. Its zero value keeps nothing.
type audit struct {
	limit   int
	entries []auditEntry // oldest first; at most twice limit, so that forgetting is rare
}

type auditEntry struct {
	seq      uint64
	part     int // of the journal's entry
	time     time.Time
	action   string
	resource string
	by       journal.Actor
}

func (e *auditEntry) view() AuditEntry {
	return AuditEntry{ID: auditID(e.seq, e.part), Time: e.time, Action: e.action, Resource: e.resource, By: e.by, Seq: e.seq}
}

func (a *audit) kept() []auditEntry { return a.entries[max(0, len(a.entries)-a.limit):] }

func (a *audit) add(e auditEntry) {
	if len(a.entries) >= 2*a.limit {
		a.entries = slices.Clone(a.kept())
	}
	a.entries = append(a.entries, e)
}

// note writes down what one fact says was done, before it is folded in: whether something was created
// or changed is what the state knows.
func (s *state) note(e *journal.Entry, part int) {
	if action, resource, by := s.deed(e, part); action != "" {
		s.audit.add(auditEntry{seq: e.Seq, part: part, time: e.Time.UTC().Round(0), action: action, resource: resource, by: by})
	}
}

// deed names what was done. No action: it has no effect, or the system does it by itself, as Completed,
// ticks, and the new copies that a changed policy gives the distributions that use it.
func (s *state) deed(e *journal.Entry, part int) (action, resource string, by journal.Actor) {
	switch f := &e.Facts[part]; {
	case f.DistributionPut != nil:
		if part > 0 && (e.Facts[0].CachePolicyPut != nil || e.Facts[0].OriginRequestPolicyPut != nil) {
			return "", "", by
		}
		return s.putAction(f.DistributionPut), "distribution/" + f.DistributionPut.ID, f.DistributionPut.By
	case f.DistributionDeleted != nil:
		if s.distributions[f.DistributionDeleted.ID] != nil {
			return "DeleteDistribution", "distribution/" + f.DistributionDeleted.ID, f.DistributionDeleted.By
		}
	case f.Invalidated != nil:
		if i := f.Invalidated; s.distributions[i.DistributionID] != nil {
			if i.Wave != nil && i.Wave.Number > 1 {
				return "", "", by // it comes to the next location by itself
			}
			if i.Plan != nil { // whoever planned it has an entry of their own
				return "InvalidationInForce", "distribution/" + i.DistributionID + "/invalidation/" + i.InvalidationID, by
			}
			return "CreateInvalidation", "distribution/" + i.DistributionID + "/invalidation/" + i.InvalidationID, i.By
		}
	case f.Scheduled != nil:
		if i := f.Scheduled; s.distributions[i.DistributionID] != nil {
			return "ScheduleInvalidation", "distribution/" + i.DistributionID + "/invalidation/" + i.InvalidationID, i.By
		}
	case f.Withdrawn != nil:
		// It is in the log only if it took something back; what that was, an Extract may have left out.
		if i := f.Withdrawn; s.distributions[i.DistributionID] != nil {
			return "WithdrawInvalidation", "distribution/" + i.DistributionID + "/invalidation/" + i.InvalidationID, i.By
		}
	case f.AccessChanged != nil:
		return f.AccessChanged.Action, f.AccessChanged.Resource, f.AccessChanged.By
	case f.EdgeInvited != nil:
		return "CreateEdgeToken", "edge/" + f.EdgeInvited.Edge, f.EdgeInvited.By
	case f.EdgeAdmitted != nil:
		return "EdgeAdmitted", "edge/" + f.EdgeAdmitted.Edge, by
	case f.EdgeRemoved != nil:
		return "RemoveEdge", "edge/" + f.EdgeRemoved.Edge, f.EdgeRemoved.By
	case f.PlacePut != nil:
		return "PutPlace", "place/" + f.PlacePut.Place, f.PlacePut.By
	case f.PlaceDeleted != nil:
		if s.places[f.PlaceDeleted.Place] != nil {
			return "DeletePlace", "place/" + f.PlaceDeleted.Place, f.PlaceDeleted.By
		}
	case f.EdgeJoined != nil:
		return "EdgeJoined", "edge/" + f.EdgeJoined.Edge, by
	case f.EdgeLeft != nil:
		if m := s.members[f.EdgeLeft.Edge]; m != nil && m.Incarnation == f.EdgeLeft.Incarnation {
			return "EdgeLeft", "edge/" + f.EdgeLeft.Edge, by
		}
	}
	return s.policyDeed(&e.Facts[part])
}

func (s *state) policyDeed(f *journal.Fact) (action, resource string, by journal.Actor) {
	put := func(noun, path, id string, known bool, by journal.Actor) (string, string, journal.Actor) {
		if known {
			return "Update" + noun, path + "/" + id, by
		}
		return "Create" + noun, path + "/" + id, by
	}
	deleted := func(noun, path string, d *journal.PolicyDeleted, known bool) (string, string, journal.Actor) {
		if !known {
			return "", "", journal.Actor{}
		}
		return "Delete" + noun, path + "/" + d.ID, d.By
	}
	switch {
	case f.CachePolicyPut != nil:
		p := f.CachePolicyPut
		return put("CachePolicy", "cache-policy", p.ID, s.cachePolicies[p.ID] != nil, p.By)
	case f.CachePolicyDeleted != nil:
		p := f.CachePolicyDeleted
		return deleted("CachePolicy", "cache-policy", p, s.cachePolicies[p.ID] != nil)
	case f.OriginRequestPolicyPut != nil:
		p := f.OriginRequestPolicyPut
		return put("OriginRequestPolicy", "origin-request-policy", p.ID, s.originRequestPolicies[p.ID] != nil, p.By)
	case f.OriginRequestPolicyDeleted != nil:
		p := f.OriginRequestPolicyDeleted
		return deleted("OriginRequestPolicy", "origin-request-policy", p, s.originRequestPolicies[p.ID] != nil)
	}
	return "", "", by
}

// putAction tells what a replacement of a distribution was. A new ETag is a new config.
func (s *state) putAction(put *journal.DistributionPut) string {
	old := s.distributions[put.ID]
	switch {
	case old == nil:
		return "CreateDistribution"
	case old.put.ETag != put.ETag:
		return "UpdateDistribution"
	}
	for k := range old.put.Tags {
		if _, kept := put.Tags[k]; !kept {
			return "UntagResource"
		}
	}
	return "TagResource"
}
