package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/lasting"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/ownapi"
)

// startRole runs a role until the returned stop, which returns what it returned.
func startRole(tb testing.TB, role func(context.Context, Config) error, c Config) (d *process, stop func() error) {
	tb.Helper()
	serving := make(chan *process, 1)
	c.serving = func(d *process) { serving <- d }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- role(ctx, c) }()
	select {
	case d = <-serving:
	case err := <-done:
		cancel()
		tb.Fatalf("ended: %v", err)
	case <-time.After(2 * time.Minute):
		cancel()
		tb.Fatal("not serving within two minutes")
	}
	return d, func() error { cancel(); return <-done }
}

// controlConfig and edgeConfig are roles on free ports. Edges come back to the journal's.
func controlConfig(tb testing.TB) Config {
	c := testConfig(tb)
	c.Edges, c.Demo, c.Journal = nil, off, lasting.Address()
	return c
}

func edgeConfig(tb testing.TB, token string) Config {
	c := testConfig(tb)
	c.Edges, c.Control, c.Demo, c.Token = []string{"127.0.0.1:0"}, off, off, token
	return c
}

func tokenFor(tb testing.TB, d *process, edge string) string {
	tb.Helper()
	t, err := d.gate.token(tb.Context(), journal.Actor{User: "test"}, ownapi.EdgeWish{Edge: edge, Life: time.Hour})
	if err != nil {
		tb.Fatal(err)
	}
	return t.Token
}

func TestRoles_StartStopAndComeBack(t *testing.T) {
	before := runtime.NumGoroutine()
	cc := controlConfig(t)
	d, stop := startRole(t, Control, cc)
	ec := edgeConfig(t, tokenFor(t, d, "FRA50-1"))
	for run := range 3 {
		e, stopEdge := startRole(t, Edge, ec)
		if e.places[0].name != "FRA50-1" || e.places[0].location != "FRA50" {
			t.Fatalf("it is %s of %s", e.places[0].name, e.places[0].location)
		}
		ec.Token = "" // from now on it is known
		// What it answered last is remembered for a moment.
		known := func() bool {
			all := d.fleet.connected()
			return len(all) == 1 && all[0].Edge.Ready() == nil && all[0].URL == url(e.places[0].l)
		}
		comes(t, func() string {
			if known() {
				return ""
			}
			return fmt.Sprintf("run %d: connected are %+v", run, d.fleet.connected())
		})
		if run == 1 { // the edge stays, the control node is another process
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if err := e.places[0].serves(); err != nil {
				t.Errorf("without a control plane it has nothing for viewers: %v", err)
			}
			d, stop = startRole(t, Control, cc)
		}
		if err := stopEdge(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	wantGoroutines(t, before+2)
}

// A machine takes another's place when that has stopped, and not before (P2).
func TestEdge_TakesAnothersPlace(t *testing.T) {
	d, stop := startRole(t, Control, controlConfig(t))
	c := edgeConfig(t, tokenFor(t, d, "FRA50-1"))
	_, stopFirst := startRole(t, Edge, c)
	token := tokenFor(t, d, "FRA50-1")
	if err := Edge(t.Context(), edgeConfig(t, token)); err == nil || !strings.Contains(err.Error(), "is alive") {
		t.Errorf("beside the first: %v", err)
	}
	if err := stopFirst(); err != nil {
		t.Fatal(err)
	}
	_, stopSecond := startRole(t, Edge, edgeConfig(t, token))
	// The first is let in no more.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	c.Token = ""
	if err := Edge(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the first, again: %v", err)
	}
	if err := errors.Join(stopSecond(), stop()); err != nil {
		t.Error(err)
	}
}

func TestEdge_WhatItRefuses(t *testing.T) {
	d, stop := startRole(t, Control, controlConfig(t))
	token := tokenFor(t, d, "FRA50-1")
	other, stopOther := startRole(t, Control, controlConfig(t))
	theirs := tokenFor(t, other, "FRA50-1")
	c := edgeConfig(t, token)
	_, stopEdge := startRole(t, Edge, c)
	if err := stopEdge(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ name, token, says string }{
		{"no token", "", "holds no edge yet"},
		{"no token's form", "wfe1.x", "that is no edge token"},
		{"used up", token, "used up"},
		{"nobody there", theirs, "no control node can be reached"},
	} {
		if r.name == "nobody there" {
			if err := stopOther(); err != nil {
				t.Fatal(err)
			}
		}
		if err := Edge(t.Context(), edgeConfig(t, r.token)); err == nil || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%s: %v", r.name, err)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// A known edge waits for a control plane that is away, until it is told to stop.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	c.Token = ""
	if err := Edge(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a control plane: %v", err)
	}
}

func TestControl_WhatItRefuses(t *testing.T) {
	for _, r := range []struct {
		change func(*Config)
		says   string
	}{
		{func(c *Config) { c.Journal = "x" }, "--journal"},
		{func(c *Config) { c.Advertise = []string{"control1"} }, "--advertise"},
		{func(c *Config) { c.Advertise = []string{"control1:0"} }, "--advertise"},
		{func(c *Config) { writeMark(t, filepath.Join(c.Data, "authority"), "authority.pem") }, "backup"},
	} {
		c := controlConfig(t)
		r.change(&c)
		if err := Control(t.Context(), c); err == nil || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%v, want %q", err, r.says)
		}
	}
}

// Items go to edges as text, and mean there what they mean here.
func TestText_OfItems(t *testing.T) {
	var items []invalidation.Item
	for _, line := range []string{"/a", "/a/*", "/*.css", "/a*b", "#News", "/a*?", "/%2A/x"} {
		for _, d := range []invalidation.Dialect{invalidation.Anywhere, invalidation.AWS} {
			if it, err := invalidation.Parse(line, d); err == nil {
				items = append(items, it)
			}
		}
	}
	lines, err := text(items)
	if err != nil {
		t.Fatal(err)
	}
	back, err := parse(lines)
	if err != nil || len(back) < 10 {
		t.Fatalf("%d items, %v", len(back), err)
	}
	for i := range items {
		if back[i] != items[i] {
			t.Errorf("%+v came as %+v", items[i], back[i])
		}
	}
	if _, err := parse([]item{{Line: "no item"}}); err == nil {
		t.Error("no item was read")
	}
}

// writeMark puts a file there that is not what belongs there.
func writeMark(tb testing.TB, dir, name string) {
	tb.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := mark(dir, name); err != nil {
		tb.Fatal(err)
	}
	if err := mark(dir, "authority-key.pem"); err != nil {
		tb.Fatal(err)
	}
}
