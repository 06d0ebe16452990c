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

// loadSegments finds the segments of the youngest life, in the order in which they were written. Of two with one number, as there may
// be after a start at which the first of them could not be read, a walk would see one: so only that is taken.
func (s *Store) loadSegments() {
	all := s.heads()
	if len(all) == 0 {
		return
	}
	last := all[len(all)-1]
	s.kept, s.at, s.next = last.life, last.slot, last.number+1
	var kept []*segment
	for _, x := range all {
		s.inSlot[x.slot].Store(x.segment)
		if x.life == s.kept && (len(kept) == 0 || kept[len(kept)-1].number < x.number) {
			s.slots[x.slot].Store(x.segment)
			kept = append(kept, x.segment)
		}
	}
	s.makeRoom()
	s.loadTables(kept)
	s.lapped.Store(len(kept) == len(s.slots))
	s.goOn(last.segment)
}

// head is a segment that was found, and whose it is.
type head struct {
	*segment
	life string
}

// heads reads the headers and trailers of all segments. They are in the order in which they were written.
func (s *Store) heads() []head {
	all := make([]head, len(s.slots))
	atOnce(len(all), func(i int) {
		b := make([]byte, headerSize)
		if _, err := s.file.ReadAt(b, s.base(i)); err != nil {
			return
		}
		if life, number, ok := decodeHeader(b); ok {
			all[i] = head{&segment{slot: i, number: number, seed: seedOf(life, number), old: s.super.slot}, life}
			s.loadTrailer(all[i].segment)
		}
	})
	all = slices.DeleteFunc(all, func(h head) bool { return h.segment == nil })
	slices.SortFunc(all, func(a, b head) int { return cmp.Compare(a.number, b.number) })
	return all
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

// found puts an entry into the index. It is later than all that were found before.
func (s *Store) found(g *segment, e entry) {
	s.indexed(s.shard(e.hash), []slot{{e.hash, e.in(g.slot)}})
}

// indexed puts what lies in one shard into its index, in that order. The zero place: what was there is gone.
func (s *Store) indexed(sh *shard, all []slot) {
	var objects, bytes int64
	for _, x := range all {
		var old place
		if x.at == 0 {
			old = sh.index.remove(x.hash, 0)
		} else {
			old = sh.index.put(x.hash, x.at)
			objects, bytes = objects+1, bytes+x.at.size()
		}
		if old != 0 {
			objects, bytes = objects-1, bytes-old.size()
		}
	}
	s.objects.Add(objects)
	s.bytes.Add(bytes)
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
