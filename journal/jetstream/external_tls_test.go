package jetstream

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// files writes a certificate and its key into files.
func files(t *testing.T, c tls.Certificate) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	secret, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	err = errors.Join(err,
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// An operator's NATS with TLS: what certificates are wrong, or are not given, no waiting mends.
func TestExternal_TLS(t *testing.T) {
	p, strangers := newPKI(t), newPKI(t)
	here := func() *x509.Certificate { return &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}} }
	y := newYours(t, 1, func(y *yours) {
		y.tune = func(s *server.Options) {
			s.TLS, s.TLSConfig = true, &tls.Config{Certificates: []tls.Certificate{p.sign(t, here())}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool}
		}
	})
	c := y.config(t, "")
	c.External.URLs = []string{strings.Replace(y.urls()[0], "nats://", "tls://", 1)}
	refuses(t, c, ErrConfig, "x509: ", "unknown authority")
	c.External.CA, _ = files(t, tls.Certificate{Certificate: [][]byte{p.root.Raw}, PrivateKey: p.key})
	refuses(t, c, ErrConfig, "certificate required")
	c.External.Cert, c.External.Key = files(t, strangers.sign(t, here()))
	refuses(t, c, ErrConfig, "certificate")
	c.External.Cert, c.External.Key = files(t, p.sign(t, here()))
	l := mustOpen(t, c)
	if l.Quorum() != nil {
		t.Errorf("opened, and %v", l.Quorum())
	}
}
