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

// answered takes the answer to a read at from and returns the entries to apply, none at the end of the
// log. A non-empty broken says why the log is not the one that was followed; apply is then what was
// still in order.
func (c *cursor) answered(entries []*Entry) (apply []*Entry, broken string) {
	if c.at.Seq > 0 {
		if len(entries) == 0 {
			return nil, fmt.Sprintf("the log ends before entry %d, which was applied", c.at.Seq)
		}
		if e := entries[0]; PositionOf(e) != c.at {
			return nil, fmt.Sprintf("stood at %v, the log has %v there", c.at, PositionOf(e))
		}
		entries = entries[1:]
	}
	for i, e := range entries {
		if v := c.at.Judge(e); v != Next {
			return entries[:i], fmt.Sprintf("entry %v (previous %.8s) after %v: %v", PositionOf(e), e.Prev, c.at, v)
		}
		c.at = PositionOf(e)
	}
	return entries, ""
}
