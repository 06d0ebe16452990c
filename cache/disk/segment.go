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

	// swept is up to which number of the journal all its objects were found alive.
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

// read fetches the record at a place, and forgets it if it is not what was written. With now it does not wait for the
// disk: ok is false if it would have to. It also returns the number of the segment.
func (s *Store) read(hash uint64, at place, now bool) (_ *cache.Object, number uint64, ok bool) {
	seg := s.slots[at.slot()].Load()
	if seg == nil {
		return nil, 0, true
	}
	buf := make([]byte, min(at.size(), s.super.slot-at.off()))
	if now {
		if !s.quick.ReadNow(buf, s.base(seg.slot)+at.off()) {
			return nil, 0, false
		}
	} else if _, err := s.file.ReadAt(buf, s.base(seg.slot)+at.off()); err != nil {
		s.counts.failures.Add(1)
		s.reads.failed(err)
		return nil, 0, true
	}
	s.reads.worked()
	o, err := seg.decode(buf, hash, at.off())
	if err != nil {
		s.spoiled(seg, hash, at)
		return nil, 0, true
	}
	o.Keeper, o.Serial = s, uint64(at&^uses)
	return o, seg.number, true
}

// decode makes an object of a record of this segment. It refers to buf.
func (g *segment) decode(buf []byte, hash uint64, off int64) (*cache.Object, error) {
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

func (g *segment) object(rec record.Record, off int64) *cache.Object {
	o := rec.Object(zero, nil)
	if off < g.old {
		o.FetchStart = LongAgo
	}
	o.SetChecked(g.swept.Load())
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
