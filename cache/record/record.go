package record

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
	"unsafe"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/invalidation"
)

const (
	version = 1
	// HeadSize is where the key begins: so many octets say how long a record is (Record.Size).
	HeadSize = 56
	// exactly says, in place of a number of seconds, that the time is in the rest.
	exactly = math.MaxUint32
	// never stands for the zero time.
	never = math.MinInt64
)

const (
	queryIgnored = 1 << iota
	mustRevalidate
	immutable
	elsewhere // the body is
	strings   // epoch and distribution are in the rest
	inHead    // the fields are lines of the head for HTTP/1.1
	times     // the rest says its initial age and how long it may be used stale
	held      // the rest says until when its origin is left alone
)

// ErrTooLarge: the object has a part whose length the format has no room for. A key or body is refused; a
// prepared head is left out.
var ErrTooLarge = errors.New("record: object too large")

// errBroken is all there is to say of octets that are no record: nobody could do anything else about
// one mistake than about another.
var errBroken = errors.New("record: no record of this version")

// Form is how objects are encoded, and how records have to be read. The zero Form is for the disk.
type Form struct {
	// Since is the instant from which times are counted. With a monotonic reading in it they are immune to
	// changes of the wall clock, as far as the object's are. Zero: 1970, for what outlives the process.
	Since time.Time
	// Heads: the prepared heads go along.
	Heads bool
	// Bodiless: the body does not go along. It lies elsewhere.
	Bodiless bool
	// Numbers: Epoch and Distribution stand for the strings.
	Numbers      bool
	Epoch        uint16
	Distribution uint32
}

// Record is an encoded object: Append and Open make it. What its methods return refers to its octets.
// They may be called concurrently. Of octets that neither Append nor Open has vouched for they may panic.
type Record []byte

// Status of the answer.
func (r Record) Status() int { return int(binary.LittleEndian.Uint16(r[2:])) }

// Size in octets, which need not be known to read the head of a record.
func (r Record) Size() int { return int(binary.LittleEndian.Uint32(r[4:])) }

// BodySize in octets, wherever the body lies.
func (r Record) BodySize() int { return int(binary.LittleEndian.Uint32(r[8:])) }

// Bodiless tells that the body lies elsewhere.
func (r Record) Bodiless() bool { return r[1]&elsewhere != 0 }

// Key is the cache key.
func (r Record) Key() []byte { return r.cut(HeadSize, r.u16(12)) }

// Head is the prepared head for HTTP/1.1; empty: there is none.
func (r Record) Head() []byte { return r.cut(HeadSize+r.u16(12), r.u16(14)) }

// Head2 is the same for HTTP/2.
func (r Record) Head2() []byte { return r.cut(r.afterBody(), r.u16(16)) }

// ContentType is the value of that field, if there is a prepared head.
func (r Record) ContentType() []byte { return r.cut(HeadSize+r.u16(12)+r.u16(52), r.u16(54)) }

// Body is empty if it lies elsewhere.
func (r Record) Body() []byte { return r.cut(HeadSize+r.u16(12)+r.u16(14), r.inline()) }

// Epoch is the number of the journal's epoch.
func (r Record) Epoch() uint16 { return binary.LittleEndian.Uint16(r[18:]) }

// Distribution is the number of the distribution.
func (r Record) Distribution() uint32 { return binary.LittleEndian.Uint32(r[20:]) }

// Stamp is the object's (law L2).
func (r Record) Stamp() uint64 { return binary.LittleEndian.Uint64(r[24:]) }

// FetchStart is when the fetch began.
func (r Record) FetchStart() time.Time {
	if n := r.i64(32); n != never {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// Fresh tells how long the object is good. since is Form.Since of who wrote the record.
func (r Record) Fresh(since time.Time) httpcache.Freshness {
	since = origin(since)
	f := httpcache.Freshness{
		Stored: at(since, r.i64(40)), MustRevalidate: r[1]&mustRevalidate != 0, Immutable: r[1]&immutable != 0,
	}
	if !r.exact() {
		f.FreshUntil = f.Stored.Add(time.Duration(binary.LittleEndian.Uint32(r[48:])) * time.Second)
	}
	if r[1]&(times|held) != 0 || r.exact() {
		d := r.rest()
		d.fresh(&f, since)
	}
	return f
}

// Object decodes all of it. Its strings and slices refer to r, which must not change any more. body is
// used if the record has none, and Pages, the heads' absence, Hits, and the number up to which it was
// checked are the caller's affair; so are Epoch and Distribution, where the record has numbers for them.
func (r Record) Object(since time.Time, body []byte) *cache.Object {
	o := &cache.Object{
		Key: text(r.Key()), Stamp: r.Stamp(), FetchStart: r.FetchStart(), Status: r.Status(), Body: body,
		Block: some(r.Head()), Block2: some(r.Head2()), Fresh: r.Fresh(since),
	}
	if r[1]&elsewhere == 0 {
		o.Body = some(r.Body())
	}
	d := r.afterFresh()
	d.object(o)
	o.Subject.Host = distribution.KeyHost(o.Key)
	o.Describe()
	return o
}

// Names of the epoch and the distribution, where the record has them instead of numbers.
func (r Record) Names() (epoch, distribution string) {
	d := r.afterFresh()
	return d.names()
}

// Subject sets s, whose slice of tags is used again, to what invalidations match. since is as for Fresh.
func (r Record) Subject(since time.Time, s *invalidation.Subject) {
	d := r.afterFresh()
	d.names()
	d.subject(s)
	s.Host = distribution.KeyHost(text(r.Key()))
	s.Status, s.Stored = cache.Answered(r.Status()), at(origin(since), r.i64(40))
	if is := r.ContentType(); len(is) > 0 {
		s.ContentType = text(is)
	} else {
		s.ContentType = d.contentType()
	}
}

// Touch reads of a record, whose head has been looked at, what else Subject reads, and returns anything: whoever touches many before he
// asks for their subjects does not wait for memory each time.
func (r Record) Touch() byte {
	const lines = 64 // of the processor's cache; the first one and the next have the head
	return r[min(HeadSize+lines, len(r)-1)] + r[r.afterBody()+r.u16(16)]
}

func (r Record) exact() bool { return binary.LittleEndian.Uint32(r[48:]) == exactly }

func (r Record) u16(at int) int   { return int(binary.LittleEndian.Uint16(r[at:])) }
func (r Record) i64(at int) int64 { return int64(binary.LittleEndian.Uint64(r[at:])) }

func (r Record) cut(at, n int) []byte { return r[at : at+n : at+n] }

// inline is how many octets of the body are in the record.
func (r Record) inline() int {
	if r[1]&elsewhere != 0 {
		return 0
	}
	return r.BodySize()
}

func (r Record) afterBody() int { return HeadSize + r.u16(12) + r.u16(14) + r.inline() }

// rest lets the rest be read from its beginning.
func (r Record) rest() decoder {
	at := r.afterBody() + r.u16(16)
	return decoder{b: r[at:r.Size()], key: r.Key(), head: r.Head(), flags: r[1], exact: r.exact()}
}

func (r Record) afterFresh() decoder {
	d := r.rest()
	d.skipFresh()
	return d
}

// Open tells whether b is a record and nothing but a record. It looks at everything, so that no method
// of what it returns can fail.
func Open(b []byte) (Record, error) {
	r := Record(b)
	if len(b) < HeadSize || b[0] != version || r.Size() != len(b) ||
		r.afterBody()+r.u16(16) > len(b) || r.u16(52)+r.u16(54) > r.u16(14) {
		return nil, errBroken
	}
	d := r.rest()
	if !d.check() {
		return nil, errBroken
	}
	return r, nil
}

// Cut makes a record whose body lies elsewhere of one without prepared heads that was whole, and whose body has been cut out
// of its octets. It changes b.
func Cut(b []byte) (Record, error) {
	if len(b) < HeadSize || b[1]&elsewhere != 0 {
		return nil, errBroken
	}
	b[1] |= elsewhere
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	return Open(b)
}

// BodySize is Record.BodySize of what begins like b, which need not be all of it; -1 if that is too little.
func BodySize(b []byte) int64 {
	if len(b) < HeadSize {
		return -1
	}
	return int64(Record(b).BodySize())
}

// Begins tells whether b begins like the record of a key that has a body of size octets, which lies HeadSize octets and the key
// behind the record's beginning. b need not be all of it, and nothing need be known of it.
func Begins(b, key []byte, size int64) bool {
	r := Record(b)
	return len(b) >= HeadSize+len(key) && b[0] == version && b[1]&elsewhere == 0 && r.u16(12) == len(key) && r.u16(14) == 0 &&
		int64(r.BodySize()) == size && string(b[HeadSize:HeadSize+len(key)]) == string(key)
}

func origin(since time.Time) time.Time {
	if since.IsZero() {
		return time.Unix(0, 0)
	}
	return since
}

func at(since time.Time, n int64) time.Time {
	if n == never {
		return time.Time{}
	}
	return since.Add(time.Duration(n))
}

// offset is the reverse; what is centuries away is as far as can be said.
func offset(since, t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return max(int64(t.Sub(since)), never+1)
}

func some(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
