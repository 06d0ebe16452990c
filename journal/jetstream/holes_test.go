package jetstream

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

func TestMissing(t *testing.T) {
	for _, x := range []struct{ msgs, first, last, want uint64 }{
		{0, 0, 0, 0}, {0, 8, 7, 0}, {1, 1, 1, 0}, {56, 1, 114, 58}, {114, 1, 114, 0}, {7, 96, 102, 0}, {6, 96, 102, 1},
	} {
		if got := missing(server.StreamState{Msgs: x.msgs, FirstSeq: x.first, LastSeq: x.last}); got != x.want {
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
	if err := l.mend(1); err != nil {
		t.Fatal(err)
	}
	if !exists(l.holedAt()) {
		t.Error("it is not kept until there is another one")
	}
	if err := l.openStreamReplica(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, known := l.own(); !known || missing(s) > 0 || s.FirstSeq != 1 || s.LastSeq < last {
		t.Errorf("there are %d of the entries %d to %d, known: %v; the log ends with %d", s.Msgs, s.FirstSeq, s.LastSeq, known, last)
	}
	if exists(l.holedAt()) {
		t.Error("what was set aside stays")
	}
	c.append(t, 2)
	c.wantWhole(t, 2, last+1)
}
