package main

import (
	"context"
	"strings"
	"testing"
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

func TestInvalidate_ByLocationUsage(t *testing.T) {
	for _, args := range []string{"--pause 30s", "--first FRA50", "--by-location --pause -1s", "--by-location --preview"} {
		code, _, said := invalidateAt(t, context.Background(), &server{}, "", append([]string{"/a"}, strings.Fields(args)...)...)
		if code != exitUsage {
			t.Errorf("%s: %d %s", args, code, said)
		}
	}
}
