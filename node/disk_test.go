package node

import (
	"os"
	"path/filepath"
	"testing"
)

// TestDisk_ThatCannotBeOpenedIsSaidToFail: the edge goes on from memory, and whoever watches the gauge is told.
func TestDisk_ThatCannotBeOpenedIsSaidToFail(t *testing.T) {
	for name, broken := range map[string]bool{"a directory": false, "a file in its place": true} {
		c := testConfig(t)
		c.Edges, c.DiskCache = c.Edges[:1], 64<<20
		if broken {
			if err := os.MkdirAll(c.Data, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(c.Data, "cache"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d, stop := start(t, c)
		pl := d.places[0]
		if pl.edge.Ready() != nil {
			t.Errorf("%s: the edge does not serve: %v", name, pl.edge.Ready())
		}
		if s := pl.state().Disk; s.Failing != broken {
			t.Errorf("%s: failing %v", name, s.Failing)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}
