package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/warmfront/warmfront/bench/result"
)

// printRow is one table.
func printRow(w io.Writer, r *result.Row) {
	fmt.Fprintf(w, "\n%s (%s)\n%s\n\n", r.Title, r.Name, r.Load)
	if r.Unit == "restart" {
		printRestarts(w, r)
		return
	}
	if r.Unit == "invalidation" || r.Unit == "purge" {
		printRuns(w, r)
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "server\tCPU µs/%s\tspread\t/s\tp50\tp99\tp99.9\tgenerator\tfirst's CPU / its\tspread\t\n", r.Unit)
	for i := range r.Servers {
		s := &r.Servers[i]
		if s.Failed != "" {
			continue
		}
		least, most := s.Spread(result.CPU)
		fmt.Fprintf(t, "%s\t%.2f\t%.2f–%.2f\t%.0f\t%s\t%s\t%s\t%.0f %%\t", s.Name, s.Median(result.CPU), least, most, s.Median(result.Rate),
			micro(s.Median(result.P50)), micro(s.Median(result.P99)), micro(s.Median(result.P999)), 100*s.Median(result.Busy))
		if first := &r.Servers[0]; first.Failed == "" {
			ratio, least, most := result.Ratio(first, s, result.CPU)
			fmt.Fprintf(t, "%.2f\t%.2f–%.2f\t\n", ratio, least, most)
		} else {
			fmt.Fprint(t, "\t\t\n")
		}
	}
	t.Flush()
	printFailed(w, r)
	for _, s := range r.Servers {
		if s.PerObject != 0 {
			fmt.Fprintf(w, "%s: %.0f octets of memory per object besides its body\n", s.Name, s.PerObject)
		}
		if s.PerConn > 0 {
			fmt.Fprintf(w, "%s: %.1f KiB per held connection\n", s.Name, s.PerConn/1024)
		}
		if s.PerRule > 0 {
			fmt.Fprintf(w, "%s: %d rules active, %.0f octets of memory each\n", s.Name, s.Rules, s.PerRule)
		}
		if len(s.Runs) > 0 && s.Runs[0].Invalidated > 0 {
			fmt.Fprintf(w, "%s: %.0f invalidations a second were accepted\n", s.Name, s.Median(result.Invalidations))
		}
	}
}

func printFailed(w io.Writer, r *result.Row) {
	for _, s := range r.Servers {
		if s.Failed != "" {
			fmt.Fprintf(w, "FAILED %s: %s\n", s.Name, s.Failed)
		}
	}
}

// printRestarts is the table of what was started again.
func printRestarts(w io.Writer, r *result.Row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "server\tfirst hit\tspread\tCPU until then\thits right after it\t")
	for i := range r.Servers {
		if s := r.Server(r.Servers[i].Name); s != nil {
			least, most := s.Spread(result.FirstHit)
			fmt.Fprintf(t, "%s\t%.3f s\t%.3f–%.3f\t%.3f s\t%.0f %%\t\n", s.Name, s.Median(result.FirstHit), least, most, s.Median(result.CPU)/1e6, 100*s.Median(result.Kept))
		}
	}
	t.Flush()
	printFailed(w, r)
}

// printRuns is a line per run.
func printRuns(w io.Writer, r *result.Row) {
	for i := range r.Servers {
		for _, run := range r.Servers[i].Runs {
			fmt.Fprintf(w, "%-28s %s\n", r.Servers[i].Name, inShort(run))
		}
	}
	printFailed(w, r)
}

// inShort is a run of which CPU is not what counts.
func inShort(r result.Run) string {
	if w := r.Way; w != nil {
		return fmt.Sprintf("accepted %.1f ms (p99 %.1f)  applied %.1f (%.1f)  Completed %.1f (%.1f), the round trip is %.0f, timers are late by %.1f at p99", w.Accepted, w.AcceptedP99, w.Applied, w.AppliedP99, w.Completed, w.CompletedP99, w.RoundTrip, w.LateP99)
	}
	if p := r.Purge; p != nil {
		return fmt.Sprintf("in force after %.3f s  CPU %.2f s  first request %.1f ms, then %.1f  %.0f MiB given back after %.1f s (forgotten %.1f)  others' p99 %s (before %s), longest %s (%s)", p.Done, p.CPU, p.First, p.Misses,
			p.Memory, p.Freed, p.Forgotten, micro(p.P99), micro(p.P99Before), micro(p.Longest), micro(p.LongestBefore))
	}
	return ""
}

func micro(us float64) string {
	d := time.Duration(us * 1000)
	if d < 10*time.Millisecond {
		return d.Round(time.Microsecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}

// printGoals is the table of goals of the rows that were measured now.
func printGoals(w io.Writer, results *result.Results, rows []row) {
	fmt.Fprintln(w, "\nGoals (median of the ratios round by round; in brackets their spread)")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, g := range results.Aims() {
		v, measured := results.Judge(g)
		if !measured || !slices.ContainsFunc(rows, func(r row) bool { return r.name == g.Row }) {
			continue
		}
		word := "ok"
		if !v.OK {
			word = "MISSED"
		}
		fmt.Fprintf(t, "%s\t%s:\t%s\t%s\n", results.Row(g.Row).Title, g.Text(), v.Found(), word)
	}
	t.Flush()
}

// machine is where this runs.
func machine() result.Machine {
	m := result.Machine{Cores: runtime.NumCPU()}
	if all, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, rest, _ := strings.Cut(string(all), "model name")
		m.CPU, _, _ = strings.Cut(strings.TrimLeft(rest, "\t: "), "\n")
		m.Cores = strings.Count(string(all), "processor\t:")
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	var i unix.Sysinfo_t
	if unix.Sysinfo(&i) == nil {
		m.LoadAverage = float64(i.Loads[0]) / (1 << 16)
		m.GiB = int((i.Totalram*uint64(i.Unit) + 1<<29) >> 30)
	}
	return m
}
