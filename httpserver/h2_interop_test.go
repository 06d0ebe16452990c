package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/raced"
)

// Another implementation's viewer, over TLS, with everything at once.
func TestH2_NetHTTPOverTLS(t *testing.T) {
	dial := secured(t, &Server{Answerer: &h2hits{}, Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
		if r.Method == "POST" {
			body, err := io.ReadAll(r.Body)
			text := fmt.Sprintf("%s %s %d %v", r.Scheme, r.ServerName, len(body), err)
			w.Begin(200, nil, -1)
			io.WriteString(w, text)
			return
		}
		likeHits(ctx, w, r)
	})}, names{"a.test": {HTTP2: true}})
	cc := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		return dial(&tls.Config{ServerName: "a.test", NextProtos: []string{"h2"}})
	}}
	defer cc.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			path, want, method := fmt.Sprint("/hit", i), fmt.Sprint("/hit", i), "GET"
			var body io.Reader
			switch i % 4 {
			case 1:
				path, want = "/large", string(largeBody)
			case 2:
				path, want = fmt.Sprint("/handled", i), fmt.Sprintf("path=/handled%d ", i)
			case 3:
				method, body, want = "POST", bytes.NewReader(make([]byte, 300_000)), "https a.test 300000 <nil>"
			}
			r, _ := http.NewRequestWithContext(t.Context(), method, "https://a.test"+path, body)
			resp, err := cc.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.ProtoMajor != 2 || resp.StatusCode != 200 || !strings.Contains(string(got), want) {
				t.Errorf("%s %s: %d %.60q %v", method, path, resp.StatusCode, got, err)
			}
		})
	}
	all.Wait()
}

// Who negotiates HTTP/2 must speak it.
func TestH2_NegotiatedButNotSpoken(t *testing.T) {
	dial := secured(t, &Server{}, names{"a.test": {HTTP2: true}})
	c, err := dial(&tls.Config{ServerName: "a.test", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, get("/"))
	v := &h2client{windows: map[uint32]int{}}
	fr := http2.NewFramer(c, c)
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			break
		}
		v.take(f)
	}
	if got := strings.Join(v.goaway, ", "); got != "0 PROTOCOL_ERROR" {
		t.Errorf("GOAWAY %q", got)
	}
}

// L9: an idle connection of HTTP/2, both ends of it being in this process.
func TestBudget_IdleH2Connection(t *testing.T) {
	if raced.Enabled {
		t.Skip("the race detector's own memory would be measured")
	}
	addr := h2server(t, &Server{Answerer: &h2hits{}})
	const n = 400
	used := func() uint64 {
		runtime.GC()
		runtime.GC() // pools are emptied by the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	var b bytes.Buffer
	v := &h2client{t: t, fr: http2.NewFramer(&b, nil)}
	v.encode()
	b.WriteString(h2.Preface)
	v.fr.WriteSettings()
	v.get(1, "/hit", "user-agent", "Mozilla/5.0 (X11; Linux x86_64)", "accept", "*/*", "accept-language", "en, de;q=0.5")
	v.get(3, "/handled")
	buf := make([]byte, 64<<10)
	before := used()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = dial(t, addr)
		conns[i].Write(b.Bytes())
		for got := 0; !bytes.Contains(buf[:got], []byte("path=/handled")); {
			k, err := conns[i].Read(buf[got:])
			if err != nil {
				t.Fatal(err)
			}
			got += k
		}
	}
	eventually(t, func() bool { // the warden takes what is not needed
		per := int64(used()-before) / n
		return per <= 10<<10
	})
	t.Logf("%d octets for each idle connection", int64(used()-before)/n)
	runtime.KeepAlive(conns)
}

// A hit costs no allocation in the engine.
func BenchmarkH2Inline(b *testing.B) {
	viewer, nc := net.Pipe()
	e := (&Server{H2C: true, Answerer: prepared2{}, Handler: handlerFunc(echo)}).engine()
	e.base = b.Context()
	c := newConn(e, nc)
	e.gate.admit(c)
	e.running.Go(c.serve)
	go io.Copy(io.Discard, viewer)
	var buf bytes.Buffer
	v := &h2client{t: b, fr: http2.NewFramer(&buf, nil)}
	v.encode()
	buf.WriteString(h2.Preface)
	v.fr.WriteSettings()
	v.get(1, "/hit")
	viewer.Write(buf.Bytes())
	frames := make([]byte, 0, 32*64)
	block := v.block(req("GET", "/hit")...)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		frames = h2.AppendWindowUpdate(frames[:0], 0, 32*len(prepared2Body))
		for k := range 32 {
			frames = h2.Header{Length: len(block), Type: h2.Headers, Flags: h2.EndHeaders | h2.EndStream, Stream: uint32(2*(32*i+k) + 3)}.Append(frames)
			frames = append(frames, block...)
		}
		if _, err := viewer.Write(frames); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(32*b.N), "ns/request")
	viewer.Close()
	e.running.Wait()
}

type prepared2 struct{}

var (
	prepared2Block = AppendBlock(nil, 200, nil, 1024)
	prepared2Body  = make([]byte, 1024)
)

func (prepared2) Inline() Inline           { return prepared2{} }
func (prepared2) Sent()                    {}
func (prepared2) Done(int64, bool)         {}
func (prepared2) Later() func(int64, bool) { return func(int64, bool) {} }
func (prepared2) Answer(dst []byte, _ *Request) ([]byte, Rest, bool) {
	return append(dst, prepared2Block...), Rest{Octets: prepared2Body}, true
}
