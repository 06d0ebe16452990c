package result

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"testing"
)

func server(name string, cpu ...float64) Server {
	s := Server{Name: name}
	for _, c := range cpu {
		s.Runs = append(s.Runs, Run{Answers: 1_000_000, Seconds: 2, CPU: c, P99: 10 * c})
	}
	return s
}

func TestRatio_IsPerRound(t *testing.T) {
	// The machine was twice as slow in the second round, for both.
	a, b := server("a", 10, 20, 11), server("b", 20, 40, 22)
	if m, least, great := Ratio(&a, &b, CPU); m != 0.5 || least != 0.5 || great != 0.5 {
		t.Errorf("%v %v %v", m, least, great)
	}
	if m := a.Median(CPU); m != 11 {
		t.Errorf("median %v", m)
	}
	if least, great := a.Spread(CPU); least != 10 || great != 20 {
		t.Errorf("spread %v %v", least, great)
	}
	even := server("c", 1, 2, 4, 8)
	if m := even.Median(CPU); m != 3 {
		t.Errorf("median of an even number %v", m)
	}
	if r := Rate(a.Runs[0]); r != 500_000 {
		t.Errorf("rate %v", r)
	}
}

func TestJudge(t *testing.T) {
	failed := server("H2O", 1, 1, 1)
	failed.Failed = "it ended"
	idle := server("Warmfront", 10)
	idle.PerConn = 9000
	weighed := func(name string, octets float64, files bool) Server {
		s := server(name, 1)
		s.PerObject, s.OnDisk = octets, files
		return s
	}
	r := &Results{Rows: []Row{
		{Name: "1k", Servers: []Server{server("Warmfront", 10, 10, 12), server("nginx", 20, 20, 20), server("HAProxy", 16, 16, 16), server("H2O", 12.5, 12.5, 12.5)}},
		{Name: "million", Servers: []Server{weighed(ours, 400, false), weighed(onDisk, 300, true), weighed("nginx", 200, true), weighed("Varnish", 800, false), weighed("HAProxy", 0, false)}},
		{Name: "tls-1k", Servers: []Server{server("Warmfront", 13, 13, 13), failed}},
		{Name: "cores", Servers: []Server{server("Warmfront on two cores", 12.5), server("Warmfront", 10)}},
		{Name: "idle", Servers: []Server{idle}},
	}}
	for _, c := range []struct {
		goal  Goal
		found string // "" is not measured
		ok    bool
	}{
		{cpu("1k", 0.55, "nginx"), "0.50 (0.50–0.60)", true},
		{cpu("1k", 0.45, "nginx"), "0.50 (0.50–0.60)", false},
		{cpu("1k", 0.85, "HAProxy", "H2O"), "0.80 (0.80–0.96)", true},
		{cpu("1k", 0.85, "Varnish"), "", false},
		{cpu("tls-1k", 0.85, "H2O"), "", false},
		{cpu("h2-one", 0.85, "H2O"), "", false},
		{Goal{Row: "million", Of: ours, PerObject: true, Limit: 1}, "0.50", true},
		{Goal{Row: "million", Of: onDisk, PerObject: true, Limit: 1}, "1.50", false},
		{Goal{Row: "cores", Of: "Warmfront on two cores", Against: []string{ours}, Measure: CPU, Limit: 1.8, AtLeast: true, TwoCores: true}, "1.60", false},
		{Goal{Row: "idle", Of: ours, PerConn: true, Limit: 8 << 10}, "8.8 KiB", false},
	} {
		v, measured := r.Judge(c.goal)
		if !measured {
			if c.found != "" {
				t.Errorf("%s: not measured", c.goal.Text())
			}
			continue
		}
		if v.Found() != c.found || v.OK != c.ok {
			t.Errorf("%s: %s %v, want %s %v", c.goal.Text(), v.Found(), v.OK, c.found, c.ok)
		}
	}
}

func TestJudge_WhatIsNoRatio(t *testing.T) {
	edges, dropped := server("3 edges", 1, 1, 1), server("Warmfront", 1, 1)
	for i, completed := range []float64{310, 330, 305} {
		edges.Runs[i].Way = &Way{CompletedP99: completed, RoundTrip: 300}
	}
	dropped.Runs[0].Purge, dropped.Runs[1].Purge = &Purge{Longest: 4000}, &Purge{Longest: 2000}
	r := &Results{Form: "invalidation", Rows: []Row{{Name: "way", Servers: []Server{edges}}, {Name: "prefix", Servers: []Server{dropped}}}}
	got := map[string]string{}
	for _, g := range r.Aims() {
		if v, measured := r.Judge(g); measured {
			got[g.Text()] = fmt.Sprint(v.Found(), " ", v.OK)
		}
	}
	want := map[string]string{
		"3 edges: Completed at p99, beyond the round trip ≤ 20 ms": "10.0 ms (5.0–30.0) true",
		"Warmfront: memory given back within ≤ 10 s":               "not within the run false",
		"Warmfront: the slowest answer to others ≤ 50 ms":          "3.0 ms (2.0–4.0) true",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What invalidations take of a core, whether or not it is busy with answers; and at less than the rate they have not shown it.
func TestJudge_WhatIsTakenOfACore(t *testing.T) {
	goal := Goal{Row: "stream", Of: "with", Against: []string{"beside"}, Taken: true, Rate: 1000, What: "of an edge's core", Limit: 5}
	judge := func(rate float64, cpu ...float64) string {
		with, beside := server("with", cpu...), server("beside", 1, 1, 1)
		for i := range beside.Runs { // 0.5 µs an answer
			beside.Runs[i].Answers = 2_000_000
			with.Runs[i].Invalidated = rate
		}
		r := &Results{Rows: []Row{{Name: "stream", Servers: []Server{with, beside}}}}
		v, _ := r.Judge(goal)
		return fmt.Sprint(v.Goal.Text(), ": ", v.Found(), " ", v.OK)
	}
	for _, c := range []struct{ got, want string }{
		{judge(980, 0.58, 0.6, 0.52), "of an edge's core ≤ 5 %: 4.0 % (1.0–5.0), at 980 invalidations a second true"},
		{judge(1000, 0.62, 0.62, 0.5), "of an edge's core ≤ 5 %: 6.0 % (0.0–6.0), at 1000 invalidations a second false"},
		{judge(500, 0.52, 0.52, 0.52), "of an edge's core ≤ 5 %: 1.0 % (1.0–1.0), at 500 invalidations a second false"},
	} {
		if c.got != c.want {
			t.Errorf("%s\nwant %s", c.got, c.want)
		}
	}
}

func TestResults_AreReadAsTheyWereWritten(t *testing.T) {
	r := &Results{Form: "full", Machine: Machine{CPU: "x", Cores: 2}}
	r.Put(Row{Name: "1k", Servers: []Server{server("nginx", 1)}})
	r.Put(Row{Name: "16k"})
	r.Put(Row{Name: "1k", Servers: []Server{server("nginx", 2)}})
	path := filepath.Join(t.TempDir(), "a", "results.json")
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) || len(got.Rows) != 2 || got.Rows[0].Servers[0].Runs[0].CPU != 2 {
		t.Errorf("got %+v", got)
	}
}
