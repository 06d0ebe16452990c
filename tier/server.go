package tier

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// path is where edges are asked, and the version of how.
const path = "/warmfront/tier/1"

// connsFor is how many connections there may be for each question that there may be: edges keep some that wait for work, and
// anybody can begin a handshake.
const connsFor = 2

// Server takes the questions of other edges. All members are required.
type Server struct {
	Listener net.Listener
	TLS      *tls.Config // demands a certificate
	// Who names the edge at the other end; false: it may not ask.
	Who    func(*tls.ConnectionState) (edge string, ok bool)
	Handle func(ctx context.Context, from string, a *Ask, w *Writer)
	Most   int // questions at once
	Drain  time.Duration
	Logger *slog.Logger
}

// Run serves until ctx ends, and then lets answers that have begun end for at most Drain.
//
// Goroutines: net/http's, and one for each question that beats. All are waited for.
func (s *Server) Run(ctx context.Context) error {
	places := make(chan struct{}, s.Most)
	var busy sync.WaitGroup
	var open atomic.Int64
	h := &http.Server{
		ConnState: func(c net.Conn, is http.ConnState) {
			switch is {
			case http.StateNew:
				if open.Add(1) > int64(connsFor*s.Most) {
					c.Close()
				}
			case http.StateClosed:
				open.Add(-1)
			}
		},
		TLSConfig: s.TLS.Clone(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10,
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 only
		ErrorLog:     log.New(io.Discard, "", 0),                               // who does not get through the handshake is nobody's news
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			busy.Add(1)
			defer busy.Done()
			s.serve(w, r, places)
		}),
	}
	h.TLSConfig.NextProtos = []string{"http/1.1"}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Drain)
		defer cancel()
		err := h.Shutdown(late)
		if err != nil {
			err = h.Close()
		}
		stopped <- err
	})
	err := h.ServeTLS(s.Listener, "", "")
	if stop() {
		h.Close()
		busy.Wait()
		return err // it could not go on
	}
	err = <-stopped
	busy.Wait()
	return err
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, places chan struct{}) {
	from, ok := s.Who(r.TLS)
	switch {
	case !ok:
		http.Error(w, "this edge is not known here", http.StatusForbidden)
		return
	case r.Method != http.MethodPost || r.URL.Path != path:
		http.Error(w, "edges ask with POST "+path, http.StatusNotFound)
		return
	}
	out := &Writer{w: w, c: http.NewResponseController(w), quiet: make(chan struct{})}
	out.c.SetReadDeadline(time.Now().Add(askLimit)) // an error shows in the read
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxAsk))
	if err != nil {
		http.Error(w, "the question is too long, or not whole", http.StatusBadRequest)
		return
	}
	out.c.SetReadDeadline(time.Time{}) // from here on a read only waits for whoever asks to go away
	w.Header().Set("Content-Type", "application/octet-stream")
	a, err := decodeAsk(body)
	if err != nil {
		out.Head(&Head{Refused: Unclear})
		return
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	default:
		out.Head(&Head{Refused: Busy})
		return
	}
	var beats sync.WaitGroup
	beats.Go(out.beat)
	defer beats.Wait()
	defer out.silence()
	s.handle(r.Context(), from, a, out)
	if out.broken() {
		panic(http.ErrAbortHandler) // the connection goes, and with it what would look whole
	}
}

// handle contains a mistake of ours to the question: its answer is cut.
func (s *Server) handle(ctx context.Context, from string, a *Ask, w *Writer) {
	defer func() {
		if p := recover(); p != nil {
			w.Cut()
			s.Logger.Error("BUG: an answer to another edge panicked", "panic", p, "from", from,
				"distribution", a.Distribution, "path", a.Request.Path, "stack", string(debug.Stack()))
		}
	}()
	s.Handle(ctx, from, a, w)
}

// Writer takes an answer. It is used by one goroutine.
type Writer struct {
	w     http.ResponseWriter
	c     *http.ResponseController
	quiet chan struct{} // closed when there is nothing to beat for
	once  sync.Once

	mu   sync.Mutex // held while a frame is written
	err  error      // guarded by mu
	head bool       // guarded by mu: it is sent
	over bool       // guarded by mu: the end is sent
	cut  bool       // guarded by mu
}

// Head sends the head. A refusal or a failure is all of an answer.
func (w *Writer) Head(h *Head) error {
	b, err := h.encode()
	if err == nil && len(b) > MaxHead {
		err = errors.New("tier: the head is too long")
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.head = true
	w.mu.Unlock()
	if err := w.frame(frameHead, b); err != nil {
		return err
	}
	return w.Flush()
}

// Write sends octets of the body.
func (w *Writer) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		part := p[n:min(len(p), n+maxBody)]
		if err = w.frame(frameBody, part); err == nil {
			n += len(part)
		}
	}
	return n, err
}

// End says that the body was whole.
func (w *Writer) End() error {
	w.silence()
	return w.frame(frameEnd, nil)
}

// Cut says that it was not.
func (w *Writer) Cut() {
	w.mu.Lock()
	w.cut = true
	w.mu.Unlock()
}

// Flush sends what was written.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = w.c.Flush()
	}
	return w.err
}

func (w *Writer) frame(kind byte, p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if w.over { // a beat that has waited until the end was written: behind it nothing would be whole
		return nil
	}
	w.over = kind == frameEnd
	w.c.SetWriteDeadline(time.Now().Add(writeLimit)) // an error shows in the write
	h := frameOf(kind, len(p))
	if _, w.err = w.w.Write(h[:]); w.err == nil && len(p) > 0 {
		_, w.err = w.w.Write(p)
	}
	return w.err
}

// beat says that the edge lives, until silence.
func (w *Writer) beat() {
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	for {
		select {
		case <-w.quiet:
			return
		case <-t.C:
			if w.frame(frameBeat, nil) != nil || w.Flush() != nil {
				return
			}
		}
	}
}

func (w *Writer) silence() { w.once.Do(func() { close(w.quiet) }) }

// broken tells whether the answer must not look whole.
func (w *Writer) broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil || w.cut || !w.head
}
