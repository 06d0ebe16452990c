package disk

import (
	"slices"
	"sync"
	"sync/atomic"
)

// tables is what has been read of the tables of segments and is not in the index yet, in their order. The index is larger
// than what a processor has at hand, and a table's entries lie anywhere in it: so they are gathered, and then go into one
// shard after the other.
type tables struct {
	s *Store
	n int
	// of each shard. A place of zero: what was there is gone.
	of [shards][]slot
}

const (
	// readers ask the disk at once when a store is opened: most answer so many as fast as one.
	readers = 16
	// gathered is how many entries are, at most; with one segment's more.
	gathered = 1 << 20
)

// atOnce does something for 0 to n-1, for a few of them at once.
func atOnce(n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, readers) {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				do(int(i - 1))
			}
		})
	}
	all.Wait()
}

// loadTables finds what is in these segments, which are in the order in which they were written.
func (s *Store) loadTables(all []*segment) {
	l := tables{s: s}
	for some := range slices.Chunk(all, readers) {
		var read [readers][]byte
		atOnce(len(some), func(i int) { read[i] = s.loadTable(some[i]) })
		for i, g := range some {
			if !g.complete {
				l.apply()
				s.scan(g)
				continue
			}
			l.add(g, read[i])
		}
	}
	l.apply()
}

// loadTable reads the table of a segment that has a trailer. One whose table is not what was written is as if it had none.
func (s *Store) loadTable(g *segment) []byte {
	t := &g.trailer
	if !g.complete {
		return nil
	}
	table, err := s.section(g, t.end+t.views, t.size, t.tabSum)
	g.complete = err == nil
	return table
}

// add gathers the entries of a segment's table.
func (l *tables) add(g *segment, table []byte) {
	for ; len(table) > 0; table = table[entrySize:] {
		if e := readEntry(table); e.fits(g.trailer.end) {
			of := &l.of[shardOf(e.hash)]
			*of = append(*of, slot{e.hash, e.in(g.slot)})
			l.n++
		}
	}
	l.s.sawMark(g.trailer.mark)
	if l.n >= gathered {
		l.apply()
	}
}

// apply puts it into the index.
func (l *tables) apply() {
	for i := range l.of {
		l.s.indexed(&l.s.shards[i], l.of[i])
		l.of[i] = l.of[i][:0]
	}
	l.n = 0
}
