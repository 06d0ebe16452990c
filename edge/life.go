package edge

import (
	"crypto/sha256"
	"strings"

	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/journal"
)

// resumption is the life that was found on disk, until it is known whether the journal still has it. It belongs
// to the follower's goroutine.
type resumption struct {
	life string
	mark disk.Mark
}

// begins names the life of a log that is read from its beginning: the one on disk, if that may be it.
func (e *Edge) begins(entry *journal.Entry) (life string) {
	if e.disk != nil && !e.begun {
		e.begun = true
		kept, mark := e.disk.Kept()
		if strings.HasPrefix(kept, string(entry.Epoch)+"/") {
			e.resumed = &resumption{kept, mark}
			if planted(servesEarly) {
				e.disk.Use(kept)
			}
			return kept
		}
	}
	return e.another(entry)
}

// another is a life that there has never been.
func (e *Edge) another(entry *journal.Entry) (life string) {
	life = string(entry.Epoch) + "/" + string(journal.NewID()[:16])
	if e.disk != nil {
		e.disk.Use(life)
		e.undecided.Store(false)
	}
	return life
}

// resume looks whether the life on disk goes on, at each entry until it is decided. It returns the life to go
// on with.
func (e *Edge) resume(entry *journal.Entry, life string) string {
	if e.disk == nil {
		return life
	}
	if r := e.resumed; r != nil {
		switch rules.Resume(r.mark.Seq, entry.Seq, entry.Base, entry.Seq == r.mark.Seq && markOf(entry) == r.mark, e.lease.Synced()) {
		case rules.Undecided:
			return life
		case rules.GoesOn:
			e.disk.Use(r.life)
			e.undecided.Store(false)
		case rules.Missed:
			e.log.Warn("away for longer than the journal goes back; the disk cache is dropped", "seq", r.mark.Seq, "base", entry.Base)
			life = e.another(entry)
		case rules.RolledBack:
			e.log.Warn("the journal is not the one that the disk cache was filled by; it is dropped", "seq", r.mark.Seq)
			life = e.another(entry)
		}
		e.resumed = nil
	}
	e.disk.At(markOf(entry))
	return life
}

// markOf is the position of an entry, as the disk remembers it.
func markOf(entry *journal.Entry) disk.Mark {
	sum := sha256.Sum256([]byte(entry.ID))
	return disk.Mark{Seq: entry.Seq, ID: [16]byte(sum[:16])}
}
