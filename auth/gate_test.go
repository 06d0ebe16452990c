package auth

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
)

var testKey = AccessKey{ID: "AKIDTEST", Secret: "averysecretthing", User: "u", Role: Viewer}

func testGate(t *testing.T) *Gate {
	t.Helper()
	k, err := StaticKeys(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return &Gate{Lookup: k.Lookup, Services: []string{"cloudfront"}, MaxBody: 100, Now: func() time.Time { return now }}
}

func signedRequest(body string, secret string) *http.Request {
	r := httptest.NewRequest("POST", "/2020-05-31/tagging?Operation=Tag&Resource=arn%3Aaws", strings.NewReader(body))
	part := &sigv4.Request{Method: r.Method, Path: "/2020-05-31/tagging", Query: "Operation=Tag&Resource=arn%3Aaws", Host: r.Host, Header: r.Header}
	sigv4.Signer{AccessKeyID: testKey.ID, SecretAccessKey: secret, Region: "r", Service: "cloudfront"}.Sign(part, []byte(body), now)
	return r
}

// watched tells whether somebody read.
type watched struct {
	io.Reader
	read bool
}

func (w *watched) Read(p []byte) (int, error) { w.read = true; return w.Reader.Read(p) }

func TestGate_Admit(t *testing.T) {
	long := strings.Repeat("x", 101)
	for _, c := range []struct {
		name    string
		request *http.Request
		change  func(*http.Request)
		want    error // nil: admitted
		code    string
		reads   bool
	}{
		{"right", signedRequest("body", testKey.Secret), nil, nil, "", true},
		{"right, as long as allowed", signedRequest(long[1:], testKey.Secret), nil, nil, "", true},
		{"content-length signed", signedRequest("body", testKey.Secret), func(r *http.Request) {
			r.Header = http.Header{"Content-Length": {"4"}}
			sigv4.Signer{AccessKeyID: testKey.ID, SecretAccessKey: testKey.Secret, Region: "r", Service: "cloudfront"}.Sign(signedParts(r), []byte("body"), now)
			r.Header.Del("Content-Length")
		}, nil, "", true},
		{"stranger", httptest.NewRequest("POST", "/", strings.NewReader("body")), nil, nil, "MissingAuthenticationToken", false},
		{"wrong secret", signedRequest("body", "anothersecretthing"), nil, nil, "SignatureDoesNotMatch", true},
		{"too long, said so", signedRequest(long, testKey.Secret), nil, ErrBodyTooLarge, "", false},
		{"too long, in chunks", signedRequest(long, testKey.Secret), func(r *http.Request) { r.ContentLength = -1 }, ErrBodyTooLarge, "", true},
		{"cut off", signedRequest("body", testKey.Secret), func(r *http.Request) {
			r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
		}, ErrBodyCut, "", false},
	} {
		if c.change != nil {
			c.change(c.request)
		}
		w := &watched{Reader: c.request.Body}
		if c.name != "cut off" {
			c.request.Body = io.NopCloser(w)
		}
		key, body, err := testGate(t).Admit(httptest.NewRecorder(), c.request)
		e, refused := sigv4.IsRefusal(err)
		switch {
		case c.code != "":
			if !refused || e.Code != c.code || key.User != "" {
				t.Errorf("%s: %v %v", c.name, key.User, err)
			}
		case c.want != nil:
			if !errors.Is(err, c.want) || key.User != "" {
				t.Errorf("%s: %v", c.name, err)
			}
		case err != nil || key != testKey || len(body) == 0:
			t.Errorf("%s: %v %q %v", c.name, key.User, body, err)
		}
		if w.read != c.reads {
			t.Errorf("%s: body read: %t", c.name, w.read)
		}
	}
}

func TestGate_LookupsFailureIsNotARefusal(t *testing.T) {
	g := testGate(t)
	broken := errors.New("disk on fire")
	g.Lookup = func(string, string) (AccessKey, error) { return AccessKey{}, broken }
	_, _, err := g.Admit(httptest.NewRecorder(), signedRequest("", testKey.Secret))
	if _, refused := sigv4.IsRefusal(err); refused || !errors.Is(err, broken) {
		t.Error(err)
	}
}
