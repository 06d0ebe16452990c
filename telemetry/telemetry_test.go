package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains(text, "\n"+l+"\n") {
			t.Errorf("no line %q in the scrape", l)
		}
	}
}

var http1 = &message.Request{Major: 1, Minor: 1}

func hit() *Request {
	return &Request{Head: http1, Edge: "e1", Distribution: "E1", Status: 200, Result: "Hit", Reason: "Fresh", BytesOut: 100, Duration: time.Millisecond}
}

func TestMetrics_CountByDistributionAndResult(t *testing.T) {
	m := New()
	m.ObserveRequest(hit())
	second := hit()
	second.Head = &message.Request{Major: 2}
	m.ObserveRequest(second)
	m.ObserveRequest(&Request{Head: http1, Edge: "e1", Distribution: "E1", Status: 502, Result: "Error", Reason: "OriginDNS"})
	m.ObserveRequest(&Request{Head: http1, Edge: "e1", Status: 403, Result: "Error", Reason: "UnknownHost"})
	m.ObserveRequest(&Request{Head: http1, Edge: "e1", Distribution: "E1", Status: 999, Result: "Surprise"})
	m.ObserveFetch(Fetch{Edge: "e1", Distribution: "E1", FirstByte: 20 * time.Millisecond})
	m.ObserveFetch(Fetch{Edge: "e1", Distribution: "E1", Failure: "DNS", FirstByte: time.Millisecond})
	m.HandshakeFailed("e1", false, "version")
	m.HandshakeFailed("e1", true, "version")
	m.InvalidationCreated("E1")
	m.InvalidationCompleted("E1", 4*time.Millisecond)
	wantLines(t, scrape(t, m),
		`warmfront_requests_total{class="2xx",distribution="E1",edge="e1",result="Hit"} 2`,
		`warmfront_requests_total{class="5xx",distribution="E1",edge="e1",result="Error"} 1`,
		`warmfront_requests_total{class="4xx",distribution="none",edge="e1",result="Error"} 1`,
		`warmfront_requests_total{class="other",distribution="E1",edge="e1",result="other"} 1`,
		`warmfront_request_protocols_total{edge="e1",protocol="http1"} 4`,
		`warmfront_request_protocols_total{edge="e1",protocol="http2"} 1`,
		`warmfront_response_bytes_total{distribution="E1",edge="e1"} 200`,
		`warmfront_request_reasons_total{edge="e1",reason="Fresh"} 2`,
		`warmfront_origin_latency_seconds_count{distribution="E1",edge="e1"} 2`,
		`warmfront_origin_failures_total{edge="e1",kind="DNS"} 1`,
		`warmfront_tls_handshake_failures_total{edge="e1",reason="version",transport="tcp"} 1`,
		`warmfront_tls_handshake_failures_total{edge="e1",reason="version",transport="quic"} 1`,
		`warmfront_invalidations_total{distribution="E1"} 1`,
		`warmfront_invalidation_completion_seconds_bucket{distribution="E1",le="0.005"} 1`,
		`warmfront_invalidation_completion_seconds_bucket{distribution="E1",le="0.0025"} 0`,
	)
}

func TestMetrics_EdgesAreAskedAtTheScrape(t *testing.T) {
	m := New()
	s := EdgeState{Ready: true, Objects: 7, Bytes: 700, Held: 900, Capacity: 1000, Evictions: 3, Applied: 10, Head: 12, LeaseAge: 2500 * time.Millisecond, Rules: 4, Connections: [3]int{5, 6, 7}}
	m.AddEdge("e1", "FRA50-P1", func() EdgeState { return s })
	m.AddEdge("e2", "CDG50-P1", func() EdgeState { return EdgeState{Applied: 12, Head: 11} })
	wantLines(t, scrape(t, m),
		`warmfront_edge_info{edge="e1",location="FRA50-P1"} 1`, `warmfront_edge_ready{edge="e1"} 1`, `warmfront_edge_ready{edge="e2"} 0`,
		`warmfront_cache_objects{edge="e1"} 7`, `warmfront_cache_bytes{edge="e1"} 700`, `warmfront_cache_held_bytes{edge="e1"} 900`, `warmfront_cache_capacity_bytes{edge="e1"} 1000`,
		`warmfront_cache_evictions_total{edge="e1"} 3`, `warmfront_invalidation_rules{edge="e1"} 4`,
		`warmfront_journal_applied_sequence{edge="e1"} 10`, `warmfront_journal_lag_entries{edge="e1"} 2`, `warmfront_journal_lag_entries{edge="e2"} 0`,
		`warmfront_journal_lease_age_seconds{edge="e1"} 2.5`, `warmfront_viewer_connections{edge="e1",protocol="http1"} 5`,
		`warmfront_viewer_connections{edge="e1",protocol="http2"} 6`, `warmfront_viewer_connections{edge="e1",protocol="http3"} 7`)
	s.Objects = 8
	wantLines(t, scrape(t, m), `warmfront_cache_objects{edge="e1"} 8`)
}

func TestMetrics_LabelsAreBounded(t *testing.T) {
	m := New()
	for i := range 2 * MaxDistributions {
		r := hit()
		r.Distribution, r.Reason = fmt.Sprintf("E%d", i), fmt.Sprintf("R%d", i)
		m.ObserveRequest(r)
		m.InvalidationCreated(r.Distribution)
		m.ObserveFetch(Fetch{Edge: "e1", Failure: r.Reason})
		m.HandshakeFailed("e1", false, r.Reason)
	}
	text := scrape(t, m)
	for prefix, most := range map[string]int{
		"warmfront_requests_total{": MaxDistributions + 1, "warmfront_request_reasons_total{": 65,
		"warmfront_invalidations_total{": MaxDistributions + 1, "warmfront_origin_failures_total{": 17, "warmfront_tls_handshake_failures_total{": 17,
	} {
		if n := strings.Count(text, "\n"+prefix); n != most {
			t.Errorf("%d series of %s, want %d", n, prefix, most)
		}
	}
	wantLines(t, text, fmt.Sprintf(`warmfront_invalidations_total{distribution="other"} %d`, MaxDistributions))
	if n := len(*m.requests.series.Load()); n > 64 {
		t.Errorf("%d series remembered", n)
	}
}

func TestMetrics_ConcurrentUse(t *testing.T) {
	m := New()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 200 {
				r := hit()
				r.Distribution = fmt.Sprintf("E%d", (i+w)%20)
				m.ObserveRequest(r)
			}
		})
	}
	wg.Wait()
	total := 0
	for _, line := range strings.Split(scrape(t, m), "\n") {
		if strings.HasPrefix(line, "warmfront_requests_total{") {
			var n int
			fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &n)
			total += n
		}
	}
	if total != 1600 {
		t.Errorf("%d counted, want 1600", total)
	}
}

func TestMetrics_NoAllocationPerRequest(t *testing.T) {
	m, r := New(), hit()
	m.ObserveRequest(r)
	if n := testing.AllocsPerRun(100, func() { m.ObserveRequest(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserveRequest(b *testing.B) {
	m, r := New(), hit()
	b.ReportAllocs()
	for b.Loop() {
		m.ObserveRequest(r)
	}
}

func TestServer_Routes(t *testing.T) {
	notYet := errors.New("journal: catching up, 12 entries behind")
	s := &Server{Metrics: New(), Ready: map[string]func() error{
		"edge e1": func() error { return nil },
		"control": func() error { return notYet },
	}}
	ask := func(path, remote string) (int, string) {
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		path, remote string
		status       int
		want         string
	}{
		{"/healthz", "10.0.0.1:1", 200, "ok\n"},
		{"/readyz", "10.0.0.1:1", 503, "control: journal: catching up, 12 entries behind\nedge e1: ok\n"},
		{"/metrics", "10.0.0.1:1", 200, "go_goroutines"},
		{"/debug/pprof/", "127.0.0.1:1", 200, "goroutine"},
		{"/debug/pprof/", "[::1]:1", 200, "goroutine"},
		{"/debug/pprof/heap", "10.0.0.1:1", 403, "loopback only"},
		{"/", "10.0.0.1:1", 200, "/readyz"},
		{"/else", "10.0.0.1:1", 404, ""},
	} {
		if status, body := ask(c.path, c.remote); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s from %s: %d %.200q", c.path, c.remote, status, body)
		}
	}
	s.Ready["journal"] = func() error { return errors.New("journal: no control node can be reached") }
	if _, body := ask("/readyz", "10.0.0.1:1"); !strings.Contains(body, "\njournal: no control node can be reached\n") {
		t.Errorf("a check whose error begins with its name: %q", body)
	}
	delete(s.Ready, "journal")
	notYet = nil
	if status, body := ask("/readyz", "10.0.0.1:1"); status != 200 || body != "control: ok\nedge e1: ok\nready\n" {
		t.Errorf("%d %q", status, body)
	}
}

func TestServer_RunAndStop(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- (&Server{Listener: l, Metrics: New()}).Run(ctx) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(b) != "ready\n" {
		t.Errorf("%d %q", resp.StatusCode, b)
	}
	if err := (&Server{Addr: l.Addr().String(), Metrics: New()}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("busy port: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
