package origin

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
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

// maxPools bounds the pools: origin settings change, and those of old configurations must not stay
// forever (law L9). The one used longest ago goes.
const maxPools = 512

// pool returns where the connections for o are kept, and the name for which TLS is spoken: the forwarded
// Host where there is one. It is "" without TLS.
func (c *Client) pool(o *distribution.Origin, r *Request) (p *pool, host string, failed *Error) {
	k, err := c.key(o, r.Scheme)
	if err != nil {
		return nil, "", &Error{Kind: TLS, Op: "connect", Err: err}
	}
	if k.scheme == "https" {
		if host = o.DomainName; r.Host != "" {
			host = hostname(r.Host)
		}
	}
	p, evicted := c.find(k)
	if evicted != nil {
		evicted.close() // without mu: TLS says farewell
	}
	return p, host, nil
}

// find returns the pool under k, and one that had to make room for it.
func (c *Client) find(k poolKey) (p, evicted *pool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	if p = c.pools[k]; p == nil {
		evicted = c.evict()
		p = &pool{key: k, line: c.lineTo(k), maxIdle: c.maxIdle, sending: &c.sending}
		c.pools[k] = p
	}
	p.used = c.clock
	return p, evicted
}

// evict makes room for one more pool and returns the one that had to go. Requires mu.
func (c *Client) evict() *pool {
	if len(c.pools) < maxPools {
		return nil
	}
	var oldest poolKey
	least := c.clock + 1
	for k, p := range c.pools {
		if p.used < least {
			oldest, least = k, p.used
		}
	}
	p := c.pools[oldest]
	delete(c.pools, oldest)
	return p
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

// open makes a connection for p.
func (c *Client) open(ctx context.Context, p *pool, host string, due time.Time) (*conn, *Error) {
	bounded := ctx
	if !due.IsZero() {
		var cancel context.CancelFunc
		bounded, cancel = context.WithDeadlineCause(ctx, due, errCompletion)
		defer cancel()
	}
	var nc net.Conn
	var err error
	if p.key.scheme == "https" {
		nc, err = c.connectTLS(bounded, p.key, host)
	} else {
		nc, err = c.connect(bounded, p.key)
	}
	var failed *Error
	switch {
	case err == nil:
		return newConn(nc, p, host), nil
	case ctx.Err() != nil:
		return nil, &Error{Kind: Canceled, Op: "connect", Err: context.Cause(ctx)}
	case context.Cause(bounded) == errCompletion:
		return nil, &Error{Kind: ReadTimeout, Op: "connect", Err: errCompletion}
	case errors.As(err, &failed):
		return nil, failed
	}
	return nil, &Error{Kind: Connect, Op: "connect", Err: err}
}

// connect dials. The errors of connect and connectTLS are *Error.
func (c *Client) connect(ctx context.Context, k poolKey) (net.Conn, error) {
	ctx, cancel := limit(ctx, k.connect)
	defer cancel()
	nc, err := c.dial(ctx, k.network, k.addr)
	if err != nil {
		return nil, dialError(err)
	}
	return newSocket(nc), nil
}

// connectTLS dials and speaks TLS for host.
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
	return tc, nil
}

func limit(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
