package control

import (
	"slices"

	"github.com/warmfront/warmfront/journal"
)

// membership is one of the log, as journal.Tracker folds it, by the facts that it knows it by.
type membership struct {
	joined   *journal.EdgeJoined
	admitted *journal.EdgeAdmitted // another machine has been let in under its name; nil: none
}

// ended finds the memberships that an operator has ended: by the entry that did, by what facts a tracker knows of it.
func ended(entries []*journal.Entry) map[uint64][]any {
	members, ends := map[string]membership{}, map[uint64][]any{}
	for _, e := range entries {
		for i := range e.Facts {
			switch f := &e.Facts[i]; {
			case f.EdgeJoined != nil:
				if m := members[f.EdgeJoined.Edge]; m.admitted != nil {
					ends[e.Seq] = append(ends[e.Seq], m.joined, m.admitted, f.EdgeJoined)
				}
				members[f.EdgeJoined.Edge] = membership{joined: f.EdgeJoined}
			case f.EdgeLeft != nil:
				m, is := members[f.EdgeLeft.Edge]
				if !is || m.joined.Incarnation != f.EdgeLeft.Incarnation {
					continue
				}
				if slices.ContainsFunc(e.Facts, func(r journal.Fact) bool { return r.EdgeRemoved != nil && r.EdgeRemoved.Edge == f.EdgeLeft.Edge }) {
					ends[e.Seq] = append(ends[e.Seq], m.joined, f.EdgeLeft)
				}
				delete(members, f.EdgeLeft.Edge)
			case f.EdgeAdmitted != nil && f.EdgeAdmitted.Token != "":
				if m, is := members[f.EdgeAdmitted.Edge]; is {
					m.admitted = f.EdgeAdmitted
					members[f.EdgeAdmitted.Edge] = m
				}
			}
		}
	}
	return ends
}

// keepEndings notes what is known of them as needed, while no Completed in the log says that they were waited for. From there on everything is
// that is known of the edge's memberships: a join that is kept must not outlive what has ended it.
func (s *state) keepEndings(entries []*journal.Entry, needed map[any]bool) {
	from := map[string]uint64{} // by edge
	for seq, facts := range ended(entries) {
		if seq <= s.completed {
			continue
		}
		for _, f := range facts {
			needed[f] = true
			if j, is := f.(*journal.EdgeJoined); is && (from[j.Edge] == 0 || seq < from[j.Edge]) {
				from[j.Edge] = seq
			}
		}
	}
	for _, e := range entries {
		for i := range e.Facts {
			f, edge := &e.Facts[i], ""
			switch {
			case f.EdgeJoined != nil:
				edge = f.EdgeJoined.Edge
			case f.EdgeLeft != nil:
				edge = f.EdgeLeft.Edge
			case f.EdgeAdmitted != nil:
				edge = f.EdgeAdmitted.Edge
			}
			if seq := from[edge]; seq > 0 && seq <= e.Seq {
				needed[subject(f)] = true
			}
		}
	}
}
