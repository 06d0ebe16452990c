package origin

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/distribution"
)

// poolKey is everything that decides how a connection is made and kept. Requests with equal keys
// share connections.
type poolKey struct {
	scheme, addr, network    string // where to
	name                     string // the origin's domain name
	connect, read, keepalive time.Duration
	minTLS, maxTLS           uint16 // 0 for http
}

// pool is the connections under one key. used is guarded by the client's mu.
type pool struct {
	*http.Transport
	used uint64
}

// maxPools bounds the pools: origin settings change, and those of old configurations must not stay
// forever (law L9). The one used longest ago goes.
const maxPools = 512

// pool returns the connections for o, the scheme to use, and the host:port under which the pool keeps
// them.
func (c *Client) pool(o *distribution.Origin, r *Request) (p *pool, scheme, host string, failed *Error) {
	k, err := c.key(o, r.Scheme)
	if err != nil {
		return nil, "", "", &Error{TLS, "connect", err}
	}
	// Connections are kept by the name that TLS was spoken for: the forwarded Host where there is one.
	name := o.DomainName
	if k.scheme == "https" && r.Host != "" {
		name = hostname(r.Host)
	}
	host = net.JoinHostPort(name, strconv.Itoa(o.Port(k.scheme)))

	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	if p = c.pools[k]; p == nil {
		c.evict()
		p = &pool{Transport: c.transport(k)}
		c.pools[k] = p
	}
	p.used = c.clock
	return p, k.scheme, host, nil
}

// evict makes room for one more pool. Requires mu.
func (c *Client) evict() {
	if len(c.pools) < maxPools {
		return
	}
	var oldest poolKey
	least := c.clock + 1
	for k, p := range c.pools {
		if p.used < least {
			oldest, least = k, p.used
		}
	}
	c.pools[oldest].CloseIdleConnections()
	delete(c.pools, oldest)
}

func (c *Client) key(o *distribution.Origin, viewerScheme string) (poolKey, error) {
	k := poolKey{
		scheme:    o.Scheme(viewerScheme),
		name:      o.DomainName,
		network:   "tcp4",
		connect:   o.ConnectionTimeout,
		read:      o.ReadTimeout,
		keepalive: o.KeepaliveTimeout,
	}
	switch o.IPAddressType {
	case "ipv6":
		k.network = "tcp6"
	case "dualstack":
		k.network = "tcp"
	}
	k.addr = net.JoinHostPort(o.DomainName, strconv.Itoa(o.Port(k.scheme)))
	if t, ok := c.resolve.lookup(o.DomainName); ok {
		k.network = "tcp" // the address type is about the public name, not about where it was sent
		k.scheme = cmp.Or(t.scheme, k.scheme)
		k.addr = t.addr
	}
	if k.scheme == "http" {
		return k, nil
	}
	var err error
	k.minTLS, k.maxTLS, err = tlsVersions(o.SSLProtocols)
	return k, err
}

func (c *Client) transport(k poolKey) *http.Transport {
	t := &http.Transport{
		Proxy:                  nil, // never from the environment
		DisableCompression:     true,
		Protocols:              new(http.Protocols),
		MaxIdleConnsPerHost:    c.maxIdle,
		MaxIdleConns:           4 * c.maxIdle, // forwarded Hosts each have their own connections
		IdleConnTimeout:        k.keepalive,
		ResponseHeaderTimeout:  k.read,
		MaxResponseHeaderBytes: c.maxHeader,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.connect(ctx, k)
		},
		DialTLSContext: func(ctx context.Context, _, host string) (net.Conn, error) {
			return c.connectTLS(ctx, k, host)
		},
	}
	t.Protocols.SetHTTP1(true) // CloudFront speaks HTTP/1.1 to origins
	return t
}

// connect dials. The errors of connect and connectTLS are *Error, which Transport
// passes on as they are.
func (c *Client) connect(ctx context.Context, k poolKey) (net.Conn, error) {
	ctx, cancel := limit(ctx, k.connect)
	defer cancel()
	nc, err := c.dial(ctx, k.network, k.addr)
	if err != nil {
		return nil, dialError(err)
	}
	return newConn(nc, k.read), nil
}

func (c *Client) connectTLS(ctx context.Context, k poolKey, host string) (net.Conn, error) {
	nc, err := c.connect(ctx, k)
	if err != nil {
		return nil, err
	}
	ctx, cancel := limit(ctx, k.connect)
	defer cancel()
	tc := tls.Client(nc, c.tlsConfig(k, hostname(host)))
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, handshakeError(err)
	}
	// On top, not only below: octets that TLS has decrypted count as received.
	return newConn(tc, k.read), nil
}

func limit(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

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
