// Package client knows how a program talks to a running Warmfront: signed calls of Warmfront's own API
// and of the few CloudFront operations that the command line needs, and what their failures mean.
//
//	api, err := client.New(client.Config{Endpoint: "http://127.0.0.1:9000", AccessKeyID: …, SecretAccessKey: …})
//	all, err := api.Distributions(ctx, 0)
//	inv, err := api.Invalidate(ctx, all[0].ID, client.Wish{Items: []string{"/images/*"}})
//	receipt, err := api.Receipt(ctx, all[0].ID, inv.ID)
//
// A call is made once: whether to try again is for the caller to decide, who knows what it is worth. An
// invalidation sent again with its reference is the same invalidation. Errors are *Error, when the server
// said no, or *Unreachable, when there was no answer.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
	"github.com/warmfront/warmfront/cloudfront/wire"
)

// Config says where the server is and who calls.
type Config struct {
	Endpoint        string // URL of the control listener, without a path
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string        // "" for a key that lasts
	Timeout         time.Duration // of a call, default 60 s: a preview looks at every object
}

// Client makes calls. Any goroutine may use it.
type Client struct {
	endpoint string
	key      sigv4.Signer
	timeout  time.Duration
	http     *http.Client
}

// New checks c; it does not call anybody.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("the endpoint %q is no URL such as http://127.0.0.1:9000", c.Endpoint)
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return nil, errors.New("an access key and its secret are required")
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	return &Client{
		endpoint: u.Scheme + "://" + u.Host,
		key: sigv4.Signer{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
			Region: "us-east-1", Service: "cloudfront"},
		timeout: c.Timeout,
		http:    &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Endpoint is where the client calls.
func (c *Client) Endpoint() string { return c.endpoint }

// Error is an answer that says no.
type Error struct {
	Status  int
	Code    string // "" when the answer was none of Warmfront's
	Message string
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Message + " (" + e.Code + ")"
}

// Unreachable is no answer at all, or half of one.
type Unreachable struct {
	Endpoint string
	Err      error
}

func (e *Unreachable) Error() string { return "no answer from " + e.Endpoint + ": " + e.Err.Error() }
func (e *Unreachable) Unwrap() error { return e.Err }

const (
	prefix   = "/warmfront/v1"
	maxBody  = 256 << 20 // of an answer: a page of 100 invalidations with thousands of long items
	maxError = 64 << 10
)

// own calls Warmfront's own API: JSON in, when in is not nil, and JSON out.
func (c *Client) own(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	b, err := c.call(ctx, method, prefix+path, "application/json", body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(b, out); err != nil {
		return &Error{Status: http.StatusOK, Message: fmt.Sprintf("the answer of %s is none of Warmfront's: %v", c.endpoint, err)}
	}
	return nil
}

// cloudfront calls the CloudFront API: XML in, when body is not nil, and XML out.
func (c *Client) cloudfront(ctx context.Context, method, path string, body []byte, root string, out any) error {
	b, err := c.call(ctx, method, "/"+wire.Version+path, "application/xml", body)
	if err != nil {
		return err
	}
	if err := wire.Unmarshal(b, root, out); err != nil {
		return &Error{Status: http.StatusOK, Message: fmt.Sprintf("the answer of %s is none of CloudFront's API: %v", c.endpoint, err)}
	}
	return nil
}

func (c *Client) call(ctx context.Context, method, path, kind string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.send(ctx, method, path, kind, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, c.unreachable(err)
	}
	return b, nil
}

// send returns an answer that says yes, whose body the caller closes.
func (c *Client) send(ctx context.Context, method, path, kind string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	c.key.Sign(&sigv4.Request{Method: method, Path: req.URL.EscapedPath(), Query: req.URL.RawQuery, Host: req.URL.Host, Header: req.Header}, body, time.Now())
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	if err != nil {
		return nil, c.unreachable(err)
	}
	return nil, c.refusal(resp, b)
}

// unreachable leaves out what net/http says about the request: the caller knows what it asked.
func (c *Client) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		err = op.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("it took too long: %w", context.DeadlineExceeded)
	}
	return &Unreachable{Endpoint: c.endpoint, Err: err}
}

// refusal reads the error documents of both APIs.
func (c *Client) refusal(resp *http.Response, b []byte) *Error {
	var own struct{ Code, Message string }
	if json.Unmarshal(b, &own) == nil && own.Code != "" {
		return &Error{resp.StatusCode, own.Code, own.Message}
	}
	var theirs struct {
		XMLName xml.Name `xml:"ErrorResponse"`
		Code    string   `xml:"Error>Code"`
		Message string   `xml:"Error>Message"`
	}
	if xml.Unmarshal(b, &theirs) == nil && theirs.Code != "" {
		return &Error{resp.StatusCode, theirs.Code, theirs.Message}
	}
	return &Error{Status: resp.StatusCode, Message: fmt.Sprintf("%s answers %s, which is no answer of Warmfront's", c.endpoint, resp.Status)}
}
