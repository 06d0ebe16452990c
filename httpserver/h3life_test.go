package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/warmfront/warmfront/internal/h3"
	"github.com/warmfront/warmfront/internal/message"
)

// closedWith waits for the end of a connection and returns the error code that the server gave.
func closedWith(t *testing.T, c *quic.Conn) uint64 {
	t.Helper()
	select {
	case <-c.Context().Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the connection lives on")
	}
	var app *quic.ApplicationError
	if err := context.Cause(c.Context()); !errors.As(err, &app) {
		t.Fatal(err)
	}
	return uint64(app.ErrorCode)
}

func TestH3_OtherStreams(t *testing.T) {
	v := serveH3(t, &Server{})
	uni := func(kind uint64, octets ...byte) []byte { return append(h3.AppendInt(nil, kind), octets...) }
	settings := h3.AppendSettings(nil, 1)
	control := slices.Clip(uni(h3.ControlStream, settings...))
	for name, c := range map[string]struct {
		send  [][]byte
		ended bool
		want  uint64
	}{
		"a usual viewer's":         {[][]byte{control, uni(h3.EncoderStream, 0x20), uni(h3.DecoderStream), uni(0x21, 1, 2, 3)}, false, 0},
		"no settings":              {[][]byte{uni(h3.ControlStream, h3.AppendFrame(nil, h3.GoAway, 0)...)}, false, h3.MissingSettings},
		"settings twice":           {[][]byte{append(control, settings...)}, false, h3.FrameUnexpected},
		"a setting of HTTP/2":      {[][]byte{uni(h3.ControlStream, byte(h3.Settings), 2, 4, 1)}, false, h3.SettingsError},
		"large settings":           {[][]byte{uni(h3.ControlStream, h3.AppendFrame(nil, h3.Settings, 2000)...)}, false, h3.ExcessiveLoad},
		"DATA":                     {[][]byte{append(control, data("a")...)}, false, h3.FrameUnexpected},
		"a frame of HTTP/2":        {[][]byte{append(control, h3.AppendFrame(nil, 0x2, 0)...)}, false, h3.FrameUnexpected},
		"a large GOAWAY":           {[][]byte{append(control, h3.AppendFrame(nil, h3.GoAway, 9)...)}, false, h3.ExcessiveLoad},
		"two control streams":      {[][]byte{control, control}, false, h3.StreamCreationError},
		"two encoder streams":      {[][]byte{uni(h3.EncoderStream, 0x20), uni(h3.EncoderStream, 0x20)}, false, h3.StreamCreationError},
		"push":                     {[][]byte{uni(h3.PushStream, 0)}, false, h3.StreamCreationError},
		"a table that we forbid":   {[][]byte{uni(h3.EncoderStream, 0x21)}, false, h3.EncoderStreamError},
		"the control stream ends":  {[][]byte{control}, true, h3.ClosedCritical},
		"half a setting":           {[][]byte{control[:len(control)-1]}, true, h3.ClosedCritical},
		"the encoder's ends":       {[][]byte{uni(h3.EncoderStream)}, true, h3.ClosedCritical},
		"the decoder's ends":       {[][]byte{uni(h3.DecoderStream, 1)}, true, h3.ClosedCritical},
		"priorities and no matter": {[][]byte{append(control, append(h3.AppendFrame(nil, 0xf0700, 3), 0, 'u', '=')...)}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			conn := v.conn()
			for _, octets := range c.send {
				s, err := conn.OpenUniStream()
				if err != nil {
					t.Fatal(err)
				}
				s.Write(octets)
				if c.ended {
					s.Close()
				}
			}
			if c.want != 0 {
				if got := closedWith(t, conn); got != c.want {
					t.Errorf("closed with %#x, not %#x", got, c.want)
				}
			} else if got := ask(t, conn, asked()); !strings.HasPrefix(got, "status=200") {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestH3_OnlyUnderNamesThatWantIt(t *testing.T) {
	v := serveH3(t, &Server{})
	for _, name := range []string{"b.test", "c.test", ""} {
		c := v.tls.Clone()
		c.ServerName, c.InsecureSkipVerify = name, true
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := quic.DialAddr(ctx, v.addr.String(), c, nil)
		var refused *quic.TransportError
		if !errors.As(err, &refused) || !refused.ErrorCode.IsCryptoError() {
			t.Errorf("%q: %v", name, err)
		}
	}
	c := v.tls.Clone()
	c.NextProtos = []string{"hq-interop"}
	if _, err := quic.DialAddr(t.Context(), v.addr.String(), c, nil); err == nil {
		t.Error("another protocol is spoken")
	}
}

func TestH3_ACutIsSeen(t *testing.T) {
	v := serveH3(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		switch r.Path {
		case "/none":
			return
		case "/panic-first":
			panic("oh")
		}
		w.Begin(200, nil, map[string]int64{"/short": 10}[r.Path]-map[string]int64{"/abort": 1, "/panic": 1, "/more": -3}[r.Path])
		io.WriteString(w, "abc")
		w.Flush()
		switch r.Path {
		case "/abort":
			w.Abort()
		case "/panic":
			panic("oh")
		case "/more":
			if _, err := io.WriteString(w, "d"); err == nil {
				t.Error("more than was announced")
			}
		}
	})})
	c := v.conn()
	for path, want := range map[string]string{
		"/none": "status=500 ", "/panic-first": "status=500 ",
		"/abort": "cut 0x102", "/panic": "cut 0x102", "/short": "cut 0x102", // and nothing that had come could be more
		"/more": "status=200 content-length=3 abc",
	} {
		if got := ask(t, c, asked(":path="+path)); !strings.HasPrefix(got, want) && !strings.HasSuffix(got, want) {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestH3_AViewerThatLeavesEndsItsRequest(t *testing.T) {
	begun, ended := make(chan bool, 2), make(chan error, 2)
	v := serveH3(t, &Server{Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
		begun <- true
		select {
		case <-ctx.Done():
			ended <- nil
		case <-time.After(10 * time.Second):
			ended <- errors.New("its context lives on")
		}
	})})
	c := v.conn()
	s, _ := c.OpenStream()
	s.Write(asked())
	s.Close()
	<-begun
	s.CancelRead(quic.StreamErrorCode(h3.RequestCancelled)) // this one alone
	if err := <-ended; err != nil {
		t.Error("stream: ", err)
	}
	s, _ = c.OpenStream()
	s.Write(asked())
	s.Close()
	<-begun
	c.CloseWithError(quic.ApplicationErrorCode(h3.NoError), "")
	if err := <-ended; err != nil {
		t.Error("connection: ", err)
	}
}

// A body may be read by somebody else, and later than the handler runs.
func TestH3_ABodyEndsWithItsHandler(t *testing.T) {
	late := make(chan error, 1)
	v := serveH3(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		reading := make(chan bool)
		go func() {
			io.ReadFull(r.Body, make([]byte, 1))
			close(reading)
			_, err := io.Copy(io.Discard, r.Body)
			late <- err
		}()
		<-reading
		w.Begin(200, nil, 0)
	})})
	s, _ := v.conn().OpenStream()
	s.Write(append(asked(":method=POST"), data("a")...))
	if got := answerOn(s); !strings.HasPrefix(got, "status=200") {
		t.Errorf("%q", got)
	}
	if err := <-late; err == nil {
		t.Error("the body has an end that its viewer has not sent")
	}
}

func TestH3_Times(t *testing.T) {
	short := 100 * time.Millisecond
	for name, c := range map[string]struct {
		limits Limits
		send   []byte // on a stream that stays open
		want   string
	}{
		"a head that does not come":      {Limits{ReadHeaderTimeout: short}, asked()[:10], "cut 0x10d"},
		"a body that does not come":      {Limits{ReadBodyTimeout: short}, append(asked(":method=POST"), data("abc")[:3]...), "status=408 "},
		"a body of which nobody is told": {Limits{ReadBodyTimeout: short}, asked(":method=POST", "content-length=2"), "status=408 "},
		"a request without body or end":  {Limits{ReadBodyTimeout: short}, asked(), "status=408 "},
		"a viewer that takes no octets":  {Limits{WriteTimeout: short}, asked(":path=/large"), "status=200 "},
		"an idle connection":             {Limits{IdleTimeout: short}, nil, ""}, // the word of its end may be lost
	} {
		t.Run(name, func(t *testing.T) {
			cut := make(chan error, 1)
			v := serveH3(t, &Server{Limits: c.limits, Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
				io.Copy(io.Discard, r.Body)
				if w.Begin(200, nil, -1); r.Path == "/large" {
					_, err := w.Write(make([]byte, 64<<20))
					cut <- err
				}
			})})
			conn := v.conn()
			s, _ := conn.OpenStream()
			s.SetReadDeadline(time.Now().Add(10 * time.Second))
			s.Write(c.send)
			if strings.Contains(name, "takes no") {
				s.Close()
				if err := <-cut; err == nil {
					t.Error("64 MiB went somewhere")
				}
				return
			}
			if got := answerOn(s); !strings.HasPrefix(got, c.want) || got == "deadline exceeded" {
				t.Errorf("%q", got)
			}
		})
	}
}

// A handler that cannot read the body and says nothing is no mistake: the engine knows what was wrong.
func TestH3_SilenceOverASlowBody(t *testing.T) {
	silent := handlerFunc(func(_ context.Context, _ ResponseWriter, r *Request) { io.Copy(io.Discard, r.Body) })
	v := serveH3(t, &Server{Handler: silent, Limits: Limits{ReadBodyTimeout: 100 * time.Millisecond}})
	s, _ := v.conn().OpenStream()
	s.SetReadDeadline(time.Now().Add(10 * time.Second))
	s.Write(asked(":method=POST", "content-length=2"))
	if got := answerOn(s); !strings.HasPrefix(got, "status=408 ") {
		t.Errorf("%q", got)
	}
}

func TestH3_ConnectionsAreCounted(t *testing.T) {
	v := serveH3(t, &Server{Limits: Limits{MaxConnsPerClient: 2}})
	first, _ := v.conn(), v.conn()
	try := func() error {
		c, err := quic.DialAddr(t.Context(), v.addr.String(), v.tls, nil)
		if err == nil {
			c.CloseWithError(0, "")
		}
		return err
	}
	var refused *quic.TransportError
	if err := try(); !errors.As(err, &refused) || refused.ErrorCode != quic.ConnectionRefused {
		t.Errorf("a third: %v", err)
	}
	first.CloseWithError(0, "")
	for until := time.Now().Add(10 * time.Second); try() != nil; {
		if time.Now().After(until) {
			t.Fatal("a place does not become free")
		}
	}
}

// A stream that its viewer resets makes no room before the work on it is over.
func TestH3_ResetsDoNotMakeRoom(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	begun, release := make(chan bool), make(chan bool)
	v := serveH3(t, &Server{Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, _ *Request) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		begun <- true
		<-release
		mu.Lock()
		running--
		mu.Unlock()
	})})
	c := v.conn()
	opened := 0
	for ; opened < 10*maxStreams; opened++ {
		s, err := c.OpenStream()
		if err != nil {
			break
		}
		s.Write(asked())
		s.Close()
		<-begun
		s.CancelRead(quic.StreamErrorCode(h3.RequestCancelled))
	}
	if opened != maxStreams {
		t.Errorf("%d streams were opened", opened)
	}
	close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := c.OpenStreamSync(ctx); err != nil {
		t.Errorf("no room behind them: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if most > maxStreams {
		t.Errorf("%d handlers ran at once", most)
	}
}

// Requests of all connections together have a limit.
func TestH3_RequestsAreCounted(t *testing.T) {
	begun, release := make(chan bool), make(chan bool)
	v := serveH3(t, &Server{Limits: Limits{MaxConns: 2}, Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		begun <- true
		<-release
		w.Begin(200, nil, 0)
	})})
	a, b := v.conn(), v.conn()
	var streams []*quic.Stream
	for _, c := range []*quic.Conn{a, b} {
		s, err := c.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		s.SetDeadline(time.Now().Add(10 * time.Second))
		s.Write(asked())
		s.Close()
		<-begun
		streams = append(streams, s)
	}
	if got := ask(t, a, asked()); got != "cut 0x10b" {
		t.Errorf("a third: %q", got)
	}
	close(release)
	for _, s := range streams {
		if got := answerOn(s); !strings.HasPrefix(got, "status=200") {
			t.Errorf("%q", got)
		}
	}
	go func() { <-begun }()
	for until := time.Now().Add(10 * time.Second); ; {
		got := ask(t, b, asked())
		if strings.HasPrefix(got, "status=200") {
			break
		}
		if got != "cut 0x10b" || time.Now().After(until) {
			t.Fatalf("there is room again: %q", got)
		}
	}
}

func TestH3_DrainLetsAnswersEnd(t *testing.T) {
	begun, release := make(chan bool), make(chan bool)
	v := serveH3(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		begun <- true
		<-release
		w.Begin(200, message.Fields{{Name: "X", Value: "1"}}, 3)
		io.WriteString(w, "end")
	})})
	c := v.conn()
	control, err := c.AcceptUniStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.SetDeadline(time.Now().Add(10 * time.Second))
	s.Write(asked())
	s.Close()
	<-begun
	stopped := make(chan bool)
	go func() { v.stop(); close(stopped) }()

	control.SetReadDeadline(time.Now().Add(10 * time.Second))
	want := append(append(h3.AppendInt(nil, h3.ControlStream), h3.AppendSettings(nil, 65536)...), byte(h3.GoAway), 1, 4)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(control, got); err != nil || string(got) != string(want) {
		t.Errorf("control stream: %x, not %x, %v", got, want, err)
	}
	if got := ask(t, c, asked()); got != "cut 0x10b" {
		t.Errorf("a request that comes too late: %q", got)
	}
	close(release)
	if got := answerOn(s); got != "status=200 content-length=3 x=1 end" {
		t.Errorf("the answer in flight: %q", got)
	}
	if got := closedWith(t, c); got != h3.NoError {
		t.Errorf("closed with %#x", got)
	}
	<-stopped
}

func TestH3_DrainCutsWhatTakesTooLong(t *testing.T) {
	begun := make(chan bool)
	v := serveH3(t, &Server{Limits: Limits{DrainTimeout: 50 * time.Millisecond}, Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
		close(begun)
		<-ctx.Done()
	})})
	c := v.conn()
	s, err := c.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(asked())
	s.Close()
	<-begun
	v.stop()
	if got := closedWith(t, c); got != h3.NoError {
		t.Errorf("closed with %#x", got)
	}
}

func TestH3_PlainHitsAreInline(t *testing.T) {
	h := &hits{}
	v := serveH3(t, &Server{Handler: handlerFunc(told), Answerer: h})
	c := v.conn()
	for _, x := range []struct{ want string }{
		{"GET /hit1 status=200 content-length=5 x-inline=1 /hit1"},
		{"HEAD /hit1 status=200 content-length=5 x-inline=1 "},
		{"GET /large status=200 content-length=65536 x-inline=1 " + string(largeBody)},
		{"GET /other status=200 {GET"},
		{"POST /hit1 status=200 {POST"},
		{"GET /panic cut 0x102"},
		{"GET /hit2 status=200 content-length=5 x-inline=1 /hit2"},
	} {
		method, rest, _ := strings.Cut(x.want, " ")
		path, want, _ := strings.Cut(rest, " ")
		if got := ask(t, c, asked(":method="+method, ":path="+path)); !strings.HasPrefix(got, want) || strings.HasPrefix(path, "/hit") && method != "POST" && got != want {
			t.Errorf("%s %s: %.200q", method, path, got)
		}
	}
	if h.answered.Load() != 4 || h.offered.Load() != 6 {
		t.Errorf("%d answers of %d", h.answered.Load(), h.offered.Load())
	}
	if got := ask(t, c, asked(":path=/hit"), data("x")); !strings.HasPrefix(got, "status=200 {GET") {
		t.Errorf("with a body: %q", got)
	}
}

// stalled is a viewer's socket. What comes in waits until heard is closed. From then on it lets out early
// data only, until freed: the viewer's part of the handshake stays away.
type stalled struct {
	net.PacketConn
	heard, freed chan bool
	early        chan bool // a datagram of early data has gone out
}

func (s *stalled) ReadFrom(p []byte) (int, net.Addr, error) {
	n, a, err := s.PacketConn.ReadFrom(p)
	<-s.heard
	return n, a, err
}

// early tells whether one of the packets of a datagram is early data, going from head to head (RFC 9000
// section 17.2).
func early(p []byte) bool {
	for len(p) > 7 && p[0]&0x80 != 0 {
		if p[0]&0x30 == 0x10 {
			return true
		}
		r := bytes.NewReader(p[5:])
		for range 2 { // connection IDs
			n, _ := r.ReadByte()
			r.Seek(int64(n), io.SeekCurrent)
		}
		if p[0]&0x30 == 0 { // an Initial packet has a token
			n, _ := h3.ReadInt(r)
			r.Seek(int64(n), io.SeekCurrent)
		}
		n, _ := h3.ReadInt(r)
		p = p[min(len(p), len(p)-r.Len()+int(n)):]
	}
	return false
}

func (s *stalled) WriteTo(p []byte, a net.Addr) (int, error) {
	if early(p) {
		select {
		case s.early <- true:
		default:
		}
		return s.PacketConn.WriteTo(p, a)
	}
	select {
	case <-s.freed:
	case <-s.heard:
		return len(p), nil // lost
	default:
	}
	return s.PacketConn.WriteTo(p, a)
}

// ticketed tells when a ticket has come.
type ticketed struct {
	tls.ClientSessionCache
	put chan bool
}

func (c *ticketed) Put(key string, s *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, s)
	select {
	case c.put <- true:
	default:
	}
}

func TestH3_EarlyDataGetsPlainHitsOnly(t *testing.T) {
	served := make(chan string, 4)
	v := serveH3(t, &Server{Answerer: &hits{}, Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
		served <- r.Method + " " + r.Path
		w.Begin(200, message.Fields{{Name: "x-tls", Value: r.TLS.Handshake}}, 0)
	})})
	tickets := &ticketed{tls.NewLRUClientSessionCache(1), make(chan bool, 8)}
	v.tls.ClientSessionCache = tickets
	c := v.conn()
	for _, want := range []string{message.FullHandshake, message.ConnectionReused} {
		if got := ask(t, c, asked(":path=/miss")); !strings.Contains(got, "x-tls="+want) {
			t.Errorf("%q, want %s", got, want)
		}
		<-served
	}
	select {
	case <-tickets.put:
	case <-time.After(10 * time.Second):
		t.Fatal("no ticket comes")
	}
	c.CloseWithError(0, "")

	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	socket := &stalled{udp, make(chan bool), make(chan bool), make(chan bool, 1)}
	tr := &quic.Transport{Conn: socket}
	hear := sync.OnceFunc(func() { close(socket.heard) })
	defer udp.Close()
	defer tr.Close()
	defer hear() // or the other would wait for it
	c, err = tr.DialEarly(t.Context(), v.addr, v.tls, &quic.Config{MaxIdleTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var streams []*quic.Stream
	for _, fields := range [][]byte{asked(":path=/hit1"), asked(":path=/miss"), asked(":method=POST", ":path=/hit2")} {
		s, err := c.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		s.SetDeadline(time.Now().Add(10 * time.Second))
		s.Write(fields)
		s.Close()
		select {
		case <-socket.early:
		case <-time.After(10 * time.Second):
			t.Fatal("no early data goes out")
		}
		streams = append(streams, s)
	}
	hear()
	if got := answerOn(streams[0]); got != "status=200 content-length=5 x-inline=1 /hit1" {
		t.Errorf("a hit in early data: %q", got)
	}
	select {
	case x := <-served:
		t.Errorf("%s came to the handler before the handshake was over", x)
	default:
	}
	close(socket.freed)
	for _, s := range streams[1:] {
		if got := answerOn(s); got != "status=200 content-length=0 x-tls=connectionReused " {
			t.Errorf("behind the handshake: %q", got)
		}
	}
	if !c.ConnectionState().Used0RTT || len(served) != 2 {
		t.Errorf("early data used: %v, %d requests came to the handler", c.ConnectionState().Used0RTT, len(served))
	}
}

func TestH3_NeedsTLS(t *testing.T) {
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if err := (&Server{Handler: handlerFunc(echo), Packets: udp}).Run(t.Context()); err == nil {
		t.Error("runs without TLS")
	}
	show, _ := selfSigned(t, "a.test")
	udp.Close()
	if err := (&Server{Addr: "127.0.0.1:0", Handler: handlerFunc(echo), Packets: udp, TLS: &TLS{Certificate: show}}).Run(t.Context()); err == nil {
		t.Error("runs on a closed socket")
	}
}

// Many at once, by a client that is not ours, with -race.
func TestH3_ManyAtOnce(t *testing.T) {
	v := serveH3(t, &Server{Answerer: &hits{}})
	c := v.client()
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			r, _ := http.NewRequest("GET", "https://a.test"+[]string{"/hit", "/large", "/other"}[i%3], nil)
			if i%2 == 0 {
				r, _ = http.NewRequest("POST", "https://a.test/post", strings.NewReader(strings.Repeat("x", i*100)))
			}
			resp, err := c.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				t.Error(resp.Status, err)
			}
		})
	}
	wg.Wait()
}
