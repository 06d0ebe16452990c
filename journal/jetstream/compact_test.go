package jetstream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// keep is an Extract that keeps entries by a predicate, and the genesis.
type keep struct {
	want func(*journal.Entry) bool
	all  []*journal.Entry
}

func (k *keep) Add(e *journal.Entry) {
	if e.Seq == 1 || k.want(e) {
		k.all = append(k.all, e)
	}
}

func (k *keep) Entries() []*journal.Entry { return k.all }

func everyTenth() *keep { return &keep{want: func(e *journal.Entry) bool { return e.Seq%10 == 2 }} }

// compacted is what every tenth leaves of these entries, up to a tail.
func compacted(all []*journal.Entry, tail int) (out []*journal.Entry) {
	base := all[len(all)-tail].Seq
	for _, e := range all {
		if e.Seq >= base {
			out = append(out, e)
		} else if k := *e; e.Seq == 1 || e.Seq%10 == 2 {
			k.Base = base
			out = append(out, &k)
		}
	}
	return out
}

// contents opens a log, checks its chain and returns it.
func contents(t *testing.T, dir string) (all []*journal.Entry) {
	t.Helper()
	l := open(t, Config{Dir: dir})
	defer l.Close()
	err := l.each(t.Context(), func(e *journal.Entry) error {
		all = append(all, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCompact(t *testing.T) {
	dir, _, old := written(t)
	progress := 0
	done, err := Compact(t.Context(), Config{Dir: dir}, Compaction{Least: 100, Tail: 31, Extract: everyTenth(), Progress: func(read, of uint64) {
		if progress++; read != 0 || of != entries-30 {
			t.Errorf("progress %d of %d", read, of)
		}
	}})
	want := compacted(old, 31)
	if err != nil || done != (Compacted{Before: 1 + entries, After: uint64(len(want)), Base: entries - 29}) || progress != 1 {
		t.Fatal(done, err, progress)
	}
	if got := contents(t, dir); !reflect.DeepEqual(got, want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	checkClean(t, dir)
	if n, err := opened(t, Config{Dir: dir}); n != 1+entries || err != nil {
		t.Fatal(n, err) // it can be written
	}
	found, err := Inspect(t.Context(), Config{Dir: dir}, nil)
	if err != nil || found.Base != done.Base || found.Entries < done.After || found.Confirmed != found.Last {
		t.Fatalf("%+v, %v", found, err)
	}
}

// How much stays as it is.
func TestCompact_Tail(t *testing.T) {
	dir, _, old := written(t)
	l := open(t, Config{Dir: dir})
	defer l.Close()
	for name, c := range map[string]struct {
		r    Compaction
		base uint64
	}{
		"at least one":              {Compaction{}, 201},
		"the last ones":             {Compaction{Tail: 20}, 182},
		"more than there are":       {Compaction{Tail: 1000}, 1},
		"since a time":              {Compaction{Since: old[100].Time}, 101},
		"since before all":          {Compaction{Since: old[1].Time.Add(-time.Hour)}, 1},
		"since then, but not more":  {Compaction{Since: old[1].Time, Most: 50}, 152},
		"since then, but not fewer": {Compaction{Since: time.Now().Add(time.Hour), Tail: 9}, 193},
		"the least is above":        {Compaction{Since: old[1].Time, Tail: 60, Most: 50}, 142},
		"somebody is behind":        {Compaction{Tail: 20, Applied: 150}, 150},
		"somebody is far behind":    {Compaction{Tail: 20, Most: 50, Applied: 9}, 152},
		"nobody is behind":          {Compaction{Tail: 20, Applied: 199}, 182},
	} {
		if base, err := l.tail(t.Context(), c.r, 1+entries); err != nil || base != c.base && !(strings.HasPrefix(name, "since a time") && old[base-1].Time.Equal(old[100].Time)) {
			t.Errorf("%s: %d, %v; want %d", name, base, err, c.base)
		}
	}
}

// blockOf returns the only file with entries of a log.
func blockOf(t *testing.T, dir string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", streamName, "msgs", "*.blk"))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0]
}

// Of a compacted log that is damaged what is left can be gone on with, wherever it ends.
func TestCompact_AcceptLoss(t *testing.T) {
	for part, tail := range map[float64]int{0.2: 20, 0.5: 20, 0.9: 60} {
		dir, _, old := written(t)
		compact(t, dir, tail, func(e *journal.Entry) bool { return e.Seq%4 == 2 })
		before := contents(t, dir)
		change(t, blockOf(t, dir), func(b []byte) []byte { return b[:int(float64(len(b))*part)] })
		if _, err := tryOpen(t, Config{Dir: dir}); !errors.Is(err, ErrLost) && !errors.Is(err, journal.ErrDamaged) {
			t.Fatalf("%v: %v", part, err)
		}
		if _, err := opened(t, Config{Dir: dir, AcceptLoss: true}); err != nil {
			t.Fatalf("%v: %v", part, err)
		}
		got := contents(t, dir)
		left := 0
		for left < len(before) && left < len(got) && got[left].ID == before[left].ID {
			left++
		}
		if got[0].Epoch != old[0].Epoch || left < 2 || left == len(before) {
			t.Errorf("%v: %d entries, %d of %d are what they were", part, len(got), left, len(before))
		}
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
		if !slices.Contains([]string{"jetstream", "head", "lock", home, doubtful}, n.Name()) { // the last of a copy
			t.Errorf("%s is left over", n.Name())
		}
	}
}

func TestCompact_LeavesAlone(t *testing.T) {
	dir, _, old := written(t)
	most := &keep{want: func(e *journal.Entry) bool { return e.Seq%2 == 0 }}
	for name, c := range map[string]struct {
		config Config
		r      Compaction
		want   error
		seen   uint64
	}{
		"a short log":         {Config{Dir: dir}, Compaction{Least: 2 + entries, Extract: everyTenth()}, nil, 0},
		"little would go":     {Config{Dir: dir}, Compaction{Least: 1, Extract: most}, nil, 1 + entries},
		"little may go":       {Config{Dir: dir}, Compaction{Least: 1, Tail: 1 + entries/2, Extract: everyTenth()}, nil, 1 + entries},
		"no room":             {Config{Dir: dir, Reserve: 1 << 60}, Compaction{Least: 1, Extract: everyTenth()}, journal.ErrFull, 1 + entries},
		"a directory that is": {Config{Dir: t.TempDir()}, Compaction{Least: 1, Extract: everyTenth()}, nil, 0},
	} {
		done, err := Compact(t.Context(), c.config, c.r)
		if !errors.Is(err, c.want) || done.Before != c.seen || err == nil && done.After != done.Before {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
	}
	if got := contents(t, dir); !reflect.DeepEqual(got, old) {
		t.Error("the log was changed")
	}
	checkClean(t, dir)

	l := open(t, Config{Dir: dir})
	if _, err := Compact(t.Context(), Config{Dir: dir}, Compaction{Extract: everyTenth()}); !errors.Is(err, ErrInUse) {
		t.Errorf("an open log: %v", err)
	}
	l.Close()
}

// One that edges come to, at an address of its own.
func TestCompact_WithANetwork(t *testing.T) {
	dir, _, old := written(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // nobody may want it before the log is open
	network := newPKI(t).network(t)
	network.Address = listener.Addr().String()
	if done, err := Compact(t.Context(), Config{Dir: dir, Network: network}, Compaction{Tail: 10, Extract: everyTenth()}); err != nil || done.After == done.Before {
		t.Fatal(done, err)
	}
	if got := contents(t, dir); !reflect.DeepEqual(got, compacted(old, 10)) {
		t.Errorf("%d entries", len(got))
	}
}

// A log that is damaged is not compacted: what is there may still be wanted.
func TestCompact_Damaged(t *testing.T) {
	dir, block, _ := written(t)
	flip(0.5)(t, dir, block)
	if _, err := Compact(t.Context(), Config{Dir: dir}, Compaction{Extract: everyTenth()}); !errors.Is(err, ErrLost) && !errors.Is(err, journal.ErrDamaged) {
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

// A read that is not answered in time says nothing about what is in the store.
func TestCompact_UnansweredIsNotDamaged(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir()})
	first, err := l.one(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	x := &rest{old: l, base: 1, last: 1}
	if err := l.equals(t.Context(), x); err != nil {
		t.Error(err)
	}
	x.kept, x.base, x.ends = []*journal.Entry{first}, 2, first
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.equals(over, x); !errors.Is(err, context.Canceled) || errors.Is(err, journal.ErrDamaged) {
		t.Errorf("cut off: %v", err)
	}
}

// Whenever a process is killed that rewrites, and whenever the next one is killed that brings that to its
// end, there is one log or the other, complete.
func TestCompact_Killed(t *testing.T) {
	dir, _, old := written(t)
	first := images(t, dir, func(c Config) {
		if _, err := Compact(t.Context(), c, Compaction{Tail: 10, Extract: everyTenth()}); err != nil {
			t.Fatal(err)
		}
	})
	partial := image{"in the middle of write " + rewriting, t.TempDir()}
	copyTree(t, partial.dir, first[0].dir)
	remove(t, filepath.Join(partial.dir, rewriting, "head"))
	change(t, blockOf(t, filepath.Join(partial.dir, rewriting)), func(b []byte) []byte { return b[:len(b)/2] })
	all := append([]image{partial, {"everything", dir}}, first...)

	isNew := func(i image) bool {
		got := contents(t, i.dir)
		checkClean(t, i.dir)
		switch {
		case reflect.DeepEqual(got, old):
			return false
		case reflect.DeepEqual(got, compacted(old, 10)):
			return true
		}
		t.Fatalf("after %q: %d entries", i.step, len(got))
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
func TestCompact_PreviousStaysUntilOpened(t *testing.T) {
	dir, _, old := written(t)
	if _, err := Compact(t.Context(), Config{Dir: dir}, Compaction{Extract: everyTenth()}); err != nil {
		t.Fatal(err)
	}
	change(t, blockOf(t, dir), func(b []byte) []byte { return b[:len(b)/2] })
	_, err := tryOpen(t, Config{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, previous)) {
		t.Fatalf("does not name the log before: %v", err)
	}
	if got := contents(t, filepath.Join(dir, previous)); !reflect.DeepEqual(got, old) {
		t.Errorf("%d entries are left of the log before", len(got))
	}
}

// Entries with more octets than are sent at once, and more entries, kept ones and others.
func TestCompact_Large(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	last, err := l.one(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	all := []*journal.Entry{last}
	for i := range 3 * fillEntries {
		items := []string{"/" + strings.Repeat("x", 20+i%100)}
		if i%100 == 0 {
			items[0] += strings.Repeat("y", 900<<10)
		}
		last = &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Time: time.Unix(int64(i), 0).UTC(),
			Facts: []journal.Fact{{Invalidated: &journal.Invalidated{Items: items}}}}
		all = append(all, last)
	}
	l.Close()
	x := &rest{kept: all[:2*fillEntries], base: uint64(2*fillEntries) + 1, last: last.Seq}
	source := t.TempDir()
	c, lock, err := hold(Config{Dir: source})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	// What the log before holds is written to it first, in the same way.
	before := c
	before.Dir, before.bulk, before.first = filepath.Join(source, "before"), true, 1
	if x.old, err = Open(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	defer x.old.Close()
	for i, e := range all {
		b, err := journal.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if i%100 < 99 && i < len(all)-1 {
			err = x.old.nc.PublishMsg(message(e.Seq, b))
		} else {
			err = x.old.appendAt(t.Context(), e.Seq, e) // those before may be on their way yet
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := c.write(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	got := contents(t, filepath.Join(source, rewriting))
	if len(got) != len(all) || got[0].Base != x.base || got[x.base-2].Base != x.base || !reflect.DeepEqual(got[x.base-1:], all[x.base-1:]) {
		t.Errorf("%d entries", len(got))
	}
}

// Without room the log stays as it is, also when the room ends where it should have been enough.
func TestCompact_FullDisk(t *testing.T) {
	mount := small(t)
	dir := filepath.Join(mount, "journal")
	from, _, old := written(t)
	copyTree(t, dir, from)
	ballast := fillUp(t, mount, 3<<20)
	if _, err := Compact(t.Context(), Config{Dir: dir, Reserve: -1}, Compaction{Extract: everyTenth()}); !errors.Is(err, journal.ErrFull) {
		t.Fatal(err)
	}
	remove(t, ballast)
	l := open(t, Config{Dir: filepath.Join(dir, rewriting), Reserve: -1, bulk: true, first: 1})
	ballast = fillUp(t, mount, 1<<20)
	var big []*journal.Entry
	for i := range 8 {
		noise := make([]byte, 256<<10)
		rand.Read(noise) // which cannot be packed
		big = append(big, &journal.Entry{Epoch: "e", ID: "i", Seq: uint64(i) + 1, Facts: []journal.Fact{{Invalidated: &journal.Invalidated{Items: []string{hex.EncodeToString(noise)}}}}})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // for the append that the engine leaves without an answer
	defer cancel()
	if err := l.fill(ctx, &rest{kept: append(big, big...), base: 17, last: 16}); err == nil {
		t.Fatal("written on a full disk")
	}
	l.Close()
	if got := contents(t, dir); !reflect.DeepEqual(got, old) {
		t.Errorf("%d entries", len(got))
	}
	checkClean(t, dir)
	remove(t, ballast)
}
