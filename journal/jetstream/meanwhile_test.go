package jetstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// Whenever everything is killed while one of the nodes compacts the log, it is the one or the other, whole, on each of them; and it can be compacted again.
func TestCluster_CompactedKilled(t *testing.T) {
	everywhere(t, 60, []int{1, 3}, func(t *testing.T, c *trio) {
		_, i := c.leads(t)
		type image struct {
			old  []*journal.Entry
			dirs []string
		}
		images := map[string]image{}
		var old []*journal.Entry
		c.steps[i].set(func(step string) {
			k := image{old: old}
			for _, dir := range c.dirs() {
				k.dirs = append(k.dirs, still(t, *dir))
			}
			images[step] = k
		})
		for tries := 0; len(images) < 3 && tries < 5; tries++ { // one that has to be tried again may not come by all steps
			if tries > 0 {
				for range 40 {
					c.append(t, 1)
				}
			}
			old = c.all(t, i)
			c.compact(t, i, 10)
			c.wantAll(t, "compacted", compacted(old, 10))
		}
		c.steps[i].set(func(string) {})
		c.down()
		if len(images) != 3 {
			t.Fatal(images)
		}
		for step, k := range images {
			expected := compacted(k.old, 10)
			if step == "keeping" {
				expected = k.old
			}
			for i, dir := range c.dirs() {
				*dir = k.dirs[i]
			}
			c.up(t)
			c.wantAll(t, step, expected)
			c.append(t, 0)
			if last := c.all(t, 1); len(last) != len(expected)+1 {
				t.Errorf("%s: %d entries after an append", step, len(last))
			}
			for range 20 {
				c.append(t, 1)
			}
			c.compact(t, 2, 5)
			again := compacted(c.all(t, 0), 5)
			c.wantAll(t, step+", and again", again)
			found, err := c.inspect(t, 1)
			if err != nil || found.Entries != uint64(len(again)) || found.Base != again[0].Base {
				t.Errorf("%s: inspected: %+v, %v", step, found, err)
			}
			c.down()
		}
		if c.nats != nil {
			return
		}
		t.Log("one goes on alone")
		want := contentsAlone(t, c.configs[0].Dir)
		if len(want) == 0 || want[0].Base == 0 {
			t.Errorf("%d entries", len(want))
		}
	})
}

// contentsAlone is contents of a replica whose others are lost.
func contentsAlone(t *testing.T, dir string) []*journal.Entry {
	t.Helper()
	open(t, Config{Dir: dir, AcceptLoss: true}).Close()
	return contents(t, dir)
}

// A replica that is away while the log is compacted, once and again, comes back with what it had: it has what the others have then. So has one whose disk is an old copy.
func TestCluster_CompactedWhileOneIsAway(t *testing.T) {
	everywhere(t, 60, []int{3}, func(t *testing.T, c *trio) {
		before := c.all(t, 0)
		at := &c.configs[2].Dir
		if c.nats != nil {
			at = &c.nats.dirs[2]
		}
		c.ordering(t) // and each has all of it
		c.lose(2)
		image := still(t, *at)
		c.compact(t, 0, 10)
		c.wantAll(t, "one is away", compacted(before, 10))
		for range 30 {
			c.append(t, 1)
		}
		before = c.all(t, 0)
		c.compact(t, 1, 5)
		want := compacted(before, 5)
		c.wantAll(t, "still", want)
		c.up(t)
		c.wantAll(t, "it is back", want)
		c.ordering(t)
		c.lose(2)
		*at = image
		c.append(t, 0)
		want = c.all(t, 1)
		c.up(t)
		c.wantAll(t, "an old copy", want)
		if c.nats != nil {
			c.ordering(t)
			c.lose(0) // the two others are most of them
			c.wantAll(t, "with the old copy", want)
			return
		}
		c.close(2)
		c.configs[2].Dir, c.configs[2].Cluster.Fresh = t.TempDir(), true
		c.open(t)
		c.wantAll(t, "it begins", want)
		if found, err := c.inspect(t, 2); err != nil || found.Base != want[0].Base || found.Entries != uint64(len(want)) {
			t.Errorf("inspected: %+v, %v", found, err)
		}
		c.closeAll()
		c.wantBehind(t, 2, want)
	})
}

// wantBehind wants the replica of a node that is closed told from a damaged one when it has only begun to get what was kept.
func (c *trio) wantBehind(t *testing.T, i int, want []*journal.Entry) {
	t.Helper()
	blocks, err := filepath.Glob(c.configs[i].path(replica, "jetstream", "$G", "streams", streamName+keptInfix+"*", "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatal(blocks, err)
	}
	whole, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	ends := []int{0} // of its records: one that says where it begins, and the entries
	for at := 0; at < len(whole); ends = append(ends, at) {
		at += int(binary.LittleEndian.Uint32(whole[at:]) &^ (1 << 31)) // its length; the bit says that it has headers
	}
	kept := slices.IndexFunc(want, func(e *journal.Entry) bool { return e.Base == 0 })
	if len(ends) != kept+2 || ends[kept+1] != len(whole) {
		t.Fatalf("%d entries, which end at %v", kept, ends)
	}
	look := func() (Inspected, error) { return Inspect(t.Context(), Config{Dir: c.configs[i].Dir}, nil) }
	remove(t, filepath.Join(filepath.Dir(blocks[0]), "index.db"))
	for what, spoil := range map[string]func(){
		"an entry that cannot be read": func() { flip(0.5)(t, "", blocks[0]) },
		"one that is there in part":    func() { change(t, blocks[0], func([]byte) []byte { return whole[:ends[3]+1] }) },
	} {
		change(t, blocks[0], func([]byte) []byte { return whole })
		spoil()
		if found, err := look(); !errors.Is(err, journal.ErrDamaged) || found.Behind {
			t.Errorf("%s: %+v, %v", what, found, err)
		}
	}
	for n, end := range ends[1 : kept+1] {
		change(t, blocks[0], func([]byte) []byte { return whole[:end] })
		found, err := look()
		if err != nil || !found.Behind || found.Kept != uint64(n) || found.Base != want[0].Base || found.Entries != uint64(len(want)-kept) ||
			found.Last != journal.PositionOf(want[len(want)-1]) {
			t.Errorf("%d of %d entries of what was kept: %+v, %v", n, kept, found, err)
		}
	}
	dir := filepath.Dir(filepath.Dir(blocks[0]))
	remove(t, filepath.Join(dir, "meta.inf"))
	if found, err := look(); !errors.Is(err, journal.ErrDamaged) || found.Behind {
		t.Errorf("nobody knows what it is: %+v, %v", found, err)
	}
	remove(t, blocks[0])
	if found, err := look(); err != nil || !found.Behind || found.Kept != 0 || found.Base != want[0].Base {
		t.Errorf("it has only been begun: %+v, %v", found, err)
	}
	remove(t, dir)
	if found, err := look(); !errors.Is(err, journal.ErrDamaged) || found.Behind {
		t.Errorf("there is none: %+v, %v", found, err)
	}
}

// A node is stopped while another compacts the log, the one that leads it among them: what becomes of that is one log or the other, and the next time it is done.
func TestCluster_CompactedWhileOneStops(t *testing.T) {
	everywhere(t, 60, []int{3}, func(t *testing.T, c *trio) {
		for n, step := range []string{"keeping", "kept", "purged"} {
			leader := c.ordering(t)
			_, i := c.leads(t)
			if c.nats == nil {
				i = (leader + 1) % len(c.logs)
			}
			before := c.all(t, i)
			l := c.logs[i]
			c.steps[i].set(func(s string) {
				if s == step {
					c.lose(leader)
				}
			})
			done, err := l.Compact(t.Context(), Compaction{Tail: 5, Extract: everyTenth()})
			c.steps[i].set(func(string) {})
			t.Logf("%s: %+v, %v", step, done, err)
			c.leads(t)
			either := func(what string) {
				t.Helper()
				for i, l := range c.logs {
					if l == nil {
						continue
					}
					now := c.all(t, i)
					if after := compacted(before, 5); !reflect.DeepEqual(now, before) && !reflect.DeepEqual(now, after) {
						t.Errorf("%s: node %d has %d entries, neither %d nor %d", what, i, len(now), len(before), len(after))
					}
				}
			}
			either(step)
			c.up(t)
			either(step + ", and it is back")
			c.agree(t)
			either(step + ", and all know")
			for range 30 + n {
				c.append(t, i)
			}
		}
		before := c.all(t, 0)
		c.compact(t, 0, 3)
		c.wantAll(t, "at last", compacted(before, 3))
	})
}

// Two nodes compact the log at once, while others read and append.
func TestCluster_CompactedByTwoAtOnce(t *testing.T) {
	everywhere(t, 60, []int{3}, func(t *testing.T, c *trio) {
		for range 4 {
			var working sync.WaitGroup
			for i := range c.logs {
				working.Go(func() {
					_, err := c.logs[i].Compact(t.Context(), Compaction{Tail: uint64(5 + i), Extract: everyTenth()})
					if err != nil {
						t.Logf("node %d: %v", i, err) // another one was faster
					}
				})
			}
			working.Wait()
			c.agree(t)
			c.wantAll(t, "compacted", c.all(t, 0))
			for i := range 40 {
				c.append(t, i%3)
			}
		}
		c.compact(t, 0, 3)
		all := c.all(t, 1)
		if n := len(all); all[0].Base == 0 || all[n-1].Seq-all[0].Base != 2 {
			t.Errorf("%d entries, base %d", n, all[0].Base)
		}
		c.wantAll(t, "at last", all)
	})
}

// What was given up is marked before it is removed, so that whoever still writes it does not bring it to its end.
func TestCluster_SpoiltIsNeverWhole(t *testing.T) {
	everywhere(t, 30, []int{1}, func(t *testing.T, c *trio) {
		l := c.logs[1]
		replicas := len(c.logs)
		if c.nats != nil {
			replicas = len(c.nats.servers)
		}
		patiently := func(what string, ask func() error) {
			t.Helper()
			eventually(t, what, func() bool { return ask() == nil }) // the cluster may be electing
		}
		var base, first *journal.Entry
		patiently("the base", func() (err error) { base, err = l.slot(minute(t), 21); return err })
		var s jetstream.Stream
		config := l.c.keptConfig(replicas, 21, 20, base.ID) // one entry, which is its last; by one name, so that it may be asked for twice
		patiently("a stream", func() (err error) { s, err = l.js.CreateStream(minute(t), config); return err })
		if _, err := l.js.CreateStream(t.Context(), l.c.keptConfig(replicas, 21, 20, base.ID)); err == nil {
			t.Error("two have made it")
		}
		k, _ := l.c.keptOf(s.CachedInfo())
		if k.ends = 19; k.first != 20 || k.whole {
			t.Errorf("%+v", k)
		}
		if spoilt, err := c.logs[0].spoil(t.Context(), k); err != nil || !spoilt {
			t.Error(spoilt, err)
		}
		if spoilt, err := c.logs[2].spoil(t.Context(), k); err != nil || spoilt {
			t.Error("twice:", spoilt, err)
		}
		patiently("the first", func() (err error) { first, err = l.slot(minute(t), 1); return err })
		kept := *first
		kept.Base = 21
		b, err := journal.Encode(&kept)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.put(t.Context(), k.config, 20, b, true); err == nil {
			t.Error("it has been brought to its end")
		}
		if _, found, err := l.greatestKept(t.Context()); err != nil || found {
			t.Error("it counts:", found, err)
		}
		if err := l.Refresh(t.Context()); err != nil || l.Extent().Base != 0 {
			t.Error(l.Extent(), err)
		}
	})
}

// With two more nodes there are more replicas of what was kept, too.
func TestCluster_CompactedThreeToFive(t *testing.T) {
	t.Parallel()
	five := newNodes(t, 5)
	t.Cleanup(five.closeAll)
	facts := make([]journal.Fact, 59)
	for i := range facts {
		facts[i] = journal.Fact{Tick: &journal.Tick{}}
	}
	alone(t, five.configs[0].Dir, facts...)
	three := five.firstThree(t)
	three.compact(t, 1, 10)
	want := three.all(t, 0)
	copy(five.logs, three.logs)
	five.open(t) // the new ones
	five.wantAll(t, "five", want)
	for i := range three.logs {
		five.close(i)
		five.open(t)
	}
	s, err := five.logs[0].js.Stream(t.Context(), five.logs[0].slots.shape().kept)
	if err != nil || s.CachedInfo().Config.Replicas != 5 {
		t.Error(s, err)
	}
	five.close(0)
	five.close(1)
	five.wantAll(t, "two are lost", want)
}

// A replica of what was kept that has a hole is fetched from the others, also if it is the one that leads.
func TestCluster_MendsAHoleInWhatWasKept(t *testing.T) {
	t.Parallel()
	c := filled(t, 60)
	c.compact(t, 0, 10)
	want := c.all(t, 0)
	c.closeAll() // each engine makes a snapshot, and drops of its own log what is before
	c.open(t)
	kept := c.logs[0].slots.shape().kept
	damage := func(i int, where float64) {
		t.Helper()
		dir := c.configs[i].path(replica, "jetstream", "$G", "streams", kept, "msgs")
		blocks, err := filepath.Glob(filepath.Join(dir, "*.blk"))
		if err != nil || len(blocks) != 1 {
			t.Fatal(blocks, err)
		}
		flip(where)(t, "", blocks[0])
		if !exists(filepath.Join(dir, "index.db")) {
			t.Fatal("the engine has written no index, in which nothing is missing")
		}
	}
	whole := func(what string) {
		t.Helper()
		c.wantAll(t, what, want)
		n := uint64(len(want) - 10)
		for i, l := range c.logs {
			eventually(t, fmt.Sprintf("%s: node %d has %d entries", what, i, n), func() bool {
				d, _ := l.ownStream(kept)
				return d.State.Msgs == n && d.State.LastSeq-d.State.FirstSeq+1 == n
			})
		}
	}
	c.closeAll()
	damage(0, 0.1)
	damage(1, 0.6)
	c.open(t)
	whole("the disks of two were damaged") // they end before it: the engine fetches the rest itself

	deadline := time.Now().Add(3 * time.Minute)
	begun := false
	for i := 0; !begun; i = (i + 1) % len(c.logs) { // who leads lets another one lead, and that may be the next
		l := c.logs[i]
		k, found, err := l.greatestKept(t.Context())
		if err == nil && found {
			k.first-- // as if there had been one more
			var holed uint64
			if holed, begun, err = l.refillKept(t.Context(), k); holed != 1 {
				t.Fatalf("node %d: %d are missing, %v", i, holed, err)
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody is mended:", found, err)
		}
		if !begun {
			continue
		}
		if err := errors.Join(err, l.openStreamReplica(t.Context())); err != nil {
			t.Fatal(err)
		}
		whole("one had a hole")
		for ; exists(l.holedAt()); l.dropHoled(1) {
			if time.Now().After(deadline.Add(time.Minute)) {
				t.Fatal("what was set aside stays")
			}
		}
	}
}

// A node that stood still while it compacted the log, and was given up meanwhile, does no harm to what another has made in its place.
func TestCluster_CompactedByOneThatStoodStill(t *testing.T) {
	everywhere(t, 60, []int{1, 3}, func(t *testing.T, c *trio) {
		before := c.all(t, 0)
		stood := false
		c.steps[1].set(func(step string) {
			if step != "keeping" || stood {
				return
			}
			stood = true
			all, err := c.logs[0].keptStreams(t.Context())
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			if err := c.logs[0].js.DeleteStream(t.Context(), all[0].name); err != nil { // as after ten minutes
				t.Fatal(err)
			}
			c.compact(t, 0, 10)
		})
		more := &keep{want: func(e *journal.Entry) bool { return e.Seq%5 == 2 }} // as it was needed then
		done, err := c.logs[1].Compact(t.Context(), Compaction{Tail: 10, Extract: more})
		t.Logf("%+v, %v", done, err)
		if !stood {
			t.Fatal("it was not that far")
		}
		c.agree(t)
		c.wantAll(t, "given up", compacted(before, 10))
		if n := c.logs[2].known.last(); n < c.logs[2].slots.shape().base {
			t.Errorf("a node goes by base %d, and knows of entry %d", c.logs[2].slots.shape().base, n)
		}
	})
}

// A control node that was away while the log was compacted further than it had read ends with words that say so. Started again, it has what the others have.
func TestExternal_StartedAgainBelowTheBase(t *testing.T) {
	y := newYours(t, 1)
	late := y.config(t, "")
	l, other := mustOpen(t, late), mustOpen(t, y.config(t, ""))
	w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 1})
	write := func(w *journal.Writer, n int) {
		t.Helper()
		for range n {
			if _, err := w.Tick(minute(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(w, 10)
	write(journal.NewWriter(journal.WriterConfig{Log: other, TickWindow: 1}), 30)
	both := &trio{logs: []*Log{other, l}}
	both.compact(t, 0, 5)
	for what, ask := range map[string]func() error{
		"catches up": func() error { return w.CatchUp(minute(t)) },
		"appends":    func() error { _, err := w.Tick(minute(t)); return err },
	} {
		if err := ask(); !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), "started again, it reads what was kept") {
			t.Errorf("%s: %v", what, err)
		}
	}
	l.Close()
	both.logs[1] = mustOpen(t, late)
	again := journal.NewWriter(journal.WriterConfig{Log: both.logs[1], TickWindow: 1})
	write(again, 1)
	both.wantAll(t, "started again", both.all(t, 0))
	if last := again.Position().Seq; last != 42 {
		t.Errorf("it ends with entry %d", last)
	}
}
