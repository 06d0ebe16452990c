package main

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/bench/load"
	"github.com/warmfront/warmfront/bench/result"
	"github.com/warmfront/warmfront/bench/server"
)

func TestRows_AreWhatGoalsSpeakOf(t *testing.T) {
	rows := slices.Concat(rows, invalidationRows)
	for _, g := range slices.Concat(result.Goals, result.InvalidationGoals) {
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == g.Row })
		if i < 0 {
			t.Errorf("goal %q: no row %s", g.Text(), g.Row)
			continue
		}
		for _, name := range append([]string{g.Of}, g.Against...) {
			if !slices.Contains(rows[i].servers, name) {
				t.Errorf("goal %q: row %s has no server %s", g.Text(), g.Row, name)
			}
		}
		if g.PerConn && rows[i].beside == nil {
			t.Errorf("goal %q: nothing is held in row %s", g.Text(), g.Row)
		}
	}
}

func TestRows_ServersCanBeStarted(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range slices.Concat(rows, invalidationRows) {
		if seen[r.name] {
			t.Errorf("two rows are named %s", r.name)
		}
		seen[r.name] = true
		for _, s := range r.servers {
			if starts[s] == nil {
				t.Errorf("row %s: nobody starts %s", r.name, s)
			}
		}
	}
}

func TestSizeOf_EachFleet(t *testing.T) {
	want := map[string][2]string{"3 edges": {"3", "0"}, "30 edges": {"30", "0"}, "300 edges": {"300", "0"}, "300 edges and 10 relays": {"300", "10"}}
	for _, name := range fleets {
		edges, relays := sizeOf(name)
		if got := [2]string{edges, relays}; got != want[name] {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestOptions(t *testing.T) {
	o := options{only: "1k,idle", servers: "nginx,H2O"}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range o.chosen() {
		got = append(got, r.name+":"+strings.Join(r.servers, "+"))
	}
	if want := "1k:nginx+H2O idle:nginx+H2O"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
	if (&options{only: "2k"}).complete() == nil {
		t.Error("a row that is none was accepted")
	}
	short, full := options{}, options{full: true}
	if len(short.chosen()) >= len(full.chosen()) || len(full.chosen()) != len(rows) {
		t.Errorf("%d rows in the short form, %d in the full, of %d", len(short.chosen()), len(full.chosen()), len(rows))
	}
}

func TestOptions_Invalidation(t *testing.T) {
	o := options{invalidation: true}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	if len(o.chosen()) != len(invalidationRows) || o.out != filepath.Join("build", "bench", "invalidation.json") || o.rounds != 5 {
		t.Errorf("%d rows, %d rounds into %s", len(o.chosen()), o.rounds, o.out)
	}
	o.only = "way"
	if got := o.chosen(); len(got) != 1 || got[0].name != "way" {
		t.Errorf("%v", got)
	}
}

func TestRulesOf_IsInTheName(t *testing.T) {
	for name, want := range map[string]int{"Warmfront": 0, "Warmfront, 100 rules": 100, "Warmfront, 10,000 rules": 10_000, "Varnish, 100 bans": 100, "Varnish, 10,000 bans": 10_000} {
		if got := rulesOf(&server.Server{Name: name}); got != want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// fake is a load without a server.
type fake struct {
	err     error
	reached *server.Origin // asked once per run when it is there
}

func (f fake) Open(context.Context) error { return nil }
func (f fake) Close()                     {}
func (f fake) Run(context.Context, time.Duration) (load.Outcome, error) {
	if f.reached != nil {
		resp, err := http.Get("http://" + f.reached.Address() + "/o/1024")
		if err != nil {
			return load.Outcome{}, err
		}
		resp.Body.Close()
	}
	return load.Outcome{Answers: 1, Elapsed: 1}, f.err
}

// Whatever happens to one server, the others are gone through, and what happened is told.
func TestMeasure_AServerThatFailsLosesNothingElse(t *testing.T) {
	o, err := server.StartOrigin()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	b := &bench{options: &options{rounds: 2, length: 1}, servers: map[string]*server.Server{}, broken: map[string]error{}, filled: map[*server.Server]map[*fill]bool{}, env: server.Env{Origin: o}}
	loads := map[string]load.Load{"misses": fake{reached: o}, "breaks": fake{err: errors.New("it broke")}, "has none": nil, "ends": fake{}}
	r := row{name: "x", title: "X", make: func(s *server.Server) load.Load { return loads[s.Name] }}
	for _, name := range []string{"is not there", "has none", "misses", "breaks", "ends"} {
		r.servers = append(r.servers, name)
		starts[name] = func(context.Context, server.Env) (*server.Server, error) {
			if name == "is not there" {
				return nil, errors.New("cannot be started")
			}
			return &server.Server{Name: name}, nil
		}
		defer delete(starts, name)
	}
	got := b.measure(t.Context(), r)
	want := map[string]string{"is not there": "cannot be started", "misses": "reached the origin", "breaks": "it broke", "ends": "answers for 0s of CPU"}
	if len(got.Servers) != len(want) {
		t.Errorf("%d servers, want %d", len(got.Servers), len(want))
	}
	for _, s := range got.Servers {
		if !strings.Contains(s.Failed, want[s.Name]) || s.Failed == "" {
			t.Errorf("%s failed with %q, want %q", s.Name, s.Failed, want[s.Name])
		}
	}
}

func TestPace_EndsAndCounts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	due, n := make(chan int), make(chan int)
	go func() { n <- pace(ctx, 1_000_000, due) }()
	for want := range 5 {
		if got := <-due; got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	cancel()
	if got := <-n; got != 5 {
		t.Errorf("%d counted", got)
	}
}
