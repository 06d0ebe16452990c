package memory

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/pages"
)

// Entries lie in segments, one behind the other, each beginning at a multiple of 8:
//
//	mark      16 octets: what changes while it is stored (cache.Mark)
//	record    as package record says, with a number for epoch and distribution
//	place     only if the body lies elsewhere: 8 octets, its number among the shard's large ones
//	far       or, with a body that is left in the tier below: three times 8 octets, cache.Far and what that tier remembers of it
//
// A location is the number of such multiples from the beginning of all segments.
const (
	unit     = 8
	markSize = int(unsafe.Sizeof(cache.Mark{}))
	// firstEntry keeps location 0 free, and entries apart from those of other segments' cache lines.
	firstEntry = 64

	leastSegment = 4 << 10
	mostSegment  = 1 << 20
	// shardSegments is of how many segments a shard's share consists: its queues are exact to one of them at
	// either end.
	shardSegments = 256

	none = ^uint32(0)
)

// Of Mark.Own: the number of uses, whether the entry is dead, and which object it is of its shard's.
const (
	usesMask   uint32 = 3
	deadBit    uint32 = 4
	serialStep uint32 = 8
)

// segment is what is known of one. Guarded by its shard's lock while a shard has it.
type segment struct {
	used   uint32 // octets, dead ones included
	live   uint32 // octets of live entries
	cursor uint32 // what is before it has been looked at by eviction
	next   uint32 // younger one in the same queue, or none
	prev   uint32 // older one
	queue  uint8
}

// field is where segments lie: addresses for all that there can be, memory for those in use.
type field struct {
	size int  // of a segment
	off  bool // outside of the heap
	base unsafe.Pointer
	all  []byte
	heap [][]byte // by number, where they are in the heap
	segs []segment

	mu   sync.Mutex
	warm []uint32 // free, with memory; guarded by mu, as are those below
	cold []uint32 // free, the memory given back
	next uint32   // from here on none was ever used
	most int      // how many are kept warm
}

func newField(size, n, warm int, l *land) *field {
	f := &field{size: size, segs: make([]segment, n), most: warm}
	if all := l.reserve(size * n); all != nil {
		f.off, f.all, f.base = true, all, unsafe.Pointer(unsafe.SliceData(all))
	} else {
		f.heap = make([][]byte, n)
	}
	return f
}

// take returns a segment that nobody has, none if there is none.
func (f *field) take() uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var s uint32
	switch {
	case len(f.warm) > 0:
		s = f.warm[len(f.warm)-1]
		f.warm = f.warm[:len(f.warm)-1]
	case len(f.cold) > 0:
		s = f.cold[len(f.cold)-1]
		f.cold = f.cold[:len(f.cold)-1]
	case int(f.next) < len(f.segs):
		s = f.next
		f.next++
	default:
		return none
	}
	f.segs[s] = segment{used: firstEntry, cursor: firstEntry, next: none, prev: none}
	if !f.off && f.heap[s] == nil {
		f.heap[s] = make([]byte, f.size)
	}
	return s
}

// give takes a segment back that nobody reads any more.
func (f *field) give(s uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case len(f.warm) < f.most:
		f.warm = append(f.warm, s)
	case !f.off:
		f.heap[s] = nil
		f.cold = append(f.cold, s)
	default:
		// Where it fails the memory stays taken until the address is used again: then it is what it should be.
		_ = pages.Drop(f.all[int(s)*f.size : int(s+1)*f.size])
		f.cold = append(f.cold, s)
	}
}

// at returns the octet at a location.
func (f *field) at(loc uint64) unsafe.Pointer {
	if f.off {
		return unsafe.Add(f.base, loc*unit)
	}
	n := loc * unit
	return unsafe.Pointer(&f.heap[n/uint64(f.size)][n%uint64(f.size)])
}

func (f *field) location(s, offset uint32) uint64 {
	return (uint64(s)*uint64(f.size) + uint64(offset)) / unit
}

func (f *field) segmentOf(loc uint64) uint32 { return uint32(loc * unit / uint64(f.size)) }

// entry is one object in its segment.
type entry struct {
	mark *cache.Mark
	rec  record.Record
}

func (f *field) entry(loc uint64) entry {
	p := f.at(loc)
	r := unsafe.Add(p, markSize)
	size := record.Record(unsafe.Slice((*byte)(r), record.HeadSize)).Size()
	return entry{(*cache.Mark)(p), unsafe.Slice((*byte)(r), size)}
}

// size of the whole entry.
func (e entry) size() uint32 { return entrySize(len(e.rec), e.tail()) }

func entrySize(rec int, tail uint32) uint32 { return uint32(markSize) + rounded(rec) + tail }

// What an entry has behind its record.
const (
	noTail    uint32 = 0
	outerTail uint32 = unit
	farTail          = uint32(unsafe.Sizeof(far{}))
)

func (e entry) tail() uint32 {
	switch {
	case !e.rec.Bodiless():
		return noTail
	case *e.place()&farBit != 0:
		return farTail
	}
	return outerTail
}

// far is what an entry has whose body is left in the tier below. The first word stands where others have the number of
// their body, and can be told from it.
type far struct {
	place, time uint64
	proved      atomic.Int64
}

// farBit of a cache.Far's place must be free, and no number of a body has it.
const farBit = 1 << 63

// far of an entry; nil: its body is in memory.
func (e entry) far() *far {
	if e.tail() != farTail {
		return nil
	}
	return (*far)(unsafe.Pointer(e.place()))
}

func (f *far) where() cache.Far { return cache.Far{Place: f.place &^ farBit, Time: f.time} }

func rounded(n int) uint32 { return uint32(n+unit-1) &^ (unit - 1) }

// place is where the number of a body that lies elsewhere is kept.
func (e entry) place() *uint64 {
	return (*uint64)(unsafe.Add(unsafe.Pointer(e.mark), markSize+int(rounded(len(e.rec)))))
}

// key as a string, for as long as the entry may be read.
func (e entry) key() string {
	k := e.rec.Key()
	return unsafe.String(unsafe.SliceData(k), len(k))
}

func (e entry) serial() uint64 { return uint64(e.mark.Own.Load() / serialStep) }

func (e entry) dead() bool { return e.mark.Own.Load()&deadBit != 0 }

// use counts one for eviction. Lost when others count at the same moment: no matter.
func (e entry) use() {
	if own := e.mark.Own.Load(); own&usesMask < usesMask {
		e.mark.Own.CompareAndSwap(own, own+1)
	}
}

// kill marks the entry dead. The shard's lock is held; readers may be counting.
func (e entry) kill() { e.mark.Own.Or(deadBit) }
