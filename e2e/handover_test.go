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

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// TestHandover_NoRequestFails restarts an edge under load, as a supervisor does that holds its socket (systemd's socket units):
// SIGTERM, the end, the next process. Not one request may fail, of viewers that keep their connections as long as they may and of
// viewers that connect anew for each request, by http and https, HTTP/2 and HTTP/3 too; none of them asks twice. Of HTTP/2 and of HTTP/3 two viewers share a
// connection: what the edge has told them not to have looked at, by GOAWAY or by H3_REQUEST_REJECTED, they may ask on another. Who connects by HTTP/3 while no
// process answers says its hello again, and the next one does.
func TestHandover_NoRequestFails(t *testing.T) {
	const restarts, kinds, each, between = 3, 4, 4, 100
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
	if err := w.create("d", map[string]string{"origin": "site", "version": "http2and3"}); err != nil {
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
	var answers [kinds]atomic.Int64
	stop, failed := make(chan struct{}), make(chan error, kinds*each)
	var all sync.WaitGroup
	shared := multiplexed(s.sockets[1].Addr().String(), d.domain)
	defer shared.CloseIdleConnections()
	quick := multiplexedByQUIC(s.packets.LocalAddr().String(), d.domain)
	defer quick.Close()
	for i := range kinds * each {
		kind := i / each
		v := &strict{address: s.sockets[min(kind, 1)].Addr().String(), host: d.domain, anew: i%2 == 0, secure: kind >= 1}
		switch kind {
		case 2:
			v.shared = shared
		case 3:
			v.quick = quick
		}
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := v.ask(fmt.Sprintf("/page/%d", n%20)); err != nil {
					failed <- fmt.Errorf("request %d of a viewer, anew %t, https %t, HTTP/2 %t, HTTP/3 %t: %w", n, v.anew, v.secure, v.shared != nil, v.quick != nil, err)
					return
				}
				answers[kind].Add(1)
			}
		})
	}
	more := func() { // of each kind
		t.Helper()
		for i := range answers {
			least := answers[i].Load() + between
			err := w.until(patience, func() (bool, error) {
				select {
				case err := <-failed:
					return false, err
				default:
					return answers[i].Load() >= least, nil
				}
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
	for range restarts {
		more()
		if err := s.restart(); err != nil {
			t.Fatal(err)
		}
	}
	more()
	close(stop)
	all.Wait()
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
	t.Logf("requests by http, https, HTTP/2 and HTTP/3: %d, %d, %d, %d; %d restarts", answers[0].Load(), answers[1].Load(), answers[2].Load(), answers[3].Load(), restarts)
}

// supervisor holds an edge's sockets, for http, https and HTTP/3, and starts the edge with them.
type supervisor struct {
	w       *world
	sockets [2]net.Listener
	packets *net.UDPConn // on the port of the second
	files   [3]*os.File
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
	var err error
	if s.packets, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(s.sockets[1].Addr().(*net.TCPAddr).AddrPort())); err != nil {
		return nil, err
	}
	s.files[2], err = s.packets.File()
	return s, err
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
		cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ LISTEN_FDS=3 exec "$@"`, "sh", name}, args...)...)
		cmd.ExtraFiles = s.files[:] // descriptors 3 to 5
		cmd.Env = append(os.Environ(), "WARMFRONT_EDGE_TOKEN="+token)
		return cmd
	}
	var err error
	s.edge, err = launchWith(command, dir, []string{"edge", "--http", s.sockets[0].Addr().String(), "--https", s.sockets[1].Addr().String(),
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
	for _, f := range s.files {
		f.Close()
	}
	for _, l := range s.sockets {
		l.Close()
	}
	s.packets.Close()
}

// strict is a viewer that asks nothing twice: a request that is not answered has failed.
type strict struct {
	address, host string
	anew          bool             // a connection for each request
	secure        bool             // by https
	shared        *http.Transport  // by HTTP/2; with anew one of its own
	quick         *http3.Transport // by HTTP/3; the same
	conn          net.Conn
	in            *bufio.Reader
}

func (v *strict) ask(path string) (err error) {
	if v.shared != nil || v.quick != nil {
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

// multiplexedByQUIC speaks HTTP/3 with an edge.
func multiplexedByQUIC(address, host string) *http3.Transport {
	return &http3.Transport{
		TLSClientConfig: &tls.Config{ServerName: host, InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}},
		QUICConfig:      &quic.Config{HandshakeIdleTimeout: patience},
		Dial: func(ctx context.Context, _ string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, address, t, q)
		},
	}
}

func (v *strict) askMultiplexed(path string) error {
	by, major := http.RoundTripper(v.shared), 2
	switch {
	case v.quick != nil && v.anew:
		own := multiplexedByQUIC(v.address, v.host)
		defer own.Close()
		by, major = own, 3
	case v.quick != nil:
		by, major = v.quick, 3
	case v.anew:
		own := multiplexed(v.address, v.host)
		defer own.CloseIdleConnections()
		by = own
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
	if resp.ProtoMajor != major {
		return fmt.Errorf("an answer by %s", resp.Proto)
	}
	return whole(resp)
}
