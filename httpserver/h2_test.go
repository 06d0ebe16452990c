package httpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/message"
)

// h2client is a viewer of HTTP/2 that does what a test says. What the server sends is collected by a
// goroutine of its own.
type h2client struct {
	t    testing.TB
	c    net.Conn
	fr   *http2.Framer
	enc  *hpack.Encoder
	buf  bytes.Buffer
	wait chan struct{} // something has come, one at most

	mu      sync.Mutex
	frames  []string // what has come, in words, without SETTINGS and WINDOW_UPDATE
	bodies  map[uint32][]byte
	windows map[uint32]int
	status  map[uint32]string
	fields  map[uint32]message.Fields
	ends    map[uint32]string // "end", or the code of RST_STREAM
	goaway  []string
	closed  bool
}

// viewer2 opens a connection and says the preface, unless settings is nil.
func viewer2(t testing.TB, addr string, settings ...http2.Setting) *h2client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return viewer2over(t, c, settings...)
}

func viewer2over(t testing.TB, nc net.Conn, settings ...http2.Setting) *h2client {
	nc.SetDeadline(time.Now().Add(time.Minute))
	c := &h2client{t: t, c: nc, fr: http2.NewFramer(nc, nc), wait: make(chan struct{}, 1), bodies: map[uint32][]byte{},
		windows: map[uint32]int{}, status: map[uint32]string{}, fields: map[uint32]message.Fields{}, ends: map[uint32]string{}}
	c.fr.AllowIllegalWrites = true
	c.encode()
	done := make(chan struct{})
	go func() { defer close(done); c.collect() }()
	t.Cleanup(func() { nc.Close(); <-done })
	io.WriteString(nc, h2.Preface)
	c.fr.WriteSettings(settings...)
	return c
}

func (c *h2client) encode() { c.enc = hpack.NewEncoder(&c.buf) }

func (c *h2client) collect() {
	dec := hpack.NewDecoder(4096, nil)
	c.fr.ReadMetaHeaders = dec
	defer c.note(func() { c.closed = true })
	for {
		f, err := c.fr.ReadFrame()
		if err != nil {
			var se http2.StreamError
			if errors.As(err, &se) {
				c.note(func() { c.frames = append(c.frames, "bad headers: "+err.Error()) })
				continue
			}
			return
		}
		c.note(func() { c.take(f) })
	}
}

func (c *h2client) note(do func()) {
	c.mu.Lock()
	do()
	c.mu.Unlock()
	select {
	case c.wait <- struct{}{}:
	default:
	}
}

func (c *h2client) take(f http2.Frame) {
	id := f.Header().StreamID
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		c.status[id] = f.PseudoValue("status")
		c.fields[id] = nil
		for _, x := range f.RegularFields() {
			c.fields[id] = append(c.fields[id], message.Field{Name: x.Name, Value: x.Value})
		}
		c.frames = append(c.frames, fmt.Sprintf("%d HEADERS %s", id, c.status[id]))
		if f.StreamEnded() {
			c.ends[id] = "end"
		}
	case *http2.DataFrame:
		c.bodies[id] = append(c.bodies[id], f.Data()...)
		c.frames = append(c.frames, fmt.Sprintf("%d DATA %d", id, len(f.Data())))
		if f.StreamEnded() {
			c.ends[id] = "end"
		}
	case *http2.RSTStreamFrame:
		if c.ends[id] == "" {
			c.ends[id] = f.ErrCode.String()
		}
		c.frames = append(c.frames, fmt.Sprintf("%d RST_STREAM %s", id, f.ErrCode))
	case *http2.GoAwayFrame:
		c.goaway = append(c.goaway, fmt.Sprintf("%d %s", f.LastStreamID, f.ErrCode))
		c.frames = append(c.frames, fmt.Sprintf("GOAWAY %d %s", f.LastStreamID, f.ErrCode))
	case *http2.WindowUpdateFrame:
		c.windows[id] += int(f.Increment)
	case *http2.PingFrame:
		c.frames = append(c.frames, fmt.Sprintf("PING %v", f.IsAck()))
	}
}

// until waits until ok, which is called with mu.
func (c *h2client) until(what string, ok func() bool) {
	c.t.Helper()
	late := time.After(time.Minute)
	for {
		c.mu.Lock()
		done := ok()
		closed := c.closed
		frames := fmt.Sprint(c.frames)
		c.mu.Unlock()
		if done {
			return
		}
		if closed {
			c.t.Fatalf("%s: the connection has ended after %s", what, frames)
		}
		select {
		case <-c.wait:
		case <-late:
			c.t.Fatalf("%s: nothing after %s", what, frames)
		}
	}
}

// block encodes fields given as name, value, name, value.
func (c *h2client) block(pairs ...string) []byte {
	c.buf.Reset()
	for i := 0; i < len(pairs); i += 2 {
		c.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return bytes.Clone(c.buf.Bytes())
}

func (c *h2client) headers(id uint32, end bool, pairs ...string) {
	b := c.block(pairs...)
	first := b[:min(len(b), h2.MaxSize)]
	b = b[len(first):]
	c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: end, EndHeaders: len(b) == 0, BlockFragment: first})
	for len(b) > 0 {
		next := b[:min(len(b), h2.MaxSize)]
		b = b[len(next):]
		c.fr.WriteContinuation(id, len(b) == 0, next)
	}
}

// req is a good request's pseudo-header fields.
func req(method, path string, more ...string) []string {
	return append([]string{":method", method, ":scheme", "http", ":authority", "h", ":path", path}, more...)
}

func (c *h2client) get(id uint32, path string, more ...string) {
	c.headers(id, true, req("GET", path, more...)...)
}

// answer waits for the end of a stream.
func (c *h2client) answer(id uint32) (status, body, end string) {
	c.t.Helper()
	c.until(fmt.Sprintf("end of stream %d", id), func() bool { return c.ends[id] != "" })
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status[id], string(c.bodies[id]), c.ends[id]
}

// over waits for the end of the connection and returns what the last GOAWAY said.
func (c *h2client) over() string {
	c.t.Helper()
	late := time.After(time.Minute)
	for {
		c.mu.Lock()
		closed, said := c.closed, strings.Join(c.goaway, ", ")
		c.mu.Unlock()
		if closed {
			return said
		}
		select {
		case <-c.wait:
		case <-late:
			c.t.Fatalf("still open; GOAWAY: %q", said)
		}
	}
}

// h2hits answers like hits, over HTTP/2.
type h2hits struct{ hits }

func (h *h2hits) Inline() Inline { return &h2hit{&h.hits} }

type h2hit struct{ *hits }

func (h *h2hit) Sent()                     { h.sent.Add(1) }
func (h *h2hit) Done(sent int64, cut bool) { (&hit{h.hits}).Done(sent, cut) }
func (h *h2hit) Later() func(int64, bool)  { return h.Done }

func (h *h2hit) Answer(dst []byte, r *Request) (out []byte, rest Rest, ok bool) {
	if r.Major != 2 {
		return (&hit{h.hits}).Answer(dst, r)
	}
	h.offered.Add(1)
	body := []byte(r.Path)
	switch {
	case strings.HasPrefix(r.Path, "/large"):
		body = largeBody
	case strings.HasPrefix(r.Path, "/panic"):
		panic("oh")
	case !strings.HasPrefix(r.Path, "/hit"):
		return dst, rest, false
	}
	h.answered.Add(1)
	dst = AppendBlock(dst, 200, message.Fields{{Name: "X-Inline", Value: "1"}}, int64(len(body)))
	if r.Method == "HEAD" {
		return dst, rest, true
	}
	return dst, Rest{Octets: body}, true
}

// likeHits answers as h2hits does, which is not asked while a viewer takes its time, and echoes the rest.
func likeHits(ctx context.Context, w ResponseWriter, r *Request) {
	body := []byte(r.Path)
	switch {
	case strings.HasPrefix(r.Path, "/large"):
		body = largeBody
	case !strings.HasPrefix(r.Path, "/hit"):
		echo(ctx, w, r)
		return
	}
	w.Begin(200, nil, int64(len(body)))
	w.Write(body)
}

func h2server(t testing.TB, s *Server) string {
	t.Helper()
	s.H2C = true
	if s.Handler == nil {
		s.Handler = handlerFunc(likeHits)
	}
	addr, _ := start(t, s)
	return addr
}

func TestH2_OneReadIsAnsweredInOneWrite(t *testing.T) {
	h := &h2hits{}
	c, err := net.Dial("tcp", h2server(t, &Server{Answerer: h}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	enc := &h2client{}
	enc.encode()
	b.WriteString(h2.Preface)
	fr.WriteSettings()
	for i := range uint32(16) {
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, EndStream: true, EndHeaders: true, BlockFragment: enc.block(req("GET", fmt.Sprintf("/hit%02d", i))...)})
	}
	c.Write(b.Bytes())
	c.SetDeadline(time.Now().Add(time.Minute))
	got := make([]byte, 16<<10)
	n, err := c.Read(got) // one segment on loopback when it is one write
	if err != nil {
		t.Fatal(err)
	}
	in := http2.NewFramer(nil, bytes.NewReader(got[:n]))
	in.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	answers := 0
	for {
		f, err := in.ReadFrame()
		if err != nil {
			break
		}
		if d, ok := f.(*http2.DataFrame); ok && d.StreamEnded() {
			if want := fmt.Sprintf("/hit%02d", answers); string(d.Data()) != want {
				t.Errorf("body %q, want %q", d.Data(), want)
			}
			answers++
		}
	}
	eventually(t, func() bool { return h.sent.Load() == 1 })
	if answers != 16 || h.answered.Load() != 16 {
		t.Errorf("the first read brought %d answers; %d made", answers, h.answered.Load())
	}
}

func TestH2_HandlersAndHitsOnOneConnection(t *testing.T) {
	h := &h2hits{}
	c := viewer2(t, h2server(t, &Server{Answerer: h}), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	c.fr.WriteWindowUpdate(0, 1<<20)
	paths := []string{"/hit1", "/2", "/large3", "/hit4", "/large5", "/6", "/7", "/hit8"}
	for i, p := range paths {
		c.get(uint32(2*i+1), p)
	}
	for i, p := range paths {
		status, body, end := c.answer(uint32(2*i + 1))
		want := "path=" + p + " query=false: host=h port= len=0"
		switch {
		case strings.HasPrefix(p, "/large"):
			want = string(largeBody)
		case strings.HasPrefix(p, "/hit"):
			want = p
		}
		if status != "200" || end != "end" || !strings.Contains(body, want) {
			t.Errorf("%s: %s %.80q %s", p, status, body, end)
		}
	}
}

func TestH2_HeadAndPanicAndRefusals(t *testing.T) {
	c := viewer2(t, h2server(t, &Server{Answerer: &h2hits{}}))
	c.headers(1, true, req("HEAD", "/hit")...)
	c.headers(3, true, req("HEAD", "/handled")...)
	c.get(5, "/panic")
	c.get(7, "/"+strings.Repeat("a", 8192))
	c.get(9, "/", "x-large", strings.Repeat("a", 33000))
	c.get(11, "/a b")
	c.get(13, "/hit")
	for _, w := range []struct {
		id           uint32
		status, body string
	}{{1, "200", ""}, {3, "200", ""}, {5, "200", "GET path=/panic"}, {7, "414", "target too long"}, {9, "494", "header too large"}, {11, "400", "malformed"}, {13, "200", "/hit"}} {
		status, body, end := c.answer(w.id)
		if status != w.status || end != "end" || !strings.Contains(body, w.body) || w.body == "" && body != "" {
			t.Errorf("%d: %s %.80q %s", w.id, status, body, end)
		}
	}
	// By a new inline answerer, once those that went to the handler are over: that is a moment after their answers.
	for id := uint32(15); ; id += 2 {
		c.get(id, "/hit")
		if c.answer(id); c.fields[id].Has("X-Inline") {
			break
		}
		if id > 200_000 {
			t.Fatal("nothing is answered inline any more")
		}
	}
}

// large writes bodies of several sizes, of known length or not, in several pieces.
func large(_ context.Context, w ResponseWriter, r *Request) {
	size, length := 3<<20, int64(3<<20)
	if r.Path == "/unknown" {
		length = -1
	}
	w.Begin(200, nil, length)
	for _, n := range []int{1, 100, 16 << 10, 20000, 1 << 20} {
		w.Write(bytes.Repeat([]byte("x"), n))
		size -= n
	}
	w.Flush()
	w.Write(bytes.Repeat([]byte("y"), size))
}

func TestH2_LargeBodiesUnderFlowControl(t *testing.T) {
	for _, window := range []uint32{100, 65535, 1 << 20} {
		c := viewer2(t, h2server(t, &Server{Handler: handlerFunc(large)}), http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
		c.get(1, "/known")
		c.get(3, "/unknown")
		given := map[uint32]int{0: 65535, 1: int(window), 3: int(window)}
		for {
			c.until("octets", func() bool {
				return len(c.bodies[1])+len(c.bodies[3]) == given[0] || c.ends[1] != "" && c.ends[3] != "" ||
					(len(c.bodies[1]) == given[1] || c.ends[1] != "") && (len(c.bodies[3]) == given[3] || c.ends[3] != "")
			})
			c.mu.Lock()
			got := map[uint32]int{1: len(c.bodies[1]), 3: len(c.bodies[3])}
			over := c.ends[1] != "" && c.ends[3] != ""
			c.mu.Unlock()
			if over {
				break
			}
			for _, id := range []uint32{0, 1, 3} {
				if got[id] > given[id] {
					t.Fatalf("stream %d: %d octets in a window of %d", id, got[id], given[id])
				}
				given[id] += 1 << 18
				c.fr.WriteWindowUpdate(id, 1<<18)
			}
		}
		for _, id := range []uint32{1, 3} {
			if status, body, end := c.answer(id); status != "200" || len(body) != 3<<20 || end != "end" || !strings.HasSuffix(body, "xy"+strings.Repeat("y", len(body)-strings.IndexByte(body, 'y')-1)) {
				t.Errorf("%d: %s, %d octets, %s", id, status, len(body), end)
			}
		}
	}
}

func TestH2_InlineBodyLargerThanTheWindowNeedsNoGoroutine(t *testing.T) {
	h := &h2hits{}
	c := viewer2(t, h2server(t, &Server{Answerer: h}), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
	c.get(1, "/large")
	c.until("1,000 octets", func() bool { return len(c.bodies[1]) == 1000 })
	eventually(t, func() bool { return h.sent.Load() > 0 }) // it does not wait for the body
	c.fr.WriteWindowUpdate(1, 1<<20)
	c.until("the connection's window", func() bool { return len(c.bodies[1]) == 65535 })
	c.fr.WriteWindowUpdate(0, 1<<20)
	if _, body, end := c.answer(1); body != string(largeBody) || end != "end" {
		t.Errorf("%d octets, %s", len(body), end)
	}
}

func TestH2_UploadsAreReadAsTheyCome(t *testing.T) {
	c := viewer2(t, h2server(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		n, err := io.Copy(io.Discard, r.Body)
		text := fmt.Sprintf("%d of %d, %v", n, r.ContentLength, err)
		w.Begin(200, nil, int64(len(text)))
		io.WriteString(w, text)
	})}))
	piece := bytes.Repeat([]byte("x"), 16384)
	for _, u := range []struct {
		id     uint32
		length string
		want   string
	}{{1, "1048576", "1048576 of 1048576, <nil>"}, {3, "", "1048576 of -1, <nil>"}} {
		more := []string{}
		if u.length != "" {
			more = []string{"content-length", u.length}
		}
		c.headers(u.id, false, req("POST", "/", more...)...)
		sent := 0
		for i := range 64 {
			sent += len(piece)
			c.until("window", func() bool { return sent <= 65536+c.windows[u.id] && sent <= 65535+c.windows[0] })
			c.fr.WriteData(u.id, i == 63 && u.id == 1, piece)
		}
		if u.id == 3 {
			c.headers(3, true, "x-trailer", "dropped")
		}
		if status, body, _ := c.answer(u.id); status != "200" || body != u.want {
			t.Errorf("%s %q, want %q", status, body, u.want)
		}
		c.mu.Lock()
		c.windows[0] -= sent
		c.mu.Unlock()
	}
}

// The viewer is told to go on when somebody reads the body.
func TestH2_ContinueIsSaidWhenTheHandlerReads(t *testing.T) {
	c := viewer2(t, h2server(t, &Server{}))
	c.headers(1, false, req("POST", "/", "expect", "100-continue", "content-length", "3")...)
	c.until("100", func() bool { return c.status[1] == "100" })
	c.fr.WriteData(1, true, []byte("abc"))
	if status, body, _ := c.answer(1); status != "200" || !strings.Contains(body, "body=abc") {
		t.Errorf("%s %q", status, body)
	}
}

// A handler that cannot read the body and says nothing is no mistake: the engine knows what was wrong.
func TestH2_SilenceOverASlowBody(t *testing.T) {
	silent := handlerFunc(func(_ context.Context, _ ResponseWriter, r *Request) { io.Copy(io.Discard, r.Body) })
	c := viewer2(t, h2server(t, &Server{Handler: silent, Limits: Limits{ReadBodyTimeout: 30 * time.Millisecond}}))
	c.headers(1, false, req("POST", "/")...)
	if status, _, _ := c.answer(1); status != "408" {
		t.Errorf("status %s", status)
	}
}

func TestH2_FaultsOfTheConnection(t *testing.T) {
	addr := h2server(t, &Server{Answerer: &h2hits{}})
	for name, f := range map[string]struct {
		send func(c *h2client)
		want string
	}{
		"DATA of an idle stream": {func(c *h2client) { c.fr.WriteData(1, true, nil) }, "0 PROTOCOL_ERROR"},
		"push":                   {func(c *h2client) { c.fr.WriteRawFrame(http2.FramePushPromise, 0, 1, []byte("1234")) }, "0 PROTOCOL_ERROR"},
		"frame too large":        {func(c *h2client) { c.fr.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 16385)) }, "0 FRAME_SIZE_ERROR"},
		"an even stream":         {func(c *h2client) { c.get(2, "/") }, "0 PROTOCOL_ERROR"},
		"a block that is none":   {func(c *h2client) { c.fr.WriteRawFrame(http2.FrameHeaders, 5, 1, []byte{0xff, 0xff, 0xff}) }, "0 COMPRESSION_ERROR"},
		"a stream skipped":       {func(c *h2client) { c.get(5, "/hit"); c.get(3, "/hit") }, "5 PROTOCOL_ERROR"},
		"a stream twice":         {func(c *h2client) { c.get(5, "/hit"); c.get(5, "/hit") }, "5 STREAM_CLOSED"},
		"no SETTINGS first":      {nil, "0 PROTOCOL_ERROR"},
	} {
		var c *h2client
		if f.send != nil {
			c = viewer2(t, addr)
			f.send(c)
		} else {
			c = &h2client{t: t, windows: map[uint32]int{}}
			nc := dial(t, addr)
			io.WriteString(nc, h2.Preface)
			fr := http2.NewFramer(nc, nc)
			fr.WritePing(false, [8]byte{})
			for {
				f, err := fr.ReadFrame()
				if err != nil {
					break
				}
				c.take(f)
			}
			c.wait, c.closed = make(chan struct{}), true
		}
		if got := c.over(); got != f.want {
			t.Errorf("%s: GOAWAY %q, want %q", name, got, f.want)
		}
	}
}
