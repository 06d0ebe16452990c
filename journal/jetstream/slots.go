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
// So a log with snapshot is one still, with one end, one order and one way to read it; and what is above the base
// is as if nothing had happened. What was kept by a compaction of a running log lies in a stream of its own (kept.go), in these same slots.

// shape is where the entries of a log lie. It never changes; a log that is compacted while it runs gets another one.
type shape struct {
	first uint64 // 1 if nothing was compacted
	base  uint64 // 0 if nothing was
	kept  string // the stream that has the slots below the base; "": the log's own

	hint atomic.Pointer[found] // for who reads on
}

// slots is the shape that a log has.
type slots struct{ now atomic.Pointer[shape] }

var unknown = &shape{}

// shape returns it; while the log is being opened it may be that of nothing.
func (s *slots) shape() *shape {
	if p := s.now.Load(); p != nil {
		return p
	}
	return unknown
}

func (s *slots) are(first, base uint64, kept string) {
	s.now.Store(&shape{first: first, base: base, kept: kept})
}

// steady reads a log that may be compacted meanwhile: what is not found where it was is looked for where it is.
func (l *Log) steady(read func(*shape) error) error {
	for {
		s := l.slots.shape()
		if err := read(s); err == nil || l.slots.shape() == s {
			return err
		}
	}
}

// found is where an entry below the base was.
type found struct{ seq, slot uint64 }

// slotOf returns where entry seq is, or the next one that there is.
func (l *Log) slotOf(ctx context.Context, s *shape, seq uint64) (uint64, error) {
	if seq >= s.base {
		return seq, nil
	}
	if h := s.hint.Load(); h != nil && h.seq == seq {
		return h.slot, nil
	}
	low, high := s.first, s.base
	for low < high {
		mid := (low + high) / 2
		e, err := l.slotIn(ctx, s, mid)
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
func (s *shape) passed(last *journal.Entry, slot uint64) {
	if last.Base > 0 {
		s.hint.Store(&found{last.Seq, slot})
	}
}

// telling reports whether an entry's number tells its slot, there and behind. Then the engine need not, which costs it and us as much as
// the entry. While a log is being opened it is not known.
func (s *shape) telling(slot uint64) bool { return s.first > 0 && slot > s.first && slot >= s.base }

// slot reads what must be in a slot.
func (l *Log) slot(ctx context.Context, slot uint64) (e *journal.Entry, err error) {
	err = l.steady(func(s *shape) error {
		e, err = l.slotIn(ctx, s, slot)
		return err
	})
	return e, err
}

func (l *Log) slotIn(ctx context.Context, s *shape, slot uint64) (*journal.Entry, error) {
	entries, err := l.readShape(ctx, s, slot, 1)
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
