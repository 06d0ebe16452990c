package disk

import (
	"sync"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
)

// Records whose bodies are not wanted here are compared with their sums piece by piece, in memory that the core has at hand.

// piece is how much of a record is read at once.
const piece = 32 << 10

var pieces = sync.Pool{New: func() any { return new([piece]byte) }}

// pass is one record that is compared with its sum while it passes.
type pass struct {
	key  []byte
	hash uint64
	size int64 // that the body must have; below 0: any

	// What is kept of it, with keep: all but the body, which lies between from and to.
	keep     bool
	octets   []byte
	from, to int64
}

// begins looks at the beginning of the record.
func (p *pass) begins(f *frame, rec []byte) bool {
	if p.size < 0 {
		p.size = record.BodySize(rec)
	}
	if !record.Begins(rec, p.key, p.size) || p.keep && f.hash != p.hash {
		return false
	}
	p.from = int64(record.HeadSize + len(p.key))
	if p.to = p.from + p.size; p.keep && p.to <= f.size {
		p.octets = make([]byte, 0, f.size-p.size)
	}
	return p.to <= f.size
}

// take keeps what it is to keep of the octets from off on.
func (p *pass) take(b []byte, off int64) {
	if n := p.from - off; n > 0 {
		p.octets = append(p.octets, b[:min(n, int64(len(b)))]...)
	}
	if n := p.to - off; n < int64(len(b)) {
		p.octets = append(p.octets, b[max(n, 0):]...)
	}
}

// compare reads the record at a place, and tells whether it is what p expects, and what was written. It does not wait for the
// disk. What it finds to be damaged it forgets.
func (s *Store) compare(seg *segment, at place, p *pass) bool {
	b := pieces.Get().(*[piece]byte)
	defer pieces.Put(b)
	from, end := s.base(seg.slot)+at.off(), min(at.size(), s.super.slot-at.off())
	first := b[:min(end, piece)]
	if !s.quick.ReadNow(first, from) {
		return false
	}
	f, want, ok := readFrame(first)
	if end = frameSize + f.size; !ok || end > at.size() || !p.begins(&f, first[frameSize:]) {
		return false // who loads it finds out why
	}
	next := first[:min(end, piece)]
	got := sum(seg.seed, next[8:])
	if p.keep {
		p.take(next[frameSize:], 0)
	}
	for done := int64(len(next)); done < end; done += int64(len(next)) {
		next = b[:min(end-done, piece)]
		if !s.quick.ReadNow(next, from+done) {
			return false
		}
		got = sum(got, next)
		if p.keep {
			p.take(next, done-frameSize)
		}
	}
	if got != want {
		s.spoiled(seg, s.hash(p.key), at)
		return false
	}
	return true
}

// prove compares a record with its sum, and with what it is expected to be.
func (s *Store) prove(seg *segment, at place, key []byte, size int64) bool {
	return s.compare(seg, at, &pass{key: key, size: size})
}

// FindHead is FindNow of an object whose body can be lent, and has least octets at least and most at most: the object has its
// Length only. Anything else is as if it had to be waited for.
func (s *Store) FindHead(key []byte, least, most int64) (o *cache.Object, ref Ref, ok bool) {
	l := s.life.Load()
	if l == nil || !s.sends || !s.reads.well() {
		return nil, ref, false
	}
	p := pass{key: key, hash: s.hash(key), size: -1, keep: true}
	sh := s.shard(p.hash)
	sh.mu.Lock()
	at := sh.index.get(p.hash)
	if at == 0 || at.size() < least || at.size() > most+piece || sh.pending[p.hash] != nil {
		sh.mu.Unlock()
		return nil, ref, false
	}
	sh.index.use(p.hash)
	seg := s.segmentOf(at)
	sh.mu.Unlock()
	if seg.segment == nil || !s.compare(seg.segment, at, &p) || p.size < least || p.size > most {
		return nil, ref, false
	}
	rec, err := record.Cut(p.octets)
	if err != nil {
		return nil, ref, false
	}
	if o = seg.object(rec, at.off()); o.Epoch != l.name {
		return nil, ref, false
	}
	o.Length, o.Keeper, o.Serial = p.size, s, uint64(at&^uses)
	return o, Ref{s: s, hash: p.hash, at: at, number: seg.number}, true
}
