// Replay runs histories of package simulation so that each is always the same, octet by octet. Natively the runtime decides in which order
// goroutines go on that one instant wakes, which of two ready cases a select takes, and in which order a map is walked. Here the
// simulation is built for WebAssembly, where a program has one thread, and its host, which is this command, is all that it knows of the
// world: its clock shows what it has been asked for, its random numbers follow from a number, the order. So a seed and an order are a history. A seed that has
// found something natively is looked for in one order after the other.
//
//	go run ./replay 1-300                 each seed from 1 to 300 in order 0
//	go run ./replay -twice 1-300          … and again, which must be the same
//	go run ./replay -orders 50 4711       seed 4711 in orders 0 to 49, up to the first that finds something: that is told
//	go run ./replay -order 7 -v 4711      it, told
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

func main() {
	first := flag.Uint64("order", 0, "the order, or the first of them")
	orders := flag.Uint64("orders", 1, "in how many orders each seed runs, unless one has found something")
	twice := flag.Bool("twice", false, "run each a second time: it must be the same")
	told := flag.Bool("v", false, "tell them")
	flag.Parse()
	from, to, err := seeds(flag.Arg(0))
	if err != nil || flag.NArg() != 1 || *orders == 0 {
		fmt.Fprintln(os.Stderr, "usage: replay [flags] SEED, or FIRST-LAST; -orders is 1 or more")
		os.Exit(2)
	}
	ctx := context.Background()
	s, err := build(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var bad atomic.Int64
	inParallel(from, to, func(seed uint64) {
		for order := *first; order < *first+*orders; order++ {
			h, err := s.history(ctx, seed, order)
			if err == nil && *twice {
				err = h.again(ctx, s)
			}
			fmt.Printf("seed %d, order %d: %x\n", seed, order, h.digest())
			if *told || err != nil {
				os.Stdout.Write(h.told)
			}
			if err != nil {
				fmt.Printf("seed %d, order %d: %v\n", seed, order, err)
				bad.Add(1)
				return
			}
		}
	})
	fmt.Printf("%d of %d seeds have found something\n", bad.Load(), to-from+1)
	if bad.Load() > 0 {
		os.Exit(1)
	}
}

// seeds are one, or from the first to the last of two.
func seeds(s string) (from, to uint64, err error) {
	a, b, two := strings.Cut(s, "-")
	if from, err = strconv.ParseUint(a, 10, 64); err != nil || !two {
		return from, from, err
	}
	if to, err = strconv.ParseUint(b, 10, 64); err == nil && to < from {
		err = fmt.Errorf("%d is before %d", to, from)
	}
	return from, to, err
}

// inParallel calls f for each number, on all processors.
func inParallel(from, to uint64, f func(uint64)) {
	var next atomic.Uint64
	next.Store(from)
	var g sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() {
			for n := next.Add(1) - 1; n <= to; n = next.Add(1) - 1 {
				f(n)
			}
		})
	}
	g.Wait()
}

// build has the go command build package simulation, and makes it ready to be run.
func build(ctx context.Context) (*simulation, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	dir, err := os.MkdirTemp("", "replay")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "simulation.wasm")
	c := exec.CommandContext(ctx, "go", "test", "-c", "-o", name, "./simulation")
	c.Dir = filepath.Dir(filepath.Dir(strings.TrimSpace(string(mod)))) // tools is within the module that is meant
	c.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return load(ctx, b)
}
