package ownapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

type verifyBody struct {
	Edges []verifyEdge `json:"edges"`
}

type verifyEdge struct {
	Edge          string  `json:"edge"`
	Location      string  `json:"location"`
	URL           string  `json:"url"`
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

// newVerifyClient speaks to edges of this process only: the addresses are ours, not the caller's. It
// follows nothing, since a Location is the origin's to choose, and asks no proxy.
func newVerifyClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:        (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			DisableCompression: true, // or it would ask for gzip by itself
			DisableKeepAlives:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       verifyTime,
	}
}

// postVerify requests a path of a distribution through each edge of this process, as a viewer would.
func postVerify(ctx context.Context, c *call) (any, error) {
	var in struct {
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkPath(in.Path); err != nil {
		return nil, err
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

	b := verifyBody{Edges: make([]verifyEdge, len(c.h.cfg.Places))}
	var all sync.WaitGroup
	for i := range c.h.cfg.Places {
		p := &c.h.cfg.Places[i]
		all.Go(func() { b.Edges[i] = c.h.verify(ctx, p, d.DomainName, in.Path, headers) })
	}
	all.Wait()
	return b, nil
}

func (h *Handler) verify(ctx context.Context, p *Place, domain, path string, headers message.Fields) verifyEdge {
	v := verifyEdge{Edge: p.Name, Location: p.Location}
	r, err := verifyRequest(ctx, p.URL, domain, path, headers)
	if err != nil {
		v.Error = err.Error()
		return v
	}
	v.URL = viewerURL(p.URL, domain, path)
	began := h.cfg.Now()
	resp, err := h.client.Do(r)
	if err != nil {
		v.Error, v.TookMs = plain(err), ms(h.cfg.Now().Sub(began))
		return v
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, verifyBytes))
	v.TookMs = ms(h.cfg.Now().Sub(began))
	v.read(resp, n)
	if err != nil {
		v.Error = fmt.Sprintf("the body was cut after %d bytes", n)
	}
	return v
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

func (v *verifyEdge) read(resp *http.Response, length int64) {
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
