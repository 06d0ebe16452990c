package memory

import (
	"bytes"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/stripe"
)

// Get returns the object under key, or nil, and counts the use. It takes no lock.
func (s *Store) Get(key []byte) *cache.Object { return s.take(view(key), 0, true) }

// Peek is Get without counting the use.
func (s *Store) Peek(key []byte) *cache.Object { return s.take(view(key), 0, false) }

// Fetch implements cache.Keeper.
func (s *Store) Fetch(key string, serial uint64) *cache.Object { return s.take(key, serial, false) }

// take copies an object out of the store: any of that key, if serial is 0.
func (s *Store) take(key string, serial uint64, use bool) *cache.Object {
	hash := s.hash(key)
	sh := s.shard(hash)
	here := stripe.Here()
	parity := s.guard.enter(here)
	slot, _, e := s.find(sh.tab.Load(), s.tag(hash), key)
	var out *outer
	if slot != nil && e.tail() == outerTail {
		if out = sh.body(e); out == nil {
			slot = nil // it has just gone
		}
	}
	if slot == nil || serial != 0 && e.serial() != serial {
		s.guard.leave(here, parity)
		return nil
	}
	if use {
		e.use()
	}
	o := s.object(record.Record(bytes.Clone(e.rec)), out)
	e.mark.Give(o)
	o.Serial = e.serial()
	if f := e.far(); f != nil {
		o.Far, o.Length = f.where(), int64(e.rec.BodySize())
	}
	s.guard.leave(here, parity)
	return o
}

// object decodes a record that is in the heap.
func (s *Store) object(r record.Record, out *outer) *cache.Object {
	var body []byte
	if out != nil {
		body = out.body
	}
	o := r.Object(s.since, body)
	if out != nil {
		o.Pages = out.pages
	}
	o.Epoch, o.Distribution = s.epochs.name(uint32(r.Epoch())), s.ids.name(r.Distribution())
	o.Keeper = s
	return o
}

// Lend implements cache.Lender. It takes no lock and allocates nothing.
func (s *Store) Lend(stripe uint32, key []byte, v *cache.View) bool {
	hash := s.hash(view(key))
	sh := s.shard(hash)
	parity := s.guard.enter(stripe)
	slot, _, e := s.find(sh.tab.Load(), s.tag(hash), view(key))
	if slot == nil || !s.show(sh, e, v) {
		s.guard.leave(stripe, parity)
		return false
	}
	v.Loan = cache.Loan{Record: e.rec, Stripe: stripe, Parity: parity, Subject: s.subject}
	e.use()
	return true
}

// Return implements cache.Lender.
func (s *Store) Return(v *cache.View) { s.guard.leave(v.Loan.Stripe, v.Loan.Parity) }

// show lets v refer to the entry; false: it has just gone.
func (s *Store) show(sh *shard, e entry, v *cache.View) bool {
	r := e.rec
	v.Body, v.Pages, v.Kept, v.Size, v.Far, v.Proved = r.Body(), nil, false, int64(r.BodySize()), cache.Far{}, nil
	switch e.tail() {
	case farTail:
		f := e.far()
		v.Far, v.Proved = f.where(), &f.proved
	case outerTail:
		out := sh.body(e)
		if out == nil {
			return false
		}
		v.Body, v.Pages, v.Kept = out.body, out.pages, true
	}
	v.Status, v.Stamp, v.FetchStart, v.Fresh = r.Status(), r.Stamp(), r.FetchStart(), r.Fresh(s.since)
	v.Block, v.Block2, v.ContentType = r.Head(), r.Head2(), r.ContentType()
	v.Epoch, v.Mark = s.epochs.name(uint32(r.Epoch())), e.mark
	return true
}

// NoteUsed implements cache.Keeper.
func (s *Store) NoteUsed(key string, serial, hits uint64) {
	s.note(key, serial, func(m *cache.Mark) { m.AddHits(hits) })
}

// NoteChecked implements cache.Keeper.
func (s *Store) NoteChecked(key string, serial, seq uint64) {
	s.note(key, serial, func(m *cache.Mark) { m.SetChecked(seq) })
}

// NoteMarked implements cache.Keeper.
func (s *Store) NoteMarked(key string, serial uint64) (first bool) {
	s.note(key, serial, func(m *cache.Mark) { first = m.SetMarked() })
	return first
}

func (s *Store) note(key string, serial uint64, change func(*cache.Mark)) {
	hash := s.hash(key)
	here := stripe.Here()
	parity := s.guard.enter(here)
	if slot, _, e := s.find(s.shard(hash).tab.Load(), s.tag(hash), key); slot != nil && e.serial() == serial {
		change(e.mark)
	}
	s.guard.leave(here, parity)
}
