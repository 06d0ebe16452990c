package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/warmfront/warmfront/internal/units"
)

// clean shows control characters instead of sending them to somebody's terminal: names, tags and paths
// are what others have chosen.
func clean(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) || r == '\n' {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// number writes 1234567 as 1,234,567.
func number[N int | int64 | uint64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count is a number of things: "1 object", "2 objects".
func count[N int | int64 | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// size writes a number of octets.
func size(n int64) string { return units.Size(n) }

// took writes a time that something took, with two or three digits that matter.
func took(ms float64) string {
	switch {
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 59_950:
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return span(time.Duration(ms) * time.Millisecond)
}

// span writes a time in its two largest units.
func span(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
}

// percent writes a ratio without making 99.99 % a hundred.
func percent(part, whole uint64) string {
	return share(float64(part) / float64(whole))
}

// share writes a part of one in the same way.
func share(f float64) string {
	if f < 1 {
		f = min(f, 0.999)
	}
	return fmt.Sprintf("%.1f %%", 100*f)
}

// few joins the first of many, each cut to what fits into a line of a table.
func few(all []string, most int) string {
	var shown []string
	for _, s := range all[:min(most, len(all))] {
		shown = append(shown, brief(s))
	}
	if len(all) <= most {
		return strings.Join(shown, ", ")
	}
	return fmt.Sprintf("%s and %s more", strings.Join(shown, ", "), number(len(all)-most))
}

// brief cuts what would fill the screen: a path may have thousands of characters. JSON has all of it.
func brief(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// dash stands for what is not there.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// table aligns cells. Its first row may be a heading.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

// lines has no blanks at their ends.
func (t table) lines() []string {
	if len(t) == 0 {
		return nil
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range t {
		for i, cell := range row {
			if i > 0 {
				io.WriteString(w, "\t")
			}
			io.WriteString(w, strings.ReplaceAll(clean(cell), "\n", " "))
		}
		io.WriteString(w, "\n")
	}
	w.Flush()
	all := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i, l := range all {
		all[i] = strings.TrimRight(l, " ")
	}
	return all
}

func (t table) print(out io.Writer) error { return printLines(out, t.lines()) }

func printLines(out io.Writer, lines []string) error {
	for _, l := range lines {
		if _, err := fmt.Fprintln(out, l); err != nil {
			return err
		}
	}
	return nil
}

// where names an edge and its location, which in a small Warmfront are the same.
func where(edge, location string) string {
	if location == "" || location == edge {
		return edge
	}
	return edge + " in " + location
}
