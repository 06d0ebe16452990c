package httpcache

import (
	"strings"
	"testing"

	"github.com/warmfront/warmfront/internal/message"
)

func lines(text string) (f message.Fields) {
	for l := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(strings.TrimSpace(l), ": "); ok {
			f.Add(name, value)
		}
	}
	return f
}

func TestSlices_Ranges(t *testing.T) {
	s := Slices{Size: 4, Total: 10, Validator: `"v 1"`}
	if again, ok := ParseSlices(s.String()); !ok || again != s {
		t.Errorf("%q is read as %+v, %v", s.String(), again, ok)
	}
	for n, want := range []string{"bytes=0-3", "bytes=4-7", "bytes=8-9"} {
		ask := s.Ask(int64(n))
		if ask.Get("Range") != want || ask.Get("If-Range") != `"v 1"` {
			t.Errorf("slice %d: %v", n, ask)
		}
	}
	for _, bad := range []string{"", "4", "4 10", "4 10 ", "0 10 x", "4 0 x", "a 10 x", "4 -1 x"} {
		if got, ok := ParseSlices(bad); ok {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}

func TestSlices_Waste(t *testing.T) {
	s := Slices{Size: 10, Total: 1000, Validator: `"1"`}
	for text, want := range map[string]int64{
		"bytes=0-": 0, "bytes=0-0": 1, "bytes=5-14": 1, "bytes=9-10": 2, "bytes=10-29": 0,
		"bytes=0-0,1-1,9-9": 1, "bytes=0-0,10-10,20-20": 3, "bytes=0-9,20-29,40-40": 1, "bytes=5-14,15-24,25-34": 1, "bytes=0-0,-1": 2,
	} {
		ranges, _ := ParseRange(text, s.Total)
		if got := s.Waste(ranges); len(ranges) == 0 || got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

func TestSlices_Judge(t *testing.T) {
	tagged := Slices{Size: 4, Total: 10, Validator: `"1"`}
	const date = "Sat, 01 Aug 2026 10:00:00 GMT"
	dated := Slices{Size: 4, Total: 10, Validator: date}
	for _, c := range []struct {
		s      Slices
		status int
		fields string
		length int64
		want   SliceVerdict
	}{
		{tagged, 206, "ETag: \"1\"\nContent-Range: bytes 4-7/10", 4, SliceGood},
		{tagged, 206, "ETag: \"1\"\nContent-Range: bytes 4-7/10", -1, SliceGood},
		{dated, 206, "Last-Modified: " + date + "\nContent-Range: bytes 4-7/10", 4, SliceGood},
		{tagged, 206, "ETag: \"2\"\nContent-Range: bytes 4-7/10", 4, SliceChanged},
		{tagged, 206, "ETag: W/\"1\"\nContent-Range: bytes 4-7/10", 4, SliceChanged},
		{tagged, 206, "ETag: \"1\"\nContent-Range: bytes 4-7/11", 4, SliceChanged},
		{dated, 206, "Last-Modified: Sat, 01 Aug 2026 10:00:01 GMT\nContent-Range: bytes 4-7/10", 4, SliceChanged},
		{tagged, 206, "Last-Modified: " + date + "\nContent-Range: bytes 4-7/10", 4, SliceRefused},
		{dated, 206, "ETag: \"1\"\nContent-Range: bytes 4-7/10", 4, SliceRefused},
		{tagged, 206, "ETag: \"1\"\nContent-Range: bytes 4-6/10", 3, SliceRefused},
		{tagged, 206, "ETag: \"1\"\nContent-Range: bytes 4-7/10", 5, SliceRefused},
		{tagged, 206, "ETag: \"1\"\nContent-Range: bytes 4-7/*", 4, SliceRefused},
		{tagged, 206, "ETag: \"1\"", 4, SliceRefused},
		{tagged, 200, "ETag: \"1\"", 10, SliceRefused},
		{tagged, 200, "ETag: \"1\"", 11, SliceChanged},
		{tagged, 200, "ETag: \"2\"", 10, SliceChanged},
		{tagged, 200, "", 10, SliceChanged},
		{tagged, 416, "ETag: \"1\"", 0, SliceChanged},
		{tagged, 404, "", 0, SliceChanged},
	} {
		if got := c.s.Judge(1, c.status, lines(c.fields), c.length); got != c.want {
			t.Errorf("%d %q of %d: %v, want %v", c.status, c.fields, c.length, got, c.want)
		}
	}
}

func TestStrongValidator(t *testing.T) {
	for fields, want := range map[string]string{
		`ETag: "a"`:   `"a"`,
		`ETag: ""`:    `""`,
		`ETag: W/"a"`: "",
		`ETag: a`:     "",
		`ETag: "`:     "",
		"Last-Modified: Sat, 01 Aug 2026 10:00:00 GMT\nDate: Sat, 01 Aug 2026 10:00:01 GMT":                "Sat, 01 Aug 2026 10:00:00 GMT",
		"Last-Modified: Sat, 01 Aug 2026 10:00:00 GMT\nDate: Sat, 01 Aug 2026 10:00:00 GMT":                "",
		"Last-Modified: Sat, 01 Aug 2026 10:00:00 GMT":                                                     "",
		"ETag: W/\"a\"\nLast-Modified: Sat, 01 Aug 2026 10:00:00 GMT\nDate: Sat, 01 Aug 2026 11:00:00 GMT": "",
		"": "",
	} {
		if got := StrongValidator(lines(fields)); got != want {
			t.Errorf("%q: %q, want %q", fields, got, want)
		}
	}
	for value, want := range map[string]bool{"bytes": true, "Bytes": true, "none": false, "": false, "pages, bytes": true} {
		if got := AcceptsRanges(message.Fields{{Name: "Accept-Ranges", Value: value}}); got != want {
			t.Errorf("Accept-Ranges: %s: %v", value, got)
		}
	}
}

func FuzzParseSlices(f *testing.F) {
	f.Add(`4194304 10737418240 "abc"`)
	f.Add("1 1 Sat, 01 Aug 2026 10:00:00 GMT")
	f.Fuzz(func(t *testing.T, v string) {
		s, ok := ParseSlices(v)
		if !ok {
			return
		}
		if again, ok := ParseSlices(s.String()); !ok || again != s {
			t.Errorf("%q: %+v, then %+v", v, s, again)
		}
		last := (s.Total - 1) / s.Size
		if r := s.Range(last); r.Start < 0 || r.Length < 1 || r.Start+r.Length != s.Total {
			t.Errorf("%q: the last slice is %+v", v, r)
		}
	})
}
