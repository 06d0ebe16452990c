package ownapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/internal/message"
)

type verifyBody struct {
	Edges []Verified `json:"edges"`
}

// Verified is what an edge has answered a viewer on its own machine, or one on this.
type Verified struct {
	Edge          string  `json:"edge"`
	Location      string  `json:"location"`
	URL           string  `json:"url"`
	Scheme        string  `json:"scheme"`
	Status        int     `json:"status"`
	XCache        string  `json:"xCache"`
	Age           *int    `json:"age"`
	ETag          string  `json:"etag"`
	LastModified  string  `json:"lastModified"`
	ContentType   string  `json:"contentType"`
	ContentLength int64   `json:"contentLength"`
	CfID          string  `json:"cfId"`
	TookMs        float64 `json:"tookMs"`
	Error         string  `json:"error,omitempty"`
}

const (
	verifyTime  = 15 * time.Second // per edge, the body included
	verifyBytes = 64 << 20         // of a body that are read
)

// newVerifyClient speaks to edges of its process only: the addresses are ours, not the caller's, nor what a machine elsewhere
// says of itself. It follows nothing, since a Location is the origin's to choose, and asks no proxy.
//
// Over TLS it asks under the distribution's name. Who answers is known by the address, and whom viewers
// trust is theirs: the operator's certificates may come from an authority that this machine has never heard
// of. So nobody needs to vouch for the certificate, but it must be one that viewers could take.
//
// Where edges stand behind a balancer it says what a balancer says that asks for itself.
func newVerifyClient(name string, proxied bool) *http.Client {
	dial := (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := dial(ctx, network, address)
				if err != nil || !proxied {
					return c, err
				}
				if _, err := io.WriteString(c, "PROXY UNKNOWN\r\n"); err != nil {
					c.Close()
					return nil, err
				}
				return c, nil
			},
			TLSClientConfig: &tls.Config{
				ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12,
				VerifyConnection: func(s tls.ConnectionState) error { return fits(s.PeerCertificates[0], name, time.Now()) },
			},
			TLSHandshakeTimeout: 5 * time.Second,
			DisableCompression:  true, // or it would ask for gzip by itself
			DisableKeepAlives:   true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       verifyTime,
	}
}

// fits tells what no viewer would forgive a certificate, whomever it trusts.
func fits(c *x509.Certificate, name string, now time.Time) error {
	switch {
	case c.VerifyHostname(name) != nil:
		return fmt.Errorf("the edge's certificate is not for %s", name)
	case now.After(c.NotAfter):
		return fmt.Errorf("the edge's certificate ended at %s", c.NotAfter.Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("the edge's certificate begins at %s", c.NotBefore.Format(time.RFC3339))
	}
	return nil
}

// Verification is what each edge is asked. It is plain data: it goes from machine to machine.
type Verification struct {
	Distribution string // its id
	Domain, Path string
	Scheme       string // "http", "https"; "": what the behavior wants
	Headers      message.Fields
}

// postVerify requests a path of a distribution through each edge, as a viewer would. Those on other machines ask themselves: which address
// reaches them from here is not known, and one of theirs may be another's here.
func postVerify(ctx context.Context, c *call) (any, error) {
	var in struct {
		Path    string            `json:"path"`
		Scheme  string            `json:"scheme"`
		Headers map[string]string `json:"headers"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkPath(in.Path); err != nil {
		return nil, err
	}
	if in.Scheme != "" && in.Scheme != "http" && in.Scheme != "https" {
		return nil, invalid("The scheme is http or https. Without one the edges are asked as the behavior wants it.")
	}
	headers, err := readHeaders(in.Headers)
	if err != nil {
		return nil, err
	}
	d, err := c.h.cfg.Control.Distribution(c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if err := c.h.verifies.enter(); err != nil {
		return nil, err
	}
	defer c.h.verifies.leave()

	q := &Verification{d.ID, d.DomainName, in.Path, in.Scheme, headers}
	b := verifyBody{Edges: []Verified{}}
	for _, r := range survey(ctx, c.h, manner{verifyTime, true}, func(ctx context.Context, p *Place) (*Verified, error) {
		switch {
		case p.Verify != nil:
			return p.Verify(ctx, q)
		case !slices.ContainsFunc(c.h.cfg.Places, func(here Place) bool { return here.Name == p.Name }):
			return nil, errors.New("the edge is on another machine, and is not asked from here")
		}
		return q.At(ctx, p, c.h.cfg.Proxied), nil
	}) {
		v := Verified{Scheme: cmp.Or(in.Scheme, "http"), Error: silence(r.err)}
		if r.err == nil {
			v = *r.is
		}
		v.Edge, v.Location = r.Name, r.Location
		b.Edges = append(b.Edges, v)
	}
	return b, nil
}

// At asks an edge at its address. proxied: as a balancer would.
func (q *Verification) At(ctx context.Context, p *Place, proxied bool) *Verified {
	v := &Verified{Edge: p.Name, Location: p.Location, Scheme: "http"}
	base := p.URL
	if q.Scheme == "https" || q.Scheme == "" && p.HTTPS != "" && q.wantsHTTPS(ctx, p.Edge) {
		v.Scheme, base = "https", p.HTTPS
	}
	if base == "" {
		v.Error = "the edge has no address for " + v.Scheme
		return v
	}
	r, err := verifyRequest(ctx, base, q.Domain, q.Path, q.Headers)
	if err != nil {
		v.Error = err.Error()
		return v
	}
	v.URL = viewerURL(base, q.Domain, q.Path)
	began := time.Now()
	resp, err := newVerifyClient(q.Domain, proxied).Do(r)
	if err != nil {
		v.Error, v.TookMs = plain(err), ms(time.Since(began))
		return v
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, verifyBytes))
	v.TookMs = ms(time.Since(began))
	v.read(resp, n)
	if err != nil {
		v.Error = fmt.Sprintf("the body was cut after %d bytes", n)
	}
	return v
}

// wantsHTTPS tells whether the behavior redirects or refuses plain HTTP, as far as the edge knows by now.
func (q *Verification) wantsHTTPS(ctx context.Context, e Edge) bool {
	if e == nil {
		return false
	}
	r := &message.Request{Method: "GET", Scheme: "https", Host: q.Domain, Major: 1, Minor: 1, Fields: q.Headers,
		Remote: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)}
	r.Path, r.Query, r.HasQuery = strings.Cut(q.Path, "?")
	x, err := e.Explain(ctx, edge.Question{Distribution: q.Distribution, Request: r})
	return err == nil && x.ViewerProtocol != distribution.AllowAll
}

// verifyRequest makes the request with the path as it is written. A path that begins with two slashes
// would be read as a host in a request line, so it is sent behind the real one.
func verifyRequest(ctx context.Context, base, domain, path string, headers message.Fields) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base, nil)
	if err != nil {
		return nil, errors.New("the edge's address is not a URL")
	}
	raw, query, hasQuery := strings.Cut(path, "?")
	if strings.HasPrefix(raw, "//") {
		raw = "//" + domain + raw
	}
	r.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Opaque: raw, RawQuery: query, ForceQuery: hasQuery && query == ""}
	r.Host = domain
	r.Header.Set("User-Agent", "Warmfront verify")
	for _, f := range headers {
		r.Header.Set(f.Name, f.Value)
	}
	return r, nil
}

// viewerURL is what a viewer on this machine would ask for.
func viewerURL(base, domain, path string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	host := domain
	if port := u.Port(); port != "" {
		host = net.JoinHostPort(domain, port)
	}
	return u.Scheme + "://" + host + path
}

func (v *Verified) read(resp *http.Response, length int64) {
	h := resp.Header
	v.Status, v.XCache, v.ETag, v.LastModified = resp.StatusCode, h.Get("X-Cache"), h.Get("Etag"), h.Get("Last-Modified")
	v.ContentType, v.CfID, v.ContentLength = h.Get("Content-Type"), h.Get("X-Amz-Cf-Id"), length
	if resp.ContentLength >= 0 {
		v.ContentLength = resp.ContentLength
	}
	if age, err := strconv.Atoi(h.Get("Age")); err == nil {
		v.Age = &age
	}
}

// plain says a failure without the URL that everybody knows.
func plain(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "the edge did not answer in time"
	}
	return err.Error()
}
