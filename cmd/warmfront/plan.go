package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/warmfront/warmfront/ownapi/client"
)

// readPlan reads --at and --when.
func (c *invalidate) readPlan(at, when bool, now time.Time) error {
	if at {
		t, err := parseAhead(c.at, now)
		if err != nil {
			return usage("--at %w", err)
		}
		c.planned.At = &t
	}
	if when {
		url, rest, _ := strings.Cut(strings.TrimSpace(c.when), " ")
		field, value, ok := strings.Cut(rest, ":")
		if field, value = strings.TrimSpace(field), strings.TrimSpace(value); !ok || field == "" || value == "" {
			return usage(`--when %q: write it as in 'https://origin.example.com/version.txt ETag: "v42"'`, c.when)
		}
		c.planned.When = &client.Condition{URL: url, Field: field, Value: value}
	}
	return nil
}

// parseAhead reads a time, or how far ahead it is.
func parseAhead(s string, now time.Time) (time.Time, error) {
	if ahead, err := parseDays(s); err == nil && ahead > 0 {
		return now.Add(ahead), nil
	}
	if t, ok := parseTime(s); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q: use a time as in 2026-11-25T18:00 or 2026-11-25T18:00:00Z, or how far ahead it is, as in 2h or 1d", s)
}

// planText says what a scheduled invalidation waits for.
func planText(p *client.Plan) string {
	switch {
	case p == nil:
		return ""
	case p.At != nil:
		return "at " + p.At.Local().Format(dateTime)
	case p.When == nil:
		return ""
	}
	s := fmt.Sprintf("when %s answers with %s: %s", p.When.URL, p.When.Field, p.When.Value)
	if p.Waiting != "" {
		s += " (" + p.Waiting + ")"
	}
	return s
}
