package result

import (
	"fmt"
	"slices"
	"strings"
)

// Goal is one of the aims for Warmfront, as the ratio of its measure to that of another.
type Goal struct {
	Row     string
	Of      string   // whose measure: a server of the row
	Against []string // servers of the row: the best of them counts. Empty: see PerConn and PerObject
	Measure Measure
	What    string // what the measure is
	Limit   float64
	AtLeast bool // Limit is the least; otherwise the most
	// TwoCores means the capacity of two cores divided by that of one: 2 × CPU of Against / CPU of Of.
	TwoCores bool
	// PerConn means: octets per held connection, no ratio.
	PerConn bool
	// PerObject means: octets of memory per object, its body aside, against the least of all servers in the row that are not Warmfront
	// and have their bodies where Of has them: in memory, or in files.
	PerObject bool
	// Restart means: seconds to the first hit, no ratio.
	Restart bool
	// Taken means: the part of a core that Of uses beyond what as many answers cost Against, in percent; it must have accepted Rate
	// invalidations a second meanwhile, or nearly so many. Unlike the ratio of both it does not depend on how busy the core was.
	Taken bool
	Rate  float64
	// Plain is the unit of a measure that is no ratio: its median is looked at.
	Plain string
}

// Goals are all of them.
var Goals = []Goal{
	cpu("1k", 0.55, "nginx"), cpu("1k", 0.30, "Varnish"), cpu("1k", 0.85, "HAProxy", "H2O"),
	cpu("16k", 0.6, "nginx"),
	cpu("100k", 0.6, "nginx"),
	cpu("1m", 0.95, "nginx"),
	cpu("keys", 0.4, "nginx"),
	cpu("keys", 1.2, oneKey),
	cpu("tls-1k", 0.6, "nginx"), cpu("tls-1k", 0.85, "H2O"),
	cpu("tls-100k", 0.75, "nginx"),
	cpu("h2-one", 0.2, "nginx"), cpu("h2-one", 1, "H2O"),
	cpu("h2-keys", 0.2, "nginx"), cpu("h2-keys", 1, "H2O"),
	{Row: "latency", Of: ours, Against: []string{"nginx"}, Measure: P99, What: "p99", Limit: 1},
	{Row: "idle", Of: ours, PerConn: true, Limit: 8 << 10},
	{Row: "cores", Of: "Warmfront on two cores", Against: []string{ours}, Measure: CPU, What: "capacity", Limit: 1.8, AtLeast: true, TwoCores: true},
	cpu("million", 1.5, oneKey),
	{Row: "million", Of: ours, PerObject: true, Limit: 1},
	{Row: "million", Of: onDisk, PerObject: true, Limit: 1},
	{Row: "disk-16k", Of: onDisk, Against: []string{"nginx"}, Measure: CPU, What: "CPU", Limit: 0.7},
	{Row: "disk-100k", Of: onDisk, Against: []string{"nginx"}, Measure: CPU, What: "CPU", Limit: 0.7},
	{Row: "restart", Of: onDisk, Restart: true, Limit: 1},
	{Row: "log", Of: "Warmfront with log", Against: []string{ours}, Measure: CPU, What: "CPU", Limit: 1.08},
}

// InvalidationGoals are those of the rows of invalidations.
var InvalidationGoals = []Goal{
	{Row: "way", Of: "3 edges", Measure: Beyond, What: "Completed at p99, beyond the round trip", Limit: 20, Plain: "ms"},
	{Row: "way", Of: "30 edges", Measure: Beyond, What: "Completed at p99, beyond the round trip", Limit: 20, Plain: "ms"},
	{Row: "way", Of: "300 edges", Measure: Beyond, What: "Completed at p99, beyond the round trip", Limit: 20, Plain: "ms"},
	{Row: "checked", Of: "Warmfront, 10,000 rules", Against: []string{ours}, Measure: CPU, What: "CPU", Limit: 1.03},
	{Row: "first", Of: "Warmfront, 10,000 rules", Against: []string{"Varnish, 10,000 bans"}, Measure: CPU, What: "CPU", Limit: 0.1},
	{Row: "stream", Of: "one edge with invalidations", Against: []string{"one edge beside them"}, Taken: true, Rate: 1000, What: "of an edge's core", Limit: 5},
	{Row: "prefix", Of: ours, Measure: Freed, What: "memory given back within", Limit: 10, Plain: "s"},
	{Row: "prefix", Of: ours, Measure: Longest, What: "the slowest answer to others", Limit: 50, Plain: "ms"},
}

// Aims are the goals of this form of the bench.
func (r *Results) Aims() []Goal {
	if r.Form == "invalidation" {
		return InvalidationGoals
	}
	return Goals
}

const (
	ours   = "Warmfront"
	onDisk = "Warmfront on disk"
	oneKey = "Warmfront with one key"
)

func cpu(row string, limit float64, against ...string) Goal {
	return Goal{Row: row, Of: ours, Against: against, Measure: CPU, What: "CPU", Limit: limit}
}

// Verdict is a goal beside what was found.
type Verdict struct {
	Goal  Goal
	Value float64 // median, NaN-free
	Least float64 // over the rounds; Least and Greatest are Value where there are none
	Great float64
	Rate  float64 // of invalidations, where the goal has one
	OK    bool
}

// Judge returns the verdict on a goal; ok is false where it was not measured.
func (r *Results) Judge(g Goal) (v Verdict, ok bool) {
	v.Goal = g
	row := r.Row(g.Row)
	if row == nil {
		return v, false
	}
	of := row.Server(g.Of)
	switch {
	case of == nil:
		return v, false
	case g.PerConn:
		v.Value = of.PerConn
		v.Least, v.Great, ok = v.Value, v.Value, v.Value > 0
	case g.Restart:
		v.Value = of.Median(FirstHit)
		v.Least, v.Great = of.Spread(FirstHit)
		ok = v.Value > 0
	case g.Plain != "":
		v.Value = of.Median(g.Measure)
		v.Least, v.Great = of.Spread(g.Measure)
		ok = true
	case g.Taken:
		ok = v.taken(row, of)
	case g.PerObject:
		ok = v.perObject(row, of)
		v.Least, v.Great = v.Value, v.Value
	default:
		ok = v.against(row, of)
	}
	v.OK = v.Value <= g.Limit && (g.Plain == "" || v.Value != 0) // 0: not within the run
	if g.Rate > 0 {
		v.Rate = of.Median(Invalidations)
		v.OK = v.OK && v.Rate >= 0.95*g.Rate
	}
	if g.AtLeast {
		v.OK = v.Value >= g.Limit
	}
	return v, ok
}

// against takes the greatest of the ratios: that to the best of the others. All of them must be there.
func (v *Verdict) against(row *Row, of *Server) bool {
	for _, name := range v.Goal.Against {
		other := row.Server(name)
		if other == nil {
			return false
		}
		middle, least, great := Ratio(of, other, v.Goal.Measure)
		if v.Goal.TwoCores {
			middle, least, great = 2/middle, 2/great, 2/least
		}
		if middle > v.Value {
			v.Value, v.Least, v.Great = middle, least, great
		}
	}
	return len(v.Goal.Against) > 0
}

// taken is in percent of a core.
func (v *Verdict) taken(row *Row, of *Server) bool {
	other := row.Server(v.Goal.Against[0])
	if other == nil {
		return false
	}
	var all []float64
	for i := range min(len(of.Runs), len(other.Runs)) {
		r := of.Runs[i]
		all = append(all, 100*(r.CPU-float64(r.Answers)*CPU(other.Runs[i])/1e6)/r.Seconds)
	}
	v.Value, v.Least, v.Great = median(all), slices.Min(all), slices.Max(all)
	return true
}

// perObject is the ratio to the least of the others of the kind. There must be one.
func (v *Verdict) perObject(row *Row, of *Server) bool {
	least := 0.0
	for _, s := range row.Servers {
		if !strings.HasPrefix(s.Name, ours) && s.OnDisk == of.OnDisk && s.Failed == "" && s.PerObject > 0 && (least == 0 || s.PerObject < least) {
			least = s.PerObject
		}
	}
	if least == 0 || of.PerObject <= 0 {
		return false
	}
	v.Value = of.PerObject / least
	return true
}

// Text is the goal in words: "CPU ≤ 0.55 × nginx".
func (g Goal) Text() string {
	sign := "≤"
	if g.AtLeast {
		sign = "≥"
	}
	switch {
	case g.PerConn:
		return fmt.Sprintf("%s %.0f KiB per connection", sign, g.Limit/1024)
	case g.Plain != "":
		return fmt.Sprintf("%s: %s %s %g %s", g.Of, g.What, sign, g.Limit, g.Plain)
	case g.Taken:
		return fmt.Sprintf("%s %s %.3g %%", g.What, sign, g.Limit)
	case g.PerObject:
		if g.Of == onDisk {
			return fmt.Sprintf("memory per object with bodies in files %s that of the best", sign)
		}
		return fmt.Sprintf("memory per object %s that of the best", sign)
	case g.Restart:
		return fmt.Sprintf("first hit within %.3g s", g.Limit)
	case g.TwoCores:
		return fmt.Sprintf("%s %s %.2g × one core", g.What, sign, g.Limit)
	case g.Against[0] == ours:
		return fmt.Sprintf("%s %s %.3g × without", g.What, sign, g.Limit)
	case len(g.Against) > 1:
		return fmt.Sprintf("%s %s %.2f × the best of %s", g.What, sign, g.Limit, strings.Join(g.Against, " and "))
	}
	return fmt.Sprintf("%s %s %.2f × %s", g.What, sign, g.Limit, g.Against[0])
}

// Found is the value in words, with its spread over the rounds.
func (v Verdict) Found() string {
	switch {
	case v.Goal.PerConn:
		return fmt.Sprintf("%.1f KiB", v.Value/1024)
	case v.Goal.Plain != "" && v.Value == 0:
		return "not within the run"
	case v.Goal.Plain != "":
		return fmt.Sprintf("%.1f %s (%.1f–%.1f)", v.Value, v.Goal.Plain, v.Least, v.Great)
	case v.Goal.Taken:
		return fmt.Sprintf("%.1f %% (%.1f–%.1f), at %.0f invalidations a second", v.Value, v.Least, v.Great, v.Rate)
	case v.Goal.Restart:
		return fmt.Sprintf("%.2f s (%.2f–%.2f)", v.Value, v.Least, v.Great)
	}
	if v.Least == v.Great {
		return fmt.Sprintf("%.2f", v.Value)
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", v.Value, v.Least, v.Great)
}
