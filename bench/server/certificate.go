package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// Certificate is the pair that all servers show: ECDSA P-256, signed by itself, for any name below localhost.
type Certificate struct {
	Dir      string // has nothing but bench.crt and bench.key
	Chain    string // PEM file
	Key      string // PEM file
	Together string // both in one PEM file, as some want it
}

// MakeCertificate writes a new pair below dir.
func MakeCertificate(dir string) (c Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	names := []string{"localhost", "*.localhost", "bench.localhost"}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "bench.localhost"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return c, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return c, err
	}
	c = Certificate{Dir: filepath.Join(dir, "certificates")}
	c.Chain, c.Key, c.Together = filepath.Join(c.Dir, "bench.crt"), filepath.Join(c.Dir, "bench.key"), filepath.Join(dir, "bench.pem")
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return c, err
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for path, b := range map[string][]byte{c.Chain: chain, c.Key: secret, c.Together: append(chain, secret...)} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return c, err
		}
	}
	return c, nil
}
