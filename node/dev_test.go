package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// testConfig is dev on free ports, with everything on.
func testConfig(tb testing.TB) Config {
	return Config{
		Data: filepath.Join(tb.TempDir(), "data"), Control: "127.0.0.1:0", Edges: []string{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"},
		Demo: "127.0.0.1:0", Telemetry: "127.0.0.1:0", Suffix: "localhost", CacheSize: 8 << 20,
		Getenv: func(string) string { return "" }, Logger: slog.New(slog.DiscardHandler), Out: io.Discard, Version: "test",
	}
}

// start runs dev until the returned stop, which returns what Dev returned.
func start(tb testing.TB, c Config) (d *process, stop func() error) {
	tb.Helper()
	serving := make(chan *process, 1)
	c.serving = func(d *process) { serving <- d }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Dev(ctx, c) }()
	select {
	case d = <-serving:
	case err := <-done:
		cancel()
		tb.Fatalf("dev ended: %v", err)
	case <-time.After(2 * time.Minute):
		cancel()
		tb.Fatal("not serving within two minutes")
	}
	return d, func() error { cancel(); return <-done }
}

func TestDev_StartsStopsAndHasItsData(t *testing.T) {
	before := runtime.NumGoroutine()
	c := testConfig(t)
	c.ReadyFile = filepath.Join(t.TempDir(), "ready.json")
	var first Ready
	for run := range 3 {
		d, stop := start(t, c)
		b, err := os.ReadFile(c.ReadyFile)
		if err != nil {
			t.Fatal(err)
		}
		var r Ready
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			first = r
		}
		if r.AccessKeyID != first.AccessKeyID || r.DemoDistribution != first.DemoDistribution || r.DemoDistribution == "" {
			t.Fatalf("run %d has another key or demonstration distribution: %+v, first %+v", run, r, first)
		}
		for _, u := range []string{r.Demo + "/", r.Telemetry + "/readyz", r.Telemetry + "/metrics"} {
			if status := get(t, u, ""); status != 200 {
				t.Errorf("GET %s: %d", u, status)
			}
		}
		if status := get(t, r.Edges[1].URL+"/", r.DemoDomain); status != 200 {
			t.Errorf("the demonstration site through an edge: %d", status)
		}
		if n := len(d.control.Nodes()); n != 3 {
			t.Errorf("%d nodes", n)
		}
		if err := stop(); err != nil {
			t.Fatalf("run %d: %v", run, err)
		}
		if _, err := os.Stat(c.ReadyFile); !os.IsNotExist(err) {
			t.Errorf("the ready file is still there: %v", err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	wantGoroutines(t, before+3)
}

// wantGoroutines waits until there are no more than so many.
func wantGoroutines(t *testing.T, most int) {
	t.Helper()
	comes(t, func() string {
		n := runtime.NumGoroutine()
		if n <= most {
			return ""
		}
		stacks := make([]byte, 1<<20)
		return fmt.Sprintf("%d goroutines, not %d:\n%s", n, most, stacks[:runtime.Stack(stacks, true)])
	})
}

func get(t *testing.T, url, host string) int {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode
}

func TestDev_BusyPortNamesItsFlag(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for flag, set := range map[string]func(*Config){
		"--control":   func(c *Config) { c.Control = taken.Addr().String() },
		"--edges":     func(c *Config) { c.Edges[2] = taken.Addr().String() },
		"--demo":      func(c *Config) { c.Demo = taken.Addr().String() },
		"--telemetry": func(c *Config) { c.Telemetry = taken.Addr().String() },
	} {
		c := testConfig(t)
		set(&c)
		err := Dev(context.Background(), c)
		if err == nil || !strings.Contains(err.Error(), flag) || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestDev_OneProcessPerDataDirectory(t *testing.T) {
	c := testConfig(t)
	_, stop := start(t, c)
	err := Dev(context.Background(), c)
	if err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a second process on the same data: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// An edge that is not started any more must not be waited for (P4).
func TestDev_FewerEdgesThanBefore(t *testing.T) {
	c := testConfig(t)
	d, stop := start(t, c)
	// As after kill -9: the edge never left.
	if _, err := d.control.Join(context.Background(), journal.EdgeJoined{Edge: "GONE1-P1", Location: "GONE1-P1", Incarnation: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	c.Edges = c.Edges[:1]
	d, stop = start(t, c)
	inv := invalidate(t, d, "fewer")
	awaitCompleted(t, d, inv)
	if n := len(d.control.Nodes()); n != 1 {
		t.Errorf("%d nodes, not 1", n)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func invalidate(tb testing.TB, d *process, reference string) *control.Invalidation {
	tb.Helper()
	batch := &wire.InvalidationBatch{CallerReference: &reference, Paths: &wire.Paths{Quantity: wire.Ptr[int64](1), Items: []string{"/images/*"}}}
	inv, _, err := d.control.CreateInvalidation(context.Background(), journal.Actor{User: "test"}, d.ready.DemoDistribution, batch)
	if err != nil {
		tb.Fatal(err)
	}
	return inv
}

func awaitCompleted(tb testing.TB, d *process, inv *control.Invalidation) *control.Receipt {
	tb.Helper()
	changes, stop := d.control.Watch()
	defer stop()
	deadline := time.After(2 * time.Minute)
	for {
		r, err := d.control.Receipt(inv.DistributionID, inv.ID)
		if err != nil {
			tb.Fatal(err)
		}
		if r.Invalidation.Status == control.Completed {
			return r
		}
		select {
		case <-changes:
		case <-deadline:
			tb.Fatalf("not Completed: %+v", r)
		}
	}
}

// BenchmarkInvalidate measures the way of an invalidation on three edges with the real journal:
// from the command to applied on every edge, and to Completed, in milliseconds.
func BenchmarkInvalidate(b *testing.B) {
	d, stop := start(b, testConfig(b))
	var applied, completed []float64
	n := 0
	for b.Loop() {
		n++
		began := time.Now()
		inv := invalidate(b, d, fmt.Sprint("bench-", n))
		r := awaitCompleted(b, d, inv)
		completed = append(completed, float64(time.Since(began).Microseconds())/1000)
		var last time.Time
		for _, e := range r.Edges {
			if e.At.After(last) {
				last = e.At
			}
		}
		applied = append(applied, float64(last.Sub(began).Microseconds())/1000)
	}
	if err := stop(); err != nil {
		b.Fatal(err)
	}
	for name, v := range map[string][]float64{"applied": applied, "completed": completed} {
		slices.Sort(v)
		b.ReportMetric(v[len(v)/2], name+"-p50-ms")
		b.ReportMetric(v[len(v)*99/100], name+"-p99-ms")
	}
}
