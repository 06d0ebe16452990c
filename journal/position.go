package journal

import (
	"fmt"
	"time"
)

// Position names a point of the log: everything up to and including entry Seq, whose id is ID, of the
// log's life Epoch. The zero Position is the point before the genesis.
type Position struct {
	Epoch ID
	Seq   uint64
	ID    ID
}

// PositionOf returns the position that is reached by applying e.
func PositionOf(e *Entry) Position { return Position{e.Epoch, e.Seq, e.ID} }

func (p Position) String() string {
	if p.Seq == 0 {
		return "start"
	}
	return fmt.Sprintf("%d (id %.8s, epoch %.8s)", p.Seq, p.ID, p.Epoch)
}

// Verdict is what rule E1 says about an entry that is seen at some position.
type Verdict int

const (
	Next   Verdict = iota // the next entry of the same chain: apply it
	Old                   // at or below the position: already applied, or the log was rolled back
	Gap                   // above the next: something is missing in between
	Broken                // of another life, or does not continue the chain
)

func (v Verdict) String() string {
	return [...]string{"next", "old", "gap", "broken"}[v]
}

// Judge says what e is to one who stands at p (E1). It looks at nothing but the two.
func (p Position) Judge(e *Entry) Verdict {
	switch {
	case p.Seq > 0 && e.Epoch != p.Epoch:
		return Broken
	case e.Seq == p.Seq && e.ID != p.ID:
		return Broken
	case e.Seq <= p.Seq:
		return Old
	case e.Seq > p.Seq+1:
		return Gap
	case e.Prev != p.ID || e.ID == "" || e.Epoch == "":
		return Broken
	}
	return Next
}

// Genesis returns the entry that begins a log's life: Seq 1, no facts, a fresh epoch.
func Genesis(now time.Time) *Entry {
	return &Entry{Epoch: NewID(), Seq: 1, ID: NewID(), Time: now.Round(0).UTC()}
}
