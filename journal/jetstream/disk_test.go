package jetstream

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// small mounts a file system of 32 MiB.
func small(t *testing.T) string {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32m"); err != nil {
		t.Skipf("a small file system cannot be mounted here (needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil { // an engine that has just ended may still close files
			t.Error(err)
		}
	})
	return dir
}

// fillUp writes until the disk has left octets free, and returns the file.
func fillUp(t *testing.T, dir string, left int64) string {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	n, err := free(dir)
	if err == nil {
		err = os.WriteFile(name, make([]byte, n-left), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFullDisk_RefusesAndGoesOn(t *testing.T) {
	dir := small(t)
	l := open(t, Config{Dir: filepath.Join(dir, "journal"), Reserve: 4 << 20})
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	if _, err := w.Commit(t.Context(), fact(1)); err != nil {
		t.Fatal(err)
	}
	ballast := fillUp(t, dir, 3<<20)
	if _, err := w.Commit(t.Context(), fact(2)); !errors.Is(err, journal.ErrFull) {
		t.Fatal(err)
	}
	if all, err := l.Read(t.Context(), 1, 10); err != nil || len(all) != 2 {
		t.Fatal(len(all), err) // reading goes on
	}
	remove(t, ballast)
	if e, err := w.Commit(t.Context(), fact(3)); err != nil || e.Seq != 3 {
		t.Fatal(e, err)
	}
	l.Close()
	ballast = fillUp(t, dir, 3<<20)
	l = open(t, Config{Dir: filepath.Join(dir, "journal"), Reserve: 4 << 20}) // a start needs no room
	remove(t, ballast)
	l.Close()
}

// Without the reserve the engine meets the end of the disk itself. What was confirmed must be there after a
// restart with room.
func TestFullDisk_WithoutReserve(t *testing.T) {
	dir := small(t)
	c := Config{Dir: filepath.Join(dir, "journal"), Reserve: -1}
	l := open(t, c)
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	ballast := fillUp(t, dir, 256<<10)
	var err error
	for i := 0; err == nil && i < 10000; i++ {
		// Long enough for an append, short for the one that the engine leaves without an answer.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err = w.Commit(ctx, fact(i))
		cancel()
	}
	if !errors.Is(err, journal.ErrDoubt) {
		t.Fatalf("at the end of the disk: %v", err)
	}
	if _, err := w.Commit(t.Context(), fact(0)); !errors.Is(err, journal.ErrStopped) {
		t.Fatalf("after the end of the disk: %v", err)
	}
	if err := l.Health(); !errors.Is(err, journal.ErrStopped) {
		t.Fatalf("health: %v", err)
	}
	l.Close()
	remove(t, ballast)
	l = open(t, c)
	w2 := journal.NewWriter(journal.WriterConfig{Log: l})
	if e, err := w2.Commit(t.Context(), fact(0)); err != nil || e.Seq <= w.Position().Seq {
		t.Fatal(e, err, w.Position())
	}
	l.Close()
}
