package node

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Who keeps a connection to the control listener is answered once more when that stops, and told that it is the last time: its request is not lost.
func TestServeHTTP_AnswersOnceMoreAtTheStop(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	run := serveHTTP(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "made") })}, l, time.Minute)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	ask := func() *http.Response {
		t.Helper()
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		return resp
	}
	if resp := ask(); resp.StatusCode != 200 || resp.Close {
		t.Fatalf("%+v", resp)
	}
	stop()
	for { // it has begun to stop
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	if resp := ask(); resp.StatusCode != 200 || !resp.Close {
		t.Errorf("%+v", resp)
	}
	if err := <-ended; err != nil { // without waiting out the minute
		t.Error(err)
	}
}
