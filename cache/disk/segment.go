package disk

import (
	"sync/atomic"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
)

// segment is what lies in a slot. Its records are found by the index; the segment knows what invalidations
// want of them.
type segment struct {
	slot   int
	number uint64 // they count up, over all slots
	seed   uint32
	old    int64 // up to where it was there when the file was opened

	users [stripes]inUse // who sends from it; see part.go
	sent  atomic.Bool    // somebody has

	// swept is up to which number of the journal all its objects were found alive: those that the index still has.
	swept atomic.Uint64

	// Guarded by Store.mu. end is where the records end. views and table grow while the segment is open, and
	// what has been appended does not change; after that they are in the file.
	life          *life // nil: nobody's yet
	end           int64
	views, table  []byte
	complete      bool
	trailer       trailer
	distributions map[string]bool // whose objects are in it; nil: not known
}

// base is where the slot begins in the file.
func (s *Store) base(slot int) int64 { return slotsAt + int64(slot)*s.super.slot }

// sweptSegment is a segment, and up to where what is in it was found alive. A sweep takes out what is dead before it says so: what
// the index had in the segment when that was looked up is alive up to there, and what a later look says holds only for what
// is in the index by then. So it is read with the index and its shard's mu, and goes with what is found.
type sweptSegment struct {
	*segment // nil: there is none
	upTo     uint64
}

// segmentOf is where a place in the index lies. With its shard's mu.
func (s *Store) segmentOf(at place) (g sweptSegment) {
	if g.segment = s.slots[at.slot()].Load(); g.segment != nil {
		g.upTo = g.swept.Load()
	}
	return g
}

// read fetches the record at a place, and forgets it if it is not what was written. With now it does not wait for the
// disk: ok is false if it would have to.
func (s *Store) read(seg sweptSegment, hash uint64, at place, now bool) (_ *cache.Object, ok bool) {
	if seg.segment == nil {
		return nil, true
	}
	buf := make([]byte, min(at.size(), s.super.slot-at.off()))
	if now {
		if !s.quick.ReadNow(buf, s.base(seg.slot)+at.off()) {
			return nil, false
		}
	} else if _, err := s.file.ReadAt(buf, s.base(seg.slot)+at.off()); err != nil {
		s.counts.failures.Add(1)
		s.reads.failed(err)
		if at &^= uses; s.unread.Swap(uint64(at)) == uint64(at) {
			s.renounce(hash, at) // it is this one, and not the disk: what is asked for again and again would have that left alone for ever
		}
		return nil, true
	}
	s.reads.worked()
	o, err := seg.decode(buf, hash, at.off())
	if err != nil {
		s.spoiled(seg.segment, hash, at)
		return nil, true
	}
	o.Keeper, o.Serial = s, uint64(at&^uses)
	return o, true
}

// decode makes an object of a record of this segment. It refers to buf.
func (g sweptSegment) decode(buf []byte, hash uint64, off int64) (*cache.Object, error) {
	f, ok := openFrame(buf, g.seed)
	if !ok || f.hash != hash {
		return nil, errBroken
	}
	rec, err := record.Open(buf[frameSize : frameSize+f.size])
	if err != nil {
		return nil, err
	}
	return g.object(rec, off), nil
}

func (g sweptSegment) object(rec record.Record, off int64) *cache.Object {
	o := rec.Object(zero, nil)
	if off < g.old {
		o.FetchStart = LongAgo
	}
	o.SetChecked(g.upTo)
	return o
}

// lost takes a record out of the index.
func (s *Store) lost(hash uint64, at place) bool {
	sh := s.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	was := sh.index.remove(hash, at)
	s.gone(was)
	return was != 0
}
