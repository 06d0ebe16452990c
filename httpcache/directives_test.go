package httpcache

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/internal/message"
)

func TestDirectives_Numbers(t *testing.T) {
	tests := []struct {
		in   string
		want int64
	}{
		{"max-age=60", 60},
		{"MAX-AGE=60", 60},
		{`max-age="60"`, 60}, // both forms are to be accepted (RFC 9111 section 5.2)
		{"max-age=007", 7},
		{" , ,max-age=60,", 60},
		{"\tmax-age=60\t", 60},
		{"max-age=60, max-age=10", 60}, // the first counts
		{"max-age=10, max-age=60", 10},
		{"max-age=x, max-age=60", 0},
		{"max-age=2147483648", maxDelta},
		{"max-age=2147483649", maxDelta},
		{"max-age=99999999999999999999999999", maxDelta},
		{"max-age", 0},
		{"max-age=", 0},
		{"max-age=-1", 0},
		{"max-age=+1", 0},
		{"max-age=1.5", 0},
		{"max-age=60s", 0},
		{"max-age='60'", 0},
		{"max-age = 60", 0},
		{"max-age= 60", 0},
		{"max-age=60;public", 0},
		{"max-age=99999999999999999999x", 0},
		{`foo="max-age=60"`, absent},
		{`foo="\"", max-age=5`, 5},
		{"x-max-age=60", absent},
		{"", absent},
		{",", absent},
		{"=", absent},
	}
	for _, tt := range tests {
		if got := ParseCacheControl(fields("Cache-Control", tt.in)).MaxAge; got != tt.want {
			t.Errorf("%q: %d, want %d", tt.in, got, tt.want)
		}
	}
}

func TestDirectives_Flags(t *testing.T) {
	tests := []struct {
		in                         string
		noStore, noCache, priv, mr bool
		omit                       string
	}{
		{"no-store", true, false, false, false, ""},
		{"No-Store=yes", true, false, false, false, ""},
		{"no-store-please", false, false, false, false, ""},
		{"no-cache, private", false, true, true, false, ""},
		{`no-cache=""`, false, true, false, false, ""},
		{`no-cache=" , "`, false, true, false, false, ""},
		{`no-cache="Set-Cookie"`, false, false, false, false, "Set-Cookie"},
		{`no-cache=Set-Cookie`, false, false, false, false, "Set-Cookie"},
		{`no-cache="A\, b, c"`, false, false, false, false, "A b c"},
		{`private="a", private`, false, false, true, false, "a"},
		{`private, private="a"`, false, false, true, false, "a"},
		{"must-revalidate", false, false, false, true, ""},
		{"no-store max-age=5", false, false, false, false, ""}, // one unknown directive
	}
	for _, tt := range tests {
		d := ParseCacheControl(fields("Cache-Control", tt.in))
		if d.NoStore != tt.noStore || d.NoCache != tt.noCache || d.Private != tt.priv || d.MustRevalidate != tt.mr ||
			strings.Join(d.Omit, " ") != tt.omit {
			t.Errorf("%q: %+v", tt.in, d)
		}
	}
	if d := ParseCacheControl(fields("cache-control", "a", "CACHE-CONTROL", "no-store")); !d.NoStore || !d.Present {
		t.Errorf("the second line was not read: %+v", d)
	}
	if ParseCacheControl(nil).Present {
		t.Error("present without a field")
	}
}

// Splitting a list over several lines must not change what it says, nor garbage before it hide it.
func FuzzCacheControl(f *testing.F) {
	for _, s := range []string{"max-age=60", `no-cache="a,b"`, `foo="bar, no-store`, `"\`, `a="\",b`, ",,=,"} {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		d := ParseCacheControl(fields("Cache-Control", s))
		for _, n := range []int64{d.MaxAge, d.SMaxAge, d.StaleIfError, d.StaleWhileRevalidate} {
			if n < absent || n > maxDelta {
				t.Fatalf("%q: %d is out of range", s, n)
			}
		}
		if e := ParseCacheControl(fields("Cache-Control", "no-store", "Cache-Control", s)); !e.NoStore {
			t.Fatalf("%q on a second line hides no-store", s)
		}
		// Members joined on one line, in any order, still all count, as long as quotes are closed.
		if strings.Count(s, `"`) == 0 {
			line := []string{s, "private", "must-revalidate"}
			rand.New(rand.NewPCG(seed, 0)).Shuffle(len(line), func(i, j int) { line[i], line[j] = line[j], line[i] })
			e := ParseCacheControl(message.Fields{{Name: "Cache-Control", Value: strings.Join(line, ",")}})
			if !e.Private || !e.MustRevalidate || e.NoStore != d.NoStore || e.MaxAge != d.MaxAge {
				t.Fatalf("%q: %+v alone, %+v in %q", s, d, e, line)
			}
		}
	})
}
