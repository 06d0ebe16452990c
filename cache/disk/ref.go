package disk

import "github.com/warmfront/warmfront/cache"

// Ref is one object in a Store, whatever comes under its key after it.
type Ref struct {
	s    *Store
	it   *item // it was pending
	hash uint64
	at   place // it was in the index

	number uint64 // of the segment that it was read from
}

// Current tells whether the object is still what is under its key.
func (r Ref) Current() bool {
	if r.s == nil {
		return false
	}
	sh := r.s.shard(r.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if r.it == nil {
		return sh.index.get(r.hash).same(r.at)
	}
	return sh.pending[r.hash] == r.it || r.it.at != 0 && sh.index.get(r.hash).same(r.it.at)
}

// Drop removes the object if it is Current, and tells whether it was. After a restart it may be back: this is for
// objects that are dead by their stamp.
func (r Ref) Drop() bool {
	switch {
	case r.s == nil:
		return false
	case r.it == nil:
		return r.s.lost(r.hash, r.at)
	}
	if r.s.unawait(r.it) {
		return true
	}
	sh := r.s.shard(r.hash)
	sh.mu.Lock()
	at := r.it.at
	sh.mu.Unlock()
	return at != 0 && r.s.lost(r.hash, at)
}

// Drop is cache.Keeper's: Ref.Drop for what Range and Get have shown.
func (s *Store) Drop(key string, serial uint64) bool {
	hash := s.hash([]byte(key))
	if serial&pendingSerial == 0 {
		return serial != 0 && s.lost(hash, place(serial))
	}
	sh := s.shard(hash)
	sh.mu.Lock()
	it := sh.pending[hash]
	sh.mu.Unlock()
	return it != nil && it.serial == serial && s.unawait(it)
}

// Fetch is cache.Keeper's.
func (s *Store) Fetch(key string, serial uint64) *cache.Object {
	o, ref, _ := s.find(s.life.Load(), []byte(key), false, waits)
	if o == nil || serial != uint64(ref.at&^uses) && (ref.it == nil || serial != ref.it.serial) {
		return nil
	}
	return o
}

// NoteUsed is cache.Keeper's. Uses are counted where they are asked for, in memory.
func (s *Store) NoteUsed(string, uint64, uint64) {}

// NoteChecked is cache.Keeper's. Whole segments are checked; see Sweep.
func (s *Store) NoteChecked(string, uint64, uint64) {}

// NoteMarked is cache.Keeper's. There is no room for such a note.
func (s *Store) NoteMarked(string, uint64) bool { return false }

// pendingSerial marks the serials of what has no place yet.
const pendingSerial = 1 << 63

// sight shows an object.
func (s *Store) sight(o *cache.Object, size int64, serial uint64) *cache.Sight {
	return &cache.Sight{
		Key: o.Key, Distribution: o.Distribution, Epoch: o.Epoch, Subject: o.Subject, Stamp: o.Stamp, Status: o.Status, Size: size,
		Stored: o.Fresh.Stored, Hits: o.Hits.Load(), Seen: o.Checked(), Keeper: s, Serial: serial,
	}
}
