package httpcache

import (
	"strings"
	"testing"

	"github.com/warmfront/warmfront/internal/message"
)

func TestCanCompress(t *testing.T) {
	html := fields("Content-Type", "text/html")
	with := func(more ...string) message.Fields { return append(html.Clone(), fields(more...)...) }
	for _, c := range []struct {
		name   string
		status int
		f      message.Fields
		length int64
		want   Compression
	}{
		{"a page", 200, html, 5000, Compressible},
		{"403", 403, html, 5000, Compressible},
		{"404", 404, html, 5000, Compressible},
		{"206", 206, html, 5000, StatusAsIs},
		{"301", 301, html, 5000, StatusAsIs},
		{"500", 500, html, 5000, StatusAsIs},
		{"the least", 200, html, 1_000, Compressible},
		{"the most", 200, html, 10_000_000, Compressible},
		{"too short", 200, html, 999, LengthOutOfRange},
		{"too long", 200, html, 10_000_001, LengthOutOfRange},
		{"unknown length", 200, html, -1, LengthUnknown},
		{"encoded", 200, with("content-encoding", "br"), 5000, AlreadyEncoded},
		{"identity is a coding that was chosen", 200, with("Content-Encoding", "identity"), 5000, AlreadyEncoded},
		{"no-transform", 200, with("Cache-Control", "max-age=1", "cache-control", "No-Transform"), 5000, NoTransform},
		{"no type", 200, nil, 5000, TypeAsIs},
	} {
		if got := CanCompress(c.status, c.f, c.length); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCanCompress_Types(t *testing.T) {
	for value, want := range map[string]bool{
		"text/html": true, "TEXT/HTML; charset=utf-8": true, " text/css ;x": true, "application/json": true, "application/javascript": true,
		"text/javascript": true, "image/svg+xml": true, "application/wasm": true, "font/ttf": true, "application/pdf": true, "text/xml": true,
		"application/vnd.apple.mpegurl": true, "text/x-script": true, "application/x-httpd-cgi": true,
		"image/png": false, "font/woff2": false, "application/zip": false, "text": false, "text/": false, "/": false, "": false, "text/htm": false,
		"html": false, "text/css csv": false, "application/ld+json": false, "text/event-stream": false, "image/svg+xml, text/html": false,
	} {
		if got := CanCompress(200, fields("Content-Type", value), 5000) == Compressible; got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	n := 0
	for _, subtypes := range compressibleTypes {
		n += len(strings.Fields(subtypes))
	}
	if n != 47 { // and vnd.apple.mpegurl without a top-level type, which is no media type
		t.Errorf("CloudFront's list has 47 types, this one %d", n)
	}
}

func TestCompressed(t *testing.T) {
	f := fields("Content-Type", "text/css", "Content-Length", "5000", "ETag", `"a"`, "Content-MD5", "x", "Digest", "x", "Content-Digest", "x",
		"Repr-Digest", "x", "Cache-Control", "max-age=1")
	before := show(f)
	want := "Content-Type: text/css\nETag: W/\"a\"\nCache-Control: max-age=1\nContent-Encoding: br\nVary: Accept-Encoding\n"
	if got := show(Compressed(f, "br")); got != want {
		t.Errorf("got\n%s", got)
	}
	if show(f) != before {
		t.Error("the argument was changed")
	}
	for was, want := range map[string]string{`"a"`: `W/"a"`, `W/"a"`: `W/"a"`, `""`: `W/""`, `a`: "", `"a`: "", `"a"b"`: "", `"a b"`: "", `W/a`: "", `w/"a"`: "", "": ""} {
		if got := Compressed(fields("ETag", was), "gzip").Get("ETag"); got != want {
			t.Errorf("ETag %s becomes %s", was, got)
		}
	}
	for was, want := range map[string]string{"Origin": "Origin, Accept-Encoding", "accept-encoding, Origin": "accept-encoding, Origin", "*": "*", "Origin,": "Origin,, Accept-Encoding"} {
		if got := Compressed(fields("Vary", was), "gzip").Joined("Vary"); got != want {
			t.Errorf("Vary %s becomes %s", was, got)
		}
	}
	if got := Compressed(fields("Vary", "A", "Vary", "B"), "gzip").Values("Vary"); len(got) != 1 || got[0] != "A, B, Accept-Encoding" {
		t.Errorf("two lines become %q", got)
	}
}
