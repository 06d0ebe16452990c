package jetstream

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/journal"
)

// A log that edges may have followed further than it goes is doubted, at every start until that has been settled.
func TestDoubt(t *testing.T) {
	dir, _, all := written(t)
	doubts := func(c Config, want bool) {
		t.Helper()
		l := open(t, c)
		defer l.Close()
		if l.doubt != want {
			t.Errorf("doubted: %v", !want)
		}
		if l.Doubt() {
			t.Error("edges of this process are doubted")
		}
		if l.c.Network = new(Network); l.Doubt() != want {
			t.Errorf("with edges of other machines it is doubted: %v", !want)
		}
		l.c.Network = nil
	}
	settle := func(dir string) {
		t.Helper()
		l := open(t, Config{Dir: dir})
		if err := l.Settled(); err != nil {
			t.Error(err)
		}
		if err := l.Settled(); err != nil {
			t.Errorf("once more: %v", err)
		}
		l.Close()
		doubts(Config{Dir: dir}, false)
	}
	doubts(Config{Dir: dir}, false)
	if _, err := Compact(t.Context(), Config{Dir: dir}, Compaction{Tail: 31, Extract: everyTenth()}); err != nil {
		t.Fatal(err)
	}
	doubts(Config{Dir: dir}, false)

	l := open(t, Config{Dir: dir})
	if err := l.Doubted(); err != nil { // an edge has what is lost
		t.Error(err)
	}
	l.Close()
	doubts(Config{Dir: dir}, true)
	settle(dir)

	copied := filepath.Join(t.TempDir(), "copy")
	copyTree(t, copied, dir)
	doubts(Config{Dir: copied}, true)
	doubts(Config{Dir: copied}, true)
	settle(copied)

	// Put back from a backup, with the number that the file had which was removed: it was made at another time.
	reused := filepath.Join(t.TempDir(), "reused")
	copyTree(t, reused, dir)
	c := Config{Dir: reused}
	was, err := os.ReadFile(c.path(home))
	if err != nil {
		t.Fatal(err)
	}
	number, _, _ := strings.Cut(c.at(), " ")
	_, born, _ := strings.Cut(string(was), " ")
	if err := os.WriteFile(c.path(home), []byte(number+" "+born), 0o600); err != nil {
		t.Fatal(err)
	}
	doubts(c, true)

	// A copy of which a compaction then makes another one.
	again := filepath.Join(t.TempDir(), "again")
	copyTree(t, again, dir)
	if _, err := Compact(t.Context(), Config{Dir: again}, Compaction{Tail: 1, Extract: &keep{want: func(*journal.Entry) bool { return false }}}); err != nil {
		t.Fatal(err)
	}
	doubts(Config{Dir: again}, true)

	restored := t.TempDir()
	if err := Restore(t.Context(), Config{Dir: restored}, all); err != nil {
		t.Fatal(err)
	}
	doubts(Config{Dir: restored}, true)
	settle(restored)

	lost, block, _ := written(t)
	flip(0.5)(t, lost, block)
	doubts(Config{Dir: lost, AcceptLoss: true}, true)
	doubts(Config{Dir: lost}, true)
	settle(lost)
	doubts(Config{Dir: t.TempDir()}, false) // new
}
