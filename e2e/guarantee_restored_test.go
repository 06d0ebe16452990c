package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// backup is a copy of the journal, which is made and put back while a guarantee run goes on: what edges have on disk is younger
// then than the journal.
type backup struct {
	t    *testing.T
	w    *world
	copy string
	turn int
}

func newBackup(t *testing.T, w *world) *backup {
	return &backup{t: t, w: w, copy: filepath.Join(t.TempDir(), "journal")}
}

// next takes one step each time: the copy is made, some time goes by, it is put back. The process is killed and started for both.
func (b *backup) next() {
	b.turn++
	journal := filepath.Join(b.w.dir, "data", "journal")
	var swap func() error
	switch b.turn {
	case 1:
		swap = func() error { return os.CopyFS(b.copy, os.DirFS(journal)) }
	case 3:
		swap = func() error {
			if err := os.RemoveAll(journal); err != nil {
				return err
			}
			return os.CopyFS(journal, os.DirFS(b.copy))
		}
	default:
		return
	}
	b.w.proc.kill()
	if err := swap(); err != nil {
		b.t.Error(err)
	}
	if err := b.w.start(b.w.args); err != nil {
		b.t.Error(err)
	}
}

// TestGuarantee_JournalPutBack: an operator puts an older copy of the journal back. What it has forgotten has to be asked for again;
// nothing that was invalidated by what it has forgotten, or is after that, is shown from a disk.
func TestGuarantee_JournalPutBack(t *testing.T) {
	w := newWorld(t.TempDir())
	defer w.close()
	if err := w.start(append(fixedAddresses(false), "--cache-size", "2MiB", "--disk-cache", "256MiB")); err != nil {
		t.Fatal(err)
	}
	want := 10000
	if thorough() {
		want = 150000
	}
	journal := newBackup(t, w)
	env, args := against(w.proc)
	steps := []func(){journal.next, journal.next, journal.next}
	v, said := checkWhile(t, env, append(args, "--seed", "22", "--restored"), want, steps, func(int, int) bool { return true })
	t.Logf("%v; %d forgotten", v, v.Forgotten)
	if len(v.Violations) > 0 {
		t.Fatalf("%s", said)
	}
}
