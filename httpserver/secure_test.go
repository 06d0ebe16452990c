package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/raced"
)

// recorded counts the records of application data that a client gets, and sends octet by octet if it is slow.
type recorded struct {
	net.Conn
	slow    bool
	in      []byte
	records int
}

func (r *recorded) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	for r.in = append(r.in, p[:n]...); len(r.in) >= recordHead && len(r.in) >= recordLen(r.in); r.in = r.in[recordLen(r.in):] {
		if r.in[0] == 23 {
			r.records++
		}
	}
	return n, err
}

func (r *recorded) Write(p []byte) (int, error) {
	if !r.slow {
		return r.Conn.Write(p)
	}
	for i := range p {
		if _, err := r.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// over shakes hands over a recorded connection.
func over(t *testing.T, addr string, slow bool, c *tls.Config) (*tls.Conn, *recorded) {
	t.Helper()
	r := &recorded{Conn: dial(t, addr), slow: slow}
	c.InsecureSkipVerify = true
	tc := tls.Client(r, c)
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	return tc, r
}

func startSecure(t *testing.T, s *Server) (addr string) {
	t.Helper()
	show, _ := selfSigned(t, "a.test")
	s.TLS = &TLS{Certificate: show}
	addr, _ = start(t, s)
	return addr
}

func TestSecure_OneBatchIsOneRecord(t *testing.T) {
	h := &hits{}
	addr := startSecure(t, &Server{Handler: handlerFunc(echo), Answerer: h})
	c, r := over(t, addr, false, &tls.Config{MaxVersion: tls.VersionTLS12}) // whose tickets are not application data
	io.WriteString(c, strings.Repeat(get("/hit"), 16))
	br := newAnswers(c)
	for range 16 {
		if body := br.next(t); string(body) != "/hit" {
			t.Errorf("got %q", body)
		}
	}
	eventually(t, func() bool { return h.sent.Load() > 0 }) // the answers may be here before the server has counted
	if r.records != 1 || h.sent.Load() != 1 {
		t.Errorf("%d records, %d batches", r.records, h.sent.Load())
	}
	io.WriteString(c, get("/large")) // head and 64 KiB
	if body := br.next(t); !bytes.Equal(body, largeBody) || r.records != 1+5 {
		t.Errorf("%d octets in %d records", len(body), r.records-1)
	}
}

// However requests are cut into records and segments, they are read the same.
func TestSecure_RequestsInAnyPieces(t *testing.T) {
	addr := startSecure(t, &Server{Handler: handlerFunc(echo), Answerer: &hits{}})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, slow := range []bool{false, true} {
			for _, step := range []int{1, 50, 1 << 20} {
				c, _ := over(t, addr, slow, &tls.Config{MinVersion: version, MaxVersion: version})
				body := strings.Repeat("0123456789", 2000)
				if slow {
					body = body[:3000]
				}
				send := get("/hit1") + "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde" + get("/hit3")
				if step > 1 {
					send += "POST /4 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n" + body[:3000] + "\r\n0\r\n\r\n"
				}
				for rest := send; rest != ""; rest = rest[min(step, len(rest)):] {
					io.WriteString(c, rest[:min(step, len(rest))])
				}
				br := newAnswers(c)
				for _, want := range []string{"/hit1", "body=abcde err=<nil>", "/hit3", body[:3000]}[:strings.Count(send, "HTTP/1.1")] {
					if got := br.next(t); !bytes.Contains(got, []byte(want)) {
						t.Errorf("%s slow %v step %d: %.80q, want %.80q", tls.VersionName(version), slow, step, got, want)
					}
				}
				c.Close()
			}
		}
	}
}

func TestSecure_LargeBodiesBothWaysAtOnce(t *testing.T) {
	addr := startSecure(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		w.Begin(200, nil, r.ContentLength)
		w.Flush()
		io.Copy(struct{ io.Writer }{w}, r.Body)
	})})
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	c, _ := over(t, addr, false, &tls.Config{})
	go func() {
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", len(sent))
		c.Write(sent)
	}()
	if got := newAnswers(c).next(t); !bytes.Equal(got, sent) {
		t.Errorf("%d octets came back", len(got))
	}
}

// A viewer may take nothing of an answer until all that it sends has been read.
func TestSecure_AnUploadIsReadWhileSomebodySends(t *testing.T) {
	began, read := make(chan bool), make(chan int64, 1)
	s := &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		close(began)
		n, _ := io.Copy(io.Discard, r.Body)
		read <- n
		w.Begin(200, nil, 0)
	})}
	addr := startSecure(t, s)
	v, _ := over(t, addr, false, &tls.Config{})
	sent := make([]byte, 8<<20)
	fmt.Fprintf(v, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", len(sent))
	<-began
	s.running.Load().gate.each(func(c *conn) { // as one who has encrypted, and then waits for the socket
		c.wire.sending.Lock()
		defer c.wire.sending.Unlock()
		if _, err := c.tls.Write(make([]byte, maxPlain)); err != nil {
			t.Error(err)
		}
		uploaded := make(chan error, 1)
		go func() {
			_, err := v.Write(sent)
			uploaded <- err
		}()
		select {
		case n := <-read:
			if n != int64(len(sent)) {
				t.Errorf("%d octets read", n)
			}
		case <-time.After(time.Minute):
			t.Error("reading waits for sending")
			v.NetConn().Close()
		}
		if err := <-uploaded; err != nil {
			t.Error(err)
		}
		if c.wire.pending() <= maxPlain {
			t.Error("somebody else has sent what was gathered")
		}
	})
}

// What a viewer makes us say while it takes nothing has a bound.
func TestSecure_WhatReadingSaysIsBounded(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	c := newConn(&engine{tls: &tls.Config{}}, server)
	c.wire.Write(make([]byte, maxGathered+1))
	c.wire.sending.Lock()
	over := make(chan error, 1)
	go func() { over <- c.sendOwn() }()
	for range 1000 {
		if runtime.Gosched(); len(over) > 0 {
			t.Fatal("does not wait for who is sending")
		}
	}
	c.wire.sending.Unlock()
	if n, err := io.CopyN(io.Discard, client, maxGathered+1); err != nil {
		t.Errorf("%d octets sent, %v", n, err)
	}
	if err := <-over; err != nil || c.wire.pending() > 0 {
		t.Error(c.wire.pending(), err)
	}
}

func TestSecure_WhatIsNoTLS(t *testing.T) {
	addr := startSecure(t, &Server{Handler: handlerFunc(echo)})
	for send, want := range map[string]string{
		get("/"): "HTTP/1.1 400 Bad Request\r\n", "G": "HTTP/1.1 400 Bad Request\r\n",
		"\x00\x01": "", "\x16\x03": "", "\x16\xff\xff\xff\xff": "", "\x15\x03\x01\x00\x02\x01\x00": "", "\x80\x2e\x01": "",
	} {
		got := exchange(t, addr, send)
		if !strings.HasPrefix(got, want) || want == "" && strings.Contains(got, "HTTP") || want != "" && !strings.Contains(got, ReasonPlain) {
			t.Errorf("%q: %q", send, got)
		}
	}
}

func TestSecure_SlowHandshakesAreCut(t *testing.T) {
	addr := startSecure(t, &Server{Handler: handlerFunc(echo), Limits: Limits{ReadHeaderTimeout: 40 * time.Millisecond}})
	for _, send := range []string{"", "\x16\x03\x01\x02\x00", hello(t)} {
		c := dial(t, addr)
		io.WriteString(c, send)
		if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d octets of a handshake: %v", len(send), err)
		}
	}
}

// Whoever waits for a slow viewer must not keep others from shaking hands.
func TestSecure_SlowHandshakesKeepNobodyOut(t *testing.T) {
	addr := startSecure(t, &Server{Handler: handlerFunc(echo), Limits: Limits{ReadHeaderTimeout: time.Hour}})
	for range 64 {
		io.WriteString(dial(t, addr), hello(t))
	}
	over(t, addr, false, &tls.Config{})
}

// A certificate that is long in coming keeps nobody else from shaking hands.
func TestSecure_WaitingForACertificate(t *testing.T) {
	show, _ := selfSigned(t, "a.test")
	wait := make(chan bool)
	addr, _ := start(t, &Server{Handler: handlerFunc(echo), TLS: &TLS{Certificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName == "slow.test" {
			<-wait
		}
		return show(h)
	}}})
	var slow sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		c := dial(t, addr)
		slow.Go(func() {
			if err := tls.Client(c, &tls.Config{ServerName: "slow.test", InsecureSkipVerify: true}).Handshake(); err != nil {
				t.Error(err)
			}
		})
	}
	over(t, addr, false, &tls.Config{ServerName: "fast.test"})
	close(wait)
	slow.Wait()
}

// An authority's question is a handshake and nothing after it; only a server that has answers takes it.
func TestSecure_Challenge(t *testing.T) {
	show, _ := selfSigned(t, "a.test")
	for _, challenges := range []bool{true, false} {
		addr, _ := start(t, &Server{Handler: handlerFunc(echo), TLS: &TLS{Certificate: show, Challenges: challenges}})
		c := tls.Client(dial(t, addr), &tls.Config{ServerName: "a.test", NextProtos: []string{protoACME}, InsecureSkipVerify: true})
		err := c.Handshake()
		if (err == nil) != challenges {
			t.Errorf("challenges %v: %v", challenges, err)
			continue
		}
		io.WriteString(c, get("/"))
		if got, _ := io.ReadAll(c); len(got) > 0 {
			t.Errorf("answered %q", got)
		}
	}
}

// hello is what a client says first.
func hello(t *testing.T) string {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	said := make(chan string, 1)
	go func() {
		b := make([]byte, 16<<10)
		n, _ := server.Read(b)
		client.Close()
		said <- string(b[:n])
	}()
	tls.Client(client, &tls.Config{InsecureSkipVerify: true}).Handshake()
	return <-said
}

func TestSecure_ViewerThatLeavesEndsTheContext(t *testing.T) {
	began, ended := make(chan bool), make(chan bool)
	addr := startSecure(t, &Server{Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, _ *Request) {
		began <- true
		<-ctx.Done()
		ended <- true
	})})
	c, _ := over(t, addr, false, &tls.Config{})
	io.WriteString(c, get("/"))
	<-began
	c.Close() // says so by an alert, which nobody reads
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the handler was not told")
	}
}

func TestSecure_AnAnswerIsSentBeforeASlowViewerIsWaitedFor(t *testing.T) {
	h := &hits{}
	addr := startSecure(t, &Server{Handler: handlerFunc(echo), Answerer: h})
	c, r := over(t, addr, false, &tls.Config{})
	r.Conn.(*net.TCPConn).SetReadBuffer(4096)
	for range 200 { // 12 MiB that nobody takes
		io.WriteString(c, get("/large"))
	}
	eventually(t, func() bool { return h.answered.Load() > 2 && h.sent.Load() >= h.answered.Load()-1 })
}

// The end of a body that only the end of the connection ends is said by an alert; a cut body has none.
func TestSecure_TheEndIsSaidUnlessItIsACut(t *testing.T) {
	for name, whole := range map[string]bool{"whole": true, "cut": false} {
		addr := startSecure(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
			w.Begin(200, nil, -1)
			io.WriteString(w, "abc")
			w.Flush()
			if !whole {
				w.Abort()
			}
		})})
		c, _ := over(t, addr, false, &tls.Config{})
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		if got, err := io.ReadAll(c); (err == nil) != whole || whole && !strings.HasSuffix(string(got), "abc") {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}

func TestSecure_HTTP2WhereTheNameWantsIt(t *testing.T) {
	show, pool := selfSigned(t, "a.test", "b.test")
	addr, _ := start(t, &Server{Handler: handlerFunc(echoTLS), TLS: &TLS{Certificate: show, Names: names{"a.test": {HTTP2: true}, "b.test": {}}}})
	for name, want := range map[string]string{"a.test": "HTTP/2.0", "b.test": "HTTP/1.1"} {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		}}
		for _, handshake := range []string{"fullHandshake", "connectionReused", "connectionReused"} {
			a, err := client.Get("https://" + name + "/x")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(a.Body)
			a.Body.Close()
			if a.Proto != want || err != nil || string(body) != "https "+name+" {TLSv1.3 TLS_AES_128_GCM_SHA256 "+handshake+"} /x" {
				t.Errorf("%s: %s %q %v, want %s", name, a.Proto, body, err, handshake)
			}
		}
		client.CloseIdleConnections()
	}
}

// What the client's end costs is measured too.
func TestBudget_IdleSecureConnection(t *testing.T) {
	if raced.Enabled {
		t.Skip("the race detector's own memory would be measured")
	}
	addr := startSecure(t, &Server{Handler: handlerFunc(echo), Answerer: &hits{}})
	idle(t, 40<<10, func() net.Conn { c, _ := over(t, addr, false, &tls.Config{}); return c })
}

// answers reads one answer after the other.
type answers struct{ br *bufio.Reader }

func newAnswers(c net.Conn) answers { return answers{bufio.NewReaderSize(c, 1<<20)} }

// next is the body of the next one.
func (a answers) next(t *testing.T) []byte {
	t.Helper()
	r, err := http.ReadResponse(a.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// The battery's cases by TLS: what is refused, and what the handler sees, does not depend on what is beneath.
func TestSecure_Battery(t *testing.T) {
	rec := &recorder{}
	addr := startSecure(t, &Server{Handler: rec})
	for _, c := range readBattery(t) {
		for _, step := range []int{1 << 20, 7} {
			if step == 7 && len(c.send) > 4096 {
				continue
			}
			client, _ := over(t, addr, false, &tls.Config{})
			if got := rec.outcome(t, converse(t, client, c.send, step)); !slices.Contains(c.allowed, got) {
				t.Errorf("%s: %q\n  in pieces of %d\n  got  %s\n  want %s", c.name, c.send, step, got, strings.Join(c.allowed, "\n    or "))
			}
		}
	}
}
