package disk

// rewrittenPart of a segment, at most, is what outlived the one before in its slot. So the log writes at most
// 4/3 of what it takes in.
const rewrittenPart = 4

// evict empties a slot. What is worth it is read and waits to be written again: it is pending before it is out of
// the index, so that it is found all the time, also by a sweep.
func (s *Store) evict(old *segment) (kept []*item) {
	table, err := s.tableOf(old)
	if err != nil {
		s.drop(old, err)
		return nil
	}
	hot := s.hotIn(old)
	// Those that were read most often first, as far as there is room.
	var by [4][]entry
	for ; len(table) > 0; table = table[entrySize:] {
		if e := readEntry(table); e.size > 0 && e.fits(s.super.slot) {
			n := s.usesOf(e, old.slot)
			if n == 0 && hot[e.off] {
				n = 1
			}
			by[n] = append(by[n], e)
		}
	}
	budget := s.super.slot / rewrittenPart
	l := s.life.Load()
	for n := len(by) - 1; n >= 0; n-- {
		for _, e := range by[n] {
			at := placeOf(old.slot, e.off, e.size)
			if n > 0 && e.size <= budget {
				if it := s.wait(e.hash, at, l); it != nil {
					budget -= e.size
					kept = append(kept, it)
					continue
				}
			}
			if s.lost(e.hash, at) {
				s.counts.evicted.Add(1)
			}
		}
	}
	s.slots[old.slot].CompareAndSwap(old, nil)
	return kept
}

// hotIn returns the offsets of the records whose keys are asked for in memory.
func (s *Store) hotIn(old *segment) map[int64]bool {
	if s.cfg.Hot == nil {
		return nil
	}
	views, complete, _ := s.views(old, nil)
	if complete {
		var err error
		if views, err = s.readViews(old); err != nil {
			return nil
		}
	}
	hot := map[int64]bool{}
	for len(views) > 0 {
		v, ok := readView(views)
		if !ok {
			break
		}
		views = views[v.octets:]
		if s.isAt(v.hash, placeOf(old.slot, v.off, v.size)) && s.cfg.Hot(v.rec.Key()) {
			hot[v.off] = true
		}
	}
	return hot
}

// usesOf returns how often what an entry stands for has been read, up to three; 0 also if it is not there.
func (s *Store) usesOf(e entry, slot int) int {
	sh := s.shard(e.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if now := sh.index.get(e.hash); now.same(placeOf(slot, e.off, e.size)) {
		return int(now >> usesShift)
	}
	return 0
}

// wait reads an object and lets it be pending.
func (s *Store) wait(hash uint64, at place, l *life) *item {
	if l == nil {
		return nil
	}
	sh := s.shard(hash)
	sh.mu.Lock()
	seg := s.segmentOf(at)
	sh.mu.Unlock()
	o, _ := s.read(seg, hash, at, false)
	if o == nil || o.Epoch != l.name {
		return nil
	}
	it := &item{hash: hash, object: o, life: l, size: int64(len(o.Body) + len(o.Key) + frameSize)}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !sh.index.get(hash).same(at) || sh.pending[hash] != nil || s.life.Load() != l {
		return nil
	}
	s.moved.Add(1) // before it is out of its segment: see Range
	s.await(sh, it)
	return it
}

// tableOf reads the table of a segment.
func (s *Store) tableOf(g *segment) ([]byte, error) {
	s.mu.Lock()
	table, complete := g.table, g.complete
	s.mu.Unlock()
	if !complete {
		return table, nil // it is in memory: the segment was given up
	}
	return s.section(g, g.trailer.end+g.trailer.views, g.trailer.size, g.trailer.tabSum)
}

// keep writes an object once more.
func (w *writer) keep(it *item) {
	s := w.s
	if !s.awaited(it) {
		return
	}
	rec, view := encode(it, &w.kept)
	if need := needs(int64(len(rec)), int64(len(view))); rec == nil || w.seg == nil || w.left() < need {
		s.unawait(it)
		return
	}
	s.counts.rewritten.Add(uint64(len(rec)))
	w.append(it, rec, view)
	if len(w.buf) >= batch {
		w.flush()
	}
}
