package origin

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
)

// tlsConfig verifies as CloudFront does: the certificate must be for the name in the Host field or
// for the origin's domain name.
func (c *Client) tlsConfig(k poolKey, sni string) *tls.Config {
	cfg := &tls.Config{ServerName: sni, RootCAs: c.roots, MinVersion: k.minTLS, MaxVersion: k.maxTLS}
	if sni == k.name {
		return cfg
	}
	// Two names may be right, which crypto/tls cannot say; the same verification is done by hand.
	cfg.InsecureSkipVerify = true
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		opts := x509.VerifyOptions{Roots: c.roots, DNSName: sni, Intermediates: x509.NewCertPool()}
		for _, cert := range cs.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		_, err := cs.PeerCertificates[0].Verify(opts)
		if err != nil {
			opts.DNSName = k.name
			_, err = cs.PeerCertificates[0].Verify(opts)
		}
		return err
	}
	return cfg
}

// tlsVersions gives the range that a list of CloudFront's names spans. TLS 1.3 comes with "TLSv1.2",
// as CloudFront does it; SSLv3 exists in no living library and is passed over.
func tlsVersions(names []string) (least, most uint16, err error) {
	known := map[string]uint16{"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12}
	var found []uint16
	for _, n := range names {
		if v, ok := known[n]; ok {
			found = append(found, v)
		}
	}
	switch {
	case len(names) == 0:
		return tls.VersionTLS12, tls.VersionTLS13, nil
	case len(found) == 0:
		return 0, 0, errors.New("none of the origin's SSL protocols can be spoken")
	}
	least, most = slices.Min(found), slices.Max(found)
	if most == tls.VersionTLS12 {
		most = tls.VersionTLS13
	}
	return least, most, nil
}

// hostname cuts the port off host[:port].
func hostname(s string) string {
	if h, _, err := net.SplitHostPort(s); err == nil {
		return h
	}
	return s
}
