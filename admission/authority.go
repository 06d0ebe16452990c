package admission

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/warmfront/warmfront/internal/durable"
)

// Files of an authority's directory. All control nodes have the same ones.
const (
	rootFile     = "authority.pem"
	rootKeyFile  = "authority-key.pem"
	previousFile = "previous.pem" // after a renewal: the root before, and the new one signed by it
	secretFile   = "secret.pem"   // after a renewal: Authority.Secret as it was before

	begunKeyFile = rootKeyFile + ".begun" // of an authority whose certificate is not written yet
)

const (
	life      = 10 * 365 * 24 * time.Hour
	edgeLife  = 90 * 24 * time.Hour
	backdated = time.Hour // for clocks that are behind ours
)

// Authority signs the certificates of control nodes and edges. OpenAuthority makes it; its methods may be
// called concurrently.
type Authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time

	previous *x509.Certificate // the root before the renewal; nil: none that counts
	cross    *x509.Certificate // root, signed by previous

	secret []byte // nil: it is derived of key
}

// OpenAuthority reads the authority of a directory, or makes one where there is none. A nil now is time.Now.
func OpenAuthority(dir string, now func() time.Time) (*Authority, error) {
	if now == nil {
		now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := finish(dir); err != nil {
		return nil, err
	}
	a := &Authority{now: now}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, rootFile), filepath.Join(dir, rootKeyFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if half := halfOf(dir); half != nil {
			return nil, half
		}
		return a, a.begin(dir)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the authority in %s is not this user's to read: give its files to the user that the control node runs as: %w", dir, err)
	case err != nil:
		return nil, fmt.Errorf("%s and %s in %s are no certificate with its key: restore them from a backup, for with others no edge is known: %w", rootFile, rootKeyFile, dir, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s in %s is not what was made here: restore it from a backup", rootFile, dir)
	}
	if now().After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("the authority in %s has expired, at %s", dir, pair.Leaf.NotAfter.Format(time.RFC3339))
	}
	a.root, a.key = pair.Leaf, key
	if err := a.openSecret(dir); err != nil {
		return nil, err
	}
	return a, a.openPrevious(dir)
}

// openPrevious reads what a renewal has left. It counts until it ends.
func (a *Authority) openPrevious(dir string) error {
	all, err := readCertificates(filepath.Join(dir, previousFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && len(all) != 2:
		err = fmt.Errorf("it holds %d certificates, not two", len(all))
	case err == nil && !bytes.Equal(all[1].RawSubjectPublicKeyInfo, a.root.RawSubjectPublicKeyInfo):
		return nil // a renewal was cut off before the new root was there
	}
	if err != nil {
		return fmt.Errorf("%s in %s cannot be read: %w. Restore it from a backup, or move it away: edges that have not met the new authority are then unknown", previousFile, dir, err)
	}
	if a.now().Before(all[0].NotAfter) {
		a.previous, a.cross = all[0], all[1]
	}
	return nil
}

// RenewAuthority makes a new authority beside that of a directory, which counts from the next start of each control node. The one
// before counts on until it ends, but signs nothing any more; its key is gone. One before that is forgotten.
func RenewAuthority(dir string, now func() time.Time) (*Authority, error) {
	if expires, err := LookAtAuthority(dir); err == nil && expires.IsZero() {
		return nil, fmt.Errorf("there is no authority in %s to renew; warmfront control makes one at its first start", dir)
	}
	old, err := OpenAuthority(dir, now)
	if err != nil {
		return nil, err
	}
	if old.root.MaxPathLenZero {
		return nil, fmt.Errorf("the authority in %s was made by an early version and can vouch for no other: move the directory away, and admit all edges anew", dir)
	}
	a := &Authority{now: old.now, previous: old.root, secret: old.Secret()}
	if err := a.make(); err != nil {
		return nil, err
	}
	if err := writePEM(filepath.Join(dir, secretFile), secretBlock, a.secret, 0o600); err != nil {
		return nil, err
	}
	t := *a.root
	t.AuthorityKeyId, t.Signature, t.MaxPathLen, t.MaxPathLenZero = nil, nil, 0, true
	if a.cross, err = old.sign(&t, &a.key.PublicKey, life); err != nil {
		return nil, err
	}
	text := append(encodePEM(a.previous.Raw), encodePEM(a.cross.Raw)...)
	if err := durable.Write(filepath.Join(dir, previousFile), text, 0o644); err != nil {
		return nil, err
	}
	return a, errors.Join(a.write(dir), durable.Give(dir)) // or root has locked the control node out
}

// halfOf says which file of an authority is missing while the other is there. To make another authority then would lock out
// every edge that the first has admitted.
func halfOf(dir string) error {
	for file, other := range map[string]string{rootFile: rootKeyFile, rootKeyFile: rootFile} {
		if _, err := os.Stat(filepath.Join(dir, other)); err == nil {
			return fmt.Errorf("%s is missing in %s, and its %s is there: restore it from a backup, for with another authority no edge is known. "+
				"If no edge was ever admitted, or all are to be admitted anew, move %s away", file, dir, other, other)
		}
	}
	return nil
}

// begin makes the authority. Both files get their names when both are whole on disk, the certificate first; a start that was cut
// off in between is finished by the next one.
func (a *Authority) begin(dir string) error {
	if err := a.make(); err != nil {
		return err
	}
	return a.write(dir)
}

func (a *Authority) make() (err error) {
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	host, _ := os.Hostname()
	a.root, err = a.sign(&x509.Certificate{
		Subject: pkix.Name{Organization: []string{"Warmfront"}, CommonName: "Warmfront control plane begun on " + host + " at " + a.now().UTC().Format(time.RFC3339)},
		IsCA:    true, BasicConstraintsValid: true, MaxPathLen: 1, // one: the root after it
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, &a.key.PublicKey, life)
	return err
}

func (a *Authority) write(dir string) error {
	if err := writeKey(filepath.Join(dir, begunKeyFile), a.key); err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, rootFile), "CERTIFICATE", a.root.Raw, 0o644); err != nil {
		return err
	}
	return finish(dir)
}

// finish gives the key of a new authority its name, if its certificate is there and the key still waits for it. One whose certificate
// was never written is left alone: the next that is made takes its place.
func finish(dir string) error {
	begun := filepath.Join(dir, begunKeyFile)
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, rootFile), begun); err != nil {
		return nil
	}
	if err := os.Rename(begun, filepath.Join(dir, rootKeyFile)); err != nil {
		return err
	}
	return durable.SyncDir(dir)
}

// sign makes a certificate that ends no later than the authority.
func (a *Authority) sign(t *x509.Certificate, public any, life time.Duration) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	rand.Read(serial)
	serial[0] = serial[0]&0x7f | 0x40 // RFC 5280 section 4.1.2.2: positive; and always as long
	t.SerialNumber = new(big.Int).SetBytes(serial)
	t.NotBefore, t.NotAfter = a.now().Add(-backdated), a.now().Add(life)
	parent := a.root
	if parent == nil {
		parent = t
	} else if t.NotAfter.After(parent.NotAfter) {
		t.NotAfter = parent.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Expires is when the authority ends, and with it every certificate of its.
func (a *Authority) Expires() time.Time { return a.root.NotAfter }

// LookAtAuthority returns when the authority of a directory ends, zero where there is none, and fails where OpenAuthority would. It
// changes nothing, but that a renewal that was cut off is brought to its end.
func LookAtAuthority(dir string) (expires time.Time, err error) {
	if _, err := os.Stat(filepath.Join(dir, rootFile)); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, rootKeyFile)); errors.Is(err, fs.ErrNotExist) {
			return time.Time{}, nil
		}
	}
	a, err := OpenAuthority(dir, nil)
	if err != nil {
		return time.Time{}, err
	}
	return a.Expires(), nil
}

// Fingerprint names the authority in tokens.
func (a *Authority) Fingerprint() string { return fingerprint(a.root.Raw) }

// Root is its certificate, DER.
func (a *Authority) Root() []byte { return a.root.Raw }

// Previous names the authority before the renewal, as Fingerprint does, and says when it ends; "": none counts.
func (a *Authority) Previous() (fp string, expires time.Time) {
	if a.previous == nil {
		return "", time.Time{}
	}
	return fingerprint(a.previous.Raw), a.previous.NotAfter
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// Control is how a control node shows itself to edges, and whose certificates it takes. The key is this process's.
func (a *Authority) Control() (*tls.Config, error) { return a.show(x509.ExtKeyUsageServerAuth) }

// show makes the certificate.
func (a *Authority) show(usage ...x509.ExtKeyUsage) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c, err := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: ControlName}, DNSNames: []string{ControlName},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usage,
	}, &key.PublicKey, life)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	chain := [][]byte{c.Raw, a.root.Raw} // with the root: who comes with a token has only its fingerprint
	if a.previous != nil {
		pool.AddCert(a.previous)
		chain = append(chain, a.cross.Raw, a.previous.Raw)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: key, Leaf: c}},
		ClientCAs:    pool,
		MinVersion:   tls.VersionTLS13,
	}, nil
}

// SignEdge makes an edge's certificate of its request, and returns it with its serial number.
func (a *Authority) SignEdge(request []byte, edge string) (der []byte, serial string, err error) {
	return a.signRequest(request, &x509.Certificate{Subject: subject(edgeUnit, edge), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// signRequest makes a machine's certificate. What the request says beside its key counts for nothing. The key must be of P-256, as an
// Applicant's is: what others cost to check, their makers choose.
func (a *Authority) signRequest(request []byte, t *x509.Certificate) (der []byte, serial string, err error) {
	r, err := x509.ParseCertificateRequest(request)
	if err == nil {
		if key, ok := r.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
			err = errors.New("its key is not of P-256")
		}
	}
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return nil, "", fmt.Errorf("the request for a certificate cannot be read: %w", err)
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	c, err := a.sign(t, r.PublicKey, edgeLife)
	if err != nil {
		return nil, "", err
	}
	return c.Raw, serialOf(c), nil
}

// edgeUnit marks certificates of edges.
const edgeUnit = "edge"

func subject(unit, name string) pkix.Name {
	return pkix.Name{Organization: []string{"Warmfront"}, OrganizationalUnit: []string{unit}, CommonName: name}
}

func serialOf(c *x509.Certificate) string { return c.SerialNumber.Text(16) }

// Who returns the edge's name and the serial number of a connection's verified certificate; ok is false when there is none of an
// edge.
func Who(c *tls.ConnectionState) (edge, serial string, ok bool) { return who(c, edgeUnit) }

func who(c *tls.ConnectionState, unit string) (name, serial string, ok bool) {
	if len(c.VerifiedChains) == 0 || len(c.PeerCertificates) == 0 {
		return "", "", false
	}
	leaf := c.PeerCertificates[0]
	if u := leaf.Subject.OrganizationalUnit; len(u) != 1 || u[0] != unit || leaf.Subject.CommonName == "" {
		return "", "", false
	}
	return leaf.Subject.CommonName, serialOf(leaf), true
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der, 0o600)
}

// writePEM replaces a file as a whole, durably.
func writePEM(path, kind string, der []byte, mode fs.FileMode) error {
	return durable.Write(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

func encodePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
