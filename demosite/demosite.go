// Package demosite is the small web site that `warmfront dev` serves as an origin: Isobar, a shop for
// prints of weather that never was. It exists to make caching visible.
//
// Its whole content belongs to an edition. Change publishes the next edition: another weather, other
// colours in the style sheet, other pictures, other prices, and its number everywhere. An edge that
// still holds the old edition can therefore be told at a glance, part by part.
//
// Everything but the API may stay in an edge for a day and in a browser not at all without asking
// (s-maxage against max-age=0), so that what the browser shows is what the edge has.
//
// It listens on loopback only. POST /_change comes from the page by CORS: edges allow only GET, and the
// page knows the origin's own address. Pages from elsewhere are refused.
package demosite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config of a Site.
type Config struct {
	Listener net.Listener // taken over and closed by Run; nil: Run listens on Addr
	Addr     string
	Dir      string // keeps the number of the edition; "": it starts at 1 each time
	URL      string // how a browser reaches the site itself, such as "http://127.0.0.1:8090"; "": from the listener or Addr
	// Hint gives what the page tells about invalidating: the distribution's id and the console's URL.
	// It is asked each time; nil or "" means not known.
	Hint   func() (distribution, console string)
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default()
}

// State is what the site is at.
type State struct {
	Edition      int       `json:"edition"`
	Name         string    `json:"name"`
	Changed      time.Time `json:"changed"`
	Distribution string    `json:"distribution,omitempty"`
	Console      string    `json:"console,omitempty"`
}

// Site serves. It is made by New; its methods may be called concurrently.
type Site struct {
	cfg     Config
	current atomic.Pointer[edition]
	change  sync.Mutex // held while an edition is published
}

// New reads which edition the site is at and renders it. It starts nothing.
func New(cfg Config) (*Site, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	addr := cfg.Addr
	if cfg.Listener != nil {
		addr = cfg.Listener.Addr().String()
	}
	if err := loopbackOnly(addr); err != nil {
		return nil, err
	}
	if cfg.URL == "" {
		cfg.URL = "http://" + addr
	}
	cfg.URL = strings.TrimSuffix(cfg.URL, "/")
	s := &Site{cfg: cfg}
	st, err := s.load()
	if err != nil {
		return nil, err
	}
	e, err := render(st.Edition, st.Changed, cfg.URL)
	if err != nil {
		return nil, err
	}
	s.current.Store(e)
	return s, nil
}

// State tells the edition.
func (s *Site) State() State {
	e := s.current.Load()
	st := State{Edition: e.number, Name: e.sky.Name, Changed: e.changed}
	if s.cfg.Hint != nil {
		st.Distribution, st.Console = s.cfg.Hint()
	}
	return st
}

// Change publishes the next edition. It is on disk before anyone can see it.
func (s *Site) Change() (State, error) {
	s.change.Lock()
	defer s.change.Unlock()
	next := s.current.Load().number + 1
	e, err := render(next, s.cfg.Now(), s.cfg.URL)
	if err != nil {
		return State{}, err
	}
	if err := s.save(e); err != nil {
		return State{}, err
	}
	s.current.Store(e)
	s.cfg.Logger.Info("demonstration site changed", "edition", next, "name", e.sky.Name)
	return s.State(), nil
}

func (s *Site) file() string { return filepath.Join(s.cfg.Dir, "demosite.json") }

// load reads the edition's number. A file that cannot be understood is no reason not to start a
// demonstration: it begins again at 1, and says so.
func (s *Site) load() (State, error) {
	first := State{Edition: 1, Changed: s.cfg.Now()}
	if s.cfg.Dir == "" {
		return first, nil
	}
	b, err := os.ReadFile(s.file())
	if errors.Is(err, os.ErrNotExist) {
		return first, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("demosite: %w", err)
	}
	var st State
	if err := json.Unmarshal(b, &st); err != nil || st.Edition < 1 {
		s.cfg.Logger.Warn("demonstration site begins again at its first edition", "file", s.file(), "err", err)
		return first, nil
	}
	return st, nil
}

// save replaces the file at once, so that a crash leaves the old one or the new one.
func (s *Site) save(e *edition) error {
	if s.cfg.Dir == "" {
		return nil
	}
	b, err := json.Marshal(State{Edition: e.number, Name: e.sky.Name, Changed: e.changed})
	if err != nil {
		return fmt.Errorf("demosite: %w", err)
	}
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("demosite: %w", err)
	}
	f, err := os.CreateTemp(s.cfg.Dir, "demosite-*.tmp")
	if err != nil {
		return fmt.Errorf("demosite: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.file())
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("demosite: %w", err)
	}
	return nil
}

// Run serves until ctx ends.
func (s *Site) Run(ctx context.Context) error {
	l := s.cfg.Listener
	if l == nil {
		var err error
		var lc net.ListenConfig
		if l, err = lc.Listen(ctx, "tcp", s.cfg.Addr); err != nil {
			return fmt.Errorf("demosite: %w", err)
		}
	}
	hs := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute, // longer than edges keep connections, so that it is they who close
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("demosite: %w", err)
	case <-ctx.Done():
	}
	bound, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if hs.Shutdown(bound) != nil {
		hs.Close()
	}
	<-served
	return nil
}

// Change asks the site at addr (host:port) to publish its next edition: what the page's button does,
// for the command line.
func Change(ctx context.Context, addr string) (State, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/_change", nil)
	if err != nil {
		return State{}, fmt.Errorf("demosite: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return State{}, fmt.Errorf("demosite: is `warmfront dev` running? %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return State{}, fmt.Errorf("demosite: %w", err)
	}
	var st State
	if resp.StatusCode != http.StatusOK || json.Unmarshal(b, &st) != nil {
		return State{}, fmt.Errorf("demosite: %s does not answer like the demonstration site: %s: %.200s", addr, resp.Status, b)
	}
	return st, nil
}
