//go:build planted

package edge

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// What is alive is nothing to complain about; what somebody has marked as checked by mistake is.
func TestEver_ComplainsOfTheDead(t *testing.T) {
	var said bytes.Buffer
	story(t, func(w *world) {
		w.origin.on("/a", ok("old"))
		w.get("/a")
		w.expect("200 Hit old", "/a")
		w.invalidate("/b")
		w.expect("200 Hit old", "/a")
		w.invalidate("/a")
		if said.Len() > 0 {
			t.Errorf("it complains of what is alive: %s", &said)
		}
		w.object("/a").SetChecked(w.edge.snap.Load().seq)
		w.expect("200 Hit old", "/a")
		if !strings.Contains(said.String(), "BUG") || !strings.Contains(said.String(), "path=/a") {
			t.Errorf("it has said %q", &said)
		}
	}, unswept, func(w *world) {
		w.config.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelError}))
	})
}
