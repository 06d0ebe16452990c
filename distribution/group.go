package distribution

import (
	"slices"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// Group is an origin group, compiled: the second member is asked where the first has failed. It is
// immutable.
type Group struct {
	ID      string
	Members [2]*Origin // the first is asked first, by every request anew
	codes   []int      // of an answer of the first that is a failure
}

// FailsOver tells whether an answer of the first member with this status makes the second be asked. What is
// no answer counts as one too: without a connection 503, without an answer in time 504.
func (g *Group) FailsOver(status int) bool { return slices.Contains(g.codes, status) }

// failoverMethods are those of the requests that a second origin is asked for.
var failoverMethods = Methods("GET", "HEAD", "OPTIONS")

// Second is the behavior with the second member of its group in the place of the first: what that one gets, and
// what it means that it answers. It is nil where there is none to ask for this method.
func (b *Behavior) Second(method string) *Behavior {
	if b.second == nil || !failoverMethods.Has(method) {
		return nil
	}
	return b.second
}

func (d *Distribution) compileGroups(c *wire.DistributionConfig) {
	if c.OriginGroups == nil {
		return
	}
	for i := range c.OriginGroups.Items {
		w := &c.OriginGroups.Items[i]
		g := &Group{ID: wire.Val(w.Id)}
		for n, m := range w.Members.Items {
			g.Members[n] = d.origin(wire.Val(m.OriginId))
		}
		for _, code := range w.FailoverCriteria.StatusCodes.Items {
			g.codes = append(g.codes, int(code))
		}
		d.Groups = append(d.Groups, g)
	}
}

// origin returns the origin of this id, or nil.
func (d *Distribution) origin(id string) *Origin {
	for _, o := range d.Origins {
		if o.ID == id {
			return o
		}
	}
	return nil
}

// target finds what TargetOriginId names: an origin, or a group, whose first member then is the origin.
func (d *Distribution) target(b *Behavior, id string) error {
	if b.Origin = d.origin(id); b.Origin != nil {
		return nil
	}
	for _, g := range d.Groups {
		if g.ID == id {
			b.Group, b.Origin = g, g.Members[0]
			return nil
		}
	}
	return noSuchOrigin("TargetOriginId", id)
}
