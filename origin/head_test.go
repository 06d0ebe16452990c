package origin

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/h1"
)

func TestHead_OneFramingOrNone(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		head, method    string
		err             error
		status          int
		length          int64
		chunked, closes bool
	}{
		{ok + "Content-Length: 5\r\n", "GET", nil, 200, 5, false, false},
		{ok + "content-LENGTH:  005 \r\n", "GET", nil, 200, 5, false, false},
		{ok, "GET", nil, 200, -1, false, true},
		{ok + "Transfer-Encoding: ChUnKeD\r\n", "GET", nil, 200, -1, true, false},
		{ok + "Connection: x, Close\r\nContent-Length: 5\r\n", "GET", nil, 200, 5, false, true},
		{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n", "GET", nil, 200, 5, false, true},
		{"HTTP/1.1 200\r\n", "GET", nil, 200, -1, false, true},
		{"HTTP/1.1 200 \r\n", "GET", nil, 200, -1, false, true},
		{"HTTP/1.1 404 Nicht gefunden \xfc\t!\r\n", "GET", nil, 404, -1, false, true},
		{"HTTP/1.1 999 Request denied\r\n", "GET", nil, 999, -1, false, true},
		{ok + "Content-Length: 77\r\n", "HEAD", nil, 200, 77, false, false},
		{ok + "Transfer-Encoding: chunked\r\n", "HEAD", nil, 200, -1, false, false},
		{ok, "HEAD", nil, 200, -1, false, false},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n", "GET", nil, 304, -1, false, false},
		{"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n", "GET", nil, 304, -1, false, false},
		{"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n", "GET", nil, 204, 0, false, false},
		{"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n", "GET", nil, 204, 0, false, true},
		{"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n", "GET", nil, 204, 0, false, true},
		{"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n", "GET", nil, 103, 0, false, false},

		{ok + "Content-Length: 5\r\nContent-Length: 5\r\n", "GET", errLengths, 0, 0, false, false},
		{ok + "Content-Length: 5\r\nX: y\r\ncontent-length: 6\r\n", "HEAD", errLengths, 0, 0, false, false},
		{ok + "Content-Length: 5, 5\r\n", "GET", errLength, 0, 0, false, false},
		{ok + "Content-Length: +5\r\n", "GET", errLength, 0, 0, false, false},
		{ok + "Content-Length: \r\n", "GET", errLength, 0, 0, false, false},
		{ok + "Content-Length: 9223372036854775808\r\n", "GET", errLength, 0, 0, false, false},
		{ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "GET", errTwoFramings, 0, 0, false, false},
		{ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "GET", errCoding, 0, 0, false, false},
		{ok + "Transfer-Encoding: gzip, chunked\r\n", "GET", errCoding, 0, 0, false, false},
		{ok + "Transfer-Encoding: identity\r\n", "GET", errCoding, 0, 0, false, false},
		{ok + "Transfer-Encoding:\r\n", "GET", errCoding, 0, 0, false, false},
		{ok + "Transfer-Encoding: \"chunked\"\r\n", "GET", errCoding, 0, 0, false, false},
		{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n", "GET", errOldCoding, 0, 0, false, false},
		{"HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n", "GET", errInterimBody, 0, 0, false, false},
		{"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n", "GET", errInterimBody, 0, 0, false, false},

		{"HTTP/1.2 200 OK\r\n", "GET", errVersion, 0, 0, false, false},
		{"HTTP/2.0 200 OK\r\n", "GET", errVersion, 0, 0, false, false},
		{"HTTP/0.9 200 OK\r\n", "GET", errVersion, 0, 0, false, false},
		{"HTTP/2 200 OK here\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"http/1.1 200 OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.10 200 OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1  200 OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1\t200 OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1 099 OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1 000 OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1 20 OK OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1 1000 OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1 +20 OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1 2e2 OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1 200OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1 200 O\x00K\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1 200 O\rK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"HTTP/1.1 200 O\nK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{"\r\nHTTP/1.1 200 OK\r\n", "GET", errStatusLine, 0, 0, false, false},
		{" HTTP/1.1 200 OK\r\n", "GET", errStatusLine, 0, 0, false, false},

		{ok + "no colon\r\n", "GET", errFieldLine, 0, 0, false, false},
		{ok + "Content-Length : 5\r\n", "GET", errFieldLine, 0, 0, false, false},
		{ok + "A: b\r\n c\r\n", "GET", errFieldLine, 0, 0, false, false},
		{ok + "A: b\n\r\n", "GET", errFieldLine, 0, 0, false, false},
		{ok + "A: b\x00\r\n", "GET", errFieldLine, 0, 0, false, false},
		{ok + ": b\r\n", "GET", errFieldLine, 0, 0, false, false},
		{ok + strings.Repeat("A: b\r\n", maxFields), "GET", nil, 200, -1, false, true},
		{ok + strings.Repeat("A: b\r\n", maxFields+1), "GET", errFieldCount, 0, 0, false, false},
	} {
		h, err := parseHead([]byte(c.head+"\r\n"), c.method)
		if err != c.err {
			t.Errorf("%.80q: %v, want %v", c.head, err, c.err)
		} else if err == nil && (h.status != c.status || h.length != c.length || h.chunked != c.chunked || h.closes != c.closes) {
			t.Errorf("%.80q: %d %d %v %v, want %d %d %v %v", c.head, h.status, h.length, h.chunked, h.closes, c.status, c.length, c.chunked, c.closes)
		}
	}
}

func TestHead_KeptFor(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"timeout=5": 5 * time.Second, "max=100, Timeout=7": 7 * time.Second, "timeout=0": 0, "timeout=99999999999": 24 * time.Hour,
		"": 0, "timeout": 0, "timeout=": 0, "timeout=-5": 0, "timeout=5s": 0, "xtimeout=5": 0, "timeout = 5": 0,
	} {
		if got := keptFor(value); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// Whatever the parser accepts, net/http accepts and reads the same. The known exception, where net/http is
// the stricter one: it wants a Trailer field to name no framing field.
func FuzzAnswer_LikeNetHTTPOrStricter(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nabc",
		"HTTP/1.0 404\r\nConnection: keep-alive\r\n\r\nabc",
		"HTTP/1.0 200 \r\nContent-Length:0\r\n\r\n0",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\nETag: \"a\"\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 999 \xff\r\nX:\t \r\nconnection: x, close\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, headOnly bool) {
		method := http.MethodGet
		if headOnly {
			method = http.MethodHead
		}
		n := h1.HeadEnd(b, 0)
		if n == 0 {
			h1.MayBecomeHead(b, 0)
			return
		}
		octets := bytes.Clone(b[:n])[:n:n] // exactly as long: an over-read would be an index out of range
		h, err := parseHead(octets, method)
		if err != nil || h.status < 200 {
			return
		}
		if !h1.MayBecomeHead(octets, 0) {
			t.Errorf("%q would have been refused while it came", octets)
		}
		theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), &http.Request{Method: method})
		if err != nil {
			if bytes.Contains(bytes.ToLower(octets), []byte("\r\ntrailer:")) {
				return
			}
			t.Fatalf("%q: accepted here, by net/http: %v", octets, err)
		}
		sameFields(t, octets, &h, theirs.Header)
		if theirs.StatusCode != h.status || theirs.Close && !h.closes {
			t.Errorf("%q: %d closes %v, by net/http %d %v", octets, h.status, h.closes, theirs.StatusCode, theirs.Close)
		}
		if !h.bodied(method) {
			return
		}
		if theirs.ContentLength != h.length || len(theirs.TransferEncoding) > 0 != h.chunked {
			t.Errorf("%q: %d %v, by net/http %d %v", octets, h.length, h.chunked, theirs.ContentLength, theirs.TransferEncoding)
		}
		if body, err := readBody(&h, b[n:]); err == io.EOF {
			if want, err := io.ReadAll(theirs.Body); err != nil || !bytes.Equal(body, want) {
				t.Errorf("%q: body %q, by net/http %q, %v", b, body, want, err)
			}
		}
	})
}

// readBody reads a body from b with the exchange's own reading, and gives the error at its end.
func readBody(h *head, b []byte) (body []byte, err error) {
	if h.length == 0 && !h.chunked {
		return nil, io.EOF // as exchange.ask has it: what follows is no body's
	}
	x := &exchange{ctx: nil, in: b, left: h.length, chunked: h.chunked}
	p := make([]byte, 7)
	for err == nil && (len(x.in) > 0 || x.left == 0) {
		var n int
		if h.chunked {
			if !complete(x.in, x.chunks) {
				return nil, nil
			}
			n, err = x.readChunks(p)
		} else if n, err = x.readPlain(p); x.left < 0 && len(x.in) == 0 {
			err = io.EOF
		}
		body = append(body, p[:n]...)
	}
	return body, err
}

// complete tells whether b, read from c on, reaches the end of a chunked body or an error without more octets.
func complete(b []byte, c h1.Chunks) bool {
	for {
		n, err := c.Feed(b)
		if b = b[n:]; err != nil || c.Ended() {
			return true
		}
		if len(b) == 0 {
			return false
		}
		n = int(min(int64(len(b)), c.Left()))
		c.Took(n)
		b = b[n:]
	}
}

func sameFields(t *testing.T, octets []byte, h *head, theirs http.Header) {
	t.Helper()
	ours := map[string][]string{}
	for _, f := range h.fields {
		if !h1.OneLine(&f) {
			t.Errorf("%q: field %q could not be written again", octets, f)
		}
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		ours[name] = append(ours[name], f.Value)
	}
	for name, values := range theirs {
		if name == "Cache-Control" && ours["Pragma"] != nil {
			continue // net/http adds one
		}
		if strings.Join(ours[name], "|") != strings.Join(values, "|") {
			t.Errorf("%q: %s is %q, by net/http %q", octets, name, ours[name], values)
		}
	}
}
