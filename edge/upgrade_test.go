package edge

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/origin"
)

// shake is a viewer's handshake.
var shake = []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}

// end is one end of a connection.
type end struct {
	*io.PipeReader
	*io.PipeWriter
}

func duplex() (a, b *end) {
	ar, bw := io.Pipe()
	br, aw := io.Pipe()
	return &end{ar, aw}, &end{br, bw}
}

func (e *end) CloseWrite() error { return e.PipeWriter.Close() }

func (e *end) Close() error {
	e.PipeReader.CloseWithError(io.ErrClosedPipe)
	return e.PipeWriter.CloseWithError(io.ErrUnexpectedEOF)
}

// says reads what comes next at an end.
func (e *end) says(t *testing.T) string {
	t.Helper()
	p := make([]byte, 100)
	n, err := e.Read(p)
	if err != nil {
		return err.Error()
	}
	return string(p[:n])
}

// socketed is a viewer whose connection may become another.
type socketed struct {
	*viewer
	s      *end // what the edge gets
	head   message.Fields
	failed error
}

func (v *socketed) Upgrade(f message.Fields) (httpserver.Stream, error) {
	v.head = f.Clone()
	return v.s, v.failed
}

func (*viewer) Upgrade(message.Fields) (httpserver.Stream, error) {
	return nil, errors.New("not this one's")
}

// talk asks for a WebSocket at an origin that agrees, and returns both far ends. over is closed at the end.
func (w *world) talk(ctx context.Context, failed error) (v *socketed, near, far *end, over chan bool) {
	w.t.Helper()
	near, s := duplex()
	far, o := duplex()
	w.origin.agree = func() *origin.Tunnel {
		return &origin.Tunnel{Fields: message.Fields{{Name: "Sec-WebSocket-Accept", Value: "proof"}, {Name: "Server", Value: "o"}}, FirstByte: time.Millisecond, Stream: o}
	}
	v = &socketed{viewer: &viewer{}, s: s, failed: failed}
	over = make(chan bool)
	r := request("/a?x=1", append(shake, "Sec-WebSocket-Protocol: chat", "X-Not-Forwarded: 1")...)
	go func() {
		w.edge.Serve(ctx, v, r)
		close(over)
	}()
	synctest.Wait()
	return v, near, far, over
}

func TestWebSocket_GoesThrough(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("in the cache"))
		w.get("/a?x=1")
		v, near, far, over := w.talk(context.Background(), nil)
		for _, f := range []string{"Upgrade websocket", "Sec-WebSocket-Accept proof", "Server o", "X-Cache Miss from cloudfront", "Via " + w.edge.via} {
			if name, value, _ := strings.Cut(f, " "); v.head.Joined(name) != value {
				t.Errorf("%s is %q", name, v.head.Joined(name))
			}
		}
		asked := w.origin.last()
		for _, f := range []string{"Sec-WebSocket-Key dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version 13", "Sec-WebSocket-Protocol chat", "X-Not-Forwarded ", "CDN-Loop CloudFront"} {
			if name, value, _ := strings.Cut(f, " "); asked.Fields.Joined(name) != value {
				t.Errorf("the origin has got %s: %q", name, asked.Fields.Joined(name))
			}
		}
		go near.Write([]byte("question"))
		if got := far.says(t); got != "question" {
			t.Errorf("the origin has heard %q", got)
		}
		go far.Write([]byte("answer"))
		if got := near.says(t); got != "answer" {
			t.Errorf("the viewer has heard %q", got)
		}
		near.CloseWrite()
		if got := far.says(t); got != "EOF" {
			t.Errorf("the viewer's end: %q", got)
		}
		go func() {
			far.Write([]byte("last word"))
			far.CloseWrite()
		}()
		if got := near.says(t) + near.says(t); got != "last wordEOF" {
			t.Errorf("the origin's end: %q", got)
		}
		<-over
		w.wantWhy("Miss websocket")
		if x := w.seen[len(w.seen)-1]; x.Status != 101 || x.Bytes != 15 || x.Aborted || x.OriginLatency == 0 {
			t.Errorf("%+v", x)
		}
		w.expect("200 Hit in the cache", "/a?x=1")
		if _, _, ok := w.edge.Inline().Answer(nil, request("/a?x=1", shake...)); ok {
			t.Error("answered from the cache")
		}
	})
}

func TestWebSocket_Ends(t *testing.T) {
	for name, c := range map[string]struct {
		then func(near, far *end, leave func())
		want time.Duration // when everything is over
	}{
		"when nothing is said": {func(_, _ *end, _ func()) {}, tunnelIdle},
		"later, if something was": {func(near, far *end, _ func()) {
			time.Sleep(tunnelIdle - time.Second)
			go near.Write([]byte("x"))
			io.ReadFull(far, make([]byte, 1))
			time.Sleep(tunnelIdle - time.Second)
			go far.Write([]byte("x"))
			io.ReadFull(near, make([]byte, 1))
		}, 3*tunnelIdle - 2*time.Second},
		"soon after the viewer's end":   {func(near, _ *end, _ func()) { near.CloseWrite() }, tunnelEnd},
		"soon after the origin's end":   {func(_, far *end, _ func()) { far.CloseWrite() }, tunnelEnd},
		"with the viewer":               {func(near, _ *end, _ func()) { near.Close() }, 0},
		"with the origin":               {func(_, far *end, _ func()) { far.Close() }, 0},
		"with the request's time":       {func(_, _ *end, leave func()) { leave() }, 0},
		"when the viewer takes nothing": {func(_, far *end, _ func()) { go far.Write([]byte("x")) }, tunnelIdle},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				ctx, leave := context.WithCancel(context.Background())
				defer leave()
				_, near, far, over := w.talk(ctx, nil)
				began := time.Now()
				c.then(near, far, leave)
				<-over
				if took := time.Since(began); took != c.want {
					t.Errorf("after %v, not %v", took, c.want)
				}
				if x := w.seen[len(w.seen)-1]; !x.Aborted {
					t.Errorf("%+v", x)
				}
				near.Close()
				far.Close()
			})
		})
	}
}

func TestWebSocket_WhatIsNotAgreedStaysHTTP(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("no socket here", "Cache-Control: max-age=60"), status(426, "newer please"), ok("stored"))
		w.expect("200 Miss no socket here", "/a", shake...)
		w.wantWhy("Miss websocket")
		w.expect("426 Error newer please", "/a", shake...)
		w.expect("200 Miss stored", "/a")
		w.expect("200 Hit stored", "/a", "Connection: keep-alive", "Upgrade: websocket") // not of this hop
		w.expect("200 Hit stored", "/a", "Connection: Upgrade", "Upgrade: h2c")
		_, near, far, over := w.talk(context.Background(), errors.New("the viewer has gone"))
		<-over
		if got := far.says(t); got != io.ErrUnexpectedEOF.Error() {
			t.Errorf("the origin's connection: %q", got)
		}
		near.Close()
	})
}
