package e2e

import (
	"bufio"
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
	"time"
)

// TestHandover_NoRequestFails restarts an edge under load, as a supervisor does that holds its socket (systemd's socket units):
// SIGTERM, the end, the next process. Not one request may fail, of viewers that keep their connections as long as they may and of
// viewers that connect anew for each request; none of them asks twice.
func TestHandover_NoRequestFails(t *testing.T) {
	const restarts, viewers, between = 3, 6, 300
	w := newWorld(t.TempDir())
	defer w.close()
	site, err := newSite(&versions{})
	if err != nil {
		t.Fatal(err)
	}
	defer site.close()
	w.origins["site"] = &origin{l: site.l}
	if err := w.startControl([]string{"control", "--control", "127.0.0.1:0", "--journal", "127.0.0.1:0"}); err != nil {
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
	s, err := holdSocket(w)
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
	for i := range viewers {
		v := &strict{address: s.l.Addr().String(), host: d.domain, anew: i%2 == 0}
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := v.ask(fmt.Sprintf("/page/%d", n%20)); err != nil {
					failed <- fmt.Errorf("request %d of a viewer, anew %t: %w", n, v.anew, err)
					return
				}
				answers.Add(1)
			}
		})
	}
	reach := func(n int64) {
		t.Helper()
		err := w.until(time.Minute, func() (bool, error) {
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

// supervisor holds an edge's socket, and starts the edge with it.
type supervisor struct {
	w    *world
	l    net.Listener
	file *os.File
	edge *process
}

func holdSocket(w *world) (*supervisor, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f, err := l.(*net.TCPListener).File()
	return &supervisor{w: w, l: l, file: f}, err
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
		cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh", name}, args...)...)
		cmd.ExtraFiles = []*os.File{s.file} // descriptor 3
		cmd.Env = append(os.Environ(), "WARMFRONT_EDGE_TOKEN="+token)
		return cmd
	}
	var err error
	s.edge, err = launchWith(command, dir, []string{"edge", "--http", s.l.Addr().String(), "--https", "off", "--drain-grace", "5s", "--cache-size", "32MiB"})
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
	s.file.Close()
	s.l.Close()
}

// strict is a viewer that asks nothing twice: a request that is not answered has failed.
type strict struct {
	address, host string
	anew          bool // a connection for each request
	conn          net.Conn
	in            *bufio.Reader
}

func (v *strict) ask(path string) (err error) {
	if v.conn == nil {
		if v.conn, err = net.Dial("tcp", v.address); err != nil {
			return err
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
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != 200:
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	case len(body) == 0:
		return errors.New("an answer without a body")
	}
	if resp.Close || v.anew {
		v.conn.Close()
		v.conn = nil
	}
	return nil
}
