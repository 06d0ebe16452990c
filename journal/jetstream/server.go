package jetstream

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// maxPayload is what the engine takes as one message: an entry and its headers.
const maxPayload = 1 << 20

// options are the engine's.
func options(c Config) (*server.Options, error) {
	o := &server.Options{
		ServerName: "warmfront",
		DontListen: c.Listen == "",
		NoSigs:     true, // signals are the process's

		JetStream:              c.External == nil,
		StoreDir:               c.Dir,
		SyncAlways:             !c.bulk,
		DisableJetStreamBanner: true,
		// The real limit is Reserve. A quota taken from what is free at the start would shrink the log
		// by what it holds already.
		JetStreamMaxStore:  1 << 50,
		JetStreamMaxMemory: 64 << 20,

		MaxPayload:    maxPayload,
		WriteDeadline: 5 * time.Second,
		PingInterval:  5 * time.Second,
		MaxPingsOut:   2,

		// Of another node that is away the first line, and one each two minutes; several a second would hide all others.
		ReconnectErrorReports: 120,
	}
	if c.Listen != "" {
		host, port, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return nil, fmt.Errorf("%w: listen address %q: %w", ErrConfig, c.Listen, err)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, fmt.Errorf("%w: listen address %q is not a loopback address; without authentication others must not reach the journal", ErrConfig, c.Listen)
		}
		if o.Port, err = enginePort(port); err != nil {
			return nil, fmt.Errorf("%w: listen address %q: %w", ErrConfig, c.Listen, err)
		}
		o.Host = host
	}
	return o, nil
}

// enginePort is a port as the engine wants it: its zero is the default one, not a free one.
func enginePort(port string) (int, error) {
	n, err := strconv.Atoi(port)
	if n == 0 && err == nil {
		n = server.RANDOM_PORT
	}
	return n, err
}

// startTimeout bounds the engine's start; reading a large store after a crash takes seconds.
const startTimeout = 2 * time.Minute

// startServer starts the engine and asserts that it is what the protocol needs.
func startServer(c Config, g *guard) (*server.Server, error) {
	o, err := options(c)
	if err == nil && g != nil {
		err = g.options(o)
	}
	if err == nil && c.Cluster != nil {
		err = c.Cluster.options(o)
	}
	if err != nil {
		return nil, err
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEngine, err)
	}
	l := &logger{log: c.Logger}
	srv.SetLoggerV2(l, false, false, false)
	if g != nil {
		g.begin(srv)
	}
	srv.Start()
	// With a logger of our own a fatal error does not exit the process: it just leaves a server that is
	// not up. So everything is asked.
	if !ready(srv, l) || c.External == nil && !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("%w on %s: %s", ErrEngine, c.Dir, l.worst())
	}
	if c.External != nil { // what it is told to be, External.Check has made sure of
		return srv, nil
	}
	if err := assertDurable(srv); err != nil && !c.bulk {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, err
	}
	return srv, nil
}

// ready waits until the engine takes connections, or has said that it never will. It has read its store by
// then.
func ready(srv *server.Server, l *logger) bool {
	for end := time.Now().Add(startTimeout); time.Now().Before(end); {
		if srv.ReadyForConnections(100 * time.Millisecond) {
			return true
		}
		if l.fatal.Load() {
			return false
		}
	}
	return false
}

// assertDurable checks that the running engine, not just our wish, syncs each append.
func assertDurable(srv *server.Server) error {
	z, err := srv.Jsz(&server.JSzOptions{Config: true})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEngine, err)
	}
	if !z.Config.SyncAlways {
		return fmt.Errorf("%w: the engine runs without sync_always", ErrUnsafe)
	}
	return nil
}

// logger adapts the engine's log to slog. Its notices are for its own operators, hence debug.
type logger struct {
	log   *slog.Logger
	fatal atomic.Bool // the engine would have ended the process

	mu   sync.Mutex
	last string // the last error, for the message when the start fails
}

func (l *logger) Noticef(f string, v ...any) { l.write(slog.LevelDebug, f, v) }
func (l *logger) Warnf(f string, v ...any)   { l.write(slog.LevelWarn, f, v) }
func (l *logger) Errorf(f string, v ...any)  { l.write(severity(f), f, v) }
func (l *logger) Debugf(string, ...any)      {}
func (l *logger) Tracef(string, ...any)      {}

// severity of what the engine calls an error: that a stranger knocks, or one who was removed, nobody must mend; and of a control
// node that is away, the others say what that means.
func severity(f string) slog.Level {
	for _, mild := range []string{"authentication error", "TLS handshake error", "connect to route", "Error flushing"} {
		if strings.Contains(f, mild) {
			return slog.LevelWarn
		}
	}
	return slog.LevelError
}

// Fatalf does not exit: that is for main to decide.
func (l *logger) Fatalf(f string, v ...any) {
	l.write(slog.LevelError, f, v)
	l.fatal.Store(true)
}

func (l *logger) write(level slog.Level, f string, v []any) {
	text := strings.TrimSpace(fmt.Sprintf(f, v...))
	if level == slog.LevelError {
		l.mu.Lock()
		l.last = text
		l.mu.Unlock()
	}
	l.log.Log(context.Background(), level, "journal engine", "says", text)
}

func (l *logger) worst() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" {
		return "it gave no reason"
	}
	return l.last
}
