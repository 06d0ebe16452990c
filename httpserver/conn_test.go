package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/pages"
	"github.com/warmfront/warmfront/internal/raced"
)

// hits is an Answerer that takes /hit…, /large… and panics at /panic.
type hits struct {
	answered, sent atomic.Int64
	offered        atomic.Int64
	done           chan done // nil: nobody wants to know
	pages          *pages.Octets
	file           FilePart
}

type done struct {
	octets int64
	cut    bool
	sents  int64 // calls of Sent before it
}

func (h *hits) Inline() Inline { return &hit{h} }

type hit struct{ *hits }

var (
	largeBody = bytes.Repeat([]byte("0123456789abcdef"), 4096)
	hugeBody  = make([]byte, 32<<20) // more than all sockets take
)

func (h *hit) Answer(dst []byte, r *Request) (out []byte, rest Rest, ok bool) {
	h.offered.Add(1)
	body := []byte(r.Path)
	switch {
	case strings.HasPrefix(r.Path, "/large"):
		body, rest.Octets = nil, largeBody
	case strings.HasPrefix(r.Path, "/huge"):
		body, rest.Octets = nil, hugeBody
	case strings.HasPrefix(r.Path, "/pages"):
		body, rest = nil, Rest{Octets: h.pages.Bytes(), Pages: h.pages}
	case strings.HasPrefix(r.Path, "/file"):
		body, rest = nil, Rest{File: h.file}
	case strings.HasPrefix(r.Path, "/panic"):
		panic("oh")
	case !strings.HasPrefix(r.Path, "/hit"):
		return dst, rest, false
	}
	h.answered.Add(1)
	dst = AppendHead(dst, 200, message.Fields{{Name: "X-Inline", Value: "1"}}, int64(len(body)+rest.size()))
	dst = append(dst, "\r\n"...)
	if r.Method == "HEAD" {
		return dst, Rest{}, true
	}
	return append(dst, body...), rest, true
}

func (h *hit) Sent() { h.sent.Add(1) }

func (h *hit) Done(sent int64, cut bool) {
	if h.done != nil {
		h.done <- done{sent, cut, h.sent.Load()}
	}
}

func (h *hit) Later() func(int64, bool) { panic("nothing else is answered meanwhile") }

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n" }

func TestInline_OneReadIsAnsweredInOneWrite(t *testing.T) {
	h := &hits{}
	addr, _ := start(t, &Server{Handler: handlerFunc(echo), Answerer: h})
	c := dial(t, addr)
	var send, want strings.Builder
	for i := range 16 {
		path := fmt.Sprintf("/hit%02d", i)
		send.WriteString(get(path))
		want.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: keep-alive\r\nX-Inline: 1\r\n\r\n" + path)
	}
	io.WriteString(c, send.String())
	got := make([]byte, want.Len())
	if n, err := c.Read(got); err != nil || n != len(got) { // one segment on loopback when it is one write
		t.Errorf("first read brought %d of %d octets, %v", n, len(got), err)
	}
	if string(got) != want.String() {
		t.Errorf("got %q", got)
	}
	eventually(t, func() bool { return h.sent.Load() > 0 }) // it is told after the write
	if h.answered.Load() != 16 || h.sent.Load() != 1 {
		t.Errorf("%d answers in %d batches", h.answered.Load(), h.sent.Load())
	}
}

func TestInline_MixedWithTheHandlerInOrder(t *testing.T) {
	h := &hits{}
	addr, _ := start(t, &Server{Handler: handlerFunc(echo), Answerer: h})
	paths := []string{"/hit1", "/2", "/large3", "/hit4", "/large5", "/6", "/7", "/hit8"}
	send := ""
	for _, p := range paths {
		send += get(p)
	}
	br := bufio.NewReader(strings.NewReader(exchange(t, addr, send)))
	for _, p := range paths {
		a, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		body, err := io.ReadAll(a.Body)
		want := []byte(p)
		if strings.HasPrefix(p, "/large") {
			want = largeBody
		}
		if err != nil || !bytes.Contains(body, want) || (a.Header.Get("X-Inline") != "") != (len(p) > 2) {
			t.Errorf("%s: %v %.40q %v", p, a.Header, body, err)
		}
	}
	if h.answered.Load() != 5 || h.sent.Load() != 6 { // 1 2 | 3 | 4 5 | 6 | 7 | 8
		t.Errorf("%d answers in %d batches", h.answered.Load(), h.sent.Load())
	}
}

// An Inline may hold something between Answer and Sent that others wait for; no handler may run, and no
// rest be waited for, while it does.
func TestInline_SentBeforeAnythingIsWaitedFor(t *testing.T) {
	h := &hits{}
	sent := make(chan int64, 1)
	addr, _ := start(t, &Server{Answerer: h, Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		sent <- h.sent.Load()
		w.Begin(200, nil, 0)
	})})
	exchange(t, addr, get("/declined"))
	if n := <-sent; n != 1 {
		t.Errorf("Sent %d times before the handler that answers instead", n)
	}
	exchange(t, addr, get("/hit")+get("/declined"))
	if n := <-sent; n != 2 {
		t.Errorf("Sent %d times before the handler behind a hit", n)
	}
	c := dial(t, addr)
	c.(*net.TCPConn).SetReadBuffer(4096)
	for range 200 { // 12 MiB that nobody takes
		io.WriteString(c, get("/large"))
	}
	eventually(t, func() bool { return h.answered.Load() > 2 && h.sent.Load() >= 2+h.answered.Load()-1 })
}

func TestInline_DoneSaysHowTheRestEnded(t *testing.T) {
	h := &hits{done: make(chan done, 1)}
	addr, _ := start(t, &Server{Handler: handlerFunc(echo), Answerer: h})
	exchange(t, addr, get("/hit")+get("/large"))
	if got, want := <-h.done, (done{int64(len(largeBody)), false, 1}); got != want {
		t.Errorf("a body that was taken: %+v, want %+v", got, want)
	}
	c := dial(t, addr)
	io.WriteString(c, get("/huge"))
	if _, err := io.ReadFull(c, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if d := <-h.done; !d.cut || d.octets < 1<<19 || d.octets >= int64(len(hugeBody)) {
		t.Errorf("a body that was cut: %+v", d)
	}
}

func TestInline_IsOfferedPlainRequestsOnly(t *testing.T) {
	h := &hits{}
	addr, _ := start(t, &Server{Handler: handlerFunc(echo), Answerer: h})
	for _, send := range []string{
		"POST /hit HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /hit HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", "GET /hit HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /hit HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /hit HTTP/1.0\r\nHost: h\r\n\r\n", "GET /hit HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
		"GET /hit HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", "GET /hit HTTP/1.1\r\nHost: a/b\r\n\r\n",
	} {
		if got := exchange(t, addr, send); strings.Contains(got, "X-Inline") || h.offered.Load() != 0 {
			t.Errorf("%q was offered: %q", send, got)
		}
	}
	got := exchange(t, addr, "HEAD /hit HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
	if !strings.HasSuffix(got, "X-Inline: 1\r\n\r\n") {
		t.Errorf("HEAD: %q", got)
	}
}

func TestInline_PanicAnswers500AfterTheBatch(t *testing.T) {
	h := &hits{}
	addr, _ := start(t, &Server{Handler: handlerFunc(echo), Answerer: h})
	got := exchange(t, addr, get("/hit")+get("/panic")+get("/hit"))
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || strings.Count(got, "/hit") != 1 || !strings.Contains(got, "HTTP/1.1 500 ") || h.sent.Load() == 0 {
		t.Errorf("got %q, %d sent", got, h.sent.Load())
	}
}

func TestBody_ContinueIsSaidWhenTheHandlerReads(t *testing.T) {
	for name, read := range map[string]bool{"read": true, "not read": false} {
		t.Run(name, func(t *testing.T) {
			addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
				body := []byte("unread")
				if read {
					body, _ = io.ReadAll(r.Body)
				}
				w.Begin(200, nil, int64(len(body)))
				w.Write(body)
			})})
			c := dial(t, addr)
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
			br := bufio.NewReader(c)
			line, _ := br.ReadString('\n')
			if !read {
				rest, err := io.ReadAll(br)
				if line != "HTTP/1.1 200 OK\r\n" || !strings.Contains(string(rest), "Connection: close\r\n") || err != nil {
					t.Errorf("got %q %q %v", line, rest, err)
				}
				return
			}
			br.ReadString('\n')
			if line != "HTTP/1.1 100 Continue\r\n" {
				t.Fatalf("got %q", line)
			}
			io.WriteString(c, "abc"+get("/next"))
			for _, want := range []string{"abc", ""} {
				a, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Fatal(err)
				}
				if body, _ := io.ReadAll(a.Body); string(body) != want {
					t.Errorf("body %q, want %q", body, want)
				}
			}
		})
	}
}

// ignore answers without reading the body.
func ignore(_ context.Context, w ResponseWriter, r *Request) {
	w.Begin(200, message.Fields{{Name: "X-Path", Value: r.Path}}, 0)
}

func TestBody_LeftUnread(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(ignore)})
	for _, c := range []struct {
		name, send string
		lives      bool
	}{
		{"short", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n" + strings.Repeat("x", 60000), true},
		{"long", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n" + strings.Repeat("x", 70000), false},
		{"chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", false},
	} {
		got := exchange(t, addr, c.send+get("/next"))
		if strings.Contains(got, "/next") != c.lives || strings.Contains(got, "Connection: close") == c.lives || !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// A reader of the body that outlives the handler gets an error, and never an octet of the next request.
func TestBody_ReadAfterTheHandler(t *testing.T) {
	for name, sent := range map[string]string{"waiting": "ab", "idle": "abcde" + get("/next")} {
		t.Run(name, func(t *testing.T) {
			result := make(chan error, 1)
			done := make(chan struct{})
			addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
				if r.Path == "/next" { // so the first has returned
					close(done)
					return
				}
				two := make([]byte, 2)
				io.ReadFull(r.Body, two)
				started := make(chan struct{})
				go func() {
					close(started)
					if name == "idle" {
						<-done
					}
					_, err := io.ReadAll(r.Body)
					result <- err
				}()
				<-started
				w.Begin(200, nil, 0)
				w.Flush()
			})})
			c := dial(t, addr)
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"+sent)
			if err := <-result; err == nil {
				t.Error("the body could be read after the handler had returned")
			}
		})
	}
}

func TestAnswer_LargeBodyArrivesWhole(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	for name, length := range map[string]int64{"length": int64(len(body)), "chunked": -1} {
		addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
			w.Begin(200, nil, length)
			w.Write(body[:100])
			w.Write(body[100:20000])
			w.Write(body[20000:])
		})})
		resp, err := http.Get("http://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		buf := make([]byte, 1500) // small reads fill the server's socket
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{resp.Body}, buf); err != nil || !bytes.Equal(got.Bytes(), body) {
			t.Errorf("%s: %d octets, %v", name, got.Len(), err)
		}
	}
}

// A Write of any size says that it has taken all of it: io.Copy stops otherwise.
func TestAnswer_WriteTakesAll(t *testing.T) {
	for _, length := range []int64{5 + 20000, -1} {
		addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
			w.Begin(200, nil, length)
			for _, size := range []int{5, 20000} {
				if n, err := w.Write(make([]byte, size)); n != size || err != nil {
					t.Errorf("wrote %d of %d, %v", n, size, err)
				}
			}
		})})
		exchange(t, addr, get("/"))
	}
}

func TestAnswer_CutOfABodyWithoutLengthIsAReset(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		w.Begin(200, nil, -1)
		io.WriteString(w, "abc")
		w.Flush()
		w.Abort()
	})})
	c := dial(t, addr)
	io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
	if got, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %q, %v; want a reset", got, err)
	}
}

func TestAnswer_FieldsCannotSplitIt(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		w.Begin(200, message.Fields{{Name: "X", Value: "a\r\nY: b"}, {Name: "Z\r\n", Value: ""}, {Name: "", Value: "x"}, {Name: "A b", Value: "x"}, {Name: "Ok", Value: "\xe4"}}, 0)
	})})
	if got := exchange(t, addr, get("/")); got != "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\nOk: \xe4\r\n\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestLimits_ViewerThatTakesNothingIsCut(t *testing.T) {
	failed := make(chan error, 1)
	addr, _ := start(t, &Server{Limits: Limits{WriteTimeout: 40 * time.Millisecond}, Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		w.Begin(200, nil, 1<<30)
		_, err := w.Write(make([]byte, 1<<30))
		failed <- err
	})})
	c := dial(t, addr)
	io.WriteString(c, get("/"))
	if err := <-failed; err == nil {
		t.Error("a gigabyte went nowhere")
	}
}

func TestLimits_DrippingHeadIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startPiped(t, &Server{Handler: handlerFunc(echo), Limits: Limits{ReadHeaderTimeout: 50 * time.Millisecond}})()
		began := time.Now()
		for i := 0; ; i++ {
			time.Sleep(5 * time.Millisecond)
			if _, err := io.WriteString(c, get("/" + strings.Repeat("a", 4000))[i:i+1]); err != nil {
				break // closed
			}
			if time.Since(began) > 100*time.Millisecond {
				t.Fatal("still open")
			}
		}
	})
}

// The warden may come late: it wakes who has gone on meanwhile, and must not harm it.
func TestLimits_WokenTooLateGoesOn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	viewer := dial(t, l.Addr().String())
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	e := (&Server{Handler: handlerFunc(echo), Answerer: &hits{}}).engine()
	e.base = t.Context()
	c := newConn(e, nc)
	e.gate.admit(c)
	e.running.Go(c.serve)
	stop := make(chan struct{})
	e.running.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				nc.SetReadDeadline(past)
				nc.SetWriteDeadline(past)
				runtime.Gosched()
			}
		}
	})
	br := bufio.NewReader(viewer)
	for range 100 {
		io.WriteString(viewer, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n")
		io.WriteString(viewer, "abc"+get("/large")+get("/hit"))
		for range 3 {
			a, err := http.ReadResponse(br, nil)
			if err != nil || a.StatusCode != 200 {
				t.Fatalf("%v %v", a, err)
			}
			io.Copy(io.Discard, a.Body)
		}
	}
	close(stop)
	viewer.Close()
	e.running.Wait()
}

func TestContext_GoneViewerGetsNoAnswer(t *testing.T) {
	began := make(chan struct{})
	var logged bytes.Buffer
	s := &Server{Logger: logTo(&logged), Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, _ *Request) {
		close(began)
		<-ctx.Done()
	})}
	addr, stop := start(t, s)
	c := dial(t, addr)
	io.WriteString(c, get("/"))
	<-began
	c.Close()
	stop()
	if logged.Len() > 0 {
		t.Errorf("logged %s", &logged)
	}
}

func TestDrain_EndsKeptConnectionsAtOnce(t *testing.T) {
	addr, stop := start(t, &Server{Handler: handlerFunc(echo), Limits: Limits{DrainTimeout: time.Hour}})
	c := dial(t, addr)
	br := bufio.NewReader(c)
	io.WriteString(c, get("/"))
	a, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, a.Body)
	partial := dial(t, addr)
	io.WriteString(partial, "GET / HT")
	stop()
	for _, c := range []io.Reader{br, partial} {
		if got, _ := io.ReadAll(c); len(got) > 0 {
			t.Errorf("got %q", got)
		}
	}
}

// L9: what a connection between two requests holds, both ends of it being in this process.
func TestBudget_IdleConnection(t *testing.T) {
	if raced.Enabled {
		t.Skip("the race detector's own memory would be measured")
	}
	addr, _ := start(t, &Server{Handler: handlerFunc(echo), Answerer: &hits{}})
	idle(t, 8<<10, func() net.Conn { return dial(t, addr) })
}

// idle checks how many octets an idle connection costs after it has been used.
func idle(t *testing.T, most int64, open func() net.Conn) {
	const n = 400
	used := func() uint64 {
		runtime.GC()
		runtime.GC() // pools are emptied by the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := used()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = open()
		for _, path := range []string{"/hit", "/handled"} {
			io.WriteString(conns[i], get(path))
			a, err := http.ReadResponse(bufio.NewReader(conns[i]), nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, a.Body)
		}
	}
	per := int64(used()-before) / n
	t.Logf("%d octets for each idle connection", per)
	if per > most {
		t.Errorf("%d octets for each idle connection, want at most %d", per, most)
	}
	runtime.KeepAlive(conns)
}

// A hit costs no allocation in the engine.
func BenchmarkInline(b *testing.B) {
	for _, pipelined := range []int{1, 16} {
		b.Run(fmt.Sprintf("%d in one read", pipelined), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- (&Server{Listener: l, Handler: handlerFunc(echo), Answerer: &hits{}}).Run(ctx) }()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			send := []byte(strings.Repeat(get("/hit"), pipelined))
			one := "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\nX-Inline: 1\r\n\r\n/hit"
			got := make([]byte, len(one)*pipelined)
			b.ReportAllocs()
			for b.Loop() {
				c.Write(send)
				if _, err := io.ReadFull(c, got); err != nil {
					b.Fatal(err)
				}
			}
			cancel()
			c.Close()
			<-done
		})
	}
}

func BenchmarkParse(b *testing.B) {
	head := []byte("GET /assets/app-3f2a.js?v=1 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36\r\n" +
		"Accept: */*\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\nReferer: https://www.example.org/\r\nSec-Fetch-Mode: no-cors\r\nConnection: keep-alive\r\n\r\n")
	var p parser
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		if no := p.parse(head, 8192); no.status != 0 {
			b.Fatal(no)
		}
	}
}
