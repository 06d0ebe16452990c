// Command scale measures what one machine can say about many: fleets of thousands of edges on a real journal, how many
// invalidations are accepted in a second, and what each costs on the way to an edge. It prints tables; -write puts them between
// the marks of a document. docs/scale.md computes from them.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/bench/fleet"
)

var (
	edges   = flag.Int("edges", 0, "measure a fleet of so many, print it as JSON, and nothing else; the program starts itself so")
	write   = flag.String("write", "", "document between whose marks the tables go")
	sizes   = flag.String("fleets", "100,1000,5000", "how many edges the fleets have")
	wires   = flag.String("wired", "100,1000,5000", "how many edges have connections of their own")
	relayed = flag.Int("relays", 4, "how many relays there are then, beside none")
	only    = flag.String("only", "", "make the tables alone that are named: fleets, wired, accepted, carried")
	inner   = flag.String("task", "", "what the program tells itself")
	long    = flag.Duration("for", 5*time.Second, "how long invalidations are accepted, for each number of callers")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if *inner != "" {
		return perform(ctx, *inner)
	}
	if *edges > 0 {
		f, err := measureFleet(ctx, *edges)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(f)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d cores.\n\n", runtime.NumCPU())
	for _, table := range []struct {
		name string
		make func(context.Context, *bytes.Buffer) error
	}{{"fleets", fleets}, {"wired", wired}, {"accepted", accepted}, {"carried", carried}} {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), table.name) {
			continue
		}
		if err := table.make(ctx, &out); err != nil {
			return err
		}
	}
	os.Stdout.Write(out.Bytes())
	if *write == "" {
		return nil
	}
	return between(*write, out.Bytes())
}

// fleetFigures are of one fleet. Durations are in milliseconds.
type fleetFigures struct {
	Accepted, AcceptedP99, Applied, AppliedP99, Completed, CompletedP99 float64
	KiB                                                                 int // of memory, for each edge
}

// perFleet are measured of each fleet: so many that one in a hundred is not the slowest of all.
const perFleet = 200

// pace is how much time there is from one invalidation to the next: the machine has to do for all edges what they would do with as many machines.
func pace(edges int) time.Duration {
	return max(250*time.Millisecond, time.Duration(edges)*250*time.Microsecond)
}

// fleets measures fleets in processes of their own, without distance: what is left is work.
func fleets(ctx context.Context, out *bytes.Buffer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d invalidations, one each 0.25 s, of 1,000 edges and more as many times that as there are thousands, to edges in one process, without distance:\n\n", perFleet)
	fmt.Fprint(out, "| edges | accepted p50 | p99 | applied everywhere p50 | p99 | Completed p50 | p99 | memory for each edge |\n|---|---|---|---|---|---|---|---|\n")
	for _, size := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return fmt.Errorf("-fleets: %w", err)
		}
		fmt.Fprintf(os.Stderr, "a fleet of %d\n", n)
		cmd := exec.CommandContext(ctx, self, "-edges", strconv.Itoa(n))
		cmd.Stderr = os.Stderr
		text, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("a fleet of %d: %w", n, err)
		}
		var f fleetFigures
		if err := json.Unmarshal(text, &f); err != nil {
			return err
		}
		fmt.Fprintf(out, "| %d | %.1f ms | %.1f ms | %.1f ms | %.1f ms | %.1f ms | %.1f ms | %d KiB |\n",
			n, f.Accepted, f.AcceptedP99, f.Applied, f.AppliedP99, f.Completed, f.CompletedP99, f.KiB)
	}
	fmt.Fprintln(out)
	return nil
}

func measureFleet(ctx context.Context, n int) (f fleetFigures, err error) {
	began := time.Now()
	o, err := fleet.Run(ctx, fleet.Config{
		Edges: n, Invalidations: perFleet, Every: pace(n), Progress: func(what string) { progress(began, "%s", what) },
	})
	if err != nil {
		return f, err
	}
	ms := func(all []time.Duration, q float64) float64 {
		return float64(fleet.Quantile(all, q).Microseconds()) / 1000
	}
	return fleetFigures{
		Accepted: ms(o.Accepted, 0.5), AcceptedP99: ms(o.Accepted, 0.99), Applied: ms(o.Applied, 0.5), AppliedP99: ms(o.Applied, 0.99),
		Completed: ms(o.Completed, 0.5), CompletedP99: ms(o.Completed, 0.99),
		KiB: int(o.Memory>>10) / n,
	}, nil
}

const (
	beginMark = "<!-- figures: made by `make bench-scale` -->\n"
	endMark   = "<!-- end of figures -->\n"
)

// between puts the tables where the marks are.
func between(name string, tables []byte) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, begins := bytes.Cut(text, []byte(beginMark))
	_, after, ends := bytes.Cut(rest, []byte(endMark))
	if !begins || !ends {
		return fmt.Errorf("%s has not the lines %q and %q", name, beginMark, endMark)
	}
	return os.WriteFile(name, bytes.Join([][]byte{before, []byte(beginMark), tables, []byte(endMark), after}, nil), 0o644)
}
