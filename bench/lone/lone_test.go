package lone

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// certificate is any: nobody looks at it.
func certificate() tls.Certificate {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Certificates[0]
}

// The edge serves, hits, and hears of an invalidation.
func TestServe_FollowsThePlane(t *testing.T) {
	// What the site answers does not depend on how often it is asked: an edge that has only begun keeps nothing yet.
	var version, asked atomic.Int64
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Cache-Control", "max-age=600")
		fmt.Fprint(w, version.Load())
	}))
	defer site.Close()
	plane, err := Start(t.Context(), t.TempDir(), certificate())
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- Serve(ctx, EdgeConfig{Listener: l, Journal: plane.Address, Origin: strings.TrimPrefix(site.URL, "http://"), CacheMiB: 16})
	}()
	address := l.Addr().String()
	await(t, address, plane.Host, func(resp *http.Response, body string) bool {
		return body == "0" && strings.HasPrefix(resp.Header.Get("X-Cache"), "Hit")
	})
	before := asked.Load()
	version.Store(1)
	await(t, address, plane.Host, func(_ *http.Response, body string) bool { return body == "0" })
	if n := asked.Load(); n != before {
		t.Errorf("the site was asked %d times for a hit", n-before)
	}
	if err := plane.Invalidate(t.Context(), "/*"); err != nil {
		t.Fatal(err)
	}
	await(t, address, plane.Host, func(_ *http.Response, body string) bool { return body == "1" })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// await asks until the answer is as it should be.
func await(t *testing.T, address, host string, good func(*http.Response, string) bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		req, _ := http.NewRequest("GET", "http://"+address+"/a", nil)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			last = err.Error()
			continue
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if good(resp, string(b)) {
			return
		}
		last = fmt.Sprintf("%d %q %v", resp.StatusCode, b, resp.Header)
	}
	t.Fatalf("never as it should be, at last %s", last)
}
