package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// HTTP/2 from end to end: a viewer of another implementation, an origin that gets HTTP/1.1, the log.
func TestHTTP2_ThroughTheRealBinary(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	f := newField(t, []string{"optimized", "disabled"}, "--access-log="+log)
	tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		Dial: func(string, string) (net.Conn, error) { return net.Dial("tcp", f.secure) }}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr, Timeout: patience}
	ask := func(method, url, body string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-From", "viewer")
		a, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, a.Body)
		a.Body.Close()
		if a.ProtoMajor != 2 {
			t.Errorf("%s: %s", url, a.Proto)
		}
		return a
	}
	for _, want := range []string{"Miss from cloudfront", "Hit from cloudfront"} {
		if a := ask("GET", "https://optimized.example/a?b", ""); a.StatusCode != 200 || a.Header.Get("X-Cache") != want {
			t.Errorf("%s, X-Cache %q, want %q", a.Status, a.Header.Get("X-Cache"), want)
		}
	}
	ask("POST", "https://disabled.example/form", "a=b")
	seen, err := f.came()
	if err != nil || len(seen) != 2 || seen[0].line != "GET /a HTTP/1.1" || seen[1].line != "POST /form HTTP/1.1" || seen[1].body != "a=b" {
		t.Fatalf("%v %v", seen, err)
	}
	for i, q := range seen {
		if strings.Contains(q.octets, "\n:") || strings.Contains(strings.ToLower(q.octets), "x-from: viewer") != (i == 1) || !strings.Contains(q.octets, "Via: 2.0 ") {
			t.Errorf("the origin got %q", q.octets)
		}
	}
	f.proc.stop()
	text, err := os.ReadFile(log)
	if n := strings.Count(string(text), "\tHTTP/2.0\t"); err != nil || n != 3 {
		t.Errorf("%d lines of HTTP/2.0, %v: %s", n, err, text)
	}
}
