package certificate

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// issued is a certificate in files: what is beside it says what it is for.
type issued struct {
	chain, key []byte
	leaf       *x509.Certificate
	by         *x509.Certificate
	byKey      crypto.Signer
}

// issue makes a certificate for names, by a root of its own.
func issue(t *testing.T, byRSA bool, responder string, names ...string) *issued {
	t.Helper()
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var key crypto.Signer
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); byRSA {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	make := func(c, by *x509.Certificate, public any, byKey crypto.Signer) *x509.Certificate {
		serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
		if err != nil {
			t.Fatal(err)
		}
		c.SerialNumber, c.NotBefore, c.NotAfter = serial, time.Now().Add(-time.Hour), time.Now().Add(30*24*time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, by, public, byKey)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		return c
	}
	root := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	root = make(root, root, rootKey.Public(), rootKey)
	leaf := &x509.Certificate{DNSNames: names, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if responder != "" {
		leaf.OCSPServer = []string{responder}
	}
	leaf = make(leaf, root, key.Public(), rootKey)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var chain bytes.Buffer
	for _, c := range []*x509.Certificate{leaf, root} {
		pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return &issued{chain.Bytes(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), leaf, root, rootKey}
}

func put(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// open opens a store and ends it with the test.
func open(t *testing.T, dir string, log io.Writer) *Store {
	t.Helper()
	s, err := Open(t.Context(), StoreConfig{Dir: dir, State: t.TempDir(), Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	t.Cleanup(func() { s.Run(ctx) })
	return s
}

var errNext = errors.New("not in the store")

// shown asks as a viewer that has these suites; "" when the store has nothing.
func shown(t *testing.T, s *Store, name string, suites ...uint16) *tls.Certificate {
	t.Helper()
	if len(suites) == 0 {
		suites = []uint16{tls.TLS_AES_128_GCM_SHA256}
	}
	hello := &tls.ClientHelloInfo{
		ServerName: name, CipherSuites: suites, SupportedVersions: []uint16{tls.VersionTLS12}, SupportedCurves: []tls.CurveID{tls.CurveP256},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256, tls.PKCS1WithSHA256}, SupportedPoints: []uint8{0},
	}
	if suites[0] == tls.TLS_AES_128_GCM_SHA256 {
		hello.SupportedVersions = []uint16{tls.VersionTLS13}
	}
	c, err := s.Certificates(func(string) bool { return true }, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errNext })(hello)
	if err != nil && err != errNext {
		t.Errorf("%s: %v", name, err)
	}
	return c
}

func TestStore_TheNameDecides(t *testing.T) {
	dir := t.TempDir()
	www, wild, both, old := issue(t, false, "", "www.example.com"), issue(t, false, "", "*.example.com"), issue(t, false, "", "a.test", "b.test"), issue(t, true, "", "a.test")
	put(t, dir, "www.crt", www.chain)
	put(t, dir, "www.key", www.key)
	put(t, dir, "wild.pem", append(append([]byte{}, wild.chain...), wild.key...))
	put(t, dir, "both.pem", both.chain)
	put(t, dir, "both.key", both.key)
	put(t, dir, "old.crt", old.chain)
	put(t, dir, "old.key", old.key)
	put(t, dir, "README", []byte("nothing"))
	s := open(t, dir, io.Discard)
	for name, want := range map[string]*issued{
		"WWW.example.com.": www, "other.example.com": wild, "deep.other.example.com": nil, "example.com": nil, "b.test": both, "": nil, "nobody.test": nil,
	} {
		c := shown(t, s, name)
		if (c == nil) != (want == nil) || c != nil && !c.Leaf.Equal(want.leaf) {
			t.Errorf("%q: %v", name, c)
		}
	}
	if c := shown(t, s, "a.test", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256); c == nil || !c.Leaf.Equal(old.leaf) {
		t.Error("a viewer that has only RSA did not get the certificate for it")
	}
	if c := shown(t, s, "a.test", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256); c == nil || !c.Leaf.Equal(both.leaf) {
		t.Error("a viewer that has only ECDSA did not get the certificate for it")
	}
}

func TestStore_BadPairsAreNamed(t *testing.T) {
	a, b := issue(t, false, "", "a.test"), issue(t, false, "", "b.test")
	unnamed := issue(t, false, "")
	for want, files := range map[string]map[string][]byte{
		"a.crt has no key beside it":         {"a.crt": a.chain},
		"a.key has no certificate beside it": {"a.key": a.key},
		"a.crt: tls: private key does not":   {"a.crt": a.chain, "a.key": b.key},
		"a.pem: tls: failed to find":         {"a.pem": a.chain},
		"share a key file":                   {"a.pem": a.chain, "a.crt": a.chain, "a.key": a.key},
		"is for no name":                     {"a.crt": unnamed.chain, "a.key": unnamed.key},
	} {
		dir := t.TempDir()
		for name, content := range files {
			put(t, dir, name, content)
		}
		if _, err := Open(t.Context(), StoreConfig{Dir: dir, State: t.TempDir()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Open(t.Context(), StoreConfig{Dir: filepath.Join(t.TempDir(), "none"), State: t.TempDir()}); err == nil {
		t.Error("a directory that is not there")
	}
}

func TestStore_ReadsAgainWhatChanges(t *testing.T) {
	dir := t.TempDir()
	first, second, third := issue(t, false, "", "a.test"), issue(t, false, "", "a.test", "b.test"), issue(t, false, "", "c.test")
	put(t, dir, "a.crt", first.chain)
	put(t, dir, "a.key", first.key)
	var log bytes.Buffer
	s := open(t, dir, &log)

	s.reload(t.Context())
	put(t, dir, "a.crt", second.chain) // half of a change
	for range 3 {
		s.reload(t.Context())
	}
	if c := shown(t, s, "a.test"); c == nil || !c.Leaf.Equal(first.leaf) {
		t.Error("what was there was not shown on")
	}
	if n := strings.Count(log.String(), "not taken over"); n != 1 {
		t.Errorf("%d warnings: %s", n, &log)
	}
	put(t, dir, "a.key", append(second.key, '\n'))
	put(t, dir, "c.pem", append(append([]byte{}, third.chain...), third.key...))
	s.reload(t.Context())
	for name, want := range map[string]*issued{"a.test": second, "b.test": second, "c.test": third} {
		if c := shown(t, s, name); c == nil || !c.Leaf.Equal(want.leaf) {
			t.Errorf("%s is not the new one", name)
		}
	}
	os.Remove(filepath.Join(dir, "c.pem"))
	s.reload(t.Context())
	if shown(t, s, "c.test") != nil || shown(t, s, "a.test") == nil {
		t.Error("the one that was removed is shown, or the other is not")
	}
}

func TestStore_StaplesOCSP(t *testing.T) {
	var c *issued
	responder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		answer, err := ocsp.CreateResponse(c.by, c.by, ocsp.Response{
			Status: ocsp.Good, SerialNumber: c.leaf.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(48 * time.Hour),
		}, c.byKey)
		if err != nil {
			t.Error(err)
		}
		w.Write(answer)
	}))
	defer responder.Close()
	c = issue(t, false, responder.URL, "a.test")
	dir := t.TempDir()
	put(t, dir, "a.crt", c.chain)
	put(t, dir, "a.key", c.key)
	shown := shown(t, open(t, dir, io.Discard), "a.test")
	answer, err := ocsp.ParseResponseForCert(shown.OCSPStaple, c.leaf, c.by)
	if err != nil || answer.Status != ocsp.Good {
		t.Errorf("staple of %d octets: %v", len(shown.OCSPStaple), err)
	}
}

func TestStore_AskedByNobodyChallengesNothing(t *testing.T) {
	if answer, ok := Challenge("a.test", challengePath+"token"); ok {
		t.Errorf("answered %q", answer)
	}
	s := open(t, "", io.Discard)
	hello := &tls.ClientHelloInfo{ServerName: "a.test", SupportedProtos: []string{alpn}}
	if !challenged(hello) || challenged(&tls.ClientHelloInfo{SupportedProtos: []string{alpn, "http/1.1"}}) {
		t.Error("a question is all that is offered")
	}
	if s.obtained(t.Context(), "a.test", func(string) bool { return true }) {
		t.Error("obtained without an authority")
	}
}
