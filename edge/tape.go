package edge

import (
	"math"

	"github.com/warmfront/warmfront/internal/pages"
)

const (
	tapeChunk  = 64 << 10
	tapeWindow = 1 << 20 // how far a fill that is not kept runs ahead of its slowest reader
	tapeFirst  = 16 << 10
)

// tape is the body of a flight as far as it is in memory. While it is whole, all of it is in one
// growing chunk, which becomes the object's body; when it is too long for that, it goes on in chunks
// that are let go of when every reader has passed them. Octets that were written never change, so
// readers may use what from returned without a lock, for as long as they refer to the tape.
//
// A large body whose length is known comes into the pages in which the store will keep it (cache.Pager): in the heap it
// would grow by being copied, and be copied once more in the end.
type tape struct {
	blank    func(n int) *pages.Octets // nil: no pages
	pages    *pages.Octets             // where the first chunk lies; nil: in the heap
	paged    int64                     // octets of pages counted in flights.paged
	whole    bool
	chunks   [][]byte
	base     int64 // offset of the first chunk
	size     int64 // octets so far, from the beginning of the body
	reserved int64 // octets counted in flights.bytes
	sure     int64 // as much may be taken at once: it will come
}

// from returns octets at off, as many as lie together; nil when there are none yet.
func (t *tape) from(off int64) []byte {
	at := t.base
	for _, c := range t.chunks {
		if off < at+int64(len(c)) {
			if off < at {
				panic("BUG: reader behind the tape")
			}
			return c[off-at:]
		}
		at += int64(len(c))
	}
	return nil
}

// full tells whether more octets take more memory.
func (t *tape) full() bool {
	n := len(t.chunks)
	return n == 0 || len(t.chunks[n-1]) == cap(t.chunks[n-1])
}

// room returns where the next octets are to be read into. expected is the length of the body, -1 when
// it is not known; grown is what was allocated.
func (t *tape) room(expected int64) (p []byte, grown int64) {
	if len(t.chunks) == 0 {
		first := int64(tapeFirst)
		switch {
		case expected >= 0 && t.whole:
			first = min(expected, max(tapeChunk*4, t.sure))
		case expected >= 0:
			first = min(expected, tapeChunk)
		}
		t.chunks = append(t.chunks, t.first(int(max(first, 1)), expected))
		grown = first
	}
	last := &t.chunks[len(t.chunks)-1]
	if len(*last) < cap(*last) {
		return (*last)[len(*last):cap(*last)], grown
	}
	if !t.whole {
		c := make([]byte, 0, tapeChunk)
		t.chunks = append(t.chunks, c)
		return c[:cap(c)], grown + tapeChunk
	}
	more := int64(2 * cap(*last))
	if expected >= 0 {
		more = min(more, max(expected, int64(cap(*last))+1))
	}
	var c []byte
	if t.pages != nil {
		t.pages.Populate(len(*last), int(more))
		c = t.pages.Bytes()[:len(*last):more]
	} else {
		c = make([]byte, len(*last), more)
		copy(c, *last)
	}
	grown += more - int64(cap(*last))
	*last = c
	return c[len(c):cap(c)], grown
}

// first makes the first chunk, with room for so many of the octets that are expected.
func (t *tape) first(room int, expected int64) []byte {
	if t.whole && t.blank != nil && expected >= pages.Least && expected <= math.MaxInt {
		if t.pages = t.blank(int(expected)); t.pages != nil {
			t.pages.Populate(0, room)
			t.paged = pages.Rounded(int(expected))
			return t.pages.Bytes()[:0:room]
		}
	}
	return make([]byte, 0, room)
}

// wrote says that n octets were read into what room returned.
func (t *tape) wrote(n int) {
	last := &t.chunks[len(t.chunks)-1]
	*last = (*last)[:len(*last)+n]
	t.size += int64(n)
}

// trim lets go of the chunks before off, but for the last one, and returns how much was allocated for them.
func (t *tape) trim(off int64) (freed int64) {
	for len(t.chunks) > 1 && t.base+int64(len(t.chunks[0])) <= off {
		freed += int64(cap(t.chunks[0]))
		t.base += int64(len(t.chunks[0]))
		t.chunks[0] = nil
		t.chunks = t.chunks[1:]
		t.pages = nil
	}
	return freed
}

// body returns the whole body without slack worth mentioning, and the pages in which it lies, if it does.
func (t *tape) body() ([]byte, *pages.Octets) {
	if len(t.chunks) == 0 {
		return nil, nil
	}
	b := t.chunks[0]
	if t.pages == nil && cap(b)-len(b) > len(b)/8+64 {
		b = append(make([]byte, 0, len(b)), b...)
	}
	return b[:len(b):len(b)], t.pages
}
