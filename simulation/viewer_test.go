package simulation

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
)

// viewer asks one edge for one path after the other.
func (w *world) viewer(n *edgeNode) {
	r := w.luckOf(n.name + " viewer")
	var asking sync.WaitGroup
	path := 0
	defer asking.Wait()
	for !w.ended() {
		if r.one(3) { // somebody else asks a moment later
			pause(time.Microsecond + r.within(time.Millisecond))
		} else {
			pause(r.within(400 * time.Millisecond))
		}
		p := n.asks()
		if p == nil {
			continue
		}
		if r.one(2) {
			path = r.n(paths)
		}
		a := &asked{process: p, path: path}
		if r.one(4) {
			a.slow = r.within(900 * time.Millisecond) // its socket, within D
		}
		asking.Go(func() {
			defer p.asked.Done()
			w.stands(n.name)
			ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
			defer cancel()
			p.edge.Serve(ctx, a, a.request())
		})
	}
}

// asked is one request, and the httpserver.ResponseWriter for its answer.
type asked struct {
	*process
	path int
	slow time.Duration
}

func (a *asked) request() *httpserver.Request {
	r := &httpserver.Request{Body: strings.NewReader("")}
	r.Method, r.Scheme, r.Host, r.Path, r.Major, r.Minor = "GET", "http", "d1.localhost", "/p"+strconv.Itoa(a.path), 1, 1
	r.Remote = netip.MustParseAddrPort("192.0.2.1:4711")
	r.Fields.Add("Host", r.Host)
	return r
}

// Begin is when the answer is sent: here it is held against the promise.
func (a *asked) Begin(status int, f message.Fields, _ int64) error {
	if a.slow > 0 {
		pause(a.slow)
	}
	if version, err := strconv.ParseInt(f.Get("X-Version"), 10, 64); err == nil && status == 200 {
		a.node.w.check.answered(a.process, a.path, version, strings.HasPrefix(f.Get("X-Cache"), "Hit"))
	}
	return nil
}

func (a *asked) Write(p []byte) (int, error) { return len(p), nil }
func (a *asked) Flush() error                { return nil }
func (a *asked) Abort()                      {}
