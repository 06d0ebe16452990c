package record

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
)

// Append appends o's record to dst, which is allocated anew only where it is short of room. Nothing but
// the body's length is kept of an object's Pages, nothing of its Hits and of what it was checked against.
func (f Form) Append(dst []byte, o *cache.Object) ([]byte, error) {
	size := int64(len(o.Body))
	if f.Bodiless {
		size = o.Size()
	}
	if len(o.Key) > math.MaxUint16 || size > math.MaxUint32 || o.Status < 0 || o.Status > math.MaxUint16 {
		return dst, ErrTooLarge
	}
	e := encoder{from: len(dst), since: origin(f.Since)}
	e.b = append(slices.Grow(dst, HeadSize+len(o.Key)), make([]byte, HeadSize)...)
	h := e.head()
	h[0] = version
	binary.LittleEndian.PutUint16(h[2:], uint16(o.Status))
	binary.LittleEndian.PutUint32(h[8:], uint32(size))
	binary.LittleEndian.PutUint64(h[24:], o.Stamp)
	if fetch := o.FetchStart; fetch.IsZero() {
		binary.LittleEndian.PutUint64(h[32:], 1<<63)
	} else {
		binary.LittleEndian.PutUint64(h[32:], uint64(fetch.UnixNano()))
	}
	e.section(12, []byte(o.Key))
	if f.Heads && len(o.Block) <= math.MaxUint16 && len(o.Block2) <= math.MaxUint16 {
		e.section(14, o.Block)
		e.contentType(o.Fields)
	}
	if f.Bodiless {
		e.head()[1] |= elsewhere
	} else {
		e.b = append(e.b, o.Body...)
	}
	if e.u16(14) > 0 {
		e.section(16, o.Block2)
	}
	e.fresh(&o.Fresh)
	if f.Numbers {
		binary.LittleEndian.PutUint16(e.head()[18:], f.Epoch)
		binary.LittleEndian.PutUint32(e.head()[20:], f.Distribution)
	} else {
		e.head()[1] |= strings
		e.text(o.Epoch)
		e.text(o.Distribution)
	}
	e.subject(o)
	e.fields(o.Fields)
	if size = int64(len(e.b) - e.from); size > math.MaxUint32 {
		return dst, ErrTooLarge
	}
	binary.LittleEndian.PutUint32(e.head()[4:], uint32(size))
	return e.b, nil
}

// encoder writes one record behind what is in b already.
type encoder struct {
	b     []byte
	from  int
	since time.Time
}

func (e *encoder) head() []byte { return e.b[e.from : e.from+HeadSize] }

func (e *encoder) u16(at int) int { return int(binary.LittleEndian.Uint16(e.head()[at:])) }

func (e *encoder) key() []byte { return e.b[e.from+HeadSize:][:e.u16(12)] }

// section appends octets whose length stands at a place of the head.
func (e *encoder) section(at int, p []byte) {
	e.b = append(e.b, p...)
	binary.LittleEndian.PutUint16(e.head()[at:], uint16(len(p)))
}

// contentType notes where in the prepared head its value is.
func (e *encoder) contentType(fields message.Fields) {
	head := Record(e.b[e.from:]).Head()
	value := fields.Get("Content-Type")
	if i := bytes.Index(head, []byte(": "+value+"\r\n")); value != "" && i >= 0 {
		binary.LittleEndian.PutUint16(e.head()[52:], uint16(i+2))
		binary.LittleEndian.PutUint16(e.head()[54:], uint16(len(value)))
	}
}

func (e *encoder) fresh(f *httpcache.Freshness) {
	if f.MustRevalidate {
		e.head()[1] |= mustRevalidate
	}
	if f.Immutable {
		e.head()[1] |= immutable
	}
	binary.LittleEndian.PutUint64(e.head()[40:], uint64(offset(e.since, f.Stored)))
	seconds := f.FreshUntil.Sub(f.Stored)
	whole := seconds%time.Second == 0 && seconds >= 0 && seconds/time.Second < exactly &&
		!f.FreshUntil.IsZero() && !f.Stored.IsZero() && f.Stored.Add(seconds).Equal(f.FreshUntil)
	if whole {
		binary.LittleEndian.PutUint32(e.head()[48:], uint32(seconds/time.Second))
	} else {
		binary.LittleEndian.PutUint32(e.head()[48:], exactly)
	}
	if f.InitialAge != 0 || f.StaleWhileRevalidate != 0 || f.StaleIfError != 0 || f.StaleIfUnreachable != 0 {
		e.head()[1] |= times
		for _, d := range [...]time.Duration{f.InitialAge, f.StaleWhileRevalidate, f.StaleIfError, f.StaleIfUnreachable} {
			e.b = binary.AppendVarint(e.b, int64(d))
		}
	}
	if !f.HeldUntil.IsZero() {
		e.head()[1] |= held
		e.b = binary.AppendVarint(e.b, offset(e.since, f.HeldUntil))
	}
	if !whole {
		e.b = binary.AppendVarint(e.b, offset(e.since, f.FreshUntil))
	}
}

func (e *encoder) subject(o *cache.Object) {
	s := &o.Subject
	if s.QueryIgnored {
		e.head()[1] |= queryIgnored
	}
	e.text(s.Path)
	e.text(s.Alias)
	e.text(s.Query)
	e.number(len(s.Tags))
	for _, tag := range s.Tags {
		e.text(tag)
	}
}

func (e *encoder) fields(fields message.Fields) {
	e.number(len(fields))
	if inLines(Record(e.b[e.from:]).Head(), fields) {
		e.head()[1] |= inHead
		return
	}
	for i := range fields {
		e.text(fields[i].Name)
		e.text(fields[i].Value)
	}
}

// leastShared is from how many octets on a text is looked for in the key.
const leastShared = 4

// text appends twice the length and the octets, or one more than that and where in the key they are.
func (e *encoder) text(s string) {
	if len(s) >= leastShared {
		if i := bytes.Index(e.key(), []byte(s)); i >= 0 {
			e.number(2*len(s) + 1)
			e.number(i)
			return
		}
	}
	e.number(2 * len(s))
	e.b = append(e.b, s...)
}

func (e *encoder) number(n int) { e.b = binary.AppendUvarint(e.b, uint64(n)) }
