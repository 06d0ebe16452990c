package jetstream

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/warmfront/warmfront/journal"
)

// tree is the files of a directory, by name.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		all[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(all, filepath.Join(dir, "lock"))
	return all
}

// What is wrong with a log is found, and nothing is changed: neither by us nor by the engine.
func TestInspect(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir, block string)
		want  error // nil: it is as it should be
		kept  uint64
	}{
		{"nothing", func(t *testing.T, dir, block string) {}, nil, 1 + entries},
		{"no head", func(t *testing.T, dir, block string) { remove(t, filepath.Join(dir, "head")) }, nil, 1 + entries},
		{"cut by one octet", func(t *testing.T, dir, block string) {
			change(t, block, func(b []byte) []byte { return b[:len(b)-1] })
		}, journal.ErrDamaged, entries},
		{"block empty", func(t *testing.T, dir, block string) {
			change(t, block, func(b []byte) []byte { return nil })
		}, journal.ErrDamaged, 0},
		{"no stream", func(t *testing.T, dir, block string) {
			remove(t, filepath.Join(filepath.Dir(filepath.Dir(block)), "meta.inf"))
		}, ErrLost, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, block, all := written(t)
			c.spoil(t, dir, block)
			before := tree(t, dir)
			found, err := Inspect(t.Context(), Config{Dir: dir}, nil)
			if !errors.Is(err, c.want) || found.Entries != c.kept {
				t.Errorf("%+v, %v", found, err)
			}
			if c.kept > 0 && found.Last != journal.PositionOf(all[c.kept-1]) {
				t.Errorf("the last is %v", found.Last)
			}
			if !maps.Equal(before, tree(t, dir)) {
				t.Error("the directory has changed")
			}
		})
	}
}

func TestInspect_Refuses(t *testing.T) {
	if _, err := Inspect(t.Context(), Config{Dir: t.TempDir()}, nil); !errors.Is(err, ErrConfig) {
		t.Errorf("an empty directory: %v", err)
	}
	dir := t.TempDir()
	open(t, Config{Dir: dir})
	if _, err := Inspect(t.Context(), Config{Dir: dir}, nil); !errors.Is(err, ErrInUse) {
		t.Errorf("an open log: %v", err)
	}
	dir, _, _ = written(t)
	if _, err := Inspect(t.Context(), Config{Dir: dir, Reserve: 1 << 60}, nil); !errors.Is(err, journal.ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
}
