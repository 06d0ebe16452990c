package disk

import (
	"slices"
	"sync"
)

// owed are the tombstones for which the queue had no room. They are not given up as objects are, or what was forgotten would be
// back after the next start. Each is of what was in the index or on its way there and is in neither any more: so they are
// no more than there are objects, and take 8 octets each.
type owed struct {
	mu     sync.Mutex
	life   *life         // that they are of
	hashes []uint64      // in the order in which they were forgotten
	some   chan struct{} // capacity 1: there are some
}

// owe adds one. Of a life that is over none is owed.
func (s *Store) owe(l *life, hash uint64) {
	o := &s.owed
	o.mu.Lock()
	defer o.mu.Unlock()
	if l != s.life.Load() {
		return
	}
	if o.life != l {
		o.life, o.hashes = l, nil
	}
	o.hashes = append(o.hashes, hash)
	select {
	case o.some <- struct{}{}:
	default:
	}
}

// bury writes the tombstones that are owed, but for what has been written anew meanwhile: that is younger than what is forgotten, and
// found instead of it.
func (w *writer) bury() {
	o := &w.s.owed
	o.mu.Lock()
	l, hashes := o.life, o.hashes
	o.mu.Unlock()
	w.flush() // or what is being written would be in front of its tombstone
	for _, hash := range hashes {
		sh := w.s.shard(hash)
		sh.mu.Lock()
		written := sh.index.get(hash) != 0
		sh.mu.Unlock()
		if !written {
			w.take(&item{hash: hash, life: l, size: frameSize})
		}
	}
	w.flush()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.life == l {
		o.hashes = slices.Clone(o.hashes[len(hashes):]) // the rest is let go
	}
}
