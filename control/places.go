package control

import (
	"context"
	"slices"
	"strings"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/tier"
)

// Place is an edge location as others see it: what an operator has said about it, and how many of its edges can be asked.
type Place struct {
	tier.Place
	Edges int // members that other edges can ask
}

// maxPlaces bounds those of which something is said.
const maxPlaces = 1000

// PutPlace says which place the fills of one go through, and for which Origin Shield regions it stands, in place of what was said
// before. InvalidArgument: the parents would go in a circle, be too many, or a region is not one, or another's.
func (c *Control) PutPlace(ctx context.Context, by journal.Actor, p tier.Place) error {
	for _, name := range []string{p.Name, p.Parent} {
		if !edgeLocation.MatchString(name) && (name != "" || p.Name == "") {
			return refuse("InvalidArgument", "%.70q is no edge location: three letters and a number, as in FRA50 or FRA50-P1.", name)
		}
	}
	p.Regions = slices.Clone(p.Regions)
	slices.Sort(p.Regions)
	p.Regions = slices.Compact(p.Regions)
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		if err := s.tiers.Check(p); err != nil {
			return nil, refuse("InvalidArgument", "%s.", err)
		}
		switch have, ok := s.places[p.Name]; {
		case ok && have.Parent == p.Parent && slices.Equal(have.Regions, p.Regions):
			return nil, nil
		case !ok && len(s.places) >= maxPlaces:
			return nil, refuse("Conflict", "Something is said of %d places, and no more may be.", maxPlaces)
		}
		return []journal.Fact{{PlacePut: &journal.PlacePut{Place: p.Name, Parent: p.Parent, Regions: p.Regions, By: by}}}, nil
	})
	return err
}

// DeletePlace takes back what was said about a place. Its edges stay, and fill from the origin. A place that is somebody's parent
// stays what it is.
func (c *Control) DeletePlace(ctx context.Context, by journal.Actor, name string) error {
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		if s.places[name] == nil {
			return nil, refuse("NoSuchPlace", "Nothing is said of a place %.70q.", name)
		}
		return []journal.Fact{{PlaceDeleted: &journal.PlaceDeleted{Place: name, By: by}}}, nil
	})
	return err
}

// Places lists all places that have edges, or of which something is said, by name.
func (c *Control) Places() []Place {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := map[string]*Place{}
	at := func(name string) *Place {
		if all[name] == nil {
			all[name] = &Place{Place: tier.Place{Name: name}}
		}
		return all[name]
	}
	for name, p := range c.state.places {
		at(name).Place = tier.Place{Name: name, Parent: p.Parent, Regions: p.Regions}
		if p.Parent != "" {
			at(p.Parent)
		}
	}
	for _, m := range c.state.members {
		if p := at(m.Location); m.Address != "" {
			p.Edges++
		}
	}
	list := make([]Place, 0, len(all))
	for _, p := range all {
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b Place) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// checkShields refuses an Origin Shield in a region that no place serves: that its origin is spared would not be true.
func (s *state) checkShields(config *wire.DistributionConfig) error {
	for _, o := range config.Origins.Items {
		if o.OriginShield == nil || !wire.Val(o.OriginShield.Enabled) {
			continue
		}
		if region := wire.Val(o.OriginShield.OriginShieldRegion); s.tiers.Shield(region) == "" {
			return refuse("InvalidArgument", "No place serves the Origin Shield region %s. Say which one does: warmfront place set FRA50 --region %s.", region, region)
		}
	}
	return nil
}

// What follows is the state's part.

// putPlace and the others keep the map by which the edges go, too.
func (s *state) putPlace(p *journal.PlacePut) {
	s.places[p.Place] = p
	s.tiers = s.tiers.WithPlace(tier.Place{Name: p.Place, Parent: p.Parent, Regions: p.Regions})
}

func (s *state) deletePlace(name string) {
	delete(s.places, name)
	s.tiers = s.tiers.WithoutPlace(name)
}

func (s *state) join(m *member) {
	s.part(m.Edge)
	delete(s.left, m.Edge)
	s.members[m.Edge] = m
	if m.Address != "" {
		s.tiers = s.tiers.WithEdge(tier.Edge{Name: m.Edge, Place: m.Location, Address: m.Address})
	}
}

func (s *state) part(edge string) {
	if m := s.members[edge]; m != nil && m.Address != "" {
		s.tiers = s.tiers.WithoutEdge(edge, m.Location)
	}
	delete(s.members, edge)
}
