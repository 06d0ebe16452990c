package httpserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/message"
)

// until the context ends, which a viewer that gives up must bring about.
func waits(ctx context.Context, w ResponseWriter, r *Request) {
	if r.Path != "/waits" {
		likeHits(ctx, w, r)
		return
	}
	<-ctx.Done()
}

// Every kind of frame that costs a viewer next to nothing is bounded (law L9).
func TestH2Floods_EndInGoAway(t *testing.T) {
	addr := h2server(t, &Server{Handler: handlerFunc(waits), Answerer: &h2hits{}})
	settings := func(c *h2client) { c.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000}) }
	for name, f := range map[string]struct {
		begin func(c *h2client)
		again func(c *h2client, i int)
		want  string
	}{
		"rapid reset": {nil, func(c *h2client, i int) {
			c.get(uint32(2*i+1), "/waits")
			c.fr.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel)
		}, "ENHANCE_YOUR_CALM"},
		"more streams than allowed": {nil, func(c *h2client, i int) { c.get(uint32(2*i+1), "/waits") }, "ENHANCE_YOUR_CALM"},
		"malformed requests":        {nil, func(c *h2client, i int) { c.get(uint32(2*i+1), "") }, "ENHANCE_YOUR_CALM"},
		"reset of what is over":     {func(c *h2client) { c.get(1, "/hit") }, func(c *h2client, _ int) { c.fr.WriteRSTStream(1, 0) }, "ENHANCE_YOUR_CALM"},
		"PING":                      {nil, func(c *h2client, _ int) { c.fr.WritePing(false, [8]byte{}) }, "ENHANCE_YOUR_CALM"},
		"PING answers":              {nil, func(c *h2client, _ int) { c.fr.WritePing(true, [8]byte{}) }, "ENHANCE_YOUR_CALM"},
		"SETTINGS":                  {nil, func(c *h2client, _ int) { settings(c) }, "ENHANCE_YOUR_CALM"},
		"SETTINGS answers":          {nil, func(c *h2client, _ int) { c.fr.WriteSettingsAck() }, "ENHANCE_YOUR_CALM"},
		"PRIORITY":                  {nil, func(c *h2client, i int) { c.fr.WritePriority(uint32(2*i+1), http2.PriorityParam{}) }, "ENHANCE_YOUR_CALM"},
		"PRIORITY_UPDATE": {nil, func(c *h2client, _ int) {
			c.fr.WriteRawFrame(http2.FrameType(h2.PriorityUpdate), 0, 0, []byte("\x00\x00\x00\x01u=1"))
		}, "ENHANCE_YOUR_CALM"},
		"unknown frames":              {nil, func(c *h2client, _ int) { c.fr.WriteRawFrame(0x99, 0, 0, nil) }, "ENHANCE_YOUR_CALM"},
		"GOAWAY":                      {nil, func(c *h2client, _ int) { c.fr.WriteGoAway(0, 0, nil) }, "ENHANCE_YOUR_CALM"},
		"windows of the connection":   {nil, func(c *h2client, _ int) { c.fr.WriteWindowUpdate(0, 1) }, "ENHANCE_YOUR_CALM"},
		"windows of what is over":     {func(c *h2client) { c.get(1, "/hit") }, func(c *h2client, _ int) { c.fr.WriteWindowUpdate(1, 1) }, "ENHANCE_YOUR_CALM"},
		"windows of an octet":         {func(c *h2client) { settings(c); c.get(1, "/large") }, func(c *h2client, _ int) { c.fr.WriteWindowUpdate(1, 1) }, "ENHANCE_YOUR_CALM"},
		"a window that overflows":     {nil, func(c *h2client, _ int) { c.fr.WriteWindowUpdate(0, 1<<31-1) }, "FLOW_CONTROL_ERROR"},
		"empty DATA":                  {func(c *h2client) { c.headers(1, false, req("POST", "/waits")...) }, func(c *h2client, _ int) { c.fr.WriteData(1, false, nil) }, "ENHANCE_YOUR_CALM"},
		"padding without end":         {func(c *h2client) { c.headers(1, false, req("POST", "/waits")...) }, func(c *h2client, _ int) { c.fr.WriteDataPadded(1, false, nil, make([]byte, 255)) }, "ENHANCE_YOUR_CALM"},
		"a body nobody has asked for": {func(c *h2client) { c.headers(1, false, req("POST", "/waits")...) }, func(c *h2client, _ int) { c.fr.WriteData(1, false, make([]byte, 16384)) }, "STREAM_CLOSED"},
		"CONTINUATION": {func(c *h2client) {
			c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block(req("GET", "/")...)})
		}, func(c *h2client, _ int) { c.fr.WriteContinuation(1, false, nil) }, "ENHANCE_YOUR_CALM"},
		"a header block without end": {func(c *h2client) { c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1}) }, func(c *h2client, i int) {
			c.fr.WriteContinuation(1, false, c.block("x", strings.Repeat("\x01", 10000+i)))
		}, "ENHANCE_YOUR_CALM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := viewer2(t, addr)
			if f.begin != nil {
				f.begin(c)
			}
			for i := range 3000 {
				f.again(c, i)
				c.mu.Lock()
				over := c.closed || len(c.goaway) > 0
				c.mu.Unlock()
				if over {
					break
				}
			}
			if got := c.over(); name != "a body nobody has asked for" && !strings.HasSuffix(got, " "+f.want) {
				t.Errorf("GOAWAY %q, want %s", got, f.want)
			}
		})
	}
}

// What an honest viewer does all day is none of it.
func TestH2Floods_HonestWorkIsNone(t *testing.T) {
	c := viewer2(t, h2server(t, &Server{Answerer: &h2hits{}}), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	for i := range uint32(1500) {
		id := 2*i + 1
		c.get(id, "/large")
		c.fr.WriteWindowUpdate(0, 30000)
		c.fr.WriteWindowUpdate(0, 35536)
		c.fr.WritePing(false, [8]byte{})
		if _, body, end := c.answer(id); len(body) != len(largeBody) || end != "end" {
			t.Fatalf("%d: %d octets, %s", id, len(body), end)
		}
		c.mu.Lock()
		delete(c.bodies, id)
		c.frames = nil
		c.mu.Unlock()
	}
}

// Nor is a window of a KiB, which has to be opened all the time.
func TestH2Floods_SmallWindowIsNone(t *testing.T) {
	c := viewer2(t, h2server(t, &Server{Handler: handlerFunc(large)}), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1024})
	c.fr.WriteWindowUpdate(0, 1<<20)
	c.get(1, "/known")
	for given := 1024; given < 1<<20; given += 512 {
		c.until("octets", func() bool { return len(c.bodies[1]) >= given-512 })
		c.fr.WriteWindowUpdate(1, 512)
		c.fr.WriteWindowUpdate(0, 512)
	}
}

// Octets of a body that is refused are given back once: who sends such bodies could otherwise send ahead more and more.
func TestH2_RefusedOctetsAreGivenBackOnce(t *testing.T) {
	const each, times = h2.MaxSize, connCredit / h2.MaxSize
	c := viewer2(t, h2server(t, &Server{Handler: handlerFunc(waits)}))
	for i := range uint32(times) {
		c.headers(2*i+1, false, req("POST", "/waits", "content-length", strconv.Itoa(each+1))...)
		c.fr.WriteData(2*i+1, true, make([]byte, each)) // which is less
	}
	c.get(2*times+1, "/")
	c.answer(2*times + 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	given := c.windows[0] - (connCredit - h2.DefaultWindow)
	if c.ends[1] != "PROTOCOL_ERROR" || given > each*times || given < each*times/2 {
		t.Errorf("%s; %d octets have come and %d are given back", c.ends[1], each*times, given)
	}
}

// A block of a few hundred octets must not become megabytes.
func TestH2Hpack_BombIsTooLarge(t *testing.T) {
	c := viewer2(t, h2server(t, &Server{}))
	c.headers(1, true, req("GET", "/", "x-bomb", strings.Repeat("b", 3900))...)
	var bomb []string
	for range 5000 {
		bomb = append(bomb, "x-bomb", strings.Repeat("b", 3900))
	}
	c.headers(3, true, req("GET", "/", bomb...)...)
	c.get(5, "/")
	for id, want := range map[uint32]string{1: "200", 3: "494", 5: "200"} {
		if status, _, _ := c.answer(id); status != want {
			t.Errorf("%d: %s, want %s", id, status, want)
		}
	}
	var many []string
	for i := range 600 {
		many = append(many, fmt.Sprint("x", i), "")
	}
	c.headers(7, true, req("GET", "/", many...)...)
	if status, _, _ := c.answer(7); status != "494" {
		t.Errorf("600 fields: %s", status)
	}
}

func TestH2Limits_StreamsAtOnce(t *testing.T) {
	c := viewer2(t, h2server(t, &Server{Handler: handlerFunc(waits)}))
	for i := range uint32(h2Streams + 1) {
		c.get(2*i+1, "/waits")
	}
	if _, _, end := c.answer(2*h2Streams + 1); end != "REFUSED_STREAM" {
		t.Errorf("one more: %s", end)
	}
	c.fr.WriteRSTStream(1, http2.ErrCodeCancel) // its handler ends then, and there is room
	for id := uint32(2*h2Streams + 3); ; id += 2 {
		c.get(id, "/now")
		if status, _, end := c.answer(id); end == "end" && status == "200" {
			break
		}
	}
}

// Connections with a hundred requests each are bounded together, too.
func TestH2Limits_RequestsOfAllConnections(t *testing.T) {
	server := &Server{Handler: handlerFunc(waits), Answerer: &h2hits{}, Limits: Limits{MaxConns: 2}}
	addr := h2server(t, server)
	a, b := viewer2(t, addr), viewer2(t, addr)
	a.get(1, "/waits")
	a.get(3, "/waits")
	a.get(5, "/hit") // and those before it have begun
	a.answer(5)
	for id := uint32(1); id < 801; id += 2 { // more than a viewer may give up
		b.get(id, "/now")
		if _, _, end := b.answer(id); end != "REFUSED_STREAM" {
			t.Fatalf("one more: %s", end)
		}
	}
	b.get(801, "/hit")
	if _, body, end := b.answer(801); body != "/hit" || end != "end" {
		t.Errorf("a hit: %q, %s", body, end)
	}
	if n := server.Connections(); n != (Connections{HTTP2: 2}) {
		t.Errorf("%+v", n)
	}
	a.fr.WriteRSTStream(1, http2.ErrCodeCancel) // its handler ends then, and there is room
	for id := uint32(803); ; id += 2 {
		b.get(id, "/now")
		if status, _, end := b.answer(id); end == "end" && status == "200" {
			break
		}
	}
}

// The times are those of a bubble: on a busy machine a viewer would not have said in 60 ms what it has to say.
func TestH2Limits_Times(t *testing.T) {
	const short = 60 * time.Millisecond
	run := func(name string, f func(t *testing.T, viewer net.Conn)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f(t, startPiped(t, &Server{H2C: true, Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
					if r.Path == "/big" {
						w.Begin(200, nil, 1<<20)
						w.Write(make([]byte, 1<<20))
						return
					}
					waits(ctx, w, r)
				}), Limits: Limits{ReadHeaderTimeout: short, ReadBodyTimeout: short, WriteTimeout: short, IdleTimeout: short}})())
			})
		})
	}
	run("no preface", func(t *testing.T, viewer net.Conn) {
		io.WriteString(viewer, h2.Preface[:20])
		if got, err := io.ReadAll(viewer); len(got) > 0 || err != nil {
			t.Errorf("%q %v", got, err)
		}
	})
	for name, f := range map[string]struct {
		do   func(c *h2client)
		want string // of GOAWAY
	}{
		"idle":                 {func(*h2client) {}, "0 NO_ERROR"},
		"idle after a request": {func(c *h2client) { c.get(1, "/") }, "1 NO_ERROR"},
		"half a frame":         {func(c *h2client) { c.c.Write([]byte{0, 0, 8, 6}) }, "0 ENHANCE_YOUR_CALM"},
		"half a header block":  {func(c *h2client) { c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1}) }, "0 ENHANCE_YOUR_CALM"},
		"the connection's window": {func(c *h2client) {
			c.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
			c.get(1, "/big")
		}, ""},
	} {
		run(name, func(t *testing.T, viewer net.Conn) {
			c := viewer2over(t, viewer)
			f.do(c)
			if got := c.over(); got != f.want {
				t.Errorf("GOAWAY %q, want %q", got, f.want)
			}
		})
	}
	run("body", func(t *testing.T, viewer net.Conn) {
		c := viewer2over(t, viewer)
		c.headers(1, false, req("POST", "/", "content-length", "5")...)
		c.fr.WriteData(1, false, []byte("ab"))
		if status, body, _ := c.answer(1); status != "408" || !strings.Contains(body, ReasonSlowBody) {
			t.Errorf("%s %q", status, body)
		}
	})
	run("a stream's window", func(t *testing.T, viewer net.Conn) {
		c := viewer2over(t, viewer, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		c.get(1, "/big")
		if _, _, end := c.answer(1); end != "CANCEL" {
			t.Errorf("%s", end)
		}
	})
}

func TestH2Limits_SocketOfAViewerThatReadsNothing(t *testing.T) {
	cut := make(chan struct{}, 64)
	c := dial(t, h2server(t, &Server{Limits: Limits{WriteTimeout: 60 * time.Millisecond}, Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, _ *Request) {
		w.Begin(200, nil, 1<<20)
		w.Write(make([]byte, 1<<20))
		<-ctx.Done()
		cut <- struct{}{}
	})}))
	var b bytes.Buffer
	v := &h2client{t: t, fr: http2.NewFramer(&b, nil)}
	b.WriteString(h2.Preface)
	v.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
	v.fr.WriteWindowUpdate(0, 1<<31-1-65535)
	v.encode()
	for i := range uint32(64) {
		v.get(2*i+1, "/big")
	}
	c.Write(b.Bytes())
	select {
	case <-cut:
	case <-time.After(time.Minute):
		t.Error("it is not cut")
	}
}

func TestH2Context_EndsWithTheStreamAndTheConnection(t *testing.T) {
	ended := make(chan string, 2)
	c := viewer2(t, h2server(t, &Server{Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
		w.Begin(200, nil, 10)
		w.Flush()
		<-ctx.Done()
		_, err := w.Write([]byte("x"))
		ended <- fmt.Sprint(r.Path, " ", err != nil)
	})}))
	c.get(1, "/1")
	c.get(3, "/3")
	c.until("both heads", func() bool { return c.status[1] != "" && c.status[3] != "" })
	c.fr.WriteRSTStream(1, http2.ErrCodeCancel)
	if got := <-ended; got != "/1 true" {
		t.Error(got)
	}
	c.c.Close()
	if got := <-ended; got != "/3 true" {
		t.Error(got)
	}
}

// Who begins to answer a stream that its viewer has given up, and flushes, waits for nothing: no round will carry the
// head.
func TestH2Flush_OfAStreamThatWasGivenUpReturns(t *testing.T) {
	begun, flushed := make(chan struct{}), make(chan error, 1)
	c := viewer2(t, h2server(t, &Server{Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
		close(begun)
		<-ctx.Done()
		w.Begin(200, nil, 10)
		flushed <- w.Flush()
	})}))
	c.get(1, "/1")
	<-begun
	c.fr.WriteRSTStream(1, http2.ErrCodeCancel)
	select {
	case err := <-flushed:
		if err == nil {
			t.Error("the viewer is gone, and Flush knows nothing of it")
		}
	case <-time.After(time.Minute):
		t.Fatal("Flush does not return")
	}
}

func TestH2Drain_IsSaidTwice(t *testing.T) {
	going := make(chan struct{})
	addr, stop := start(t, &Server{H2C: true, Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		if r.Path == "/slow" {
			<-going
		}
		w.Begin(200, message.Fields{{Name: "X", Value: "y"}}, 0)
	})})
	c := viewer2(t, addr)
	c.get(1, "/slow")
	c.get(3, "/")
	c.answer(3)
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	c.until("the first GOAWAY", func() bool { return len(c.goaway) == 1 })
	c.get(5, "/") // was under way
	if status, _, _ := c.answer(5); status != "200" {
		t.Errorf("a request under way: %s", status)
	}
	c.fr.WritePing(true, leavePing)
	c.until("the second GOAWAY", func() bool { return len(c.goaway) == 2 })
	c.headers(7, false, req("POST", "/")...) // does not count
	c.fr.WriteData(7, true, []byte("nor does this"))
	close(going)
	if status, _, end := c.answer(1); status != "200" || end != "end" {
		t.Errorf("an answer in flight: %s %s", status, end)
	}
	if got := c.over(); got != fmt.Sprintf("%d NO_ERROR, 5 NO_ERROR", h2.MaxWindow) {
		t.Errorf("GOAWAY %s", got)
	}
	<-stopped
	if c.status[7] != "" {
		t.Errorf("stream 7 was answered: %s", c.status[7])
	}
}

func TestH2Priority_UrgentFirstAndIncrementalInTurns(t *testing.T) {
	c := viewer2(t, h2server(t, &Server{Answerer: &h2hits{}}), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	c.get(1, "/large") // takes the connection's window, but for a little
	c.until("an exhausted window", func() bool { return len(c.bodies[1]) == 65535 })
	n := uint32(3)
	for ; ; n += 2 { // until nobody but the reader is at the socket
		c.headers(n, true, req("HEAD", "/hit")...)
		if c.answer(n); c.fields[n].Has("X-Inline") {
			break
		}
	}
	names := map[string]string{"1": "a"}
	for i, priority := range []string{"u=5, i", "u=5, i", "u=4", "u=6"} {
		n += 2
		names[fmt.Sprint(n)] = string("bcde"[i])
		c.get(n, "/large", "priority", priority)
	}
	c.fr.WriteRawFrame(http2.FrameType(h2.PriorityUpdate), 0, 0, append([]byte{0, 0, byte(n >> 8), byte(n)}, "u=0"...))
	c.fr.WritePing(false, [8]byte{})
	c.until("the end of the batch", func() bool { return c.frames[len(c.frames)-1] == "PING true" })
	c.mu.Lock()
	c.frames = nil
	c.mu.Unlock()
	c.fr.WriteWindowUpdate(0, 1<<20)
	for id := range names {
		k, _ := strconv.ParseUint(id, 10, 32)
		c.answer(uint32(k))
	}
	order := ""
	for _, f := range c.frames {
		id, _, _ := strings.Cut(f, " ")
		if name := names[id]; !strings.HasSuffix(order, name) {
			order += name
		}
	}
	if want := "eadbcbc"; !strings.HasPrefix(order, want) {
		t.Errorf("order %s, want %s…: %s", order, want, c.frames)
	}
}
