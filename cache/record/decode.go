package record

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
)

// decoder reads the rest of a record, from front to back. After a mistake broken is set, and everything
// that comes is zero and empty.
type decoder struct {
	b         []byte
	key, head []byte
	flags     byte
	exact     bool // the rest says until when it is fresh
	broken    bool
}

// check reads everything and keeps nothing.
func (d *decoder) check() bool {
	d.fresh(&httpcache.Freshness{}, time.Unix(0, 0))
	d.names()
	for range 3 { // path, alias, query
		d.text()
	}
	for range d.count() {
		d.text()
	}
	n := d.count()
	if d.flags&inHead != 0 {
		for l := linesOf(d.head); n > 0 && !d.broken; n-- {
			_, ok := l.next()
			d.broken = !ok
		}
	} else {
		for range 2 * n {
			d.text()
		}
	}
	return !d.broken && len(d.b) == 0
}

// object fills in what the rest has of it.
func (d *decoder) object(o *cache.Object) {
	o.Epoch, o.Distribution = d.names()
	d.subject(&o.Subject)
	n := d.count()
	if n == 0 {
		return
	}
	o.Fields = make(message.Fields, n)
	if d.flags&inHead != 0 {
		l := linesOf(d.head)
		for i := range o.Fields {
			o.Fields[i], _ = l.next()
		}
		return
	}
	for i := range o.Fields {
		o.Fields[i] = message.Field{Name: text(d.text()), Value: text(d.text())}
	}
}

// names reads the epoch and the distribution, if they are strings.
func (d *decoder) names() (epoch, distribution string) {
	if d.flags&strings == 0 {
		return "", ""
	}
	return text(d.text()), text(d.text())
}

// subject reads it; its slice of tags is used again.
func (d *decoder) subject(s *invalidation.Subject) {
	s.Path, s.Alias, s.Query = text(d.text()), text(d.text()), text(d.text())
	s.QueryIgnored = d.flags&queryIgnored != 0
	s.Tags = s.Tags[:0]
	for range d.count() {
		s.Tags = append(s.Tags, text(d.text()))
	}
	if len(s.Tags) == 0 {
		s.Tags = nil
	}
}

// contentType reads the fields until it finds that one.
func (d *decoder) contentType() string {
	n := d.count()
	l := linesOf(d.head)
	for range n {
		var f message.Field
		if d.flags&inHead != 0 {
			f, _ = l.next()
		} else {
			f = message.Field{Name: text(d.text()), Value: text(d.text())}
		}
		if len(f.Name) == len("Content-Type") && (message.Fields{f}).Has("Content-Type") {
			return f.Value
		}
	}
	return ""
}

// fresh reads what of an object's freshness is not in the head.
func (d *decoder) fresh(f *httpcache.Freshness, since time.Time) {
	if d.flags&times != 0 {
		f.InitialAge, f.StaleWhileRevalidate = time.Duration(d.varint()), time.Duration(d.varint())
		f.StaleIfError, f.StaleIfUnreachable = time.Duration(d.varint()), time.Duration(d.varint())
	}
	if d.flags&held != 0 {
		f.HeldUntil = at(since, d.varint())
	}
	if d.exact {
		f.FreshUntil = at(since, d.varint())
	}
}

// skipFresh reads over what fresh reads.
func (d *decoder) skipFresh() {
	n := 0
	if d.flags&times != 0 {
		n = 4
	}
	if d.flags&held != 0 {
		n++
	}
	if d.exact {
		n++
	}
	for i := 0; n > 0; i++ {
		if d.b[i] < 0x80 { // the last octet of a number
			if n--; n == 0 {
				d.b = d.b[i+1:]
			}
		}
	}
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) number() int {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > math.MaxInt32 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}

// count reads how many things follow. Each takes an octet at least, unless they are lines of the head.
func (d *decoder) count() int {
	n := d.number()
	if most := max(len(d.b), len(d.head)); n > most {
		d.fail()
		return 0
	}
	return n
}

func (d *decoder) text() []byte {
	n := d.number()
	shared := n & 1
	n /= 2
	i := 0
	if shared == 1 {
		i = d.number()
	}
	from := d.b
	if shared == 1 {
		from = d.key
	}
	if i > len(from) || n > len(from)-i {
		d.fail()
		return nil
	}
	p := from[i : i+n : i+n]
	if shared == 0 {
		d.b = d.b[n:]
	}
	return p
}

func (d *decoder) fail() { d.b, d.broken = nil, true }
