//go:build planted

package edge

import (
	"os"

	mistakes "github.com/warmfront/warmfront/internal/mistake"
)

func init() {
	mistakes.Know(hitUnchecked, stampAtStore, waiterUnchecked, deadCondition, pinnedOnly, parentBehind, parentUnchecked, abroadUnchecked, restForgotten,
		writeUnnoted, packedAnew, sliceUnchecked, sliceOfAny, markForgotten, markUnasked, paceTurnless, tagsKept, variantUnnamed, missedUnheeded, classUnread, storedAnew, ageAnew, spellingUnread, mustUnheeded,
		loadUnchecked, loadRacesSweep, loadJoined, restartTrusted, servesEarly, markUncompared, pageUnleased)
	Plant(os.Getenv("WARMFRONT_PLANT"))
}

// Plant has this process make a mistake from now on, or none: "". No edge may run meanwhile.
func Plant(name string) { mistakes.Plant(mistake(name)) }
