package disk

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
)

// A large body is sent from the file, by the kernel and without copying it. Two things could then go wrong.
//
// The segment may be written over while it is sent from. So whoever sends holds the segment for each call, and the writer,
// which has taken the slot away before, waits for those calls; who comes to the next one after that finds that the octets
// are gone. So that this hardly ever happens the writer passes over slots from which somebody is sending, half of them
// at most.
//
// What the kernel has taken lies on in the socket, as pages of the file, for as long as the viewer takes. Writing there would
// change them. So a slot from which something was sent is punched before it is written to (Quick.Punch): the pages are the
// socket's then, and the slot gets new ones. Where files cannot be punched nothing is sent from them.
//
// A body that is sent is not read, and so it is not compared with its sum either. It was, at most proven before: whoever
// finds that to be longer ago reads it once more, and what is not in the kernel's memory as a whole is not lent, but loaded and
// compared. So a disk that gives other octets than it was given is not sent from, but within that time of pages that leave
// the kernel's memory and come back unseen: as a neighbour's, whose octets are in the page too, or between that look and the call.
//
// To look is a system call, and what is asked for all the time would be looked at all the time. But the kernel gives up last what
// has been used last. So nobody looks again within seen, but where something has been found missing that was there less than proven
// before: then what it has in memory changes so fast that each body is looked at, each time, until proven later.

const (
	// proven is for how long a body that was compared with its sum is sent without.
	proven = time.Minute
	// seen is for how long a body that was in the kernel's memory is taken to be there, where that keeps what it has.
	seen = 2 * time.Second
)

// note is what is remembered of a body beside its cache.Far: the seconds of a clock, 32 bits of each, at which it was last
// compared with its sum, and at which it was last found in the kernel's memory.
type note int64

// Compared is the note of a body that has been compared with its sum, as whoever finds an object does.
func Compared(now time.Time) int64 { return int64(compared(now.Unix())) }

func compared(second int64) note          { return note(second<<32 | second&(1<<32-1)) }
func (n note) lookedAt(second int64) note { return n&^(1<<32-1) | note(second&(1<<32-1)) }

// proven and seen tell whether that was less than so long ago. If the clock has been set back it was not.
func (n note) proven(second int64) bool { return within(second, int64(n>>32), proven) }
func (n note) seen(second int64, ago time.Duration) bool {
	return within(second, int64(n), ago)
}

func within(second, then int64, d time.Duration) bool {
	return uint32(second-then) < uint32(d/time.Second)
}

// Part is a body in the file, lent to who sends it. It belongs to one goroutine at a time. The zero Part is none.
type Part struct {
	s         *Store
	seg       *segment
	line      *inUse
	off, size int64 // of the body, in the file
}

// inUse is a part of who uses a segment, for a core of its own.
type inUse struct {
	lent atomic.Int64 // parts that were lent and not returned
	held atomic.Int64 // calls that are under way
	_    [48]byte
}

// lends tells whether somebody has a part of it, held whether somebody is just reading one.
func (g *segment) lends() bool { return g.count(func(u *inUse) int64 { return u.lent.Load() }) > 0 }
func (g *segment) held() bool  { return g.count(func(u *inUse) int64 { return u.held.Load() }) > 0 }

func (g *segment) count(of func(*inUse) int64) (n int64) {
	for i := range g.users {
		n += of(&g.users[i])
	}
	return n
}

// Lend lends the body that lies at far, of the object that was stored under key, for being sent. proved is beside far: a note
// by now's clock, of 0 or Compared to begin with; if need be the body is compared now. It returns false where
// the body is not there any more, not in the kernel's memory, or not what was written, and where nothing can be sent. It
// takes no lock. stripe is internal/stripe's.
func (s *Store) Lend(stripe uint32, far cache.Far, key []byte, size int64, proved *atomic.Int64, now time.Time) (p Part, ok bool) {
	seg := s.segmentAt(far)
	if seg == nil || !s.sends || !s.reads.well() {
		return p, false
	}
	line := &seg.users[stripe%stripes]
	line.lent.Add(1)
	at := place(far.Place)
	p = Part{s: s, seg: seg, line: line, size: size, off: s.base(seg.slot) + at.off() + frameSize + int64(record.HeadSize+len(key))}
	if second := now.Unix(); !s.there(&p, proved, second) {
		if !s.prove(seg, at, key, size) {
			if note(proved.Load()).seen(second, proven) {
				s.restless.Store(second)
			}
			p.Return()
			return Part{}, false
		}
		proved.Store(int64(compared(second)))
	}
	if !seg.sent.Load() {
		seg.sent.Store(true)
	}
	s.near[stripe%stripes].hits.Add(1)
	return p, true
}

// there tells whether a part is what was written, and in the kernel's memory, as far as that can be known without reading it.
func (s *Store) there(p *Part, proved *atomic.Int64, second int64) bool {
	n := note(proved.Load())
	switch {
	case !n.proven(second):
		return false
	case n.seen(second, seen) && !within(second, s.restless.Load(), proven):
		return true
	case !s.quick.Resident(p.off, p.size):
		return false
	}
	proved.Store(int64(n.lookedAt(second)))
	return true
}

// Lent tells whether it is one.
func (p *Part) Lent() bool { return p.s != nil }

// Return gives it back.
func (p *Part) Return() {
	p.line.lent.Add(-1)
	*p = Part{}
}

// Size of the body.
func (p *Part) Size() int64 { return p.size }

// Hold keeps the octets from being written over until Release. It returns false when they already may have been.
func (p *Part) Hold() bool {
	p.line.held.Add(1)
	if p.s.inSlot[p.seg.slot].Load() == p.seg {
		return true
	}
	p.line.held.Add(-1)
	return false
}

// Release ends a Hold.
func (p *Part) Release() { p.line.held.Add(-1) }

// Descriptor is of the file, and where in it the body begins; ok is false if the file has none.
func (p *Part) Descriptor() (fd uintptr, off int64, ok bool) {
	fd, ok = p.s.quick.Descriptor()
	return fd, p.off, ok
}

// Prompt tells whether the kernel sends what was just lent without waiting for anybody but the viewer.
func (p *Part) Prompt() bool { return p.s.quick.Prompt() }

// ReadAt implements io.ReaderAt.
func (p *Part) ReadAt(b []byte, off int64) (int, error) {
	return p.s.file.ReadAt(b[:min(int64(len(b)), p.size-off)], p.off+off)
}

// vacate waits until nobody sends from a slot, and lets go of what is on its way from there. It is the writer's, which has
// taken the slot out of reach before.
func (s *Store) vacate(slot int) error {
	seg := s.inSlot[slot].Swap(nil)
	if seg == nil {
		return nil
	}
	for n := 0; seg.held(); n++ {
		if n < 100 {
			runtime.Gosched()
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	if !s.sends || !seg.sent.Load() && seg.old == 0 { // a process before this one may have sent from it, too
		return nil
	}
	err := s.quick.Punch(s.base(slot), s.super.slot)
	if err != nil {
		s.inSlot[slot].Store(seg) // and so it is not written to
	}
	return err
}

// target is the slot to write over next: that of the oldest segment, or one of those behind it while somebody is sending
// from there. With s.mu.
func (s *Store) target() int {
	for i := range len(s.slots) / 2 {
		at := (s.at + 1 + i) % len(s.slots)
		if seg := s.inSlot[at].Load(); seg == nil || !seg.lends() {
			return at
		}
	}
	return (s.at + 1) % len(s.slots)
}
