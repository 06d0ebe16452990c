package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// doorGrace is how long, at a stop, who keeps a connection to the control listener may still ask on it: the answer says that it is the last. Without that a
// request that comes just then finds its connection closed, and many who ask do not ask twice what is no GET.
const doorGrace = 500 * time.Millisecond

// serveHTTP runs an HTTP server on a listener until ctx ends. Then nobody may connect any more, each connection has so long for its next request, and
// answers in flight finish.
func serveHTTP(s *http.Server, l net.Listener, grace time.Duration) func(context.Context) error {
	var last lastAnswers
	last.serve(s)
	return func(ctx context.Context) error {
		done := make(chan error, 1)
		go func() { done <- s.Serve(l) }()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
		}
		none := last.begin()
		l.Close()
		err := <-done
		wait := time.NewTimer(grace)
		defer wait.Stop()
		select {
		case <-none:
		case <-wait.C:
		}
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(drain); err != nil {
			s.Close()
		}
		if !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// lastAnswers has a server say with each answer, from some moment on, that it is its connection's last. The zero value is ready.
type lastAnswers struct {
	mu   sync.Mutex
	open int           // connections; guarded by mu
	none chan struct{} // closed when there is no connection any more; nil: it has not begun. Guarded by mu
}

func (x *lastAnswers) serve(s *http.Server) {
	then, moved := s.Handler, s.ConnState
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x.begun() {
			w.Header().Set("Connection", "close")
		}
		then.ServeHTTP(w, r)
	})
	s.ConnState = func(c net.Conn, to http.ConnState) {
		if moved != nil {
			moved(c, to)
		}
		switch to {
		case http.StateNew:
			x.count(1)
		case http.StateClosed, http.StateHijacked:
			x.count(-1)
		}
	}
}

func (x *lastAnswers) begun() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.none != nil
}

func (x *lastAnswers) count(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open += n; x.open == 0 && x.none != nil {
		close(x.none)
		x.none = make(chan struct{}) // one more may have been accepted just before
	}
}

// begin returns a channel that is closed when the last connection has ended.
func (x *lastAnswers) begin() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.none = make(chan struct{})
	if none := x.none; x.open == 0 {
		close(none)
		x.none = make(chan struct{})
		return none
	}
	return x.none
}
