package httpserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/http2"

	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/h3"
	"github.com/warmfront/warmfront/internal/message"
)

// lazy opens a connection whose viewer says what next brings, until it is nil, and reads nothing, until the head of
// an answer waits for it.
func lazy(t *testing.T, s *Server, addr string, next func(i uint32) []byte) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).SetReadBuffer(4096)
	said := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-said })
	c.SetDeadline(time.Now().Add(time.Minute))
	go func() {
		defer close(said)
		for i := uint32(0); ; i++ {
			say := next(i)
			if _, err := c.Write(say); err != nil || say == nil {
				return
			}
		}
	}()
	eventually(t, func() bool { return heldIn(s) > 0 })
}

// heldIn is how many connections hold a head back, among those that have waited for a while already.
func heldIn(s *Server) (n int) {
	e := s.running.Load()
	if e == nil {
		return 0 // the socket listens already
	}
	e.gate.each(func(c *conn) {
		if since := c.heldSince(); since != 0 && since < e.now.Load() {
			n++
		}
	})
	return n
}

func TestCutHeads_TakesBackWhatWaits(t *testing.T) {
	large := message.Fields{{Name: "X", Value: strings.Repeat("x", 12<<10)}} // few requests fill a socket
	handler := handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		w.Begin(200, large, 0)
		w.Flush()
	})
	hits1 := func(uint32) []byte { return []byte(strings.Repeat(get("/hit"), 100)) }
	for name, c := range map[string]struct {
		s    *Server
		next func(uint32) []byte
	}{
		"hits":               {&Server{Answerer: &h2hits{}}, hits1},
		"a handler":          {&Server{}, hits1},
		"hits by HTTP/2":     {&Server{Answerer: &h2hits{}, H2C: true}, asks2(1 << 20)},
		"handlers by HTTP/2": {&Server{H2C: true}, asks2(100)},
	} {
		t.Run(name, func(t *testing.T) {
			c.s.Handler = handler
			addr, _ := start(t, c.s)
			lazy(t, c.s, addr, c.next)
			// A busy machine may have had a head wait for a while that then goes out: the socket is full some time later.
			c.s.CutHeads(time.Hour)
			eventually(t, func() bool { return heldIn(c.s) == 1 })
			eventually(t, func() bool {
				c.s.CutHeads(0)
				return c.s.running.Load().gate.count() == 0
			})
		})
	}
}

// asks2 asks by HTTP/2, so many times, with all the windows that there can be.
func asks2(times uint32) func(uint32) []byte {
	enc := &h2client{}
	enc.encode()
	return func(i uint32) []byte {
		if 50*i >= times {
			return nil
		}
		var b bytes.Buffer
		fr := http2.NewFramer(&b, nil)
		if i == 0 {
			b.WriteString(h2.Preface)
			fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
			fr.WriteWindowUpdate(0, 1<<30)
		}
		for k := range uint32(50) {
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*(50*i+k) + 1, EndStream: true, EndHeaders: true,
				BlockFragment: enc.block(req("GET", fmt.Sprintf("/hit%d", k))...)})
		}
		return b.Bytes()
	}
}

// A viewer whose head is out may take its time with the body.
func TestCutHeads_LeavesSlowViewersAlone(t *testing.T) {
	for name, s := range map[string]*Server{
		"hit": {Answerer: &hits{}},
		"handler": {Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
			w.Begin(200, nil, int64(len(hugeBody)))
			w.Flush()
			w.Write(hugeBody)
		})},
		"handler that writes at once": {Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
			w.Begin(200, nil, int64(len(hugeBody)))
			w.Write(hugeBody)
		})},
		"chunks": {Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
			w.Begin(200, nil, -1)
			w.Flush()
			for i := 0; i < len(hugeBody); i += 4096 {
				w.Write(hugeBody[i : i+4096])
			}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			if s.Handler == nil {
				s.Handler = handlerFunc(echo)
			}
			addr, _ := start(t, s)
			c := dial(t, addr)
			io.WriteString(c, get("/huge"))
			waiting := func() (yes bool) {
				if e := s.running.Load(); e != nil { // which a viewer's connection may precede
					e.gate.each(func(c *conn) { yes = c.writeDue.Load() != 0 })
				}
				return yes
			}
			eventually(t, waiting)
			s.CutHeads(-time.Hour) // also what has hardly begun to wait
			if n, err := io.CopyN(io.Discard, c, int64(len(hugeBody))); err != nil {
				t.Errorf("cut after %d octets: %v", n, err)
			}
		})
	}
}

// narrow is a viewer of HTTP/3 whose streams have a window of so many octets, which grows only as they are read.
func (v *h3served) narrow(window uint64) *quic.Conn {
	v.t.Helper()
	c, err := quic.DialAddr(v.t.Context(), v.addr.String(), v.tls, &quic.Config{MaxIdleTimeout: time.Minute,
		InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window})
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { c.CloseWithError(quic.ApplicationErrorCode(h3.NoError), "") })
	return c
}

// asks opens a stream that says octets and nothing more.
func asks(t *testing.T, c *quic.Conn, octets []byte) *quic.Stream {
	t.Helper()
	s, err := c.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.SetDeadline(time.Now().Add(time.Minute))
	s.Write(octets)
	s.Close()
	return s
}

func TestCutHeads_TakesBackWhatWaitsInHTTP3(t *testing.T) {
	for name, s := range map[string]*Server{
		"a hit": {Answerer: &hits{}},
		"a handler": {Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
			var f message.Fields
			if r.Path != "/small" {
				f = message.Fields{{Name: "X", Value: strings.Repeat("x", 12<<10)}}
			}
			w.Begin(200, f, 0)
			w.Flush()
		})},
	} {
		t.Run(name, func(t *testing.T) {
			v := serveH3(t, s)
			c := v.narrow(1)
			waits := func() bool { return len(s.running.Load().h3.Load().heldBefore(s.running.Load().now.Load()-1)) == 1 }
			slow := asks(t, c, asked(":path=/hit"+strings.Repeat("x", 3000)))
			eventually(t, waits)
			s.CutHeads(time.Hour)
			if !waits() {
				t.Error("cut before its time")
			}
			s.CutHeads(0)
			if got := answerOn(slow); !strings.HasSuffix(got, "cut 0x102") || strings.Contains(got, "status") {
				t.Errorf("the answer that waited: %.80q", got)
			}
			small := map[bool]string{true: "/hit", false: "/small"}[s.Answerer != nil]
			if got := ask(t, c, asked(":path="+small)); !strings.HasPrefix(got, "status=200") {
				t.Errorf("another on the same connection: %q", got)
			}
			if s.CutHeads(-time.Hour); s.running.Load().gate.count() != 1 {
				t.Error("the connection is gone")
			}
		})
	}
}

func TestCutHeads_LeavesSlowViewersOfHTTP3Alone(t *testing.T) {
	const size = 100 << 10
	for name, s := range map[string]*Server{
		"hit": {Answerer: &hits{}},
		"handler": {Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
			w.Begin(200, nil, size)
			w.Write(hugeBody[:size])
		})},
	} {
		t.Run(name, func(t *testing.T) {
			v := serveH3(t, s)
			in := asks(t, v.narrow(1000), asked(":path=/large"))
			for n, err := 0, error(nil); err != io.EOF; {
				var k int
				k, err = in.Read(make([]byte, 500))
				if n += k; err != nil && err != io.EOF {
					t.Fatalf("cut after %d octets: %v", n, err)
				}
				if n > 1000 { // there is more than a head, which is therefore not just about to be out
					s.CutHeads(-time.Hour) // also what has hardly begun to wait
				}
			}
		})
	}
}

func TestCutHeads_BeforeRun(t *testing.T) { new(Server).CutHeads(0) }
