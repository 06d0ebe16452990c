package memory

import (
	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/internal/stripe"
)

// rangeLines is of how many lines of the table Range looks at the entries in one go.
const rangeLines = 8

// Range goes through the tags, for an entry keeps its tag wherever it is moved and however often the table is
// made anew. What it shows it has copied: no visit keeps anybody from using memory again.
func (s *Store) Range(visit func(*cache.Sight) bool) {
	var b batch
	for i := range s.shards {
		for tag := uint64(0); tag < 1<<tagBits; {
			tag = s.glance(&s.shards[i], tag, &b)
			for j := range b.sights[:b.n] {
				if !visit(&b.sights[j]) {
					return
				}
			}
		}
	}
}

// batch is what is shown next. Its memory is used again.
type batch struct {
	n      int
	sights []cache.Sight
	text   []byte
}

// glance copies what is to be seen of the entries with tags from first on, and returns the tag to go on from.
func (s *Store) glance(sh *shard, first uint64, b *batch) (next uint64) {
	here := stripe.Here()
	parity := s.guard.enter(here)
	defer s.guard.leave(here, parity)
	t := sh.tab.Load()
	b.n, b.text = 0, b.text[:0]
	from := t.home(first)
	to := min(from+rangeLines, len(t.lines))
	next = t.begins(to)
	for at, seen := from, 0; seen < len(t.lines); at, seen = t.after(at), seen+1 {
		l := &t.lines[at]
		for i := range l {
			if w := l[i].Load(); taken(w) && tagOf(w) >= first && tagOf(w) < next {
				s.see(sh, s.field.entry(locationOf(w)), b)
			}
		}
		if seen >= to-from-1 && l.empties() {
			break // entries that found their lines full cannot lie beyond
		}
	}
	return next
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
