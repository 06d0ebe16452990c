package disk

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/warmfront/warmfront/cache/record"
)

// load reads the superblock and the segments. What cannot be read is left out.
func (s *Store) load() error {
	b := make([]byte, superSize)
	if _, err := s.file.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("disk: %w", err)
	}
	size := cmp.Or(s.cfg.slot, slotSize(s.cfg.Capacity))
	super, ok := decodeSuper(b)
	if ok && super.slot == size {
		s.super = super
	} else {
		if string(b[:len(magic)]) == magic {
			s.log.Warn("the disk cache was written by another version or for another size, and is dropped")
		}
		if err := s.format(size); err != nil {
			return fmt.Errorf("disk: %w", err)
		}
	}
	n := min((s.cfg.Capacity-slotsAt)/size, maxSlots)
	if n < fewest {
		return fmt.Errorf("disk: room for %d segments, %d are the least", n, fewest)
	}
	s.slots, s.inSlot = make([]atomic.Pointer[segment], n), make([]atomic.Pointer[segment], n)
	s.limit, s.at, s.next = size-size/16, int(n)-1, 1
	if err := s.file.Truncate(slotsAt + n*size); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	s.sends = s.quick != nil && s.quick.Punch(slotsAt+n*size, superSize) == nil // behind the end nothing happens
	s.loadStains()
	s.loadSegments()
	return nil
}

// format begins an empty file.
func (s *Store) format(slot int64) error {
	s.super = superblock{slot: slot}
	rand.Read(s.super.secret[:])
	if err := s.file.Truncate(0); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(append(s.super.encode(), noStains()...), 0); err != nil {
		return err
	}
	return s.file.Sync()
}

// loadSegments finds the segments of the youngest life, in the order in which they were written.
func (s *Store) loadSegments() {
	type found struct {
		seg  *segment
		life string
	}
	var all []found
	b := make([]byte, headerSize)
	for i := range s.slots {
		if _, err := s.file.ReadAt(b, s.base(i)); err != nil {
			continue
		}
		if life, number, ok := decodeHeader(b); ok {
			all = append(all, found{&segment{slot: i, number: number, seed: seedOf(life, number), old: s.super.slot}, life})
		}
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.seg.number, b.seg.number) })
	if len(all) == 0 {
		return
	}
	last := all[len(all)-1]
	s.kept, s.at, s.next = last.life, last.seg.slot, last.seg.number+1
	used := 0
	for _, x := range all {
		s.inSlot[x.seg.slot].Store(x.seg)
		if x.life != s.kept {
			continue
		}
		used++
		s.slots[x.seg.slot].Store(x.seg)
		s.loadTrailer(x.seg)
	}
	s.makeRoom()
	for _, x := range all {
		if x.life == s.kept && !s.loadTable(x.seg) {
			s.scan(x.seg)
		}
	}
	s.lapped.Store(used == len(s.slots))
	s.goOn(last.seg)
}

// loadTrailer reads a segment's trailer, if it has one.
func (s *Store) loadTrailer(g *segment) {
	b := make([]byte, trailerSize)
	if _, err := s.file.ReadAt(b, s.base(g.slot)+s.super.slot-trailerSize); err != nil {
		return
	}
	if t, ok := decodeTrailer(b, g.number, g.seed, s.super.slot); ok {
		g.trailer, g.complete, g.end = t, true, t.end
	}
}

// makeRoom in the index for all entries of all tables.
func (s *Store) makeRoom() {
	n := int64(0)
	for i := range s.slots {
		if g := s.slots[i].Load(); g != nil {
			n += g.trailer.size / entrySize
		}
	}
	for i := range s.shards {
		s.shards[i].index.makeRoom(int(n / shards))
	}
}

// loadTable reads the table of a segment that has a trailer.
func (s *Store) loadTable(g *segment) bool {
	t := g.trailer
	if !g.complete {
		return false
	}
	table, err := s.section(g, t.end+t.views, t.size, t.tabSum)
	if err != nil {
		g.complete = false
		return false
	}
	for ; len(table) > 0; table = table[entrySize:] {
		if e := readEntry(table); e.fits(t.end) {
			s.found(g, e)
		}
	}
	s.sawMark(t.mark)
	return true
}

// found puts an entry into the index. It is later than all that were found before.
func (s *Store) found(g *segment, e entry) {
	x := &s.shard(e.hash).index
	if e.size == 0 {
		s.gone(x.remove(e.hash, 0))
		return
	}
	at := placeOf(g.slot, e.off, e.size)
	s.objects.Add(1)
	s.bytes.Add(at.size())
	s.gone(x.put(e.hash, at))
}

func (s *Store) sawMark(m Mark) {
	if m.Seq > s.latest.Seq {
		s.latest = m
	}
}

// scan reads a segment that was not completed, record by record. Behind one that is not whole it looks for the
// next that is: a power cut may have lost what was written first and kept what came after it.
func (s *Store) scan(g *segment) {
	b := make([]byte, s.super.slot)
	n, err := s.file.ReadAt(b, s.base(g.slot))
	if err != nil && !errors.Is(err, io.EOF) {
		s.counts.failures.Add(1)
	}
	b = b[:n]
	g.end, g.views, g.table, g.distributions = headerSize, nil, nil, map[string]bool{}
	for at := int64(headerSize); at < int64(len(b)); {
		f, ok := openFrame(b[at:], g.seed)
		if !ok || !s.scanned(g, f, b[at:], at) {
			at += unit
			continue
		}
		at += padded(frameSize + f.size)
		g.end = at
	}
}

// scanned takes up a record that stands at a place of a segment, unless it is none.
func (s *Store) scanned(g *segment, f frame, b []byte, at int64) bool {
	e := entry{hash: f.hash}
	if f.size > 0 {
		e.off, e.size = at, frameSize+f.size
		rec, err := record.Open(b[frameSize:e.size])
		if err != nil {
			return false
		}
		o := rec.Object(zero, nil)
		g.views = appendView(g.views, e, viewOf(o))
		g.distributions[o.Distribution] = true
	}
	g.table = e.append(g.table)
	s.found(g, e)
	s.sawMark(f.mark)
	return true
}

// goOn lets the last segment be written on, so that many short runs do not leave as many nearly empty ones.
func (s *Store) goOn(g *segment) {
	if g.complete {
		views, err := s.readViews(g)
		if err != nil {
			return
		}
		table, err := s.tableOf(g)
		if err != nil {
			return
		}
		// Its trailer would still be believed if the process were killed after more had been written.
		if _, err := s.file.WriteAt(make([]byte, trailerSize), s.base(g.slot)+s.super.slot-trailerSize); err != nil {
			return
		}
		g.views, g.table, g.complete, g.distributions = views, table, false, map[string]bool{}
		for len(views) > 0 {
			v, ok := readView(views)
			if !ok {
				break
			}
			_, d := v.rec.Names()
			g.distributions[d], views = true, views[v.octets:]
		}
	}
	g.old = g.end
	s.open = g
}
