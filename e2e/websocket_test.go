package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

const handshakeKey = "dGhlIHNhbXBsZSBub25jZQ=="

func handshakeFor(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: ws.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Key: " + handshakeKey + "\r\nSec-WebSocket-Version: 13\r\n\r\n"
}

// switching is an origin that answers handshakes by their path, and writes down what comes behind them.
type switching struct {
	l  net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex
	conns  []net.Conn
	behind map[string]string // path: what came on its connection after the request
	heads  map[string]http.Header
}

func newSwitching(t *testing.T) *switching {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &switching{l: l, behind: map[string]string{}, heads: map[string]http.Header{}}
	o.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conns = append(o.conns, c)
			o.mu.Unlock()
			o.wg.Go(func() { o.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		o.mu.Lock()
		for _, c := range o.conns {
			c.Close()
		}
		o.mu.Unlock()
		o.wg.Wait()
	})
	return o
}

// answers are said to handshakes; what is not here is answered with its path.
func answers(path, key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	agreed := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	switch path {
	case "/agree":
		return agreed + "X-Origin: here\r\n\r\n"
	case "/another-proof":
		return strings.Replace(agreed, "Accept: ", "Accept: A", 1) + "\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	case "/no-proof":
		return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
	case "/h2c":
		return strings.Replace(agreed, "websocket", "h2c", 1) + "\r\n"
	case "/bare-lf":
		return strings.ReplaceAll(agreed, "\r\n", "\n") + "\n"
	case "/426":
		return "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 14\r\nContent-Length: 5\r\n\r\nnewer"
	}
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
}

func (o *switching) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	req, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	path := req.URL.Path
	o.mu.Lock()
	o.heads[path] = req.Header
	o.mu.Unlock()
	if req.Header.Get("Upgrade") == "" {
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
		return
	}
	io.WriteString(c, answers(path, req.Header.Get("Sec-WebSocket-Key")))
	var got bytes.Buffer
	if path == "/agree" {
		io.Copy(c, io.TeeReader(r, &got)) // and when the viewer has ended its side:
		io.WriteString(c, "bye")
	} else {
		io.Copy(&got, r)
	}
	o.mu.Lock()
	o.behind[path] += got.String()
	o.mu.Unlock()
}

// ears is a viewer of the edge, in the plain or by TLS.
func ears(t *testing.T, f *field, secure bool) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", map[bool]string{false: f.edge, true: f.secure}[secure])
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		pem, err := os.ReadFile(f.proc.ready.CA)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		c = tls.Client(c, &tls.Config{RootCAs: roots, ServerName: "ws.example"})
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c
}

func newSocketField(t *testing.T, args ...string) (*field, *switching) {
	t.Helper()
	f, o := newField(t, nil, append(args, "--access-log")...), newSwitching(t)
	f.distribute(t, "ws", &recorder{l: o.l}, map[string]string{"policy": "optimized", "alias": "ws.example"})
	return f, o
}

func TestWebSocket_GoesThrough(t *testing.T) {
	f, o := newSocketField(t)
	large := strings.Repeat("0123456789abcdef", 1<<17)
	smuggled := "GET /account HTTP/1.1\r\nHost: victim.example\r\n\r\n"
	for _, secure := range []bool{false, true} {
		c := ears(t, f, secure)
		// What the viewer says at once is carried, too, and is no request any more.
		go io.WriteString(c, handshakeFor("/agree")+smuggled+large)
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 101 || resp.Header.Get("X-Origin") != "here" || resp.Header.Get("X-Cache") != "Miss from cloudfront" ||
			resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || resp.Header.Get("Upgrade") != "websocket" {
			t.Fatalf("secure %v: %v %+v", secure, err, resp)
		}
		got := make([]byte, len(smuggled)+len(large))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != smuggled+large {
			t.Errorf("secure %v: %d octets, not what was said: %v", secure, len(got), err)
		}
		c.(interface{ CloseWrite() error }).CloseWrite()
		if rest, err := io.ReadAll(r); string(rest) != "bye" || err != nil {
			t.Errorf("secure %v: the end is %q, %v", secure, rest, err)
		}
	}
	if h := o.heads["/agree"]; h.Get("Upgrade") != "websocket" || h.Get("Cdn-Loop") != "CloudFront" {
		t.Errorf("the origin was asked with %v", h)
	}
	if err := f.robbed(); err != nil {
		t.Error(err)
	}
	f.logged(t, "\twss\t")
}

// logged waits until the access log has a line with a text.
func (f *field) logged(t *testing.T, text string) {
	t.Helper()
	err := f.until(patience, func() (bool, error) { return strings.Contains(f.proc.log.String(), text), nil })
	if err != nil {
		t.Errorf("not logged: %q: %v", text, err)
	}
}

// A front that believes in an upgrade which was none passes on what it has never read. Here what a viewer has
// put behind its handshake is its next request, whatever the origin says instead of the right 101.
func TestWebSocket_NothingIsCarriedUnlessAgreed(t *testing.T) {
	f, o := newSocketField(t)
	for path, want := range map[string]string{
		"/200": "200 /200", "/426": "426 newer", "/another-proof": "502 ", "/no-proof": "502 ", "/h2c": "502 ", "/bare-lf": "502 ",
	} {
		c := ears(t, f, false)
		io.WriteString(c, handshakeFor(path)+"GET /next"+path+" HTTP/1.1\r\nHost: ws.example\r\nConnection: close\r\n\r\n")
		all, err := io.ReadAll(c)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		r := bufio.NewReader(bytes.NewReader(all))
		var got []string
		for range 2 {
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Errorf("%s: %v in %q", path, err, all)
				break
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			got = append(got, fmt.Sprintf("%d %s", resp.StatusCode, body))
		}
		if len(got) != 2 || !strings.HasPrefix(got[0], want) || got[1] != "200 /next"+path || strings.Contains(got[0], "evil") {
			t.Errorf("%s: %.300q", path, got)
		}
	}
	// Nothing of it is kept, and nothing came behind a handshake.
	if err := f.ask("ws.example", "/200", "/200"); err != nil {
		t.Error(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for path, behind := range o.behind {
		if behind != "" {
			t.Errorf("%s: behind the handshake came %q", path, behind)
		}
	}
	if h := o.heads["/next/no-proof"]; h.Get("Cdn-Loop") != "CloudFront" {
		t.Errorf("the next request was not written by the edge: %v", h)
	}
}

// A malformed handshake is refused, and never seen by an origin.
func TestWebSocket_HandshakesAreChecked(t *testing.T) {
	f, o := newSocketField(t)
	for _, change := range []string{"13\r\n>8\r\n", handshakeKey + ">short", "GET >HEAD ", "websocket>h2c, websocket", "Key: >Other: "} {
		from, to, _ := strings.Cut(change, ">")
		c := ears(t, f, false)
		io.WriteString(c, strings.Replace(handshakeFor("/checked"), from, to, 1)+"GET /n HTTP/1.1\r\nHost: ws.example\r\nConnection: close\r\n\r\n")
		all, _ := io.ReadAll(c)
		if !strings.HasPrefix(string(all), "HTTP/1.1 400 Bad Request\r\n") || !strings.HasSuffix(string(all), "/n") {
			t.Errorf("%s: %.300q", change, all)
		}
	}
	if o.heads["/checked"] != nil {
		t.Error("the origin has seen one")
	}
}

// A stop does not wait for those who talk.
func TestWebSocket_AStopEndsIt(t *testing.T) {
	f, _ := newSocketField(t, "--drain-timeout", "1h")
	c := ears(t, f, false)
	io.WriteString(c, handshakeFor("/agree")+"x")
	r := bufio.NewReader(c)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	if b, err := r.ReadByte(); b != 'x' || err != nil {
		t.Fatal(b, err)
	}
	if err := f.proc.stop(); err != nil { // or because it took too long
		t.Error(err)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("%q", rest)
	}
}
