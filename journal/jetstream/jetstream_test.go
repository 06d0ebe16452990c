package jetstream

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/journaltest"
)

// open opens dir, as a test that sees the engine's complaints.
func open(t testing.TB, c Config) *Log {
	t.Helper()
	l, err := tryOpen(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func tryOpen(t testing.TB, c Config) (*Log, error) {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	l, err := Open(t.Context(), c)
	if err == nil {
		t.Cleanup(func() { l.Close() })
	}
	return l, err
}

func TestLog(t *testing.T) { testLog(t, false, compactClosed) }

// The same with a log that is compacted while it is open.
func TestLog_CompactedWhileItRuns(t *testing.T) { testLog(t, true, compactOpen) }

// compactClosed compacts a log that it closes meanwhile.
func compactClosed(t *testing.T, l *Log, dir string, tail int, kept func(*journal.Entry) bool) *Log {
	t.Helper()
	l.Close()
	compact(t, dir, tail, kept)
	return open(t, Config{Dir: dir})
}

func compactOpen(t *testing.T, l *Log, _ string, tail int, kept func(*journal.Entry) bool) *Log {
	t.Helper()
	if done, err := l.Compact(t.Context(), Compaction{Tail: uint64(tail), Extract: &keep{want: kept}}); err != nil || done.After == done.Before {
		t.Fatal(done, err)
	}
	return l
}

func testLog(t *testing.T, running bool, compact func(t *testing.T, l *Log, dir string, tail int, kept func(*journal.Entry) bool) *Log) {
	journaltest.Run(t, func(t *testing.T) journaltest.Subject {
		dir := t.TempDir()
		l := open(t, Config{Dir: dir})
		return journaltest.Subject{
			Log: l, Running: running,
			Reopen: func(t *testing.T, crash bool) journal.Log {
				if crash {
					// What a killed process leaves is what its files hold at that moment.
					image := t.TempDir()
					copyTree(t, image, dir)
					dir = image
				}
				l.Close()
				l = open(t, Config{Dir: dir})
				return l
			},
			Compact: func(t *testing.T, tail int, kept func(*journal.Entry) bool) journal.Log {
				l = compact(t, l, dir, tail, kept)
				return l
			},
		}
	})
}

// compact keeps of what is before the tail what kept says.
func compact(t *testing.T, dir string, tail int, kept func(*journal.Entry) bool) {
	t.Helper()
	k := &keep{want: kept}
	if done, err := Compact(t.Context(), Config{Dir: dir}, Compaction{Tail: uint64(tail), Extract: k}); err != nil || done.After == done.Before {
		t.Fatal(done, err)
	}
}

// copyTree copies a directory as it is at one moment: an engine that runs in it writes and removes files of its own accord.
func copyTree(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(filepath.Clean(to), os.DirFS(still(t, from))); err != nil {
		t.Fatal(err)
	}
}
