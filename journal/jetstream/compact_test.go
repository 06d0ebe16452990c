package jetstream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// keep is an Extract that keeps entries by a predicate.
type keep struct {
	want func(*journal.Entry) bool
	all  []*journal.Entry
}

func (k *keep) Add(e *journal.Entry) {
	if k.want(e) {
		k.all = append(k.all, e)
	}
}

func (k *keep) Entries() []*journal.Entry { return k.all }

func everyTenth() *keep { return &keep{want: func(e *journal.Entry) bool { return e.Seq%10 == 2 }} }

// contents opens a log, checks its chain and returns it without numbers.
func contents(t *testing.T, dir string) (facts [][]journal.Fact, epoch journal.ID) {
	t.Helper()
	l := open(t, Config{Dir: dir})
	defer l.Close()
	err := l.each(t.Context(), func(e *journal.Entry) error {
		if e.Seq > 1 {
			facts = append(facts, e.Facts)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return facts, l.Epoch()
}

func factsOf(entries []*journal.Entry) (facts [][]journal.Fact) {
	for _, e := range entries {
		facts = append(facts, e.Facts)
	}
	return facts
}

func TestRewrite(t *testing.T) {
	dir, _, old := written(t)
	k := everyTenth()
	progress := 0
	done, err := Rewrite(t.Context(), Config{Dir: dir}, Rewriting{Least: 100, Extract: k, Progress: func(read, of uint64) {
		if progress++; read != 0 || of != 1+entries {
			t.Errorf("progress %d of %d", read, of)
		}
	}})
	if err != nil || done != (Rewritten{Before: 1 + entries, After: 1 + entries/10}) || progress != 1 {
		t.Fatal(done, err, progress)
	}
	got, epoch := contents(t, dir)
	if epoch == old[0].Epoch || !reflect.DeepEqual(got, factsOf(k.all)) {
		t.Fatalf("epoch %s, was %s; %d entries", epoch, old[0].Epoch, len(got))
	}
	checkClean(t, dir)
	if n, err := opened(t, Config{Dir: dir}); n != 1+entries/10 || err != nil {
		t.Fatal(n, err) // it can be written
	}
}

// checkClean finds nothing left of a rewrite.
func checkClean(t *testing.T, dir string) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if n.Name() != "jetstream" && n.Name() != "head" && n.Name() != "lock" {
			t.Errorf("%s is left over", n.Name())
		}
	}
}

func TestRewrite_LeavesAlone(t *testing.T) {
	dir, _, old := written(t)
	all := &keep{want: func(e *journal.Entry) bool { return e.Seq > 1 && e.Seq%2 == 0 }} // half, and a genesis
	for name, c := range map[string]struct {
		config Config
		r      Rewriting
		want   error
		read   uint64
	}{
		"a short log":         {Config{Dir: dir}, Rewriting{Least: 2 + entries, Extract: everyTenth()}, nil, 0},
		"little would go":     {Config{Dir: dir}, Rewriting{Least: 1, Extract: all}, nil, 1 + entries},
		"no room":             {Config{Dir: dir, Reserve: 1 << 60}, Rewriting{Least: 1, Extract: everyTenth()}, journal.ErrFull, 1 + entries},
		"a directory that is": {Config{Dir: t.TempDir()}, Rewriting{Least: 1, Extract: everyTenth()}, nil, 0},
	} {
		done, err := Rewrite(t.Context(), c.config, c.r)
		if !errors.Is(err, c.want) || done.Before != c.read || err == nil && done.After != done.Before {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
	}
	if got, epoch := contents(t, dir); epoch != old[0].Epoch || !reflect.DeepEqual(got, factsOf(old[1:])) {
		t.Error("the log was changed")
	}
	checkClean(t, dir)

	l := open(t, Config{Dir: dir})
	if _, err := Rewrite(t.Context(), Config{Dir: dir}, Rewriting{Extract: everyTenth()}); !errors.Is(err, ErrInUse) {
		t.Errorf("an open log: %v", err)
	}
	l.Close()
}

// A log that is damaged is not rewritten: what is there may still be wanted.
func TestRewrite_Damaged(t *testing.T) {
	dir, block, _ := written(t)
	flip(0.5)(t, dir, block)
	if _, err := Rewrite(t.Context(), Config{Dir: dir}, Rewriting{Extract: everyTenth()}); !errors.Is(err, ErrLost) && !errors.Is(err, journal.ErrDamaged) {
		t.Fatal(err)
	}
	if n, err := opened(t, Config{Dir: dir}); err == nil {
		t.Fatalf("%d entries of a damaged log", n)
	}
}

// image is what the files were at a moment: what a process leaves that is killed then.
type image struct{ step, dir string }

// images runs something on dir and returns what dir was after each step.
func images(t *testing.T, dir string, run func(c Config)) (all []image) {
	t.Helper()
	run(Config{Dir: dir, step: func(step string) {
		i := image{step, t.TempDir()}
		copyTree(t, i.dir, dir)
		all = append(all, i)
	}})
	return all
}

// Whenever a process is killed that rewrites, and whenever the next one is killed that brings that to its
// end, there is one log or the other, complete.
func TestRewrite_Killed(t *testing.T) {
	dir, _, old := written(t)
	k := everyTenth()
	first := images(t, dir, func(c Config) {
		if _, err := Rewrite(t.Context(), c, Rewriting{Extract: k}); err != nil {
			t.Fatal(err)
		}
	})
	partial := image{"in the middle of write " + rewriting, t.TempDir()}
	copyTree(t, partial.dir, first[0].dir)
	remove(t, filepath.Join(partial.dir, rewriting, "head"))
	change(t, filepath.Join(partial.dir, rewriting, "jetstream", "$G", "streams", streamName, "msgs", "1.blk"), func(b []byte) []byte { return b[:len(b)/2] })
	all := append([]image{partial, {"everything", dir}}, first...)

	isNew := func(i image) bool {
		got, epoch := contents(t, i.dir)
		checkClean(t, i.dir)
		switch {
		case epoch == old[0].Epoch && reflect.DeepEqual(got, factsOf(old[1:])):
			return false
		case epoch != old[0].Epoch && reflect.DeepEqual(got, factsOf(k.all)):
			return true
		}
		t.Fatalf("after %q: %d entries of epoch %s", i.step, len(got), epoch)
		return false
	}
	for _, i := range all {
		again := images(t, i.dir, func(c Config) {
			l := open(t, c)
			l.Close()
		})
		want := !strings.Contains(i.step, "write "+rewriting)
		for _, j := range append(again, i) {
			if got := isNew(j); got != want {
				t.Errorf("after %q, then %q: the new log is %v", i.step, j.step, got)
			}
		}
		t.Logf("%s: %d steps more", i.step, len(again))
	}
}

// A rewritten log that does not open is no reason to have lost the one before.
func TestRewrite_PreviousStaysUntilOpened(t *testing.T) {
	dir, _, old := written(t)
	if _, err := Rewrite(t.Context(), Config{Dir: dir}, Rewriting{Extract: everyTenth()}); err != nil {
		t.Fatal(err)
	}
	change(t, filepath.Join(dir, "jetstream", "$G", "streams", streamName, "msgs", "1.blk"), func(b []byte) []byte { return b[:len(b)/2] })
	_, err := tryOpen(t, Config{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, previous)) {
		t.Fatalf("does not name the log before: %v", err)
	}
	if got, epoch := contents(t, filepath.Join(dir, previous)); epoch != old[0].Epoch || len(got) != entries {
		t.Errorf("%d entries are left of the log before", len(got))
	}
}

// Entries with more octets than are sent at once, and more entries.
func TestRewrite_Large(t *testing.T) {
	dir, _, _ := written(t)
	k := &keep{want: func(*journal.Entry) bool { return false }}
	for i := range 3 * fillEntries {
		items := []string{"/" + strings.Repeat("x", 20+i%100)}
		if i%100 == 0 {
			items[0] += strings.Repeat("y", 900<<10)
		}
		k.all = append(k.all, &journal.Entry{Time: time.Unix(int64(i), 0).UTC(), Facts: []journal.Fact{{Invalidated: &journal.Invalidated{Items: items}}}})
	}
	want := factsOf(k.all)
	c, lock, err := hold(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := c.write(t.Context(), k.all); err != nil {
		t.Fatal(err)
	}
	if got, _ := contents(t, filepath.Join(dir, rewriting)); !reflect.DeepEqual(got, want) {
		t.Errorf("%d entries", len(got))
	}
}

// Without room the log stays as it is, also when the room ends where it should have been enough.
func TestRewrite_FullDisk(t *testing.T) {
	mount := small(t)
	dir := filepath.Join(mount, "journal")
	from, _, old := written(t)
	copyTree(t, dir, from)
	ballast := fillUp(t, mount, 3<<20)
	if _, err := Rewrite(t.Context(), Config{Dir: dir, Reserve: -1}, Rewriting{Extract: everyTenth()}); !errors.Is(err, journal.ErrFull) {
		t.Fatal(err)
	}
	remove(t, ballast)
	l := open(t, Config{Dir: filepath.Join(dir, rewriting), Reserve: -1, bulk: true})
	ballast = fillUp(t, mount, 1<<20)
	var big []*journal.Entry
	for range 8 {
		noise := make([]byte, 256<<10)
		rand.Read(noise) // which cannot be packed
		big = append(big, &journal.Entry{Facts: []journal.Fact{{Invalidated: &journal.Invalidated{Items: []string{hex.EncodeToString(noise)}}}}})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // for the append that the engine leaves without an answer
	defer cancel()
	if _, err := l.fill(ctx, append(big, big...)); err == nil {
		t.Fatal("written on a full disk")
	}
	l.Close()
	if got, epoch := contents(t, dir); epoch != old[0].Epoch || len(got) != entries {
		t.Errorf("%d entries", len(got))
	}
	checkClean(t, dir)
	remove(t, ballast)
}
