package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// The public conformance tests of HTTP/2, its strict cases too, against the real binary: over TLS, where the
// protocol is negotiated, and without, where the viewer begins with it.
func TestH2spec(t *testing.T) {
	f := newField(t, nil, "--h2c")
	f.distribute(t, "spec", f.origin, map[string]string{"policy": "optimized", "methods": "7", "alias": "spec.example"})
	// Without TLS what is no preface of HTTP/2 is a request of HTTP/1.1, and refused as one; h2spec wants
	// nothing to be said to it (http2/3.5/2).
	plain := strings.Fields("generic hpack http2/3.5/1 http2/4 http2/5 http2/6 http2/7 http2/8")
	for name, args := range map[string][]string{
		"tls": {"--tls", "--insecure", "--port", port(named(t, "spec.example", f.secure))},
		"h2c": append([]string{"--port", port(f.edge)}, plain...),
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("go", append([]string{"tool", "-modfile=tools/go.mod", "h2spec", "--strict", "--host", "localhost"}, args...)...)
			cmd.Dir = ".."
			out, err := cmd.CombinedOutput()
			text := string(out)
			if err != nil || !strings.Contains(text, ", 0 skipped, 0 failed") {
				if _, failures, ok := strings.Cut(text, "Failures:"); ok {
					text = failures
				}
				t.Errorf("%v: %s", err, text)
			}
			last := text[strings.LastIndex(strings.TrimSpace(text), "\n")+1:]
			t.Log(strings.TrimSpace(last))
		})
	}
}

// named leads connections of TLS that come without a name to an edge, under a name: h2spec can be told only a
// name that resolves, and a distribution's does not. It returns its address.
func named(t *testing.T, name, edge string) string {
	t.Helper()
	s := httptest.NewUnstartedServer(nil) // for its certificate
	s.StartTLS()
	certs := s.TLS.Certificates
	s.Close()
	l, err := tls.Listen("tcp", "localhost:0", &tls.Config{Certificates: certs, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			viewer, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { relay(t, viewer, name, edge) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// relay carries octets until either side ends.
func relay(t *testing.T, viewer net.Conn, name, edge string) {
	defer viewer.Close()
	c, err := tls.Dial("tcp", edge, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	if p := c.ConnectionState().NegotiatedProtocol; p != "h2" {
		t.Errorf("negotiated %q", p)
	}
	back := make(chan struct{})
	go func() {
		io.Copy(viewer, c)
		viewer.Close()
		close(back)
	}()
	io.Copy(c, viewer)
	c.Close()
	<-back
}

func port(hostPort string) string {
	_, p, _ := net.SplitHostPort(hostPort)
	return p
}
