package httpserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/internal/message"
)

// teller is a Server's Refuse that says what it has been told of whom.
func teller(told chan<- string) func(ResponseWriter, *message.Request, int, string) {
	return func(w ResponseWriter, r *message.Request, status int, reason string) {
		text := fmt.Sprint("nobody ", status)
		if r != nil {
			text = fmt.Sprintf("%q %s HTTP/%d.%d name=%q tls=%v local=%v %d", r.Method, r.Scheme, r.Major, r.Minor, r.ServerName,
				r.TLS != nil, r.Remote.Addr().IsLoopback() && r.Remote.Port() > 0, status)
		}
		told <- text
		refusePlain(w, r, status, reason)
	}
}

func wantTold(t *testing.T, told <-chan string, want string) {
	t.Helper()
	if got := <-told; got != want {
		t.Errorf("told of %s\n    want %s", got, want)
	}
	if len(told) > 0 {
		t.Errorf("told twice: %s", <-told)
	}
}

func TestRefuse_SaysOfWhom(t *testing.T) {
	told := make(chan string, 16)
	addr, _ := start(t, &Server{Refuse: teller(told), Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		if r.Path == "/panic" {
			panic("as the test wants")
		}
		_, err := io.ReadAll(r.Body)
		if status, reason := r.Refused(); err == nil || status != 400 || reason != ReasonMalformed {
			t.Errorf("%s: %v, refused %d %q", r.Path, err, status, reason)
		}
		if r.Path == "/begin" {
			w.Begin(200, nil, 0)
		}
	})})
	for _, c := range []struct{ send, want string }{
		{"HEAD /#b HTTP/1.1\r\nHost: h\r\n\r\n", `"HEAD" http HTTP/1.1 name="" tls=false local=true 400`},
		{"\x00", `"" http HTTP/1.1 name="" tls=false local=true 400`},
		{"GET /panic HTTP/1.1\r\nHost: h\r\n\r\n", `"GET" http HTTP/1.1 name="" tls=false local=true 500`},
		{"POST /leave HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "nobody 400"},
		{"POST /begin HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "nobody 400"},
	} {
		exchange(t, addr, c.send)
		wantTold(t, told, c.want)
	}
}

func TestRefuse_SaysOfWhomOverHTTP2And3(t *testing.T) {
	told := make(chan string, 16)
	dial := secured(t, &Server{Refuse: teller(told)}, names{"a.test": {HTTP2: true}})
	two := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		return dial(&tls.Config{ServerName: "a.test", NextProtos: []string{"h2"}})
	}}
	defer two.CloseIdleConnections()
	three := serveH3(t, &Server{Refuse: teller(told)}).client()
	for version, c := range map[string]*http.Client{"2": {Transport: two}, "3": three} {
		resp, err := c.Get("https://a.test/" + strings.Repeat("a", 9000))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		wantTold(t, told, `"GET" https HTTP/`+version+`.0 name="a.test" tls=true local=true 414`)
	}
}
