package disk

import (
	"context"
	"slices"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/message"
)

const (
	// batch is up to how many octets are written at once; one object may be more.
	batch = 1 << 20
	// linger is Config.Linger by default. The kernel keeps what is written at once in pieces of up to that size, aligned by it, and
	// what lies in few pieces is sent with less work: a body of 100 KiB for 6 % less than one that was written alone.
	linger = 100 * time.Millisecond
)

// enqueue lets an object be written, and be found from now on. It returns false when there
// is no room.
func (s *Store) enqueue(it *item) bool {
	it.queued = it.size
	if s.queued.Add(it.size) > s.cfg.Queue {
		s.queued.Add(-it.size)
		return false
	}
	sh := s.shard(it.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	select {
	case s.queue <- it: // whoever takes it waits for the lock
	default:
		s.queued.Add(-it.size)
		return false
	}
	if s.life.Load() == it.life {
		s.await(sh, it)
	}
	return true
}

// await puts an object where it is found until it is written, in place of what was there. With sh.mu.
func (s *Store) await(sh *shard, it *item) {
	s.gone(sh.index.remove(it.hash, 0))
	if sh.pending[it.hash] != nil {
		s.objects.Add(-1)
	}
	it.serial = s.serial.Add(1) | pendingSerial
	sh.pending[it.hash] = it
	s.objects.Add(1)
}

// Run writes what is put until ctx ends; then what waits is written as well, and the segment is completed.
// It has no other goroutine.
func (s *Store) Run(ctx context.Context) error {
	w := &writer{s: s}
	late := time.NewTimer(s.cfg.Linger)
	defer late.Stop()
	for {
		select {
		case it := <-s.queue:
			first := len(w.wrote) == 0
			w.take(it)
			switch {
			case s.cfg.Linger < 0 && len(s.queue) == 0:
				w.flush()
			case first:
				late.Reset(s.cfg.Linger)
			}
		case <-s.owed.some:
			late.Reset(max(s.cfg.Linger, 0))
		case <-late.C:
			w.flush()
			if !w.bury() {
				late.Reset(leastPause)
			}
		case <-ctx.Done():
			for len(s.queue) > 0 {
				w.take(<-s.queue)
			}
			w.flush()
			w.bury()
			w.mark = *s.mark.Load()
			w.finish()
			return nil
		}
	}
}

// writer appends to the open segment. It belongs to Run's goroutine.
type writer struct {
	s     *Store
	seg   *segment
	end   int64  // where the next record goes
	buf   []byte // the records in front of that which are not in the file yet
	wrote []wrote
	// mark is what records get. It was read before it was looked whose life it is: after a change of that there would be one of
	// the next journal in records of the last.
	mark Mark
	// reserved is for the record that the segment was begun for, while it gets what outlives the one before in its slot.
	reserved int64

	// Where records are encoded: one that is taken, and, while room is made for it, those that are kept.
	taken, kept []byte
}

// wrote is a record in buf.
type wrote struct {
	it   *item
	at   place // 0: a tombstone
	view []byte
	e    entry
}

// take appends one item.
func (w *writer) take(it *item) {
	s := w.s
	w.mark = *s.mark.Load()
	taken := false
	defer func() {
		if !taken {
			s.queued.Add(-it.queued)
		}
	}()
	if it.life != s.life.Load() || !s.awaited(it) {
		return
	}
	if !s.writes.well() {
		s.giveUp(it)
		return
	}
	rec, vw := encode(it, &w.taken)
	if rec == nil && it.object != nil || !w.room(it.life, int64(len(rec)), int64(len(vw))) {
		s.giveUp(it)
		return
	}
	taken = true
	w.append(it, rec, vw)
	if int64(len(w.buf)) >= min(batch, s.cfg.Queue/2) {
		w.flush()
	}
}

// awaited tells whether an item is still what is to be written.
func (s *Store) awaited(it *item) bool {
	if it.object == nil {
		return true
	}
	sh := s.shard(it.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.pending[it.hash] == it
}

// unawait gives an item up, if it is still what is under its key.
func (s *Store) unawait(it *item) bool {
	sh := s.shard(it.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.pending[it.hash] != it {
		return false
	}
	delete(sh.pending, it.hash)
	s.objects.Add(-1)
	return true
}

// giveUp is for an item that cannot be written: an object is not stored, a tombstone is owed on.
func (s *Store) giveUp(it *item) {
	if it.object == nil {
		s.owe(it.hash)
		return
	}
	s.unawait(it)
}

// encode makes the record, in buf, and its view; nil for a tombstone and what has no encoding.
func encode(it *item, buf *[]byte) (rec, view []byte) {
	if it.object == nil {
		return nil, nil
	}
	rec, err := record.Form{}.Append((*buf)[:0], it.object)
	if err != nil {
		return nil, nil
	}
	if cap(rec) <= 2*batch {
		*buf = rec
	}
	return rec, viewOf(it.object)
}

// viewOf encodes what invalidations, and people, want to know of an object.
func viewOf(o *cache.Object) []byte {
	bare := cache.Object{
		Key: o.Key, Distribution: o.Distribution, Subject: o.Subject, Stamp: o.Stamp, Epoch: o.Epoch,
		FetchStart: o.FetchStart, Status: o.Status, Body: o.Body, Fresh: o.Fresh,
	}
	if is := o.Fields.Get("Content-Type"); is != "" {
		bare.Fields = message.Fields{{Name: "Content-Type", Value: is}}
	}
	b, err := record.Form{Bodiless: true}.Append(nil, &bare)
	if err != nil {
		return nil
	}
	return b
}

// room makes sure that a record of so many octets fits into the open segment, or opens the next one.
func (w *writer) room(l *life, rec, view int64) bool {
	s := w.s
	need := needs(rec, view)
	if s.super.slot < headerSize+need+trailerSize {
		return false
	}
	if w.seg == nil { // perhaps there is one from before
		s.mu.Lock()
		if w.seg = s.open; w.seg != nil {
			w.end = w.seg.end
		}
		s.mu.Unlock()
	}
	if w.seg != nil && w.seg.life == l && w.left() >= need {
		return true
	}
	w.flush()
	w.finish()
	return w.begin(l, need)
}

// left is how many octets there are for a record with its view and its entry.
func (w *writer) left() int64 {
	views, table := int64(len(w.seg.views)), int64(len(w.seg.table))
	for i := range w.wrote {
		views, table = views+viewSize+int64(len(w.wrote[i].view)), table+entrySize
	}
	return w.s.super.slot - trailerSize - w.end - views - table - w.reserved
}

// A body of leastPaged octets or more begins with a page, or less than 8 octets behind where one begins, unless its record is the
// last one that its segment has room for. What is sent from the file lies in one page less then, and in whole ones but for the last;
// what that takes is 4 KiB at most.
const (
	leastPaged = 64 << 10
	paged      = 4 << 10 // the usual page's size; it need not be the system's
)

// gap is how many octets are left free in front of a record that takes need octets with all that belongs to it.
func (w *writer) gap(it *item, need int64) int64 {
	if it.object == nil || len(it.object.Body) < leastPaged {
		return 0
	}
	body := w.end + frameSize + int64(record.HeadSize+len(it.object.Key))
	gap := padded(-body&(paged-1)) & (paged - 1)
	if w.left() < need+gap {
		return 0
	}
	return gap
}

// needs is how many octets a record takes with its view and its entry.
func needs(rec, view int64) int64 { return padded(frameSize+rec) + viewSize + view + entrySize }

// append puts a record into the buffer; there is room.
func (w *writer) append(it *item, rec, view []byte) {
	e := entry{hash: it.hash}
	var at place
	gap := w.gap(it, needs(int64(len(rec)), int64(len(view))))
	w.end += gap
	from := len(w.buf) + int(gap)
	size := frameSize + int64(len(rec))
	w.buf = slices.Grow(w.buf, int(gap+padded(size)))[:from+int(padded(size))]
	clear(w.buf[from-int(gap) : from+frameSize])
	copy(w.buf[from+frameSize:], rec)
	clear(w.buf[from+int(size):])
	f := frame{hash: it.hash, mark: w.mark, size: int64(len(rec))}
	f.seal(w.buf[from:], w.seg.seed)
	if it.object != nil {
		e.off, e.size = w.end, size
		at = placeOf(w.seg.slot, e.off, e.size)
	}
	w.end += padded(size)
	w.wrote = append(w.wrote, wrote{it, at, view, e})
}

// flush writes the buffer, and then what is in it is found there.
func (w *writer) flush() {
	if len(w.wrote) == 0 {
		return
	}
	s := w.s
	_, err := s.file.WriteAt(w.buf, s.base(w.seg.slot)+w.end-int64(len(w.buf)))
	s.counts.written.Add(uint64(len(w.buf)))
	if err != nil {
		w.failed(err)
	} else {
		s.writes.worked()
		s.publish(w)
	}
	for i := range w.wrote {
		s.queued.Add(-w.wrote[i].it.queued)
	}
	clear(w.wrote)
	w.buf, w.wrote = w.buf[:0], w.wrote[:0]
	if cap(w.buf) > 2*batch {
		w.buf = nil
	}
}

// failed gives up what is in the buffer, and the segment's rest.
func (w *writer) failed(err error) {
	s := w.s
	s.counts.failures.Add(1)
	s.writes.failed(err)
	for i := range w.wrote {
		s.giveUp(w.wrote[i].it)
	}
	s.mu.Lock()
	if s.open == w.seg {
		s.open = nil
	}
	s.mu.Unlock()
	w.seg = nil
}

// publish moves what was written from pending into the index.
func (s *Store) publish(w *writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots[w.seg.slot].Load() != w.seg {
		return // cleared meanwhile
	}
	for i := range w.wrote {
		x := &w.wrote[i]
		w.seg.table = x.e.append(w.seg.table)
		if x.at == 0 {
			continue
		}
		w.seg.views = appendView(w.seg.views, x.e, x.view)
		w.seg.distributions[x.it.object.Distribution] = true
		sh := s.shard(x.it.hash)
		sh.mu.Lock()
		if sh.pending[x.it.hash] == x.it {
			delete(sh.pending, x.it.hash)
			x.it.at = x.at
			s.gone(sh.index.put(x.it.hash, x.at))
			s.bytes.Add(x.at.size())
		}
		sh.mu.Unlock()
	}
	w.seg.end = w.end
}

// finish completes the open segment: what invalidations want, the table, and the trailer.
func (w *writer) finish() {
	s, seg := w.s, w.seg
	if seg == nil {
		s.mu.Lock()
		seg, s.open = s.open, nil
		s.mu.Unlock()
	}
	w.seg = nil
	if seg == nil || s.slots[seg.slot].Load() != seg || !s.writes.well() {
		return
	}
	t := trailer{
		mark: w.mark, end: seg.end, views: int64(len(seg.views)), viewsSum: sum(seg.seed, seg.views),
		size: int64(len(seg.table)), tabSum: sum(seg.seed, seg.table),
	}
	if t.end+t.views+t.size > s.super.slot-trailerSize {
		return // of a file that was made to be so; the next start reads the records
	}
	base := s.base(seg.slot)
	_, err := s.file.WriteAt(slices.Concat(seg.views, seg.table), base+t.end)
	if err == nil {
		_, err = s.file.WriteAt(t.encode(seg.number, seg.seed), base+s.super.slot-trailerSize)
	}
	s.counts.written.Add(uint64(t.views + t.size + trailerSize))
	if err == nil {
		// Not for safety, nothing relies on an order: but here it is heard when the disk has lost what it took.
		err = s.file.Sync()
	}
	if err != nil {
		s.counts.failures.Add(1)
		s.writes.failed(err)
		return // the views stay in memory
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == seg {
		s.open = nil
	}
	seg.complete, seg.trailer, seg.views, seg.table = true, t, nil, nil
}

// begin opens the next segment, in the slot of the oldest, for a record that takes need octets with all that belongs to it.
func (w *writer) begin(l *life, need int64) bool {
	s := w.s
	s.mu.Lock()
	at, number := s.target(), s.next
	old := s.slots[at].Load()
	s.mu.Unlock()
	var kept []*item
	if old != nil {
		s.lapped.Store(true)
		kept = s.evict(old)
	}
	seg := &segment{slot: at, number: number, life: l, seed: seedOf(l.name, number), end: headerSize, distributions: map[string]bool{}}
	err := s.vacate(at)
	if err == nil {
		_, err = s.file.WriteAt(encodeHeader(l.name, number), s.base(at))
	}
	if err != nil {
		s.counts.failures.Add(1)
		s.writes.failed(err)
		for _, it := range kept {
			s.unawait(it)
		}
		return false
	}
	s.mu.Lock()
	if s.life.Load() != l {
		s.mu.Unlock()
		return false
	}
	s.inSlot[at].Store(seg)
	s.slots[at].Store(seg)
	s.open, s.at, s.next = seg, at, number+1
	s.mu.Unlock()
	w.seg, w.end, w.reserved = seg, headerSize, need
	for _, it := range kept {
		w.keep(it)
	}
	w.reserved = 0
	return true
}
