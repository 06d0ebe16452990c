package httpserver

import (
	"context"
	"io"
	"testing"
	"time"
)

// What the kernel keeps for a viewer that takes nothing is its own receive buffer and maxUnsent; without a
// bound it is megabytes.
func TestLimits_SocketOfASlowViewerTakesLittle(t *testing.T) {
	taken := make(chan int, 1)
	addr, _ := start(t, &Server{Limits: Limits{WriteTimeout: 40 * time.Millisecond}, Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		w.Begin(200, nil, 1<<30)
		piece, n := make([]byte, 16<<10), 0
		for {
			if _, err := w.Write(piece); err != nil {
				break
			}
			n += len(piece)
		}
		taken <- n
	})})
	c := dial(t, addr)
	c.(interface{ SetReadBuffer(int) error }).SetReadBuffer(4096)
	io.WriteString(c, get("/"))
	if n := <-taken; n > 4*maxUnsent {
		t.Errorf("%d octets lie in the sockets of a viewer that takes nothing", n)
	}
}
