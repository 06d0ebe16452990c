package jetstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/journaltest"
)

const entries = 200

// written returns a directory with a closed log of 1+entries entries, the path of its only block, and the
// entries.
func written(t *testing.T) (dir, block string, all []*journal.Entry) {
	t.Helper()
	dir = t.TempDir()
	l := open(t, Config{Dir: dir})
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	for i := range entries {
		if _, err := w.Commit(t.Context(), fact(i)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := l.Read(t.Context(), 1, 1024)
	if err != nil || len(all) != 1+entries {
		t.Fatal(len(all), err)
	}
	l.Close()
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", streamName, "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatal(blocks, err)
	}
	return dir, blocks[0], all
}

func fact(i int) func() ([]journal.Fact, error) {
	return func() ([]journal.Fact, error) {
		return []journal.Fact{{Invalidated: &journal.Invalidated{DistributionID: "E1", CallerReference: fmt.Sprint(i), Items: []string{"/images/*"}}}}, nil
	}
}

func change(t *testing.T, name string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, f(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamage: whatever happened to the files, nothing panics, no shortened log is taken for whole, and what
// is left can be accepted. index is the engine's own summary, without which it reads the blocks anew.
func TestDamage(t *testing.T) {
	const none, whole, some = 0, 1 + entries, -1
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir, block string)
		kept  int // entries after AcceptLoss
	}{
		{"nothing", func(t *testing.T, dir, block string) {}, whole},
		{"a bit in the middle", flip(0.5), some},
		{"a bit in the last entry", flip(0.999), whole - 1},
		{"a bit in the first entry", flip(0.002), none},
		{"cut in the middle", func(t *testing.T, dir, block string) {
			change(t, block, func(b []byte) []byte { return b[:len(b)/2] })
		}, some},
		{"cut by one octet", func(t *testing.T, dir, block string) {
			change(t, block, func(b []byte) []byte { return b[:len(b)-1] })
		}, whole - 1},
		{"block empty", func(t *testing.T, dir, block string) {
			change(t, block, func(b []byte) []byte { return nil })
		}, none},
		{"block gone", func(t *testing.T, dir, block string) { remove(t, block) }, none},
		{"block full of noise", func(t *testing.T, dir, block string) {
			change(t, block, func(b []byte) []byte {
				for i := range b {
					b[i] = byte(i*7 + i>>8)
				}
				return b
			})
		}, none},
		{"noise after the end", func(t *testing.T, dir, block string) {
			change(t, block, func(b []byte) []byte { return append(b, "noise noise noise"...) })
		}, whole},
		{"stream's config", func(t *testing.T, dir, block string) {
			change(t, filepath.Join(filepath.Dir(filepath.Dir(block)), "meta.inf"), func(b []byte) []byte { b[20] ^= 1; return b })
		}, none},
		{"store gone", func(t *testing.T, dir, block string) { remove(t, filepath.Join(dir, "jetstream")) }, none},
		{"head gone", func(t *testing.T, dir, block string) { remove(t, filepath.Join(dir, "head")) }, whole},
		{"head unreadable", func(t *testing.T, dir, block string) {
			change(t, filepath.Join(dir, "head"), func(b []byte) []byte { b[20] ^= 1; b[headLine+20] ^= 1; return b })
		}, whole},
		{"head torn", func(t *testing.T, dir, block string) {
			change(t, filepath.Join(dir, "head"), func(b []byte) []byte { return b[:headLine+20] })
		}, whole},
	} {
		for _, index := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/index=%v", c.name, index), func(t *testing.T) {
				dir, block, want := written(t)
				c.spoil(t, dir, block)
				if !index {
					os.Remove(filepath.Join(filepath.Dir(block), "index.db"))
				}
				n, err := opened(t, Config{Dir: dir})
				t.Log(err)
				if c.kept == whole && (n != whole || err != nil) {
					t.Fatalf("%d entries, %v", n, err)
				}
				if c.kept == whole {
					return
				}
				if !errors.Is(err, ErrLost) && !errors.Is(err, journal.ErrDamaged) {
					t.Fatalf("%d entries of a spoiled log, error %v", n, err)
				}
				if !strings.Contains(err.Error(), "AcceptLoss") {
					t.Error("does not say what to do")
				}
				// Looking does not make it whole.
				if n, err := opened(t, Config{Dir: dir}); err == nil {
					t.Fatalf("%d entries of a spoiled log at the second try", n)
				}
				accepted(t, dir, want, c.kept)
			})
		}
	}
}

// opened opens the log, reads it, adds an entry and returns how many it had.
func opened(t *testing.T, c Config) (int, error) {
	l, err := tryOpen(t, c)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	if err := w.CatchUp(t.Context()); err != nil {
		return 0, err
	}
	n := w.Position().Seq
	_, err = w.Commit(t.Context(), fact(-1))
	return int(n), err
}

// accepted opens with AcceptLoss: the log begins with kept of the wanted entries (some: a few, not all), can
// be written, stays so, and an edge that had followed it drops everything.
func accepted(t *testing.T, dir string, want []*journal.Entry, kept int) {
	t.Helper()
	n, err := opened(t, Config{Dir: dir, AcceptLoss: true})
	if err != nil {
		t.Fatalf("accept loss: %v", err)
	}
	switch {
	case kept < 0 && n > len(want)/4 && n < len(want)*3/4:
	case kept == n:
	case kept == 0 && n == 1: // a genesis of its own
	default:
		t.Fatalf("%d entries kept, not %d", n, kept)
	}
	l := open(t, Config{Dir: dir}) // without: what was accepted is now the truth
	got, err := l.Read(t.Context(), 1, 1024)
	if err != nil || len(got) != n+1 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	for i := range n {
		if kept != 0 && journal.PositionOf(got[i]) != journal.PositionOf(want[i]) {
			t.Fatalf("entry %d is another", i+1)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resets := 0
	f := journal.NewFollower(journal.FollowerConfig{Log: l, From: journal.PositionOf(want[len(want)-1]),
		Reset: func(string) { resets++ },
		Apply: journaltest.Each(func(e *journal.Entry) {
			if e.Seq == uint64(n+1) {
				cancel()
			}
		})})
	if err := f.Run(ctx); !errors.Is(err, context.Canceled) || resets != 1 {
		t.Fatalf("follower: %v, %d resets", err, resets)
	}
}

func flip(where float64) func(t *testing.T, dir, block string) {
	return func(t *testing.T, dir, block string) {
		change(t, block, func(b []byte) []byte { b[int(where*float64(len(b)))] ^= 0x10; return b })
	}
}

func remove(t *testing.T, name string) {
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}
