// Package origin knows how to fetch from where the truth is: which address an origin's name stands
// for, how long to wait for it, when to ask again, and in which of a few named ways it failed.
//
// It asks what it is told to ask and hands back what came: it follows no redirect, decodes no
// Content-Encoding, adds no User-Agent, takes no proxy from the environment and knows no cache.
// Connections are kept per origin setting, so that two distributions with the same origin share them.
//
// Underneath is net/http's Transport. What it loses is lost here too: the order of fields (they are
// sorted by name, so that equal answers are equal) and the spelling of their names.
package origin

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
	MaxHeader int64
}

// Client fetches. It is made by New and may be used concurrently.
type Client struct {
	resolve   *resolver
	roots     *x509.CertPool // nil: the system's
	maxIdle   int
	maxHeader int64
	dial      func(ctx context.Context, network, addr string) (net.Conn, error)

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

// Close closes the idle connections. Answers in flight are not disturbed.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, p := range c.pools {
		p.CloseIdleConnections()
		delete(c.pools, k)
	}
	return nil
}

// Request to an origin. Path and Query go out as they are. Of Fields, those of the connection
// (Connection, Content-Length, Transfer-Encoding, ...) and Host are dropped: they are made from the
// rest.
type Request struct {
	Method        string
	Path          string
	Query         string
	HasQuery      bool
	Host          string // the Host field; "": the origin's domain name
	Scheme        string // of the viewer, for match-viewer
	Fields        message.Fields
	Body          io.Reader // nil: none. It may still be read after Fetch has returned, until the response's Body is closed
	ContentLength int64     // of Body; -1: not known
}

// Response of an origin. Fields are sorted by name; Body must be closed. Errors of Body are *Error
// too: a body shorter than it said ends with Closed, octets beyond the said length are never seen.
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
)

// Fetch asks o. The error is always an *Error. A GET or HEAD is asked up to o.ConnectionAttempts
// times when the origin cannot be connected to or, unless it is S3, does not answer in time; other
// methods are asked once. Informational answers are swallowed. When ctx ends, so does Body.
func (c *Client) Fetch(ctx context.Context, o *distribution.Origin, r *Request) (*Response, error) {
	began := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	f := &fetch{ctx: ctx, cancel: cancel}
	if t := o.ResponseCompletionTimeout; t > 0 {
		f.completion = time.AfterFunc(t, func() { cancel(errCompletion) })
	}
	attempts := 1
	if r.Body == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		attempts = min(max(o.ConnectionAttempts, 1), 3)
	}
	for n := 1; ; n++ {
		resp, err := c.ask(ctx, o, r)
		if err == nil {
			return f.response(resp, o, time.Since(began), n), nil
		}
		if n >= attempts || !err.again(o) {
			f.end()
			return nil, err
		}
	}
}

// ask asks once and classifies what went wrong.
func (c *Client) ask(ctx context.Context, o *distribution.Origin, r *Request) (*http.Response, *Error) {
	p, scheme, host, err := c.pool(o, r)
	if err != nil {
		return nil, err
	}
	resp, rtErr := p.RoundTrip(httpRequest(ctx, o, r, scheme, host))
	if rtErr != nil {
		return nil, classify(ctx, "ask", rtErr)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body.Close()
		return nil, &Error{Kind: Invalid, Op: "ask", Err: errors.New("the origin switches protocols unasked")}
	}
	return resp, nil
}

// fetch is what a Fetch holds until its body is closed.
type fetch struct {
	ctx        context.Context
	cancel     context.CancelCauseFunc
	completion *time.Timer // nil: no limit
}

func (f *fetch) end() {
	if f.completion != nil {
		f.completion.Stop()
	}
	f.cancel(context.Canceled)
}

func (f *fetch) response(resp *http.Response, o *distribution.Origin, first time.Duration, attempts int) *Response {
	b := &body{fetch: f, rc: resp.Body, timeout: o.ReadTimeout}
	if b.timeout > 0 {
		b.timer = time.AfterFunc(b.timeout, func() { f.cancel(errReadTimeout) })
		b.timer.Stop()
	}
	return &Response{
		Status:        resp.StatusCode,
		Fields:        fieldsOf(resp.Header),
		Body:          b,
		ContentLength: resp.ContentLength,
		FirstByte:     first,
		Attempts:      attempts,
	}
}

// body counts the time that the origin lets a read wait. The time between reads is the reader's own:
// a slow viewer does not make a slow origin.
type body struct {
	*fetch
	rc      io.ReadCloser
	timer   *time.Timer // nil: no limit
	timeout time.Duration
	err     error // sticky
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.timer != nil {
		b.timer.Reset(b.timeout)
		defer b.timer.Stop()
	}
	n, err := b.rc.Read(p)
	switch {
	case err == io.EOF:
		b.err = io.EOF
		if b.completion != nil {
			b.completion.Stop() // complete: what the reader does now is not the origin's time
		}
	case err != nil:
		b.err = classify(b.ctx, "read body", err)
	}
	return n, b.err
}

func (b *body) Close() error {
	if b.err == nil {
		b.err = &Error{Kind: Canceled, Op: "read body", Err: errors.New("body closed")}
	}
	b.end()
	return b.rc.Close()
}
