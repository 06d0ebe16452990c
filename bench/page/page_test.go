package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/bench/result"
)

// The committed page is what the committed results make; `make performance` writes it.
func TestPage_IsWhatTheCommittedResultsMake(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	files, err := render(docs)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("docs/%s is not what docs/performance.json and invalidation.json make: run make performance", name)
		}
	}
	committed, _ := filepath.Glob(filepath.Join(docs, "performance-*.svg"))
	more, _ := filepath.Glob(filepath.Join(docs, "invalidation-*.svg"))
	for _, path := range append(committed, more...) {
		if files[filepath.Base(path)] == nil {
			t.Errorf("%s is made of nothing any more: remove it", path)
		}
	}
}

func sample() *result.Results {
	server := func(name string, cpu float64) result.Server {
		return result.Server{Name: name, Version: "1.2", Runs: []result.Run{{Answers: 1e6, Seconds: 10, CPU: cpu, P50: 90, P99: 1500, P999: 2.5e6}, {Answers: 1e6, Seconds: 10, CPU: 2 * cpu}}}
	}
	weighed := func(name string, octets float64) result.Server {
		s := server(name, 10)
		s.PerObject = octets
		return s
	}
	idle := server("nginx", 20)
	idle.PerConn = 5 << 10
	return &result.Results{Form: "full", Machine: result.Machine{CPU: "<CPU>", Cores: 2}, Rows: []result.Row{
		{Name: "1k", Title: "A hit of 1 KiB & more", Load: "64 connections", Unit: "request", Seconds: 0.5, Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			Servers: []result.Server{server("Warmfront", 10), server("nginx", 20), {Name: "H2O", Failed: "it\nended | so"}}},
		{Name: "million", Title: "Many", Load: "keys", Unit: "request", Servers: []result.Server{weighed("Warmfront", 90), weighed("nginx", 180), weighed("HAProxy", 0)}},
		{Name: "restart", Title: "Again", Load: "stopped", Unit: "restart", Servers: []result.Server{
			{Name: "Warmfront on disk", Runs: []result.Run{{Answers: 1, Seconds: 0.25, CPU: 0.1, FirstHit: 0.25, Kept: 0.5}}}, {Name: "Traffic Server on disk", Failed: "no hit"}}},
		{Name: "idle", Title: "Idle", Load: "many", Unit: "request", Servers: []result.Server{{Name: "Warmfront", Failed: "refused"}, idle}},
	}}
}

func TestPage_TellsWhatWasMeasuredAndWhatFailed(t *testing.T) {
	b, err := page(text, sample(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2 January 2026",
		"2 rounds of 0.5 s",
		"| A hit of 1 KiB & more | CPU ≤ 0.55 × nginx | 0.50 | reached |",
		"| Warmfront | 15.0 µs | 10.0–20.0 | 100,000 |",
		"| **0.50** |",
		"H2O failed: it ended / so.",
		"Warmfront failed: refused.",
		"nginx 5.0 KiB.",
		"## A large cache, misses, disks",
		"Warmfront 90 octets, nginx 180 octets.\n",
		"| Many | memory per object ≤ that of the best | 0.50 | reached |",
		"| Warmfront on disk | 250 ms | 250 ms–250 ms | 100 ms | 50 % |\n\nTraffic Server on disk failed: no hit.",
		"| Again | first hit within 1 s | 0.25 s (0.25–0.25) | reached |",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(string(b), "NaN") {
		t.Error("the page has a NaN")
	}
}

func TestInvalidation_IsPutBetweenItsMarks(t *testing.T) {
	run := result.Run{Answers: 1, Seconds: 1, CPU: 1, Way: &result.Way{Applied: 151, Completed: 302.5, CompletedP99: 309, RoundTrip: 300, LateP99: 1.5}}
	purged := result.Run{Answers: 1, Seconds: 1, CPU: 1, Purge: &result.Purge{Done: 0.004, First: 0.5, Memory: 1500, Forgotten: 1.5, P99: 900, Longest: 4000}}
	r := &result.Results{Form: "invalidation", Rows: []result.Row{
		{Name: "way", Title: "The way", Load: "x", Unit: "invalidation", Servers: []result.Server{{Name: "3 edges", Runs: []result.Run{run}}}},
		{Name: "prefix", Title: "Dropped", Load: "x", Unit: "purge", Servers: []result.Server{{Name: "Varnish with lurker", Version: "7", Runs: []result.Run{purged}}, {Name: "nginx, files removed", Failed: "not installed"}}},
	}}
	plotted := draw(invalidationPlots, r)
	if len(plotted) != 2 || bytes.Count(plotted["invalidation-way.svg"], []byte(`class="ours"`)) != 2 {
		t.Errorf("%d plots", len(plotted))
	}
	figures, err := page(invalidationText, r, plotted)
	if err != nil {
		t.Fatal(err)
	}
	got, err := between([]byte("before\n"+beginMark+"old\n"+endMark+"after\n"), figures)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"before\n" + beginMark, endMark + "after\n",
		"| 3 edges: Completed at p99, beyond the round trip ≤ 20 ms | 9.0 ms (9.0–9.0) | reached |",
		"| 3 edges | 0.00 ms | 0.00 ms | 151 ms | 0.00 ms | 302 ms | **309 ms** | 309–309 | 300 ms | 1.50 ms |",
		"| Varnish with lurker | **4.00 ms** | 0 µs | 500 µs | 0 µs | 1500 MiB | not within the run; objects gone after 1.50 s | 0 µs | 900 µs | 0 µs | 4.00 ms |",
		"nginx, files removed failed: not installed.",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("lacks %q", want)
		}
	}
	if strings.Contains(string(got), "old\n") || strings.Contains(string(got), "NaN") {
		t.Errorf("%s", got)
	}
	if _, err := between([]byte("no marks\n"), figures); err == nil {
		t.Error("put somewhere without marks")
	}
}

func TestPlot_IsWellFormedAndHasABarPerServer(t *testing.T) {
	for _, p := range plots {
		svg := p.draw(sample())
		if svg == nil {
			continue
		}
		d := xml.NewDecoder(bytes.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v\n%s", p.file, err, svg)
			}
		}
		if p.file == "performance-http1.svg" && (bytes.Count(svg, []byte(`class="other"`)) != 1 || bytes.Count(svg, []byte(`class="ours"`)) != 1) {
			t.Errorf("%s has other bars than nginx's and Warmfront's", p.file)
		}
	}
	if plots[1].draw(sample()) != nil {
		t.Error("a plot of nothing")
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		number(123.4): "123", number(12.34): "12.3", number(1.234): "1.23",
		thousands(1234567): "1,234,567", thousands(999): "999",
		duration(90): "90 µs", duration(1500): "1.50 ms", duration(2.5e6): "2.50 s",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestVersions_NamesRowsOfALaterBuild(t *testing.T) {
	r := sample()
	r.Rows[1].Servers[0].Version = "1.3"
	r.Rows = append(r.Rows, result.Row{Name: "way", Title: "The way", Began: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC), Servers: []result.Server{{Name: "3 edges", Version: "1.4"}, {Name: "30 edges", Version: "1.4"}}})
	if got, want := (view{Results: r}).Versions(), `Warmfront 1.2, nginx 1.2, Warmfront 1.3 for "Many", HAProxy 1.2, Warmfront 1.4 for "The way" on 3 January 2026`; got != want {
		t.Errorf("%s", got)
	}
}
