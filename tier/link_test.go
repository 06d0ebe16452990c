package tier

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// link is a server on the loopback interface, and a client.
type link struct {
	t      *testing.T
	client *Client
	server *Server
	edge   Edge
	stop   func()
}

func selfSigned(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "edge"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// newLink is for a bubble of its own: as long as a server listens at a socket, time stands still there. However slow the machine is, no
// limit of an edge's patience is reached, and who is left alone is so for good. What does not happen ends with go test's limit.
func newLink(t *testing.T, handle func(ctx context.Context, from string, a *Ask, w *Writer)) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pair := selfSigned(t)
	l := &link{t: t, edge: Edge{"LHR50-1", "LHR50", listener.Addr().String()}}
	l.server = &Server{
		Listener: listener, TLS: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert},
		Who:    func(*tls.ConnectionState) (string, bool) { return "FRA50-1", true },
		Handle: handle, Most: 2, Drain: time.Second, Logger: slog.New(slog.DiscardHandler),
	}
	l.client = NewClient(func(string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true}
	})
	return l
}

func (l *link) start() *link {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.server.Run(ctx) }()
	l.stop = func() {
		l.client.Close()
		cancel()
		if err := <-done; err != nil {
			l.t.Errorf("server: %v", err)
		}
	}
	l.t.Cleanup(l.stop)
	return l
}

func (l *link) ask() (*Answer, string, error) {
	a, err := l.client.Ask(l.t.Context(), l.edge, sampleAsk())
	if err != nil || a.Body == nil {
		return a, "", err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a, string(b), err
}

func TestLink_AnswersWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := strings.Repeat("0123456789", 50_000)
		l := newLink(t, func(_ context.Context, from string, a *Ask, w *Writer) {
			if from != "FRA50-1" || a.Request.Query != sampleAsk().Request.Query {
				t.Errorf("from %s: %+v", from, a)
			}
			w.Head(&Head{Status: 200, Length: int64(len(large)), Fields: message.Fields{{Name: "x-SPELLED", Value: "so \xff"}}})
			io.WriteString(w, large)
			w.End()
		}).start()
		for range 3 {
			a, body, err := l.ask()
			if err != nil || body != large || a.Head.Fields[0] != (message.Field{Name: "x-SPELLED", Value: "so \xff"}) {
				t.Fatalf("%d octets, %v", len(body), err)
			}
		}
	})
}

// What was not whole does not look so.
func TestLink_CutShows(t *testing.T) {
	for name, end := range map[string]func(w *Writer){"cut": (*Writer).Cut, "no end": func(*Writer) {}} {
		synctest.Test(t, func(t *testing.T) {
			l := newLink(t, func(_ context.Context, _ string, _ *Ask, w *Writer) {
				w.Head(&Head{Status: 200, Length: -1})
				io.WriteString(w, "half")
				end(w)
			}).start()
			if _, body, err := l.ask(); err == nil {
				t.Errorf("%s: %q looks whole", name, body)
			}
		})
	}
}

func TestLink_Refusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := Behind
		l := newLink(t, func(_ context.Context, _ string, _ *Ask, w *Writer) { w.Head(&Head{Refused: refused}) }).start()
		for _, c := range []struct {
			why  Refusal
			away bool
		}{{Loop, false}, {Elsewhere, false}, {Behind, true}} {
			refused = c.why
			if a, _, err := l.ask(); err != nil || a.Head.Refused != c.why {
				t.Errorf("%+v, %v", a, err)
			}
			if l.client.Away(l.edge) != c.away {
				t.Errorf("%s: left alone: %t", c.why, !c.away)
			}
		}
		if _, _, err := l.ask(); !errors.Is(err, ErrAway) {
			t.Errorf("%v", err)
		}
	})
}

// An edge that nobody is let in to, or that is not there, is left alone.
func TestLink_Lost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, nil)
		l.server.Who = func(*tls.ConnectionState) (string, bool) { return "", false }
		l.start()
		if _, _, err := l.ask(); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("%v", err)
		}
		if !l.client.Away(l.edge) {
			t.Error("it is asked again at once")
		}
		l.edge.Address = "127.0.0.1:1"
		if _, _, err := l.ask(); err == nil || errors.Is(err, ErrAway) {
			t.Errorf("of an edge that has moved: %v", err)
		}
	})
}

// As many questions as may be are answered; one more is refused.
func TestLink_Most(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside, leave := make(chan struct{}), make(chan struct{})
		l := newLink(t, func(_ context.Context, _ string, _ *Ask, w *Writer) {
			inside <- struct{}{}
			<-leave
			w.Head(&Head{Status: 204})
			w.End()
		}).start()
		answers := make(chan error, 2)
		for range 2 {
			go func() {
				_, _, err := l.ask()
				answers <- err
			}()
			<-inside
		}
		if a, _, err := l.ask(); err != nil || a.Head.Refused != Busy {
			t.Errorf("%+v, %v", a, err)
		}
		close(leave)
		for range 2 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
	})
}

// An edge that takes a question and then says nothing is waited for three seconds, and then left alone: for a second, and twice as long each time.
func TestLink_Silent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(func(string) *tls.Config { return nil })
		defer c.Close()
		c.http.DialTLSContext = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go io.Copy(io.Discard, far)
			return near, nil
		}
		e := Edge{"LHR50-1", "LHR50", "127.0.0.1:1"}
		for _, away := range []time.Duration{time.Second, 2 * time.Second} {
			began := time.Now()
			if _, err := c.Ask(t.Context(), e, sampleAsk()); !errors.Is(err, errSilent) || time.Since(began) != silence {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
			for range 2 {
				if _, err := c.Ask(t.Context(), e, sampleAsk()); !errors.Is(err, ErrAway) {
					t.Errorf("asked again: %v", err)
				}
				time.Sleep(away/2 + 1)
			}
			if c.Away(e) {
				t.Errorf("left alone for more than %v", away)
			}
		}
	})
}

// Who waits for a slow origin beats, and is waited for.
func TestLink_Beats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := make(chan struct{})
		l := newLink(t, func(_ context.Context, _ string, _ *Ask, w *Writer) {
			<-begin
			if w.frame(frameBeat, nil) != nil || w.Flush() != nil {
				t.Error("no beat")
			}
			w.Head(&Head{Status: 200, Length: 2})
			w.frame(frameBeat, nil)
			io.WriteString(w, "ok")
			w.End()
		}).start()
		close(begin)
		if _, body, err := l.ask(); err != nil || body != "ok" {
			t.Errorf("%q, %v", body, err)
		}
	})
}

// A beat that was about to be sent when the answer ended does not come behind the end, where it would make the answer
// look broken.
func TestLink_NoBeatBehindTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, func(_ context.Context, _ string, _ *Ask, w *Writer) {
			w.Head(&Head{Status: 200, Length: 2})
			w.Write([]byte("v1"))
			w.End()
			w.frame(frameBeat, nil)
		}).start()
		a, body, err := l.ask()
		if err != nil || body != "v1" || a.Head.Status != 200 {
			t.Errorf("%+v, %q, %v", a, body, err)
		}
	})
}

// The context's end ends the body, and says nothing about the edge.
func TestLink_ContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		l := newLink(t, func(ctx context.Context, _ string, _ *Ask, w *Writer) {
			w.Head(&Head{Status: 200, Length: -1})
			<-ctx.Done()
			close(ended)
		}).start()
		ctx, cancel := context.WithCancel(t.Context())
		a, err := l.client.Ask(ctx, l.edge, sampleAsk())
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := io.ReadAll(a.Body); err == nil {
			t.Error("it looks whole")
		}
		a.Body.Close()
		<-ended
		if l.client.Away(l.edge) {
			t.Error("left alone")
		}
	})
}

// A viewer, without a certificate, does not get as far as HTTP; and nothing else is served.
func TestLink_NothingForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, nil).start()
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		if resp, err := c.Get("https://" + l.edge.Address + path); err == nil {
			t.Errorf("a viewer gets %s", resp.Status)
		}
		c.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{selfSigned(t)}
		resp, err := c.Get("https://" + l.edge.Address + "/")
		if err != nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%v, %v", resp, err)
		}
		if err == nil {
			resp.Body.Close()
		}
		c.CloseIdleConnections()
	})
}

// A question that does not come holds nothing for ever; one that makes the handler panic is cut, and said.
func TestServer_SlowQuestionAndPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pair := selfSigned(t)
		var said strings.Builder
		listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		s := &Server{
			Listener: listener, TLS: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert},
			Who:    func(*tls.ConnectionState) (string, bool) { return "FRA50-1", true },
			Handle: func(context.Context, string, *Ask, *Writer) { panic("no") },
			Most:   2, Drain: time.Second, Logger: slog.New(slog.NewTextHandler(&said, nil)),
		}
		ctx, cancel := context.WithCancel(t.Context())
		var g sync.WaitGroup
		g.Go(func() { s.Run(ctx) })

		ask, _ := sampleAsk().encode()
		for _, sent := range [...]int{10, len(ask)} {
			near, far := net.Pipe()
			listener.conns <- far
			c := tls.Client(near, &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true})
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, len(ask), ask[:sent])
			c.SetReadDeadline(time.Now().Add(time.Minute))
			b, err := io.ReadAll(c)
			if sent == 10 && !strings.HasPrefix(string(b), "HTTP/1.1 400") {
				t.Errorf("half a question: %q, %v", b, err)
			}
			if sent > 10 && (len(b) > 0 || !strings.Contains(said.String(), "panic=no")) {
				t.Errorf("a panic: %q, %v; said %q", b, err, said.String())
			}
			c.Close()
		}
		cancel()
		g.Wait()
	})
}

// pipes is a listener for connections within the process.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// What an origin has said that is no HTTP is no fault of the edge that passes it on.
func TestLink_AnyStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 0
		l := newLink(t, func(_ context.Context, _ string, _ *Ask, w *Writer) {
			w.Head(&Head{Status: status})
			w.End()
		}).start()
		for _, status = range []int{200, 599, 600, 999} {
			if a, _, err := l.ask(); err != nil || a.Head.Status != status {
				t.Errorf("%d: %+v, %v", status, a, err)
			}
			if l.client.Away(l.edge) {
				t.Fatalf("%d: left alone", status)
			}
		}
	})
}

// Who only connects takes no more than there is for all.
func TestLink_Connections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, func(_ context.Context, _ string, _ *Ask, w *Writer) {
			w.Head(&Head{Status: 204})
			w.End()
		}).start()
		ends := func(c net.Conn, within time.Duration) bool {
			c.SetReadDeadline(time.Now().Add(within))
			_, err := c.Read(make([]byte, 1))
			return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
		}
		// The last is ended while the first goes on. On a machine that stood still both have taken too long for a handshake.
		refused := func() bool {
			var all []net.Conn
			for range connsFor*l.server.Most + 1 {
				c, err := net.Dial("tcp", l.edge.Address)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				all = append(all, c)
			}
			return ends(all[len(all)-1], time.Minute) && !ends(all[0], time.Millisecond)
		}
		for tries := 1; !refused(); tries++ {
			if tries == 5 {
				t.Fatal("one connection more is not refused")
			}
		}
		for { // the server hears of it when it reads
			if _, _, err := l.ask(); err == nil {
				break
			}
			l.client.mu.Lock()
			clear(l.client.edges)
			l.client.mu.Unlock()
		}
	})
}

// An edge that is back is asked by all as soon as it beats, though the answer to the first question takes long.
func TestLink_BackWithTheFirstBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leave := make(chan struct{})
		l := newLink(t, func(_ context.Context, _ string, _ *Ask, w *Writer) {
			w.frame(frameBeat, nil)
			w.Flush()
			<-leave
			w.Head(&Head{Status: 204})
			w.End()
		}).start()
		r, _ := l.client.enter(l.edge)
		l.client.leave(r, lost)
		l.client.mu.Lock()
		r.until = time.Now()
		l.client.mu.Unlock()
		done := make(chan error, 1)
		go func() {
			_, _, err := l.ask()
			done <- err
		}()
		for back := false; !back; runtime.Gosched() { // before its answer has come
			l.client.mu.Lock()
			back = r.away == 0 && !r.trying
			l.client.mu.Unlock()
		}
		close(leave)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
