package disk

// place says where a record lies, in one word: the slot of its segment, its offset there and its length,
// and how often it was read. The zero place is nowhere.
//
//	63 … 62  uses
//	61 … 44  slot
//	43 … 21  offset within the slot, in units of 8 octets
//	20 … 0   length, in units of 32 octets, rounded up: one read fetches the record
type place uint64

const (
	unit, block = 8, 32

	usesShift, slotShift, offShift = 62, 44, 21

	maxSlots   = 1 << (usesShift - slotShift)
	maxSegment = 1 << (slotShift - offShift) * unit

	oneUse = place(1) << usesShift
	uses   = place(3) << usesShift
)

func placeOf(slot int, off, size int64) place {
	return place(slot)<<slotShift | place(off/unit)<<offShift | place((size+block-1)/block)
}

func (p place) slot() int   { return int(p&^uses) >> slotShift }
func (p place) off() int64  { return int64(p>>offShift) & (1<<(slotShift-offShift) - 1) * unit }
func (p place) size() int64 { return int64(p&(1<<offShift-1)) * block }

// same tells whether two places are one, however often they were read.
func (p place) same(o place) bool { return p&^uses == o&^uses }

// index finds places by the hashes of keys: open addressing with linear probing, in one array without
// pointers. Who calls holds the lock of its shard.
type index struct {
	slots []slot // a power of two of them
	n     int
}

type slot struct {
	hash uint64
	at   place // 0: empty
}

const minIndex = 16

// find returns the position of hash, or of the empty slot where it would be.
func (x *index) find(hash uint64) (int, bool) {
	if len(x.slots) == 0 {
		return 0, false
	}
	mask := len(x.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		switch s := &x.slots[i]; {
		case s.at == 0:
			return i, false
		case s.hash == hash:
			return i, true
		}
	}
}

func (x *index) get(hash uint64) place {
	if i, ok := x.find(hash); ok {
		return x.slots[i].at
	}
	return 0
}

// put returns what it replaces.
func (x *index) put(hash uint64, at place) (old place) {
	if (x.n+1)*5 > len(x.slots)*4 {
		x.grow()
	}
	i, ok := x.find(hash)
	if ok {
		old, x.slots[i].at = x.slots[i].at, at
		return old
	}
	x.slots[i] = slot{hash, at}
	x.n++
	return 0
}

// use counts a read, up to three.
func (x *index) use(hash uint64) {
	if i, ok := x.find(hash); ok && x.slots[i].at&uses != uses {
		x.slots[i].at += oneUse
	}
}

// remove forgets hash if it is at a place; 0 is any. It returns where it was.
func (x *index) remove(hash uint64, at place) (old place) {
	i, ok := x.find(hash)
	if !ok || at != 0 && !at.same(x.slots[i].at) {
		return 0
	}
	old = x.slots[i].at
	x.n--
	// What stands behind moves up, so that no search ends before its goal.
	mask := len(x.slots) - 1
	for j := (i + 1) & mask; x.slots[j].at != 0; j = (j + 1) & mask {
		home := int(x.slots[j].hash) & mask
		if (j-home)&mask >= (j-i)&mask {
			x.slots[i] = x.slots[j]
			i = j
		}
	}
	x.slots[i] = slot{}
	return old
}

func (x *index) grow() { x.resize(max(minIndex, 2*len(x.slots))) }

// makeRoom for n, a quarter more or less.
func (x *index) makeRoom(n int) {
	size := minIndex
	for size*4/5 < n {
		size *= 2
	}
	x.resize(max(size, len(x.slots)))
}

func (x *index) resize(size int) {
	old := x.slots
	x.slots = make([]slot, size)
	for _, s := range old {
		if s.at != 0 {
			i, _ := x.find(s.hash)
			x.slots[i] = s
		}
	}
}
