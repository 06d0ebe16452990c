package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/warmfront/warmfront/bench/load"
	"github.com/warmfront/warmfront/bench/result"
	"github.com/warmfront/warmfront/bench/server"
)

// fillTimeout is for a million objects on a machine that is busy.
const fillTimeout = 15 * time.Minute

// bench is one run of the command: the servers that were started, and what is in their caches.
type bench struct {
	options *options
	env     server.Env
	servers map[string]*server.Server
	broken  map[string]error // servers that could not be started: not tried again, as that takes long
	filled  map[*server.Server]map[*fill]bool
}

// newBench makes what all servers share. close gives it back.
func newBench(o *options) (b *bench, err error) {
	b = &bench{options: o, servers: map[string]*server.Server{}, broken: map[string]error{}, filled: map[*server.Server]map[*fill]bool{}}
	b.env = server.Env{Binary: o.binary, Cores: "0", OpenFiles: openFiles(), CacheMiB: 1024}
	if b.env.Dir, err = os.MkdirTemp("", "warmfront-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if err := os.Chmod(b.env.Dir, 0o755); err != nil { // some servers take another user's rights
		return nil, err
	}
	if b.env.Cert, err = server.MakeCertificate(b.env.Dir); err != nil {
		return nil, err
	}
	if b.env.Origin, err = server.StartOrigin(); err != nil {
		return nil, err
	}
	b.env.Files = filepath.Join(b.env.Dir, "files")
	var paths []string
	if slices.ContainsFunc(o.chosen(), func(r row) bool { return strings.Contains(r.name, "keys") && slices.Contains(r.servers, "H2O") }) {
		paths = load.Keys(keys)
	}
	return b, server.LayFiles(b.env.Files, paths)
}

// openFiles raises the limit of open files as far as it may, for the servers too.
func openFiles() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 1024
	}
	higher := unix.Rlimit{Cur: 200_000, Max: max(200_000, l.Max)}
	if l.Max < 200_000 && unix.Setrlimit(unix.RLIMIT_NOFILE, &higher) == nil {
		return 200_000
	}
	l.Cur = min(l.Max, 200_000)
	unix.Setrlimit(unix.RLIMIT_NOFILE, &l)
	return int(l.Cur)
}

func (b *bench) close() {
	for _, s := range b.servers {
		s.Stop()
	}
	if b.env.Origin != nil {
		b.env.Origin.Close()
	}
	os.RemoveAll(b.env.Dir)
}

// server returns the running server of that name; one that has ended is started again.
func (b *bench) server(ctx context.Context, r row, name string) (*server.Server, error) {
	if s := b.servers[name]; s != nil {
		if s.Alive() {
			return s, nil
		}
		b.stop(name)
	}
	if err := b.broken[name]; err != nil {
		return nil, err
	}
	env := b.env
	if r.cacheMiB > 0 {
		env.CacheMiB = r.cacheMiB
	}
	s, err := starts[name](ctx, env)
	if err != nil && ctx.Err() == nil { // its port may have been taken by another meanwhile
		s, err = starts[name](ctx, env)
	}
	if err != nil {
		b.broken[name] = err
		return nil, err
	}
	b.servers[name], b.filled[s] = s, map[*fill]bool{}
	return s, nil
}

// stop ends the server of that name, if it was started.
func (b *bench) stop(name string) {
	if s := b.servers[name]; s != nil {
		s.Stop()
		delete(b.servers, name)
		delete(b.filled, s)
	}
}

// measure runs one row. It never fails as a whole.
func (b *bench) measure(ctx context.Context, r row) result.Row {
	out := result.Row{Name: r.name, Title: counted(r.title), Load: counted(r.load), Unit: r.unit, Began: time.Now().UTC().Truncate(time.Second), Seconds: r.length(b.options).Seconds()}
	if out.Unit == "" {
		out.Unit = "request"
	}
	fmt.Fprintf(os.Stderr, "\n%s: %s\n", r.name, out.Load)
	if r.cacheMiB > 0 {
		defer func() { // what they have of memory is for this row only
			for _, name := range r.servers {
				b.stop(name)
			}
		}()
	}
	for _, name := range r.servers {
		m, served := b.ready(ctx, r, name)
		if served {
			out.Servers = append(out.Servers, m)
		}
	}
	rounds := b.options.rounds
	if r.rounds > 0 {
		rounds = min(rounds, r.rounds)
	}
	for round := range rounds {
		for i := range out.Servers {
			m := &out.Servers[i]
			if m.Failed != "" || ctx.Err() != nil {
				continue
			}
			if err := b.runTwice(ctx, r, m); err != nil {
				m.Failed = err.Error()
				fmt.Fprintf(os.Stderr, "  round %d  %-28s failed: %s\n", round+1, m.Name, m.Failed)
				continue
			}
			last := m.Runs[len(m.Runs)-1]
			if last.Way != nil || last.Purge != nil {
				fmt.Fprintf(os.Stderr, "  round %d  %-28s %s\n", round+1, m.Name, inShort(last))
				continue
			}
			fmt.Fprintf(os.Stderr, "  round %d  %-28s %9.0f/s  %8.2f µs CPU per %s  generator %3.0f %%\n", round+1, m.Name, result.Rate(last), result.CPU(last), out.Unit, 100*result.Busy(last))
		}
	}
	return out
}

// fill puts what the row needs into the cache, unless it is there.
func (b *bench) fill(ctx context.Context, r row, s *server.Server, m *result.Server) error {
	if r.fill == nil || s.Files || b.filled[s][r.fill] {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	began, memory := time.Now(), s.Memory()
	if err := r.fill.do(ctx, s); err != nil {
		return fmt.Errorf("filling the cache: %w", err)
	}
	if r.fill.weighed {
		m.PerObject = perObject(ctx, s, memory, objects)
	}
	b.filled[s][r.fill] = true
	fmt.Fprintf(os.Stderr, "  filled   %-28s in %.1f s\n", s.Name, time.Since(began).Seconds())
	return nil
}

func (r *row) length(o *options) time.Duration { return o.length * time.Duration(max(r.longer, 1)) }

// ready starts the server and fills its cache. served is false when it has nothing that this row loads.
func (b *bench) ready(ctx context.Context, r row, name string) (m result.Server, served bool) {
	m.Name = name
	if r.fresh {
		b.stop(name)
	}
	s, err := b.server(ctx, r, name)
	if errors.Is(err, server.ErrNotServed) {
		return m, false
	}
	if err == nil {
		m.Version, m.OnDisk = s.Version, s.OnDisk
		if r.make != nil && r.make(s) == nil {
			return m, false
		}
		err = b.fill(ctx, r, s, &m)
	}
	if err == nil && r.expects {
		err = inForce(ctx, s, &m)
	}
	if err == nil && !r.once {
		// The first run fills caches, the processor's too. It counts for nothing, its errors neither.
		_, _ = b.load(ctx, r, s, r.length(b.options)/4, &m)
	}
	if err != nil {
		m.Failed = err.Error()
		fmt.Fprintf(os.Stderr, "  %-28s failed: %s\n", name, m.Failed)
	}
	return m, true
}

// runTwice adds a run; when the first attempt fails there is a second.
func (b *bench) runTwice(ctx context.Context, r row, m *result.Server) error {
	var errs []error
	for range 2 {
		s, err := b.server(ctx, r, m.Name)
		if err == nil {
			err = b.fill(ctx, r, s, m) // it may be another than before
		}
		if err == nil {
			var run result.Run
			if run, err = b.load(ctx, r, s, r.length(b.options), m); err == nil {
				m.Runs = append(m.Runs, run)
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if len(errs) == 0 || errs[0].Error() != err.Error() {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// load is one run on one server: what goes on beside, connections, CPU clocks, the load.
func (b *bench) load(ctx context.Context, r row, s *server.Server, length time.Duration, m *result.Server) (run result.Run, err error) {
	if r.beside != nil {
		memory := s.Memory()
		began := time.Now()
		held, err := r.beside(ctx, s)
		if err != nil {
			return run, err
		}
		defer func() {
			lasted := time.Since(began)
			n, failed := held.release()
			run.Invalidated = float64(n) / lasted.Seconds()
			err = errors.Join(err, failed)
		}()
		if held.conns > 0 {
			m.PerConn = max(m.PerConn, float64(s.Memory()-memory)/float64(held.conns))
		}
	}
	if r.run != nil {
		return r.run(ctx, b, s)
	}
	if r.anew {
		if err := s.Again(ctx); err != nil {
			return run, err
		}
	}
	if r.written {
		unix.Sync()
	}
	l := r.make(s)
	defer l.Close()
	if err := l.Open(ctx); err != nil {
		return run, err
	}
	reached := b.env.Origin.Requests()
	own, used := server.OwnUsage(), s.Usage()
	o, err := l.Run(ctx, length)
	cpu, generator := s.Usage().Since(used), server.OwnUsage()-own
	if err != nil {
		return run, err
	}
	if o.Idle > 0 { // its thread spins: CPU time would tell nothing
		generator = o.Elapsed - o.Idle
	}
	switch n := b.env.Origin.Requests() - reached; {
	case r.misses && n < int64(o.Answers):
		return run, fmt.Errorf("%d of %d requests reached the origin: not all are misses", n, o.Answers)
	case !r.misses && n > 0 && !s.Files:
		if r.fill != nil {
			b.filled[s][r.fill] = false // not all was kept: the next attempt fills again
		}
		return run, fmt.Errorf("%d of %d requests reached the origin: these are no hits", n, o.Answers)
	}
	if o.Answers == 0 || cpu <= 0 {
		return run, fmt.Errorf("%d answers for %v of CPU", o.Answers, cpu)
	}
	micro := func(q float64) float64 { return float64(o.Latency.Quantile(q)) / 1000 }
	return result.Run{Answers: o.Answers, Seconds: o.Elapsed.Seconds(), CPU: cpu.Seconds(), Generator: generator.Seconds(),
		P50: micro(0.5), P99: micro(0.99), P999: micro(0.999)}, nil
}
