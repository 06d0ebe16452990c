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
	version := 1
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		fmt.Fprint(w, version)
		version++
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
	awaitBody(t, l.Addr().String(), plane.Host, "1")
	awaitBody(t, l.Addr().String(), plane.Host, "1")
	if err := plane.Invalidate(t.Context(), "/*"); err != nil {
		t.Fatal(err)
	}
	awaitBody(t, l.Addr().String(), plane.Host, "2")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// awaitBody asks until that is the answer.
func awaitBody(t *testing.T, address, host, want string) {
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
		if last = string(b); last == want {
			return
		}
	}
	t.Fatalf("never %q, at last %q", want, last)
}
