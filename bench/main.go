// Command bench measures what a hit costs: Warmfront beside nginx, Varnish, HAProxy, H2O and Traffic Server.
//
// Method: each server is pinned to core 0, generator and origin to the last core. All servers run at the
// same time but are loaded in turn, A B C, A B C, …, so that a noisy machine is noisy for all. The figure to
// trust is CPU per request: the CPU clocks of the server's processes divided by its answers; it holds even
// where the generator is the bottleneck. Ratios are taken per round, then the median. A run in which a
// request reached the origin does not count as hits and is an error (H2O serves files and has no origin).
//
// A run that fails is tried once more; then the server has failed in that row, with its reason, and all else
// goes on. The exit code is 1 when anything failed. A goal that was missed is no failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/warmfront/warmfront/bench/fleet"
	"github.com/warmfront/warmfront/bench/floor"
	"github.com/warmfront/warmfront/bench/lone"
	"github.com/warmfront/warmfront/bench/result"
	"github.com/warmfront/warmfront/bench/server"
)

func main() {
	var o options
	flag.StringVar(&o.binary, "warmfront", "bin/warmfront", "the binary to measure")
	flag.BoolVar(&o.full, "full", false, "all rows, more and longer rounds")
	flag.BoolVar(&o.invalidation, "invalidation", false, "the rows of invalidations, 5 rounds")
	flag.StringVar(&o.only, "only", "", "rows, separated by commas: "+strings.Join(rowNames(), ", "))
	flag.StringVar(&o.servers, "servers", "", "servers to measure, separated by commas (default all)")
	flag.IntVar(&o.rounds, "rounds", 0, "rounds (default 3, -full 5)")
	flag.DurationVar(&o.length, "length", 0, "of one run (default 500ms, -full 2s)")
	flag.IntVar(&objects, "objects", 1_000_000, "objects of the row million")
	flag.StringVar(&o.out, "out", "", "file for the results (default build/bench/short.json, -full full.json, -invalidation invalidation.json); with -only, its other rows stay")
	floorAt := flag.String("floor", "", "serve as what the kernel alone costs, at this `address`, and nothing else; the bench starts itself so")
	edges := flag.Int("fleet", 0, "measure the way to so many edges, print the run, and nothing else; the bench starts itself so")
	relays := flag.Int("relays", 0, "of that fleet: so many relays, each with as many edges beside it")
	passing := flag.Bool("passing", false, "be those relays, as the standard input asks, and nothing else; the bench starts itself so")
	lines := flag.Bool("lines", false, "be the way to the edges, as the standard input asks, and nothing else; the bench starts itself so")
	seats := flag.Bool("seats", false, "be the edges of such a fleet, as the standard input asks, and nothing else; the bench starts itself so")
	edgeAt := flag.String("edge", "", "serve as one edge at this `address`, and nothing else, for the journal, origin and room that follow; the bench starts itself so")
	journalAt := flag.String("journal", "", "`address` of that edge's journal")
	originAt := flag.String("origin", "", "`address` of that edge's origin")
	cacheMiB := flag.Int("cache", 256, "`MiB` of that edge's cache")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var err error
	failed := false
	switch {
	case *floorAt != "":
		err = serveFloor(ctx, *floorAt)
	case *edgeAt != "":
		err = serveEdge(ctx, *edgeAt, lone.EdgeConfig{Journal: *journalAt, Origin: *originAt, CacheMiB: *cacheMiB})
	case *lines:
		err = fleet.ServeLines(os.Stdin, os.Stdout)
	case *passing:
		err = fleet.ServeRelays(os.Stdin, os.Stdout)
	case *seats:
		err = fleet.ServeEdges(os.Stdin, os.Stdout)
	case *edges > 0:
		err = measureFleet(ctx, *edges, *relays)
	case *relays != 0:
		err = errors.New("-relays is of a fleet: -fleet says of how many edges")
	default:
		failed, err = run(ctx, &o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		failed = true
	}
	if failed {
		stop()
		os.Exit(1)
	}
}

// floorFiles is how many octets each file has that the kernel alone sends from: more than cores have caches for.
const floorFiles = 400 << 20

func serveFloor(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer l.Close()
	return floor.Serve(ctx, l.(*net.TCPListener), server.Sizes, floorFiles)
}

func serveEdge(ctx context.Context, address string, c lone.EdgeConfig) (err error) {
	if c.Listener, err = net.Listen("tcp", address); err != nil {
		return err
	}
	return lone.Serve(ctx, c)
}

type options struct {
	binary, only, servers, out string
	full, invalidation         bool
	rounds                     int
	length                     time.Duration
}

// complete fills in what was not given and looks at what was.
func (o *options) complete() error {
	rounds, length := 3, 500*time.Millisecond
	switch o.form() {
	case "full":
		rounds, length = 5, 2*time.Second
	case "invalidation":
		rounds = 5
	}
	if o.rounds == 0 {
		o.rounds = rounds
	}
	if o.length == 0 {
		o.length = length
	}
	if o.out == "" {
		o.out = filepath.Join("build", "bench", o.form()+".json")
	}
	for _, name := range list(o.only) {
		if !slices.Contains(rowNames(), name) {
			return fmt.Errorf("no row is named %q; there are %s", name, strings.Join(rowNames(), ", "))
		}
	}
	var err error
	o.binary, err = filepath.Abs(o.binary)
	return err
}

func (o *options) form() string {
	switch {
	case o.invalidation:
		return "invalidation"
	case o.full:
		return "full"
	}
	return "short"
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// chosen are the rows to measure.
func (o *options) chosen() []row {
	var chosen []row
	all := rows
	if o.invalidation {
		all = invalidationRows
	}
	for _, r := range all {
		if o.only != "" && slices.Contains(list(o.only), r.name) || o.only == "" && (o.full || o.invalidation || r.short) {
			if o.servers != "" {
				r.servers = slices.DeleteFunc(slices.Clone(r.servers), func(s string) bool { return !slices.Contains(list(o.servers), s) })
			}
			chosen = append(chosen, r)
		}
	}
	return chosen
}

func run(ctx context.Context, o *options) (failed bool, err error) {
	if err := o.complete(); err != nil {
		return false, err
	}
	// More threads than the one core needs: the generator's epoll loop does not tell the scheduler that it waits.
	runtime.GOMAXPROCS(4)
	results := &result.Results{}
	if o.only != "" {
		if old, err := result.Read(o.out); err == nil {
			results = old
		}
	}
	results.Form, results.Machine = o.form(), machine()
	b, err := newBench(o)
	if err != nil {
		return false, err
	}
	defer b.close()
	fmt.Fprintf(os.Stderr, "servers and what they print: %s, removed at the end\n", b.env.Dir)
	began := time.Now()
	for _, r := range o.chosen() {
		measured := b.measure(ctx, r)
		if ctx.Err() != nil {
			return true, fmt.Errorf("stopped; the rows before are in %s", o.out)
		}
		results.Put(measured)
		if err := results.Write(o.out); err != nil {
			return true, err
		}
		printRow(os.Stdout, &measured)
		for _, s := range measured.Servers {
			failed = failed || s.Failed != ""
		}
	}
	printGoals(os.Stdout, results, o.chosen())
	fmt.Printf("\n%s in %s, results in %s\n", results.Form, time.Since(began).Round(time.Second), o.out)
	return failed, nil
}
