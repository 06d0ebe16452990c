package httpcache

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	nov := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	tests := []struct {
		in   string
		want time.Time // zero: refused
	}{
		{"Sun, 06 Nov 1994 08:49:37 GMT", nov},
		{"Sunday, 06-Nov-94 08:49:37 GMT", nov},
		{"Sun Nov  6 08:49:37 1994", nov},
		{" Sun, 06 Nov 1994 08:49:37 GMT\t", nov},
		{"sun, 06 nOV 1994 08:49:37 gmt", nov},
		{"Mon, 06 Nov 1994 08:49:37 GMT", nov}, // the wrong weekday says nothing
		{"Wed Nov 16 08:49:37 1994", nov.AddDate(0, 0, 10)},
		{"Sun, 06 Nov 1994 08:49:60 GMT", nov.Add(22 * time.Second)}, // leap second: the second before
		{"Thu, 29 Feb 2024 00:00:00 GMT", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"Thursday, 01-Jan-70 00:00:00 GMT", time.Date(2070, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"Thursday, 01-Jan-77 00:00:00 GMT", time.Date(1977, 1, 1, 0, 0, 0, 0, time.UTC)}, // more than 50 years ahead

		{"", time.Time{}},
		{"0", time.Time{}},
		{"-1", time.Time{}},
		{"1994-11-06T08:49:37Z", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 UTC", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 EST", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 +0000", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37", time.Time{}},
		{"Sun, 6 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 94 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37.5 GMT", time.Time{}},
		{"Sun, 06-Nov-1994 08:49:37 GMT", time.Time{}},
		{"Sun, 31 Jun 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 29 Feb 2023 08:49:37 GMT", time.Time{}},
		{"Sun, 00 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nob 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 anf 1994 08:49:37 GMT", time.Time{}}, // within "janfeb", and no month
		{"Sun, 06 Nov 1994 24:00:00 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:60:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:61 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08.49.37 GMT", time.Time{}},
		{"Xyz, 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov -994 08:49:37 GMT", time.Time{}},
	}
	for _, tt := range tests {
		got, ok := ParseDate(tt.in, t0)
		if ok == tt.want.IsZero() || ok && !got.Equal(tt.want) {
			t.Errorf("%q: %v, %v; want %v", tt.in, got, ok, tt.want)
		}
	}
}

// formatDate writes an IMF-fixdate.
func formatDate(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }

// Compared with the standard library: where that one reads a date in one of the three forms, we read
// the same; and what we read we write back as a date that means the same.
func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994", "Sun Nov 16 08:49:60 1994", ", ", "Sun,  6 Nov 1994 08:49:37 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseDate(s, t0)
		if ok {
			again, ok := ParseDate(formatDate(got), t0)
			if !ok || !again.Equal(got) {
				t.Fatalf("%q: read as %v, read back as %v", s, got, again)
			}
			return
		}
		// The library is laxer about blanks, fractions and two-digit years: only a fixdate binds us.
		if want, err := http.ParseTime(s); err == nil && want.Year() > 0 && formatDate(want) == strings.TrimSpace(s) {
			t.Fatalf("%q refused, it is %v", s, want)
		}
	})
}
