package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/warmfront/warmfront/bench/result"
)

// Between these lines of invalidation.md stands what is made of invalidation.json; the rest is written by hand.
const (
	beginMark = "<!-- figures: made by `make performance` from invalidation.json and bench/page; edit those -->\n"
	endMark   = "<!-- end of figures -->\n"
)

// renderInvalidation returns the files by name; none when nothing was measured yet.
func renderInvalidation(docs string) (map[string][]byte, error) {
	r, err := result.Read(filepath.Join(docs, "invalidation.json"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files := draw(invalidationPlots, r)
	figures, err := page(invalidationText, r, files)
	if err != nil {
		return nil, err
	}
	written, err := os.ReadFile(filepath.Join(docs, "invalidation.md"))
	if err != nil {
		return nil, err
	}
	files["invalidation.md"], err = between(written, figures)
	return files, err
}

// between puts the figures where the marks are.
func between(written, figures []byte) ([]byte, error) {
	before, rest, begins := bytes.Cut(written, []byte(beginMark))
	_, after, ends := bytes.Cut(rest, []byte(endMark))
	if !begins || !ends {
		return nil, fmt.Errorf("invalidation.md has no lines %q and %q", strings.TrimSpace(beginMark), strings.TrimSpace(endMark))
	}
	return bytes.Join([][]byte{before, []byte(beginMark), figures, []byte(endMark), after}, nil), nil
}

// ways is the table of what became of invalidations on their way.
func ways(row *result.Row) string {
	var b strings.Builder
	fmt.Fprint(&b, "| | accepted | p99 | applied everywhere | p99 | Completed | p99 | spread | round trip | timers late at p99 |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for i := range row.Servers {
		s := row.Server(row.Servers[i].Name)
		if s == nil {
			continue
		}
		ms := func(m func(*result.Way) float64) string {
			return number(s.Median(func(r result.Run) float64 { return m(r.Way) })) + " ms"
		}
		least, most := s.Spread(result.CompletedP99)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | **%s** | %s–%s | %s | %s |\n", s.Name,
			ms(func(w *result.Way) float64 { return w.Accepted }), ms(func(w *result.Way) float64 { return w.AcceptedP99 }),
			ms(func(w *result.Way) float64 { return w.Applied }), ms(func(w *result.Way) float64 { return w.AppliedP99 }),
			ms(func(w *result.Way) float64 { return w.Completed }), ms(func(w *result.Way) float64 { return w.CompletedP99 }),
			number(least), number(most), ms(func(w *result.Way) float64 { return w.RoundTrip }), ms(func(w *result.Way) float64 { return w.LateP99 }))
	}
	return b.String() + failed(row)
}

// purges is the table of what dropped a prefix.
func purges(row *result.Row) string {
	var b strings.Builder
	fmt.Fprint(&b, "| | in force after | CPU | first request after it | later ones | memory taken | given back after | others' p99 before | and meanwhile | their slowest before | and meanwhile |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|\n")
	for i := range row.Servers {
		s := row.Server(row.Servers[i].Name)
		if s == nil {
			continue
		}
		of := func(m func(*result.Purge) float64) float64 {
			return s.Median(func(r result.Run) float64 { return m(r.Purge) })
		}
		memory, freed := fmt.Sprintf("%.0f MiB", of(func(p *result.Purge) float64 { return p.Memory })), "not within the run"
		if d := s.Median(result.Freed); d > 0 {
			freed = duration(1e6 * d)
		}
		if d := of(func(p *result.Purge) float64 { return p.Forgotten }); d > 0 {
			freed += fmt.Sprintf("; objects gone after %s", duration(1e6*d))
		}
		if strings.HasPrefix(s.Name, "nginx") {
			memory = "in files"
		}
		fmt.Fprintf(&b, "| %s | **%s** | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", s.Name, duration(1e6*s.Median(result.Done)), duration(1e6*of(func(p *result.Purge) float64 { return p.CPU })),
			duration(1e3*s.Median(result.First)), duration(1e3*of(func(p *result.Purge) float64 { return p.Misses })), memory, freed,
			duration(of(func(p *result.Purge) float64 { return p.P99Before })), duration(of(func(p *result.Purge) float64 { return p.P99 })),
			duration(of(func(p *result.Purge) float64 { return p.LongestBefore })), duration(of(func(p *result.Purge) float64 { return p.Longest })))
	}
	return b.String() + failed(row)
}

func perRule(row *result.Row) string {
	var kept []string
	for _, s := range row.Servers {
		if s.PerRule > 0 && s.Rules >= 1000 && s.Failed == "" {
			kept = append(kept, fmt.Sprintf("%s %.0f octets", s.Name, s.PerRule))
		}
	}
	return strings.Join(kept, "; ")
}
