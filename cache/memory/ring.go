package memory

// ring is a queue of slot numbers. Its capacity is the length of the table, and a slot is in one queue
// at most, once: it cannot overflow.
type ring struct {
	buf   []uint32
	head  uint32
	n     uint32
	bytes int64 // of the objects whose slots are queued
}

func newRing(size int) ring { return ring{buf: make([]uint32, size)} }

func (r *ring) push(at uint64) {
	r.buf[(r.head+r.n)&uint32(len(r.buf)-1)] = uint32(at)
	r.n++
}

func (r *ring) pop() uint64 {
	at := r.buf[r.head]
	r.head = (r.head + 1) & uint32(len(r.buf)-1)
	r.n--
	return uint64(at)
}

// ghost remembers which keys were evicted from the small queue a short while ago: fingerprints in
// buckets of four, each with the time at which it came. Time is the number of such evictions, so that
// nothing has to be dropped: what is older than the span is not there.
type ghost struct {
	entries []ghostEntry
	now     uint32
}

type ghostEntry struct{ print, at uint32 }

const ways = 4

// newGhost starts its time far from that of the empty entries.
func newGhost(size int) ghost { return ghost{entries: make([]ghostEntry, size), now: 1 << 31} }

func (g *ghost) bucket(print uint32) []ghostEntry {
	b := int(print) * ways & (len(g.entries) - 1)
	return g.entries[b : b+ways]
}

func (g *ghost) add(tag uint64) {
	g.now++
	g.put(ghostEntry{fingerprint(tag), g.now})
}

// put replaces the oldest of the bucket.
func (g *ghost) put(e ghostEntry) {
	bucket := g.bucket(e.print)
	oldest := 0
	for i := range bucket {
		if g.now-bucket[i].at > g.now-bucket[oldest].at {
			oldest = i
		}
	}
	bucket[oldest] = e
}

// take tells whether tag came within the last span evictions, and forgets it.
func (g *ghost) take(tag uint64, span uint32) bool {
	print := fingerprint(tag)
	bucket := g.bucket(print)
	for i := range bucket {
		if e := &bucket[i]; e.print == print && g.now-e.at < span {
			*e = ghostEntry{}
			return true
		}
	}
	return false
}

// resized returns a ghost of another size with the entries that are not older than the new size.
func (g *ghost) resized(size int) ghost {
	n := ghost{entries: make([]ghostEntry, size), now: g.now}
	for _, e := range g.entries {
		if g.now-e.at < uint32(size) {
			n.put(e)
		}
	}
	return n
}

func fingerprint(tag uint64) uint32 { return uint32(tag >> 2) }
