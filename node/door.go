package node

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/cloudfront"
)

// door is the control listener of one of several control nodes: it is open before the journal is, and answers 503, with why, while
// this node is without the others.
type door struct {
	inside atomic.Pointer[http.Handler] // nil: not yet
	why    atomic.Pointer[string]       // what is waited for
	quorum func() error                 // once there is an inside

	mu    sync.Mutex
	asked time.Time
	last  error
}

// What a control node waits for when it waits for nothing else.
const (
	starting = "this control node is starting"
	stopping = "this control node is stopping"
)

func newDoor() *door {
	x := &door{}
	x.waits(starting)
	return x
}

func (x *door) waits(why string) { x.why.Store(&why) }

// open lets requests in.
func (x *door) open(h http.Handler, quorum func() error) {
	x.quorum = quorum
	x.inside.Store(&h)
}

// shut does not any more.
func (x *door) shut() {
	x.waits(stopping)
	x.inside.Store(nil)
}

// quorumEvery is how often a stream of requests makes the engine look.
const quorumEvery = 250 * time.Millisecond

// alone is the quorum's error, of just now.
func (x *door) alone() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if time.Since(x.asked) > quorumEvery {
		x.last, x.asked = x.quorum(), time.Now()
	}
	return x.last
}

func (x *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := x.inside.Load()
	if h == nil {
		unavailable(w, r, *x.why.Load())
		return
	}
	if err := x.alone(); err != nil {
		unavailable(w, r, strings.TrimPrefix(err.Error(), "journal: "))
		return
	}
	(*h).ServeHTTP(w, r)
}

// unavailable says so in the form of the door that was meant.
func unavailable(w http.ResponseWriter, r *http.Request, why string) {
	words := fmt.Sprintf("This control node cannot answer now: %s. Nothing was changed; ask another control node, or this one again.", why)
	w.Header().Set("Retry-After", "2")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case cloudfront.Versioned(r.URL.Path):
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Error><Type>Receiver</Type><Code>ServiceUnavailable</Code><Message>")
		xml.EscapeText(w, []byte(words))
		io.WriteString(w, "</Message></Error></ErrorResponse>\n")
	case strings.HasPrefix(r.URL.Path, "/warmfront/"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		json.NewEncoder(w).Encode(map[string]string{"code": "ServiceUnavailable", "message": words})
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, words+"\n")
	}
}

// controlServer is the server of the control listener.
func (d *process) controlServer(h http.Handler) *http.Server {
	return new(crowd).serve(&http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(d.Logger.Handler(), slog.LevelDebug),
	})
}

// serveDoor opens the control listener, for one of several.
func (d *process) serveDoor(p *phase) {
	d.door = newDoor()
	serve := serveHTTP(d.controlServer(d.door), patient{d.ls.control}, doorGrace)
	p.run(func(ctx context.Context) error { return serve(ctx) })
}
