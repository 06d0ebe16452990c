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
	for _, s := range r.Servers {
		if s.Failed != "" {
			fmt.Fprintf(w, "FAILED %s: %s\n", s.Name, s.Failed)
		}
		if s.PerConn > 0 {
			fmt.Fprintf(w, "%s: %.1f KiB per held connection\n", s.Name, s.PerConn/1024)
		}
		if len(s.Runs) > 0 && s.Runs[0].Invalidated > 0 {
			fmt.Fprintf(w, "%s: %.0f invalidations a second were accepted\n", s.Name, s.Median(result.Invalidations))
		}
	}
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
	for _, g := range result.Goals {
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
