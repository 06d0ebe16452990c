package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/ownapi/client"
)

func TestReadPlan(t *testing.T) {
	now := time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)
	c := &invalidate{at: "90m", when: ` https://o.example.com/v?a=b  ETag: "v: 42" `}
	if err := c.readPlan(true, true, now); err != nil {
		t.Fatal(err)
	}
	if w := *c.planned.When; !c.planned.At.Equal(now.Add(90*time.Minute)) || w != (client.Condition{URL: "https://o.example.com/v?a=b", Field: "ETag", Value: `"v: 42"`}) {
		t.Errorf("%v %+v", c.planned.At, w)
	}
	for _, at := range []string{"", "-1h", "soon", "2026-13-01"} {
		if err := (&invalidate{at: at}).readPlan(true, false, now); err == nil || !strings.HasPrefix(err.Error(), "--at ") {
			t.Errorf("--at %q: %v", at, err)
		}
	}
	for _, when := range []string{"", "https://o.example.com/", "https://o.example.com/ ETag", "https://o.example.com/ ETag:", "https://o.example.com/ : x"} {
		if err := (&invalidate{when: when}).readPlan(false, true, now); err == nil || !strings.HasPrefix(err.Error(), "--when ") {
			t.Errorf("--when %q: %v", when, err)
		}
	}
}

const (
	scheduled = `{"invalidation":{"id":"I1","status":"Scheduled","plan":{"when":{"url":"http://o/v","field":"ETag","value":"v2"},"waiting":"the origin answers 404"}},"edges":[]}`
	withdrawn = `{"invalidation":{"id":"I1","status":"Withdrawn","plan":{"when":{"url":"http://o/v","field":"ETag","value":"v2"}}},"edges":[]}`
)

func TestInvalidate_WaitsForWhatIsScheduled(t *testing.T) {
	s := &server{receipts: []string{scheduled, scheduled, begun, done}}
	code, out, said := invalidateAt(t, context.Background(), s, "", "/a", "--wait", "--when", "http://o/v ETag: v2")
	if code != exitDone || strings.Count(out, "Scheduled: when http://o/v answers with ETag: v2 (the origin answers 404)\n") != 1 || !strings.Contains(out, "Completed in") {
		t.Errorf("%d\n%s%s", code, out, said)
	}
	if w := s.wish.When; w == nil || *w != (client.Condition{URL: "http://o/v", Field: "ETag", Value: "v2"}) {
		t.Errorf("sent %+v", s.wish)
	}
}

func TestInvalidate_CtrlCWhileItIsScheduled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s, asked := &server{receipts: []string{scheduled}}, 0
	stops := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/receipt") {
			if asked++; asked > 1 {
				cancel()
			}
		}
		s.ServeHTTP(w, r)
	})
	code, _, said := invalidateAt(t, ctx, stops, "", "/a", "--wait", "--when", "http://o/v ETag: v2")
	if code != exitRefused || !strings.Contains(said, "interrupted while I1 was scheduled") || !strings.Contains(said, "warmfront withdraw E1 I1\n") {
		t.Errorf("%d %s", code, said)
	}
}

func TestInvalidate_WaitEndsWhenItIsWithdrawn(t *testing.T) {
	s := &server{receipts: []string{scheduled, withdrawn}}
	code, _, said := invalidateAt(t, context.Background(), s, "", "/a", "--wait", "--at", "2h")
	if code != exitRefused || !strings.Contains(said, "I1: it was withdrawn before it was in force") {
		t.Errorf("%d %s", code, said)
	}
}
