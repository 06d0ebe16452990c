package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// An operator sees who is refused: what never becomes a request has its line in the access log and is counted,
// and so is one whose body is broken, with the status that its viewer got.
func TestRefused_IsLoggedAndCounted(t *testing.T) {
	f := newField(t, []string{"disabled"}, "--access-log", "--read-body-timeout", "300ms")
	ask := func(octets string) (from string) {
		t.Helper()
		c, err := net.Dial("tcp", f.edge)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, octets)
		if _, err := io.ReadAll(c); err != nil {
			t.Error(err)
		}
		_, from, _ = net.SplitHostPort(c.LocalAddr().String())
		return from
	}
	for _, r := range []struct{ octets, method, status, detail, reason string }{
		{"GET /a#b HTTP/1.1\r\nHost: disabled.example\r\n\r\n", "GET", "400", "InvalidRequest", "malformed-request"},
		{"GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: disabled.example\r\n\r\n", "GET", "414", "InvalidRequest", "target-too-long"},
		{"GET / HTTP/3.7\r\nHost: disabled.example\r\n\r\n", "GET", "505", "InvalidRequest", "unknown-version"},
		{"POST /late HTTP/1.1\r\nHost: disabled.example\r\nContent-Length: 9\r\n\r\n", "POST", "408", "Error", "body-too-slow"},
	} {
		from := ask(r.octets)
		f.logged(t, fmt.Sprintf("\t%s\t", from))
		line := f.lineOf(from)
		for _, part := range []string{"\t127.0.0.1\t" + r.method + "\t", "\t" + r.status + "\t", "\tError\t", "\t" + r.detail + "\t", "\t" + r.reason} {
			if !strings.Contains(line, part) {
				t.Errorf("%.30q: no %q in the line %q", r.octets, part, line)
			}
		}
	}
	for _, reason := range []string{"malformed-request", "target-too-long", "unknown-version", "body-too-slow"} {
		want := fmt.Sprintf("reason=%q} 1\n", reason)
		if err := f.until(patience, func() (bool, error) { // the line is written before it is counted, or after
			resp, err := f.web.Get(f.proc.ready.Telemetry + "/metrics")
			if err != nil {
				return false, err
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			return strings.Contains(string(text), want), err
		}); err != nil {
			t.Errorf("not counted: %s: %v", reason, err)
		}
	}
}

// lineOf is the access line of the connection from a port.
func (f *field) lineOf(port string) string {
	for line := range strings.Lines(f.proc.log.String()) {
		if strings.Contains(line, "\t"+port+"\t") {
			return line
		}
	}
	return ""
}
