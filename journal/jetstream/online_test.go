package jetstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// streamsOf lists the streams of an open log.
func streamsOf(t *testing.T, l *Log) (names []string) {
	t.Helper()
	list := l.js.StreamNames(t.Context())
	for n := range list.Name() {
		names = append(names, n)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// blocks makes a log that the engine keeps in several files, and returns what is in it.
func blocks(t *testing.T) (dir string, all []*journal.Entry) {
	t.Helper()
	dir = t.TempDir()
	l := open(t, Config{Dir: dir})
	last, err := l.one(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, last)
	for i := range 36 {
		last = &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Time: time.Unix(int64(i), 0).UTC(),
			Facts: []journal.Fact{{Invalidated: &journal.Invalidated{Items: []string{"/" + strings.Repeat("y", 800<<10)}}}}}
		if err := l.Append(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		all = append(all, last)
	}
	l.Close()
	if n := len(messageFiles(t, dir, "*.blk")); n < 4 {
		t.Fatalf("%d files", n)
	}
	return dir, all
}

// messageFiles are the engine's files of the log's own stream.
func messageFiles(t *testing.T, dir, pattern string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", streamName, "msgs", pattern))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// steps compacts a log while it is open, and returns what its files were at each step.
func steps(t *testing.T, dir string, r Compaction) (all []image) {
	t.Helper()
	return images(t, dir, func(c Config) {
		l := open(t, c)
		defer l.Close()
		if done, err := l.Compact(t.Context(), r); err != nil || done.After == done.Before {
			t.Fatal(done, err)
		}
	})
}

func stepOf(t *testing.T, all []image, name string) string {
	t.Helper()
	for _, i := range all {
		if i.step == name {
			return i.dir
		}
	}
	t.Fatalf("no step %q", name)
	return ""
}

// mixed is a copy of one image with some of the engine's files of another: what a power cut may leave, for names and contents become durable in any
// order.
func mixed(t *testing.T, dir, with, pattern string) string {
	t.Helper()
	m := t.TempDir()
	copyTree(t, m, dir)
	for _, f := range messageFiles(t, m, pattern) {
		remove(t, f)
	}
	for _, f := range messageFiles(t, with, pattern) {
		b, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(m, "jetstream", "$G", "streams", streamName, "msgs", filepath.Base(f)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// wantWhole opens a log, which must be one or the other, whole, and stay that when it is opened again and written to.
func wantWhole(t *testing.T, what, dir string, want []*journal.Entry, streams ...string) {
	t.Helper()
	for again := range 2 {
		got := contents(t, dir)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s, opening %d: %d entries, want %d", what, again, len(got), len(want))
		}
		checkClean(t, dir)
	}
	l := open(t, Config{Dir: dir})
	defer l.Close()
	if got := streamsOf(t, l); !slices.Equal(got, streams) {
		t.Errorf("%s: streams %v", what, got)
	}
	last := want[len(want)-1]
	e := &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Time: last.Time, Facts: []journal.Fact{{Tick: &journal.Tick{}}}}
	if err := l.Append(t.Context(), e); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if all, err := l.Read(t.Context(), last.Seq, 10); err != nil || len(all) != 2 || all[1].ID != e.ID {
		t.Errorf("%s: %v, %v", what, all, err)
	}
	l.Close()
	found, err := Inspect(t.Context(), Config{Dir: dir}, nil)
	if err != nil || found.Entries != uint64(len(want))+1 || found.Last.ID != e.ID || found.Base != want[0].Base {
		t.Errorf("%s: %+v, %v", what, found, err)
	}
}

// Whenever a process is killed that compacts its open log, there is one log or the other, whole; whatever of the purge has reached the disk.
func TestLogCompact_Killed(t *testing.T) {
	keeps := func() *keep { return &keep{want: func(e *journal.Entry) bool { return e.Seq%10 == 2 }} }
	small, _, few := written(t)
	large, many := blocks(t)
	for name, c := range map[string]struct {
		dir  string
		old  []*journal.Entry
		tail int
	}{"one file": {small, few, 10}, "several files": {large, many, 5}} {
		t.Run(name, func(t *testing.T) {
			all := steps(t, c.dir, Compaction{Tail: uint64(c.tail), Extract: keeps()})
			want := compacted(c.old, c.tail)
			kept := (Config{}).keptConfig(1, want[0].Base, 1, "").Name
			before, after := stepOf(t, all, "kept"), stepOf(t, all, "purged")
			wantWhole(t, "kept in part", stepOf(t, all, "keeping"), c.old, streamName)
			for what, dir := range map[string]string{
				"purged, by an old index":    mixed(t, after, before, "index.db"),
				"purged, without an index":   mixed(t, after, t.TempDir(), "index.db"),
				"not purged, by a new index": mixed(t, before, after, "index.db"),
				"not purged, without index":  mixed(t, before, t.TempDir(), "index.db"),
				"kept":                       before,
				"purged":                     after,
				"at its end":                 c.dir,
			} {
				wantWhole(t, what, dir, want, streamName, kept)
			}
		})
	}
}

// Some of the files are gone and others not, when the power goes.
func TestLogCompact_PurgedInPart(t *testing.T) {
	dir, old := blocks(t)
	all := steps(t, dir, Compaction{Tail: 5, Extract: everyTenth()})
	want := compacted(old, 5)
	before, after := stepOf(t, all, "kept"), stepOf(t, all, "purged")
	for _, gone := range [][]string{{"1"}, {"2"}, {"1", "2"}} {
		for index, of := range map[string]string{"the old index": before, "no index": t.TempDir(), "the new index": after} {
			m := mixed(t, before, of, "index.db")
			for _, n := range gone {
				remove(t, filepath.Join(m, "jetstream", "$G", "streams", streamName, "msgs", n+".blk"))
			}
			wantWhole(t, strings.Join(gone, " and ")+" gone, "+index, m, want, streamName, (Config{}).keptConfig(1, want[0].Base, 1, "").Name)
		}
	}
}

// A log is compacted while it runs, while it does not, and while it runs again: each takes over from the one before.
func TestLogCompact_InTurn(t *testing.T) {
	dir, _, all := written(t)
	few := func(e *journal.Entry) bool { return e.Seq%10 == 2 }
	for i, compacts := range []func(t *testing.T, l *Log, dir string, tail int, kept func(*journal.Entry) bool) *Log{compactOpen, compactClosed, compactOpen} {
		l := open(t, Config{Dir: dir})
		for range 100 {
			last := after(all[len(all)-1], journal.Fact{Tick: &journal.Tick{}})
			if err := l.Append(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			all = append(all, last)
		}
		compacts(t, l, dir, 10+i, few).Close()
		all = compacted(all, 10+i)
		streams := []string{streamName, (Config{}).keptConfig(1, all[0].Base, 1, "").Name}
		if i == 1 {
			streams = streams[:1]
		}
		image := t.TempDir()
		copyTree(t, image, dir)
		wantWhole(t, fmt.Sprint("compaction ", i), image, all, streams...)
	}
}

func TestLogCompact_LeavesAlone(t *testing.T) {
	dir, _, _ := written(t)
	l := open(t, Config{Dir: dir})
	if done, err := l.Compact(t.Context(), Compaction{Least: 2 + entries, Extract: everyTenth()}); err != nil || done.Before != 0 {
		t.Error(done, err)
	}
	most := &keep{want: func(e *journal.Entry) bool { return e.Seq%2 == 0 }}
	if done, err := l.Compact(t.Context(), Compaction{Extract: most}); err != nil || done.After != done.Before {
		t.Error(done, err)
	}
	if got := streamsOf(t, l); !slices.Equal(got, []string{streamName}) {
		t.Error(got)
	}
	// Somebody still stands at the base, and of what is below it less is needed now: what is kept has its place already.
	compactOpen(t, l, dir, 10, func(e *journal.Entry) bool { return e.Seq%4 == 2 })
	before := l.Extent()
	if done, err := l.Compact(t.Context(), Compaction{Tail: 1, Applied: before.Base, Extract: everyTenth()}); err != nil || done.After != done.Before || l.Extent() != before {
		t.Error(done, err, l.Extent())
	}
}

// Who reads below what is to be the base is waited for, but not for ever.
func TestWatch_Quiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watch{base: 100}
		began := time.Now()
		w.noted(1)
		go func() {
			for range 10 {
				time.Sleep(4 * time.Second)
				w.noted(99)
				w.noted(100)
			}
		}()
		if err := w.quiet(t.Context(), 5*time.Second); err != nil || time.Since(began) != 45*time.Second {
			t.Error(err, time.Since(began))
		}
		began = time.Now()
		w.noted(1)
		ctx, cancel := context.WithCancel(t.Context())
		var reading sync.WaitGroup
		reading.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(4 * time.Second)
				w.noted(99)
			}
		})
		if err := w.quiet(t.Context(), 5*time.Second); err != nil || time.Since(began) != patience {
			t.Error(err, time.Since(began))
		}
		cancel()
		if err := w.quiet(ctx, 5*time.Second); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		reading.Wait()
		(*watch)(nil).noted(1)
	})
}

// What was kept is damaged, and the log is not: that is refused, and its beginning can be accepted.
func TestLogCompact_KeptDamaged(t *testing.T) {
	for _, index := range []bool{true, false} {
		t.Run(fmt.Sprintf("index=%v", index), func(t *testing.T) {
			dir, _, all := written(t)
			l := open(t, Config{Dir: dir})
			compactOpen(t, l, dir, 10, func(e *journal.Entry) bool { return e.Seq%4 == 2 }).Close()
			found, err := Inspect(t.Context(), Config{Dir: dir}, nil)
			if err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(l.keptDir((Config{}).keptConfig(1, found.Base, 1, "").Name), "msgs", "*.blk"))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			flip(0.6)(t, dir, files[0])
			if !index {
				remove(t, filepath.Join(filepath.Dir(files[0]), "index.db"))
			}
			for range 2 { // looking does not make it whole
				if _, err := opened(t, Config{Dir: dir}); !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), "AcceptLoss") {
					t.Fatal(err)
				}
			}
			left, err := Inspect(t.Context(), Config{Dir: dir}, nil)
			if !errors.Is(err, journal.ErrDamaged) || left.Entries < 10 || left.Entries > 40 || left.Base != found.Base {
				t.Errorf("of %+v there is %+v, %v", found, left, err)
			}
			open(t, Config{Dir: dir, AcceptLoss: true}).Close()
			got := contents(t, dir)
			if len(got) != int(left.Entries)+1 || got[0].Seq != 1 {
				t.Fatalf("%d of %d entries", len(got), left.Entries)
			}
			for _, e := range got[:left.Entries] {
				if journal.PositionOf(e) != journal.PositionOf(all[e.Seq-1]) {
					t.Errorf("entry %d is another", e.Seq)
				}
			}
		})
	}
}

// Where a log and what was kept of it do not fit together, the stream is named in which that is: to remove it may be the way out.
func TestKept_NamedWhereItDoesNotFit(t *testing.T) {
	l := mustOpen(t, Config{Dir: t.TempDir()})
	s, err := l.js.Stream(minute(t), streamName)
	if err != nil {
		t.Fatal(err)
	}
	const name = "WARMFRONT_0_KEPT_100_abc"
	if err := l.settleKept(minute(t), s, keptStream{name: name, base: 100}); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), name) {
		t.Errorf("of a log that is shorter: %v", err)
	}
	if err := l.settleKept(minute(t), s, keptStream{name: name, base: 1, id: "another"}); !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), name) {
		t.Errorf("of another log: %v", err)
	}
}

// Room is made sure of on the disk of who compacts. If the others do not take what is kept, the error says that theirs may be full.
func TestCompact_SaysThatOthersMayBeFull(t *testing.T) {
	for _, c := range []struct {
		of   Config
		err  error
		says bool
	}{
		{Config{Cluster: &Cluster{}}, fmt.Errorf("append: %w", context.DeadlineExceeded), true},
		{Config{Cluster: &Cluster{}}, &jetstream.APIError{Description: "insufficient storage"}, true},
		{Config{Cluster: &Cluster{}}, fmt.Errorf("here: %w", journal.ErrFull), false},
		{Config{Cluster: &Cluster{}}, context.Canceled, false},
		{Config{}, context.DeadlineExceeded, false},
	} {
		err := (&Log{c: c.of}).elsewhere(c.err)
		if !errors.Is(err, c.err) || strings.Contains(err.Error(), "other nodes") != c.says {
			t.Errorf("of %v: %v", c.err, err)
		}
	}
}
