package node

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/httpserver"
)

func TestFit_ConnectionsAndDescriptors(t *testing.T) {
	for _, c := range []struct {
		asked, listeners, descriptors, want int
		warns                               bool
	}{
		{0, 6, 1 << 20, 0, false}, // room enough: the engine's default
		{0, 2, 1024, 384, false},
		{0, 6, 20000, 2500, false},
		{100, 2, 1024, 100, false},
		{384, 2, 1024, 384, false},
		{385, 2, 1024, 385, true},
		{0, 6, 4, 1, false},
	} {
		var logged bytes.Buffer
		got := fit(httpserver.Limits{MaxConns: c.asked}, c.listeners, c.descriptors, slog.New(slog.NewTextHandler(&logged, nil))).MaxConns
		if got != c.want || strings.Contains(logged.String(), "WARN") != c.warns {
			t.Errorf("%+v: %d, logged %q", c, got, logged.String())
		}
	}
	if descriptors() < 64 {
		t.Errorf("%d descriptors", descriptors())
	}
}
