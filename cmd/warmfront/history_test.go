package main

import (
	"testing"
	"time"
)

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"":                       {},
		"7d":                     now.Add(-7 * 24 * time.Hour),
		"90m":                    now.Add(-90 * time.Minute),
		"2026-11-01T02:03:04Z":   time.Date(2026, 11, 1, 2, 3, 4, 0, time.UTC),
		"2026-11-01T02:03+02:00": time.Date(2026, 11, 1, 0, 3, 0, 0, time.UTC),
		"2026-11-01":             time.Date(2026, 11, 1, 0, 0, 0, 0, time.Local),
		"2026-11-01 02:03":       time.Date(2026, 11, 1, 2, 3, 0, 0, time.Local),
	} {
		if got, err := parseMoment(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"yesterday", "-7d", "0d", "d", "2026-13-01", "7"} {
		if got, err := parseMoment(s, now); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
}
