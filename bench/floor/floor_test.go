package floor

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/warmfront/warmfront/bench/load"
)

// The bench's own loads take its answers for good ones, the large ones too, which no socket takes at once.
func TestServe_AnswersTheBench(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Serve(ctx, l.(*net.TCPListener), []int{1 << 10, 1 << 20}, 1<<20) }()
	t.Chdir(t.TempDir())
	for size, path := range map[int]string{1 << 10: "/o/1024", 1 << 20: "/o/1048576", 16 << 10: "/d/16384/7"} {
		c := &load.Closed{Address: at, Connections: 16, Requests: load.One(load.Get("x", path), 1), Size: size}
		if err := c.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		o, err := c.Run(t.Context(), 10*time.Millisecond)
		c.Close()
		if err != nil || o.Answers < 16 {
			t.Errorf("%s: %d answers, %v", path, o.Answers, err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
