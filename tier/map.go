package tier

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/warmfront/warmfront/distribution"
)

// Place is what an operator has said about an edge location.
type Place struct {
	Name    string
	Parent  string   // the place that its misses go to; "": the origin
	Regions []string // Origin Shield regions that it serves
}

// Edge is one that can be asked.
type Edge struct {
	Name    string
	Place   string
	Address string // host:port
}

// Map is who can be asked, as of one position of the journal. It is immutable; nil is the empty one.
type Map struct {
	places map[string]Place
	edges  map[string][]member // by place
}

type member struct {
	Edge
	hash uint64
}

// clone copies both tables. Each edge did so for every one that joins or leaves, a start would cost with the third power of their number.
func (m *Map) clone() *Map {
	if m == nil {
		return &Map{places: map[string]Place{}, edges: map[string][]member{}}
	}
	return &Map{places: maps.Clone(m.places), edges: maps.Clone(m.edges)}
}

// Change is something that happens to places or edges.
type Change func(*Map)

// With returns the map after these changes, for which it is copied once.
func (m *Map) With(changes ...Change) *Map {
	if len(changes) == 0 {
		return m
	}
	n := m.clone()
	for _, c := range changes {
		c(n)
	}
	return n
}

// Says is what is said about a place, in place of what was.
func Says(p Place) Change { return func(m *Map) { m.places[p.Name] = p } }

// SaysNothing takes back what was said about a place. Its edges stay.
func SaysNothing(place string) Change { return func(m *Map) { delete(m.places, place) } }

// Comes is an edge, in place of one of the same name in the same place.
func Comes(e Edge) Change {
	return func(m *Map) {
		Goes(e.Name, e.Place)(m)
		sum := sha256.Sum256([]byte(e.Name))
		m.edges[e.Place] = append(slices.Clip(m.edges[e.Place]), member{e, binary.BigEndian.Uint64(sum[:])})
	}
}

// Goes is an edge of a place that is none any more.
func Goes(name, place string) Change {
	return func(m *Map) {
		left := slices.DeleteFunc(slices.Clone(m.edges[place]), func(x member) bool { return x.Name == name })
		if m.edges[place] = left; len(left) == 0 {
			delete(m.edges, place)
		}
	}
}

// WithPlace returns the map with what is said about a place, in place of what was.
func (m *Map) WithPlace(p Place) *Map { return m.With(Says(p)) }

// WithoutPlace returns the map without what was said about a place. Its edges stay.
func (m *Map) WithoutPlace(name string) *Map { return m.With(SaysNothing(name)) }

// WithEdge returns the map with an edge, in place of one of the same name in the same place.
func (m *Map) WithEdge(e Edge) *Map { return m.With(Comes(e)) }

// WithoutEdge returns the map without an edge of a place.
func (m *Map) WithoutEdge(name, place string) *Map { return m.With(Goes(name, place)) }

// Places returns what is said about places, by name.
func (m *Map) Places() []Place {
	if m == nil {
		return nil
	}
	all := make([]Place, 0, len(m.places))
	for _, p := range m.places {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Place) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Alone tells that no place knows of another, and that there is no other edge than this one in its place: then there
// is nobody to ask, whatever the key, but for a shield.
func (m *Map) Alone(name, place string) bool {
	return m == nil || m.places[place].Parent == "" && !slices.ContainsFunc(m.edges[place], func(x member) bool { return x.Name != name })
}

// Shield returns the place that serves an Origin Shield region: the one of which that is said, or else one in the region's own city,
// by the airport in its name; of several the first by name. "": none does.
func (m *Map) Shield(region string) string {
	if m == nil || region == "" {
		return ""
	}
	best := ""
	take := func(name string) {
		if best == "" || name < best {
			best = name
		}
	}
	for name, p := range m.places {
		if slices.Contains(p.Regions, region) {
			take(name)
		}
	}
	if best != "" {
		return best
	}
	for _, airport := range airports[region] {
		for name := range m.edges {
			if strings.HasPrefix(name, airport) {
				take(name)
			}
		}
	}
	return best
}

// Above returns the places above one, the nearest first, for an origin with a shield in region; "": without.
func (m *Map) Above(place, region string) []string {
	if m == nil {
		return nil
	}
	shield := m.Shield(region)
	var all []string
	for at := place; at != shield && len(all) < MaxDepth; {
		parent := m.places[at].Parent
		if parent == "" {
			if shield != "" {
				all = append(all, shield)
			}
			break
		}
		all = append(all, parent)
		at = parent
	}
	return all
}

// Ranked returns the edges of a place in the order in which they own a key: the first one does, the others are who
// owns it without those before them.
func (m *Map) Ranked(place string, key []byte) []Edge {
	if m == nil {
		return nil
	}
	members := m.edges[place]
	if len(members) == 0 {
		return nil
	}
	sum := sha256.Sum256(key)
	h := binary.BigEndian.Uint64(sum[:])
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b member) int {
		return cmp.Or(cmp.Compare(mix(b.hash^h), mix(a.hash^h)), cmp.Compare(a.Name, b.Name))
	})
	all := make([]Edge, len(sorted))
	for i, s := range sorted {
		all[i] = s.Edge
	}
	return all
}

// mix spreads what two hashes have in common over all bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// MaxDepth bounds the places above one.
const MaxDepth = 4

// Check tells why p may not be said: its parents would go in a circle or be too many, or a region is not one.
func (m *Map) Check(p Place) error {
	for _, r := range p.Regions {
		if _, ok := airports[r]; !ok {
			return fmt.Errorf("%q is no Origin Shield region: they are %s", r, strings.Join(distribution.ShieldRegions, ", "))
		}
		for _, other := range m.Places() {
			if other.Name != p.Name && slices.Contains(other.Regions, r) {
				return fmt.Errorf("region %s is served by %s already", r, other.Name)
			}
		}
	}
	next := m.WithPlace(p)
	for _, start := range next.Places() {
		way := []string{start.Name}
		for at := start.Parent; at != ""; at = next.places[at].Parent {
			if slices.Contains(way, at) {
				return fmt.Errorf("parents would go in a circle: %s", strings.Join(append(way, at), " → "))
			}
			if way = append(way, at); len(way) > MaxDepth+1 {
				return fmt.Errorf("more than %d places would be above %s: %s", MaxDepth, start.Name, strings.Join(way, " → "))
			}
		}
	}
	return nil
}

// airports are those of CloudFront's Origin Shield regions, as edge locations are named after.
var airports = map[string][]string{
	"us-east-1": {"IAD"}, "us-east-2": {"CMH"}, "us-west-2": {"HIO", "PDX"}, "sa-east-1": {"GRU"},
	"eu-west-1": {"DUB"}, "eu-west-2": {"LHR"}, "eu-central-1": {"FRA"}, "me-central-1": {"DXB", "AUH"},
	"ap-south-1": {"BOM"}, "ap-southeast-1": {"SIN"}, "ap-southeast-2": {"SYD"}, "ap-northeast-1": {"NRT"}, "ap-northeast-2": {"ICN"},
}
