package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server listens and serves. Set the fields, then call Run once; nothing may be changed after that.
// Only Handler and one of Listener and Addr are required.
//
// Underneath is net/http for now, which costs what it knows better than its callers: the order and
// spelling of field names in a request (they come sorted and canonical, "Pragma: no-cache" brings
// a Cache-Control along), the text of unusual statuses, Content-Type in a 304. Nothing outside this
// package can tell otherwise.
type Server struct {
	Listener net.Listener // taken over and closed by Run; nil: Run listens on Addr
	Addr     string       // host:port of a TCP address
	Handler  Handler
	// Refuse writes the answer to what never becomes a request: malformed, too large, one connection
	// too many. It must begin an answer and not block; the connection closes after it. Nil: a line of
	// plain text. It may be called concurrently.
	Refuse func(w ResponseWriter, status int, reason string)
	Limits Limits
	Logger *slog.Logger // nil: slog.Default()
}

// Limits bound what viewers may cost (law L9). A zero field means its default; a negative
// MaxConnsPerClient or timeout means no bound.
type Limits struct {
	MaxHeader         int           // octets of request line and fields; more: 494. Default 32,768
	MaxURI            int           // octets of the request target; more: 414. Default 8,192
	ReadHeaderTimeout time.Duration // first octet to the end of the head, then the connection closes. Default 10 s
	ReadBodyTimeout   time.Duration // wait for the next octets of a request body. Default 30 s
	WriteTimeout      time.Duration // a viewer takes nothing for this long: cut. Default 60 s
	IdleTimeout       time.Duration // between two requests. Default 60 s
	MaxConns          int           // more: 503 and closed. Default 16,384
	MaxConnsPerClient int           // per IPv4 address or IPv6 /64; more: 503 and closed. Default: no bound
	DrainTimeout      time.Duration // answers in flight may take this long after Run's ctx ends. Default 10 s
}

// Reasons given to Refuse.
const (
	ReasonMalformed   = "malformed request"
	ReasonBadHost     = "malformed host"
	ReasonURITooLong  = "request target too long"
	ReasonHeaderLarge = "request header too large"
	ReasonVersion     = "http version not supported"
	ReasonEncoding    = "transfer encoding not supported"
	ReasonTooMany     = "too many connections"
	ReasonInternal    = "internal error"
)

// statusHeaderTooLarge is CloudFront's status for a request over its 32,768 octets; no RFC knows it.
const statusHeaderTooLarge = 494

func (l Limits) withDefaults() Limits {
	size := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	wait := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	size(&l.MaxHeader, 32768)
	size(&l.MaxURI, 8192)
	size(&l.MaxConns, 16384)
	size(&l.MaxConnsPerClient, -1)
	wait(&l.ReadHeaderTimeout, 10*time.Second)
	wait(&l.ReadBodyTimeout, 30*time.Second)
	wait(&l.WriteTimeout, 60*time.Second)
	wait(&l.IdleTimeout, 60*time.Second)
	wait(&l.DrainTimeout, 10*time.Second)
	return l
}

// Run serves until ctx ends, then drains: no new connection, no new request, answers in flight go on
// for Limits.DrainTimeout, then their contexts end and their connections are cut. It returns nil after
// a drain, and an error when it could not listen or accept.
func (s *Server) Run(ctx context.Context) error {
	if s.Handler == nil {
		return errors.New("httpserver: no handler")
	}
	l, err := s.listen(ctx)
	if err != nil {
		return err
	}
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	e := &engine{
		handler: s.Handler,
		refuse:  s.Refuse,
		limits:  s.Limits.withDefaults(),
		log:     s.Logger,
	}
	if e.refuse == nil {
		e.refuse = refusePlain
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	e.gate = newGate(l, e)
	hs := e.server(base)

	served := make(chan error, 1)
	go func() { served <- hs.Serve(e.gate) }()
	select {
	case err = <-served:
		err = fmt.Errorf("httpserver: accept on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	e.drain(hs, cut)
	if err == nil {
		<-served
	}
	e.gate.refusers.Wait() // only now: the accept loop that starts them has ended
	return err
}

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	if s.Listener != nil {
		return s.Listener, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return nil, fmt.Errorf("httpserver: %w", err)
	}
	return l, nil
}

// engine is one running Server: net/http and the gate in front of it.
type engine struct {
	handler Handler
	refuse  func(ResponseWriter, int, string)
	limits  Limits
	log     *slog.Logger
	gate    *gate

	mu       sync.Mutex
	handling int           // guarded by mu: calls of ServeHTTP
	stopped  chan struct{} // guarded by mu: not nil once no more calls are wanted; closed when the last has ended
}

// begin admits a call of ServeHTTP. A WaitGroup cannot do this: net/http may call while we wait.
func (e *engine) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped != nil {
		return false
	}
	e.handling++
	return true
}

func (e *engine) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.handling--; e.handling == 0 && e.stopped != nil {
		close(e.stopped)
	}
}

// stop admits no more calls and returns a channel that closes when the last one has ended.
func (e *engine) stop() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = make(chan struct{})
	if e.handling == 0 {
		close(e.stopped)
	}
	return e.stopped
}

func (e *engine) server(base context.Context) *http.Server {
	return &http.Server{
		Handler:           e,
		ReadHeaderTimeout: e.limits.ReadHeaderTimeout,
		IdleTimeout:       e.limits.IdleTimeout,
		// Twice ours, so that it is the request function that sees most heads that are too large and
		// refuses them with the target in hand.
		MaxHeaderBytes: 2 * e.limits.MaxHeader,
		// OPTIONS * is the handler's, as every other request.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
		BaseContext:                  func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateIdle {
				c.(*conn).idle()
			}
		},
	}
}

// drain ends the engine. The order matters: listener and idle connections first, so that nothing new
// comes in; then the answers in flight by themselves; then what is left by force.
func (e *engine) drain(hs *http.Server, cut context.CancelFunc) {
	e.gate.closeSilent()
	bound, cancel := context.WithCancel(context.Background())
	if e.limits.DrainTimeout > 0 {
		bound, cancel = context.WithTimeout(context.Background(), e.limits.DrainTimeout)
	}
	defer cancel()
	if err := hs.Shutdown(bound); err != nil {
		e.log.Warn("answers cut at the end of the drain", "connections", e.gate.count(), "after", e.limits.DrainTimeout)
	}
	cut()
	hs.Close()
	<-e.stop()
}
