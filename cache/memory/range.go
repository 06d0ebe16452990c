package memory

import (
	"unsafe"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/record"
	"github.com/warmfront/warmfront/internal/stripe"
)

// rangeLines is of how many lines of the table Range looks at the entries in one go.
const rangeLines = 8

// Range goes through the tags, for an entry keeps its tag wherever it is moved and however often the table is
// made anew. What it shows it has copied: no visit keeps anybody from using memory again.
func (s *Store) Range(visit func(*cache.Sight) bool) { s.Skim(nil, visit, nil) }

// Skim implements cache.Store. It asks of everything.
func (s *Store) Skim(passes func(*cache.Glimpse) bool, visit func(*cache.Sight) bool, on func(looked int) bool) {
	b := batch{passes: passes, glimpse: cache.Glimpse{Loan: cache.Loan{Subject: s.subject}}}
	for i := range s.shards {
		for tag := uint64(0); tag < 1<<tagBits; {
			tag = s.glance(&s.shards[i], tag, &b)
			for j := range b.sights[:b.n] {
				if !visit(&b.sights[j]) {
					return
				}
			}
			if on != nil && !on(len(b.found)) {
				return
			}
		}
	}
}

// batch is what is looked at in one go. Its memory is used again.
type batch struct {
	passes  func(*cache.Glimpse) bool // nil: nothing does
	glimpse cache.Glimpse
	found   []uint64 // locations of all
	n       int      // of sights: of those that are shown next
	sights  []cache.Sight
	text    []byte
	warmed  byte // see warm
}

// glance finds the entries with tags from first on, copies what is to be seen of those that do not pass, and returns the tag to go
// on from.
func (s *Store) glance(sh *shard, first uint64, b *batch) (next uint64) {
	here := stripe.Here()
	parity := s.guard.enter(here)
	defer s.guard.leave(here, parity)
	t := sh.tab.Load()
	b.found, b.n, b.text = b.found[:0], 0, b.text[:0]
	from := t.home(first)
	to := min(from+rangeLines, len(t.lines))
	next = t.begins(to)
	for at, seen := from, 0; seen < len(t.lines); at, seen = t.after(at), seen+1 {
		l := &t.lines[at]
		for i := range l {
			if w := l[i].Load(); taken(w) && tagOf(w) >= first && tagOf(w) < next {
				b.found = append(b.found, locationOf(w))
			}
		}
		if seen >= to-from-1 && l.empties() {
			break // entries that found their lines full cannot lie beyond
		}
	}
	s.warm(b)
	for _, loc := range b.found {
		if e := s.field.entry(loc); b.passes == nil || !b.passes(s.glimpse(e, &b.glimpse)) {
			s.see(sh, e, b)
		}
	}
	return next
}

// warm reads an octet of each line of memory that will be needed of the entries found. They lie anywhere, and the processor's caches have few of
// them: read one after the other, with something to be decided by each before the next, they are what a walk consists of. Here no read
// waits for another.
func (s *Store) warm(b *batch) {
	for _, loc := range b.found {
		p := s.field.at(loc)
		b.warmed += *(*byte)(unsafe.Add(p, markSize)) + *(*byte)(unsafe.Add(p, markSize+record.HeadSize))
	}
	for _, loc := range b.found {
		b.warmed += s.field.entry(loc).rec.Touch()
	}
}

// glimpse sets g to the entry.
func (s *Store) glimpse(e entry, g *cache.Glimpse) *cache.Glimpse {
	g.Distribution, g.Epoch = s.ids.name(e.rec.Distribution()), s.epochs.name(uint32(e.rec.Epoch()))
	g.Stamp, g.Status, g.Mark, g.Loan.Record = e.rec.Stamp(), e.rec.Status(), e.mark, e.rec
	return g
}

// begins is the least tag whose home is that line.
func (t *table) begins(l int) uint64 {
	if l == len(t.lines) {
		return 1 << tagBits
	}
	n := uint64(len(t.lines))
	return (uint64(l)<<tagBits + n - 1) / n
}

// see adds an entry to the batch.
func (s *Store) see(sh *shard, e entry, b *batch) {
	if b.n == len(b.sights) {
		b.sights = append(b.sights, cache.Sight{Keeper: s})
	}
	v := &b.sights[b.n]
	b.n++
	r := e.rec
	v.Key = b.copied(e.key())
	v.Distribution, v.Epoch = s.ids.name(r.Distribution()), s.epochs.name(uint32(r.Epoch()))
	v.Stamp, v.Status, v.Size, v.Stored = r.Stamp(), r.Status(), int64(r.BodySize()), r.Fresh(s.since).Stored
	v.Hits, v.Seen, v.Serial = e.mark.Hits(), e.mark.Checked(), e.serial()
	r.Subject(s.since, &v.Subject)
	v.Subject.Path, v.Subject.Alias, v.Subject.Query = b.copied(v.Subject.Path), b.copied(v.Subject.Alias), b.copied(v.Subject.Query)
	v.Subject.Host, v.Subject.ContentType = b.copied(v.Subject.Host), b.copied(v.Subject.ContentType)
	for i, tag := range v.Subject.Tags {
		v.Subject.Tags[i] = b.copied(tag)
	}
}

// copied is a string with octets of the batch's own.
func (b *batch) copied(s string) string {
	if cap(b.text)-len(b.text) < len(s) {
		b.text = make([]byte, 0, max(4<<10, 2*cap(b.text), len(s))) // the strings so far keep the old one
	}
	at := len(b.text)
	b.text = append(b.text, s...)
	return view(b.text[at:])
}
