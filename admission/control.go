package admission

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/warmfront/warmfront/internal/durable"
)

// Cluster is how a control node shows itself to the others, and what it expects of them. The key is this process's.
func (a *Authority) Cluster() (*tls.Config, error) {
	t, err := a.show(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, err
	}
	t.RootCAs, t.ServerName, t.ClientAuth = t.ClientCAs, ControlName, tls.RequireAndVerifyClientCert
	return t, nil
}

// IsControl reports whether a connection's verified certificate is a control node's. An edge's has no name of a host.
func IsControl(c *tls.ConnectionState) bool {
	return len(c.VerifiedChains) > 0 && len(c.PeerCertificates) > 0 && c.PeerCertificates[0].VerifyHostname(ControlName) == nil
}

// Papers are the files of an authority. Whoever has them can be a control node, and let in edges.
type Papers map[string][]byte

// ReadPapers reads those of a directory.
func ReadPapers(dir string) (Papers, error) {
	p := Papers{}
	for _, name := range []string{rootFile, rootKeyFile, previousFile, secretFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) && (name == previousFile || name == secretFile) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p[name] = b
	}
	return p, nil
}

// Keep writes them into a directory that has none. The root comes last: it is what a start looks for.
func (p Papers) Keep(dir string) error {
	if _, err := tls.X509KeyPair(p[rootFile], p[rootKeyFile]); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if b := p[previousFile]; b != nil {
		if err := durable.Write(filepath.Join(dir, previousFile), b, 0o644); err != nil {
			return err
		}
	}
	if b := p[secretFile]; b != nil {
		if err := durable.Write(filepath.Join(dir, secretFile), b, 0o600); err != nil {
			return err
		}
	}
	if err := durable.Write(filepath.Join(dir, rootKeyFile), p[rootKeyFile], 0o600); err != nil {
		return err
	}
	return durable.Write(filepath.Join(dir, rootFile), p[rootFile], 0o644)
}
