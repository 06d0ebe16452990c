package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/warmfront/warmfront/internal/durable"
)

const (
	rootLife  = 10 * 365 * 24 * time.Hour
	leafLife  = 90 * 24 * time.Hour // browsers take none beyond 398 days
	renewal   = 30 * 24 * time.Hour // what has less left is made anew
	backdated = time.Hour           // for clocks that are behind ours
	maxLeaves = 1024
)

// Authority is a certification authority whose root lies in a directory. OpenAuthority makes it; its
// methods may be called concurrently.
type Authority struct {
	names []string // of the default certificate
	now   func() time.Time

	root    *x509.Certificate
	rootKey *ecdsa.PrivateKey
	leafKey *ecdsa.PrivateKey // of all leaves of this process: making one costs a signature

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by name, "" for the default; guarded by mu
}

// AuthorityConfig says what an Authority is for.
type AuthorityConfig struct {
	Dir   string           // holds the root: RootFile and RootKeyFile, made at the first start
	Names []string         // host names, wildcards and IP addresses of the default certificate
	Now   func() time.Time // nil: time.Now
}

// RootFile is what must be trusted, RootKeyFile what nobody else may read.
const (
	RootFile    = "ca.pem"
	RootKeyFile = "ca-key.pem"
)

// OpenAuthority reads the root, or makes one where there is none or it ends soon.
func OpenAuthority(c AuthorityConfig) (*Authority, error) {
	a := &Authority{names: c.Names, now: c.Now, leaves: map[string]*tls.Certificate{}}
	if a.now == nil {
		a.now = time.Now
	}
	var err error
	if a.leafKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.Dir, RootFile), filepath.Join(c.Dir, RootKeyFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a, a.makeRoot(c.Dir)
	case err != nil:
		return nil, fmt.Errorf("%s and %s in %s are no certificate with its key, remove both to have new ones made: %w", RootFile, RootKeyFile, c.Dir, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s in %s is no root of ours, remove it and %s to have new ones made", RootFile, c.Dir, RootKeyFile)
	}
	if a.root, a.rootKey = pair.Leaf, key; a.ends(pair.Leaf) {
		return a, a.makeRoot(c.Dir)
	}
	return a, nil
}

func (a *Authority) ends(c *x509.Certificate) bool { return a.now().After(c.NotAfter.Add(-renewal)) }

// makeRoot makes the root and keeps it. The key is there before the certificate: half of a pair, which a
// start that was cut off leaves behind, looks like none.
func (a *Authority) makeRoot(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	t := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Warmfront"}, CommonName: "Warmfront dev on " + host},
		NotBefore:             a.now().Add(-backdated),
		NotAfter:              a.now().Add(rootLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := sign(t, t, key, key)
	if err != nil {
		return err
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	a.rootKey = key
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, RootFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writePEM(filepath.Join(dir, RootKeyFile), "EC PRIVATE KEY", secret, 0o600); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, RootFile), "CERTIFICATE", der, 0o644)
}

// writePEM replaces a file as a whole, durably.
func writePEM(path, kind string, der []byte, mode fs.FileMode) error {
	return durable.Write(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

// sign makes a certificate for key's public half.
func sign(t, parent *x509.Certificate, key, by *ecdsa.PrivateKey) ([]byte, error) {
	serial := make([]byte, 16)
	rand.Read(serial)
	serial[0] &= 0x7f // RFC 5280 section 4.1.2.2: positive
	t.SerialNumber = new(big.Int).SetBytes(serial)
	return x509.CreateCertificate(rand.Reader, t, parent, key.Public(), by)
}

// Certificates returns what finds the certificate of the name in a hello: one of its own for what known knows,
// in lower case, and the default one for every other.
func (a *Authority) Certificates(known func(name string) bool) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		n := name(hello)
		if n != "" && !known(n) {
			n = ""
		}
		return a.certificate(n)
	}
}

func (a *Authority) certificate(n string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[n]; c != nil && !a.ends(c.Leaf) {
		return c, nil
	}
	c, err := a.leaf(n)
	if err != nil {
		return nil, err
	}
	if len(a.leaves) >= maxLeaves {
		clear(a.leaves)
	}
	a.leaves[n] = c
	return c, nil
}

// leaf makes a certificate for a name, or the default one.
func (a *Authority) leaf(n string) (*tls.Certificate, error) {
	names := []string{n}
	if n == "" {
		names = a.names
	}
	t := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"Warmfront"}},
		NotBefore:   a.now().Add(-backdated),
		NotAfter:    a.now().Add(leafLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if t.NotAfter.After(a.root.NotAfter) {
		t.NotAfter = a.root.NotAfter
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := sign(t, a.root, a.leafKey, a.rootKey)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leafKey, Leaf: leaf}, nil
}
