package h3

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go/quicvarint"
)

func TestInt_IsQUICs(t *testing.T) {
	for _, v := range []uint64{0, 1, 63, 64, 1<<14 - 1, 1 << 14, 1<<30 - 1, 1 << 30, 1<<62 - 1} {
		got := AppendInt(nil, v)
		if want := quicvarint.Append(nil, v); !bytes.Equal(got, want) {
			t.Errorf("%d: %x, not %x", v, got, want)
		}
		if back, err := ReadInt(bytes.NewReader(got)); back != v || err != nil {
			t.Errorf("%d read as %d, %v", v, back, err)
		}
		for n := range len(got) {
			_, err := ReadInt(bytes.NewReader(got[:n]))
			if want := map[bool]error{true: io.EOF, false: io.ErrUnexpectedEOF}[n == 0]; err != want {
				t.Errorf("%d cut to %d octets: %v, not %v", v, n, err, want)
			}
		}
	}
}

func TestFrame(t *testing.T) {
	b := AppendFrame(nil, GoAway, 300)
	typ, n, err := ReadFrame(bytes.NewReader(b))
	if typ != GoAway || n != 300 || err != nil {
		t.Errorf("%v %d %v", typ, n, err)
	}
	if _, _, err := ReadFrame(bytes.NewReader(b[:1])); err != io.ErrUnexpectedEOF {
		t.Errorf("a type alone: %v", err)
	}
	for typ := range Type(0x20) {
		known := typ == Data || typ == Headers || typ == CancelPush || typ == Settings || typ == PushPromise || typ == GoAway || typ == MaxPushID
		if typ.Known() != known {
			t.Errorf("%#x: known %v", typ, typ.Known())
		}
	}
}

func TestSettings(t *testing.T) {
	own := AppendSettings(nil, 65536)
	typ, n, err := ReadFrame(bytes.NewReader(own))
	if typ != Settings || int(n) != len(own)-2 || err != nil || CheckSettings(own[2:]) != nil {
		t.Errorf("our own: %v %d %v", typ, n, err)
	}
	many := []byte{}
	for i := range uint64(MaxSettings + 1) {
		many = AppendInt(AppendInt(many, 0x40+i), 0)
	}
	for name, c := range map[string]struct {
		p  []byte
		ok bool
	}{
		"none":               {nil, true},
		"unknown":            {[]byte{0x21, 1, 0x33, 1}, true},
		"long integers":      {AppendInt(AppendInt(nil, 1<<61), math.MaxInt64>>2), true},
		"as many as may be":  {many[:len(many)-3], true},
		"one too many":       {many, false},
		"twice":              {[]byte{0x6, 1, 0x6, 1}, false},
		"HTTP/2's":           {[]byte{0x4, 1}, false},
		"without value":      {[]byte{0x6}, false},
		"half a value":       {[]byte{0x6, 0x40}, false},
		"half an identifier": {[]byte{0x40}, false},
	} {
		if err := CheckSettings(c.p); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type field struct{ name, value string }

func fields(t *testing.T, section []byte) (all []field) {
	t.Helper()
	if err := Fields(section, func(n, v string) bool { all = append(all, field{n, v}); return true }); err != nil {
		t.Fatal(err)
	}
	return all
}

// What we write, a decoder that is not ours reads.
func TestHeaders_AreReadAsTheyWereWritten(t *testing.T) {
	for _, status := range []int{100, 200, 204, 206, 304, 404, 503, 421, 999} {
		long := strings.Repeat("v", 70000)
		want := []field{
			{":status", map[int]string{100: "100", 200: "200", 204: "204", 206: "206", 304: "304", 404: "404", 503: "503", 421: "421", 999: "999"}[status]},
			{"content-type", "text/html"}, {"x-own", ""}, {"x-long", long}, {strings.Repeat("n", 500), "\x80"}, {"alt-svc", "h3"},
		}
		b, at := BeginHeaders([]byte("before"))
		b = AppendStatus(b, status)
		b = AppendField(b, "Content-Type", "text/html")
		b = AppendField(b, "X-Own", "")
		b = AppendField(b, "x-long", long)
		b = AppendField(b, strings.Repeat("N", 500), "\x80")
		b = AppendField(b, "ALT-SVC", "h3")
		EndHeaders(b, at)
		r := bytes.NewReader(b[6:])
		typ, n, err := ReadFrame(r)
		if typ != Headers || int(n) != r.Len() || err != nil {
			t.Fatalf("%v of %d octets, %d follow, %v", typ, n, r.Len(), err)
		}
		got := fields(t, b[len(b)-r.Len():])
		if len(got) != len(want) {
			t.Fatalf("%d fields", len(got))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%d: got %.80q, want %.80q", i, got[i], want[i])
			}
		}
	}
}

// Every name that has a number is read back as itself.
func TestStaticNames(t *testing.T) {
	for _, l := range static {
		for _, x := range l {
			b := AppendField([]byte{0, 0}, x.name, "value")
			if got := fields(t, b); len(got) != 1 || got[0] != (field{x.name, "value"}) {
				t.Errorf("%s, %d, is %v", x.name, x.index, got)
			}
		}
	}
}

func TestFields_WhatCannotBeDecoded(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":                    {},
		"half a prefix":              {0},
		"a required insert count":    {1, 0},
		"a base":                     {0, 1},
		"a number from the table":    {0, 0, 0x80},
		"a name from the table":      {0, 0, 0x40, 0},
		"a post-base number":         {0, 0, 0x10},
		"a number beyond the static": {0, 0, 0xff, 0x80, 1},
		"a value that is not there":  {0, 0, 0x51, 3, 'a'},
		"bad Huffman":                {0, 0, 0x51, 0x81, 0xfe},
		"an integer without end":     append([]byte{0, 0, 0xff}, bytes.Repeat([]byte{0xff}, 12)...),
	} {
		if err := Fields(b, func(string, string) bool { return true }); err != ErrSection {
			t.Errorf("%s: %v", name, err)
		}
	}
	n := 0
	if err := Fields([]byte{0, 0, 0xd1, 0xd1, 0x80}, func(string, string) bool { n++; return n < 2 }); err != nil || n != 2 {
		t.Errorf("%v after %d fields: nobody has asked for the rest", err, n)
	}
}

func FuzzFields(f *testing.F) {
	var seed bytes.Buffer
	e := qpack.NewEncoder(&seed)
	for _, x := range []qpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: "x-a", Value: "b c"}, {Name: "cookie", Value: "1=2"}} {
		e.WriteField(x)
	}
	f.Add(seed.Bytes())
	f.Add([]byte{0, 0, 0xd1, 0x50, 1, 'h'})
	f.Fuzz(func(t *testing.T, b []byte) {
		size := 0
		Fields(b, func(name, value string) bool {
			size += len(name) + len(value)
			again, at := BeginHeaders(nil)
			again = AppendField(again, name, value)
			EndHeaders(again, at)
			Fields(again[5:], func(n, v string) bool {
				lower := strings.Map(func(c rune) rune {
					if 'A' <= c && c <= 'Z' {
						c |= 0x20
					}
					return c
				}, name)
				if utf8.ValidString(name) && n != lower || v != value {
					t.Errorf("%q: %q became %q: %q", name, value, n, v)
				}
				return true
			})
			return true
		})
		if size > 80*len(b) {
			t.Errorf("%d octets of fields from %d", size, len(b))
		}
	})
}

// What is taken for settings is a sequence of pairs of integers, none twice.
func FuzzSettings(f *testing.F) {
	f.Add([]byte{0x6, 1, 0x33, 1})
	f.Add([]byte{0x40, 0x6, 1, 0x6, 1})
	f.Fuzz(func(t *testing.T, p []byte) {
		if CheckSettings(p) != nil {
			return
		}
		seen := map[uint64]bool{}
		for r := bytes.NewReader(p); r.Len() > 0; {
			id, err := quicvarint.Read(r)
			if err == nil {
				_, err = quicvarint.Read(r)
			}
			if err != nil || seen[id] || len(seen) == MaxSettings {
				t.Fatalf("%x: %v, %d, %v", p, err, id, seen)
			}
			seen[id] = true
		}
	})
}
