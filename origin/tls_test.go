package origin

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// secure starts an https origin whose certificate is for example.com, and returns a client that
// trusts it and finds every name there.
func secure(t *testing.T, max uint16, trust bool) *Client {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Host+" sni="+r.TLS.ServerName)
	}))
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: max}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	cfg := Config{Resolve: map[string]string{"*": strings.TrimPrefix(srv.URL, "https://")}}
	if trust {
		cfg.RootsFile = filepath.Join(t.TempDir(), "roots.pem")
		cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
		if err := os.WriteFile(cfg.RootsFile, cert, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return client(t, cfg)
}

func TestTLS_TrustNamesAndVersions(t *testing.T) {
	for _, c := range []struct {
		name, domain, host string
		max                uint16
		protocols          []string
		trust              bool
		kind, body         string
	}{
		{"the origin's name", "example.com", "", tls.VersionTLS13, []string{"TLSv1.2"}, true, "<nil>", "example.com sni=example.com"},
		{"the forwarded Host", "other.org", "example.com", tls.VersionTLS13, []string{"TLSv1.2"}, true, "<nil>", "example.com sni=example.com"},
		{"the origin's name under another Host", "example.com", "other.org:8443", tls.VersionTLS13, nil, true, "<nil>", "other.org:8443 sni=other.org"},
		{"neither name", "other.org", "another.org", tls.VersionTLS13, nil, true, "TLS", ""},
		{"wrong name", "other.org", "", tls.VersionTLS13, nil, true, "TLS", ""},
		{"unknown authority", "example.com", "", tls.VersionTLS13, nil, false, "TLS", ""},
		{"unknown authority under another Host", "example.com", "other.org", tls.VersionTLS13, nil, false, "TLS", ""},
		{"old version allowed", "example.com", "", tls.VersionTLS10, []string{"TLSv1", "TLSv1.2"}, true, "<nil>", "example.com sni=example.com"},
		{"old version not allowed", "example.com", "", tls.VersionTLS11, []string{"TLSv1.2"}, true, "TLS", ""},
		{"only SSLv3", "example.com", "", tls.VersionTLS13, []string{"SSLv3"}, true, "TLS", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := secure(t, c.max, c.trust)
			o := originAt("127.0.0.1:443")
			o.DomainName, o.SSLProtocols, o.Protocol = c.domain, c.protocols, 1
			_, body, err := fetchAll(t, cl, o, &Request{Method: "GET", Path: "/", Host: c.host, Scheme: "http"})
			if kindOf(err) != c.kind || body != c.body {
				t.Errorf("got %q, %v; want %q, %s", body, err, c.body, c.kind)
			}
		})
	}
}

func TestTLS_PlainAnswerToAHandshake(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	o := originAt(strings.TrimPrefix(srv.URL, "http://"))
	o.Protocol, o.ConnectionTimeout = 1, time.Minute
	if _, _, err := fetchAll(t, client(t, Config{}), o, get("/")); kindOf(err) != "TLS" {
		t.Error(err)
	}
}

func TestRoots_BadFile(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	os.WriteFile(empty, nil, 0o600)
	for _, file := range []string{empty, empty + ".none"} {
		if _, err := New(Config{RootsFile: file}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
