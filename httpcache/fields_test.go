package httpcache

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

func show(f message.Fields) string {
	var b strings.Builder
	for _, l := range f {
		fmt.Fprintf(&b, "%s: %s\n", l.Name, l.Value)
	}
	return b.String()
}

func TestEndToEnd(t *testing.T) {
	f := fields("Content-Type", "text/css", "connection", "close, X-Hop", "Connection", "X-Other",
		"Keep-Alive", "timeout=5", "x-hop", "1", "X-OTHER", "2", "X-Mine", "3", "Transfer-Encoding", "chunked",
		"TE", "trailers", "Trailer", "X", "Upgrade", "h2c", "Proxy-Connection", "x", "Proxy-Authenticate", "Basic",
		"Set-Cookie", "a=1", "Set-Cookie", "b=2")
	before := show(f)
	if got, want := show(EndToEnd(f)), "Content-Type: text/css\nX-Mine: 3\nSet-Cookie: a=1\nSet-Cookie: b=2\n"; got != want {
		t.Errorf("got\n%s", got)
	}
	if show(f) != before {
		t.Error("the argument was changed")
	}
	if got := EndToEnd(fields("Connection", "cache-control", "Cache-Control", "private")); len(got) != 1 {
		t.Errorf("a private answer made public: %v", got)
	}
}

func TestRefresh(t *testing.T) {
	old := fields("Date", older, "Content-Type", "text/html", "Content-Length", "5", "Content-MD5", "of-old", "ETag", `W/"a"`, "Age", "30",
		"X-Two", "1", "Content-Encoding", "gzip", "x-two", "2", "X-Kept", "k", "Cache-Control", "max-age=1")
	f304 := fields("Date", newer, "Content-Length", "0", "ETag", `"a"`, "Connection", "X-Hop", "X-Hop", "h",
		"Content-Encoding", "br", "Content-MD5", "of-new", "Content-Digest", "of-nothing", "X-Two", "3", "X-TWO", "4", "X-New", "n", "Cache-Control", "max-age=9")
	want := "Date: " + newer + `
Content-Type: text/html
Content-Length: 5
Content-MD5: of-old
ETag: W/"a"
X-Two: 3
X-TWO: 4
Content-Encoding: gzip
X-Kept: k
Cache-Control: max-age=9
X-New: n
`
	if got := show(Refresh(old, f304)); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := Refresh(fields("Age", "30"), fields("Age", "5")); show(got) != "Age: 5\n" {
		t.Errorf("the age is the 304's: %v", got)
	}
	if got := Refresh(fields("X", "1"), nil); show(got) != "X: 1\n" {
		t.Errorf("an empty 304 changes nothing: %v", got)
	}
}

// A 304 renews for as long as its own fields say, counted from its own arrival.
func TestRefresh_RenewsFreshness(t *testing.T) {
	stored := cc("max-age=60", "Age", "50")
	f := Refresh(stored, fields("Cache-Control", "max-age=100"))
	later := t0.Add(day)
	v := Store(get(), 200, f, legacy, Options{}, later)
	if !v.OK || v.Fresh.FreshUntil.Sub(later).Seconds() != 100 || v.Fresh.Age(later) != 0 {
		t.Errorf("%+v", v)
	}
}

func TestConfirms(t *testing.T) {
	a, b, weak := fields("ETag", `"a"`), fields("ETag", `"b"`), fields("ETag", `W/"a"`)
	old, later := fields("Last-Modified", formatDate(t0)), fields("Last-Modified", formatDate(t0.Add(time.Hour)))
	and := func(one, two message.Fields) message.Fields { return append(one.Clone(), two...) }
	for i, tt := range []struct {
		obj, f304 message.Fields
		want      bool
	}{
		{a, a, true}, {weak, a, true}, {a, weak, true}, {a, b, false}, {weak, b, false}, {a, nil, true}, {nil, b, false},
		{old, old, true}, {old, later, false}, {old, nil, true}, {old, b, false}, {old, and(b, old), true}, {old, and(b, later), false},
		{and(a, old), and(a, later), true}, {and(a, old), old, true}, {and(a, old), later, false}, {and(a, old), and(b, old), false}, {old, weak, true},
	} {
		if got := Confirms(tt.obj, tt.f304); got != tt.want {
			t.Errorf("%d: %v by %v: %v", i, tt.obj, tt.f304, got)
		}
	}
}

func TestNotModifiedFields(t *testing.T) {
	f := fields("Content-Type", "a", "Content-Length", "1", "Content-Encoding", "gzip", "ETag", `"a"`,
		"Content-Location", "/b", "Vary", "Accept", "Access-Control-Allow-Origin", "*")
	want := "ETag: \"a\"\nContent-Location: /b\nVary: Accept\nAccess-Control-Allow-Origin: *\n"
	if got := show(NotModifiedFields(f)); got != want {
		t.Errorf("got\n%s", got)
	}
}
