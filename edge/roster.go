package edge

import (
	"sync"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/tier"
)

// roster is what an edge knows of the others: which are members, where they can be asked, and by which certificates they are
// known. It is the follower's, but for the certificates, which every handshake asks about.
type roster struct {
	members map[string]fellow

	mu      sync.RWMutex
	serials map[string][2]string // by edge, of its certificate and of the one that it has renewed; guarded by mu
}

// fellow is a member, as far as its end must be understood: each edge has one of each.
type fellow struct {
	incarnation string
	place       string
	asked       bool // it has an address, and so is known there
}

func (r *roster) clear() {
	r.members = nil
	r.mu.Lock()
	r.serials = nil
	r.mu.Unlock()
}

// Admitted tells whether the certificate with this serial number is the edge's, as far as this edge has followed the journal. It
// may be called concurrently.
func (e *Edge) Admitted(edge, serial string) bool {
	e.roster.mu.RLock()
	defer e.roster.mu.RUnlock()
	of := e.roster.serials[edge]
	return serial != "" && (of[0] == serial || of[1] == serial)
}

// foldRoster applies what happens to other edges and to places.
func (e *Edge) foldRoster(d *draft, f *journal.Fact) {
	r := &e.roster
	switch {
	case f.PlacePut != nil:
		p := f.PlacePut
		d.kin = append(d.kin, tier.Says(tier.Place{Name: p.Place, Parent: p.Parent, Regions: p.Regions}))
	case f.PlaceDeleted != nil:
		d.kin = append(d.kin, tier.SaysNothing(f.PlaceDeleted.Place))
	case f.EdgeJoined != nil:
		j := f.EdgeJoined
		r.part(d, j.Edge)
		if r.members == nil {
			r.members = map[string]fellow{}
		}
		is := fellow{incarnation: j.Incarnation}
		if j.Address != "" {
			is.place, is.asked = j.Location, true
		}
		r.members[j.Edge] = is
		if is.asked {
			d.kin = append(d.kin, tier.Comes(tier.Edge{Name: j.Edge, Place: j.Location, Address: j.Address}))
		}
	case f.EdgeLeft != nil:
		if r.members[f.EdgeLeft.Edge].incarnation == f.EdgeLeft.Incarnation {
			r.part(d, f.EdgeLeft.Edge)
		}
	case f.EdgeAdmitted != nil:
		r.mu.Lock()
		if r.serials == nil {
			r.serials = map[string][2]string{}
		}
		r.serials[f.EdgeAdmitted.Edge] = [2]string{f.EdgeAdmitted.Serial, f.EdgeAdmitted.Previous}
		r.mu.Unlock()
	case f.EdgeRemoved != nil:
		r.part(d, f.EdgeRemoved.Edge)
		r.mu.Lock()
		delete(r.serials, f.EdgeRemoved.Edge)
		r.mu.Unlock()
	}
}

// part takes an edge off.
func (r *roster) part(d *draft, edge string) {
	if j, ok := r.members[edge]; ok {
		if j.asked {
			d.kin = append(d.kin, tier.Goes(edge, j.place))
		}
		delete(r.members, edge)
	}
}
