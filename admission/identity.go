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
	"time"
)

// Files of an edge's directory. The last one written, identity.json, is what makes it whole.
const (
	identityFile = "identity.json"
	edgeFile     = "edge.pem"
	edgeKeyFile  = "edge-key.pem"
	trustFile    = "authority.pem"
)

// Identity is what an edge keeps of its admission.
type Identity struct {
	Edge, Location string
	Addresses      []string // of the control nodes

	pair tls.Certificate
	root *x509.Certificate
}

// Expires is when the edge's certificate ends.
func (i *Identity) Expires() time.Time { return i.pair.Leaf.NotAfter }

// TLS is how the edge shows itself to control nodes, and what it expects of them.
func (i *Identity) TLS() *tls.Config {
	c := expect(i.root)
	c.Certificates = []tls.Certificate{i.pair}
	return c
}

// expect takes a control node of this authority, wherever it is.
func expect(root *x509.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return &tls.Config{RootCAs: pool, ServerName: ControlName, MinVersion: tls.VersionTLS13}
}

// Applicant is a machine that has a token and wants to become an edge.
type Applicant struct {
	Token   Token
	Request []byte // for a certificate

	key  *ecdsa.PrivateKey
	root *x509.Certificate // that was shown; nil before a handshake
}

// NewApplicant makes the key.
func NewApplicant(t Token) (*Applicant, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "edge"}}, key)
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
				_, err := c.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: expect(shown).RootCAs, DNSName: ControlName})
				if err == nil {
					a.root = shown
				}
				return err
			}
			return errors.New("x509: this is not the control plane that made the token")
		},
	}
}

// Keep checks the certificate that was given and writes everything to dir.
func (a *Applicant) Keep(dir, edge, location string, certificate []byte, addresses []string) (*Identity, error) {
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	if a.root == nil || !a.key.PublicKey.Equal(leaf.PublicKey) || leaf.CheckSignatureFrom(a.root) != nil {
		return nil, errors.New("the certificate that the control plane gave is not for this machine's key")
	}
	i := &Identity{Edge: edge, Location: location, Addresses: addresses, root: a.root,
		pair: tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: a.key, Leaf: leaf}}
	err = errors.Join(
		os.MkdirAll(dir, 0o700),
		writeKey(filepath.Join(dir, edgeKeyFile), a.key),
		writePEM(filepath.Join(dir, edgeFile), "CERTIFICATE", certificate, 0o644),
		writePEM(filepath.Join(dir, trustFile), "CERTIFICATE", a.root.Raw, 0o644),
	)
	if err != nil {
		return nil, err
	}
	return i, i.save(dir)
}

func (i *Identity) save(dir string) error {
	b, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, identityFile), append(b, '\n'), 0o644)
}

// OpenIdentity reads what Keep has written; nil when there is nothing.
func OpenIdentity(dir string) (*Identity, error) {
	b, err := os.ReadFile(filepath.Join(dir, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	i := &Identity{}
	if err == nil {
		err = json.Unmarshal(b, i)
	}
	if err == nil {
		i.pair, err = tls.LoadX509KeyPair(filepath.Join(dir, edgeFile), filepath.Join(dir, edgeKeyFile))
	}
	if err == nil {
		i.root, err = readCertificate(filepath.Join(dir, trustFile))
	}
	if err == nil && (i.Edge == "" || len(i.Addresses) == 0) {
		err = errors.New("it names no edge, or no control node")
	}
	if err != nil {
		return nil, fmt.Errorf("the identity of this edge in %s cannot be read: %w. Restore it from a backup, or remove %s there and join again with a token", dir, err, identityFile)
	}
	return i, nil
}

func readCertificate(path string) (*x509.Certificate, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return x509.ParseCertificate(block.Bytes)
}
