package httpserver

import (
	"context"
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
	case <-time.After(time.Minute):
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
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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
		case <-time.After(time.Minute):
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
	s.SetDeadline(time.Now().Add(time.Minute))
	s.Write(asked())
	s.Close()
	<-begun
	stopped := make(chan bool)
	go func() { v.stop(); close(stopped) }()

	control.SetReadDeadline(time.Now().Add(time.Minute))
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
