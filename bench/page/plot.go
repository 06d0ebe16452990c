package main

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/warmfront/warmfront/bench/result"
)

// plot is one picture: a panel of bars per row, a bar per server.
type plot struct {
	file    string
	title   string
	rows    []string
	measure result.Measure
	unit    string
	more    []panel // after those of the rows
}

// panel shows a measure of a row.
type panel struct {
	row     string
	title   string // "": the row's
	measure result.Measure
}

var plots = []plot{
	{"performance-http1.svg", "CPU per hit, HTTP/1.1", []string{"1k", "16k", "100k", "1m", "keys", "conns", "pipelined"}, result.CPU, "µs", nil},
	{"performance-tls.svg", "CPU per hit, TLS and HTTP/2", []string{"tls-1k", "tls-100k", "tls-new", "h2-one", "h2-keys"}, result.CPU, "µs", nil},
	{"performance-beside.svg", "CPU per hit while something else goes on", []string{"idle", "slow", "log", "invalidations", "cores"}, result.CPU, "µs", nil},
	{"performance-cache.svg", "CPU per request: many objects, misses, disks", []string{"million", "fill-1k", "fill-100k", "disk-16k", "disk-100k"}, result.CPU, "µs", nil},
	{"performance-latency.svg", "p99 at a fixed rate", []string{"latency"}, result.P99, "µs", nil},
}

var invalidationPlots = []plot{
	{"invalidation-hits.svg", "CPU per hit, and rules", []string{"checked", "first", "stream"}, result.CPU, "µs", nil},
	{"invalidation-way.svg", "Edges up to 150 ms away", nil, nil, "ms", []panel{
		{"way", "Applied on the last edge, p99", result.AppliedP99}, {"way", "Completed, p99", result.CompletedP99}}},
	{"invalidation-prefix.svg", "Many objects dropped by their prefix", nil, nil, "seconds, milliseconds", []panel{
		{"prefix", "In force after, s", result.Done}, {"prefix", "The slowest answer to others meanwhile, ms", result.Longest}}},
}

// Sizes in pixels.
const (
	panelWidth  = 420
	panelGap    = 20
	labelWidth  = 184
	valueWidth  = 62
	barHeight   = 15
	barGap      = 5
	titleHeight = 26
	columns     = 2
)

const style = `text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600;font-size:13px}.head{font-weight:600;font-size:15px}` +
	`.ours{fill:#d1541f}.other{fill:#8aa4c0}.floor{fill:#c8ccd1}.range{stroke:#1f2328;stroke-width:1}`

// draw returns the picture, nil when none of its rows was measured. Bars begin at zero; the thin line is from
// the least to the greatest of the rounds.
func (p plot) draw(r *result.Results) []byte {
	all := slices.Clone(p.more)
	for i, name := range p.rows {
		all = slices.Insert(all, i, panel{row: name, measure: p.measure})
	}
	var panels []panel
	for _, one := range all {
		if row := r.Row(one.row); row != nil && len(measured(row)) > 0 {
			panels = append(panels, one)
		}
	}
	if len(panels) == 0 {
		return nil
	}
	var b strings.Builder
	y := 40
	for i := 0; i < len(panels); i += columns {
		line := panels[i:min(i+columns, len(panels))]
		tallest := 0
		for column, one := range line {
			row := r.Row(one.row)
			one.draw(&b, row, panelGap+column*(panelWidth+panelGap), y)
			tallest = max(tallest, len(measured(row)))
		}
		y += titleHeight + tallest*(barHeight+barGap) + panelGap
	}
	width := panelGap + min(columns, len(panels))*(panelWidth+panelGap)
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="%[3]s">
<style>%[4]s</style>
<rect width="%[1]d" height="%[2]d" fill="#ffffff"/>
<text class="head" x="%[5]d" y="24">%[3]s (%[6]s; less is better)</text>
%[7]s</svg>
`, width, y, html.EscapeString(p.title), style, panelGap, p.unit, b.String())
}

func (p panel) draw(b *strings.Builder, row *result.Row, x, y int) {
	title := p.title
	if title == "" {
		title = row.Title
	}
	fmt.Fprintf(b, "<text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n", x, y+14, html.EscapeString(title))
	servers := measured(row)
	most := 0.0
	for _, s := range servers {
		_, greatest := s.Spread(p.measure)
		most = max(most, greatest)
	}
	scale := func(v float64) float64 { return v / most * (panelWidth - labelWidth - valueWidth) }
	y += titleHeight
	for _, s := range servers {
		class := "other"
		switch {
		case strings.HasPrefix(s.Name, "Warmfront") || strings.HasSuffix(s.Name, " edges") || strings.HasPrefix(s.Name, "one edge"):
			class = "ours"
		case s.Name == "the kernel":
			class = "floor"
		}
		v := s.Median(p.measure)
		least, greatest := s.Spread(p.measure)
		left, middle := x+labelWidth, float64(y)+barHeight/2.0
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", left-6, y+12, html.EscapeString(s.Name))
		fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>", class, left, y, scale(v), barHeight)
		fmt.Fprintf(b, "<line class=\"range\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", float64(left)+scale(least), float64(left)+scale(greatest), middle, middle)
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", float64(left)+scale(greatest)+6, y+12, number(v))
		y += barHeight + barGap
	}
}

// measured are the servers that did not fail.
func measured(row *result.Row) (servers []*result.Server) {
	for i := range row.Servers {
		if s := row.Server(row.Servers[i].Name); s != nil {
			servers = append(servers, s)
		}
	}
	return servers
}
