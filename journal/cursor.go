package journal

import (
	"fmt"

	"github.com/warmfront/warmfront/internal/mistake"
)

// cursor is rule E1 as a pure state machine: it stands at a position and moves over an unbroken chain.
// It has never heard of time, network or goroutines; Follower and Writer feed it and do what it says.
//
// Only what was read can break the chain. A push that does not fit merely asks for a read: it may be a
// straggler of an earlier life of the log, and dropping a cache for a straggler would be a pity.
//
// Who begins reads over what a compaction has kept (Entry.Base), all of one compaction, up to where the chain is whole. Who
// already stands somewhere needs the entry at which it stands, as it was, and all since: what is missing might have killed something.
type cursor struct {
	at   Position
	base uint64 // at is an entry that was kept by the compaction of this Base; 0: it is in the unbroken chain

	missed bool // the log was found broken because it does not go back to at any more, and else it is the one that was followed
}

// pushed judges an entry that came by itself: either it is the next one and is returned as accepted, or
// the caller shall read.
func (c *cursor) pushed(e *Entry) (accepted, read bool) {
	if c.base > 0 || e.Base > 0 || c.at.Judge(e) != Next {
		return false, true
	}
	c.at = PositionOf(e)
	return true, false
}

// from is where the next read starts: at the entry that the cursor stands on, so that the answer proves
// that the log still holds it.
func (c *cursor) from() uint64 { return max(c.at.Seq, 1) }

// step says what e is to one who stands where c does, and moves on if it is the next.
func (c *cursor) step(e *Entry) Verdict {
	v := c.at.Judge(e)
	switch {
	case e.Base > 0 && c.at.Seq == 0:
		// The genesis, as ever.
	case e.Base > 0 && (c.base != e.Base || e.Seq >= e.Base), c.base > 0 && e.Base == 0 && e.Seq != c.base:
		return Broken
	case c.base > 0:
		// What it continues may be missing.
		if e.Epoch != c.at.Epoch || e.ID == "" || e.Seq <= c.at.Seq {
			return Broken
		}
		v = Next
	}
	if v == Next {
		c.at, c.base = PositionOf(e), e.Base
	}
	return v
}

// answered takes the answer to a read that began at from, where the cursor stood then; pushes may have moved it on
// since. It returns the entries to apply, and whether from was the end of the log when it was read. A non-empty broken
// says why the log is not the one that was followed; apply is then what was still in order.
func (c *cursor) answered(from Position, entries []*Entry) (apply []*Entry, end bool, broken string) {
	at := cursor{at: from}
	if from == c.at {
		at.base = c.base
	}
	if from.Seq > 0 {
		switch {
		case len(entries) == 0:
			return nil, false, fmt.Sprintf("the log ends before entry %d, which was applied", from.Seq)
		case mistake.Made(compactionKept) && entries[0].Seq > from.Seq:
			at = cursor{at: PositionOf(entries[0]), base: entries[0].Base}
		case entries[0].Base != at.base || entries[0].Seq > from.Seq:
			c.missed = entries[0].Epoch == from.Epoch
			return nil, false, fmt.Sprintf("stood at %v, the log goes back to entry %d", from, max(entries[0].Base, entries[0].Seq))
		case PositionOf(entries[0]) != from:
			return nil, false, fmt.Sprintf("stood at %v, the log has %v there", from, PositionOf(entries[0]))
		}
		entries = entries[1:]
	}
	for i, e := range entries {
		before := at.at
		if v := at.step(e); v != Next {
			return apply, false, fmt.Sprintf("entry %v (previous %.8s) after %v: %v", PositionOf(e), e.Prev, before, v)
		}
		switch {
		case e.Seq > c.at.Seq:
			*c = at
			apply = entries[i-len(apply) : i+1]
		case e.Seq == c.at.Seq && at.at != c.at:
			return nil, false, fmt.Sprintf("stood at %v, the log has %v there", c.at, at.at)
		}
	}
	return apply, len(entries) == 0, ""
}

// Chain checks of entries that are read one after the other that each continues those before it, from the genesis on, over what a
// compaction has kept too. The zero Chain stands before the genesis.
type Chain struct{ c cursor }

// ChainAt returns one that has come to e.
func ChainAt(e *Entry) Chain { return Chain{cursor{at: PositionOf(e), base: e.Base}} }

// Next reports whether e is the next, and moves on to it.
func (c *Chain) Next(e *Entry) bool { return c.c.step(e) == Next }

// At is where it stands. Whole: from there on, nothing is missing.
func (c *Chain) At() (at Position, whole bool) { return c.c.at, c.c.base == 0 }
