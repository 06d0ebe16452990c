package load

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// target is a server with a body of any size under /o/SIZE and one octet under any other path.
type target struct {
	*httptest.Server
	requests atomic.Int64
	status   atomic.Int64
	mu       sync.Mutex
	paths    map[string]int
}

func newTarget(t *testing.T, https bool) *target {
	x := &target{paths: map[string]int{}}
	x.status.Store(200)
	x.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.requests.Add(1)
		x.mu.Lock()
		x.paths[r.URL.Path]++
		x.mu.Unlock()
		size := 1
		if s, isSized := strings.CutPrefix(r.URL.Path, "/o/"); isSized {
			size, _ = strconv.Atoi(s)
		}
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.WriteHeader(int(x.status.Load()))
		w.Write(make([]byte, size))
	}))
	if https {
		x.EnableHTTP2 = true
		x.StartTLS()
	} else {
		x.Start()
	}
	t.Cleanup(x.Close)
	return x
}

func (x *target) address() netip.AddrPort {
	return netip.MustParseAddrPort(x.Listener.Addr().String())
}

// expect wants n requests, each for another path, the keys 0 and 49 among them.
func (x *target) expect(t *testing.T, n int) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.paths) != n || x.requests.Load() != int64(n) || x.paths["/k/0"] != 1 || x.paths["/k/49"] != 1 {
		t.Errorf("asked for %v", x.paths)
	}
}

const host = "bench.localhost"

// loads are all kinds over the same object, with the answers that Open asks for.
func loads(t *testing.T, size int) map[string]struct {
	load   Load
	target *target
	opened int
} {
	plain, secure := newTarget(t, false), newTarget(t, true)
	path := "/o/" + strconv.Itoa(size)
	one := One(Get(host, path), 1)
	http2 := func(protocol string) *tls.Config { return ClientConfig(host, protocol) }
	type of = struct {
		load   Load
		target *target
		opened int
	}
	return map[string]of{
		"closed":     {&Closed{Address: plain.address(), Connections: 8, Requests: one, Size: size}, plain, 8},
		"pipelined":  {&Closed{Address: plain.address(), Connections: 3, Requests: One(Get(host, path), 16), Size: size}, plain, 48},
		"open":       {&Open{Address: plain.address(), Connections: 8, Requests: one, Size: size, Rate: 1000}, plain, 8},
		"secure":     {&Secure{Address: secure.address(), Config: http2("http/1.1"), Connections: 4, Requests: one, Size: size}, secure, 4},
		"handshakes": {&Handshakes{Address: secure.address(), Config: http2("http/1.1"), Clients: 2, Request: one.Next(), Size: size}, secure, 1},
		"http2": {&HTTP2{Address: secure.address(), Config: http2("h2"), Connections: 2, Streams: 8,
			First: First(host, path), Requests: Many(Blocks(host, []string{path}), nil), Size: size}, secure, 2},
	}
}

// Every load counts exactly what the server was asked, and every answer is whole.
func TestLoads_CountWhatTheServerSaw(t *testing.T) {
	for _, size := range []int{1, 1024, 300_000} {
		for name, l := range loads(t, size) {
			t.Run(name+" "+strconv.Itoa(size), func(t *testing.T) {
				before := l.target.requests.Load()
				defer l.load.Close()
				if err := l.load.Open(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := l.target.requests.Load() - before; n != int64(l.opened) {
					t.Errorf("opening asked %d times, want %d", n, l.opened)
				}
				for range 2 {
					before := l.target.requests.Load()
					o, err := l.load.Run(t.Context(), 20*time.Millisecond)
					if err != nil {
						t.Fatal(err)
					}
					if n := l.target.requests.Load() - before; o.Answers == 0 || n != int64(o.Answers) {
						t.Errorf("%d answers counted, the server saw %d requests", o.Answers, n)
					}
					if o.Latency.Count() == 0 || o.Elapsed <= 0 {
						t.Errorf("%d latencies in %v", o.Latency.Count(), o.Elapsed)
					}
				}
			})
		}
	}
}

func TestLoads_AnAnswerThatIsNot200EndsTheRun(t *testing.T) {
	for name, l := range loads(t, 100) {
		l.target.status.Store(404)
		if err := l.load.Open(t.Context()); err == nil {
			t.Errorf("%s: accepted", name)
		}
		l.load.Close()
	}
}

func TestLoads_AnotherLengthEndsTheRun(t *testing.T) {
	x := newTarget(t, false)
	c := &Closed{Address: x.address(), Connections: 1, Requests: One(Get(host, "/o/100"), 1), Size: 101}
	defer c.Close()
	if err := c.Open(t.Context()); err == nil {
		t.Error("accepted")
	}
}

func TestLoads_EndWithTheirContext(t *testing.T) {
	for name, l := range loads(t, 100) {
		t.Run(name, func(t *testing.T) {
			defer l.load.Close()
			if err := l.load.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				_, err := l.load.Run(ctx, time.Hour)
				done <- err
			}()
			cancel()
			if err := <-done; err == nil {
				t.Error("a run that was cut is no result")
			}
		})
	}
}

func TestFill_AsksForEachKeyOnce(t *testing.T) {
	x := newTarget(t, false)
	var requests [][]byte
	for _, k := range Keys(50) {
		requests = append(requests, Get(host, k))
	}
	if err := Fill(t.Context(), x.address(), Many(requests, nil), 1, 50); err != nil {
		t.Fatal(err)
	}
	x.expect(t, 50)
	y := newTarget(t, true)
	h := &HTTP2{Address: y.address(), Config: ClientConfig(host, "h2"), Streams: 8, First: First(host, "/"),
		Requests: Many(Blocks(host, Keys(50)), nil), Size: 1}
	if err := h.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	y.expect(t, 51)
}

func TestHold_KeepsConnectionsThatAskedOnce(t *testing.T) {
	x := newTarget(t, false)
	release, err := Hold(t.Context(), x.address(), 300, One(Get(host, "/o/10"), 1), 10)
	if err != nil {
		t.Fatal(err)
	}
	if n := x.requests.Load(); n != 300 {
		t.Errorf("%d requests", n)
	}
	release()
}

func TestSlow_OpensAgainWhatWasClosed(t *testing.T) {
	request := Get(host, "/o/100000")
	accepted := make(chan struct{}, 100)
	x := httptest.NewUnstartedServer(http.NotFoundHandler())
	x.Config.ReadHeaderTimeout = time.Millisecond
	x.Config.ConnContext = countConns(accepted)
	x.Start()
	defer x.Close()
	release, err := Slow(netip.MustParseAddrPort(x.Listener.Addr().String()), 4, request)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // four, and at least one again
		<-accepted
	}
	release()
}

func countConns(accepted chan<- struct{}) func(ctx context.Context, c net.Conn) context.Context {
	return func(ctx context.Context, _ net.Conn) context.Context {
		select {
		case accepted <- struct{}{}:
		default:
		}
		return ctx
	}
}
