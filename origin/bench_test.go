//go:build unix

package origin

import (
	"bytes"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// BenchmarkFetch is what asking an origin costs over the loopback: the time of both processors in CPU
// µs for each fetch, of which the origin's own share is one read and one write.
func BenchmarkFetch(b *testing.B) {
	chunk := "8000\r\n" + strings.Repeat("x", 32<<10) + "\r\n"
	for _, c := range []struct{ name, framing, body string }{
		{"1KiB", "Content-Length: 1024", strings.Repeat("x", 1<<10)},
		{"100KiB", "Content-Length: 102400", strings.Repeat("x", 100<<10)},
		{"1MiB", "Content-Length: 1048576", strings.Repeat("x", 1<<20)},
		{"1MiB_chunked", "Transfer-Encoding: chunked", strings.Repeat(chunk, 32) + "0\r\n\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			addr := steady(b, "HTTP/1.1 200 OK\r\nDate: Tue, 25 Nov 2025 10:00:00 GMT\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\nETag: \"abc\"\r\n"+c.framing+"\r\n\r\n"+c.body)
			cl, err := New(Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer cl.Close()
			o := originAt(addr)
			b.ReportAllocs()
			before := cpu()
			b.RunParallel(func(pb *testing.PB) {
				room := make([]byte, 64<<10)
				for pb.Next() {
					r := Request{Method: "GET", Path: "/a/b.png", Scheme: "http", Fields: message.Fields{
						{Name: "User-Agent", Value: "Amazon CloudFront"}, {Name: "Via", Value: "1.1 abc.cloudfront.net (CloudFront)"},
						{Name: "X-Amz-Cf-Id", Value: "abcdefghijklmnopqrstuvwxyz"}, {Name: "X-Forwarded-For", Value: "192.0.2.1"}, {Name: "CDN-Loop", Value: "CloudFront"},
					}}
					resp, err := cl.Fetch(b.Context(), o, &r)
					if err != nil {
						b.Error(err)
						return
					}
					for err == nil {
						_, err = resp.Body.Read(room)
					}
					resp.Body.Close()
					if err != io.EOF {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpu is the time that this process has computed so far.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// steady is an origin that gives every request the same answer.
func steady(b *testing.B, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	out := []byte(answer)
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				in := make([]byte, 4096)
				for n := 0; ; {
					m, err := nc.Read(in[n:])
					if err != nil {
						return
					}
					if n += m; !bytes.HasSuffix(in[:n], []byte("\r\n\r\n")) {
						continue
					}
					n = 0
					if _, err := nc.Write(out); err != nil {
						return
					}
				}
			}()
		}
	}()
	b.Cleanup(func() { l.Close(); <-accepting })
	return l.Addr().String()
}
