package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/warmfront/warmfront/internal/h3"
	"github.com/warmfront/warmfront/internal/message"
)

// h3served is a running server with HTTP/3 and what its viewers need.
type h3served struct {
	t    *testing.T
	addr *net.UDPAddr
	tls  *tls.Config
	stop func()
}

// serveH3 runs s with HTTP/3 under a.test until the test ends.
func serveH3(t *testing.T, s *Server) *h3served {
	t.Helper()
	if s.Packets == nil {
		var err error
		if s.Packets, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	at := s.Packets.LocalAddr().(*net.UDPAddr)
	show, pool := selfSigned(t, "a.test", "b.test")
	if s.Handler == nil {
		s.Handler = handlerFunc(echo)
	}
	s.TLS = &TLS{Certificate: show, Names: names{"a.test": {HTTP3: true}, "b.test": {HTTP2: true}}}
	_, stop := start(t, s)
	return &h3served{t, at, &tls.Config{RootCAs: pool, ServerName: "a.test", NextProtos: []string{protoHTTP3}}, stop}
}

// client is a viewer that is not ours.
func (v *h3served) client() *http.Client {
	tr := &http3.Transport{
		TLSClientConfig: v.tls, DisableCompression: true,
		Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, v.addr.String(), c, q)
		},
	}
	v.t.Cleanup(func() { tr.Close() })
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// conn is one whose octets the test writes itself.
func (v *h3served) conn() *quic.Conn {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	defer cancel()
	c, err := quic.DialAddr(ctx, v.addr.String(), v.tls, &quic.Config{MaxIdleTimeout: time.Minute})
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { c.CloseWithError(quic.ApplicationErrorCode(h3.NoError), "") })
	return c
}

func headers(fields ...string) []byte {
	b, at := h3.BeginHeaders(nil)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		b = appendRaw(b, name, value)
	}
	h3.EndHeaders(b, at)
	return b
}

// appendRaw appends a field as it is, in whatever case: two literals.
func appendRaw(b []byte, name, value string) []byte {
	literal := func(kind byte, bits uint, s string) {
		most, n := 1<<bits-1, len(s)
		if n < most {
			b = append(b, kind|byte(n))
		} else {
			b = append(b, kind|byte(most))
			for n -= most; n >= 128; n >>= 7 {
				b = append(b, 0x80|byte(n))
			}
			b = append(b, byte(n))
		}
		b = append(b, s...)
	}
	literal(0x20, 3, name)
	literal(0, 7, value)
	return b
}

func data(s string) []byte { return append(h3.AppendFrame(nil, h3.Data, uint64(len(s))), s...) }

// ask sends octets on a stream of its own, ends it, and returns the answer: status, fields and body, or how
// the stream or the connection ended instead.
func ask(t *testing.T, c *quic.Conn, octets ...[]byte) string {
	t.Helper()
	s, err := c.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.SetDeadline(time.Now().Add(time.Minute))
	s.Write(bytes.Join(octets, nil))
	s.Close()
	return answerOn(s)
}

func answerOn(s *quic.Stream) string {
	all, err := io.ReadAll(s)
	text := read3(all)
	var cut *quic.StreamError
	var closed *quic.ApplicationError
	switch {
	case errors.As(err, &cut):
		text += fmt.Sprintf("cut %#x", uint64(cut.ErrorCode))
	case errors.As(err, &closed):
		text += fmt.Sprintf("closed %#x", uint64(closed.ErrorCode))
	case err != nil:
		text += err.Error()
	}
	return text
}

// read3 says in words what was answered.
func read3(all []byte) string {
	var text strings.Builder
	for r := bytes.NewReader(all); r.Len() > 0; {
		typ, n, err := h3.ReadFrame(r)
		if err != nil || uint64(r.Len()) < n {
			return text.String() + "half a frame "
		}
		payload := make([]byte, n)
		io.ReadFull(r, payload)
		switch typ {
		case h3.Headers:
			h3.Fields(payload, func(name, value string) bool {
				fmt.Fprintf(&text, "%s=%s ", strings.TrimPrefix(name, ":"), value)
				return true
			})
		case h3.Data:
			fmt.Fprintf(&text, "%s", payload)
		default:
			fmt.Fprintf(&text, "frame %d ", typ)
		}
	}
	return text.String()
}

func TestH3_RequestsLiveTheSameLife(t *testing.T) {
	v := serveH3(t, &Server{Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
		body, err := io.ReadAll(r.Body)
		text := fmt.Sprintf("%s %s %s host=%s port=%s HTTP/%d.%d len=%d body=%d err=%v local=%v name=%s tls=%v x=%s",
			r.Method, r.Scheme, r.URI(), r.Host, r.Port, r.Major, r.Minor, r.ContentLength, len(body), err,
			r.Remote.Addr().IsLoopback() && r.Remote.Port() > 0, r.ServerName, r.TLS.Protocol == "TLSv1.3" && strings.HasPrefix(r.TLS.Cipher, "TLS_"), r.Fields.Joined("X"))
		w.Begin(201, message.Fields{{Name: "X-Echo", Value: text}, {Name: "Connection", Value: "close"}, {Name: "Upgrade", Value: "h4"}, {Name: "Bad", Value: "a\r\nb"}}, int64(len(text)))
		io.WriteString(w, text)
	})})
	c := v.client()
	large := strings.Repeat("x", 3<<20)
	for _, x := range []struct {
		method, url string
		body        io.Reader
		want        string
	}{
		{"GET", "https://a.test:8443/a%2fb?q=1", nil, "GET https /a%2fb?q=1 host=a.test port=8443 HTTP/3.0 len=0 body=0 err=<nil> local=true name=a.test tls=true x=1, 2"},
		{"HEAD", "https://a.test/", nil, "HEAD https / host=a.test port= HTTP/3.0 len=0 body=0"},
		{"POST", "https://a.test/", strings.NewReader("abc"), "POST https / host=a.test port= HTTP/3.0 len=3 body=3 err=<nil>"},
		{"PUT", "https://a.test/", strings.NewReader(large), "len=3145728 body=3145728 err=<nil>"},
		{"PUT", "https://a.test/", io.MultiReader(strings.NewReader(large)), "len=-1 body=3145728 err=<nil>"},
		{"DELETE", "https://a.test/", nil, "DELETE https / host=a.test port= HTTP/3.0 len=0 body=0"},
	} {
		r, _ := http.NewRequest(x.method, x.url, x.body)
		r.Header["X"] = []string{"1", "2"}
		resp, err := c.Do(r)
		if err != nil {
			t.Errorf("%s %s: %v", x.method, x.url, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		got := resp.Header.Get("X-Echo")
		if err != nil || resp.StatusCode != 201 || !strings.Contains(got, x.want) || x.method != "HEAD" && string(body) != got || resp.ContentLength != int64(len(got)) {
			t.Errorf("%s %s: %v %s %q %q", x.method, x.url, err, resp.Status, got, body)
		}
		if resp.Header.Get("Connection") != "" || resp.Header.Get("Upgrade") != "" || resp.Header.Get("Bad") != "" {
			t.Errorf("fields that HTTP/3 does not have: %v", resp.Header)
		}
	}
}
