package jetstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// office is an operator's authority, for the servers of a NATS and who comes to them.
type office struct {
	t    *testing.T
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string // of ca.pem, and of a certificate and its key for each name
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, dir: t.TempDir()}
	o.root, o.key = o.sign("ca", true)
	return o
}

// sign makes a certificate for 127.0.0.1, and its files.
func (o *office) sign(name string, isCA bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	o.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: isCA, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	parent, by := c, key
	if !isCA {
		parent, by = o.root, o.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err == nil {
		c, err = x509.ParseCertificate(der)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		o.t.Fatal(err)
	}
	o.write(name+".pem", "CERTIFICATE", der)
	o.write(name+".key", "EC PRIVATE KEY", private)
	return c, key
}

func (o *office) write(name, kind string, der []byte) {
	if err := os.WriteFile(o.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) file(name string) string { return filepath.Join(o.dir, name) }

// An operator's NATS with TLS: what certificates are wrong, or are not given, no waiting mends.
func TestExternal_TLS(t *testing.T) {
	o := newOffice(t)
	o.sign("server", false)
	o.sign("client", false)
	pair, err := tls.LoadX509KeyPair(o.file("server.pem"), o.file("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(o.root)
	y := newYours(t, 1, func(y *yours) {
		y.tune = func(s *server.Options) {
			s.TLS, s.TLSConfig = true, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots}
		}
	})
	c := y.config(t, "")
	c.External.URLs = []string{strings.Replace(y.urls()[0], "nats://", "tls://", 1)}
	refuses(t, c, ErrConfig, "x509: ", "unknown authority")
	c.External.CA = o.file("ca.pem")
	refuses(t, c, ErrConfig, "certificate required")
	stranger := newOffice(t)
	stranger.sign("client", false)
	c.External.Cert, c.External.Key = stranger.file("client.pem"), stranger.file("client.key")
	refuses(t, c, ErrConfig, "certificate")
	c.External.Cert, c.External.Key = o.file("client.pem"), o.file("client.key")
	l := mustOpen(t, c)
	if l.Quorum() != nil {
		t.Errorf("opened, and %v", l.Quorum())
	}
}
