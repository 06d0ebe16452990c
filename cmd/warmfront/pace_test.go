package main

import (
	"context"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/ownapi/client"
)

const (
	firstTurn = `{"invalidation":{"id":"I1","status":"InProgress","pace":{"byLocation":{"first":["GRU50"],"pauseSeconds":30}},"waves":[{"locations":["GRU50"]}]},"edges":[
		{"edge":"fra-1","location":"FRA50","applied":false,"tookMs":9,"waits":true},
		{"edge":"gru-1","location":"GRU50","applied":true,"tookMs":4}]}`
	halfWay = `{"invalidation":{"id":"I1","status":"Withdrawn","pace":{"byLocation":{"first":["GRU50"],"pauseSeconds":30}},"waves":[{"locations":["GRU50"]}]},"edges":[]}`
)

func TestInvalidate_ByLocation(t *testing.T) {
	s := &server{receipts: []string{firstTurn, halfWay}}
	code, out, said := invalidateAt(t, context.Background(), s, "", "/a", "--by-location", "--first", "GRU50,NRT50", "--pause", "30s", "--wait")
	if code != exitRefused || !strings.Contains(out, "gru-1 in GRU50: applied it in 4.0 ms") || !strings.Contains(said, "I1: it was withdrawn: in force at GRU50, and nowhere else") {
		t.Errorf("%d\n%s%s", code, out, said)
	}
	p := s.wish.Pace
	if p == nil || p.ByLocation == nil || p.ByLocation.PauseSeconds != 30 || strings.Join(p.ByLocation.First, " ") != "GRU50 NRT50" {
		t.Errorf("sent %+v", s.wish)
	}
	if got := paceText(p); got != "by location, first GRU50, NRT50, pause 30s" {
		t.Error(got)
	}
	f, screen := newTerminal(t, 80, 24)
	(&progress{screen: screen, title: "I1"}).show(receipt(t, firstTurn))
	if want := "  fra-1 in FRA50  waiting  9.0 ms  its turn has not come"; !strings.Contains(f.text(), want) {
		t.Errorf("%s", f.text())
	}
}

func TestInvalidate_Pace(t *testing.T) {
	s := &server{receipts: []string{done}}
	code, _, said := invalidateAt(t, context.Background(), s, "", "/a", "--pace", "30/m", "--refetch", "--wait")
	if p := s.wish.Pace; code != exitDone || p == nil || p.RequestsPerSecond != 0.5 || !p.Refetch || p.ByLocation != nil {
		t.Errorf("%d %s sent %+v", code, said, s.wish)
	}
	both := &client.Pace{RequestsPerSecond: 20, ByLocation: &client.ByLocation{PauseSeconds: 5}}
	for want, p := range map[string]*client.Pace{
		"30/m per edge, re-fetched": s.wish.Pace, "20/s per edge, by location, pause 5s": both, "": nil,
	} {
		if got := paceText(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	edges := []client.EdgeCount{{Objects: 100}, {Objects: 600}, {}}
	if got := loadText(both, &client.PreviewTotal{Edges: edges}); got != "At 20/s per edge origins get at most 60/s for it, from 3 edges together; to bring all of it back takes 30s at least." {
		t.Error(got)
	}
	for text, want := range map[string]float64{"20/s": 20, "1.5": 1.5, "6/m": 0.1, "": 0, "x/s": 0, "-1/s": 0, "0/s": 0, "NaN": 0, "1e300": 0, "1/h": 0} {
		if got, err := parseRate(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %g, %v", text, got, err)
		}
	}
}

func TestInvalidate_ByLocationUsage(t *testing.T) {
	for _, args := range []string{"--pause 30s", "--first FRA50", "--by-location --pause -1s", "--by-location --preview", "--pause 30s --preview", "--pace fast", "--refetch"} {
		code, _, said := invalidateAt(t, context.Background(), &server{}, "", append([]string{"/a"}, strings.Fields(args)...)...)
		if code != exitUsage {
			t.Errorf("%s: %d %s", args, code, said)
		}
	}
}
