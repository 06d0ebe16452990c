package edge

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

func (w *world) explain(line string, lines ...string) *Explanation {
	w.t.Helper()
	x, err := w.edge.Explain(Question{Request: &request(line, lines...).Request})
	if err != nil {
		w.t.Fatal(err)
	}
	return x
}

func TestExplain(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/index.html", ok("12345", "Cache-Tag: news, Front", "Cache-Control: max-age=60"))
		if x := w.explain("/"); x.Stored != nil || x.Distribution != "D1" || x.PathPattern != "*" || x.Precedence != 0 ||
			x.Key != "GET /index.html" || x.Subject.Path != "/index.html" || x.Subject.Alias != "/" {
			t.Errorf("%+v", x)
		}
		w.get("/")
		w.get("/index.html")
		w.settle(10 * time.Second)
		x := w.explain("HEAD /index.html")
		if s := x.Stored; s == nil || s.Status != 200 || s.Bytes != 5 || s.Hits != 1 || !s.Fresh || s.Dead || s.Age < 10*time.Second ||
			s.FreshUntil.Sub(s.At) != time.Minute || s.Stamp == 0 || !slices.Equal(x.Subject.Tags, []string{"news", "front"}) {
			t.Errorf("%+v %+v", x, s)
		}
		w.settle(time.Minute)
		if s := w.explain("/").Stored; s == nil || s.Fresh || s.Dead {
			t.Errorf("a minute later: %+v", s)
		}
		if hits := w.object("/index.html").Hits.Load(); hits != 1 {
			t.Errorf("explaining counts as a hit: %d", hits)
		}
	})
}

// An edge says whom it asks for what it has not: of its own place the owner, then of the place above; a behavior that stores nothing asks
// the origin.
func TestExplain_WhomItAsks(t *testing.T) {
	families(t, []kin{{"FRA50-1", "FRA50"}, {"FRA50-2", "FRA50"}, {"LHR50-1", "LHR50"}}, func(f *family) {
		f.place("FRA50", "LHR50")
		parent := Through{"LHR50-1", "LHR50"}
		if x := f.at("LHR50-1").explain("/a"); len(x.Through) != 0 {
			t.Errorf("a parent without one: %v", x.Through)
		}
		first, second := f.at("FRA50-1").explain("/a").Through, f.at("FRA50-2").explain("/a").Through
		if len(first) > len(second) { // the owner does not ask another of its place
			first, second = second, first
		}
		if !slices.Equal(first, []Through{parent}) || len(second) != 2 || second[0].Place != "FRA50" || second[1] != parent {
			t.Errorf("%v, %v", first, second)
		}
	})
}

func TestExplain_WhereItLies(t *testing.T) {
	library(t, func(w *world, a *archive) {
		w.origin.on("/b", ok("whole", "Cache-Control: max-age=600"))
		w.get("/b")
		w.get("/a", "Range: bytes=10-39") // three slices of ten
		if s := w.explain("/b").Stored; s == nil || !s.Memory || !s.Disk || s.Slices != 0 || s.SlicesHere != 0 {
			t.Errorf("%+v", s)
		}
		if s := w.explain("/a").Stored; s == nil || !s.Memory || s.Slices != 10 || s.SlicesHere != 3 || s.Bytes != 95 {
			t.Errorf("%+v", s)
		}
		w.emptied()
		if s := w.explain("/b").Stored; s == nil || s.Memory || !s.Disk {
			t.Errorf("%+v", s)
		}
		if s := w.explain("/a").Stored; s == nil || s.Memory || !s.Disk || s.SlicesHere != 3 {
			t.Errorf("%+v", s)
		}
		w.get("/a")
		if s := w.explain("/a").Stored; s == nil || !s.Memory || s.SlicesHere != 10 {
			t.Errorf("%+v", s)
		}
	}, withDisk)
}

func TestExplain_WhatABrowserHadStored(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.get("/a", "Accept-Encoding: gzip, deflate, br")
		if x := w.explain("/a"); x.Stored == nil || x.Key != "GET /a, Accept-Encoding: gzip" {
			t.Errorf("%+v", x)
		}
		if x := w.explain("/a", "Accept-Encoding: identity"); x.Stored != nil {
			t.Error("what was asked for exactly is not there")
		}
	})
}

func TestExplain_TheDeadAreSaidToBe(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"))
		w.get("/a")
		w.invalidate("/a")
		if s := w.explain("/a").Stored; s == nil || !s.Dead || s.Fresh {
			t.Errorf("%+v", s)
		}
	}, unswept)
}

func TestExplain_UnknownDistribution(t *testing.T) {
	story(t, func(w *world) {
		for _, q := range []Question{
			{Request: &request("/a", "Host: elsewhere.example").Request},
			{Distribution: "D2", Request: &request("/a").Request},
		} {
			if _, err := w.edge.Explain(q); !errors.Is(err, ErrNoDistribution) {
				t.Error(err)
			}
		}
		x, err := w.edge.Explain(Question{Distribution: "D1", Request: &request("/a", "Host: elsewhere.example").Request})
		if err != nil || x.Distribution != "D1" {
			t.Error(err)
		}
		w.commit(journal.Fact{DistributionDeleted: &journal.DistributionDeleted{ID: "D1"}})
		if _, err := w.edge.Popular(w.t.Context(), "D1", 1); !errors.Is(err, ErrNoDistribution) {
			t.Error(err)
		}
	})
}

func TestPopular(t *testing.T) {
	story(t, func(w *world) {
		for path, times := range map[string]int{"/a": 5, "/b": 9, "/c": 1, "/d": 2} {
			w.origin.on(path, ok("123"))
			for range times {
				w.get(path)
			}
		}
		w.get("/a", "Accept-Encoding: gzip") // another variant of the same path
		w.get("/a", "Accept-Encoding: gzip")
		p, err := w.edge.Popular(w.t.Context(), "D1", 2)
		want := []PopularObject{{"/b", 9, 8, 27}, {"/a", 7, 5, 21}}
		if err != nil || !slices.Equal(p.Objects, want) || p.Since.IsZero() {
			t.Errorf("%+v %v", p, err)
		}
		if p, err := w.edge.Popular(w.t.Context(), "D1", 100); err != nil || len(p.Objects) != 4 {
			t.Errorf("%+v %v", p, err)
		}
	})
}
