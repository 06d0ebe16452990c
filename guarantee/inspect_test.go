package guarantee

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// inspected is what a viewer makes of an answer about version 2 of an object.
func inspected(o *Object, q *question, status int, body []byte, cut bool, fields ...string) *Answer {
	h := http.Header{}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		h.Set(name, value)
	}
	a := &Answer{Method: "GET", Status: status, Version: 2, Cut: cut}
	q.object = o
	a.inspect(q, &http.Response{StatusCode: status, Header: h, ContentLength: -1}, body)
	return a
}

func TestInspect_Parts(t *testing.T) {
	o := newObjects(turns, 64<<10)[turns]
	body := o.body(2)
	one, two := span{10, 99}, span{1000, 1063}
	multi := func(of ...string) []byte {
		var b strings.Builder
		for i := 0; i < len(of); i += 2 {
			fmt.Fprintf(&b, "--X\r\nContent-Range: bytes %s/%d\r\n\r\n%s\r\n", of[i], len(body), of[i+1])
		}
		return []byte(b.String() + "--X--\r\n")
	}
	text := func(s span) string { return string(body[s.first : s.last+1]) }
	const several = "Content-Type: multipart/byteranges; boundary=X"
	for name, c := range map[string]struct {
		asked  []span
		body   []byte
		cut    bool
		fields []string
		want   Class
	}{
		"one":                   {[]span{one}, []byte(text(one)), false, []string{fmt.Sprintf("Content-Range: bytes 10-99/%d", len(body))}, None},
		"another than asked":    {[]span{two}, []byte(text(one)), false, []string{fmt.Sprintf("Content-Range: bytes 10-99/%d", len(body))}, Mixed},
		"of another length":     {[]span{one}, []byte(text(one)), false, []string{"Content-Range: bytes 10-99/77"}, Mixed},
		"too short":             {[]span{one}, []byte(text(one)[:50]), false, []string{fmt.Sprintf("Content-Range: bytes 10-99/%d", len(body))}, Torn},
		"visibly cut":           {[]span{one}, []byte(text(one)[:50]), true, []string{fmt.Sprintf("Content-Range: bytes 10-99/%d", len(body))}, None},
		"two":                   {[]span{one, two}, multi("10-99", text(one), "1000-1063", text(two)), false, []string{several}, None},
		"two, one exchanged":    {[]span{one, two}, multi("10-99", text(one), "1000-1063", text(one)[:64]), false, []string{several}, Mixed},
		"two, one not asked":    {[]span{one, two}, multi("10-99", text(one), "1001-1064", text(two)), false, []string{several}, Mixed},
		"two, torn":             {[]span{one, two}, multi("10-99", text(one), "1000-1063", text(two))[:150], false, []string{several}, Torn},
		"two, cut visibly":      {[]span{one, two}, multi("10-99", text(one), "1000-1063", text(two))[:150], true, []string{several}, None},
		"two, and one is given": {[]span{one, two}, multi("10-99", text(one)), false, []string{several}, Torn},
		"two, and one as one":   {[]span{one, two}, []byte(text(one)), false, []string{fmt.Sprintf("Content-Range: bytes 10-99/%d", len(body))}, Torn},
		"without any position":  {[]span{one}, []byte(text(one)), false, nil, Mixed},
	} {
		if a := inspected(o, &question{parts: c.asked}, 206, c.body, c.cut, c.fields...); a.Wrong != c.want {
			t.Errorf("%s: %s, %s", name, a.Wrong, a.Why)
		}
	}
}

// What a viewer has of one version it must not complete with a part of another.
func TestInspect_IfRange(t *testing.T) {
	o := newObjects(turns, 64<<10)[turns]
	body := o.body(2)
	for of, want := range map[uint64]Class{0: None, 1: Mixed, 2: None, 3: Mixed} {
		q := &question{parts: []span{{10, 99}}, part: of}
		if a := inspected(o, q, 206, body[10:100], false, fmt.Sprintf("Content-Range: bytes 10-99/%d", len(body))); a.Wrong != want {
			t.Errorf("of version %d: %s, %s", of, a.Wrong, a.Why)
		}
		if a := inspected(o, q, 200, body, false); a.Wrong != None {
			t.Errorf("the whole: %s, %s", a.Wrong, a.Why)
		}
	}
}

// Several ranges may be refused (RFC 9110 section 14.2), one that lies in every version must not be.
func TestInspect_Refused(t *testing.T) {
	o := newObjects(turns, 0)[Ranged]
	if a := inspected(o, &question{parts: []span{{0, 9}, {20, 29}}}, 416, nil, false); a.Wrong != None || a.Version != 0 {
		t.Errorf("several: %s, version %d", a.Why, a.Version)
	}
	if a := inspected(o, &question{parts: []span{{0, 9}}}, 416, nil, false); a.Wrong != Mixed {
		t.Errorf("one: %s", a.Wrong)
	}
}

func TestInspect_Codings(t *testing.T) {
	o := newObjects(turns, 0)[Compressed]
	body := o.body(2)
	var g, b, z bytes.Buffer
	zg, zb := gzip.NewWriter(&g), brotli.NewWriter(&b)
	zz, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	zg.Write(body)
	zb.Write(body)
	zz.Write(body)
	zg.Close()
	zb.Close()
	zz.Close()
	for coding, packed := range map[string][]byte{"": body, "gzip": g.Bytes(), "br": b.Bytes(), "zstd": z.Bytes()} {
		for cut, want := range map[int]Class{0: None, 20: Torn} {
			q := &question{}
			q.add("Accept-Encoding", "gzip, br, zstd")
			if a := inspected(o, q, 200, packed[:len(packed)-cut], false, "Content-Encoding: "+coding); a.Wrong != want {
				t.Errorf("%q without %d octets: %s, %s", coding, cut, a.Wrong, a.Why)
			}
		}
	}
	for _, asked := range []string{"", "br"} {
		q := &question{}
		q.add("Accept-Encoding", asked)
		if a := inspected(o, q, 200, g.Bytes(), false, "Content-Encoding: gzip"); a.Wrong != Mixed {
			t.Errorf("gzip, asked was %q: %s, %s", asked, a.Wrong, a.Why)
		}
	}
}

// Of what has one ETag for all versions the least that is shown counts.
func TestInspect_Rebuilt(t *testing.T) {
	o := newObjects(turns, 64<<10)[turns+fewLarge]
	body := append(append([]byte(nil), o.body(2)[:lineSize]...), o.body(1)[lineSize:]...)
	if a := inspected(o, &question{}, 200, body, false, "ETag: "+o.etag(1)); a.Wrong != None || a.Version != 1 {
		t.Errorf("%s %s, version %d", a.Wrong, a.Why, a.Version)
	}
}

// What is another's by the request's fields must not be shown, nor what is nobody's to who has said whose.
func TestInspect_MadeForAnother(t *testing.T) {
	o := newObjects(turns, 0)[Shaded]
	for _, c := range []struct {
		asked, got string
		want       Class
	}{{"de", "de", None}, {"", "", None}, {"de", "pt-BR", Mixed}, {"de", "", Mixed}, {"", "de", Mixed}} {
		if a := inspected(o, &question{shade: c.asked}, 200, o.body(2), false, shadeField+": "+c.got); a.Wrong != c.want {
			t.Errorf("asked for %q, got %q: %s %s", c.asked, c.got, a.Wrong, a.Why)
		}
	}
}

// A 304 confirms what it names. To a date it may say yes for what is older, and then shows that; beside tags the date does not count.
func TestInspect_Confirms(t *testing.T) {
	s := newStory()
	s.began = time.Now()
	o := s.objects[Small]
	o.version.Store(3)
	s.complete(s.create(1, &Batch{Objects: []*Object{o}}), Outcome{})
	for name, c := range map[string]struct {
		q    question
		etag uint64 // 0: it names none
		want Class
	}{
		"a date":                     {question{since: 3}, 3, None},
		"a date, of what is older":   {question{since: 3}, 2, Revived},
		"an old date":                {question{since: 2}, 2, Revived},
		"an old date, nothing named": {question{since: 2}, 0, Revived},
		"a date, nothing named":      {question{since: 3}, 0, None},
		"a date, of what is newer":   {question{since: 2}, 3, Mixed},
		"tags, and a date":           {question{tags: []uint64{2, 3}}, 3, None},
		"tags, by the date":          {question{tags: []uint64{2}}, 3, Mixed},
		"no condition":               {question{}, 3, Mixed},
	} {
		var fields []string
		if c.etag > 0 {
			fields = append(fields, "ETag: "+o.etag(c.etag))
		}
		a := inspected(o, &c.q, 304, nil, false, fields...)
		a.Sent, a.Begun, a.End = time.Hour, time.Hour, time.Hour+1
		got := None
		if v := o.judge(a); v != nil {
			got = v.Class
		}
		if got != c.want {
			t.Errorf("%s: %v, %s", name, got, a.Why)
		}
	}
}
