package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// Server listens and serves. Set the fields, then call Run once; nothing may be changed after that.
// Only Handler and one of Listener and Addr are required.
type Server struct {
	Listener net.Listener // taken over and closed by Run; nil: Run listens on Addr
	Addr     string       // host:port of a TCP address
	Handler  Handler
	Answerer Answerer // nil: every request goes to Handler
	TLS      *TLS     // nil: plain HTTP
	H2C      bool     // HTTP/2 without TLS too, for who begins with it (RFC 9113 section 3.3)
	// Proxied: every connection begins with a header of the PROXY protocol, version 1 or 2, that says whose it is;
	// one that does not is closed. Only a balancer may then be able to connect. HTTP/3 has no such header.
	Proxied bool
	// Packets is a UDP socket for HTTP/3, taken over and closed by Run. It needs TLS. Nil: no HTTP/3.
	Packets net.PacketConn
	// Refuse writes the answer to what never becomes a request: malformed, too large, one connection
	// too many; reason is one of RefusalReasons. It must begin an answer and not block; the connection closes
	// after it. Nil: a line of plain text. It may be called concurrently. Of r, which is valid during the call, there is
	// what the connection says (Remote, Scheme, ServerName, TLS, the version) and the Method, if it could be read. r is
	// nil where a Handler has had the request and can tell of it: its body was broken or late, or it was not answered.
	Refuse func(w ResponseWriter, r *message.Request, status int, reason string)
	// HandshakeFailed is told of each TLS handshake that has begun and failed, over QUIC or TCP, and why: one of the
	// constants Handshake…. It must not block and may be called concurrently. Nil: nobody is told.
	HandshakeFailed func(quic bool, reason string)
	Limits          Limits
	Logger          *slog.Logger // nil: slog.Default()

	running atomic.Pointer[engine] // nil: Run has not begun
}

// Limits bound what viewers may cost (law L9). A zero field means its default; a negative
// MaxConnsPerClient or timeout means no bound.
type Limits struct {
	MaxHeader         int           // octets of request line and fields; more, or more than maxFields lines: 494. Default 32,768
	MaxURI            int           // octets of the request target; more: 414. Default 8,192
	ReadHeaderTimeout time.Duration // first octet to the end of the head, then the connection closes. Default 10 s
	ReadBodyTimeout   time.Duration // wait for the next octets of a request body. Default 30 s
	WriteTimeout      time.Duration // a viewer takes nothing for this long: cut. Default 60 s
	IdleTimeout       time.Duration // between two requests. Default 60 s
	MaxConns          int           // more: 503 and closed. Default 16,384
	MaxConnsPerClient int           // per IPv4 address or IPv6 /64; more: 503 and closed. Default: no bound
	DrainTimeout      time.Duration // answers in flight may take this long after Run's ctx ends and the grace. Default 10 s
	// DrainGrace is how long after Run's ctx has ended a connection of HTTP/1.1 may still bring its next request: it is answered, and
	// told that it is the last. A viewer that has just sent one would find the connection closed instead. Default: none.
	DrainGrace time.Duration
}

// DefaultMaxConns is what MaxConns is when it is not set.
const DefaultMaxConns = 16384

// Reasons given to Refuse.
const (
	ReasonMalformed   = "malformed request"
	ReasonBadHost     = "malformed host"
	ReasonURITooLong  = "request target too long"
	ReasonHeaderLarge = "request header too large"
	ReasonVersion     = "http version not supported"
	ReasonEncoding    = "transfer encoding not supported"
	ReasonTooMany     = "too many connections"
	ReasonSlowBody    = "request body not sent in time"
	ReasonInternal    = "internal error"
	ReasonPlain       = "plain HTTP on a port for HTTPS"
)

// RefusalReasons lists them all.
func RefusalReasons() []string {
	return []string{ReasonMalformed, ReasonBadHost, ReasonURITooLong, ReasonHeaderLarge, ReasonVersion, ReasonEncoding,
		ReasonTooMany, ReasonSlowBody, ReasonInternal, ReasonPlain}
}

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
	size(&l.MaxConns, DefaultMaxConns)
	size(&l.MaxConnsPerClient, -1)
	wait(&l.ReadHeaderTimeout, 10*time.Second)
	wait(&l.ReadBodyTimeout, 30*time.Second)
	wait(&l.WriteTimeout, 60*time.Second)
	wait(&l.IdleTimeout, 60*time.Second)
	wait(&l.DrainTimeout, 10*time.Second)
	return l
}

// Run serves until ctx ends, then drains: no new connection, after Limits.DrainGrace no new request, answers in flight go on
// for Limits.DrainTimeout, then their contexts end and their connections are cut. It returns nil after
// a drain, and an error when it could not listen or accept. Connections that the kernel has taken and that were not accepted are
// lost, unless another process has the listener's socket too.
//
// Goroutines, all waited for here: the one that accepts, for each socket, the warden, and one for each
// connection, which waits for those that it has.
func (s *Server) Run(ctx context.Context) error {
	switch {
	case s.Handler == nil:
		return errors.New("httpserver: no handler")
	case s.TLS != nil && s.TLS.Certificate == nil:
		return errors.New("httpserver: TLS without certificates")
	case s.Packets != nil && s.TLS == nil:
		return errors.New("httpserver: HTTP/3 without TLS")
	}
	l, err := s.listen(ctx)
	if err != nil {
		return err
	}
	e := s.engine()
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	e.base = base
	s.running.Store(e)

	var h *h3side
	if s.Packets != nil {
		if h, err = e.listenH3(s); err != nil {
			l.Close()
			return err
		}
		e.h3.Store(h)
	}
	stop := make(chan struct{})
	var warden sync.WaitGroup
	warden.Go(func() { e.watch(stop) })
	accepted, ended := make(chan error, 2), make(chan struct{})
	go func() { defer close(ended); accepted <- e.accept(l) }()
	if h != nil {
		go func() { defer close(h.accepted); accepted <- h.accept() }()
	}
	select {
	case err = <-accepted:
		err = fmt.Errorf("httpserver: accept on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	e.leaving.Store(true)
	l.Close()
	if h != nil {
		e.running.Go(h.drain)
	}
	<-ended
	e.drain(cut)
	e.pipes.close()
	close(stop)
	warden.Wait()
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

// engine is one running Server.
type engine struct {
	handler  Handler
	answerer Answerer    // may be nil
	tls      *tls.Config // nil: plain HTTP
	h2c      bool        // HTTP/2 without TLS
	proxied  bool
	refuse   func(ResponseWriter, *message.Request, int, string)
	limits   Limits
	log      *slog.Logger
	failed   func(quic bool, reason string) // of a handshake
	gate     *gate
	base     context.Context // ends when the drain's time is over
	desks    sync.Pool       // of *desk
	shakes   chan struct{}   // a slot for each handshake that is computed
	pipes    pipes
	h3       atomic.Pointer[h3side] // nil: no HTTP/3
	running  sync.WaitGroup         // connections, those that are turned away too
	requests atomic.Int64           // in hand of connections that may have several; see begin
	leaving  atomic.Bool            // each answer of HTTP/1.1 that begins is its connection's last
	draining atomic.Bool            // no request is begun any more
	yields   bool                   // one core: let others go first before reading again; see more
	now      atomic.Int64           // ns since Run began, as of the warden's last round
}

func (s *Server) engine() *engine {
	e := &engine{
		handler:  s.Handler,
		answerer: s.Answerer,
		refuse:   s.Refuse,
		limits:   s.Limits.withDefaults(),
		log:      s.Logger,
		proxied:  s.Proxied,
		failed:   s.HandshakeFailed,
	}
	if e.failed == nil {
		e.failed = func(bool, string) {}
	}
	e.h2c = s.H2C && s.TLS == nil
	if s.TLS != nil {
		e.tls = s.TLS.Config(overTCP...)
	}
	if e.refuse == nil {
		e.refuse = refusePlain
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	e.yields = runtime.GOMAXPROCS(0) == 1
	e.shakes = make(chan struct{}, runtime.GOMAXPROCS(0))
	e.gate = newGate(&e.limits)
	e.desks.New = e.newDesk
	return e
}

// drain ends the connections. Nothing new comes any more: whoever waits for a request is woken and
// leaves; then the answers in flight end by themselves; then what is left by force.
func (e *engine) drain(cut context.CancelFunc) {
	ended := make(chan struct{})
	go func() {
		e.running.Wait()
		close(ended)
	}()
	if e.limits.DrainGrace > 0 {
		t := time.NewTimer(e.limits.DrainGrace)
		defer t.Stop()
		select {
		case <-ended:
		case <-t.C:
		}
	}
	e.draining.Store(true)
	e.gate.each(func(c *conn) { c.nc.SetReadDeadline(past) })
	var bound <-chan time.Time
	if e.limits.DrainTimeout > 0 {
		t := time.NewTimer(e.limits.DrainTimeout)
		defer t.Stop()
		bound = t.C
	}
	select {
	case <-ended:
	case <-bound:
		e.log.Warn("answers cut at the end of the drain", "connections", e.gate.count(), "after", e.limits.DrainTimeout)
		cut()
		e.gate.each(func(c *conn) { c.nc.Close() })
	}
	<-ended
}
