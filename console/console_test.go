package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/warmfront/warmfront/auth"
)

const password = "correct horse"

var script = strings.Repeat("console.log('warm front');\n", 100)

func app() fs.FS {
	return fstest.MapFS{
		"index.html":           {Data: []byte("<!doctype html><title>Warmfront</title>")},
		"favicon.svg":          {Data: []byte("<svg/>")},
		"assets/index-abc1.js": {Data: []byte(script)},
		"assets/font-abc2.woff2": {
			Data: bytes.Repeat([]byte("w"), 2000),
		},
		".gitkeep": {Data: []byte("x")},
	}
}

func open(t *testing.T, files fs.FS) *Handler {
	t.Helper()
	h, _ := openOver(t, files)
	return h
}

// openOver also returns what the sessions stand on.
func openOver(t *testing.T, files fs.FS) (*Handler, *log) {
	t.Helper()
	access, err := auth.NewAccess(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	admin, err := access.NewUser("admin", password, auth.Administrator, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l := &log{Access: access}
	if err := l.Change(t.Context(), func() []auth.Record {
		return access.Import(nil, []*auth.User{admin}, func(string) bool { return false })
	}); err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{Sessions: auth.NewSessions(access, l, nil), Assets: files})
	if err != nil {
		t.Fatal(err)
	}
	return h, l
}

// log is auth.Log of one node.
type log struct {
	*auth.Access
	silent error
}

func (l *log) Sure(context.Context) error { return l.silent }

func (l *log) Change(_ context.Context, decide func() []auth.Record) error {
	if l.silent != nil {
		return l.silent
	}
	var err error
	for _, r := range decide() {
		err = errors.Join(err, l.Apply(r))
	}
	return err
}

// ask sends a request with header lines "Name: value".
func ask(h http.Handler, method, target, body string, lines ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAssets(t *testing.T) {
	h := open(t, app())
	for _, c := range []struct {
		method, target string
		status         int
		kind, caching  string
		has            string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "no-cache", "<title>"},
		{"GET", "/index.html", 200, "text/html; charset=utf-8", "no-cache", "<title>"},
		{"GET", "/distributions/E1/invalidations?x=1", 200, "text/html; charset=utf-8", "no-cache", "<title>"},
		{"GET", "/favicon.svg", 200, "image/svg+xml", "no-cache", "<svg/>"},
		{"GET", "/assets/index-abc1.js", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", script},
		{"HEAD", "/assets/index-abc1.js", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", ""},
		{"GET", "/assets/index-old.js", 404, "text/plain; charset=utf-8", "", "no such file"},
		{"GET", "/.gitkeep", 200, "text/html; charset=utf-8", "no-cache", "<title>"},
		{"GET", "/2020-05-31/distribution", 404, "application/json", "", "NotFound"},
		{"GET", "/2019-03-26", 404, "application/json", "", "NotFound"},
		{"GET", "/warmfront/v1/about", 404, "application/json", "", "NotFound"},
		{"GET", "/warmfront", 404, "application/json", "", "NotFound"},
		{"GET", "/warmfrontier", 200, "text/html; charset=utf-8", "no-cache", "<title>"},
		{"POST", "/", 405, "application/json", "", "MethodNotAllowed"},
	} {
		w := ask(h, c.method, c.target, "")
		if w.Code != c.status || w.Header().Get("Content-Type") != c.kind || w.Header().Get("Cache-Control") != c.caching || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("%s %s: %d %v %.80q", c.method, c.target, w.Code, w.Header(), w.Body)
		}
		if c.method == "HEAD" && w.Body.Len() > 0 {
			t.Error("HEAD has a body")
		}
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "script-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") == "" {
			t.Errorf("%s %s: not all security headers: %v", c.method, c.target, w.Header())
		}
	}
}

func TestAssets_Compression(t *testing.T) {
	h := open(t, app())
	w := ask(h, "GET", "/assets/index-abc1.js", "", "Accept-Encoding: br, gzip")
	z, err := gzip.NewReader(w.Body)
	if err != nil || w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" {
		t.Fatal(err, w.Header())
	}
	if plain, _ := io.ReadAll(z); string(plain) != script {
		t.Error("unpacked it is something else")
	}
	etag := w.Header().Get("Etag")
	if w := ask(h, "GET", "/assets/index-abc1.js", "", "Accept-Encoding: gzip", "If-None-Match: \"x\", W/"+etag); w.Code != 304 || w.Body.Len() > 0 || w.Header().Get("Content-Encoding") != "" {
		t.Error(w.Code, w.Header())
	}
	if w := ask(h, "GET", "/assets/index-abc1.js", "", "If-None-Match: "+etag); w.Code != 200 {
		t.Error("the plain form was taken for the packed one")
	}
	for _, c := range []struct {
		target, accept string
		packed         bool
	}{
		{"/assets/index-abc1.js", "*", true},
		{"/assets/index-abc1.js", "GZIP;q=0.5", true},
		{"/assets/index-abc1.js", "gzip; q=0", false},
		{"/assets/index-abc1.js", "gzip;q=0.000", false},
		{"/assets/index-abc1.js", "identity", false},
		{"/assets/font-abc2.woff2", "gzip", false},
		{"/favicon.svg", "gzip", false}, // too small
	} {
		if w := ask(h, "GET", c.target, "", "Accept-Encoding: "+c.accept); (w.Header().Get("Content-Encoding") == "gzip") != c.packed {
			t.Errorf("%+v: %v", c, w.Header())
		}
	}
}

func TestAssets_NotBuilt(t *testing.T) {
	h := open(t, fstest.MapFS{".gitkeep": {Data: []byte("x")}})
	if w := ask(h, "GET", "/", ""); w.Code != 503 || !strings.Contains(w.Body.String(), "make build") {
		t.Error(w.Code, w.Body)
	}
	if w := ask(h, "GET", SessionPath, ""); w.Code != 401 {
		t.Error("signing in does not depend on the app", w.Code)
	}
}

func TestAssets_EmbeddedOnesAreReadable(t *testing.T) { open(t, nil) }
