package httpserver

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/message"
)

// Whatever is accepted over HTTP/2 reads the same when it is written as HTTP/1.1, to this parser and so to
// net/http (FuzzHead_LikeNetHTTPOrStricter).
func FuzzH2Request_ReadsTheSameInHTTP1(f *testing.F) {
	good := ":method\x00GET\n:scheme\x00http\n:authority\x00h\n:path\x00/a?b\n"
	for _, s := range []string{good, good + "cookie\x00a=b\ncookie\x00c\n", good + "host\x00h\nte\x00trailers\ncontent-length\x000\n",
		good + "x\x00a\r\nb\n", ":path\x00*\n:method\x00OPTIONS\n:scheme\x00http\nhost\x00H:80\nexpect\x00100-continue\npriority\x00u=1, i\n"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, ended bool) {
		var s section
		s.begin(nil, 32768, false)
		for line := range bytes.SplitSeq(b, []byte("\n")) {
			name, value, ok := bytes.Cut(line, []byte("\x00"))
			if ok {
				s.field(string(name), string(value))
			}
		}
		var r Request
		if s.request(&r, 2, ended, "http", 8192).status != 0 {
			return
		}
		head := r.Method + " " + r.URI() + " HTTP/1.1\r\n"
		for _, x := range r.Fields {
			head += x.Name + ": " + x.Value + "\r\n"
		}
		head += "\r\n"
		var p parser
		no := p.parse([]byte(head), 8192)
		if no.status != 0 || p.req.Host != r.Host || p.req.Port != r.Port || p.req.URI() != r.URI() || p.req.Method != r.Method || len(p.req.Fields) != len(r.Fields) {
			t.Fatalf("%q is %+v as HTTP/1.1: %+v", head, p.req, no)
		}
		if ended && r.ContentLength != 0 || s.length > 0 && p.length != s.length {
			t.Errorf("%q: length %d, %d as HTTP/1.1", head, r.ContentLength, p.length)
		}
		sound(t, []byte(head), &p.req)
	})
}

// What a handler says cannot become another field of an answer.
func FuzzH2Block_SaysWhatItIsTold(f *testing.F) {
	f.Add("X-A", "b", 200)
	f.Add("x\r\ny", " c\x00", 599)
	f.Add("Connection", "x", 304)
	f.Fuzz(func(t *testing.T, name, value string, status int) {
		if status < 200 || status > 999 {
			return
		}
		block := AppendBlock(nil, status, message.Fields{{Name: name, Value: value}, {Name: "X-Last", Value: "1"}}, 5)
		fields, err := hpack.NewDecoder(0, nil).DecodeFull(block)
		if err != nil || len(fields) < 3 || fields[0].Name != ":status" || len(fields[0].Value) != 3 || fields[len(fields)-1].Name != "x-last" || len(fields) > 4 {
			t.Fatalf("%v %v", fields, err)
		}
		for _, x := range fields[1:] {
			if !fieldOK(x.Name, x.Value) {
				t.Errorf("%q: %q", x.Name, x.Value)
			}
		}
	})
}

// Whatever comes, a connection ends when its viewer does, without a mistake of ours.
func FuzzH2Connection_Ends(f *testing.F) {
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	c := &h2client{t: f, fr: fr}
	c.encode()
	c.get(1, "/hit")
	c.get(3, "/large")
	c.headers(5, false, req("POST", "/", "content-length", "3")...)
	fr.WriteData(5, true, []byte("abc"))
	f.Add(bytes.Clone(b.Bytes()))
	b.Reset()
	c.encode()
	c.get(1, "/large")
	fr.WriteWindowUpdate(0, 1<<20)
	fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
	fr.WritePing(true, leavePing)
	c.get(3, "/a")
	fr.WriteRSTStream(1, 8)
	fr.WritePriority(3, http2.PriorityParam{})
	f.Add(bytes.Clone(b.Bytes()))
	h := &h2hits{}
	f.Fuzz(func(t *testing.T, b []byte) {
		var logged bytes.Buffer
		s := &Server{H2C: true, Answerer: h, Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) { likeHits(ctx, w, r) }),
			Logger: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelError}))}
		e := s.engine()
		e.base = t.Context()
		viewer, nc := net.Pipe()
		v := newConn(e, nc)
		e.gate.admit(v)
		e.running.Go(v.serve)
		go io.Copy(io.Discard, viewer)
		io.WriteString(viewer, h2.Preface)
		viewer.Write(h2.AppendSettings(nil))
		viewer.Write(b)
		viewer.Close()
		e.running.Wait()
		if strings.Contains(logged.String(), "BUG") && !strings.Contains(logged.String(), "panic=oh") {
			t.Errorf("%x: %s", b, &logged)
		}
	})
}
