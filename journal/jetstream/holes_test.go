package jetstream

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestMissing(t *testing.T) {
	for _, x := range []struct{ msgs, first, last, want uint64 }{
		{0, 0, 0, 0}, {0, 8, 7, 0}, {1, 1, 1, 0}, {56, 1, 114, 58}, {114, 1, 114, 0}, {7, 96, 102, 0}, {6, 96, 102, 1},
	} {
		if got := missing(x.msgs, x.first, x.last); got != x.want {
			t.Errorf("%d of the entries %d to %d are there: %d are missing, not %d", x.msgs, x.first, x.last, got, x.want)
		}
	}
}

// A replica that is set aside for its hole is fetched from the others, whole, and what was set aside is removed then.
func TestCluster_MendsAHole(t *testing.T) {
	t.Parallel() // it mostly waits
	c := newTrio(t)
	t.Cleanup(c.closeAll)
	c.open(t)
	for range 40 {
		c.append(t, 0)
	}
	c.closeAll() // each engine makes a snapshot, and drops of its own log what is before
	c.open(t)
	c.append(t, 0)
	last := c.last(t, 0).Seq
	l := c.logs[2]
	if err := l.mend(streamName, 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the engine has a replica", func() bool { _, known := l.own(); return known })
	if err := l.mend(streamName, 1); err != nil { // cut off, and once more
		t.Fatal(err)
	}
	if all, err := filepath.Glob(l.holedAt() + "*"); len(all) != 2 || err != nil {
		t.Error("they are not kept until there is another one:", all, err)
	}
	if err := l.openStreamReplica(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, known := l.own(); !known || missing(s.Msgs, s.FirstSeq, s.LastSeq) > 0 || s.FirstSeq != 1 || s.LastSeq < last {
		t.Errorf("there are %d of the entries %d to %d, known: %v; the log ends with %d", s.Msgs, s.FirstSeq, s.LastSeq, known, last)
	}
	l.dropHoled(last) // if it took its time
	if all, err := filepath.Glob(l.holedAt() + "*"); len(all) > 0 || err != nil {
		t.Error("what was set aside stays:", all, err)
	}
	c.append(t, 2)
	c.wantWhole(t, 2, last+1)
}

// Who leads with a hole lets another one lead first. Where no replica is whole, none is set aside: together they may have all.
func TestCluster_SetsAsideWhereAnotherIsWhole(t *testing.T) {
	t.Parallel() // it mostly waits
	c := newTrio(t)
	t.Cleanup(c.closeAll)
	c.open(t)
	c.append(t, 0)
	var l *Log
	eventually(t, "one leads", func() bool {
		i := slices.IndexFunc(c.logs, func(x *Log) bool { return x.leader() == x.c.Cluster.Node })
		if i >= 0 {
			l = c.logs[i]
		}
		return l != nil
	})
	refill := func(leader string, msgs uint64) error {
		t.Helper()
		info := &jetstream.StreamInfo{Config: jetstream.StreamConfig{Name: streamName}, State: jetstream.StreamState{Msgs: msgs, FirstSeq: 1, LastSeq: 9}, Cluster: &jetstream.ClusterInfo{Leader: leader}}
		begun, err := l.refill(t.Context(), info, 1)
		if begun {
			t.Fatalf("it is fetched anew though %q leads, with %d of 9 entries", leader, msgs)
		}
		return err
	}
	if err := errors.Join(refill("", 9), refill("another", 8)); err != nil {
		t.Error(err)
	}
	eventually(t, "another one leads", func() bool {
		leader := l.leader()
		if leader == l.c.Cluster.Node {
			refill(leader, 8) // again if they agree on it once more
		}
		return leader != "" && leader != l.c.Cluster.Node
	})
	if exists(l.holedAt()) {
		t.Error("it has set its replica aside")
	}
	c.append(t, 0)
}
