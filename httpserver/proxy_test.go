package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// v2 lays out a header of version 2.
func v2(command, family byte, rest string) string {
	return proxyV2 + string([]byte{command, family, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

const (
	v2IPv4 = "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb" // 192.0.2.1:56324 198.51.100.1:443
	v2IPv6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\xdc\x04\x01\xbb"
)

// proxyHeaders: what each is from; "-" names nobody, "!" is refused.
var proxyHeaders = []struct{ name, header, from string }{
	{"v1 IPv4", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "192.0.2.1:56324"},
	{"v1 IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", "[2001:db8::1]:56324"},
	{"v1 mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n", "192.0.2.1:1"},
	{"v1 longest", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{"v1 unknown", "PROXY UNKNOWN\r\n", "-"},
	{"v1 unknown with more", "PROXY UNKNOWN 1 2 3 4\r\n", "-"},
	{"v2 IPv4", v2(0x21, 0x11, v2IPv4), "192.0.2.1:56324"},
	{"v2 IPv4 with more", v2(0x21, 0x11, v2IPv4+"\x04\x00\x03abc"), "192.0.2.1:56324"},
	{"v2 IPv6", v2(0x21, 0x21, v2IPv6), "[2001:db8::1]:56324"},
	{"v2 local", v2(0x20, 0x00, ""), "-"},
	{"v2 local with addresses", v2(0x20, 0x11, v2IPv4), "-"},
	{"v2 unspecified", v2(0x21, 0x00, "abc"), "-"},
	{"v2 unix", v2(0x21, 0x31, strings.Repeat("\x00", 216)), "-"},
	{"v2 longest", v2(0x21, 0x11, v2IPv4+strings.Repeat("x", maxProxy-16-12)), "192.0.2.1:56324"},

	{"a request", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "!"},
	{"a handshake", "\x16\x03\x01\x00\x05hello", "!"},
	{"v1 lower case", "proxy TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "!"},
	{"v1 bare LF", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n" + strings.Repeat("x", 200), "!"},
	{"v1 too long", "PROXY UNKNOWN " + strings.Repeat("x", 200) + "\r\n", "!"},
	{"v1 two blanks", "PROXY  TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "!"},
	{"v1 no addresses", "PROXY TCP4\r\n", "!"},
	{"v1 no port", "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", "!"},
	{"v1 more", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 x\r\n", "!"},
	{"v1 wrong family", "PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n", "!"},
	{"v1 other wrong family", "PROXY TCP6 192.0.2.1 198.51.100.1 56324 443\r\n", "!"},
	{"v1 zone", "PROXY TCP6 fe80::1%eth0 fe80::2 56324 443\r\n", "!"},
	{"v1 port too large", "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n", "!"},
	{"v1 port with a sign", "PROXY TCP4 192.0.2.1 198.51.100.1 +1 443\r\n", "!"},
	{"v1 port with a zero", "PROXY TCP4 192.0.2.1 198.51.100.1 01 443\r\n", "!"},
	{"v1 bad address", "PROXY TCP4 192.0.2.256 198.51.100.1 1 443\r\n", "!"},
	{"v1 UDP", "PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n", "!"},
	{"v2 other version", v2(0x11, 0x11, v2IPv4), "!"},
	{"v2 other command", v2(0x22, 0x11, v2IPv4), "!"},
	{"v2 datagrams", v2(0x21, 0x12, v2IPv4), "!"},
	{"v2 other family", v2(0x21, 0x41, v2IPv4), "!"},
	{"v2 too short", v2(0x21, 0x11, v2IPv4[:11]), "!"},
	{"v2 IPv6 too short", v2(0x21, 0x21, v2IPv4), "!"},
	{"v2 too long", v2(0x21, 0x11, v2IPv4+strings.Repeat("x", maxProxy)), "!"},
	{"v2 broken signature", proxyV2[:11] + "\x00", "!"},
}

func TestProxy_Headers(t *testing.T) {
	for _, c := range proxyHeaders {
		n, from, err := proxyHeader([]byte(c.header + "more"))
		got := from.String()
		switch {
		case err != nil:
			got = "!"
		case !from.IsValid():
			got = "-"
		}
		if got != c.from || err == nil && n != len(c.header) {
			t.Errorf("%s: %s, %d of %d octets, %v", c.name, got, n, len(c.header), err)
		}
		for i := 0; i < len(c.header) && c.from != "!"; i++ {
			if n, _, err := proxyHeader([]byte(c.header[:i])); n != 0 || err != nil {
				t.Errorf("%s: after %d octets: %d, %v", c.name, i, n, err)
				break
			}
		}
	}
}

// remote answers with whose the connection is.
func remote(_ context.Context, w ResponseWriter, r *Request) {
	text := r.Remote.String() + " "
	w.Begin(200, nil, int64(len(text)))
	io.WriteString(w, text)
}

func TestProxy_TheHeaderSaysWhoItIs(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(remote), Answerer: &hits{}, Proxied: true})
	show, _ := selfSigned(t, "a.test")
	secured, _ := start(t, &Server{Handler: handlerFunc(remote), Proxied: true, TLS: &TLS{Certificate: show}})
	for _, h := range proxyHeaders {
		if strings.HasPrefix(h.from, "!") {
			c := dial(t, addr)
			io.WriteString(c, h.header)
			if got, err := io.ReadAll(c); len(got) > 0 || errors.Is(err, os.ErrDeadlineExceeded) { // a reset is as good
				t.Errorf("%s: %q %v", h.name, got, err)
			}
			continue
		}
		for _, step := range []int{1, 1 << 20} {
			if step == 1 && len(h.header) > 300 {
				continue
			}
			c := dial(t, addr)
			own := c.LocalAddr().String()
			write := func(w io.Writer, s string) {
				for ; s != ""; s = s[min(step, len(s)):] {
					io.WriteString(w, s[:min(step, len(s))])
				}
			}
			write(c, h.header+get("/hit")+get("/1"))
			br := newAnswers(c)
			if got := string(br.next(t)); got != "/hit" {
				t.Errorf("%s: %q", h.name, got)
			}
			write(c, get("/2"))
			for range 2 {
				if got := string(br.next(t)); got != want(h.from, own) {
					t.Errorf("%s in pieces of %d: from %q", h.name, step, got)
				}
			}

			c = dial(t, secured)
			own = c.LocalAddr().String()
			r := &introducing{Conn: c, header: h.header}
			s := tls.Client(r, &tls.Config{InsecureSkipVerify: true})
			io.WriteString(s, get("/"))
			if got := string(newAnswers(s).next(t)); got != want(h.from, own) {
				t.Errorf("%s by TLS: from %q", h.name, got)
			}
		}
	}
}

// introducing sends a header before the first octets, together with them.
type introducing struct {
	net.Conn
	header string
}

func (i *introducing) Write(p []byte) (int, error) {
	header := i.header
	i.header = ""
	n, err := i.Conn.Write(append([]byte(header), p...))
	return max(0, n-len(header)), err
}

func want(from, own string) string {
	if from == "-" {
		from = own
	}
	return from + " "
}

func TestProxy_LimitsCountViewersNotTheBalancer(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(remote), Proxied: true, Limits: Limits{MaxConnsPerClient: 1}})
	header := func(ip string) string { return "PROXY TCP4 " + ip + " 198.51.100.1 1 443\r\n" }
	first := dial(t, addr)
	io.WriteString(first, header("192.0.2.1")+get("/"))
	newAnswers(first).next(t)
	if got := exchange(t, addr, header("192.0.2.1")+get("/")); !strings.HasPrefix(got, "HTTP/1.1 503 ") {
		t.Errorf("a second of the same viewer: %q", got)
	}
	if got := exchange(t, addr, header("192.0.2.2")+get("/")); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("one of another viewer: %q", got)
	}
	first.Close()
	eventually(t, func() bool {
		return strings.HasPrefix(exchange(t, addr, header("192.0.2.1")+get("/")), "HTTP/1.1 200 ")
	})
}

func TestProxy_HeaderThatDoesNotComeIsCut(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(remote), Proxied: true, Limits: Limits{ReadHeaderTimeout: 40 * time.Millisecond}})
	for _, send := range []string{"", "PROXY TCP4 ", proxyV2} {
		c := dial(t, addr)
		io.WriteString(c, send)
		if got, err := io.ReadAll(c); len(got) > 0 || err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%q: %q %v", send, got, err)
		}
	}
}

// What is accepted does not depend on what follows, is never longer than what is there, and names an address or nobody.
func FuzzProxyHeader(f *testing.F) {
	for _, c := range proxyHeaders {
		f.Add([]byte(c.header), []byte("more"))
	}
	f.Fuzz(func(t *testing.T, b, more []byte) {
		n, from, err := proxyHeader(b)
		if n < 0 || n > len(b) || n > maxProxy || err != nil && from.IsValid() && n == 0 {
			t.Fatalf("%d of %d octets, %v, %v", n, len(b), from, err)
		}
		if from.Addr().Is4In6() {
			t.Errorf("from %v", from)
		}
		if n == 0 && err == nil {
			return
		}
		again, same, err2 := proxyHeader(append(append([]byte{}, b...), more...))
		if again != n || same != from || err2 != err {
			t.Errorf("%d %v %v, with more behind it %d %v %v", n, from, err, again, same, err2)
		}
	})
}
