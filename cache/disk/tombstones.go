package disk

import "sync"

// tombstones are those that are to be written. They are not given up as objects are where the queue is full or the disk fails, or what was
// forgotten would be back after the next start. Each is of what the index had, or was on its way there: so they are no more than there
// are objects, and take 8 octets each.
type tombstones struct {
	mu     sync.Mutex
	life   *life         // that they are of
	hashes []uint64      // in the order in which they were forgotten
	some   chan struct{} // capacity 1: there are some where there were none
}

// owe lets a tombstone be written for what is in the index no more. It may be called with a shard's mu.
func (s *Store) owe(hash uint64) {
	t := &s.owed
	t.mu.Lock()
	defer t.mu.Unlock()
	l := s.life.Load()
	if l == nil {
		return // there is no mark that it could have
	}
	if t.life != l { // nothing of another life is found any more
		s.queued.Add(-frameSize * int64(len(t.hashes)))
		t.life, t.hashes = l, nil
	}
	t.hashes = append(t.hashes, hash)
	s.queued.Add(frameSize)
	if len(t.hashes) == 1 {
		select {
		case t.some <- struct{}{}:
		default:
		}
	}
}

// renounce takes a record out of the index for good: it cannot be read now, but perhaps at the next start, when its key may have
// been forgotten.
func (s *Store) renounce(hash uint64, at place) bool {
	was := s.lost(hash, at)
	if was {
		s.owe(hash)
	}
	return was
}

// bury writes the tombstones that are owed, but for what has been written anew meanwhile: that is younger than what is gone, and
// found instead of it. The buffer is empty, or what is in it would be in front of its tombstone. It returns false where the disk is
// left alone: they wait.
func (w *writer) bury() bool {
	s := w.s
	t := &s.owed
	t.mu.Lock()
	if len(t.hashes) > 0 && !s.writes.well() {
		t.mu.Unlock()
		return false
	}
	l, hashes := t.life, t.hashes
	t.hashes = nil
	t.mu.Unlock()
	for _, hash := range hashes {
		sh := s.shard(hash)
		sh.mu.Lock()
		anew := sh.index.get(hash) != 0
		sh.mu.Unlock()
		if anew {
			s.queued.Add(-frameSize)
			continue
		}
		w.take(&item{hash: hash, life: l, size: frameSize, queued: frameSize})
	}
	w.flush()
	return true
}
