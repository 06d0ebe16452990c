package origin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
)

// liar is an origin that answers each connection as the test says, in raw octets. It returns the
// distribution's origin that leads to it and the requests that it got, head by head.
func liar(t *testing.T, answer func(c net.Conn, n int, head string)) (*distribution.Origin, func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heads := make(chan string, 100)
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				head, err := readHead(bufio.NewReader(c))
				if err != nil {
					return
				}
				select {
				case heads <- head:
				default: // the test does not count
				}
				answer(c, n, head)
				// Closing with unread octets would reset the connection and take the answer with it.
				c.(*net.TCPConn).CloseWrite()
				c.SetReadDeadline(time.Now().Add(time.Minute))
				io.Copy(io.Discard, c)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-accepting })
	o := originAt(l.Addr().String())
	o.ConnectionTimeout, o.ReadTimeout, o.KeepaliveTimeout = time.Minute, time.Minute, time.Minute // it is no bubble's time
	return o, func() (all []string) {
		for {
			select {
			case h := <-heads:
				all = append(all, h)
			default:
				return all
			}
		}
	}
}

func readHead(br *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line == "\r\n" {
			return head.String(), nil
		}
		head.WriteString(line)
	}
}

func originAt(addr string) *distribution.Origin {
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return &distribution.Origin{
		DomainName: host, HTTPPort: n, HTTPSPort: n,
		ConnectionAttempts: 3, ConnectionTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, KeepaliveTimeout: 5 * time.Second,
	}
}

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func get(path string) *Request { return &Request{Method: "GET", Path: path, Scheme: "http"} }

// fetchAll fetches and reads the body; err is of either.
func fetchAll(t *testing.T, c *Client, o *distribution.Origin, r *Request) (*Response, string, error) {
	t.Helper()
	resp, err := c.Fetch(t.Context(), o, r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func kindOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind.String()
	}
	return fmt.Sprint(err)
}

func TestFetch_LyingOrigins(t *testing.T) {
	for _, c := range []struct{ name, answer, kind, body string }{
		{"honest", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "<nil>", "ab"},
		{"no length", "HTTP/1.1 200 OK\r\n\r\nab", "<nil>", "ab"},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "<nil>", "ab"},
		{"informational answers first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "<nil>", "ab"},
		{"status without text", "HTTP/1.1 299\r\nContent-Length: 2\r\n\r\nab", "<nil>", "ab"},
		{"longer than it said", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcdef", "<nil>", "ab"},
		{"shorter than it said", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "Closed", "ab"},
		{"chunks without an end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "Closed", "ab"},
		{"garbage chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n", "Invalid", "ab"},
		{"garbage", "hello\r\n\r\n", "Invalid", ""},
		{"garbage status", "HTTP/1.1 2x0 OK\r\n\r\n", "Invalid", ""},
		{"garbage version", "HTTP/one 200 OK\r\n\r\n", "Invalid", ""},
		{"garbage field", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "Invalid", ""},
		{"garbage length", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "Invalid", ""},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "Invalid", ""},
		{"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab", "Invalid", ""},
		{"length beside a coding", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "Invalid", ""},
		{"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 2\n\nab", "Invalid", ""},
		{"17 interim answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 17) + "HTTP/1.1 204 No Content\r\n\r\n", "Invalid", ""},
		{"16 interim answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 16) + "HTTP/1.1 204 No Content\r\n\r\n", "<nil>", ""},
		{"large interim answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("x", 8000)+"\r\n\r\n", 5) + "HTTP/1.1 204 No Content\r\n\r\n", "HeaderTooBig", ""},
		{"a head of 30,000 octets", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 29900) + "\r\nContent-Length: 2\r\n\r\nab", "<nil>", "ab"},
		{"switches protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "Invalid", ""},
		{"nothing", "", "Closed", ""},
		{"half a head", "HTTP/1.1 200 OK\r\nServer: x\r\n", "Closed", ""},
		{"half a field", "HTTP/1.1 200 OK\r\nContent-", "Closed", ""},
		{"huge head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 40000) + "\r\n\r\n", "HeaderTooBig", ""},
		{"huge head of many fields", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 8000) + "\r\n", "HeaderTooBig", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, asked := liar(t, func(nc net.Conn, _ int, _ string) { io.WriteString(nc, c.answer) })
			_, body, err := fetchAll(t, client(t, Config{}), o, get("/"))
			if kindOf(err) != c.kind || body != c.body {
				t.Errorf("got %q, %v; want %q, %s", body, err, c.body, c.kind)
			}
			if n := len(asked()); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// What an origin sends beyond the length that it said must never become the next answer.
func TestFetch_SurplusIsNotTheNextAnswer(t *testing.T) {
	o, _ := liar(t, func(nc net.Conn, _ int, _ string) {
		br := bufio.NewReader(nc)
		for {
			if _, err := io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"+evil); err != nil {
				return
			}
			if _, err := readHead(br); err != nil {
				return
			}
		}
	})
	c := client(t, Config{})
	for range 500 {
		if _, body, err := fetchAll(t, c, o, get("/")); body != "ab" || err != nil {
			t.Fatalf("%q %v", body, err)
		}
	}
}

func TestFetch_RequestGoesOutAsItIs(t *testing.T) {
	o, asked := liar(t, func(nc net.Conn, _ int, _ string) {
		io.WriteString(nc, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	c := client(t, Config{})
	host := o.DomainName
	for _, x := range []struct {
		r    Request
		want string
	}{
		{Request{Method: "GET", Path: "/a%2e%2F/../b\"|", Query: "x=%zz&y", HasQuery: true}, "GET /a%2e%2F/../b\"|?x=%zz&y HTTP/1.1\r\nHost: " + host + "\r\nConnection: Keep-Alive\r\n"},
		{Request{Method: "GET", Path: "//a//b", HasQuery: true}, "GET //a//b? HTTP/1.1\r\nHost: " + host + "\r\nConnection: Keep-Alive\r\n"},
		{Request{Method: "OPTIONS", Path: "*"}, "OPTIONS * HTTP/1.1\r\nHost: " + host + "\r\nConnection: Keep-Alive\r\n"},
		{Request{Method: "HEAD", Path: "/", Host: "other.org", Fields: message.Fields{
			{Name: "x-b", Value: "2"}, {Name: "User-Agent", Value: "Amazon CloudFront"}, {Name: "X-A", Value: "1"}, {Name: "X-B", Value: "1"},
			{Name: "Host", Value: "no"}, {Name: "content-length", Value: "7"}, {Name: "Connection", Value: "close"}, {Name: "TE", Value: "trailers"}, {Name: "if-none-match", Value: `"e"`},
		}}, "HEAD / HTTP/1.1\r\nHost: other.org\r\nx-b: 2\r\nUser-Agent: Amazon CloudFront\r\nX-A: 1\r\nX-B: 1\r\nif-none-match: \"e\"\r\nConnection: Keep-Alive\r\n"},
		{Request{Method: "POST", Path: "/", Body: strings.NewReader("abc"), ContentLength: 3}, "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 3\r\nConnection: Keep-Alive\r\n"},
		{Request{Method: "POST", Path: "/", Body: strings.NewReader("abc"), ContentLength: -1}, "POST / HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: chunked\r\nConnection: Keep-Alive\r\n"},
		{Request{Method: "POST", Path: "/"}, "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n"},
	} {
		if _, _, err := fetchAll(t, c, o, &x.r); err != nil {
			t.Fatalf("%s: %v", x.want, err)
		}
		if got := asked(); len(got) != 1 || got[0] != x.want {
			t.Errorf("sent %q\nwant  %q", got, x.want)
		}
	}
}

func TestFetch_ResponseComesAsItIs(t *testing.T) {
	o, _ := liar(t, func(nc net.Conn, _ int, _ string) {
		io.WriteString(nc, "HTTP/1.1 302 Found\r\nx-b: 2\r\nLocation: /else\r\nETAG: \"e\"\r\nX-B: 1\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab")
	})
	resp, body, err := fetchAll(t, client(t, Config{}), o, get("/"))
	if err != nil || resp.Status != 302 || body != "ab" || resp.ContentLength != 2 {
		t.Fatalf("%v %q %v", resp, body, err)
	}
	if got := fmt.Sprint(resp.Fields); got != `[{x-b 2} {Location /else} {ETAG "e"} {X-B 1} {Content-Encoding gzip} {Content-Length 2}]` {
		t.Error(got)
	}
}

func TestFetch_HeadKeepsTheLength(t *testing.T) {
	o, _ := liar(t, func(nc net.Conn, _ int, _ string) {
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n")
	})
	resp, body, err := fetchAll(t, client(t, Config{}), o, &Request{Method: "HEAD", Path: "/"})
	if err != nil || resp.ContentLength != 77 || body != "" {
		t.Errorf("%v %q %v", resp, body, err)
	}
}

func TestFetch_NoProxyFromTheEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	o, _ := liar(t, func(nc net.Conn, _ int, _ string) {
		io.WriteString(nc, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	o.DomainName = "origin.example"
	c := client(t, Config{Resolve: map[string]string{"origin.example": net.JoinHostPort("127.0.0.1", strconv.Itoa(o.HTTPPort))}})
	if _, _, err := fetchAll(t, c, o, get("/")); err != nil {
		t.Error(err)
	}
}

func TestFetch_RefusedIsTriedAgainForGetOnly(t *testing.T) {
	for method, want := range map[string]int32{"GET": 3, "HEAD": 3, "OPTIONS": 1, "POST": 1, "DELETE": 1} {
		c := client(t, Config{})
		var dials atomic.Int32
		inner := c.dial
		c.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return inner(ctx, network, addr)
		}
		_, _, err := fetchAll(t, c, originAt(closedPort(t)), &Request{Method: method, Path: "/"})
		if kindOf(err) != "Connect" || dials.Load() != want {
			t.Errorf("%s: %v after %d attempts, want Connect after %d", method, err, dials.Load(), want)
		}
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestFetch_UnknownNameIsDNS(t *testing.T) {
	for _, d := range []struct {
		notFound bool
		want     int
	}{{true, 1}, {false, 3}} {
		c := client(t, Config{})
		dials := 0
		c.dial = func(context.Context, string, string) (net.Conn, error) {
			dials++
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "nowhere.example", IsNotFound: d.notFound}}
		}
		o := originAt("nowhere.example:80")
		if _, _, err := fetchAll(t, c, o, get("/")); kindOf(err) != "DNS" || dials != d.want {
			t.Errorf("%v after %d attempts, want DNS after %d", err, dials, d.want)
		}
	}
}

func TestFetch_CallerCancels(t *testing.T) {
	began := make(chan struct{}, 2)
	release := make(chan struct{})
	defer close(release)
	o, _ := liar(t, func(nc net.Conn, _ int, head string) {
		if strings.HasPrefix(head, "GET /body") {
			io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
		}
		began <- struct{}{}
		<-release
	})
	c := client(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if _, err := c.Fetch(ctx, o, get("/head")); kindOf(err) != "Canceled" {
		t.Errorf("waiting for the head: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	resp, err := c.Fetch(ctx, o, get("/body"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	go func() { <-began; cancel() }()
	if b, err := io.ReadAll(resp.Body); kindOf(err) != "Canceled" || string(b) != "ab" {
		t.Errorf("reading the body: %q %v", b, err)
	}
}

func TestFetch_NothingIsAskedForNobody(t *testing.T) {
	c := client(t, Config{})
	c.dial = func(context.Context, string, string) (net.Conn, error) {
		t.Error("connects")
		return nil, errors.New("never")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Fetch(ctx, originAt("127.0.0.1:80"), get("/")); kindOf(err) != "Canceled" {
		t.Error(err)
	}
}

func TestFetch_BrokenViewerBodyIsNotTheOriginsFault(t *testing.T) {
	o, _ := liar(t, func(nc net.Conn, _ int, _ string) { io.Copy(io.Discard, nc) })
	broken := io.MultiReader(strings.NewReader("ab"), errReader{})
	_, _, err := fetchAll(t, client(t, Config{}), o, &Request{Method: "POST", Path: "/", Body: broken, ContentLength: 5})
	if kindOf(err) != "Canceled" {
		t.Error(err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("the viewer left") }

func TestFetch_ConnectionsAreKeptAndShared(t *testing.T) {
	var conns atomic.Int32
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }),
		ConnState: func(_ net.Conn, s http.ConnState) { conns.Add(int32(map[http.ConnState]int{http.StateNew: 1}[s])) },
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	defer func() { srv.Close(); <-served }()
	c := client(t, Config{})
	for range 5 { // another distribution's origin with equal settings is another pointer
		if _, _, err := fetchAll(t, c, originAt(l.Addr().String()), get("/")); err != nil {
			t.Fatal(err)
		}
	}
	if conns.Load() != 1 {
		t.Errorf("%d connections for five requests", conns.Load())
	}
}

func TestPools_AreBounded(t *testing.T) {
	c := client(t, Config{})
	for i := range maxPools + 50 {
		o := originAt("127.0.0.1:80")
		o.DomainName = fmt.Sprintf("o%d.example", i)
		if _, _, err := c.pool(o, get("/")); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.pools) != maxPools {
		t.Errorf("%d pools", len(c.pools))
	}
}

// Whoever asks may want to know of each attempt, and allow no more.
func TestFetch_AgainIsAskedForEachAttemptAfterTheFirst(t *testing.T) {
	for allowed, want := range map[int32]int32{0: 1, 1: 2, 5: 3} {
		c := client(t, Config{})
		var dials, asked atomic.Int32
		inner := c.dial
		c.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return inner(ctx, network, addr)
		}
		again := func(context.Context) error {
			if asked.Add(1) > allowed {
				return errors.New("no more")
			}
			return nil
		}
		_, _, err := fetchAll(t, c, originAt(closedPort(t)), &Request{Method: "GET", Path: "/", Again: again})
		if kindOf(err) != "Connect" || dials.Load() != want {
			t.Errorf("%d allowed: %v after %d attempts, want Connect after %d", allowed, err, dials.Load(), want)
		}
	}
}
