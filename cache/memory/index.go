package memory

import (
	"math"
	"slices"
	"sync/atomic"
	"unsafe"
)

// A slot is 38 bits of location and, above them, 26 bits of the key's hash: the tag. It is empty, where a
// search ends, or a tomb, free again although searches go on past it: neither is the location of an entry.
const (
	tagBits      = 26
	locationBits = 64 - tagBits

	empty uint64 = 0
	tomb  uint64 = 1

	lineSlots = 8
)

// line is one cache line of slots: what a search reads at once.
type line [lineSlots]atomic.Uint64

// table finds entries by hash. A tag's home is the line that lies as far into the table as the tag into all
// tags, so that a table of another size can be made without looking at the keys, and tags are in order, up
// to those that found their line full and lie behind it. Slots are read without a lock and written under
// the shard's. There is always an empty one.
type table struct {
	lines []line
	land  []byte // where they lie, if not in the heap
	used  int    // slots that are not empty; guarded by the shard's lock
}

// newTable is outside of the heap, if it is large: beside it the heap of a process that only serves is
// small, and a collector that may let its heap double would let the process grow by as much as the table.
func newTable(slots int, l *land) *table {
	n := max(2, (slots+lineSlots-1)/lineSlots)
	if n*lineSlots >= leastOutside {
		if b := l.reserve(n * int(unsafe.Sizeof(line{}))); b != nil {
			return &table{lines: unsafe.Slice((*line)(unsafe.Pointer(unsafe.SliceData(b))), n), land: b}
		}
	}
	return &table{lines: make([]line, n)}
}

const leastOutside = 4096 // slots

func (t *table) slots() int { return len(t.lines) * lineSlots }

func (t *table) bytes() int64 { return int64(t.slots()) * 8 }

// crowded is when a table is due to be made anew: with more than five of six slots taken, searches for what
// is not there get long.
func (t *table) crowded() bool { return t.used >= t.slots()/6*5 }

func (t *table) home(tag uint64) int { return int(tag * uint64(len(t.lines)) >> tagBits) }

func (t *table) after(l int) int {
	if l++; l < len(t.lines) {
		return l
	}
	return 0
}

func slotOf(tag, loc uint64) uint64    { return tag<<locationBits | loc }
func tagOf(slot uint64) uint64         { return slot >> locationBits }
func locationOf(slot uint64) uint64    { return slot & (1<<locationBits - 1) }
func taken(slot uint64) bool           { return slot > tomb }
func (l *line) slot(i int) uint64      { return l[i].Load() }
func (l *line) free(i int) (free bool) { return l.slot(i) <= tomb }
func (l *line) empties() (has bool) {
	for i := range l {
		has = has || l.slot(i) == empty
	}
	return has
}

// insert adds an entry that is not there. The lock is held.
func (t *table) insert(tag, loc uint64) {
	for at := t.home(tag); ; at = t.after(at) {
		l := &t.lines[at]
		for i := range l {
			if l.free(i) {
				if l.slot(i) == empty {
					t.used++
				}
				l[i].Store(slotOf(tag, loc))
				return
			}
		}
	}
}

// place returns the slot of an entry and its line, nil if the table has it not, or not any more.
func (t *table) place(tag, loc uint64) (l *line, slot *atomic.Uint64) {
	want := slotOf(tag, loc)
	for at := t.home(tag); ; at = t.after(at) {
		l := &t.lines[at]
		for i := range l {
			if l.slot(i) == want {
				return l, &l[i]
			}
		}
		if l.empties() {
			return nil, nil
		}
	}
}

// erase takes an entry out. A tomb is only needed in a line that searches go on past. The lock is held.
func (t *table) erase(l *line, slot *atomic.Uint64) {
	if l.empties() {
		slot.Store(empty)
		t.used--
		return
	}
	slot.Store(tomb)
}

// resized returns a table for n entries and some more, with the same ones. The lock is held; readers may
// be in the old table, which stays as it is. Whoever goes through everything and drops it has left in the midst only tags from
// somewhere on: the table is as large then as if there were as many everywhere, or they would find all lines near their homes full.
func (t *table) resized(n int, l *land) *table {
	const partBits = 7
	var in [1 << partBits]int
	for at := range t.lines {
		for i := range t.lines[at] {
			if s := t.lines[at].slot(i); taken(s) {
				in[tagOf(s)>>(tagBits-partBits)]++
			}
		}
	}
	most := slices.Max(in[:])
	most -= 4 * int(math.Sqrt(float64(most))) // so many more are chance
	n = max(n, len(in)*most)
	r := newTable(max(leastSlots, n+n*2/5), l)
	for at := range t.lines {
		for i := range t.lines[at] {
			if s := t.lines[at].slot(i); taken(s) {
				r.insert(tagOf(s), locationOf(s))
			}
		}
	}
	return r
}
