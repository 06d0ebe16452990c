// Command bench measures what a hit costs, ours beside nginx and Varnish in the same run.
//
// Method: each server is pinned to core 0, load generator and origin to core 1. All servers run at
// the same time but are loaded in turn, A B C, A B C, …, so that a noisy machine is noisy for all.
// The figure to trust is CPU per request: user and system time of the server's processes divided by
// its answers; it holds even where the generator is the bottleneck. Ratios are taken per round, then
// the median. A run in which a request reached the origin does not count as hits and is an error.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	warmfront := flag.String("warmfront", "bin/warmfront", "the binary to measure")
	rounds := flag.Int("rounds", 5, "rounds")
	length := flag.Duration("length", 3*time.Second, "of one run")
	conns := flag.Int("connections", 64, "keep-alive connections")
	size := flag.Int("size", 1024, "octets of the object")
	flag.Parse()
	if err := run(*warmfront, *rounds, *length, *conns, *size); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(warmfront string, rounds int, length time.Duration, conns, size int) error {
	dir, err := os.MkdirTemp("", "warmfront-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o, err := startOrigin(size)
	if err != nil {
		return err
	}
	defer o.close()
	var servers []*server
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	for _, start := range []func(dir string, o *origin) (*server, error){
		func(dir string, o *origin) (*server, error) { return startWarmfront(warmfront, dir, o) }, startNginx, startVarnish,
	} {
		s, err := start(dir, o)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	results, err := measure(servers, o, rounds, length, conns, size)
	if err != nil {
		return err
	}
	report(servers, results, rounds, length, conns, size)
	return nil
}

// result is one run of one server.
type result struct {
	requests int
	elapsed  time.Duration
	cpu      time.Duration
	latency  []time.Duration // a sample, sorted
}

func (r result) perSecond() float64 { return float64(r.requests) / r.elapsed.Seconds() }
func (r result) cpuPer() float64    { return float64(r.cpu.Nanoseconds()) / 1000 / float64(r.requests) }
func (r result) quantile(q float64) time.Duration {
	return r.latency[min(len(r.latency)-1, int(q*float64(len(r.latency))))]
}

func measure(servers []*server, o *origin, rounds int, length time.Duration, conns, size int) (map[string][]result, error) {
	results := map[string][]result{}
	for _, s := range servers {
		if _, err := load(s, length/4, conns, size); err != nil { // fills the cache and warms up
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for round := range rounds {
		for _, s := range servers {
			before := o.requests.Load()
			r, err := load(s, length, conns, size)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			if n := o.requests.Load() - before; n != 0 {
				return nil, fmt.Errorf("%s sent %d requests to the origin: these are not hits", s.name, n)
			}
			results[s.name] = append(results[s.name], r)
			fmt.Fprintf(os.Stderr, "round %d  %-10s %8.0f req/s  %6.1f µs CPU per request\n", round+1, s.name, r.perSecond(), r.cpuPer())
		}
	}
	return results, nil
}

func report(servers []*server, results map[string][]result, rounds int, length time.Duration, conns, size int) {
	fmt.Printf("\n%d octets, %d keep-alive connections, %d rounds of %s, medians\n\n", size, conns, rounds, length)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "server\treq/s\tCPU µs/req\tp50\tp99\twarmfront's CPU / its\twarmfront's req/s / its\t")
	ours := results[servers[0].name]
	for _, s := range servers {
		theirs := results[s.name]
		fmt.Fprintf(t, "%s\t%.0f\t%.1f\t%s\t%s\t%.2f\t%.2f\t\n", s.name,
			median(theirs, result.perSecond), median(theirs, result.cpuPer),
			time.Duration(median(theirs, func(r result) float64 { return float64(r.quantile(0.5)) })).Round(time.Microsecond),
			time.Duration(median(theirs, func(r result) float64 { return float64(r.quantile(0.99)) })).Round(time.Microsecond),
			ratio(ours, theirs, result.cpuPer), ratio(ours, theirs, result.perSecond))
	}
	t.Flush()
	for _, s := range servers {
		fmt.Printf("\n%s: %s", s.name, s.version)
	}
	fmt.Println()
}

func median(rs []result, f func(result) float64) float64 {
	v := make([]float64, len(rs))
	for i, r := range rs {
		v[i] = f(r)
	}
	return middle(v)
}

// ratio is the median of the ratios round by round.
func ratio(a, b []result, f func(result) float64) float64 {
	v := make([]float64, len(a))
	for i := range a {
		v[i] = f(a[i]) / f(b[i])
	}
	return middle(v)
}

func middle(v []float64) float64 {
	sort.Float64s(v)
	return v[len(v)/2]
}

// server is a program under load.
type server struct {
	name, version string
	address       string
	request       []byte
	cmd           *exec.Cmd
}

// pinned prepares a command on core 0, in a process group of its own so that all of it is stopped.
func pinned(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("taskset", append([]string{"-c", "0", name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (s *server) stop() {
	if s.cmd.Process != nil {
		s.cmd.Process.Signal(os.Interrupt)
		done := make(chan struct{})
		go func() { s.cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
			<-done
		}
	}
}

// cpu is the user and system time that the server's processes have used.
func (s *server) cpu() time.Duration {
	var total time.Duration
	for pid := range family(s.cmd.Process.Pid) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		var user, system int64
		fmt.Sscan(f[11], &user)
		fmt.Sscan(f[12], &system)
		total += time.Duration(user+system) * time.Second / 100 // USER_HZ is 100 on Linux
	}
	return total
}

// family is a process with all its descendants.
func family(root int) map[int]bool {
	parents := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, p := range stats {
		b, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		var pid, parent int
		var state string
		fmt.Sscan(string(b), &pid)
		fmt.Sscan(string(b[strings.LastIndexByte(string(b), ')')+1:]), &state, &parent)
		parents[pid] = parent
	}
	members := map[int]bool{root: true}
	for grown := true; grown; {
		grown = false
		for pid, parent := range parents {
			if members[parent] && !members[pid] {
				members[pid], grown = true, true
			}
		}
	}
	return members
}
