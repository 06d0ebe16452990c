package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/warmfront/warmfront/bench/result"
)

//go:embed performance.md.tmpl
var text string

//go:embed invalidation.md.tmpl
var invalidationText string

// view is what the template sees.
type view struct {
	*result.Results
	plotted map[string][]byte
}

func page(text string, r *result.Results, plotted map[string][]byte) ([]byte, error) {
	t, err := template.New("page").Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, view{r, plotted})
	return b.Bytes(), err
}

// Date is when the first row was measured.
func (v view) Date() string {
	if len(v.Rows) == 0 {
		return ""
	}
	return v.Rows[0].Began.Format(day)
}

// Runs says how many rounds there were and how long a run was, as in the first row.
func (v view) Runs() string {
	for _, row := range v.Rows {
		for i := range row.Servers {
			if s := row.Server(row.Servers[i].Name); s != nil {
				return fmt.Sprintf("%d rounds of %g s", len(s.Runs), row.Seconds)
			}
		}
	}
	return ""
}

const day = "2 January 2006"

// Versions are those of all servers, without the ones that differ only in how they were started. Rows may have been measured anew with a later
// build: then each is named, with the rows that are not of the first, and their day if it was another.
func (v view) Versions() string {
	var all []string
	first, later := map[string]string{}, map[string]bool{}
	for _, row := range v.Rows {
		for _, s := range row.Servers {
			name, _, _ := strings.Cut(s.Name, " with ")
			name, _, _ = strings.Cut(name, " on ")
			name, _, _ = strings.Cut(name, ", ")
			if strings.HasSuffix(name, " edges") { // a fleet
				name = "Warmfront"
			}
			of := fmt.Sprintf("%s %s for %q", name, s.Version, row.Title)
			switch {
			case s.Version == "":
			case first[name] == "":
				first[name] = s.Version
				all = append(all, name+" "+s.Version)
			case s.Version != first[name] && !later[of]:
				later[of] = true
				if at := row.Began; !at.IsZero() && at.Format(day) != v.Rows[0].Began.Format(day) {
					of += " on " + at.Format(day)
				}
				all = append(all, of)
			}
		}
	}
	return strings.Join(all, ", ")
}

// Goals is the table of those that were measured.
func (v view) Goals() string {
	var b strings.Builder
	fmt.Fprint(&b, "| load | goal | found (least–greatest of the rounds) | |\n|---|---|---|---|\n")
	for _, g := range v.Aims() {
		verdict, measured := v.Judge(g)
		if !measured {
			continue
		}
		word := "reached"
		if !verdict.OK {
			word = "**missed**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", v.Row(g.Row).Title, g.Text(), verdict.Found(), word)
	}
	return b.String()
}

// Plot is the picture's line, when there is one.
func (v view) Plot(file, alt string) string {
	if v.plotted[file] == nil {
		return ""
	}
	return fmt.Sprintf("![%s](%s)\n", alt, file)
}

// Tables are the rows of those names that were measured, each with its heading.
func (v view) Tables(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		if row := v.Row(name); row != nil {
			b.WriteString(table(row))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func table(row *result.Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s.\n\n", row.Title, strings.TrimSuffix(row.Load, "."))
	switch row.Unit {
	case "restart":
		return b.String() + restarts(row)
	case "invalidation":
		return b.String() + ways(row)
	case "purge":
		return b.String() + purges(row)
	}
	fmt.Fprintf(&b, "| | CPU per %s | spread | per second | p50 | p99 | p99.9 | CPU of %s / its |\n|---|---|---|---|---|---|---|---|\n", row.Unit, row.Servers[0].Name)
	first := row.Server(row.Servers[0].Name)
	for i := range row.Servers {
		s := row.Server(row.Servers[i].Name)
		if s == nil {
			continue
		}
		least, most := s.Spread(result.CPU)
		ratio := ""
		if first != nil && s != first {
			middle, _, _ := result.Ratio(first, s, result.CPU)
			ratio = fmt.Sprintf("**%.2f**", middle)
		}
		fmt.Fprintf(&b, "| %s | %s µs | %s–%s | %s | %s | %s | %s | %s |\n", s.Name, number(s.Median(result.CPU)), number(least), number(most),
			thousands(s.Median(result.Rate)), duration(s.Median(result.P50)), duration(s.Median(result.P99)), duration(s.Median(result.P999)), ratio)
	}
	if held := perConn(row); held != "" {
		fmt.Fprintf(&b, "\nMemory per held connection, the kernel's not counted: %s.\n", held)
	}
	for _, s := range row.Servers {
		if s.Failed == "" && len(s.Runs) > 0 && s.Runs[0].Invalidated > 0 {
			fmt.Fprintf(&b, "\n%s accepted %s invalidations a second.\n", s.Name, number(s.Median(result.Invalidations)))
		}
	}
	if kept := perRule(row); kept != "" {
		fmt.Fprintf(&b, "\nMemory per rule by the process's size, its history included: %s.\n", kept)
	}
	if stored := perObject(row); stored != "" {
		fmt.Fprintf(&b, "\nMemory per object besides its body (nginx has that in a file; what is taken at the start is not counted): %s.\n", stored)
	}
	return b.String() + failed(row)
}

// restarts is the table of what was started again.
func restarts(row *result.Row) string {
	var b strings.Builder
	fmt.Fprint(&b, "| | first hit | spread | CPU until then | hits right after it |\n|---|---|---|---|---|\n")
	for i := range row.Servers {
		if s := row.Server(row.Servers[i].Name); s != nil {
			least, most := s.Spread(result.FirstHit)
			fmt.Fprintf(&b, "| %s | %s | %s–%s | %s | %.0f %% |\n", s.Name, duration(1e6*s.Median(result.FirstHit)), duration(1e6*least), duration(1e6*most),
				duration(s.Median(result.CPU)), 100*s.Median(result.Kept))
		}
	}
	return b.String() + failed(row)
}

// failed tells of those that did, and ends the table.
func failed(row *result.Row) string {
	var b strings.Builder
	for _, s := range row.Servers {
		if row.Server(s.Name) == nil {
			fmt.Fprintf(&b, "\n%s failed: %s.\n", s.Name, oneLine(s.Failed))
		}
	}
	return b.String() + "\n"
}

func perObject(row *result.Row) string {
	var stored []string
	for _, s := range row.Servers {
		if s.PerObject != 0 && s.Failed == "" {
			stored = append(stored, fmt.Sprintf("%s %.0f octets", s.Name, s.PerObject))
		}
	}
	return strings.Join(stored, ", ")
}

func perConn(row *result.Row) string {
	var held []string
	for _, s := range row.Servers {
		if s.PerConn > 0 && s.Failed == "" {
			held = append(held, fmt.Sprintf("%s %.1f KiB", s.Name, s.PerConn/1024))
		}
	}
	return strings.Join(held, ", ")
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "|", "/")), " ")
}

// number has three digits that count.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// duration is of microseconds.
func duration(us float64) string {
	switch d := time.Duration(us * 1000); {
	case d >= time.Second:
		return number(d.Seconds()) + " s"
	case d >= time.Millisecond:
		return number(us/1000) + " ms"
	default:
		return fmt.Sprintf("%.0f µs", us)
	}
}
