package httpcache

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestParseRange(t *testing.T) {
	const P, W = RangePartial, RangeMalformed
	tests := []struct {
		in      string
		size    int64
		verdict RangeVerdict
		want    string // first-last of each
	}{
		{"", 100, RangeAbsent, ""},
		{"bytes=0-9", 100, P, "0-9"},
		{"bytes=0-0", 100, P, "0-0"},
		{"bytes=0-", 100, P, "0-99"},
		{"bytes=90-200", 100, P, "90-99"},
		{"bytes=99-", 100, P, "99-99"},
		{"bytes=-10", 100, P, "90-99"},
		{"bytes=-1000", 100, P, "0-99"},
		{"Bytes = 0 - 9", 100, P, "0-9"},
		{"bytes=0-99999999999999999999999", 100, P, "0-99"},
		{"bytes=-99999999999999999999999", 100, P, "0-99"},
		{"bytes=9223372036854775807-", math.MaxInt64, RangeUnsatisfiable, ""},
		{"bytes=9223372036854775806-", math.MaxInt64, P, "9223372036854775806-9223372036854775806"},

		{"bytes=0-9,20-29", 100, P, "0-9 20-29"},
		{"bytes=0-9, 10-19 ,,-5", 100, P, "0-9 10-19 95-99"},
		{"bytes=0-9,200-", 100, P, "0-9"}, // what is beyond the end is left out
		{"bytes=200-,0-9", 100, P, "0-9"},
		{"bytes=0-9,-0", 100, P, "0-9"},

		{"bytes=100-", 100, RangeUnsatisfiable, ""},
		{"bytes=100-,200-300", 100, RangeUnsatisfiable, ""},
		{"bytes=99999999999999999999-", 100, RangeUnsatisfiable, ""},
		{"bytes=-0", 100, RangeUnsatisfiable, ""},
		{"bytes=0-", 0, RangeUnsatisfiable, ""},
		{"bytes=-5", 0, RangeEmptyBody, ""},

		{"bytes=20-29,0-9", 100, RangeNotAscending, ""},
		{"bytes=-5,0-9", 100, RangeNotAscending, ""},
		{"bytes=0-9,9-19", 100, RangeOverlapping, ""},
		{"bytes=0-9,0-9", 100, RangeOverlapping, ""},
		{"bytes=0-,5-", 100, RangeOverlapping, ""},
		{"lines=0-9", 100, RangeOtherUnit, ""},
		{"bytes", 100, W, ""},
		{"bytes=", 100, W, ""},
		{"bytes=,", 100, W, ""},
		{"bytes=-", 100, W, ""},
		{"bytes=5", 100, W, ""},
		{"bytes=9-0", 100, W, ""},
		{"bytes=0-9,x", 100, W, ""},
		{"bytes=0-9;20-29", 100, W, ""},
		{"bytes=--5", 100, W, ""},
		{"bytes=+1-5", 100, W, ""},
		{"bytes=0x1-5", 100, W, ""},
		{"bytes=0-9, bytes=20-29", 100, W, ""}, // two lines joined
	}
	for _, tt := range tests {
		ranges, verdict := ParseRange(tt.in, tt.size)
		var got []string
		for _, r := range ranges {
			got = append(got, fmt.Sprintf("%d-%d", r.Start, r.Start+r.Length-1))
		}
		if s := strings.Join(got, " "); verdict != tt.verdict || s != tt.want {
			t.Errorf("%q of %d: %v %q, want %v %q", tt.in, tt.size, verdict, s, tt.verdict, tt.want)
		}
	}
}

func TestParseRange_Bounded(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ",%d-%d", 2*i, 2*i)
		}
		return "bytes=" + b.String()[1:]
	}
	if r, v := ParseRange(many(MaxRanges), 1<<20); v != RangePartial || len(r) != MaxRanges {
		t.Errorf("%d ranges: %v", len(r), v)
	}
	if _, v := ParseRange(many(MaxRanges+1), 1<<20); v != RangeTooMany || !v.Whole() {
		t.Errorf("one more: %v", v)
	}
}

func TestByteRanges(t *testing.T) {
	body := "0123456789abcdef"
	ranges, _ := ParseRange("bytes=0-1,-3", int64(len(body)))
	m := ByteRanges(ranges, int64(len(body)), "text/plain", "B")
	var out strings.Builder
	for i, r := range ranges {
		out.WriteString(m.Heads[i])
		out.WriteString(body[r.Start : r.Start+r.Length])
	}
	out.WriteString(m.Tail)
	want := "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/16\r\n\r\n01" +
		"\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 13-15/16\r\n\r\ndef\r\n--B--\r\n"
	if out.String() != want || m.Length != int64(len(want)) {
		t.Errorf("length %d of %d:\n%s", m.Length, len(want), out.String())
	}
	if m.ContentType != "multipart/byteranges; boundary=B" || UnsatisfiedRange(16) != "bytes */16" {
		t.Error(m.ContentType, UnsatisfiedRange(16))
	}
	if m := ByteRanges(ranges, 16, "", "B"); strings.Contains(m.Heads[0], "Content-Type") {
		t.Error("a type from nowhere")
	}
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"bytes=0-9", "bytes=-5,0-", "bytes=0-1,3-4,-2", "bytes=99999999999999999999-", "bytes=,,"} {
		f.Add(s, int64(100))
	}
	f.Fuzz(func(t *testing.T, s string, size int64) {
		size = max(0, size)
		ranges, v := ParseRange(s, size)
		if (v == RangePartial) != (len(ranges) > 0) || len(ranges) > MaxRanges {
			t.Fatalf("%q of %d: %v with %d ranges", s, size, v, len(ranges))
		}
		end := int64(0)
		for _, r := range ranges {
			if r.Start < end || r.Length < 1 || r.Start > size-r.Length {
				t.Fatalf("%q of %d: %v", s, size, ranges)
			}
			end = r.Start + r.Length
		}
	})
}
