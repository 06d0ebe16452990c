package journal

import "fmt"

// cursor is rule E1 as a pure state machine: it stands at a position and moves over an unbroken chain.
// It has never heard of time, network or goroutines; Follower and Writer feed it and do what it says.
//
// Only what was read can break the chain. A push that does not fit merely asks for a read: it may be a
// straggler of an earlier life of the log, and dropping a cache for a straggler would be a pity.
type cursor struct {
	at Position
}

// pushed judges an entry that came by itself: either it is the next one and is returned as accepted, or
// the caller shall read.
func (c *cursor) pushed(e *Entry) (accepted, read bool) {
	if c.at.Judge(e) != Next {
		return false, true
	}
	c.at = PositionOf(e)
	return true, false
}

// from is where the next read starts: at the entry that the cursor stands on, so that the answer proves
// that the log still holds it.
func (c *cursor) from() uint64 { return max(c.at.Seq, 1) }

// answered takes the answer to a read that began at from, where the cursor stood then; pushes may have moved it on
// since. It returns the entries to apply, and whether from was the end of the log when it was read. A non-empty broken
// says why the log is not the one that was followed; apply is then what was still in order.
func (c *cursor) answered(from Position, entries []*Entry) (apply []*Entry, end bool, broken string) {
	if from.Seq > 0 {
		if len(entries) == 0 {
			return nil, false, fmt.Sprintf("the log ends before entry %d, which was applied", from.Seq)
		}
		if e := entries[0]; PositionOf(e) != from {
			return nil, false, fmt.Sprintf("stood at %v, the log has %v there", from, PositionOf(e))
		}
		entries = entries[1:]
	}
	for i, e := range entries {
		if v := from.Judge(e); v != Next {
			return apply, false, fmt.Sprintf("entry %v (previous %.8s) after %v: %v", PositionOf(e), e.Prev, from, v)
		}
		from = PositionOf(e)
		switch {
		case e.Seq > c.at.Seq:
			c.at = from
			apply = entries[i-len(apply) : i+1]
		case e.Seq == c.at.Seq && from != c.at:
			return nil, false, fmt.Sprintf("stood at %v, the log has %v there", c.at, from)
		}
	}
	return apply, len(entries) == 0, ""
}
