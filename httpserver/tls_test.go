package httpserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// names is a Names of a map.
type names map[string]Policy

func (n names) Policy(name string) (Policy, bool) {
	p, ok := n[name]
	return p, ok
}

// selfSigned makes a certificate for every name of the list, and the pool that trusts it.
func selfSigned(t testing.TB, dns ...string) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: dns, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	c := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c, nil }, pool
}

// secured runs a server that answers by echo and dials it under a name.
func secured(t *testing.T, s *Server, n Names) (dial func(c *tls.Config) (*tls.Conn, error)) {
	t.Helper()
	show, pool := selfSigned(t, "a.test", "b.test")
	if s.Handler == nil {
		s.Handler = handlerFunc(echoTLS)
	}
	s.TLS = &TLS{Certificate: show, Names: n}
	addr, _ := start(t, s)
	return func(c *tls.Config) (*tls.Conn, error) {
		c.RootCAs = pool
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(time.Minute))
		t.Cleanup(func() { nc.Close() })
		tc := tls.Client(nc, c)
		return tc, tc.Handshake()
	}
}

// echoTLS answers with what a handler is told about the connection.
func echoTLS(_ context.Context, w ResponseWriter, r *Request) {
	text := fmt.Sprintf("%s %s %s %s", r.Scheme, r.ServerName, *r.TLS, r.URI())
	w.Begin(200, nil, int64(len(text)))
	io.WriteString(w, text)
}

func TestTLS_RequestsSayHowTheyCame(t *testing.T) {
	dial := secured(t, &Server{}, names{})
	c, err := dial(&tls.Config{ServerName: "A.test"})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(got), "https a.test {TLSv1.3 TLS_AES_128_GCM_SHA256 fullHandshake} /1") || !strings.HasSuffix(string(got), "https a.test {TLSv1.3 TLS_AES_128_GCM_SHA256 connectionReused} /2") {
		t.Errorf("%v %q", err, got)
	}
}

// Every suite that crypto/tls has before TLS 1.3 and that somebody may want has its name in logs.
func TestTLS_SuitesHaveNames(t *testing.T) {
	for _, s := range tls.CipherSuites() {
		if name := cipherNames[s.ID]; (name == "") != slices.Equal(s.SupportedVersions, []uint16{tls.VersionTLS13}) {
			t.Errorf("%s: %q", s.Name, name)
		}
	}
	for id, name := range cipherNames {
		if got := agreed(&tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: id}).first; got.Cipher != name || got.Protocol != "TLSv1.2" {
			t.Errorf("%+v", got)
		}
	}
}

func TestTLS_TheNameDecidesTheVersion(t *testing.T) {
	modern := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	dial := secured(t, &Server{}, names{
		"a.test": {MinVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
		"b.test": {MinVersion: tls.VersionTLS13, CipherSuites: modern},
	})
	for _, c := range []struct {
		name     string
		speaks   uint16
		accepted bool
	}{
		{"a.test", tls.VersionTLS10, true},
		{"a.test", tls.VersionTLS13, true},
		{"b.test", tls.VersionTLS12, false},
		{"b.test", tls.VersionTLS13, true},
		{"", tls.VersionTLS11, false},
		{"", tls.VersionTLS12, true},
	} {
		_, err := dial(&tls.Config{ServerName: c.name, InsecureSkipVerify: c.name == "", MinVersion: tls.VersionTLS10, MaxVersion: c.speaks})
		if (err == nil) != c.accepted {
			t.Errorf("%q by %s: %v", c.name, tls.VersionName(c.speaks), err)
		}
	}
}

func TestTLS_ProtocolsAreThoseOfNameAndTransport(t *testing.T) {
	both := &tls.ClientHelloInfo{ServerName: "A.test.", SupportedVersions: []uint16{tls.VersionTLS13, tls.VersionTLS12}}
	old := &tls.ClientHelloInfo{ServerName: "a.test", SupportedVersions: []uint16{tls.VersionTLS11}}
	other := &tls.ClientHelloInfo{ServerName: "other.test", SupportedVersions: both.SupportedVersions}
	tcp, quic := []string{protoHTTP2, protoHTTP11}, []string{protoHTTP3}
	for _, c := range []struct {
		policy Policy
		hello  *tls.ClientHelloInfo
		speaks []string
		want   string
	}{
		{Policy{HTTP2: true}, both, tcp, "h2 http/1.1"},
		{Policy{HTTP2: true}, both, []string{protoHTTP11}, "http/1.1"},
		{Policy{HTTP2: true}, old, tcp, "http/1.1"},
		{Policy{HTTP3: true}, both, tcp, "http/1.1"},
		{Policy{HTTP2: true, HTTP3: true}, both, quic, "h3"},
		{Policy{HTTP2: true}, both, quic, ""},
		{Policy{HTTP2: true, HTTP3: true}, other, tcp, "http/1.1"},
		{Policy{HTTP2: true, HTTP3: true}, other, quic, ""},
	} {
		show, _ := selfSigned(t, "a.test")
		base := (&TLS{Certificate: show, Names: names{"a.test": c.policy}}).Config(c.speaks...)
		got, err := base.GetConfigForClient(c.hello)
		if err != nil {
			got = &tls.Config{}
		}
		if strings.Join(got.NextProtos, " ") != c.want {
			t.Errorf("%+v by %v: %v, %v", c.policy, c.speaks, got.NextProtos, err)
		}
		again, _ := base.GetConfigForClient(c.hello)
		if err == nil && again != got {
			t.Errorf("%+v: a config was made twice", c.policy)
		}
	}
}

func TestTLS_TicketsResume(t *testing.T) {
	dial := secured(t, &Server{}, names{"a.test": {MinVersion: tls.VersionTLS12}})
	cache := tls.NewLRUClientSessionCache(1)
	for _, want := range []string{"fullHandshake", "sessionResumed"} {
		c, err := dial(&tls.Config{ServerName: "a.test", ClientSessionCache: cache})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		got, err := io.ReadAll(c)
		if resumed := c.ConnectionState().DidResume; resumed != (want == "sessionResumed") || err != nil || !strings.Contains(string(got), want+"} /") {
			t.Errorf("want %s: resumed %v, %q %v", want, resumed, got, err)
		}
	}
}

func TestTLS_NeedsACertificate(t *testing.T) {
	if err := (&Server{Handler: handlerFunc(echo), TLS: &TLS{}}).Run(t.Context()); err == nil {
		t.Error("runs without certificates")
	}
}
