package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Server is the listener for those who watch: /metrics, /healthz, /readyz, /debug/pprof/. It has no
// authentication and belongs on loopback or an inner network. Profiles are for loopback only, wherever
// it listens: they show memory and cost time.
type Server struct {
	Listener net.Listener // taken over and closed by Run; nil: Run listens on Addr
	Addr     string
	Metrics  *Metrics
	Ready    map[string]func() error // by name; all must return nil for /readyz to answer 200
	Logger   *slog.Logger            // nil: slog.Default()
}

// drainTime is how long a scrape in flight may take once Run's ctx has ended.
const drainTime = 2 * time.Second

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	l := s.Listener
	if l == nil {
		var err error
		var lc net.ListenConfig
		if l, err = lc.Listen(ctx, "tcp", s.Addr); err != nil {
			return fmt.Errorf("telemetry: %w", err)
		}
	}
	log := s.Logger
	if log == nil {
		log = slog.Default()
	}
	hs := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       2 * time.Minute, // longer than any usual scrape interval
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// A CPU profile is as long as its ?seconds; it ends with its context.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("telemetry: %w", err)
	case <-ctx.Done():
	}
	bound, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if hs.Shutdown(bound) != nil {
		hs.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("telemetry: %w", err)
	}
	return nil
}

// Handler returns the routes without a listener.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("GET /debug/pprof/", local(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/cmdline", local(pprof.Cmdline))
	mux.HandleFunc("GET /debug/pprof/profile", local(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/symbol", local(pprof.Symbol))
	mux.HandleFunc("GET /debug/pprof/trace", local(pprof.Trace))
	return mux
}

// readyz lists every check, so that whoever is woken by it sees which one.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	names := make([]string, 0, len(s.Ready))
	for name := range s.Ready {
		names = append(names, name)
	}
	slices.Sort(names)
	var text strings.Builder
	status := http.StatusOK
	for _, name := range names {
		if err := s.Ready[name](); err != nil {
			status = http.StatusServiceUnavailable
			fmt.Fprintf(&text, "%s: %s\n", name, strings.TrimPrefix(err.Error(), name+": ")) // the journal's errors begin with its name
		} else {
			fmt.Fprintf(&text, "%s: ok\n", name)
		}
	}
	if status == http.StatusOK {
		text.WriteString("ready\n")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, text.String())
}

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, `<!doctype html><title>Warmfront telemetry</title><h1>Warmfront telemetry</h1><ul>`+
		`<li><a href="/metrics">/metrics</a><li><a href="/healthz">/healthz</a><li><a href="/readyz">/readyz</a><li><a href="/debug/pprof/">/debug/pprof/</a></ul>`)
}

// local admits loopback only.
func local(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		remote, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !remote.Addr().Unmap().IsLoopback() {
			http.Error(w, "profiles are given to loopback only", http.StatusForbidden)
			return
		}
		h(w, r)
	}
}
