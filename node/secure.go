package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/warmfront/warmfront/certificate"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/httpserver"
)

// openCertificates opens what the edges show, when there is https: the operator's certificates, those that an ACME
// authority gives, and for every other name those of an authority of this data directory.
func (d *process) openCertificates(ctx context.Context, p *phase) (err error) {
	if len(d.ls.secure) == 0 {
		if d.Certificates != "" || d.ACME {
			return errors.New("--certificates and --acme-email are for https: leave out --edges-https off")
		}
		return nil
	}
	names := []string{d.Suffix, "*." + d.Suffix, "localhost", "127.0.0.1", "::1"}
	for _, l := range d.ls.secure {
		if host, _, _ := net.SplitHostPort(address(l)); host != "127.0.0.1" && host != "::1" {
			names = append(names, host)
		}
	}
	d.authority, err = certificate.OpenAuthority(certificate.AuthorityConfig{Dir: d.Data, Names: names})
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	d.ready.CA = filepath.Join(d.Data, certificate.RootFile)
	if d.Certificates == "" && !d.ACME {
		return nil
	}
	c := certificate.StoreConfig{Dir: d.Certificates, State: filepath.Join(d.Data, "certificates"), Logger: d.Logger.With("role", "certificates")}
	if d.ACME {
		host, _, _ := net.SplitHostPort(d.ls.secure[0].Addr().String())
		c.ACME = &certificate.ACME{CA: d.ACMECA, Email: d.ACMEEmail, Host: host, HTTPPort: port(d.ls.edges[0]), TLSPort: port(d.ls.secure[0])}
	}
	if d.store, err = certificate.Open(ctx, c); err != nil {
		return fmt.Errorf("--certificates: %w", err)
	}
	p.run(d.store.Run)
	return nil
}

// tls is how an edge shakes hands.
func (d *process) tls(e *edge.Edge) *httpserver.TLS {
	t := &httpserver.TLS{Names: e, Certificate: d.authority.Certificates(func(name string) bool {
		_, known := e.Policy(name)
		return known
	})}
	if d.store != nil {
		t.Certificate, t.Challenges = d.store.Certificates(e.HasAlias, t.Certificate), true
	}
	return t
}

// port is that of a listener, 0 of none.
func port(l net.Listener) int {
	if l == nil {
		return 0
	}
	return l.Addr().(*net.TCPAddr).Port
}

// udpPort is the same of a UDP socket.
func udpPort(p net.PacketConn) int {
	if p == nil {
		return 0
	}
	return p.LocalAddr().(*net.UDPAddr).Port
}
