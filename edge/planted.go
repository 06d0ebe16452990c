//go:build planted

package edge

import (
	"fmt"
	"os"
	"slices"
)

var mistakes = []mistake{hitUnchecked, stampAtStore, waiterUnchecked, sweepRacesFill, compactTooEarly, deadCondition, pinnedOnly, parentBehind, parentUnchecked,
	writeUnnoted, packedAnew, sliceUnchecked, sliceOfAny, markForgotten, markUnasked, classUnread,
	loadUnchecked, loadRacesSweep, restartTrusted, servesEarly, markUncompared}

var chosen mistake

func init() { Plant(os.Getenv("WARMFRONT_PLANT")) }

// Plant has this process make a mistake from now on, or none: "". No edge may run meanwhile.
func Plant(name string) {
	m := mistake(name)
	if m != "" && !slices.Contains(mistakes, m) {
		panic(fmt.Sprintf("WARMFRONT_PLANT=%s: use one of %q", m, mistakes))
	}
	chosen = m
}

// planted tells whether this process makes the mistake: the one that WARMFRONT_PLANT names, or Plant.
func planted(m mistake) bool { return m == chosen }
