package guarantee

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// byName is the Order that names no place to come first.
const byName = 0

// of puts places in the order of their turns.
func (t *Turns) of(places []string) []string {
	if t.Order == byName {
		return []string{}
	}
	places = slices.Clone(places)
	rand.New(rand.NewPCG(t.Order, 0)).Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
	return places
}

// patience is for how long an invalidation at so many places may be under way: each turn waits for all edges.
func (t *Turns) patience(places int) time.Duration {
	if t == nil {
		return patience
	}
	return time.Duration(max(places, 1)) * (patience + t.Pause)
}

func (t *Turns) String() string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf(", location by location with %s between", ms(t.Pause))
}

// placesIn reads the answer to /warmfront/v1/nodes: the places of the edges, each once, by name.
func placesIn(answer []byte) (places []string, err error) {
	var all struct {
		Edges []struct {
			Location string `json:"location"`
		} `json:"edges"`
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return nil, err
	}
	for _, n := range all.Edges {
		places = append(places, n.Location)
	}
	slices.Sort(places)
	return slices.Compact(places), nil
}
