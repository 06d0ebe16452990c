package origin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

const okShort = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

// keeping is an origin whose connections go on: answer is called for each request, with the number of
// its connection and of the request on it, and tells whether the connection goes on.
func keeping(answer func(c net.Conn, conn, n int, head string) bool) func(net.Conn, int, string) {
	return func(c net.Conn, conn int, head string) {
		br := bufio.NewReader(c)
		for n := 1; answer(c, conn, n, head); n++ {
			var err error
			if head, err = readHead(br); err != nil {
				return
			}
		}
	}
}

// What comes on an idle connection closes it, also when it comes after the answer.
func TestReuse_OctetsThatNobodyAskedFor(t *testing.T) {
	send, sent := make(chan bool), make(chan bool)
	o, asked := liar(t, keeping(func(c net.Conn, conn, n int, _ string) bool {
		fmt.Fprintf(c, "%sc%d", okShort, conn)
		if n == 1 {
			<-send
			io.WriteString(c, okShort+"no")
			sent <- true
		}
		return true
	}))
	c := client(t, Config{})
	for _, want := range []string{"c1", "c2"} {
		if _, body, err := fetchAll(t, c, o, get("/")); body != want || err != nil {
			t.Fatalf("%q %v, want %s", body, err, want)
		}
		send <- true
		<-sent
	}
	if n := len(asked()); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// An origin may close an idle connection while the next request is on its way to it.
func TestReuse_ClosedUnderTheRequest(t *testing.T) {
	for method, want := range map[string]string{"GET": "c2 <nil>", "OPTIONS": "c2 <nil>", "POST": " Closed", "PUT": " Closed"} {
		o, _ := liar(t, keeping(func(c net.Conn, conn, n int, _ string) bool {
			if n == 1 {
				fmt.Fprintf(c, "%sc%d", okShort, conn)
			}
			return n == 1
		}))
		c := client(t, Config{})
		if _, body, err := fetchAll(t, c, o, get("/")); body != "c1" || err != nil {
			t.Fatal(body, err)
		}
		resp, body, err := fetchAll(t, c, o, &Request{Method: method, Path: "/"})
		if got := body + " " + kindOf(err); got != want {
			t.Errorf("%s: %s, want %s", method, got, want)
		}
		if resp != nil && resp.Attempts != 1 {
			t.Errorf("%s: %d attempts", method, resp.Attempts)
		}
	}
}

// A fresh connection that dies is a failure, and so is a used one that has begun to answer.
func TestReuse_OnlyBeforeTheFirstOctet(t *testing.T) {
	o, asked := liar(t, keeping(func(c net.Conn, conn, n int, _ string) bool {
		if n == 1 {
			io.WriteString(c, okShort+"ab")
		} else {
			io.WriteString(c, "H")
		}
		return n == 1
	}))
	c := client(t, Config{})
	for _, want := range []string{"<nil>", "Closed"} {
		if _, _, err := fetchAll(t, c, o, get("/")); kindOf(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if n := len(asked()); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// Which answers leave a connection that can be used again.
func TestReuse_AfterExactlyTheAnswer(t *testing.T) {
	for _, c := range []struct {
		method, answer string
		kept           bool
	}{
		{"GET", okShort + "ab", true},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n0\r\nTrailer: dropped\r\n\r\n", true},
		{"HEAD", okShort, true},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", true},
		{"GET", "HTTP/1.1 204 No Content\r\n\r\n", true},
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		{"GET", "HTTP/1.1 100 Continue\r\n\r\n" + okShort + "ab", true},
		{"GET", okShort + "abc", false},
		{"HEAD", okShort + "ab", false},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nab", false},
		{"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", false},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nHTTP", false},
		{"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab", false},
		{"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab", false},
	} {
		o, _ := liar(t, keeping(func(nc net.Conn, _, _ int, _ string) bool { io.WriteString(nc, c.answer); return true }))
		cl := client(t, Config{})
		resp, err := cl.Fetch(t.Context(), o, &Request{Method: c.method, Path: "/"})
		if err != nil {
			t.Errorf("%q: %v", c.answer, err)
			continue
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Errorf("%q: %v", c.answer, err)
		}
		p, host, _ := cl.pool(o, get("/"))
		if kept := p.newest(host) != nil; kept != c.kept {
			t.Errorf("%s %q: kept %v", c.method, c.answer, kept)
		}
		resp.Body.Close()
	}
}

func TestReuse_NotWhenTheBodyIsLeft(t *testing.T) {
	o, asked := liar(t, keeping(func(c net.Conn, _, _ int, _ string) bool { io.WriteString(c, okShort+"ab"); return true }))
	c := client(t, Config{})
	for range 2 {
		resp, err := c.Fetch(t.Context(), o, get("/"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if _, err := resp.Body.Read(make([]byte, 1)); kindOf(err) != "Canceled" {
			t.Error(err)
		}
	}
	if n := len(asked()); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestPool_IdleConnectionsAreFewAndForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int32
		c := piped(t, func(nc net.Conn, n int) {
			open.Add(1)
			defer open.Add(-1)
			io.WriteString(nc, okShort+"ab")
			io.Copy(io.Discard, nc)
		})
		c.maxIdle = 3
		o := slow() // keeps for 5 s
		var bodies []io.ReadCloser
		for range 5 {
			resp, err := c.Fetch(t.Context(), o, get("/"))
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, resp.Body)
		}
		for i, want := range []int32{5, 5, 5, 4, 3} {
			io.Copy(io.Discard, bodies[i])
			if synctest.Wait(); open.Load() != want {
				t.Errorf("%d answers read: %d connections, want %d", i+1, open.Load(), want)
			}
			time.Sleep(time.Second)
		}
		for _, want := range []int32{2, 1, 0} { // the first was put back five seconds ago
			if synctest.Wait(); open.Load() != want {
				t.Errorf("%d connections, want %d", open.Load(), want)
			}
			time.Sleep(time.Second)
		}
	})
}

// An origin that says when it will close an idle connection is believed.
func TestPool_OriginsOwnWordAboutItsConnections(t *testing.T) {
	for _, x := range []struct {
		says string
		idle time.Duration
		kept bool
	}{
		{"timeout=3", 1900 * time.Millisecond, true},
		{"timeout=3", 2 * time.Second, false},
		{"timeout=1", 400 * time.Millisecond, true},
		{"timeout=1", 500 * time.Millisecond, false},
		{"timeout=60", 4900 * time.Millisecond, true}, // ours is 5 s
		{"timeout=60", 5 * time.Second, false},
		{"max=5", 4900 * time.Millisecond, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var conns atomic.Int32
			c := piped(t, func(nc net.Conn, n int) {
				conns.Add(1)
				answer := "HTTP/1.1 200 OK\r\nKeep-Alive: " + x.says + "\r\nContent-Length: 2\r\n\r\nab"
				io.WriteString(nc, answer)
				for br := bufio.NewReader(nc); ; {
					if _, err := readHead(br); err != nil {
						return
					}
					io.WriteString(nc, answer)
				}
			})
			for range 2 {
				if _, _, err := fetchAll(t, c, slow(), get("/")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(x.idle)
			}
			if kept := conns.Load() == 1; kept != x.kept {
				t.Errorf("%s, %v idle: kept %v", x.says, x.idle, kept)
			}
			c.Close()
		})
	}
}

func TestSend_BodiesAsTheyAre(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 5000)
	for _, c := range []struct {
		body   io.Reader
		length int64
		want   string
	}{
		{strings.NewReader("abc"), 3, "abc"},
		{strings.NewReader("abcdef"), 3, "abc"},
		{strings.NewReader("abc"), -1, "3\r\nabc\r\n0\r\n\r\n"},
		{strings.NewReader(""), -1, "0\r\n\r\n"},
		{strings.NewReader(long), int64(len(long)), long},
		{strings.NewReader(long[:16373]), -1, "3ff5\r\n" + long[:16373] + "\r\n0\r\n\r\n"},
	} {
		got := make(chan string, 1)
		cl := client(t, Config{})
		cl.dial = pipeTo(t, func(far net.Conn) {
			br := bufio.NewReader(far)
			readHead(br)
			b := make([]byte, len(c.want))
			io.ReadFull(br, b)
			got <- string(b)
			io.WriteString(far, okShort+"ab")
		})
		if _, body, err := fetchAll(t, cl, slow(), &Request{Method: "POST", Path: "/", Body: c.body, ContentLength: c.length}); body != "ab" || err != nil {
			t.Error(body, err)
		}
		if b := <-got; b != c.want && decoded(b) != long[:16373] {
			t.Errorf("%d octets %.100q, want %.100q", len(b), b, c.want)
		}
	}
}

func decoded(chunks string) string {
	b, _ := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(chunks)))
	return string(b)
}

func TestSend_ShortBodyIsTheViewersFault(t *testing.T) {
	o, _ := liar(t, func(nc net.Conn, _ int, _ string) { io.Copy(io.Discard, nc) })
	_, _, err := fetchAll(t, client(t, Config{}), o, &Request{Method: "PUT", Path: "/", Body: strings.NewReader("ab"), ContentLength: 5})
	if kindOf(err) != "Canceled" {
		t.Error(err)
	}
}

// An answer that comes before the request is complete is the answer; the connection is not used again.
func TestSend_EarlyAnswer(t *testing.T) {
	o, asked := liar(t, func(nc net.Conn, _ int, _ string) {
		io.WriteString(nc, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
	})
	c := client(t, Config{})
	for range 2 {
		near, far := io.Pipe()
		resp, body, err := fetchAll(t, c, o, &Request{Method: "POST", Path: "/", Body: near, ContentLength: 5})
		if err != nil || resp.Status != 413 || body != "no" {
			t.Errorf("%v %q %v", resp, body, err)
		}
		far.Close()
	}
	if n := len(asked()); n != 2 {
		t.Errorf("%d connections", n)
	}
	c.Close() // waits until nobody reads the bodies any more
}

// A viewer that takes its time with the body does not make a slow origin; the origin's time begins then.
func TestTimeout_BeginsWhenTheBodyIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for pause, want := range map[time.Duration]string{29 * time.Second: "<nil>", 31 * time.Second: "ReadTimeout"} {
			c := piped(t, func(nc net.Conn, _ int) {
				io.ReadFull(nc, make([]byte, 2))
				time.Sleep(pause)
				io.WriteString(nc, okShort+"ab")
			})
			near, far := io.Pipe()
			go func() {
				time.Sleep(time.Hour)
				io.WriteString(far, "ab")
			}()
			_, _, err := fetchAll(t, c, slow(), &Request{Method: "POST", Path: "/", Body: near, ContentLength: 2})
			if kindOf(err) != want {
				t.Errorf("%v after the body: %v, want %s", pause, err, want)
			}
			c.Close()
		}
	})
}

func TestSend_NothingThatReadsInTwoWays(t *testing.T) {
	cl := client(t, Config{})
	for _, r := range []Request{
		{Method: "GET /\r\nX:", Path: "/"},
		{Method: "", Path: "/"},
		{Method: "CONNECT", Path: "/"},
		{Method: "GET", Path: ""},
		{Method: "GET", Path: "a"},
		{Method: "GET", Path: "*"},
		{Method: "GET", Path: "/a b"},
		{Method: "GET", Path: "/a\r\nX: y"},
		{Method: "GET", Path: "/a#b"},
		{Method: "GET", Path: "/\x80"},
		{Method: "GET", Path: "/", Query: "a b", HasQuery: true},
		{Method: "GET", Path: "/", Query: "a\nb", HasQuery: true},
		{Method: "GET", Path: "/", Host: "a/b"},
		{Method: "GET", Path: "/", Host: "a@b"},
		{Method: "GET", Path: "/", Host: "a,b"},
		{Method: "GET", Path: "/", Host: "a b"},
		{Method: "GET", Path: "/", Fields: message.Fields{{Name: "A", Value: "b\r\nC: d"}}},
		{Method: "GET", Path: "/", Fields: message.Fields{{Name: "A", Value: "b\nC: d"}}},
		{Method: "GET", Path: "/", Fields: message.Fields{{Name: "A", Value: "b\x00"}}},
		{Method: "GET", Path: "/", Fields: message.Fields{{Name: "A ", Value: "b"}}},
		{Method: "GET", Path: "/", Fields: message.Fields{{Name: "A:", Value: "b"}}},
		{Method: "GET", Path: "/", Fields: message.Fields{{Name: "", Value: "b"}}},
		{Method: "GET", Path: "/", Fields: message.Fields{{Name: ":path", Value: "b"}}},
	} {
		var got bytes.Buffer
		read := make(chan bool)
		cl.dial = pipeTo(t, func(far net.Conn) { io.Copy(&got, far); close(read) })
		if _, _, err := fetchAll(t, cl, originAt("127.0.0.1:80"), &r); kindOf(err) != "Unsendable" {
			t.Errorf("%+v: %v", r, err)
		}
		if <-read; got.Len() > 0 {
			t.Errorf("%+v: sent %q", r, &got)
		}
	}
}

// However the origin cuts its chunks, and however large the reader's memory is.
func TestRead_Chunks(t *testing.T) {
	want := strings.Repeat("0123456789abcdef", 6000)
	for _, size := range []int{1000, 16 << 10, 20000, 96000} {
		var answer strings.Builder
		answer.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for rest := want; rest != ""; {
			piece := rest[:min(size, len(rest))]
			rest = rest[len(piece):]
			fmt.Fprintf(&answer, "%x\r\n%s\r\n", len(piece), piece)
		}
		answer.WriteString("0\r\n\r\n")
		o, asked := liar(t, keeping(func(nc net.Conn, _, _ int, _ string) bool { io.WriteString(nc, answer.String()); return true }))
		c := client(t, Config{})
		for _, room := range []int{7, 4096, 16 << 10, 200000} {
			resp, err := c.Fetch(t.Context(), o, get("/"))
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			for p := make([]byte, room); err == nil; {
				var n int
				n, err = resp.Body.Read(p)
				got = append(got, p[:n]...)
			}
			if err != io.EOF || string(got) != want {
				t.Errorf("chunks of %d into %d: %d octets, %v", size, room, len(got), err)
			}
			resp.Body.Close()
		}
		if n := len(asked()); n != 1 {
			t.Errorf("%d connections", n)
		}
	}
}

// A long body needs no memory of ours once its beginning has been read.
func TestRead_LongBodiesBorrowNothing(t *testing.T) {
	o, _ := liar(t, func(nc net.Conn, _ int, _ string) {
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100000))
	})
	resp, err := client(t, Config{}).Fetch(t.Context(), o, get("/"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 50000)); err != nil || resp.Body.(*exchange).room != nil {
		t.Error("memory is still borrowed", err)
	}
}

func TestTLS_ReuseSurplusAndTornEnds(t *testing.T) {
	server, roots := certified(t)
	var answer atomic.Value
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	var conns atomic.Int32
	done := make(chan bool)
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer nc.(*tls.Conn).NetConn().Close()
				for br := bufio.NewReader(nc); ; {
					if _, err := readHead(br); err != nil {
						return
					}
					a := answer.Load().(string)
					io.WriteString(nc, a)
					if strings.HasSuffix(a, "farewell") {
						nc.Close()
					}
					if strings.Contains(a, "close") {
						return
					}
				}
			}()
		}
	}()
	defer func() { l.Close(); <-done }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	o := originAt(net.JoinHostPort("example.com", port))
	o.Protocol = 1
	c := client(t, Config{RootsFile: roots, Resolve: map[string]string{"example.com": l.Addr().String()}})
	long := strings.Repeat("x", 20000)
	for _, x := range []struct {
		answer, body, kind string
		conns              int32
	}{
		{okShort + "ab", "ab", "<nil>", 1},
		{okShort + "cd", "cd", "<nil>", 1},
		{okShort + "abevil", "ab", "<nil>", 1},
		{okShort + "ef", "ef", "<nil>", 2},
		{"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + long + "evil", long, "<nil>", 2}, // what TLS has decrypted already counts
		{okShort + "gh", "gh", "<nil>", 3},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwith a farewell", "with a farewell", "<nil>", 3},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwithout", "without", "Closed", 4}, // who has ended it?
	} {
		answer.Store(x.answer)
		if _, body, err := fetchAll(t, c, o, get("/")); body != x.body || kindOf(err) != x.kind || conns.Load() != x.conns {
			t.Errorf("%q: %q %v on connection %d", x.answer, body, err, conns.Load())
		}
	}
}

// certified is a server's configuration with a certificate for example.com, and a file with its authority.
func certified(t *testing.T) (server *tls.Config, roots string) {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	roots = filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: srv.TLS.Certificates}, roots
}

// pipeTo dials pipes whose other end is served.
func pipeTo(t *testing.T, serve func(far net.Conn)) func(context.Context, string, string) (net.Conn, error) {
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		serving.Go(func() {
			defer far.Close()
			serve(far)
		})
		return near, nil
	}
}
