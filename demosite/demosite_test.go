package demosite

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func site(t *testing.T, dir string) *Site {
	t.Helper()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s, err := New(Config{Addr: "127.0.0.1:8090", Dir: dir, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time {
		now = now.Add(time.Minute)
		return now
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(s *Site, method, path string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:5555", "127.0.0.1:8090"
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			r.Host = fields[i+1]
		}
		r.Header.Set(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// everything lists the paths that belong to an edition.
var everything = []string{
	"/", "/index.html", "/about", "/about.html", "/css/site.css", "/css/print.css", "/js/app.js", "/images/hero.svg", "/images/mark.svg",
	"/images/print-1.svg", "/images/print-2.svg", "/images/print-3.svg", "/images/print-4.svg", "/images/print-5.svg", "/images/print-6.svg",
	"/images/barometer.png", "/api/products",
}

func TestSite_EverythingIsThereAndCanBeCached(t *testing.T) {
	s := site(t, "")
	if len(s.current.Load().resources) != len(everything) {
		t.Errorf("%d resources, %d tested", len(s.current.Load().resources), len(everything))
	}
	for _, path := range everything {
		w := ask(s, "GET", path)
		h := w.Header()
		if w.Code != 200 || w.Body.Len() == 0 || h.Get("Etag") == "" || h.Get("Last-Modified") == "" || h.Get("X-Isobar-Edition") != "1" ||
			!strings.HasPrefix(h.Get("Cache-Control"), "public, max-age=") || !strings.Contains(h.Get(tagHeader), "edition-1") {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
		if w := ask(s, "GET", path, "If-None-Match", h.Get("Etag")); w.Code != 304 {
			t.Errorf("%s: revalidation answers %d", path, w.Code)
		}
		if w := ask(s, "HEAD", path); w.Code != 200 || w.Body.Len() != 0 {
			t.Errorf("%s: HEAD answers %d with %d octets", path, w.Code, w.Body.Len())
		}
	}
	if w := ask(s, "GET", "/images/barometer.png", "Range", "bytes=1-3"); w.Code != 206 || w.Body.String() != "PNG" {
		t.Errorf("range: %d %q", w.Code, w.Body)
	}
}

func TestSite_ChangeChangesEverything(t *testing.T) {
	s := site(t, "")
	type seen struct{ body, etag, modified string }
	before := map[string]seen{}
	for _, path := range everything {
		w := ask(s, "GET", path)
		before[path] = seen{w.Body.String(), w.Header().Get("Etag"), w.Header().Get("Last-Modified")}
	}
	for range len(skies) + 1 { // also when the skies begin again
		if w := ask(s, "POST", "/_change"); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, path := range everything {
			w := ask(s, "GET", path)
			now := seen{w.Body.String(), w.Header().Get("Etag"), w.Header().Get("Last-Modified")}
			// The shop's sign is all colour: it is the same again when its colours are.
			if was := before[path]; (now.body == was.body || now.etag == was.etag) || now.modified == was.modified {
				t.Errorf("%s did not change", path)
			}
			before[path] = now
		}
	}
}

func TestSite_EditionSurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when needed")
	s := site(t, dir)
	for range 3 {
		if _, err := s.Change(); err != nil {
			t.Fatal(err)
		}
	}
	was, now := ask(s, "GET", "/images/hero.svg"), ask(site(t, dir), "GET", "/images/hero.svg")
	if was.Header().Get("X-Isobar-Edition") != "4" || was.Body.String() != now.Body.String() || was.Header().Get("Last-Modified") != now.Header().Get("Last-Modified") {
		t.Errorf("%v\n%v", was.Header(), now.Header())
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSite_CorruptFileBeginsAgain(t *testing.T) {
	for _, garbage := range []string{"", "{", `{"edition":-1}`, "null"} {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "demosite.json"), []byte(garbage), 0o600)
		if st := site(t, dir).State(); st.Edition != 1 {
			t.Errorf("%q: %+v", garbage, st)
		}
	}
}

func TestSite_ChangeThatCannotBeSavedIsNotSeen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	s := site(t, "")
	s.cfg.Dir = filepath.Join(file, "below a file")
	if w := ask(s, "POST", "/_change"); w.Code != 500 || s.State().Edition != 1 {
		t.Errorf("%d, edition %d", w.Code, s.State().Edition)
	}
}

func TestSite_ChangeIsForThisMachinesPagesOnly(t *testing.T) {
	s := site(t, "")
	for _, c := range []struct {
		name   string
		fields []string
		status int
	}{
		{"command line", nil, 200},
		{"edge's page", []string{"Origin", "http://d111.cloudfront.localhost:8081"}, 200},
		{"origin's page", []string{"Origin", "http://127.0.0.1:8090"}, 200},
		{"IPv6 page", []string{"Origin", "http://[::1]:8081"}, 200},
		{"elsewhere", []string{"Origin", "https://evil.example"}, 403},
		{"disguised", []string{"Origin", "http://localhost.evil.example"}, 403},
		{"no origin", []string{"Origin", "null"}, 403},
		{"rebound name", []string{"Host", "evil.example:8090"}, 403},
		{"rebound page", []string{"Host", "evil.example:8090", "Origin", "http://evil.example:8090"}, 403},
	} {
		before := s.State().Edition
		w := ask(s, "POST", "/_change", c.fields...)
		if w.Code != c.status || (s.State().Edition == before+1) != (c.status == 200) {
			t.Errorf("%s: %d, edition %d", c.name, w.Code, s.State().Edition)
		}
		if len(c.fields) == 2 && c.fields[0] == "Origin" && c.status == 200 && w.Header().Get("Access-Control-Allow-Origin") != c.fields[1] {
			t.Errorf("%s: no CORS: %v", c.name, w.Header())
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "192.0.2.1:9"
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("another machine gets %d", w.Code)
	}
}

func TestSite_OtherAnswers(t *testing.T) {
	s := site(t, "")
	s.cfg.Hint = func() (string, string) { return "E1", "http://c" }
	for _, c := range []struct {
		method, path string
		status       int
		field, want  string
		body         string
	}{
		{"GET", "/api/time", 200, "Cache-Control", "no-store", `"time":"2026-05-01T`},
		{"GET", "/api/products", 200, "Cache-Control", "public, max-age=60", `"edition": 1`},
		{"GET", "/_state", 200, "Cache-Control", "no-store", `"distribution":"E1","console":"http://c"`},
		{"GET", "/nowhere", 404, "Cache-Control", "public, max-age=0, s-maxage=10", "Not on this map"},
		{"POST", "/", 405, "Allow", "GET, HEAD", ""},
		{"GET", "/_change", 405, "Allow", "POST", ""},
	} {
		w := ask(s, c.method, c.path)
		if w.Code != c.status || w.Header().Get(c.field) != c.want || !strings.Contains(w.Body.String(), strings.ReplaceAll(c.body, " map", "&nbsp;map")) && !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s %s: %d %v %.300s", c.method, c.path, w.Code, w.Header(), w.Body)
		}
	}
}

func TestPictures_AreWellFormed(t *testing.T) {
	for n := 1; n <= len(skies); n++ {
		e, err := render(n, time.Unix(1, 0), "http://x")
		if err != nil {
			t.Fatal(err)
		}
		for path, r := range e.resources {
			switch r.contentType {
			case "image/svg+xml":
				for d := xml.NewDecoder(bytes.NewReader(r.body)); ; {
					if _, err := d.Token(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						t.Fatalf("edition %d, %s: %v", n, path, err)
					}
				}
				if bytes.Contains(r.body, []byte("%!")) || bytes.Contains(r.body, []byte("NaN")) {
					t.Errorf("edition %d, %s: badly printed", n, path)
				}
			case "image/png":
				if _, err := png.Decode(bytes.NewReader(r.body)); err != nil {
					t.Errorf("edition %d, %s: %v", n, path, err)
				}
			}
		}
	}
}

func TestRun_ChangeFromTheCommandLine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Listener: l, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	st, err := Change(t.Context(), l.Addr().String())
	if err != nil || st.Edition != 2 || st.Name != skies[1].Name {
		t.Errorf("%+v %v", st, err)
	}
	resp, err := http.Get("http://" + l.Addr().String() + "/_state")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil || st.Edition != 2 {
		t.Errorf("%+v %v", st, err)
	}
	resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := Change(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "warmfront dev") {
		t.Errorf("stopped site: %v", err)
	}
}

func TestNew_LoopbackOnly(t *testing.T) {
	for addr, ok := range map[string]bool{"127.0.0.1:1": true, "localhost:1": true, "[::1]:1": true, "0.0.0.0:1": false, ":8090": false, "10.0.0.1:1": false} {
		if _, err := New(Config{Addr: addr}); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
