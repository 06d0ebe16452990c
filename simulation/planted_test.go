//go:build planted

package simulation

import (
	"testing"

	"github.com/warmfront/warmfront/edge"
)

// TestSimulation_FindsPlantedMistakes is for the rules that an edge keeps by itself: a build with the tag leaves them out,
// one after the other. Those of edge/mistake.go that are not here take what this world does not have.
func TestSimulation_FindsPlantedMistakes(t *testing.T) {
	for m, law := range map[string]string{
		"hit-unchecked": "L6", "stamp-at-store": "L6", "waiter-unchecked": "L6", "sweep-races-fill": "L6", "compact-too-early": "L6",
		"pinned-only": "L6", "load-unchecked": "L6", "load-races-sweep": "L6", "serves-early": "L6",
	} {
		t.Run(m, func(t *testing.T) {
			edge.Plant(m)
			defer edge.Plant("")
			finds(t, none, law, 5*soon)
		})
	}
}
