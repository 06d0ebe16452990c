//go:build planted

package edge

import (
	"fmt"
	"os"
	"slices"
)

var mistakes = []mistake{hitUnchecked, stampAtStore, waiterUnchecked, sweepRacesFill, compactTooEarly, deadCondition, pinnedOnly, parentBehind, parentUnchecked, parentMarked,
	writeUnnoted, packedAnew, sliceUnchecked, sliceOfAny, markForgotten, markUnasked, classUnread,
	loadUnchecked, loadRacesSweep, restartTrusted, servesEarly, markUncompared}

var chosen = func() mistake {
	m := mistake(os.Getenv("WARMFRONT_PLANT"))
	if m != "" && !slices.Contains(mistakes, m) {
		panic(fmt.Sprintf("WARMFRONT_PLANT=%s: use one of %q", m, mistakes))
	}
	return m
}()

// planted tells whether this process makes the mistake: the one that WARMFRONT_PLANT names.
func planted(m mistake) bool { return m == chosen }
