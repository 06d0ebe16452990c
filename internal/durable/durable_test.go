package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWrite_ReplacesAndLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	for _, c := range []struct {
		text string
		mode fs.FileMode
	}{{"old", 0o644}, {"new", 0o600}} {
		if err := Write(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		i, err2 := os.Stat(path)
		if err != nil || err2 != nil || string(b) != c.text || i.Mode().Perm() != c.mode {
			t.Errorf("%q with mode %v: %v, %v", b, i.Mode(), err, err2)
		}
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("left in the directory: %v, %v", all, err)
	}
}

// What cannot be replaced stays as it is.
func TestWrite_AnErrorChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("x"), 0o600); err == nil {
		t.Error("a directory was replaced")
	}
	if err := Write(filepath.Join(dir, "missing", "x"), nil, 0o600); err == nil {
		t.Error("written where there is no directory")
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("left in the directory: %v, %v", all, err)
	}
}

// What root has written into another user's directory becomes that user's: a service that runs as that user has to read it.
func TestGive(t *testing.T) {
	const user, group = 4711, 4712
	dir := t.TempDir()
	if err := os.Chown(dir, user, group); err != nil {
		t.Skipf("only root gives files away: %v", err)
	}
	inside := filepath.Join(dir, "journal")
	if err := errors.Join(Write(filepath.Join(dir, "key.pem"), nil, 0o600), os.Mkdir(inside, 0o700), Write(filepath.Join(inside, "head"), nil, 0o600), Give(dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"key.pem", "journal", "journal/head"} {
		i, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if s := i.Sys().(*syscall.Stat_t); s.Uid != user || s.Gid != group {
			t.Errorf("%s is of user %d and group %d", name, s.Uid, s.Gid)
		}
	}
	if err := Give(filepath.Join(dir, "missing")); err == nil {
		t.Error("what is not there was given")
	}
}
