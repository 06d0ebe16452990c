package rules

import "github.com/warmfront/warmfront/internal/mistake"

// Resumption is what becomes of the life that was found on disk: it goes on if the journal still has the entry that was applied last
// in it, and everything since.
type Resumption uint8

const (
	Undecided Resumption = iota // the journal has not been read so far
	GoesOn
	Missed     // the journal does not go back so far: what was accepted since may have been left out (E1)
	RolledBack // the journal is another one by now: what it has lost, or given anew, is no stamp (E1)
)

// Resume judges by the next entry, which is seq. mark is the greatest number of the life on disk, same that the entry is that one; base is
// from where on nothing is missing in the journal. synced: a probe was answered, so the journal has been read. A life without a mark proves
// nothing, and does not go on.
func Resume(mark, seq, base uint64, same, synced bool) Resumption {
	switch {
	case mistake.Made(markUncompared), mark == 0 && mistake.Made(markUnkept):
		return GoesOn
	case seq < mark && mark >= base && !synced:
		return Undecided
	case base > mark && mark > 0:
		return Missed
	case mark > 0 && seq == mark && same:
		return GoesOn
	}
	return RolledBack
}

// Checked is up to where what comes from disk is held against the rules, if that was stored with such a stamp. earlier: by an earlier
// process, whose mark that is.
func Checked(stamp, mark uint64, earlier bool) uint64 {
	if earlier && mistake.Made(restartTrusted) {
		return mark
	}
	return stamp
}
