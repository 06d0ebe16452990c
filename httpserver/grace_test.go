package httpserver

import (
	"bufio"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// Within the grace a connection may bring one more request, whose answer says that it is the last. When all have, nothing
// is waited for.
func TestDrain_GraceForTheNextRequest(t *testing.T) {
	s := &Server{Limits: Limits{DrainGrace: time.Hour}, Handler: handlerFunc(echo)}
	addr, stop := start(t, s)
	ask := func(c io.ReadWriter) *http.Response {
		t.Helper()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		return resp
	}
	used, fresh := dial(t, addr), dial(t, addr)
	if ask(used).Close {
		t.Error("before the stop, an answer says that it is the last")
	}
	for s.running.Load().gate.count() < 2 {
		runtime.Gosched() // until both are accepted: what the kernel alone has taken is lost
	}
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	for !s.running.Load().leaving.Load() {
		runtime.Gosched()
	}
	for _, c := range []io.ReadWriter{used, fresh} {
		if resp := ask(c); resp.StatusCode != 200 || !resp.Close {
			t.Errorf("%d, last: %t", resp.StatusCode, resp.Close)
		}
	}
	<-stopped
}

// Without one, or when it is over, whoever has not asked is let go.
func TestDrain_GraceEnds(t *testing.T) {
	addr, stop := start(t, &Server{Limits: Limits{DrainGrace: time.Millisecond}, Handler: handlerFunc(echo)})
	c := dial(t, addr)
	stop()
	if b, err := io.ReadAll(c); len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
}
