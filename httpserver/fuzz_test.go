package httpserver

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

var heads = []string{
	"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET /a/%2e./b?x=%41&y HTTP/1.1\r\nHost: Ex-1.org:81\r\nConnection: close\r\n\r\n",
	"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
	"POST / HTTP/1.1\r\nhost:h\r\ntransfer-encoding: chunked\r\n\r\n",
	"GET http://o.org:8080?q HTTP/1.1\r\nHost: h\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\nX:\t a b \xff\t\r\nX-Empty:\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
	"GET / HTTP/1.1\nHost: h\n\n",
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\nContent-Length: 3\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\n",
}

// Whatever the parser accepts, net/http accepts and reads the same: method, target, host, fields in
// their order by name, framing. Known exceptions, where net/http is the stricter one: it wants a
// Trailer field to name no framing field, an authority that package url can read, and it does not
// take every Host with an empty port.
func FuzzHead_LikeNetHTTPOrStricter(f *testing.F) {
	for _, s := range heads {
		f.Add([]byte(s))
	}
	var p parser
	f.Fuzz(func(t *testing.T, b []byte) {
		n := h1.HeadEnd(b, 0)
		if n == 0 {
			h1.MayBecomeHead(b, 0)
			return
		}
		// Exactly as long as the head: an over-read would be an index out of range.
		head := bytes.Clone(b[:n])[:n:n]
		if p.parse(head, 8192).status != 0 {
			return
		}
		if !h1.MayBecomeHead(head, 0) {
			t.Errorf("%q would have been refused while it came", head)
		}
		var kept Request
		p.lasting(head, &kept)
		clear(head)
		sound(t, b[:n], &kept)
		likeNetHTTP(t, b[:n], &kept, p.framing)
	})
}

// sound checks what every accepted request has.
func sound(t *testing.T, head []byte, r *Request) {
	t.Helper()
	if !strings.HasPrefix(r.Path, "/") && r.Path != "*" || r.Minor > 1 || r.Method == "" {
		t.Errorf("%q: %+v", head, r)
	}
	for _, f := range r.Fields {
		if f.Name == "" || !h1.OneLine(&f) || strings.Trim(f.Value, " \t") != f.Value {
			t.Errorf("%q: field %q", head, f)
		}
	}
	// Written out again it reads the same.
	again := r.Method + " " + r.URI() + " HTTP/1." + string(rune('0'+r.Minor)) + "\r\n"
	for _, f := range r.Fields {
		again += f.Name + ": " + f.Value + "\r\n"
	}
	var p parser
	if no := p.parse([]byte(again+"\r\n"), 8192); no.status != 0 || p.req.Host != r.Host || p.req.URI() != r.URI() {
		t.Errorf("%q: written again as %q: %+v", head, again, no)
	}
}

func likeNetHTTP(t *testing.T, head []byte, r *Request, fr framing) {
	t.Helper()
	if r.Fields.Has("Trailer") {
		return
	}
	hr, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("0\r\n\r\n"))))
	if err != nil {
		if strings.Contains(err.Error(), "parse ") && !strings.Contains(string(head), "\r\nHost: h\r\n") {
			return // package url has its own ideas of authorities
		}
		t.Fatalf("%q: accepted here, by net/http: %v", head, err)
	}
	host := hr.Host
	if h, port, ok := h1.SplitHost(host); !ok || h != r.Host || port != r.Port {
		t.Errorf("%q: host %q %q, by net/http %q", head, r.Host, r.Port, host)
	}
	if hr.Method != r.Method || hr.ContentLength != r.ContentLength || hr.ProtoMinor != r.Minor {
		t.Errorf("%q: %s %d, by net/http %s %d", head, r.Method, r.ContentLength, hr.Method, hr.ContentLength)
	}
	if chunked := len(hr.TransferEncoding) > 0; chunked != (fr.length < 0) {
		t.Errorf("%q: chunked %v by net/http", head, chunked)
	}
	if hr.Close && !fr.closes {
		t.Errorf("%q: net/http would close", head)
	}
	ours := map[string][]string{}
	for _, f := range r.Fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		ours[name] = append(ours[name], f.Value)
	}
	for name, values := range hr.Header {
		if name == "Cache-Control" && ours["Pragma"] != nil {
			continue // it adds one
		}
		if strings.Join(ours[name], "|") != strings.Join(values, "|") {
			t.Errorf("%q: %s is %q, by net/http %q", head, name, ours[name], values)
		}
	}
}

// What a handler says cannot split an answer.
func FuzzHead_AnswersAreOneAnswer(f *testing.F) {
	f.Add("X-A", "b", 200)
	f.Add("X-A\r\nB", "c\r\n\r\nd", 599)
	f.Add("Content-Length", "3", 304)
	f.Fuzz(func(t *testing.T, name, value string, status int) {
		if status < 200 || status > 999 {
			return
		}
		fields := message.Fields{{Name: name, Value: value}, {Name: "X-Last", Value: "1"}}
		head := append(AppendHead(nil, status, fields, 5), '\r', '\n')
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(append(head, "hello"...))), &http.Request{Method: "GET"})
		if err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		body, _ := io.ReadAll(resp.Body)
		if status != 204 && status != 304 && string(body) != "hello" || resp.StatusCode != status || resp.Header.Get("X-Last") != "1" {
			t.Errorf("%q: %d %q", head, resp.StatusCode, body)
		}
	})
}
