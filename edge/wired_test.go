package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
	"github.com/warmfront/warmfront/origin"
)

// One test with real sockets on both sides: that the parts fit each other.
func TestWired_SocketToSocket(t *testing.T) {
	var version atomic.Int64
	version.Store(1)
	site := versionedSite(&version)
	defer site.Close()

	log := journalmemory.New()
	writer := journal.NewWriter(journal.WriterConfig{Log: log, Apply: func(*journal.Entry) {}})
	stopProbes, _ := log.ServeProbes(writer.Tick)
	defer stopProbes()
	acks := make(chan uint64, 1024)
	stopAcks, _ := log.Acks(func(a journal.Ack) { acks <- a.Seq })
	defer stopAcks()
	commit := func(f journal.Fact) uint64 {
		e, err := writer.Commit(context.Background(), func() ([]journal.Fact, error) { return []journal.Fact{f}, nil })
		if err != nil {
			t.Fatal(err)
		}
		return e.Seq
	}
	put := usual()
	behave(allMethods)(put)
	distribution.FillDefaults(put.Config)
	commit(journal.Fact{DistributionPut: put})

	store, err := memory.New(memory.Config{Capacity: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	client, err := origin.New(origin.Config{Resolve: map[string]string{"origin.test": strings.TrimPrefix(site.URL, "http://")}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	told := make(chan string, 64)
	e, err := New(Config{
		Observe: func(x *Exchange) {
			told <- fmt.Sprintf("%s %d %v %v %v", x.Request.Method, x.Status, x.Outcome, x.Reason, x.Request.Remote.IsValid())
		},
		Name: "FRA50-1", Location: "FRA50-P1", Log: log, Store: store, Origin: client,
		Join: func(ctx context.Context, j journal.EdgeJoined) error {
			commit(journal.Fact{EdgeJoined: &j})
			return nil
		},
		Leave: func(ctx context.Context, l journal.EdgeLeft) error { commit(journal.Fact{EdgeLeft: &l}); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving, stopServing := context.WithCancel(context.Background())
	following, stopFollowing := context.WithCancel(context.Background())
	server := &httpserver.Server{Listener: l, Handler: e, Refuse: e.Refuse, Limits: httpserver.Limits{ReadBodyTimeout: 250 * time.Millisecond}}
	ended := make(chan error, 2)
	go func() { ended <- server.Run(serving) }()
	go func() { ended <- e.Run(following) }()
	defer func() {
		stopServing()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		stopFollowing()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	acked := func(seq uint64) {
		for deadline := time.After(10 * time.Second); ; {
			select {
			case a := <-acks:
				if a >= seq {
					return
				}
			case <-deadline:
				t.Fatal("not acknowledged")
			}
		}
	}
	acked(commit(journal.Fact{Tick: &journal.Tick{}}))

	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(conn)
	get := func(head, want string) {
		t.Helper()
		if got := exchange(t, conn, in, head); got != want {
			t.Errorf("%s: got %q, want %q", head, got, want)
		}
	}
	get("GET /a", "200 Miss version 1 of /a for Amazon CloudFront")
	get("GET /a", "200 Hit version 1 of /a for Amazon CloudFront")
	get("HEAD /a", "200 Hit ")
	version.Store(2)
	get("GET /a", "200 Hit version 1 of /a for Amazon CloudFront")
	acked(commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I", Items: []string{"/*"}}}))
	get("GET /a", "200 Miss version 2 of /a for Amazon CloudFront")
	get("GET /cut", "200 Miss only this cut")
	for range 6 { // what has been got
		<-told
	}
	refusedOnce(t, l.Addr().String(), told)
}

// refusedOnce sends what the engine refuses, before and while the edge has it: each is told of once, as the
// viewer sees it.
func refusedOnce(t *testing.T, addr string, told <-chan string) {
	for _, c := range []struct{ send, status, want string }{
		{"GET  / HTTP/1.1\r\n\r\n", "400", "GET 400 Error malformed-request true"},
		{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400", "GET 400 Error malformed-host true"},
		{"POST /a HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400", "POST 400 Error malformed-request true"},
		{"POST /a HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 3\r\n\r\n", "408", "POST 408 Error body-too-slow true"},
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(time.Minute))
		io.WriteString(conn, c.send)
		got, _ := io.ReadAll(conn)
		conn.Close()
		if !strings.HasPrefix(string(got), "HTTP/1.1 "+c.status+" ") {
			t.Errorf("%q: answered %.60q", c.send, got)
		}
		if x := <-told; x != c.want {
			t.Errorf("%q: told %q, want %q", c.send, x, c.want)
		}
		if len(told) > 0 {
			t.Errorf("%q: told twice: %q", c.send, <-told)
		}
	}
}

// versionedSite says which version it is, and breaks off at /cut.
func versionedSite(version *atomic.Int64) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cut" {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "only this")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprintf(w, "version %d of %s for %s", version.Load(), r.URL.Path, r.Header.Get("User-Agent"))
	}))
}

// exchange asks on an open connection and says what came: status, X-Cache word, body.
func exchange(t *testing.T, conn net.Conn, in *bufio.Reader, head string) string {
	t.Helper()
	fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\n\r\n", head, host)
	resp, err := http.ReadResponse(in, &http.Request{Method: strings.Fields(head)[0]})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	word, _, _ := strings.Cut(resp.Header.Get("X-Cache"), " ")
	got := fmt.Sprintf("%d %s %s", resp.StatusCode, word, body)
	if err != nil {
		got += " cut"
	}
	return got
}
