package admission

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/internal/durable"
)

// Files of an edge's directory. The last one written, identity.json, is what makes it whole. A renewal replaces the two before it,
// each as a whole: the root first, which the control plane shows already, then the certificate with its key.
const (
	identityFile = "identity.json"
	edgeFile     = "edge.pem"      // the certificate and its key
	edgeKeyFile  = "edge-key.pem"  // where the key was, before certificates were renewed
	trustFile    = "authority.pem" // the root
)

// Identity is what an edge keeps of its admission. Its methods may be called concurrently.
type Identity struct {
	Edge, Location string
	Addresses      []string // of the control nodes

	dir  string
	held atomic.Pointer[held]
}

// held is what a renewal changes.
type held struct {
	pair tls.Certificate
	root *x509.Certificate
}

// TLS is how the edge shows itself to control nodes, and what it expects of them; always by the newest that it has.
func (i *Identity) TLS() *tls.Config { return i.to(ControlName) }

// to is TLS, to who has that name.
func (i *Identity) to(name string) *tls.Config {
	return &tls.Config{
		ServerName: name, MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &i.held.Load().pair, nil },
		InsecureSkipVerify:   true, // what is verified, and how, stands in VerifyConnection: the root changes
		VerifyConnection:     func(c tls.ConnectionState) error { return verify(&c, i.held.Load().root, name) },
	}
}

// verify takes who has the name from this authority, wherever it is.
func verify(c *tls.ConnectionState, root *x509.Certificate, name string) error {
	if len(c.PeerCertificates) == 0 {
		return errors.New("x509: no certificate was shown")
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: name}
	o.Roots.AddCert(root)
	for _, x := range c.PeerCertificates[1:] {
		o.Intermediates.AddCert(x)
	}
	_, err := c.PeerCertificates[0].Verify(o)
	return err
}

// Serial is the number of the edge's certificate.
func (i *Identity) Serial() string { return serialOf(i.held.Load().pair.Leaf) }

// Expires is when it ends.
func (i *Identity) Expires() time.Time { return i.held.Load().pair.Leaf.NotAfter }

// Authority is the fingerprint of the root that the edge trusts.
func (i *Identity) Authority() string { return fingerprint(i.held.Load().root.Raw) }

// Due reports whether it is time for another certificate: two thirds of this one's life are over.
func (i *Identity) Due(now time.Time) bool {
	c := i.held.Load().pair.Leaf
	return !now.Before(c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 3 * 2))
}

// Renewal is a certificate that an edge asks for.
type Renewal struct {
	Request []byte

	of  *Identity
	key *ecdsa.PrivateKey
}

// Renew begins a renewal, with a new key. What the edge has counts until Keep.
func (i *Identity) Renew() (*Renewal, error) {
	key, request, err := newRequest()
	return &Renewal{request, i, key}, err
}

func newRequest() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "edge"}}, key)
	return key, request, err
}

// Keep checks what was given, writes it down, and uses it from the next connection on.
func (r *Renewal) Keep(certificate, root []byte) error {
	h, err := hold(r.key, certificate, root)
	if err != nil {
		return err
	}
	if err := h.write(r.of.dir); err != nil {
		return err
	}
	r.of.held.Store(h)
	return nil
}

// hold checks that a certificate is for this key and of this root.
func hold(key *ecdsa.PrivateKey, certificate, root []byte) (*held, error) {
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	r, err := x509.ParseCertificate(root)
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(leaf.PublicKey) || !r.IsCA || leaf.CheckSignatureFrom(r) != nil {
		return nil, errors.New("the certificate that the control plane gave is not for this machine's key")
	}
	return &held{tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key, Leaf: leaf}, r}, nil
}

func (h *held) write(dir string) error {
	der, err := x509.MarshalECPrivateKey(h.pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	both := append(encodePEM(h.pair.Leaf.Raw), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	if err := writePEM(filepath.Join(dir, trustFile), "CERTIFICATE", h.root.Raw, 0o644); err != nil {
		return err
	}
	return durable.Write(filepath.Join(dir, edgeFile), both, 0o600)
}

// Applicant is a machine that has a token and wants to become an edge.
type Applicant struct {
	Token   Token
	Request []byte // for a certificate

	key  *ecdsa.PrivateKey
	root *x509.Certificate // that the token names; nil before a handshake
}

// NewApplicant makes the key.
func NewApplicant(t Token) (*Applicant, error) {
	key, request, err := newRequest()
	return &Applicant{Token: t, Request: request, key: key}, err
}

// TLS expects the control node that the token speaks of. It is for one connection at a time.
func (a *Applicant) TLS() *tls.Config {
	return &tls.Config{
		ServerName: ControlName, MinVersion: tls.VersionTLS13,
		InsecureSkipVerify: true, // what is verified, and how, stands in VerifyConnection
		VerifyConnection: func(c tls.ConnectionState) error {
			for _, shown := range c.PeerCertificates[1:] {
				if fingerprint(shown.Raw) != a.Token.Root || !shown.IsCA {
					continue
				}
				err := verify(&c, shown, ControlName)
				if err == nil {
					a.root = shown
				}
				return err
			}
			return errors.New("x509: this is not the control plane that made the token")
		},
	}
}

// Keep checks the certificate that was given and writes everything to dir. root is the authority's, which may be newer than the token;
// empty: it is the token's.
func (a *Applicant) Keep(dir, edge, location string, certificate, root []byte, addresses []string) (*Identity, error) {
	if a.root == nil {
		return nil, errors.New("the control plane has not been met")
	}
	if len(root) == 0 {
		root = a.root.Raw
	}
	h, err := hold(a.key, certificate, root)
	if err != nil {
		return nil, err
	}
	i := &Identity{Edge: edge, Location: location, Addresses: addresses, dir: dir}
	i.held.Store(h)
	if err := errors.Join(os.MkdirAll(dir, 0o700), h.write(dir)); err != nil {
		return nil, err
	}
	return i, i.save(dir)
}

// Move keeps where the control nodes are now, for the next start.
func (i *Identity) Move(addresses []string) error {
	return (&Identity{Edge: i.Edge, Location: i.Location, Addresses: addresses}).save(i.dir)
}

func (i *Identity) save(dir string) error {
	b, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(filepath.Join(dir, identityFile), append(b, '\n'), 0o644)
}

// OpenIdentity reads what Keep has written; nil when there is nothing.
func OpenIdentity(dir string) (*Identity, error) {
	b, err := os.ReadFile(filepath.Join(dir, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	i := &Identity{dir: dir}
	if err == nil {
		err = json.Unmarshal(b, i)
	}
	var h *held
	if err == nil {
		h, err = readHeld(dir)
	}
	if err == nil && (i.Edge == "" || len(i.Addresses) == 0) {
		err = errors.New("it names no edge, or no control node")
	}
	if err != nil {
		return nil, fmt.Errorf("the identity of this edge in %s cannot be read: %w. Restore it from a backup, or remove %s there and join again with a token", dir, err, identityFile)
	}
	i.held.Store(h)
	return i, nil
}

func readHeld(dir string) (*held, error) {
	certificate := filepath.Join(dir, edgeFile)
	pair, err := tls.LoadX509KeyPair(certificate, certificate)
	if err != nil {
		pair, err = tls.LoadX509KeyPair(certificate, filepath.Join(dir, edgeKeyFile))
	}
	if err != nil {
		return nil, err
	}
	roots, err := readCertificates(filepath.Join(dir, trustFile))
	if err != nil {
		return nil, err
	}
	return &held{pair, roots[0]}, nil
}

// readCertificates reads at least one.
func readCertificates(path string) (all []*x509.Certificate, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(b); block != nil && block.Type == "CERTIFICATE"; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return all, nil
}
