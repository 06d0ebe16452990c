package auth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
)

// DefaultMaxBody is the bound of a body where none is set.
const DefaultMaxBody = 1 << 20

// ErrBodyTooLarge is a body beyond Gate.MaxBody.
var ErrBodyTooLarge = errors.New("the body of the request is too large")

// ErrBodyCut is a body that ended early or came too slowly.
var ErrBodyCut = errors.New("the body of the request could not be read")

// Gate lets signed HTTP requests in. It has no state: any goroutine may use it.
type Gate struct {
	// Lookup finds a key; see sigv4.Verifier for its errors. The session token is "" when none came.
	Lookup   func(accessKeyID, sessionToken string) (AccessKey, error)
	Services []string
	MaxBody  int64            // bytes, DefaultMaxBody when 0
	Now      func() time.Time // time.Now when nil
}

// Admit tells whose request r is and returns its body. Errors: *sigv4.Error, ErrBodyTooLarge,
// ErrBodyCut, and what Lookup fails with.
//
// The body is read only when everything in front of it is in order: a stranger cannot make us hold
// one. (Whoever knows the id of a key can; the bound is for them.)
func (g *Gate) Admit(w http.ResponseWriter, r *http.Request) (AccessKey, []byte, error) {
	now := time.Now
	if g.Now != nil {
		now = g.Now
	}
	var key AccessKey
	v := sigv4.Verifier{Services: g.Services, Lookup: func(id, token string) (secret string, err error) {
		key, err = g.Lookup(id, token)
		return key.Secret, err
	}}
	claim, err := v.Open(signedParts(r), now())
	if err != nil {
		return AccessKey{}, nil, err
	}
	body, err := g.readBody(w, r)
	if err != nil {
		return AccessKey{}, nil, err
	}
	if err := claim.Check(body); err != nil {
		return AccessKey{}, nil, err
	}
	return key, body, nil
}

// Still tells whether the key that r was let in by would be found now.
func Still(lookup Lookup, r *http.Request, key AccessKey) bool {
	const token = "X-Amz-Security-Token"
	shown := r.Header.Get(token)
	if shown == "" {
		shown = r.URL.Query().Get(token)
	}
	found, err := lookup(key.ID, shown)
	return err == nil && found == key
}

func (g *Gate) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	bound := g.MaxBody
	if bound == 0 {
		bound = DefaultMaxBody
	}
	if r.ContentLength > bound {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrBodyTooLarge, r.ContentLength, bound)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bound))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fmt.Errorf("%w: at most %d bytes", ErrBodyTooLarge, bound)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrBodyCut, err)
	}
	return body, nil
}

// signedParts takes path and query as they stood on the wire: r.URL has them decoded, and encoding
// anew need not give the same octets.
func signedParts(r *http.Request) *sigv4.Request {
	path, query := r.URL.EscapedPath(), r.URL.RawQuery
	if strings.HasPrefix(r.RequestURI, "/") { // not the absolute form
		path, query, _ = strings.Cut(r.RequestURI, "?")
	}
	header := map[string][]string(r.Header)
	if r.ContentLength > 0 && r.Header.Get("Content-Length") == "" {
		// Some clients sign it; net/http may have moved it out of the header.
		header = r.Header.Clone()
		header["Content-Length"] = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	return &sigv4.Request{Method: r.Method, Path: path, Query: query, Host: r.Host, Header: header}
}
