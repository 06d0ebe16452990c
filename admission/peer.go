package admission

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// Edges show each other the certificates that they show control nodes, on both sides of a connection. known is what the journal says:
// whether a serial number is an edge's.

// Listen is how the edge takes connections of other edges. Who they are, Who says, at each request anew.
func (i *Identity) Listen() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			pair, root := i.shown()
			pool := x509.NewCertPool()
			pool.AddCert(root)
			return &tls.Config{
				MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, Certificates: []tls.Certificate{*pair},
				NextProtos: []string{"http/1.1"},
			}, nil
		},
	}
}

// Ask is how the edge connects to another one, and to nobody else.
func (i *Identity) Ask(edge string, known func(edge, serial string) bool) *tls.Config {
	pair, root := i.shown()
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: edge, Certificates: []tls.Certificate{*pair},
		InsecureSkipVerify: true, // an edge's certificate is for no host: what is verified, and how, stands in VerifyConnection
		VerifyConnection: func(c tls.ConnectionState) error {
			if len(c.PeerCertificates) == 0 {
				return errors.New("x509: no certificate was shown")
			}
			pool := x509.NewCertPool()
			pool.AddCert(root)
			chains, err := c.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			if err != nil {
				return err
			}
			c.VerifiedChains = chains
			if name, serial, ok := Who(&c); !ok || name != edge || !known(name, serial) {
				return fmt.Errorf("x509: this is not the edge %s", edge)
			}
			return nil
		},
	}
}

// Local makes an edge, or a relay, as the name says, of the process that has the authority. It is kept nowhere.
func (a *Authority) Local(edge, location string) (*Identity, error) {
	p, err := NewApplicant(Token{})
	if err != nil {
		return nil, err
	}
	der, _, err := a.Sign(p.Request, edge)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return identityOf(edge, location, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: p.key, Leaf: leaf}, a.root), nil
}

func identityOf(edge, location string, pair tls.Certificate, root *x509.Certificate) *Identity {
	i := &Identity{Edge: edge, Location: location}
	i.held.Store(&held{pair, root})
	return i
}

// shown is the certificate that the edge shows, and the root that it trusts.
func (i *Identity) shown() (*tls.Certificate, *x509.Certificate) {
	h := i.held.Load()
	return &h.pair, h.root
}
