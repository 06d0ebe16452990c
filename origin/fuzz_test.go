package origin

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// scripted is a connection to an origin that says what it says, some octets at a time, and closes.
type scripted struct {
	net.Conn
	rest []byte
	step int
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest[:min(s.step, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}

func (s *scripted) Write(p []byte) (int, error)      { return len(p), nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) SetDeadline(time.Time) error      { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }

// Whatever an origin says, and however it comes: an answer that is read to its end is the one that net/http
// reads, and a connection that is kept has said nothing else. net/http is the stricter one about Trailer
// fields alone.
func FuzzExchange_LikeNetHTTPOrStricter(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10;x=\"y\"\r\n0123456789abcdef\r\n0\r\nT: x\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nabc",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
	} {
		for step := range 3 {
			f.Add([]byte(s), step*step*20+1, false)
		}
		f.Add([]byte(s), 1000, true)
	}
	o := originAt("127.0.0.1:80")
	f.Fuzz(func(t *testing.T, said []byte, step int, headOnly bool) {
		c, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		conn := &scripted{rest: said, step: max(1, step%5000)}
		c.dial = func(context.Context, string, string) (net.Conn, error) { return conn, nil }
		r := get("/")
		if headOnly {
			r.Method = "HEAD"
		}
		resp, err := c.Fetch(context.Background(), o, r)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return
		}
		want, theirs, err := byNetHTTP(said, r.Method)
		if err != nil {
			if bytes.Contains(bytes.ToLower(said), []byte("\r\ntrailer:")) {
				return
			}
			t.Fatalf("%q: %d %q here, by net/http %v", said, resp.Status, body, err)
		}
		if want.StatusCode != resp.Status || !bytes.Equal(body, theirs) {
			t.Errorf("%q: %d %q, by net/http %d %q", said, resp.Status, body, want.StatusCode, theirs)
		}
		p, host, _ := c.pool(o, r)
		if kept := p.newest(host); kept != nil && (want.Close || int64(len(said)-len(conn.rest)) != consumed(said, r.Method)) {
			t.Errorf("%q: kept after %d octets, the answer has %d", said, len(said)-len(conn.rest), consumed(said, r.Method))
		}
	})
}

// byNetHTTP reads the answer behind the interim ones.
func byNetHTTP(said []byte, method string) (resp *http.Response, body []byte, err error) {
	for br := bufio.NewReader(bytes.NewReader(said)); ; {
		if resp, err = http.ReadResponse(br, &http.Request{Method: method}); err != nil {
			return nil, nil, err
		}
		if resp.StatusCode >= 200 {
			body, err = io.ReadAll(resp.Body)
			return resp, body, err
		}
	}
}

// consumed is how many octets the interim answers and the answer have, by net/http's reading.
func consumed(said []byte, method string) int64 {
	in := strings.NewReader(string(said))
	br := bufio.NewReader(in)
	for {
		resp, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			return -1
		}
		if resp.StatusCode >= 200 {
			io.Copy(io.Discard, resp.Body)
			return int64(len(said) - in.Len() - br.Buffered())
		}
	}
}

// Whatever is asked for: what goes out is one request that says just this, or nothing.
func FuzzRequest_IsOneRequest(f *testing.F) {
	f.Add("GET", "/a/b", "x=y", "h.example:80", "X-A", "b")
	f.Add("POST", "//a", "", "", "Content-Length", "5")
	f.Add("OPTIONS", "*", "", "h", "Transfer-Encoding", "chunked")
	f.Add("GET / HTTP/1.1\r\nX:", "/ HTTP/1.1\r\nY: z", "\r\n", "h\r\nZ: z", "A\r\nB", "c\r\n\r\nGET /evil HTTP/1.1\r\n\r\n")
	f.Add("GET", "/\x00", "#", "a@b", "A B", "\x7f")
	o := originAt("127.0.0.1:80")
	f.Fuzz(func(t *testing.T, method, path, query, host, name, value string) {
		r := &Request{Method: method, Path: path, Query: query, HasQuery: query != "", Host: host,
			Fields: message.Fields{{Name: name, Value: value}, {Name: "X-Last", Value: "1"}}}
		if len(path) > 3 {
			r.Body, r.ContentLength = strings.NewReader(path), int64(len(path))
		}
		out, err := appendRequest(nil, o, r)
		if err != nil {
			return
		}
		br := bufio.NewReader(bytes.NewReader(append(out, path...)))
		got, err := http.ReadRequest(br)
		if err != nil {
			if strings.Contains(err.Error(), "parse ") || strings.Contains(err.Error(), "malformed Host") {
				return // package url has its own ideas of targets, net/http of hosts
			}
			t.Fatalf("%q: %v", out, err)
		}
		uri := path
		if query != "" {
			uri += "?" + query
		}
		if got.Method != method || got.RequestURI != uri || got.ContentLength != r.ContentLength || got.Header.Get("X-Last") != "1" {
			t.Errorf("%q: %+v", out, got)
		}
		if _, err := io.Copy(io.Discard, got.Body); err != nil {
			t.Errorf("%q: %v", out, err)
		}
		if r.bodied() && br.Buffered() > 0 || bytes.Count(out, []byte("\r\n\r\n")) != 1 {
			t.Errorf("%q: %d octets behind it", out, br.Buffered())
		}
		if !ofConnection(name) && got.Header.Get(name) != strings.Trim(value, " \t") {
			t.Errorf("%q: %s is %q", out, name, got.Header.Get(name))
		}
	})
}
