package memory

import "math/bits"

// ghost remembers which keys were evicted from the small queue a short while ago: of each 15 bits, in
// buckets of four, and 16 bits of the time at which it came. Time is the number of such evictions, so that
// nothing has to be dropped: what is older than the span is not there. Once in a few thousand lookups it
// takes a key for another.
type ghost struct {
	entries []ghostEntry
	now     uint64
	coarse  uint // time is kept in units of 1<<coarse evictions
}

type ghostEntry struct{ print, at uint16 }

const ways = 4

// newGhost starts its time far from that of the empty entries.
func newGhost(size int) ghost {
	size = (max(size, minGhost) + ways - 1) / ways * ways
	coarse := uint(max(0, bits.Len(uint(size))-14))
	return ghost{entries: make([]ghostEntry, size), coarse: coarse, now: 1 << 15 << coarse}
}

const minGhost = 64

func (g *ghost) bytes() int64 { return int64(len(g.entries)) * 4 }

// bucket is chosen by the middle of a hash, the print is its end: shards are told apart by its beginning.
func (g *ghost) bucket(hash uint64) []ghostEntry {
	b := int(hash>>16&(1<<32-1)*uint64(len(g.entries)/ways)>>32) * ways
	return g.entries[b : b+ways]
}

// fingerprint is never 0, which stands for nobody.
func fingerprint(hash uint64) uint16 { return uint16(hash) | 1 }

func (g *ghost) time() uint16 { return uint16(g.now >> g.coarse) }

// add replaces the oldest of the bucket.
func (g *ghost) add(hash uint64) {
	g.now++
	bucket := g.bucket(hash)
	oldest := 0
	for i := range bucket {
		if g.age(bucket[i]) > g.age(bucket[oldest]) {
			oldest = i
		}
	}
	bucket[oldest] = ghostEntry{fingerprint(hash), g.time()}
}

func (g *ghost) age(e ghostEntry) uint16 {
	if e.print == 0 {
		return 1<<16 - 1
	}
	return g.time() - e.at
}

// take tells whether a key came within the last span evictions, and forgets it.
func (g *ghost) take(hash uint64, span int) bool {
	bucket := g.bucket(hash)
	for i := range bucket {
		if e := &bucket[i]; e.print == fingerprint(hash) && int(g.age(*e))<<g.coarse < span {
			*e = ghostEntry{}
			return true
		}
	}
	return false
}
