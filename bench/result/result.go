// Package result knows what a bench found: rows, servers, runs, in one JSON file; what follows from them
// (medians, ratios round by round, spreads); and the goals.
//
// Ratios are taken per round, between two runs that were seconds apart, and then the median: a machine
// that is slow for a minute is so for both.
package result

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Results is the whole file.
type Results struct {
	Form    string // "short", "full" or "invalidation"
	Machine Machine
	Rows    []Row
}

// Machine is where it was measured.
type Machine struct {
	CPU    string
	Cores  int
	Kernel string
	GiB    int // memory
	// LoadAverage of the last minute before the bench began: what else went on.
	LoadAverage float64
}

// Row is one load on several servers.
type Row struct {
	Name    string // as -only knows it
	Title   string
	Load    string // what was sent, for people
	Unit    string // what CPU is per: "request", "connection", "restart", "invalidation" or "purge"
	Began   time.Time
	Seconds float64 // of one run
	Servers []Server
}

// Server is one server in one row.
type Server struct {
	Name    string
	Version string
	Failed  string  `json:",omitempty"` // why there are no runs, or not all
	PerConn float64 `json:",omitempty"` // octets of memory per held connection
	// PerObject is the octets of memory that a stored object takes, its body not counted.
	PerObject float64 `json:",omitempty"`
	OnDisk    bool    `json:",omitempty"` // bodies are in files, not in its memory
	// Rules is how many were in force, PerRule the octets of memory that each has added.
	Rules   int     `json:",omitempty"`
	PerRule float64 `json:",omitempty"`
	Runs    []Run   `json:",omitempty"` // one per round, the same number for all that did not fail
}

// Run is one run.
type Run struct {
	Answers     int
	Seconds     float64
	CPU         float64 // seconds, of the server's processes
	Generator   float64 // seconds in which the generator was not idle
	P50, P99    float64 // µs
	P999        float64 // µs
	Invalidated float64 `json:",omitempty"` // invalidations accepted per second
	// Of a restart: seconds from the program's start to its first hit, and the part of a sample that were hits after it.
	FirstHit float64 `json:",omitempty"`
	Kept     float64 `json:",omitempty"`
	Way      *Way    `json:",omitempty"`
	Purge    *Purge  `json:",omitempty"`
}

// Way is what became of a run's invalidations on their way, from the call on, in ms.
type Way struct {
	Accepted, AcceptedP99   float64 // on disk
	Applied, AppliedP99     float64 // on the last of the edges
	Completed, CompletedP99 float64
	RoundTrip               float64 // to the farthest edge
	LateP99                 float64 // by how much timers of the process were late: what the machine adds at each step
}

// Purge is one invalidation of all that begins with a prefix, while other objects are asked for.
type Purge struct {
	Objects int
	Done    float64 // seconds until it was in force
	CPU     float64 // seconds of CPU that it took, and what became of it within the run
	First   float64 // ms of the first request after it; it was a miss
	Misses  float64 // ms of one of the next hundred, the median
	Memory  float64 // MiB of memory, or of files, that the objects took
	Freed   float64 // seconds until nine tenths of that were given back; 0: they were not within the run
	// Forgotten is seconds until nine tenths of the objects were gone by the server's own word; 0 where it gives none.
	Forgotten float64 `json:",omitempty"`
	// Of what was asked for meanwhile, in µs, and of a run of the same length before.
	P99, Longest             float64
	P99Before, LongestBefore float64
}

// Measure is a figure of one run.
type Measure func(Run) float64

// CPU is µs of the server per answer.
func CPU(r Run) float64 { return r.CPU / float64(r.Answers) * 1e6 }

// Rate is answers per second.
func Rate(r Run) float64 { return float64(r.Answers) / r.Seconds }

// P50, P99 and P999 are latencies in µs.
func P50(r Run) float64  { return r.P50 }
func P99(r Run) float64  { return r.P99 }
func P999(r Run) float64 { return r.P999 }

// Busy is the part of the run in which the generator was not idle: near 1 it is what bounds the rate.
func Busy(r Run) float64 { return r.Generator / r.Seconds }

// FirstHit is seconds, Kept a part of 1.
func FirstHit(r Run) float64 { return r.FirstHit }
func Kept(r Run) float64     { return r.Kept }

// Invalidations is how many were accepted per second.
func Invalidations(r Run) float64 { return r.Invalidated }

// Measures of a way, in ms.
func AppliedP99(r Run) float64   { return r.way().AppliedP99 }
func CompletedP99(r Run) float64 { return r.way().CompletedP99 }

// Beyond is what Completed takes at p99 longer than the round trip to the farthest edge, in ms.
func Beyond(r Run) float64 { return r.way().CompletedP99 - r.way().RoundTrip }

func (r *Run) way() *Way {
	if r.Way == nil {
		return &Way{}
	}
	return r.Way
}

// Measures of a purge: seconds until it was in force, and until the memory was given back; ms of the first request.
func Done(r Run) float64  { return r.purge().Done }
func Freed(r Run) float64 { return r.purge().Freed }
func First(r Run) float64 { return r.purge().First }

// Longest is the slowest answer to who asked for something else meanwhile, in ms.
func Longest(r Run) float64 { return r.purge().Longest / 1000 }

func (r *Run) purge() *Purge {
	if r.Purge == nil {
		return &Purge{}
	}
	return r.Purge
}

// Row returns the row of that name, or nil.
func (r *Results) Row(name string) *Row {
	for i := range r.Rows {
		if r.Rows[i].Name == name {
			return &r.Rows[i]
		}
	}
	return nil
}

// Put replaces the row of the same name, or adds it.
func (r *Results) Put(row Row) {
	if old := r.Row(row.Name); old != nil {
		*old = row
		return
	}
	r.Rows = append(r.Rows, row)
}

// Server returns the server of that name when all its runs are there, otherwise nil.
func (r *Row) Server(name string) *Server {
	for i := range r.Servers {
		if s := &r.Servers[i]; s.Name == name && s.Failed == "" && len(s.Runs) > 0 {
			return s
		}
	}
	return nil
}

// Median of a measure over the runs.
func (s *Server) Median(m Measure) float64 { return median(s.values(m)) }

// Spread is the least and the greatest value of a measure.
func (s *Server) Spread(m Measure) (least, greatest float64) {
	v := s.values(m)
	return slices.Min(v), slices.Max(v)
}

func (s *Server) values(m Measure) []float64 {
	v := make([]float64, len(s.Runs))
	for i, r := range s.Runs {
		v[i] = m(r)
	}
	return v
}

// Ratio is the median, the least and the greatest of a's measure divided by b's, round by round.
func Ratio(a, b *Server, m Measure) (middle, least, greatest float64) {
	v := make([]float64, min(len(a.Runs), len(b.Runs)))
	for i := range v {
		v[i] = m(a.Runs[i]) / m(b.Runs[i])
	}
	return median(v), slices.Min(v), slices.Max(v)
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// Read reads a file that Write wrote.
func Read(path string) (*Results, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Results{}
	return r, json.Unmarshal(b, r)
}

// Write replaces the file.
func (r *Results) Write(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
