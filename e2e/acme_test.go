package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// acmeAuthority is a real ACME server that finds every name on this machine. Its questions come to the ports that
// serve gives it.
type acmeAuthority struct {
	*httptest.Server
	handler http.Handler
	names   string // address of the DNS
}

func newAuthority(t *testing.T) *acmeAuthority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	names := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			rr, _ := dns.NewRR(q.Question[0].Name + " 60 IN A 127.0.0.1")
			a.Answer = append(a.Answer, rr)
		}
		w.WriteMsg(a)
	})}
	go names.ActivateAndServe()
	t.Cleanup(func() { names.Shutdown() })
	a := &acmeAuthority{names: l.Addr().String()}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }))
	t.Cleanup(a.Close)
	root := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", root) // the binary trusts it by this
	return a
}

func (a *acmeAuthority) serve(httpPort, tlsPort int) {
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	profiles := map[string]ca.Profile{"default": {Description: "default"}}
	front := wfe.New(quiet, store, va.New(quiet, httpPort, tlsPort, false, a.names, store),
		ca.New(quiet, store, "", "ecdsa", 0, 1, profiles), []string{"test"}, false, false, 1, 1)
	a.handler = front.Handler()
}

func portOf(t *testing.T, url string) int {
	t.Helper()
	n, err := strconv.Atoi(url[strings.LastIndex(url, ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// issuerOf shakes hands under a name and tells who has signed what is shown.
func issuerOf(t *testing.T, w *world, name string) (*x509.Certificate, string) {
	t.Helper()
	address := strings.TrimPrefix(w.proc.ready.Edges[0].HTTPS, "https://")
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	leaf := c.ConnectionState().PeerCertificates[0]
	return leaf, leaf.Issuer.CommonName
}

// A certificate for an alias is obtained when the alias is first asked for, by either challenge, kept over a restart,
// and never for a name that is no alias.
func TestACME(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere := portOf(t, closed.Addr().String())
	closed.Close()
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			a := newAuthority(t)
			w := newWorld(t.TempDir())
			defer w.close()
			args := []string{"--edges", "127.0.0.1:0", "--demo", "off", "--acme-email", "me@example.com", "--acme-ca", a.URL + wfe.DirectoryPath, "--log-level", "info"}
			if err := w.start(args); err != nil {
				t.Fatal(err)
			}
			plain, secure := portOf(t, w.proc.ready.Edges[0].URL), portOf(t, w.proc.ready.Edges[0].HTTPS)
			if challenge == "http-01" {
				a.serve(plain, nowhere)
			} else {
				a.serve(nowhere, secure)
			}
			o, err := newOrigin("o", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			w.origins["o"] = o
			// An edge that redirects everything must answer the authority all the same.
			if err := w.create("d", map[string]string{"origin": "o", "alias": "www.shop.test", "viewer": "redirect-to-https"}); err != nil {
				t.Fatal(err)
			}
			var leaf *x509.Certificate
			var issuer string
			for deadline := time.Now().Add(patience); !strings.Contains(issuer, "Pebble") && time.Now().Before(deadline); {
				leaf, issuer = issuerOf(t, w, "www.shop.test") // it waits itself
			}
			if !strings.Contains(issuer, "Pebble") || leaf.VerifyHostname("www.shop.test") != nil {
				t.Fatalf("issued by %q for %v\n%s", issuer, leaf.DNSNames, w.proc.log)
			}
			for _, name := range []string{w.distributions["d"].domain, "other.shop.test", ""} {
				if _, issuer := issuerOf(t, w, name); strings.Contains(issuer, "Pebble") {
					t.Errorf("%q has got one by %s", name, issuer)
				}
			}
			if err := w.proc.stop(); err != nil {
				t.Fatal(err)
			}
			a.Close() // nobody can be asked any more
			if err := w.start(args); err != nil {
				t.Fatal(err)
			}
			if again, _ := issuerOf(t, w, "www.shop.test"); !again.Equal(leaf) {
				t.Errorf("after a restart it is another: %v", again.Issuer)
			}
			if err := w.proc.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
