package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// putPair writes a certificate for a name, with its key in the same file.
func putPair(t *testing.T, file, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := os.WriteFile(file+".new", both, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// An operator's certificate is shown for its name, and another as soon as it is put in its place.
func TestCertificates_OfADirectory(t *testing.T) {
	w, dir := newWorld(t.TempDir()), t.TempDir()
	defer w.close()
	putPair(t, filepath.Join(dir, "www.pem"), "www.shop.test")
	if err := w.start([]string{"--edges", "127.0.0.1:0", "--demo", "off", "--certificates", dir}); err != nil {
		t.Fatal(err)
	}
	first, _ := issuerOf(t, w, "www.shop.test")
	if first.VerifyHostname("www.shop.test") != nil {
		t.Fatalf("shown: one for %v", first.DNSNames)
	}
	if c, _ := issuerOf(t, w, "other.test"); c.VerifyHostname("localhost") != nil {
		t.Errorf("shown for another name: one for %v", c.DNSNames)
	}
	putPair(t, filepath.Join(dir, "www.pem"), "www.shop.test")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		if c, _ := issuerOf(t, w, "www.shop.test"); !c.Equal(first) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not read again within 20 s")
		}
	}
	if err := w.proc.stop(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.crt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.start(w.args); err == nil || !strings.Contains(err.Error(), "broken.crt has no key beside it") {
		t.Errorf("a start with a broken pair: %v", err)
	}
}
