package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestHandover_NoRequestFails restarts an edge under load, as a supervisor does that holds its socket (systemd's socket units):
// SIGTERM, the end, the next process. Not one request may fail, of viewers that keep their connections as long as they may and of
// viewers that connect anew for each request, by http and https, HTTP/2 too; none of them asks twice. Of HTTP/2 two viewers share a
// connection: what the edge has told them by GOAWAY not to have looked at, they may ask on another.
func TestHandover_NoRequestFails(t *testing.T) {
	const restarts, viewers, between = 3, 12, 400
	w := newWorld(t.TempDir())
	defer w.close()
	site, err := newSite(&versions{})
	if err != nil {
		t.Fatal(err)
	}
	defer site.close()
	w.origins["site"] = &origin{l: site.l}
	if err := w.startControl(controlAtFixed()); err != nil {
		t.Fatal(err)
	}
	if err := w.create("d", map[string]string{"origin": "site"}); err != nil {
		t.Fatal(err)
	}
	delete(w.origins, "site")
	d, err := w.distribution("d")
	if err != nil {
		t.Fatal(err)
	}
	s, err := holdSockets(w)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	var answers atomic.Int64
	stop, failed := make(chan struct{}), make(chan error, viewers)
	var all sync.WaitGroup
	shared := multiplexed(s.sockets[1].Addr().String(), d.domain)
	defer shared.CloseIdleConnections()
	for i := range viewers {
		v := &strict{address: s.sockets[min(i/4, 1)].Addr().String(), host: d.domain, anew: i%2 == 0, secure: i/4 >= 1}
		if i/4 == 2 {
			v.shared = shared
		}
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := v.ask(fmt.Sprintf("/page/%d", n%20)); err != nil {
					failed <- fmt.Errorf("request %d of a viewer, anew %t, https %t, HTTP/2 %t: %w", n, v.anew, v.secure, v.shared != nil, err)
					return
				}
				answers.Add(1)
			}
		})
	}
	reach := func(n int64) {
		t.Helper()
		err := w.until(patience, func() (bool, error) {
			select {
			case err := <-failed:
				return false, err
			default:
				return answers.Load() >= n, nil
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
	for range restarts {
		reach(answers.Load() + between)
		if err := s.restart(); err != nil {
			t.Fatal(err)
		}
	}
	reach(answers.Load() + between)
	close(stop)
	all.Wait()
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
	t.Logf("%d requests, %d restarts", answers.Load(), restarts)
}

// supervisor holds an edge's sockets, for http and https, and starts the edge with them.
type supervisor struct {
	w       *world
	sockets [2]net.Listener
	files   [2]*os.File
	edge    *process
}

func holdSockets(w *world) (*supervisor, error) {
	s := &supervisor{w: w}
	for i := range s.sockets {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		s.sockets[i] = l
		if s.files[i], err = l.(*net.TCPListener).File(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *supervisor) start() error {
	token := "" // what was used once is left where it was, as in a unit
	dir := filepath.Join(s.w.dir, "FRA50-1")
	if s.edge == nil {
		var err error
		if token, err = s.w.token("FRA50-1"); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"`, "sh", name}, args...)...)
		cmd.ExtraFiles = s.files[:] // descriptors 3 and 4
		cmd.Env = append(os.Environ(), "WARMFRONT_EDGE_TOKEN="+token)
		return cmd
	}
	var err error
	s.edge, err = launchWith(command, dir, []string{"edge", "--http", s.sockets[0].Addr().String(), "--https", s.sockets[1].Addr().String(), "--http3=false",
		"--drain-grace", "5s", "--cache-size", "32MiB"})
	return err
}

func (s *supervisor) restart() error {
	if err := s.edge.stop(); err != nil {
		return err
	}
	return s.start()
}

func (s *supervisor) close() {
	if s.edge != nil {
		s.edge.kill()
	}
	for i := range s.sockets {
		s.files[i].Close()
		s.sockets[i].Close()
	}
}

// strict is a viewer that asks nothing twice: a request that is not answered has failed.
type strict struct {
	address, host string
	anew          bool            // a connection for each request
	secure        bool            // by https
	shared        *http.Transport // by HTTP/2; with anew one of its own
	conn          net.Conn
	in            *bufio.Reader
}

func (v *strict) ask(path string) (err error) {
	if v.shared != nil {
		return v.askMultiplexed(path)
	}
	if v.conn == nil {
		if v.conn, err = net.Dial("tcp", v.address); err != nil {
			return err
		}
		if v.secure {
			v.conn = tls.Client(v.conn, &tls.Config{ServerName: v.host, InsecureSkipVerify: true}) // whose it is, others test
		}
		v.in = bufio.NewReader(v.conn)
	}
	if _, err := io.WriteString(v.conn, "GET "+path+" HTTP/1.1\r\nHost: "+v.host+"\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(v.in, nil)
	if err != nil {
		return err
	}
	if err := whole(resp); err != nil {
		return err
	}
	if resp.Close || v.anew {
		v.conn.Close()
		v.conn = nil
	}
	return nil
}

// whole reads an answer, which has to be one.
func whole(resp *http.Response) error {
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != 200:
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	case len(body) == 0:
		return errors.New("an answer without a body")
	}
	return nil
}

// multiplexed speaks HTTP/2 with an edge.
func multiplexed(address, host string) *http.Transport {
	return &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{ServerName: host, InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
	}
}

func (v *strict) askMultiplexed(path string) error {
	by := v.shared
	if v.anew {
		by = multiplexed(v.address, v.host)
		defer by.CloseIdleConnections()
	}
	req, err := http.NewRequest("GET", "https://"+v.host+path, nil)
	if err != nil {
		return err
	}
	resp, err := by.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		return fmt.Errorf("an answer by %s", resp.Proto)
	}
	return whole(resp)
}
