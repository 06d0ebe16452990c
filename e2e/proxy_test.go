package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Behind a balancer the viewer is who its header says, to limits and origins alike, by http and https.
func TestProxyProtocol(t *testing.T) {
	w := newWorld(t.TempDir())
	defer w.close()
	if err := w.start([]string{"--edges", "127.0.0.1:0", "--demo", "off", "--proxy-protocol"}); err != nil {
		t.Fatal(err)
	}
	o, err := newOrigin("o", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.origins["o"] = o
	o.set("* *", answer{status: 200, body: "v", length: -1})
	if err := w.create("d", map[string]string{"origin": "o"}); err != nil {
		t.Fatal(err)
	}
	edge := w.proc.ready.Edges[0]
	ask := func(url, header, path string) string {
		_, address, _ := strings.Cut(url, "://")
		c, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, header)
		if strings.HasPrefix(url, "https:") {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: w.distributions["d"].domain})
		}
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, w.distributions["d"].domain)
		got, _ := io.ReadAll(c)
		return string(got)
	}
	for path, url := range map[string]string{"/plain": edge.URL, "/secure": edge.HTTPS} {
		got := ask(url, "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n", path)
		r := o.last(path)
		if !strings.HasPrefix(got, "HTTP/1.1 200 ") || r == nil || r.Header.Get("X-Forwarded-For") != "192.0.2.7" {
			t.Errorf("%s: %q, the origin was told %v", path, got, r)
		}
		if got := ask(url, "", path); got != "" {
			t.Errorf("%s without a header: %q", path, got)
		}
	}
	if err := w.proc.stop(); err != nil {
		t.Error(err)
	}
}
