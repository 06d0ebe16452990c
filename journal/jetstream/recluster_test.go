package jetstream

import (
	"fmt"
	"os"
	"reflect"
	"testing"

	"github.com/warmfront/warmfront/journal"
)

// The way of a cluster to a shorter log (docs/operate.md): one node goes on alone with its replica and compacts it, and the others take
// their places anew. Twice, the second time by way of another node, whose replica is one of a compacted log.
func TestCluster_CompactedByOneAlone(t *testing.T) {
	t.Parallel()
	c := newTrio(t)
	t.Cleanup(c.closeAll)
	var facts []journal.Fact
	for i := range 300 {
		facts = append(facts, journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "E1", CallerReference: fmt.Sprint(i), Items: []string{"/*"}}})
	}
	os.RemoveAll(c.configs[0].Dir)
	alone(t, c.configs[0].Dir, facts...)
	c.open(t)
	for one, tail := range []int{100, 20} {
		c.append(t, one)
		stood := journal.PositionOf(c.last(t, one))
		c.closeAll()
		dir := c.configs[one].Dir
		open(t, Config{Dir: dir, AcceptLoss: true}).Close()
		compact(t, dir, tail, func(e *journal.Entry) bool { return e.Seq%10 == 2 })
		image := t.TempDir()
		copyTree(t, image, dir)
		want := contents(t, image)
		if journal.PositionOf(want[len(want)-1]) != stood || want[0].Base == 0 {
			t.Fatalf("alone it ends at %v, not at %v; compacted up to %d", journal.PositionOf(want[len(want)-1]), stood, want[0].Base)
		}
		for i := range c.configs {
			if c.configs[i].Cluster.Fresh = i != one; i != one {
				c.configs[i].Dir = t.TempDir()
			}
		}
		c.open(t)
		for i, l := range c.logs {
			var got []*journal.Entry
			if err := l.each(t.Context(), func(e *journal.Entry) error { got = append(got, e); return nil }); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("node %d: %d of %d entries, %v", i, len(got), len(want), err)
			}
			// Who had followed it goes on (E1).
			if entries, err := l.Read(t.Context(), stood.Seq, 2); err != nil || len(entries) != 1 || journal.PositionOf(entries[0]) != stood {
				t.Errorf("node %d: who stands at %v reads %v, %v", i, stood, entries, err)
			}
		}
		for i, l := range c.logs {
			if !l.doubt { // a loss was accepted, for all that is known
				t.Errorf("node %d does not doubt it", i)
			}
			if err := l.Settled(); err != nil {
				t.Error(err)
			}
		}
		c.append(t, 2-one)
		c.close(2)
		if found, err := Inspect(t.Context(), Config{Dir: c.configs[2].Dir}, nil); err != nil || !found.Replica || found.Base != want[0].Base || found.Last.Seq < stood.Seq {
			t.Errorf("inspected: %+v, %v", found, err)
		}
		c.open(t)
		if c.logs[2].doubt {
			t.Error("it is doubted for ever")
		}
	}
}
