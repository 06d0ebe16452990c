package disk

import (
	"encoding/binary"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/mistake"
)

// Sweep says what Range is for: to find what is dead.
type Sweep struct {
	// Life is whose numbers these are. In any other nothing is visited: they say nothing about what is there.
	Life string
	To   uint64 // visit removes what is dead by a rule up to this number
	// Since tells whether a rule above a number may mean objects of a distribution. A segment for whose
	// distributions it returns false was found alive up to there, and is passed over.
	Since func(distribution string, swept uint64) bool
	// Marked tells whether visit has left something, since it was asked last, of which a rule still has something to say:
	// then nothing in that segment counts as checked. Nil: it never has.
	Marked func() bool
}

func (s *Sweep) marked() bool { return s != nil && s.Marked != nil && s.Marked() }

// Range calls visit for every object that is there during the whole call; others may or may not be visited. visit may
// call every method, and ends the walk by returning false. sweep is nil if nothing shall be passed over. What invalidations
// need to know of a segment is read from the file; where that cannot be read, the segment is dropped: who cannot be
// visited is not there. What leaves a segment meanwhile to be written again is in neither for a time: then the walk goes
// on until nothing has, over what is new.
func (s *Store) Range(visit func(*cache.Sight) bool, sweep *Sweep) {
	l := s.life.Load()
	if l == nil || sweep != nil && sweep.Life != l.name && !mistake.Made(sweepOfAny) {
		return
	}
	for from, moved := uint64(0), uint64(0); ; {
		moved = s.moved.Load()
		var on bool
		if from, on = s.walk(l, from, visit, sweep); !on || s.moved.Load() == moved {
			return
		}
	}
}

// walk goes through what waits, and then through the segments above a number: what waits moves on into the last of them.
// It returns from where the next walk has to begin, if anything has left its segment to wait meanwhile: only what was
// complete when it was visited has got nothing since. It ends where another life begins.
func (s *Store) walk(l *life, from uint64, visit func(*cache.Sight) bool, sweep *Sweep) (next uint64, on bool) {
	for i := range s.shards {
		for _, it := range s.shards[i].waiting() {
			if !visit(s.sight(it.object, int64(len(it.object.Body)), it.serial)) {
				return from, false
			}
		}
	}
	open := false
	for seg := s.after(from); seg != nil; seg = s.after(seg.number) {
		complete, on, err := s.visit(l, seg, visit, sweep)
		if err != nil {
			s.drop(seg, err)
		} else if !on {
			return from, false
		}
		if open = open || !complete; !open {
			from = seg.number
		}
	}
	return from, true
}

func (sh *shard) waiting() (all []*item) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, it := range sh.pending {
		all = append(all, it)
	}
	return all
}

// after returns the segment with the least number above the given one.
func (s *Store) after(number uint64) (next *segment) {
	for i := range s.slots {
		if g := s.slots[i].Load(); g != nil && g.number > number && (next == nil || g.number < next.number) {
			next = g
		}
	}
	return next
}

// visit goes through one segment, and tells whether that was complete before.
func (s *Store) visit(l *life, seg *segment, visit func(*cache.Sight) bool, sweep *Sweep) (complete, on bool, err error) {
	views, complete, idle := s.views(seg, sweep)
	if idle {
		return true, true, nil
	}
	if complete {
		if views, err = s.readViews(seg); err != nil {
			return complete, false, err
		}
	}
	left := map[string]bool{}
	sweep.marked() // what was before does not count
	as := sweptSegment{seg, seg.swept.Load()}
	for len(views) > 0 {
		v, ok := readView(views)
		if !ok {
			return complete, false, errBroken
		}
		views = views[v.octets:]
		at := placeOf(seg.slot, v.off, v.size)
		if !s.isAt(v.hash, at) {
			continue
		}
		o := as.object(v.rec, v.off)
		if !visit(s.sight(o, int64(v.rec.BodySize()), uint64(at))) {
			return complete, false, nil
		}
		if complete && !left[o.Distribution] && s.isAt(v.hash, at) {
			left[o.Distribution] = true
		}
	}
	marked := sweep.marked()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Load() != l {
		return complete, false, nil // the numbers of the one before say nothing about the objects of this one
	}
	if complete && sweep != nil {
		seg.distributions = left
		if !marked {
			seg.swept.Store(max(seg.swept.Load(), sweep.To))
		}
	}
	return complete, true, nil
}

func (s *Store) isAt(hash uint64, at place) bool {
	sh := s.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.index.get(hash).same(at)
}

// views returns those of a segment that are in memory, and whether the walk may pass it over.
func (s *Store) views(seg *segment, sweep *Sweep) (views []byte, complete, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle = sweep != nil && seg.complete && seg.distributions != nil
	for d := range seg.distributions {
		idle = idle && !sweep.Since(d, seg.swept.Load())
	}
	return seg.views, seg.complete, idle
}

// readViews reads those of a complete segment.
func (s *Store) readViews(seg *segment) ([]byte, error) {
	t := seg.trailer
	return s.section(seg, t.end, t.views, t.viewsSum)
}

// section reads a part of a segment that is not its records.
func (s *Store) section(seg *segment, off, size int64, want uint32) ([]byte, error) {
	b := make([]byte, size)
	if _, err := s.file.ReadAt(b, s.base(seg.slot)+off); err != nil {
		s.counts.failures.Add(1)
		return nil, err
	}
	if sum(seg.seed, b) != want {
		return nil, errBroken
	}
	return b, nil
}

// drop forgets a whole segment.
func (s *Store) drop(seg *segment, err error) {
	if !s.slots[seg.slot].CompareAndSwap(seg, nil) {
		return // it has been written over meanwhile, and what is there now is the next one's
	}
	s.log.Warn("a segment of the disk cache cannot be read and is dropped", "segment", seg.number, "err", err)
	s.counts.damaged.Add(1)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for _, x := range append([]slot(nil), sh.index.slots...) {
			if x.at != 0 && x.at.slot() == seg.slot {
				sh.index.remove(x.hash, x.at)
				s.gone(x.at)
				s.owe(x.hash)
			}
		}
		sh.mu.Unlock()
	}
}

// view is what is known of a record beside it.
type view struct {
	entry
	rec    record.Record
	octets int // of the view
}

func appendView(b []byte, e entry, rec []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(rec)))
	return append(e.append(b), rec...)
}

// readView reads the first view of b.
func readView(b []byte) (v view, ok bool) {
	if len(b) < viewSize {
		return v, false
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n > int64(len(b)-viewSize) {
		return v, false
	}
	v = view{entry: readEntry(b[4:]), octets: viewSize + int(n)}
	rec, err := record.Open(b[viewSize:v.octets])
	v.rec = rec
	return v, err == nil && v.off < maxSegment
}
