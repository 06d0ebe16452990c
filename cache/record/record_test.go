package record

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
)

var epoch1970 = time.Unix(0, 0)

// usual is an object as edge stores them.
func usual() *cache.Object {
	o := &cache.Object{
		Key: "\x00\x00\x00\x0eE1ABCDEFGHIJKL\x00\x00\x00\x00\x00\x00\x00\x0d/img/cat.jpeg\x01\x01\x00\x00\x00\x03w=1", Distribution: "E1ABCDEFGHIJKL",
		Subject: invalidation.Subject{Path: "/img/cat.jpeg", Query: "w=1", Tags: []string{"cats", "img"}},
		Stamp:   4711, Epoch: "0123456789abcdef/0", FetchStart: time.Unix(0, 123_456_789),
		Status: 200,
		Fields: message.Fields{
			{Name: "Content-Type", Value: "image/jpeg"}, {Name: "ETag", Value: `"v1"`}, {Name: "Date", Value: "Sun, 06 Nov 1994 08:49:37 GMT"},
		},
		Body: []byte("meow"),
		Fresh: httpcache.Freshness{
			Stored: epoch1970.Add(time.Hour), FreshUntil: epoch1970.Add(2 * time.Hour), StaleIfUnreachable: time.Minute, Immutable: true,
		},
	}
	prepare(o)
	return o
}

// prepare lays heads out as edge does: what the engine says itself follows Content-Type.
func prepare(o *cache.Object) {
	b := []byte("HTTP/1.1 200 OK\r\n")
	for _, f := range o.Fields {
		b = fmt.Appendf(b, "%s: %s\r\n", f.Name, f.Value)
		if f.Name == "Content-Type" {
			b = fmt.Appendf(b, "Content-Length: %d\r\nConnection: keep-alive\r\n", len(o.Body))
		}
	}
	o.Block = append(b, "X-Cache: Hit from cloudfront\r\nX-Amz-Cf-Id: "...)
	o.Block2 = []byte("\x88 and the rest of it for HTTP/2")
}

// random makes an object that nothing can be said of but that it is one.
func random(r *rand.Rand) *cache.Object {
	o := usual()
	word := func() string {
		if r.IntN(5) == 0 {
			return o.Key[:r.IntN(len(o.Key)+1)]
		}
		b := make([]byte, r.IntN(12)*r.IntN(12))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		return string(b)
	}
	when := func() time.Time {
		switch r.IntN(4) {
		case 0:
			return time.Time{}
		case 1:
			return epoch1970.Add(time.Duration(r.Int64()))
		case 2:
			return epoch1970.Add(-time.Duration(r.IntN(1 << 40)))
		}
		return epoch1970.Add(time.Duration(r.IntN(1<<30)) * time.Second)
	}
	if r.IntN(2) == 0 {
		o.Fields = nil
		for range r.IntN(6) {
			o.Fields.Add(word(), word())
		}
		if r.IntN(2) == 0 {
			prepare(o)
		}
	}
	o.Key, o.Distribution, o.Epoch = word()+o.Key, word(), word()
	o.Subject = invalidation.Subject{Path: word(), Alias: word(), Query: word(), QueryIgnored: r.IntN(2) == 0}
	for range r.IntN(4) {
		o.Subject.Tags = append(o.Subject.Tags, word())
	}
	o.Stamp, o.Status, o.Body = r.Uint64(), r.IntN(1000), some([]byte(word()))
	o.FetchStart = when()
	o.Fresh = httpcache.Freshness{
		Stored: when(), FreshUntil: when(), MustRevalidate: r.IntN(2) == 0, Immutable: r.IntN(2) == 0, HeldUntil: when(),
		InitialAge: time.Duration(r.IntN(2)) * time.Minute, StaleIfError: time.Duration(r.IntN(2)) * time.Hour,
	}
	if r.IntN(3) == 0 {
		o.Block, o.Block2 = nil, nil
	}
	return o
}

func TestAppend_RoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dst := []byte("before")
	for i := range 5000 {
		o := random(r)
		f := Form{Heads: r.IntN(2) == 0, Bodiless: r.IntN(3) == 0, Numbers: r.IntN(2) == 0, Epoch: 7, Distribution: 99}
		out, err := f.Append(dst, o)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := Open(out[len(dst):])
		if err != nil || string(out[:len(dst)]) != "before" {
			t.Fatalf("object %d: %v\n%+v", i, err, o)
		}
		same(t, f, rec, o)
		if t.Failed() {
			t.Fatalf("object %d, %+v\n%+v", i, f, o)
		}
	}
}

// same compares everything that a record says with the object that it was made of.
func same(t *testing.T, f Form, rec Record, o *cache.Object) {
	t.Helper()
	want := *shallow(o)
	want.Describe()
	want.Subject.Host = distribution.KeyHost(o.Key)
	if !f.Heads {
		want.Block, want.Block2 = nil, nil
	}
	if f.Numbers {
		want.Epoch, want.Distribution = "", ""
		if rec.Epoch() != f.Epoch || rec.Distribution() != f.Distribution {
			t.Errorf("numbers %d and %d", rec.Epoch(), rec.Distribution())
		}
	}
	if f.Bodiless != rec.Bodiless() || f.Bodiless && len(rec.Body()) > 0 {
		t.Error("the body is where it should not be")
	}
	if got := rec.Object(f.Since, o.Body); !reflect.DeepEqual(shallow(got), &want) {
		t.Errorf("got  %+v\nwant %+v", shallow(got), &want)
	}
	var s invalidation.Subject
	if rec.Subject(f.Since, &s); !reflect.DeepEqual(s, want.Subject) {
		t.Errorf("subject %+v, want %+v", s, want.Subject)
	}
	if e, d := rec.Names(); e != want.Epoch || d != want.Distribution {
		t.Errorf("names %q and %q", e, d)
	}
	if string(rec.Key()) != o.Key || rec.Status() != o.Status || rec.BodySize() != len(o.Body) || rec.Stamp() != o.Stamp ||
		!bytes.Equal(rec.Head(), want.Block) || !bytes.Equal(rec.Head2(), want.Block2) {
		t.Error("a part that is read by itself differs")
	}
	if f.Heads && bytes.Contains(o.Block, []byte("Content-Type: image/jpeg\r\n")) && string(rec.ContentType()) != o.Fields.Get("Content-Type") {
		t.Errorf("Content-Type %q", rec.ContentType())
	}
}

// shallow is an object without what may not be copied, and with times as a record can say them.
func shallow(o *cache.Object) *cache.Object {
	s := &cache.Object{
		Key: o.Key, Distribution: o.Distribution, Subject: o.Subject, Stamp: o.Stamp, Epoch: o.Epoch, FetchStart: o.FetchStart,
		Status: o.Status, Fields: o.Fields, Block: o.Block, Block2: o.Block2, Body: o.Body, Fresh: o.Fresh,
	}
	if len(s.Fields) == 0 {
		s.Fields = nil
	}
	return s
}

func TestAppend_SaysNothingTwice(t *testing.T) {
	o := usual()
	all, _ := Form{Heads: true, Numbers: true}.Append(nil, o)
	payload := len(o.Key) + len(o.Block) + len(o.Block2) + len(o.Body) + len("cats") + len("img")
	if over := len(all) - payload; over > HeadSize+24 {
		t.Errorf("%d octets for %d of the object: %d are too many", len(all), payload, over)
	}
	if Record(all)[1]&inHead == 0 {
		t.Error("the fields are there twice")
	}
	o.Fields[1].Value = `"v2"` // not what the head says
	other, _ := Form{Heads: true, Numbers: true}.Append(nil, o)
	if got := Record(other).Object(epoch1970, nil); got.Fields.Get("ETag") != `"v2"` {
		t.Error("the head was believed")
	}
}

// Times that have a monotonic reading keep it: a wall clock that is set does not make anything fresh.
func TestFresh_KeepsToTheMonotonicClock(t *testing.T) {
	since := time.Now()
	o := usual()
	o.Fresh = httpcache.Freshness{Stored: since.Add(time.Second + 5), FreshUntil: since.Add(time.Hour + 7)}
	b, _ := Form{Since: since}.Append(nil, o)
	f := Record(b).Fresh(since)
	if f != o.Fresh { // with the monotonic reading
		t.Errorf("got %+v, want %+v", f, o.Fresh)
	}
}

// On disk they cannot: there they are the wall clock's, and a wall clock that is set makes what lies there older or younger.
func TestFresh_OnDiskIsByTheWallClock(t *testing.T) {
	o := usual()
	o.Fresh = httpcache.Freshness{Stored: time.Now(), FreshUntil: time.Now().Add(time.Hour)}
	b, _ := Form{}.Append(nil, o)
	f := Record(b).Fresh(time.Time{})
	if f.Stored != o.Fresh.Stored.Round(0).In(f.Stored.Location()) || f.FreshUntil != o.Fresh.FreshUntil.Round(0).In(f.FreshUntil.Location()) {
		t.Errorf("got %+v, want %+v without monotonic readings", f, o.Fresh)
	}
}

func TestAppend_TooLarge(t *testing.T) {
	o := usual()
	o.Key = string(make([]byte, math.MaxUint16+1))
	if b, err := (Form{}).Append([]byte("x"), o); err == nil || string(b) != "x" {
		t.Errorf("a key of %d octets was taken: %v", len(o.Key), err)
	}
	o = usual()
	o.Block = append(o.Block, make([]byte, math.MaxUint16)...)
	b, err := Form{Heads: true}.Append(nil, o)
	if err != nil || len(Record(b).Head()) != 0 || len(Record(b).Head2()) != 0 {
		t.Errorf("a head that is too long: %v", err)
	}
	if got := Record(b).Object(epoch1970, nil).Fields; !reflect.DeepEqual(got, o.Fields) {
		t.Errorf("fields %v", got)
	}
}

func TestOpen_RefusesWhatIsNone(t *testing.T) {
	good, _ := Form{Heads: true}.Append(nil, usual())
	if _, err := Open(good); err != nil {
		t.Fatal(err)
	}
	for n := range len(good) {
		if _, err := Open(good[:n]); err == nil {
			t.Errorf("the first %d octets were taken for a record", n)
		}
	}
	if _, err := Open(append(good[:len(good):len(good)], 0)); err == nil {
		t.Error("an octet too many was taken")
	}
	for _, change := range []struct {
		at   int
		to   byte
		what string
	}{{0, version + 1, "version"}, {10, 1, "body's length"}, {13, 1, "key's length"}, {53, 9, "place of Content-Type"}} {
		bad := bytes.Clone(good)
		bad[change.at] = change.to
		if _, err := Open(bad); err == nil {
			t.Errorf("a wrong %s was taken", change.what)
		}
	}
}

// The format of the disk is pinned: who changes it changes the version.
func TestAppend_Golden(t *testing.T) {
	b, _ := Form{}.Append(nil, usual())
	file := filepath.Join("testdata", "usual.hex")
	if os.Getenv("GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(hex.Dump(b)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.Dump(b); got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Whatever Open lets pass can be read, and written again with the same meaning.
func FuzzOpen(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		b, _ := Form{Heads: r.IntN(2) == 0, Bodiless: r.IntN(2) == 0, Numbers: r.IntN(2) == 0}.Append(nil, random(r))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := Open(b)
		if err != nil {
			return
		}
		o := rec.Object(time.Time{}, nil)
		rec.ContentType()
		out, err := Form{
			Heads: true, Bodiless: rec.Bodiless(), Numbers: rec[1]&strings == 0, Epoch: rec.Epoch(), Distribution: rec.Distribution(),
		}.Append(nil, o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Open(out)
		if err != nil {
			t.Fatal(err)
		}
		if got := again.Object(time.Time{}, nil); !equal(got, o) {
			t.Errorf("got  %+v\nwant %+v", shallow(got), shallow(o))
		}
	})
}

// equal compares without regard to what times that are centuries apart are rounded to.
func equal(a, b *cache.Object) bool {
	x, y := shallow(a), shallow(b)
	x.Fresh, y.Fresh = httpcache.Freshness{}, httpcache.Freshness{}
	if len(x.Block) == 0 {
		x.Block2, y.Block2 = nil, nil
	}
	return reflect.DeepEqual(x, y)
}

func BenchmarkAppend(b *testing.B) {
	o, buf := usual(), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = Form{Heads: true, Numbers: true}.Append(buf[:0], o)
	}
}

func BenchmarkObject(b *testing.B) {
	buf, _ := Form{Heads: true, Numbers: true}.Append(nil, usual())
	b.ReportAllocs()
	for b.Loop() {
		Record(buf).Object(epoch1970, nil)
	}
}

// Without its body a record is that of an object whose body lies elsewhere, and everything else is as it was.
func TestCut_LeavesAllButTheBody(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 1))
	for range 500 {
		o := random(r)
		o.Block, o.Block2 = nil, nil
		b, err := Form{}.Append(nil, o)
		if err != nil {
			t.Fatal(err)
		}
		want := Record(b).Object(time.Time{}, nil)
		size := BodySize(b)
		if size != int64(len(o.Body)) || BodySize(b[:HeadSize-1]) != -1 {
			t.Fatalf("%d octets of body, not %d", size, len(o.Body))
		}
		at := HeadSize + len(o.Key)
		rec, err := Cut(append(bytes.Clone(b[:at]), b[at+int(size):]...))
		if err != nil {
			t.Fatal(err)
		}
		got := rec.Object(time.Time{}, want.Body)
		if !rec.Bodiless() || int64(rec.BodySize()) != size || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\nnot %+v", got, want)
		}
		if _, err := Cut(bytes.Clone(rec)); err == nil {
			t.Error("cut twice")
		}
		if _, err := Cut(bytes.Clone(b[:r.IntN(HeadSize)])); err == nil {
			t.Error("no head, and cut")
		}
	}
}
