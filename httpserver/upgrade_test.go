package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

const switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nX: 1\r\nConnection: Upgrade\r\n\r\n"

// upgraded is a handler that becomes an echo. ended gets what became of each.
func upgraded(ended chan error) Handler {
	return handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
		s, err := w.(Upgrader).Upgrade(message.Fields{{Name: "Upgrade", Value: "echo"}, {Name: "X", Value: "1"}, {Name: "Connection", Value: "close"}, {Name: "Bad", Value: "a\r\nb"}})
		if err != nil {
			w.Begin(200, nil, int64(len(err.Error())))
			io.WriteString(w, err.Error())
			return
		}
		_, err = io.Copy(s, s)
		if err == nil {
			io.WriteString(s, "bye")
			err = s.CloseWrite()
		}
		if err == nil {
			err = ctx.Err()
		}
		ended <- err
	})
}

// endings are how a test's connection is dialled.
func endings(t *testing.T, h Handler) map[string]net.Conn {
	t.Helper()
	addr, _ := start(t, &Server{Handler: h})
	secure, err := secured(t, &Server{Handler: h}, names{})(&tls.Config{ServerName: "a.test"})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]net.Conn{"plain": dial(t, addr), "by TLS": secure}
}

func TestUpgrade_TheConnectionIsTheHandlers(t *testing.T) {
	ended := make(chan error, 1)
	large := strings.Repeat("0123456789abcdef", 1<<16)
	for how, c := range endings(t, upgraded(ended)) {
		// What comes behind the request in the same read is not lost.
		go io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nGET /not-a-request HTTP/1.1\r\n\r\n"+large)
		want := switched + "GET /not-a-request HTTP/1.1\r\n\r\n" + large
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Errorf("%s: %.200q, %v", how, got, err)
		}
		// A viewer that ends its side still hears.
		c.(interface{ CloseWrite() error }).CloseWrite()
		rest, err := io.ReadAll(c)
		if string(rest) != "bye" || err != nil {
			t.Errorf("%s: the end is %q, %v", how, rest, err)
		}
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", how, err)
		}
	}
}

func TestUpgrade_OnlyWhereThereIsSomething(t *testing.T) {
	addr, _ := start(t, &Server{Handler: upgraded(nil)})
	for name, send := range map[string]string{
		"HTTP/1.0": "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
		"a body":   "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: Upgrade, close\r\nUpgrade: echo\r\n\r\nx",
		"chunks":   "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: Upgrade, close\r\nUpgrade: echo\r\n\r\n0\r\n\r\n",
	} {
		if got := exchange(t, addr, send); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, errNoUpgrade.Error()) {
			t.Errorf("%s: %q", name, got)
		}
	}
	twice := make(chan error, 2)
	addr, _ = start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		w.Begin(200, nil, 0)
		_, err := w.(Upgrader).Upgrade(nil)
		twice <- err
		w.Abort()
		_, err = w.(Upgrader).Upgrade(nil)
		twice <- err
	})})
	exchange(t, addr, get("/"))
	if a, b := <-twice, <-twice; a != errBegun || b != errBegun {
		t.Errorf("behind an answer: %v, %v", a, b)
	}
}

// An upgraded connection has no end that a drain could wait for.
func TestUpgrade_ADrainDoesNotWait(t *testing.T) {
	ended := make(chan error, 1)
	addr, stop := start(t, &Server{Handler: upgraded(ended), Limits: Limits{DrainTimeout: time.Hour}})
	c := dial(t, addr)
	io.WriteString(c, get("/"))
	if _, err := io.ReadFull(c, make([]byte, len(switched))); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != errDraining {
		t.Error(err)
	}
}

// Close wakes whoever waits, in either direction.
func TestUpgrade_CloseWakes(t *testing.T) {
	woken := make(chan error, 2)
	h := handlerFunc(func(_ context.Context, w ResponseWriter, r *Request) {
		s, err := w.(Upgrader).Upgrade(nil)
		if err != nil {
			t.Error(err)
			return
		}
		writes := make(chan bool)
		go func() {
			defer close(writes)
			for { // until the viewer, which takes nothing, is given up
				if _, err := s.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
					woken <- err
					return
				}
			}
		}()
		s.Read(make([]byte, 1))
		go s.Close()
		for {
			if _, err := s.Read(make([]byte, 1)); err != nil {
				woken <- err
				break
			}
		}
		<-writes
	})
	for how, c := range endings(t, h) {
		io.WriteString(c, get("/")+"x")
		for range 2 {
			select {
			case err := <-woken:
				if err == nil || err == io.EOF {
					t.Errorf("%s: %v", how, err)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s: somebody sleeps on", how)
			}
		}
	}
}
