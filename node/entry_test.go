package node

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/admission"
)

// A node that has its papers and has lost its journal takes its own place with a token; one that has a journal leaves the token unused.
func TestEnter_WithPapers(t *testing.T) {
	for _, x := range []struct {
		there, peers string
		used         bool
	}{
		{"", "control1=127.0.0.1:1", true},
		{"", "", false}, // it is alone
		{"journal/jetstream", "control1=127.0.0.1:1", false},
		{"journal/replica/jetstream", "control1=127.0.0.1:1", false},
		{joining, "control1=127.0.0.1:1", false}, // started again before it had a replica
	} {
		c := Config{Data: t.TempDir(), Name: "control1", Token: "no token", Logger: slog.New(slog.DiscardHandler)}
		if x.peers != "" {
			c.Peers = []string{x.peers}
		}
		if _, err := admission.OpenAuthority(filepath.Join(c.Data, "authority"), nil); err != nil {
			t.Fatal(err)
		}
		if x.there != "" {
			if err := os.MkdirAll(filepath.Join(c.Data, x.there), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.enter(t.Context()); (err != nil && strings.Contains(err.Error(), "--token")) != x.used {
			t.Errorf("%+v: %v", x, err)
		}
	}
}
