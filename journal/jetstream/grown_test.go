package jetstream

import (
	"fmt"
	"os"
	"reflect"
	"testing"

	"github.com/warmfront/warmfront/journal"
)

// A cluster is grown from a log that has been compacted as from any other.
func TestCluster_GrownFromACompactedLog(t *testing.T) {
	grown(t, compact)
}

// Also from one of which what was kept lies in a stream of its own.
func TestCluster_GrownFromALogCompactedWhileItRan(t *testing.T) {
	grown(t, func(t *testing.T, dir string, tail int, kept func(*journal.Entry) bool) {
		l := open(t, Config{Dir: dir})
		defer l.Close()
		compactOpen(t, l, dir, tail, kept)
	})
}

func grown(t *testing.T, compact func(t *testing.T, dir string, tail int, kept func(*journal.Entry) bool)) {
	t.Parallel()
	c := newTrio(t)
	t.Cleanup(c.closeAll)
	var facts []journal.Fact
	for i := range 300 {
		facts = append(facts, journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "E1", CallerReference: fmt.Sprint(i), Items: []string{"/*"}}})
	}
	os.RemoveAll(c.configs[0].Dir)
	alone(t, c.configs[0].Dir, facts...)
	compact(t, c.configs[0].Dir, 100, func(e *journal.Entry) bool { return e.Seq%10 == 2 })
	image := t.TempDir()
	copyTree(t, image, c.configs[0].Dir)
	want := contents(t, image)
	c.open(t)
	for i, l := range c.logs {
		var got []*journal.Entry
		if err := l.each(t.Context(), func(e *journal.Entry) error { got = append(got, e); return nil }); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("node %d: %d of %d entries, %v", i, len(got), len(want), err)
		}
		entries, err := l.Read(t.Context(), 23, 2)
		if err != nil || len(entries) != 2 || entries[0].Seq != 32 {
			t.Errorf("node %d: %v, %v", i, entries, err)
		}
	}
	c.append(t, 0)
	if last := c.logs[0].head.last().Seq; last != 302 {
		t.Errorf("the next entry is %d", last)
	}
}
