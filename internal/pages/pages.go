// Package pages knows memory that the kernel may send from without copying it.
//
// Copying is half of what a body of 100 KiB costs: vmsplice and splice hand the pages themselves to the
// socket. But a page lies in the send queue of a slow viewer, on loopback in the receive queue of
// whoever reads, for as long as it likes, and whatever is written into the page meanwhile is what
// arrives. The heap of a garbage collector uses memory again at its own discretion, so bodies that are
// sent this way lie elsewhere. The law of this package is: a page that has held octets never holds
// others. What is freed is given back to the kernel (MADV_DONTNEED), which keeps a page that is on its
// way until it has arrived; the address then means a new page.
//
// Octets are freed when nobody refers to them any more: by the garbage collector, as the heap's are. A
// slice that Bytes returned does not count as referring. Whoever keeps one keeps the Octets.
package pages

import (
	"math"
	"math/bits"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// Least is from how many octets on it is worth it. Below, copying costs less than two more system
	// calls.
	Least = 16 << 10
	// most is the largest piece.
	most = 64 << 20

	classes = 13 // Least, 2*Least, …, most
)

// Octets are in pages of their own. They never change, once anybody but who made them can see them.
type Octets struct {
	b []byte
}

// Bytes returns them. They are there for as long as o is referred to.
func (o *Octets) Bytes() []byte { return o.b }

// Pool is where Octets come from. New makes it; nil is a pool without room. All methods may be called
// concurrently.
//
// It is address space, not memory: for each size, by powers of two, a region four times as large as all
// octets that the pool is for, so that no size is short of addresses because others were wanted before.
// Half of it is for rounding up to the size, half for what is not freed yet. Only pages that hold octets
// are memory.
type Pool struct {
	region []byte
	each   int // length of a size's part of region

	held atomic.Int64 // octets of pages that are not given back

	mu   sync.Mutex
	free [classes][]int32 // slots given back, the last one first
	next [classes]int32   // slots from here on were never used
}

// New returns a pool for limit octets, or nil where there is none: on other systems than Linux, or when
// the address space is not to be had.
func New(limit int64) *Pool {
	each := 4 * max(limit, most)
	each += -each & (most - 1)
	if os.Getpagesize() > Least || each > math.MaxInt/classes {
		return nil
	}
	region, err := Reserve(int(each) * classes)
	if err != nil {
		return nil
	}
	p := &Pool{region: region, each: int(each)}
	runtime.AddCleanup(p, Release, region)
	return p
}

// Copy returns b's octets in pages, or nil: the pool has no room for them, or they are too few or too
// many.
func (p *Pool) Copy(b []byte) *Octets {
	o := p.Blank(len(b))
	if o != nil {
		o.Populate(0, len(b))
		copy(o.b, b)
	}
	return o
}

// Blank returns n octets, all zero, for the caller to write: each once, and before anybody else sees it. It returns nil as
// Copy does. Those that are not written yet are not memory yet, but are counted as such.
func (p *Pool) Blank(n int) *Octets {
	if p == nil || n < Least || n > most {
		return nil
	}
	class := bits.Len(uint(n-1) / Least)
	slot, ok := p.take(class)
	if !ok {
		return nil
	}
	at := p.slot(class, slot)
	o := &Octets{at[:n:n]}
	memory := Rounded(n)
	p.held.Add(memory)
	runtime.AddCleanup(o, func(slot int32) {
		p.put(class, slot)
		p.held.Add(-memory)
	}, slot)
	return o
}

// Populate has memory for the octets between two offsets, which are about to be written: all pages at once cost a fraction
// of what they cost one by one, when each is written to for the first time.
func (o *Octets) Populate(from, to int) {
	from -= from % Least // a page's beginning, whatever its size
	populate(o.b[from:to])
}

// Rounded is how much memory n octets take.
func Rounded(n int) int64 {
	page := int64(os.Getpagesize())
	return (int64(n) + page - 1) / page * page
}

// Held is how much memory the pool's octets take, those that nobody refers to any more but are not freed
// yet included.
func (p *Pool) Held() int64 {
	if p == nil {
		return 0
	}
	return p.held.Load()
}

func (p *Pool) slot(class int, slot int32) []byte {
	size := Least << class
	from := p.each*class + size*int(slot)
	return p.region[from : from+size : from+size]
}

func (p *Pool) take(class int) (slot int32, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if free := &p.free[class]; len(*free) > 0 {
		slot = (*free)[len(*free)-1]
		*free = (*free)[:len(*free)-1]
		return slot, true
	}
	if slot = p.next[class]; int(slot) >= p.each/(Least<<class) {
		return 0, false
	}
	p.next[class]++
	return slot, true
}

// put gives the pages back to the kernel, and only then the address to the next.
func (p *Pool) put(class int, slot int32) {
	if Drop(p.slot(class, slot)) != nil {
		return // the pages may still hold octets: never again
	}
	p.mu.Lock()
	p.free[class] = append(p.free[class], slot)
	p.mu.Unlock()
}
