package httpserver

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/warmfront/warmfront/internal/h3"
)

func TestH3_Times(t *testing.T) {
	short := 100 * time.Millisecond
	for name, c := range map[string]struct {
		limits Limits
		send   []byte // on a stream that stays open
		want   string
	}{
		"a head that does not come":      {Limits{ReadHeaderTimeout: short}, asked()[:10], "cut 0x10d"},
		"a body that does not come":      {Limits{ReadBodyTimeout: short}, append(asked(":method=POST"), data("abc")[:3]...), "status=408 "},
		"a body of which nobody is told": {Limits{ReadBodyTimeout: short}, asked(":method=POST", "content-length=2"), "status=408 "},
		"a request without body or end":  {Limits{ReadBodyTimeout: short}, asked(), "status=408 "},
		"a viewer that takes no octets":  {Limits{WriteTimeout: short}, asked(":path=/large"), "status=200 "},
	} {
		t.Run(name, func(t *testing.T) {
			cut := make(chan error, 1)
			v := serveH3(t, &Server{Limits: c.limits, Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
				io.Copy(io.Discard, r.Body)
				if w.Begin(200, nil, -1); r.Path == "/large" {
					_, err := w.Write(make([]byte, 64<<20))
					cut <- err
				}
			})})
			conn := v.conn()
			s, _ := conn.OpenStream()
			s.SetReadDeadline(time.Now().Add(time.Minute))
			s.Write(c.send)
			if strings.Contains(name, "takes no") {
				s.Close()
				if err := <-cut; err == nil {
					t.Error("64 MiB went somewhere")
				}
				return
			}
			if got := answerOn(s); !strings.HasPrefix(got, c.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestH3_AnIdleConnectionEnds(t *testing.T) {
	v := serveH3(t, &Server{Limits: Limits{IdleTimeout: 100 * time.Millisecond}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := quic.DialAddr(ctx, v.addr.String(), v.tls, &quic.Config{MaxIdleTimeout: time.Hour})
	var idle *quic.IdleTimeoutError
	if errors.As(err, &idle) {
		return // before its viewer has got hold of it
	}
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Context().Done(): // the word of it may be lost
	case <-ctx.Done():
		t.Error("it lives on")
	}
}

// A handler that cannot read the body and says nothing is no mistake: the engine knows what was wrong.
func TestH3_SilenceOverASlowBody(t *testing.T) {
	silent := handlerFunc(func(_ context.Context, _ ResponseWriter, r *Request) { io.Copy(io.Discard, r.Body) })
	v := serveH3(t, &Server{Handler: silent, Limits: Limits{ReadBodyTimeout: 100 * time.Millisecond}})
	s, _ := v.conn().OpenStream()
	s.SetReadDeadline(time.Now().Add(time.Minute))
	s.Write(asked(":method=POST", "content-length=2"))
	if got := answerOn(s); !strings.HasPrefix(got, "status=408 ") {
		t.Errorf("%q", got)
	}
}

func TestH3_ConnectionsAreCounted(t *testing.T) {
	v := serveH3(t, &Server{Limits: Limits{MaxConnsPerClient: 2}})
	first, _ := v.conn(), v.conn()
	try := func() error {
		c, err := quic.DialAddr(t.Context(), v.addr.String(), v.tls, nil)
		if err == nil {
			c.CloseWithError(0, "")
		}
		return err
	}
	var refused *quic.TransportError
	if err := try(); !errors.As(err, &refused) || refused.ErrorCode != quic.ConnectionRefused {
		t.Errorf("a third: %v", err)
	}
	first.CloseWithError(0, "")
	for until := time.Now().Add(time.Minute); try() != nil; {
		if time.Now().After(until) {
			t.Fatal("a place does not become free")
		}
	}
}

// A stream that its viewer resets makes no room before the work on it is over.
func TestH3_ResetsDoNotMakeRoom(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	begun, release := make(chan bool), make(chan bool)
	v := serveH3(t, &Server{Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, _ *Request) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		begun <- true
		<-release
		mu.Lock()
		running--
		mu.Unlock()
	})})
	c := v.conn()
	opened := 0
	for ; opened < 10*maxStreams; opened++ {
		s, err := c.OpenStream()
		if err != nil {
			break
		}
		s.Write(asked())
		s.Close()
		<-begun
		s.CancelRead(quic.StreamErrorCode(h3.RequestCancelled))
	}
	if opened != maxStreams {
		t.Errorf("%d streams were opened", opened)
	}
	close(release)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.OpenStreamSync(ctx); err != nil {
		t.Errorf("no room behind them: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if most > maxStreams {
		t.Errorf("%d handlers ran at once", most)
	}
}

// Requests of all connections together have a limit.
func TestH3_RequestsAreCounted(t *testing.T) {
	begun, release := make(chan bool), make(chan bool)
	v := serveH3(t, &Server{Limits: Limits{MaxConns: 2}, Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		begun <- true
		<-release
		w.Begin(200, nil, 0)
	})})
	a, b := v.conn(), v.conn()
	var streams []*quic.Stream
	for _, c := range []*quic.Conn{a, b} {
		s, err := c.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		s.SetDeadline(time.Now().Add(time.Minute))
		s.Write(asked())
		s.Close()
		<-begun
		streams = append(streams, s)
	}
	if got := ask(t, a, asked()); got != "cut 0x10b" {
		t.Errorf("a third: %q", got)
	}
	close(release)
	for _, s := range streams {
		if got := answerOn(s); !strings.HasPrefix(got, "status=200") {
			t.Errorf("%q", got)
		}
	}
	go func() { <-begun }()
	for until := time.Now().Add(time.Minute); ; {
		got := ask(t, b, asked())
		if strings.HasPrefix(got, "status=200") {
			break
		}
		if got != "cut 0x10b" || time.Now().After(until) {
			t.Fatalf("there is room again: %q", got)
		}
	}
}
