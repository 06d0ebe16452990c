package node

import (
	"fmt"
	"net"
	"path/filepath"

	"github.com/warmfront/warmfront/certificate"
)

// openAuthority has the certificates of the edges made by an authority of this data directory, when there is
// https.
func (d *dev) openAuthority() (err error) {
	if len(d.ls.secure) == 0 {
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
	return nil
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
