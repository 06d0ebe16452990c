package ownapi

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/journal"
)

// listener is a client that reads a stream.
type listener struct {
	header http.Header
	done   chan struct{}
	leave  func()

	mu      sync.Mutex
	status  int
	text    bytes.Buffer
	flushed int // bytes that were flushed
	fail    bool
	unbound bool // the deadline for reading was lifted
}

func (l *listener) SetReadDeadline(t time.Time) error {
	l.unbound = t.IsZero()
	return nil
}

func (l *listener) Header() http.Header { return l.header }

func (l *listener) WriteHeader(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = status
}

func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail {
		return 0, http.ErrHandlerTimeout
	}
	return l.text.Write(p)
}

func (l *listener) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushed = l.text.Len()
}

// heard returns what has come since it was asked last.
func (l *listener) heard() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := string(l.text.Next(l.flushed))
	l.flushed = l.text.Len()
	return s
}

func (l *listener) over() bool {
	synctest.Wait()
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (h *house) listen(key auth.AccessKey, token string) *listener {
	h.t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	l := &listener{header: http.Header{}, done: make(chan struct{}), leave: leave}
	r := signed(h.t, key, token, "GET", "/events", "").WithContext(ctx)
	go func() {
		defer close(l.done)
		h.ServeHTTP(l, r)
	}()
	synctest.Wait()
	return l
}

func TestEvents_ChangesAndComments(t *testing.T) {
	at(t, func(h *house) {
		l := h.listen(keysOf[auth.Viewer], "")
		if l.status != 200 || l.header.Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(l.heard(), ":") {
			t.Fatalf("%d %v", l.status, l.header)
		}
		if !l.unbound {
			t.Error("the server's ReadTimeout ends the stream")
		}
		d := h.create(nil)
		if got := l.heard(); !strings.Contains(got, "event: change\ndata: {\"kind\":\"distribution\",\"id\":\""+d.ID+"\",\"distributionId\":\"\",\"status\":\"InProgress\",") ||
			!strings.Contains(got, `"kind":"node"`) || !strings.Contains(got, `"status":"Deployed"`) {
			t.Errorf("%q", got)
		}
		inv := h.invalidate(d, "/*")
		h.settle(time.Second)
		got := l.heard()
		if !strings.Contains(got, `{"kind":"invalidation","id":"`+inv.ID+`","distributionId":"`+d.ID+`","status":"Completed"`) {
			t.Errorf("%q", got)
		}
		for _, event := range strings.Split(strings.TrimSpace(got), "\n\n") {
			if lines := strings.Split(event, "\n"); !strings.HasPrefix(event, ":") && (len(lines) != 2 || lines[0] != "event: change" || !strings.HasPrefix(lines[1], "data: {")) {
				t.Errorf("%q", event)
			}
		}
		h.settle(30 * time.Second)
		if got := strings.Count(l.heard(), ": .\n\n"); got != 2 {
			t.Errorf("%d comments in 30 s", got)
		}
		l.leave()
		if !l.over() || len(h.streams) != 0 {
			t.Error("the stream goes on without its reader")
		}
	})
}

func TestEvents_EndWithTheCredentials(t *testing.T) {
	at(t, func(h *house) {
		id, _, err := h.sessions.SignIn(h.t.Context(), "admin", "correct horse", "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		_, c, err := h.sessions.Renew(h.t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		k := auth.AccessKey{ID: c.AccessKeyID, Secret: c.SecretAccessKey}
		expires, signedOut := h.listen(k, c.SessionToken), h.listen(k, c.SessionToken)
		h.settle(14 * time.Minute)
		if expires.over() {
			t.Error("ended too early")
		}
		h.settle(90 * time.Second)
		if !expires.over() || !signedOut.over() {
			t.Error("the stream outlives its credentials")
		}
		_, c, _ = h.sessions.Renew(h.t.Context(), id)
		l := h.listen(auth.AccessKey{ID: c.AccessKeyID, Secret: c.SecretAccessKey}, c.SessionToken)
		if err := h.sessions.SignOut(h.t.Context(), id); err != nil {
			h.t.Fatal(err)
		}
		h.settle(heartbeat)
		if !l.over() {
			t.Error("the stream outlives its session")
		}
	})
}

func TestEvents_AreBounded(t *testing.T) {
	at(t, func(h *house) {
		var all []*listener
		for range maxStreams {
			all = append(all, h.listen(h.admin, ""))
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, signed(t, h.admin, "", "GET", "/events", ""))
		wantAnswer(t, "one too many", w, 429, "Throttling")
		if w.Header().Get("Retry-After") == "" {
			t.Error("when to try again?")
		}
		all[0].fail = true // its connection breaks
		h.create(nil)
		if !all[0].over() {
			t.Error("a broken stream goes on")
		}
		if l := h.listen(h.admin, ""); l.status != 200 {
			t.Error(l.status)
		}
		h.close() // the process stops
		for _, l := range all {
			if !l.over() {
				t.Fatal("a stream holds up the stop")
			}
		}
	})
}

// The stream through net/http: each event comes at once, and the end of Run ends it.
func TestEvents_OverAConnection(t *testing.T) {
	h, id := inTheOpen(t)
	s := httptest.NewServer(h)
	defer s.Close()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.Run(ctx) })
	defer running.Wait()
	defer stop()

	r := signed(t, h.admin, "", "GET", "/events", "")
	out, err := http.NewRequest("GET", s.URL+Prefix+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	out.Host, out.Header = r.Host, r.Header
	resp, err := http.DefaultClient.Do(out)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if first, err := lines.ReadString('\n'); err != nil || first[0] != ':' {
		t.Fatal(first, err)
	}
	if err := h.control.Tag(t.Context(), journal.Actor{}, "arn:aws:cloudfront::000000000000:distribution/"+id, map[string]string{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "data: ") && strings.Contains(line, id) {
			break
		}
	}
	stop()
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Error("the stream was cut, not ended:", err)
	}
}
