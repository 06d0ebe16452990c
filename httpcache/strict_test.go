package httpcache

import (
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

var strictly = Options{Semantics: RFC, Targeted: true}

// TestStrict_Table has what the model does not draw: targeted fields, directives that come twice, fields left out.
func TestStrict_Table(t *testing.T) {
	ago := func(s int) string { return formatDate(t0.Add(-time.Duration(s) * time.Second)) }
	free := TTL{0, 0, year}
	tests := []struct {
		name string
		f    message.Fields
		want time.Duration
	}{
		{"minimum has no say", cc("max-age=1"), time.Second},
		{"first of two counts", cc("max-age=1, max-age=60"), time.Second},
		{"quoted", cc(`max-age="60"`), time.Minute},
		{"CDN-Cache-Control comes first", cc("max-age=1", "CDN-Cache-Control", "max-age=60", "Surrogate-Control", "max-age=10"), time.Minute},
		{"CDN-Cache-Control silences no-store and Expires", cc("no-store", "CDN-Cache-Control", "max-age=60", "Expires", "0"), time.Minute},
		{"CDN-Cache-Control in two lines", cc("", "CDN-Cache-Control", "public", "CDN-Cache-Control", "max-age=60"), time.Minute},
		{"CDN-Cache-Control, the last of two counts", cc("", "CDN-Cache-Control", "max-age=1, max-age=60"), time.Minute},
		{"CDN-Cache-Control, parameters are ignored", cc("", "CDN-Cache-Control", "max-age=60;x=1"), time.Minute},
		{"CDN-Cache-Control that is malformed is not there", cc("max-age=60", "CDN-Cache-Control", "max-age=1, ?"), time.Minute},
		{"CDN-Cache-Control that is empty is not there", cc("max-age=60", "CDN-Cache-Control", ""), time.Minute},
		{"CDN-Cache-Control with capitals is malformed", cc("max-age=60", "CDN-Cache-Control", "Max-Age=1"), time.Minute},
		{"CDN-Cache-Control with a string for a number", cc("max-age=60", "CDN-Cache-Control", `max-age="1"`), 0},
		{"CDN-Cache-Control with a negative number", cc("max-age=60", "CDN-Cache-Control", "max-age=-1"), 0},
		{"CDN-Cache-Control with a list for a number is nothing", cc("max-age=60", "CDN-Cache-Control", "max-age=(1)", "Last-Modified", ago(600)), time.Minute},
		{"Surrogate-Control", cc("max-age=1", "Surrogate-Control", "max-age=60"), time.Minute},
		{"Surrogate-Control for us", cc("", "Surrogate-Control", "max-age=1, max-age=60;warmfront"), time.Minute},
		{"Surrogate-Control for others", cc("max-age=60", "Surrogate-Control", "max-age=1;others, no-store;others"), time.Minute},
		{"Surrogate-Control of other things", cc("max-age=60", "Surrogate-Control", `content="ESI/1.0"`), time.Minute},
		{"Surrogate-Control with more time", cc("", "Surrogate-Control", "max-age=60+30"), time.Minute},
		{"must-understand lifts no-store", cc("no-store, must-understand, max-age=60"), time.Minute},
		{"a guess", fields("Last-Modified", ago(600)), time.Minute},
		{"a guess of a day at most", fields("Last-Modified", ago(10_000_000)), day},
		{"Date makes old", cc("max-age=60", "Date", ago(20)), 40 * time.Second},
		{"a Date to come does not", cc("max-age=60", "Date", ago(-20)), time.Minute},
		{"qualified no-cache and private", cc(`max-age=60, private="X", no-cache="Y"`), time.Minute},
	}
	for _, tt := range tests {
		v := Store(get(), 200, tt.f, free, strictly, t0)
		if !v.OK {
			t.Errorf("%s: %v", tt.name, v.Reason)
		} else if got := v.Fresh.FreshUntil.Sub(t0); got != tt.want {
			t.Errorf("%s: fresh for %v, want %v", tt.name, got, tt.want)
		}
	}
	if v := Store(get(), 200, cc("", "Surrogate-Control", "max-age=60+30"), free, strictly, t0); v.Fresh.StaleWhileRevalidate != 30*time.Second {
		t.Errorf("60+30: %v", v.Fresh.StaleWhileRevalidate)
	}
	for _, f := range []message.Fields{cc("max-age=60", "CDN-Cache-Control", "no-store"), cc("max-age=60", "Surrogate-Control", "no-store")} {
		if v := Store(get(), 200, f, free, strictly, t0); v.Reason != NoStore {
			t.Errorf("%v: %v", f, v.Reason)
		}
	}
	if v := Store(get(), 200, cc("", "CDN-Cache-Control", `max-age=60, private="X-User"`), free, strictly, t0); len(v.Omit) != 1 || v.Omit[0] != "X-User" {
		t.Errorf("omitted: %v", v.Omit)
	}
}

// With CloudFront semantics they count where the distribution says so, and then as Cache-Control would.
func TestTargeted_WithCloudFrontSemantics(t *testing.T) {
	in := formatDate(t0.Add(time.Hour))
	for _, tt := range []struct {
		name          string
		status        int
		f             message.Fields
		ttl           TTL
		heeded, plain time.Duration // -1: not stored
	}{
		{"Surrogate-Control", 200, cc("max-age=1", "Surrogate-Control", "max-age=60"), legacy, time.Minute, time.Second},
		{"CDN-Cache-Control before it", 200, cc("no-store", "CDN-Cache-Control", "max-age=60", "Surrogate-Control", "max-age=10"), legacy, time.Minute, -1},
		{"within the maximum", 200, cc("", "Surrogate-Control", "max-age=60"), TTL{0, 0, 30 * time.Second}, 30 * time.Second, 0},
		{"with no-store for the minimum", 200, cc("max-age=60", "Surrogate-Control", "no-store"), TTL{time.Second, 0, day}, time.Second, time.Minute},
		{"Expires is silenced", 200, fields("Expires", in, "CDN-Cache-Control", "public"), TTL{0, time.Minute, day}, time.Minute, time.Hour},
		{"an error by its max-age", 403, fields("CDN-Cache-Control", "max-age=60"), legacy, time.Minute, -1},
		{"a 308 by its being there", 308, fields("Surrogate-Control", "max-age=60"), legacy, time.Minute, -1},
		{"malformed", 200, cc("max-age=60", "CDN-Cache-Control", "max-age=?"), legacy, time.Minute, time.Minute},
	} {
		for targeted, want := range map[bool]time.Duration{true: tt.heeded, false: tt.plain} {
			v := Store(get(), tt.status, tt.f, tt.ttl, Options{Targeted: targeted}, t0)
			got := v.Fresh.FreshUntil.Sub(t0)
			if !v.OK {
				got = -1
			}
			if got != want {
				t.Errorf("%s, targeted %v: %v (%v), want %v", tt.name, targeted, got, v.Reason, want)
			}
		}
	}
}

func TestOriginAge(t *testing.T) {
	tests := []struct {
		f    message.Fields
		want time.Duration
		said AgeVerdict
	}{
		{nil, 0, AgeAbsent},
		{fields("Age", "5"), 5 * time.Second, AgeSaid},
		{fields("Age", " 5 , 7"), 5 * time.Second, AgeSaid},
		{fields("Age", "99999999999999999999"), time.Duration(maxDelta) * time.Second, AgeSaid},
		{fields("Age", ""), 0, AgeBroken},
		{fields("Age", ",5"), 0, AgeBroken},
		{fields("Age", "-5"), 0, AgeBroken},
		{fields("Age", "5.0"), 0, AgeBroken},
		{fields("Age", "5;x=1"), 0, AgeBroken},
		{fields("Age", "5, 5"), 0, AgeBroken},
		{fields("Age", "5", "Age", "7"), 0, AgeBroken},
	}
	for _, tt := range tests {
		if got, said := OriginAge(tt.f); got != tt.want || said != tt.said {
			t.Errorf("%v: %v %v, want %v %v", tt.f, got, said, tt.want, tt.said)
		}
	}
}

func TestParseWishes(t *testing.T) {
	tests := []struct {
		f    message.Fields
		want Wishes
	}{
		{nil, Wishes{MaxAge: -1, MinFresh: -1, MaxStale: -1}},
		{fields("Pragma", "x, No-Cache"), Wishes{NoCache: true, MaxAge: -1, MinFresh: -1, MaxStale: -1}},
		{fields("Pragma", "no-cache", "Cache-Control", "x"), Wishes{MaxAge: -1, MinFresh: -1, MaxStale: -1}},
		{fields("Cache-Control", "NO-STORE, only-if-cached", "Cache-Control", "no-cache"),
			Wishes{NoStore: true, NoCache: true, OnlyIfCached: true, MaxAge: -1, MinFresh: -1, MaxStale: -1}},
		{fields("Cache-Control", "max-age=1, max-age=2, min-fresh=x, max-stale"), Wishes{MaxAge: 1, MaxStale: 1<<63 - 1}},
		{fields("Cache-Control", "max-stale=9, max-stale"), Wishes{MaxAge: -1, MinFresh: -1, MaxStale: 9}},
	}
	for _, tt := range tests {
		if got := ParseWishes(tt.f); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.f, got, tt.want)
		}
	}
}

func TestVariant(t *testing.T) {
	names := VaryNames(fields("Vary", "Foo, accept-language", "Vary", "foo,"))
	if len(names) != 2 || names[0] != "accept-language" || names[1] != "foo" {
		t.Fatalf("names: %v", names)
	}
	tests := []struct {
		a, b message.Fields
		same bool
	}{
		{fields("Foo", "1"), fields("foo", " 1 ", "Other", "x"), true},
		{fields("Foo", "1, 2"), fields("Foo", "1", "Foo", "2"), true},
		{fields("Foo", "1,2"), fields("Foo", "1  ,	2"), true},
		{fields("Foo", "1"), fields("Foo", "2"), false},
		{fields("Foo", "1, 2"), fields("Foo", "2, 1"), false},
		{fields("Foo", "a"), fields("Foo", "A"), false},
		{fields("Foo", `"a, b"`), fields("Foo", `"a,b"`), false},
		{fields("Foo", ""), nil, false},
		{fields("Foo", "1,"), fields("Foo", "1"), false},
		{fields("Foo", "x"), fields("Accept-Language", "x"), false},
		{fields("Accept-Language", "en, de;q=0.5"), fields("Accept-Language", "DE; q=0.5,eN"), true},
		{fields("Accept-Language", "en, de;q=0.5"), fields("Accept-Language", "en, de"), false},
	}
	for _, tt := range tests {
		if got := Variant(names, tt.a) == Variant(names, tt.b); got != tt.same {
			t.Errorf("%v and %v: same is %v", tt.a, tt.b, got)
		}
	}
	if Variant([]string{"foo"}, fields("Foo", "1")) == Variant([]string{"bar"}, fields("Bar", "1")) {
		t.Error("what another field says is the same")
	}
}

func TestWithinPart(t *testing.T) {
	tests := []struct {
		asked, contentRange string
		length              int64
		want                Range
		ok                  bool
	}{
		{"bytes=4-9", "bytes 4-9/20", 6, Range{0, 6}, true},
		{"bytes=6-7", "bytes 4-9/20", 6, Range{2, 2}, true},
		{"bytes=-5", "bytes 10-19/20", 10, Range{5, 5}, true},
		{"bytes=15-", "bytes 10-19/20", 10, Range{5, 5}, true},
		{"bytes=4-10", "bytes 4-9/20", 6, Range{}, false},
		{"bytes=3-4", "bytes 4-9/20", 6, Range{}, false},
		{"bytes=4-4,6-6", "bytes 4-9/20", 6, Range{}, false},
		{"bytes=4-9", "bytes 4-9/20", 5, Range{}, false},
		{"bytes=4-9", "bytes 4-9/*", 6, Range{}, false},
		{"bytes=4-9", "bytes 4-9/9", 6, Range{}, false},
		{"bytes=4-9", "bytes 9-4/20", 6, Range{}, false},
		{"bytes=4-9", "lines 4-9/20", 6, Range{}, false},
		{"bytes=4-9", "", 6, Range{}, false},
		{"x", "bytes 4-9/20", 6, Range{}, false},
	}
	for _, tt := range tests {
		got, size, ok := WithinPart(tt.asked, tt.contentRange, tt.length)
		if got != tt.want || ok != tt.ok || ok && size != 20 {
			t.Errorf("%s of %s: %v of %d, %v", tt.asked, tt.contentRange, got, size, ok)
		}
	}
	for value, want := range map[string]bool{"bytes=0-1": true, "bytes=-1": true, "bytes=1-": true, "bytes=0-1,5-6": false, "bytes=0-1,": false, "lines=1-2": false, "x": false} {
		if OnePart(value) != want {
			t.Errorf("%q is one part: %v", value, !want)
		}
	}
}

func TestCombine(t *testing.T) {
	part := fields("Content-Range", "bytes 0-3/10", "ETag", `"1"`, "A", "old", "B", "old", "Age", "9")
	ask, ok := Rest(part, 4)
	if !ok || ask.Get("Range") != "bytes=4-" || ask.Get("If-Range") != `"1"` {
		t.Errorf("asks %v", ask)
	}
	for _, f := range []message.Fields{
		fields("Content-Range", "bytes 0-3/10"), fields("Content-Range", "bytes 0-3/10", "ETag", `W/"1"`), fields("ETag", `"1"`),
		fields("Content-Range", "bytes 1-4/10", "ETag", `"1"`), fields("Content-Range", "bytes 0-3/4", "ETag", `"1"`), fields("Content-Range", "bytes 0-4/10", "ETag", `"1"`),
	} {
		if _, ok := Rest(f, 4); ok {
			t.Errorf("%v can be completed", f)
		}
	}
	whole, size, ok := Combine(part, 4, fields("Content-Range", "bytes 4-9/10", "Content-Length", "6", "ETag", `"1"`, "A", "new", "Age", "1"))
	if !ok || size != 10 || whole.Has("Content-Range") || whole.Has("Content-Length") ||
		whole.Get("A") != "new" || whole.Get("B") != "old" || whole.Get("Age") != "1" || whole.Get("ETag") != `"1"` {
		t.Errorf("%v, %d, %v", whole, size, ok)
	}
	for _, contentRange := range []string{"bytes 5-9/10", "bytes 3-9/10", "bytes 4-8/10", "bytes 4-9/11", "bytes 4-9/*", ""} {
		if _, _, ok := Combine(part, 4, fields("Content-Range", contentRange, "ETag", `"1"`)); ok {
			t.Errorf("%q is the rest", contentRange)
		}
	}
	for _, etag := range []string{`"2"`, `W/"1"`, ""} {
		if _, _, ok := Combine(part, 4, fields("Content-Range", "bytes 4-9/10", "ETag", etag)); ok {
			t.Errorf("%s belongs to %q", etag, `"1"`)
		}
	}
}

func FuzzVariant(f *testing.F) {
	f.Add("1, 2", "1,2")
	f.Add(",", "")
	f.Add(`"a`, `a"`)
	f.Fuzz(func(t *testing.T, a, b string) {
		// Lines and their joining are one field; and what is normalised stays what it is.
		for _, name := range []string{"foo", "accept-language"} {
			once := normalised(name, []string{a, b})
			if again := normalised(name, []string{once}); quotesClosed(a) && quotesClosed(b) && again != once {
				t.Errorf("%q becomes %q", once, again)
			}
		}
	})
}

// quotesClosed: a quote that is not closed in its line may be by the next.
func quotesClosed(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			n := quotedEnd(s[i:])
			if n == 0 {
				return false
			}
			i += n - 1
		}
	}
	return true
}

func FuzzTargeted(f *testing.F) {
	f.Add("max-age=60, no-store;x", "max-age=1+2;warmfront, no-store;x")
	f.Fuzz(func(t *testing.T, cdn, surrogate string) {
		d, _ := Governing(fields("CDN-Cache-Control", cdn, "Surrogate-Control", surrogate))
		for _, n := range []int64{d.MaxAge, d.SMaxAge, d.StaleIfError, d.StaleWhileRevalidate} {
			if n < absent || n > maxDelta {
				t.Errorf("%+v", d)
			}
		}
	})
}
