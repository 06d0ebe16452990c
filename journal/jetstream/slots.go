package jetstream

import (
	"context"
	"sync/atomic"

	"github.com/warmfront/warmfront/journal"
)

// Where entries lie. Entry n is message n of the stream: its slot. A compaction leaves out most of what is below some entry, the
// base (journal.Entry.Base); what it keeps lies in the slots just below the base, in order, and the stream begins with the first of these:
//
//	slot     |   96    97    98    99 |  100   101   102 …      first 96, base 100
//	entry    |    1     7    23    80 |  100   101   102 …
//
// So a log with snapshot is one stream still, with one end, one order and one way to read it; and what is above the base
// is as if nothing had happened.

// slots is the shape of a log. It is set while the log is opened, and stays.
type slots struct {
	first uint64 // 1 if nothing was compacted
	base  uint64 // 0 if nothing was

	hint atomic.Pointer[found] // for who reads on
}

// found is where an entry below the base was.
type found struct{ seq, slot uint64 }

// slotOf returns where entry seq is, or the next one that there is.
func (l *Log) slotOf(ctx context.Context, seq uint64) (uint64, error) {
	if seq >= l.slots.base {
		return seq, nil
	}
	if h := l.slots.hint.Load(); h != nil && h.seq == seq {
		return h.slot, nil
	}
	low, high := l.slots.first, l.slots.base
	for low < high {
		mid := (low + high) / 2
		e, err := l.slot(ctx, mid)
		if err != nil {
			return 0, err
		}
		if e.Seq < seq {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}

// passed notes where a read has come to.
func (s *slots) passed(last *journal.Entry, slot uint64) {
	if last.Base > 0 {
		s.hint.Store(&found{last.Seq, slot})
	}
}

// telling reports whether an entry's number tells its slot, there and behind. Then the engine need not, which costs it and us as much as
// the entry. While a log is being opened it is not known.
func (s *slots) telling(slot uint64) bool { return s.first > 0 && slot > s.first && slot >= s.base }

// slot reads what must be in a slot.
func (l *Log) slot(ctx context.Context, slot uint64) (*journal.Entry, error) {
	entries, err := l.readSlots(ctx, slot, 1)
	if err == nil && len(entries) != 1 {
		err = l.damaged("slot %d cannot be read", slot)
	}
	if err != nil {
		return nil, err
	}
	return entries[0], nil
}

// fits tells whether an entry may be in a slot.
func fitsSlot(e *journal.Entry, slot uint64) bool {
	if e.Base > 0 {
		return e.Seq <= slot && slot < e.Base
	}
	return e.Seq == slot
}

// firstSlot is where a chain begins that is to be written.
func firstSlot(chain []*journal.Entry) uint64 {
	n := uint64(0)
	for _, e := range chain {
		if e.Base == 0 {
			break
		}
		n++
	}
	if n == 0 {
		return 1
	}
	return chain[0].Base - n
}
