package httpserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

func TestAnswer_Framing(t *testing.T) {
	abc := func(length int64) handlerFunc {
		return func(_ context.Context, w ResponseWriter, r *Request) {
			w.Begin(200, message.Fields{{Name: "ETag", Value: `"x"`}, {Name: "content-length", Value: "99"}, {Name: "Transfer-Encoding", Value: "gzip"}}, length)
			io.WriteString(w, "abc")
		}
	}
	status := func(code int, length int64) handlerFunc {
		return func(_ context.Context, w ResponseWriter, r *Request) { w.Begin(code, nil, length) }
	}
	for _, c := range []struct {
		name, method, proto string
		h                   handlerFunc
		want                string
	}{
		{"length", "GET", "1.1", abc(3), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\nETag: \"x\"\r\n\r\nabc"},
		{"chunked", "GET", "1.1", abc(-1), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\nETag: \"x\"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
		{"no chunks in 1.0", "GET", "1.0", abc(-1), "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: \"x\"\r\n\r\nabc"},
		{"HEAD with length", "HEAD", "1.1", abc(3), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\nETag: \"x\"\r\n\r\n"},
		{"HEAD without", "HEAD", "1.1", abc(-1), "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nETag: \"x\"\r\n\r\n"},
		{"204", "GET", "1.1", status(204, 0), "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n"},
		{"304", "GET", "1.1", status(304, -1), "HTTP/1.1 304 Not Modified\r\nConnection: keep-alive\r\n\r\n"},
		{"empty", "GET", "1.1", status(200, 0), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
		{"empty chunked", "GET", "1.1", status(200, -1), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr, _ := start(t, &Server{Handler: c.h})
			got := exchange(t, addr, c.method+" / HTTP/"+c.proto+"\r\nHost: h\r\n\r\n")
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestAnswer_GivenDateAndTypeAreSentAsGiven(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		w.Begin(200, message.Fields{{Name: "date", Value: "D"}, {Name: "content-type", Value: "T"}, {Name: "Vary", Value: "a"}, {Name: "Vary", Value: "b"}}, 0)
	})})
	got := exchange(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	want := "HTTP/1.1 200 OK\r\ndate: D\r\ncontent-type: T\r\nContent-Length: 0\r\nConnection: keep-alive\r\nVary: a\r\nVary: b\r\n\r\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAnswer_WriterRefusesMisuse(t *testing.T) {
	errs := make(chan []error, 1)
	addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		var got []error
		_, err := w.Write([]byte("x"))
		got = append(got, err, w.Begin(200, nil, 2), w.Begin(200, nil, 2))
		_, err = w.Write([]byte("abc"))
		got = append(got, err)
		_, err = w.Write([]byte("ab"))
		got = append(got, err)
		errs <- got
	})})
	exchange(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	for i, want := range []error{errNotBegun, nil, errBegun, errTooLong, nil} {
		if got := (<-errs); !errors.Is(got[i], want) {
			t.Errorf("call %d: %v, want %v", i, got[i], want)
		} else {
			errs <- got
		}
	}
}

func TestAnswer_CutIsVisible(t *testing.T) {
	for name, h := range map[string]handlerFunc{
		"abort chunked": func(_ context.Context, w ResponseWriter, _ *Request) {
			w.Begin(200, nil, -1)
			io.WriteString(w, "abc")
			w.Flush()
			w.Abort()
		},
		"abort with length": func(_ context.Context, w ResponseWriter, _ *Request) {
			w.Begin(200, nil, 10)
			io.WriteString(w, "abc")
			w.Flush()
			w.Abort()
		},
		"short of the length": func(_ context.Context, w ResponseWriter, _ *Request) {
			w.Begin(200, nil, 10)
			io.WriteString(w, "abc")
		},
		"panic in the body": func(_ context.Context, w ResponseWriter, _ *Request) {
			w.Begin(200, nil, -1)
			io.WriteString(w, "abc")
			w.Flush()
			panic("oh")
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := start(t, &Server{Handler: h})
			resp, err := http.Get("http://" + addr)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || string(b) != "abc" {
				t.Errorf("read %q, %v; want a visible cut", b, err)
			}
		})
	}
}

func TestAnswer_PanicAndSilenceAnswer500(t *testing.T) {
	for name, h := range map[string]handlerFunc{
		"panic":     func(context.Context, ResponseWriter, *Request) { panic("oh") },
		"no answer": func(context.Context, ResponseWriter, *Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := start(t, &Server{Handler: h})
			got := exchange(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 500 Internal Server Error\r\n") || strings.Contains(got, "oh") {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A handler that cannot read the body and says nothing is no mistake: the engine knows what was wrong.
func TestAnswer_SilenceOverABrokenBody(t *testing.T) {
	silent := handlerFunc(func(_ context.Context, _ ResponseWriter, r *Request) { io.Copy(io.Discard, r.Body) })
	var logged strings.Builder
	addr, stop := start(t, &Server{Handler: silent, Limits: Limits{ReadBodyTimeout: 30 * time.Millisecond}, Logger: logTo(&logged)})
	const post = "POST / HTTP/1.1\r\nHost: h\r\n"
	for send, want := range map[string]string{
		post + "Transfer-Encoding: chunked\r\n\r\nx\r\n": "HTTP/1.1 400 Bad Request\r\n",
		post + "Content-Length: 5\r\n\r\nab":             "HTTP/1.1 408 Request Timeout\r\n",
	} {
		c := dial(t, addr)
		io.WriteString(c, send)
		if got, _ := io.ReadAll(c); !strings.HasPrefix(string(got), want) {
			t.Errorf("%q: got %q", send, got)
		}
	}
	stop()
	addr, stop = start(t, &Server{Handler: silent, Logger: logTo(&logged)}) // which does not take who is late for slow
	if got := exchange(t, addr, post+"Content-Length: 5\r\n\r\nab"); got != "" {
		t.Errorf("to a viewer that broke off: %q", got)
	}
	stop()
	if strings.Contains(logged.String(), "BUG") {
		t.Errorf("logged: %s", &logged)
	}
}

func TestAnswer_AbortBeforeBeginSendsNothing(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) { w.Abort() })})
	c := dial(t, addr)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if got, _ := io.ReadAll(c); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

// A stored body may look like anything; it must pass unharmed.
func TestAnswer_BodyThatLooksLikeAnAnswer(t *testing.T) {
	fake := "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request" + strings.Repeat(".", 10000)
	addr, _ := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		w.Begin(200, nil, int64(len(fake)))
		w.Flush()
		io.WriteString(w, fake)
	})})
	got := exchange(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if strings.Count(got, fake) != 2 {
		t.Errorf("the body was changed: %.200q", got)
	}
}

func TestContext_EndsWhenTheViewerLeaves(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	addr, _ := start(t, &Server{Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, _ *Request) {
		close(began)
		<-ctx.Done()
		close(ended)
		w.Abort()
	})})
	c := dial(t, addr)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	c.Close()
	<-ended
}

func TestDrain_FinishesWhatIsInFlight(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	addr, stop := start(t, &Server{Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		w.Begin(200, nil, 2)
		io.WriteString(w, "a")
		w.Flush()
		close(began)
		<-finish
		io.WriteString(w, "b")
	})})
	silent := dial(t, addr) // never sends anything; the drain must not wait for it
	c := dial(t, addr)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	if b, err := io.ReadAll(silent); err != nil || len(b) != 0 {
		t.Errorf("silent connection: %q %v", b, err)
	}
	close(finish)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); string(b) != "ab" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	<-stopped
}

func TestDrain_BoundEndsContextsAndCuts(t *testing.T) {
	began := make(chan struct{})
	addr, stop := start(t, &Server{Limits: Limits{DrainTimeout: 20 * time.Millisecond}, Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, _ *Request) {
		w.Begin(200, nil, -1)
		w.Flush()
		close(began)
		<-ctx.Done()
		w.Abort()
	})})
	c := dial(t, addr)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	stop()
	if got, _ := io.ReadAll(c); strings.HasSuffix(string(got), "0\r\n\r\n") {
		t.Errorf("a cut answer ends cleanly: %q", got)
	}
}

func TestRun_BusyPortIsAnError(t *testing.T) {
	addr, _ := start(t, &Server{Handler: handlerFunc(echo)})
	err := (&Server{Addr: addr, Handler: handlerFunc(echo)}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("got %v", err)
	}
}
