package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/bench/fleet"
	"github.com/warmfront/warmfront/bench/result"
	"github.com/warmfront/warmfront/bench/server"
)

const (
	perWay    = 120
	wayEvery  = 75 * time.Millisecond
	wayOfMany = 250 * time.Millisecond // between two invalidations of many edges, which have no machines of their own
	many      = 100
	nearest   = 5 * time.Millisecond
	farthest  = 150 * time.Millisecond
)

var fleets = []string{"3 edges", "30 edges", "300 edges", "300 edges and 10 relays"}

func init() {
	for _, name := range fleets {
		starts[name] = func(context.Context, server.Env) (*server.Server, error) {
			return &server.Server{Name: name, Version: builtFrom()}, nil
		}
	}
}

// builtFrom is the commit that the bench itself was built from, "" where that is not known: what it runs in its own processes is of that.
func builtFrom() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(len(s.Value), 7)]
		}
	}
	return ""
}

// onTheWay measures a fleet in a process of its own, which may use all cores.
func onTheWay(ctx context.Context, _ *bench, s *server.Server) (run result.Run, err error) {
	edges, relays := sizeOf(s.Name)
	self, err := os.Executable()
	if err != nil {
		return run, err
	}
	cmd := exec.CommandContext(ctx, "taskset", "-c", "0-"+strconv.Itoa(machine().Cores-1), self, "-fleet", edges, "-relays", relays)
	out, err := cmd.Output()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	if err != nil {
		return run, err
	}
	return run, json.Unmarshal(out, &run)
}

// sizeOf reads a fleet's name.
func sizeOf(name string) (edges, relays string) {
	of, between, some := strings.Cut(name, " and ")
	edges, _, _ = strings.Cut(of, " ")
	if !some {
		return edges, "0"
	}
	relays, _, _ = strings.Cut(between, " ")
	return edges, relays
}

// measureFleet is what that process does: it prints the run.
func measureFleet(ctx context.Context, edges, relays int) error {
	began, used, every := time.Now(), server.OwnUsage(), wayEvery
	if edges > many {
		every = wayOfMany
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	being := func(what string) func(context.Context) *exec.Cmd {
		return func(ctx context.Context) *exec.Cmd {
			cmd := exec.CommandContext(ctx, self, what)
			cmd.Stderr = os.Stderr
			return cmd
		}
	}
	c := fleet.Config{
		Edges: edges, Nearest: nearest, Farthest: farthest, Invalidations: perWay, Every: every,
		Lines: fleet.Apart(being("-lines")), Elsewhere: being("-seats"), Relays: relays,
	}
	if relays > 0 {
		c.Between = being("-passing")
	}
	out, err := fleet.Run(ctx, c)
	if err != nil {
		return err
	}
	quantile := func(all []time.Duration, q float64) float64 {
		return float64(fleet.Quantile(all, q).Microseconds()) / 1000
	}
	return json.NewEncoder(os.Stdout).Encode(result.Run{
		Answers: len(out.Completed), Seconds: time.Since(began).Seconds(), CPU: (server.OwnUsage() - used).Seconds(),
		Way: &result.Way{
			Accepted: quantile(out.Accepted, 0.5), AcceptedP99: quantile(out.Accepted, 0.99),
			Applied: quantile(out.Applied, 0.5), AppliedP99: quantile(out.Applied, 0.99),
			Completed: quantile(out.Completed, 0.5), CompletedP99: quantile(out.Completed, 0.99),
			RoundTrip: float64(2*farthest) / 1e6, LateP99: quantile(out.Late, 0.99),
		},
	})
}
