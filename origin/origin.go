// Package origin knows how to fetch from where the truth is: which address an origin's name stands
// for, how long to wait for it, when to ask again, and in which of a few named ways it failed.
//
// It asks what it is told to ask and hands back what came: it follows no redirect, decodes no
// Content-Encoding, adds no User-Agent, takes no proxy from the environment and knows no cache.
// Connections are kept per origin setting, so that two distributions with the same origin share them.
//
// It speaks HTTP/1.1 (RFC 9112) itself, in the goroutine that asks: one write for the request, one read for
// most answers, the body straight into its reader's memory. What goes out is written anew from the
// parsed form and can be read in one way only; of what comes back only that is accepted which can be
// read in one way only. An address that does not answer is asked by one request at a time (circuit.go), and
// no address by more at once than it may (queue.go). A connection carries another request when exactly the answer has come from it
// and nothing else.
package origin

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
)

// Config of a Client. The zero value is usable.
type Config struct {
	// Resolve sends origin names to other addresses: name or "*.suffix" or "*" to host:port or
	// http[s]://host[:port]. The Host field, SNI and the certificate's name stay the origin's.
	// ParseResolve and ReadResolve make one.
	Resolve map[string]string
	// RootsFile names a PEM file of certificate authorities that are trusted besides the system's.
	RootsFile string
	// MaxIdlePerHost bounds the idle connections per origin; 0 means 64.
	MaxIdlePerHost int
	// MaxHeader bounds the head of a response in octets; 0 means 32,768.
	MaxHeader int
	// MaxRequests bounds the requests on their way to one address; 0 means 4,096. More wait for as long as a
	// connection may take.
	MaxRequests int
	// Changed is told when an address no longer answers (down), and when it does again. It may be called concurrently
	// and must not block; nil: nobody is.
	Changed func(o Outage, down bool)
}

// Client fetches. It is made by New and may be used concurrently.
type Client struct {
	resolve   *resolver
	roots     *x509.CertPool // nil: the system's
	maxIdle   int
	maxHeader int
	most      int // requests on their way to an address
	changed   func(Outage, bool)
	dial      func(ctx context.Context, network, addr string) (net.Conn, error)

	sending sync.WaitGroup // the goroutines that send a request's body

	mu    sync.Mutex
	pools map[poolKey]*pool // guarded by mu
	clock uint64            // guarded by mu: counts look-ups, for evicting the pool that was used longest ago
}

// New checks the configuration. It starts nothing.
func New(cfg Config) (*Client, error) {
	res, err := newResolver(cfg.Resolve)
	if err != nil {
		return nil, err
	}
	c := &Client{
		resolve:   res,
		maxIdle:   cfg.MaxIdlePerHost,
		maxHeader: cfg.MaxHeader,
		most:      cmp.Or(cfg.MaxRequests, 4096),
		changed:   cfg.Changed,
		dial:      (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext,
		pools:     map[poolKey]*pool{},
	}
	if c.maxIdle == 0 {
		c.maxIdle = 64
	}
	if c.maxHeader == 0 {
		c.maxHeader = 32768
	}
	if cfg.RootsFile != "" {
		if c.roots, err = readRoots(cfg.RootsFile); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("origin: certificate authorities: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("origin: certificate authorities: %s has no PEM certificate", file)
	}
	return roots, nil
}

// Close closes the idle connections and waits for those who still read a request's body. It is called when
// no Fetch will be.
func (c *Client) Close() error {
	c.mu.Lock()
	all := c.pools
	c.pools = map[poolKey]*pool{}
	c.mu.Unlock()
	for _, p := range all {
		p.close()
	}
	c.sending.Wait()
	return nil
}

// Response of an origin. Fields come in the origin's order and spelling, without Transfer-Encoding and
// Trailer, which were about the connection. Body must be closed; it is read by one goroutine. Its errors are
// *Error too: a body shorter than it said ends with Closed, octets beyond the said length are never seen.
type Response struct {
	Status        int
	Fields        message.Fields
	Body          io.ReadCloser
	ContentLength int64         // -1 when the origin did not say
	FirstByte     time.Duration // from the call of Fetch to the complete head of the answer
	Attempts      int           // how often it was asked
}

var (
	errReadTimeout = errors.New("the origin sent nothing within its read timeout")
	errCompletion  = errors.New("the answer was not complete within the response completion timeout")
	errEnded       = &Error{Kind: Canceled, Op: "ask", Err: context.Canceled}
)

// Fetch asks o. The error is always an *Error. A GET or HEAD is asked up to o.ConnectionAttempts
// times when the origin cannot be connected to or, unless it is S3, does not answer in time; other
// methods are asked once. Informational answers are swallowed. When ctx ends, so does Body.
func (c *Client) Fetch(ctx context.Context, o *distribution.Origin, r *Request) (*Response, error) {
	began := time.Now()
	var due time.Time
	if t := o.ResponseCompletionTimeout; t > 0 {
		due = began.Add(t)
	}
	attempts := 1
	if r.Body == nil && (r.Method == "GET" || r.Method == "HEAD") {
		attempts = min(max(o.ConnectionAttempts, 1), 3)
	}
	var failed *Error
	for n := 1; ; n++ {
		x, h, err := c.ask(ctx, o, r, due)
		if err != nil && err.Kind == Down && failed != nil {
			return nil, failed // others have found out meanwhile
		}
		if failed = err; err == nil {
			return &Response{
				Status: h.status, Fields: h.fields, Body: x, ContentLength: h.length,
				FirstByte: time.Since(began), Attempts: n,
			}, nil
		}
		if n >= attempts || !err.again(o) || r.Again != nil && r.Again(ctx) != nil {
			return nil, err
		}
	}
}

// ask asks once. An origin may close an idle connection at the very moment in which it is used again: what
// has got no octet on such a one is asked on a fresh one, if nothing can have happened twice.
func (c *Client) ask(ctx context.Context, o *distribution.Origin, r *Request, due time.Time) (*exchange, *head, *Error) {
	if ctx.Err() != nil {
		return nil, nil, &Error{Kind: Canceled, Op: "ask", Err: context.Cause(ctx)}
	}
	p, host, err := c.pool(o, r)
	if err != nil {
		return nil, nil, err
	}
	v, err := p.line.enter(ctx, o, r.Path)
	if err != nil {
		return nil, nil, err
	}
	x, h, answered, err := c.askBy(ctx, p, host, due, o, r)
	if v.over(answered, err); err == nil {
		x.atEnd(v.free)
	}
	return x, h, err
}

// askBy is ask on a connection of p. answered: an octet of an answer has come.
func (c *Client) askBy(ctx context.Context, p *pool, host string, due time.Time, o *distribution.Origin, r *Request) (_ *exchange, _ *head, answered bool, err *Error) {
	for cn := p.take(host); ; cn = nil {
		if cn == nil {
			if cn, err = c.open(ctx, p, host, due); err != nil {
				return nil, nil, false, err
			}
		}
		x := &exchange{ctx: ctx, limit: o.ReadTimeout, due: due, c: cn}
		h, err := x.ask(o, r, c.maxHeader)
		if err == nil {
			return x, h, true, nil
		}
		if !cn.reused || x.answered || err.Kind != Closed || !r.replayable() {
			return nil, nil, x.answered, err
		}
	}
}
