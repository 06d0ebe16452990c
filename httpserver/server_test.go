package httpserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

type handlerFunc func(ctx context.Context, w ResponseWriter, r *Request)

func (f handlerFunc) Serve(ctx context.Context, w ResponseWriter, r *Request) { f(ctx, w, r) }

// echo answers with what the engine made of the request.
func echo(_ context.Context, w ResponseWriter, r *Request) {
	body, err := io.ReadAll(r.Body)
	text := fmt.Sprintf("%s path=%s query=%v:%s host=%s port=%s len=%d body=%s err=%v\n",
		r.Method, r.Path, r.HasQuery, r.Query, r.Host, r.Port, r.ContentLength, body, err)
	w.Begin(200, message.Fields{{Name: "X-Echo", Value: "1"}}, int64(len(text)))
	io.WriteString(w, text)
}

// start runs s, on a free port if it has no listener, until the test ends, and fails the test when the drain does not end.
func start(t testing.TB, s *Server) (addr string, stop func()) {
	t.Helper()
	if s.Listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.Listener = l
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("Run did not end")
		}
	}
	t.Cleanup(stop)
	return s.Listener.Addr().String(), stop
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { c.Close() })
	return c
}

// exchange sends raw octets, ends its side, and returns everything that comes back.
func exchange(t *testing.T, addr, send string) string {
	t.Helper()
	c := dial(t, addr)
	go func() { // the server may answer before it has read everything
		io.WriteString(c, send)
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("after %q: %v", got, err)
	}
	return string(got)
}

func TestRequest_Forms(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(echo)})
	for _, c := range []struct{ name, send, want string }{
		{"origin form", "GET /a/%2e./b?x=%41&y HTTP/1.1\r\nHost: Ex-1.org:81\r\n\r\n", "GET path=/a/%2e./b query=true:x=%41&y host=ex-1.org port=81 len=0 body= err=<nil>"},
		{"double slash", "GET //a//b HTTP/1.1\r\nHost: h\r\n\r\n", "path=//a//b query=false: host=h"},
		{"empty query", "GET /a? HTTP/1.1\r\nHost: h\r\n\r\n", "path=/a query=true: "},
		{"absolute form beats Host", "GET http://Other.org/p?q HTTP/1.1\r\nHost: h\r\n\r\n", "path=/p query=true:q host=other.org port= "},
		{"absolute form without path", "GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n", "path=/ query=true:q host=h"},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS path=* query=false: host=h"},
		{"IPv6", "GET / HTTP/1.1\r\nHost: [::1]:8081\r\n\r\n", "host=[::1] port=8081"},
		{"no host in 1.0", "GET / HTTP/1.0\r\n\r\n", "host= port= "},
		{"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "host= port= "},
		{"chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "len=-1 body=abc err=<nil>"},
		{"GET with body", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "GET path=/ query=false: host=h port= len=3 body=abc"},
		{"body cut short", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc", "body=abc err=unexpected EOF"},
		{"an empty line before it", "\r\nGET /crlf HTTP/1.1\r\nHost: h\r\n\r\n", "path=/crlf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := exchange(t, addr, c.send)
			if !strings.HasPrefix(got, "HTTP/1.") || !strings.Contains(got, " 200 OK\r\n") || !strings.Contains(got, c.want) {
				t.Errorf("got %q\nwant %q in it", got, c.want)
			}
		})
	}
}

func TestRequest_FieldsKeepOrderAndSpelling(t *testing.T) {
	seen := make(chan message.Fields, 1)
	addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		seen <- r.Fields
		w.Begin(204, nil, 0)
	})})
	exchange(t, addr, "GET / HTTP/1.1\r\nX-B: 2\r\nHost: H:1\r\nX-A: 1\r\nx-b: 1\r\nAccept: */*\r\n\r\n")
	want := "[{X-B 2} {Host H:1} {X-A 1} {x-b 1} {Accept */*}]"
	if got := <-seen; fmt.Sprint(got) != want {
		t.Errorf("fields %v, want %s", got, want)
	}
}

func TestRefuse_EveryBadRequestHasItsStatus(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(echo)})
	long := strings.Repeat("a", 8192)
	fields := func(n int) string {
		return strings.Repeat("X-Pad: "+strings.Repeat("p", 991)+"\r\n", n) // 1,000 octets each
	}
	for _, c := range []struct{ name, send, want string }{
		{"target of 8,192 octets", "GET /" + long[1:] + " HTTP/1.1\r\nHost: h\r\n\r\n", "200 OK"},
		{"target of 8,193 octets", "GET /" + long + " HTTP/1.1\r\nHost: h\r\n\r\n", "414 Request URI Too Long"},
		{"target beyond everything", "GET /" + strings.Repeat(long, 20) + " HTTP/1.1\r\nHost: h\r\n\r\n", "414 Request URI Too Long"},
		{"head of 32,7xx octets", "GET / HTTP/1.1\r\nHost: h\r\n" + fields(32) + "\r\n", "200 OK"},
		{"head of 33,0xx octets", "GET / HTTP/1.1\r\nHost: h\r\n" + fields(33) + "\r\n", "494 Request Header Too Large"},
		{"head beyond everything", "GET / HTTP/1.1\r\nHost: h\r\n" + fields(500) + "\r\n", "494 Request Header Too Large"},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", "400 Bad Request"},
		{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request"},
		{"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 Bad Request"},
		{"Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400 Bad Request"},
		{"Host with a bad port", "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", "400 Bad Request"},
		{"Host of brackets", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "400 Bad Request"},
		{"garbage", "\x16\x03\x01\x00\xf4hello\r\n\r\n", "400 Bad Request"},
		{"blank in a target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"},
		{"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"},
		{"no slash", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"},
		{"other scheme", "GET ftp://h/a HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"},
		{"CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "400 Bad Request"},
		{"blank before the colon", "GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n", "400 Bad Request"},
		{"NUL in a value", "GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", "400 Bad Request"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400 Bad Request"},
		{"two equal lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400 Bad Request"},
		{"bare LF", "GET /lf HTTP/1.1\nHost: h\n\n", "400 Bad Request"},
		{"chunk garbage", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", "400 Bad Request"},
		{"length list", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", "400 Bad Request"},
		{"signed length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", "400 Bad Request"},
		{"other coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "501 Not Implemented"},
		{"two codings", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501 Not Implemented"},
		{"disguised coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", "501 Not Implemented"},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP Version Not Supported"},
		{"HTTP/3.0", "GET / HTTP/3.0\r\nHost: h\r\n\r\n", "505 HTTP Version Not Supported"},
		{"HTTP/0.9", "GET /\r\n\r\n", "400 Bad Request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := exchange(t, addr, c.send)
			line, rest, _ := strings.Cut(got, "\r\n")
			if line != "HTTP/1.1 "+c.want {
				t.Fatalf("got %q, want %q", line, c.want)
			}
			if c.want != "200 OK" && !strings.Contains(rest, "Connection: close\r\n") {
				t.Errorf("a refused connection stays open: %q", rest)
			}
		})
	}
}

// Whatever could be read in two ways carries no second request on its connection.
func TestRequest_SmuggledRequestIsNeverServed(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(echo)})
	const second = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, send := range map[string]string{
		"length and coding":         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
		"coding in 1.0":             "POST / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + second,
		"coding before the length":  "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 44\r\n\r\n0\r\n\r\n" + second,
		"two codings":               "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + second,
		"folded coding":             "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + second,
		"body of a refused request": "POST /#x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" + second,
	} {
		t.Run(name, func(t *testing.T) {
			if got := exchange(t, addr, send); strings.Contains(got, "smuggled") || !strings.HasPrefix(got, "HTTP/1.") {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestRequest_PipelinedInOrder(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(echo)})
	got := exchange(t, addr, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET bad HTTP/1.1\r\nHost: h\r\n\r\nGET /4 HTTP/1.1\r\nHost: h\r\n\r\n")
	one, two, bad := strings.Index(got, "path=/1"), strings.Index(got, "path=/2"), strings.Index(got, "400 Bad Request")
	if one < 0 || two < one || bad < two || strings.Contains(got, "path=/4") {
		t.Errorf("got %q", got)
	}
}

func TestRefuse_HookWritesTheDocument(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(echo), Refuse: func(w ResponseWriter, _ *message.Request, status int, reason string) {
		text := "<h1>" + reason + "</h1>"
		w.Begin(status, message.Fields{{Name: "Server", Value: "CloudFront"}, {Name: "Date", Value: "now"}, {Name: "Connection", Value: "x"}}, int64(len(text)))
		io.WriteString(w, text)
	}})
	for send, want := range map[string]string{
		"GET / HTTP/1.1\r\n\r\n":               "HTTP/1.1 400 Bad Request\r\nContent-Length: 26\r\nConnection: close\r\nServer: CloudFront\r\nDate: now\r\n\r\n<h1>malformed request</h1>",
		"HEAD /#b HTTP/1.1\r\nHost: a\r\n\r\n": "HTTP/1.1 400 Bad Request\r\nContent-Length: 26\r\nConnection: close\r\nServer: CloudFront\r\nDate: now\r\n\r\n",
	} {
		if got := exchange(t, addr, send); got != want {
			t.Errorf("%q:\n got %q\nwant %q", send, got, want)
		}
	}
}

func TestLimits_TooManyConnectionsGetAnAnswer(t *testing.T) {
	for name, limits := range map[string]Limits{"all": {MaxConns: 1}, "per client": {MaxConnsPerClient: 1}} {
		t.Run(name, func(t *testing.T) {
			addr, _ := start(t, &Server{Handler: handlerFunc(echo), Limits: limits})
			first := dial(t, addr)
			br := bufio.NewReader(first)
			roundTrip := func() {
				t.Helper()
				io.WriteString(first, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
				resp, err := http.ReadResponse(br, nil)
				if err != nil || resp.StatusCode != 200 {
					t.Fatalf("%v %v", resp, err)
				}
				io.Copy(io.Discard, resp.Body)
			}
			roundTrip()
			if got := exchange(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 503 Service Unavailable\r\n") {
				t.Errorf("second connection: %q", got)
			}
			roundTrip() // the first one is unharmed
			first.Close()
			eventually(t, func() bool {
				return strings.HasPrefix(exchange(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 OK\r\n")
			})
		})
	}
}

func TestLimits_SlowHeaderAndIdleClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := startPiped(t, &Server{Handler: handlerFunc(echo), Limits: Limits{ReadHeaderTimeout: 30 * time.Millisecond, IdleTimeout: 30 * time.Millisecond}})
		for name, send := range map[string]string{"nothing": "", "half a head": "GET / HTTP/1.1\r\nHo", "idle after an answer": "GET / HTTP/1.1\r\nHost: h\r\n\r\n"} {
			c := dial()
			io.WriteString(c, send)
			if got, err := io.ReadAll(c); err != nil || strings.Contains(name, "answer") != strings.HasPrefix(string(got), "HTTP/1.1 200 ") {
				t.Errorf("%s: %q, %v, want the server's close", name, got, err)
			}
		}
	})
}

func TestLimits_SlowBodyIs408(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(echo), Limits: Limits{ReadBodyTimeout: 30 * time.Millisecond}})
	c := dial(t, addr)
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
	if got, _ := io.ReadAll(c); !strings.HasPrefix(string(got), "HTTP/1.1 408 Request Timeout\r\n") {
		t.Errorf("got %q", got)
	}
}

// eventually polls where another goroutine of the server has to notice something.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("never happened")
		}
	}
}

// logTo keeps warnings and errors.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
