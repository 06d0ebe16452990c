package disk

import (
	"sync/atomic"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/stripe"
)

// What lies in the kernel's memory can be read on the spot, without a goroutine that may have to wait (Quick). So of an
// object whose head is in memory the body can be left here: a cache.Far says where it is. Its words are the record's place
// and the number of the segment that was there, which is in no slot any more when something else has been written over it.

const stripes = 8

// near is a part of the counts of what was read on the spot, for a core of its own.
type near struct {
	hits atomic.Uint64
	_    [56]byte
}

// Far says where the object's body lies; the zero Far for what has no place yet, or where nothing can be had at once.
func (r Ref) Far() cache.Far {
	if r.s == nil || r.it != nil || r.s.quick == nil {
		return cache.Far{}
	}
	return cache.Far{Place: uint64(r.at &^ uses), Time: r.number}
}

// FindNow is Find without waiting for the disk. It returns false where that cannot be told without waiting; objects
// of more than most octets are as if they had to be waited for.
func (s *Store) FindNow(key []byte, most int64) (o *cache.Object, ref Ref, ok bool) {
	if o, ref, ok = s.find(s.life.Load(), key, true, most); ok {
		s.asked(o)
	}
	return o, ref, ok
}

// PeekNow is to Peek what FindNow is to Find.
func (s *Store) PeekNow(key []byte, most int64) (o *cache.Object, ok bool) {
	o, _, ok = s.find(s.life.Load(), key, false, most)
	return o, ok
}

// ReadNow reads the body that lies at far, of the object that was stored under key, into buf, of which it needs a little
// more than size; it makes a larger one where that is too small. It is compared with its sum. ok is false where the
// body is not there any more, not in the kernel's memory, or not what was written; it takes no lock.
func (s *Store) ReadNow(far cache.Far, key []byte, size int64, buf []byte) (body, grown []byte, ok bool) {
	at := place(far.Place)
	seg := s.segmentAt(far)
	if seg == nil || !s.reads.well() {
		return nil, buf, false
	}
	n := int(min(at.size(), s.super.slot-at.off()))
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	if buf = buf[:n]; !s.quick.ReadNow(buf, s.base(seg.slot)+at.off()) {
		return nil, buf, false
	}
	f, ok := openFrame(buf, seg.seed)
	if !ok {
		s.spoiled(seg, s.hash(key), at)
		return nil, buf, false
	}
	rec := record.Record(buf[frameSize : frameSize+f.size]) // the sum vouches for it
	if body = rec.Body(); string(rec.Key()) != string(key) || int64(len(body)) != size {
		return nil, buf, false
	}
	s.near[stripe.Here()%stripes].hits.Add(1)
	return body, buf, true
}

// segmentAt is the one that a body lies in, nil when it has gone.
func (s *Store) segmentAt(far cache.Far) *segment {
	if s.quick == nil {
		return nil
	}
	if seg := s.slots[place(far.Place).slot()].Load(); seg != nil && seg.number == far.Time {
		return seg
	}
	return nil
}

// spoiled forgets a record that is not what was written, unless its segment has just been written over.
func (s *Store) spoiled(seg *segment, hash uint64, at place) {
	if s.slots[at.slot()].Load() == seg && s.renounce(hash, at) {
		s.counts.damaged.Add(1)
	}
}
