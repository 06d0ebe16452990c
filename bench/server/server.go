// Package server knows the servers that are measured: how an expert runs each as a cache in front of the
// same origin, where it listens, how to see that it serves, what CPU time and memory its processes use.
//
// Everything is started in a folder of its own below a temporary one, on free ports of 127.0.0.1, pinned to
// the cores that [Env] names, with the same certificate. [Server.Stop] leaves neither process nor port.
//
// What the peers' configurations say beyond the least that makes them cache is tuning, and commented as such.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/warmfront/warmfront/bench/load"
)

// Env is what all servers of a run share.
type Env struct {
	Dir       string  // temporary; each server makes its folder in it
	Binary    string  // Warmfront's
	Origin    *Origin // where misses go
	Files     string  // a folder with the same objects, for the server that has no cache
	Cores     string  // to which servers are pinned, as taskset writes it
	OpenFiles int     // how many each process may have open
	CacheMiB  int     // room of the caches
	Cert      Certificate
}

// Server is one running server. Made by a Start function; its fields do not change.
type Server struct {
	Name    string
	Version string
	Plain   netip.AddrPort // HTTP/1.1
	TLS     netip.AddrPort // HTTP/1.1 and, where HTTP2, HTTP/2; zero: it speaks none
	HTTP2   bool           // found by asking
	Host    string         // of all requests
	Files   bool           // it serves files: nothing of it reaches an origin
	OnDisk  bool           // bodies are not in its own memory

	origin    *Origin
	dir       string
	cores     string
	commands  [][]string // by which it was started
	processes []*process
	rules     rules  // nil: not made for it here
	stopping  func() // nil: nothing to do before the processes end
	stopped   func() // nil: nor after
}

// Start starts one kind of server.
type Start func(ctx context.Context, env Env) (*Server, error)

// ErrNotServed means that this server has no such listener or ability: no failure.
var ErrNotServed = errors.New("does not serve this")

const startTimeout = 40 * time.Second

// begin makes a server's folder and lays the files in it. A name that ends with a slash is a folder.
func begin(env Env, name string, files map[string]string) (*Server, error) {
	s := &Server{Name: name, Host: "bench.localhost", origin: env.Origin, dir: filepath.Join(env.Dir, strings.ReplaceAll(name, " ", "-"))}
	if err := os.RemoveAll(s.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return nil, err
	}
	return s, lay(s.dir, files)
}

func lay(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o777); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// run starts the programs, waits until all listeners give the object, and stops everything on failure.
func (s *Server) run(ctx context.Context, env Env, commands ...[]string) (*Server, error) {
	s.cores, s.commands = env.Cores, commands
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s.serves(ctx)
}

// begin starts the programs.
func (s *Server) begin() error {
	for _, c := range s.commands {
		p, err := start(s.cores, s.dir, c)
		if err != nil {
			s.Stop()
			return err
		}
		s.processes = append(s.processes, p)
	}
	return nil
}

// Restart ends the programs in order and starts them again, on the same ports and with what they have left on disk.
// It does not wait until they serve.
func (s *Server) Restart() error {
	s.Stop()
	return s.begin()
}

// settle is for a program that serves to be done with its start.
const settle = time.Second

// Again is Restart, and waits until they serve, and are done with their start.
func (s *Server) Again(ctx context.Context) error {
	if err := s.Restart(); err != nil {
		return err
	}
	if err := s.answers(ctx, "http://"+s.Plain.String()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(settle):
	}
	return ctx.Err()
}

func (s *Server) serves(ctx context.Context) (*Server, error) {
	err := s.answers(ctx, "http://"+s.Plain.String())
	if err == nil && s.TLS.IsValid() {
		if err = s.answers(ctx, "https://"+s.TLS.String()); err == nil {
			s.HTTP2, err = s.speaksHTTP2(ctx)
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", s.Name, s.explain(err))
		s.Stop()
		return nil, err
	}
	return s, nil
}

// answers waits until the object of 1 KiB comes from there.
func (s *Server) answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: s.Host}}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("not started")
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", url, last)
		case <-tick.C:
		}
		if !s.Alive() {
			return errors.New("it ended at its start")
		}
		req, err := http.NewRequestWithContext(ctx, "GET", url+"/o/1024", nil)
		if err != nil {
			return err
		}
		req.Host = s.Host
		resp, err := client.Do(req)
		if err != nil {
			last = err
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == 200 {
			return nil
		}
		last = errors.New("status " + resp.Status)
	}
}

// speaksHTTP2 asks for it in a handshake. The cipher should be the same everywhere, AES-256 costs more: another is told
// beside the version.
func (s *Server) speaksHTTP2(ctx context.Context) (bool, error) {
	d := tls.Dialer{Config: load.ClientConfig(s.Host, "h2", "http/1.1")}
	c, err := d.DialContext(ctx, "tcp", s.TLS.String())
	if err != nil {
		return false, err
	}
	defer c.Close()
	state := c.(*tls.Conn).ConnectionState()
	if state.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		s.Version += " (" + tls.CipherSuiteName(state.CipherSuite) + ")"
	}
	return state.NegotiatedProtocol == "h2", nil
}

// explain adds the end of what the server printed.
func (s *Server) explain(err error) error {
	for _, p := range s.processes {
		if tail := p.tail(); tail != "" {
			err = fmt.Errorf("%w; %s printed: %s", err, p.name, tail)
		}
	}
	return err
}

// Alive is false when one of the server's programs has ended.
func (s *Server) Alive() bool {
	for _, p := range s.processes {
		if !p.alive() {
			return false
		}
	}
	return true
}

// Stop ends all its processes and waits for them.
func (s *Server) Stop() {
	if s.stopping != nil && len(s.processes) > 0 {
		s.stopping()
	}
	for i := len(s.processes) - 1; i >= 0; i-- {
		s.processes[i].stop()
	}
	if s.stopped != nil && len(s.processes) > 0 {
		s.stopped()
	}
	s.processes = nil
}

// free finds ports for programs that cannot be given listeners.
func free(n int) ([]netip.AddrPort, error) {
	var at []netip.AddrPort
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // after the last was found: all differ
		at = append(at, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return at, nil
}

// version is the first number with dots that the program prints about itself.
func version(name string, args ...string) string {
	out, _ := exec.Command(name, args...).CombinedOutput()
	for _, word := range strings.FieldsFunc(string(out), func(r rune) bool { return r != '.' && (r < '0' || r > '9') }) {
		if strings.Contains(strings.Trim(word, "."), ".") {
			return word
		}
	}
	return ""
}

// must looks for the program.
func must(program, pkg string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%s is not installed (apt-get install %s)", program, pkg)
	}
	return nil
}
