package tier

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Client asks other edges. Make it with NewClient; it may be used concurrently.
type Client struct {
	tls  func(edge string) *tls.Config
	http *http.Transport

	mu    sync.Mutex
	edges map[string]*remote // by host, which stands for name and address
}

// remote is what is known of an edge.
type remote struct {
	Edge
	used   time.Time     // when it was asked last
	until  time.Time     // it is left alone
	away   time.Duration // for how long, the last time; 0: it answers
	trying bool          // somebody finds out whether it is back
}

const (
	dialLimit = time.Second
	leastAway = time.Second
	mostAway  = 30 * time.Second

	maxIdle   = 32   // connections to an edge that wait for work
	maxRemote = 4096 // edges of which something is known
)

// NewClient makes one that shows itself to an edge with tls(edge), and accepts nobody else.
func NewClient(tls func(edge string) *tls.Config) *Client {
	c := &Client{tls: tls, edges: map[string]*remote{}}
	c.http = &http.Transport{
		DialTLSContext: c.dial, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: time.Minute, DisableCompression: true,
		ReadBufferSize: 32 << 10,
	}
	return c
}

// Close closes the connections that wait for work. It is called when no Ask will be.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// hostOf stands for an edge where net/http wants a host: an edge that has moved is another one.
func hostOf(e Edge) string {
	sum := sha256.Sum256([]byte(e.Name + "|" + e.Address))
	return hex.EncodeToString(sum[:16])
}

func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(addr)
	c.mu.Lock()
	e, ok := c.edges[host]
	c.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("tier: edge %s is forgotten", host)
	}
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	d := tls.Dialer{NetDialer: &net.Dialer{KeepAlive: 15 * time.Second}, Config: c.tls(e.Name)}
	return d.DialContext(ctx, network, e.Address)
}

// enter tells whether an edge may be asked now. Who is let in says leave.
func (c *Client) enter(e Edge) (*remote, bool) {
	now, host := time.Now(), hostOf(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.edges[host]
	if r == nil {
		c.forget()
		r = &remote{Edge: e}
		c.edges[host] = r
	}
	if now.Before(r.until) || r.trying {
		return nil, false
	}
	r.used, r.trying = now, r.away > 0
	return r, true
}

// forget makes room for one more. With mu.
func (c *Client) forget() {
	if len(c.edges) < maxRemote {
		return
	}
	oldest := ""
	for host, r := range c.edges {
		if !r.trying && (oldest == "" || r.used.Before(c.edges[oldest].used)) {
			oldest = host
		}
	}
	delete(c.edges, oldest)
}

// outcome is what has become of a question.
type outcome uint8

const (
	answered outcome = iota
	lagging          // it lives, and cannot answer for a moment
	lost
	nothing // who asked has gone: that says nothing
)

func (c *Client) leave(r *remote, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.trying = false
	switch o {
	case answered:
		r.away, r.until = 0, time.Time{}
	case lagging:
		r.away, r.until = 0, time.Now().Add(leastAway)
	case lost:
		r.away = min(max(2*r.away, leastAway), mostAway)
		r.until = time.Now().Add(r.away)
	}
}

// Away tells that an edge is left alone at the moment.
func (c *Client) Away(e Edge) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.edges[hostOf(e)]
	return r != nil && (r.trying || time.Now().Before(r.until))
}

// Answer of an edge. Body must be closed, and is nil where Head has a refusal or a failure; its Read ends with io.EOF only when
// everything has come.
type Answer struct {
	Head Head
	Body io.ReadCloser
}

var (
	// ErrAway is said of an edge that is left alone.
	ErrAway   = errors.New("tier: the edge has not answered a moment ago")
	errSilent = errors.New("tier: the edge is silent")
	errLong   = errors.New("tier: the question is too long")
)

// Ask asks e. An error says that it cannot be asked, or does not answer; a refusal is an answer. When ctx ends, so does the
// body.
func (c *Client) Ask(ctx context.Context, e Edge, a *Ask) (*Answer, error) {
	b, err := a.encode()
	if err != nil {
		return nil, err
	}
	if len(b) > MaxAsk {
		return nil, errLong
	}
	r, ok := c.enter(e)
	if !ok {
		return nil, ErrAway
	}
	out, err := c.exchange(ctx, r, hostOf(e), b)
	switch {
	case err != nil && ctx.Err() != nil:
		c.leave(r, nothing)
	case err != nil:
		c.leave(r, lost)
	case out.Head.Refused != "" && out.Head.Refused != Loop && out.Head.Refused != Unclear && out.Head.Refused != Elsewhere:
		c.leave(r, lagging)
	default:
		c.leave(r, answered)
	}
	return out, err
}

func (c *Client) exchange(ctx context.Context, to *remote, host string, b []byte) (_ *Answer, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	x := &body{cancel: cancel, watch: time.AfterFunc(silence, func() { cancel(errSilent) })}
	defer func() {
		if err != nil {
			err = causeOf(ctx, err)
			x.Close()
		}
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	r.Header["Idempotency-Key"] = nil // it is: what meets a connection that has just been closed is sent again
	resp, err := c.http.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	x.resp, x.in = resp.Body, bufio.NewReaderSize(resp.Body, 16<<10)
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("tier: the edge answers with %s", resp.Status)
	}
	c.leave(to, answered) // it is back, however long this answer takes
	kind, n, err := x.next()
	if err != nil {
		return nil, err
	}
	defer x.watch.Stop()
	if kind != frameHead {
		return nil, errUnclear
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(x.in, head); err != nil {
		return nil, err
	}
	h, err := decodeHead(head)
	if err != nil {
		return nil, err
	}
	if h.Refused != "" || h.Failure != "" {
		io.Copy(io.Discard, x.in) // nothing: then the connection is of use again
		x.Close()
		return &Answer{Head: *h}, nil
	}
	return &Answer{Head: *h, Body: x}, nil
}

// causeOf is why ctx has ended, if that is why.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
