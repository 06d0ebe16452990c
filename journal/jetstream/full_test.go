package jetstream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/warmfront/warmfront/journal"
)

// The disk of another node runs full while the log is compacted. Who compacts cannot see that beforehand. The log is then compacted, by most of the nodes, or it is not, and an
// error says so; it is whole either way, and goes on. The node whose disk is full says so, and is in order when it has room and is started again.
func TestCluster_CompactedWhileAnotherDiskIsFull(t *testing.T) {
	t.Parallel()
	disk := small(t)
	c := newNodes(t, 3)
	t.Cleanup(c.closeAll)
	c.configs[2].Dir, c.configs[2].Reserve = filepath.Join(disk, "journal"), -1 // else it would not let itself be filled up
	facts := make([]journal.Fact, 59)
	for i := range facts {
		b := make([]byte, 50_000)
		rand.Read(b)
		facts[i] = journal.Fact{Invalidated: &journal.Invalidated{CallerReference: hex.EncodeToString(b)}}
	}
	alone(t, c.configs[0].Dir, facts...)
	c.open(t)
	before := c.all(t, 0)
	eventually(t, "all have it", func() bool {
		s, known := c.logs[2].own()
		return known && s.LastSeq >= before[len(before)-1].Seq
	})
	ballast := fillUp(t, disk, 128<<10) // what is kept is 600 KiB
	_, err := c.logs[0].Compact(t.Context(), Compaction{Tail: 5, Extract: everyTenth()})
	eventually(t, "the node whose disk is full says so", func() bool { return c.logs[2].Health() != nil })
	now := c.all(t, 0)
	if after := compacted(before, 5); !reflect.DeepEqual(now, after) && (err == nil || !reflect.DeepEqual(now, before)) {
		t.Errorf("%d of %d entries, %v", len(now), len(before), err)
	}
	c.append(t, 0)
	now = c.all(t, 0)
	c.close(2)
	remove(t, ballast)
	c.open(t)
	c.wantAll(t, "with room", now)
}

// The disk of a replica runs quite full, and its engine stops to write, for good. While there is no room the node stays, then it asks to be started
// again, or else a cluster of three would have two from there on, and none to lead it when the next one is away.
func TestCluster_ReplicaWhoseDiskWasFull(t *testing.T) {
	t.Parallel()
	disk := small(t)
	c := newNodes(t, 3)
	t.Cleanup(c.closeAll)
	c.configs[2].Dir, c.configs[2].Reserve = filepath.Join(disk, "journal"), 4<<20
	alone(t, c.configs[0].Dir)
	c.open(t)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- c.logs[2].Halted(ctx) }()
	ballast := fillUp(t, disk, 0)
	w := journal.NewWriter(journal.WriterConfig{Log: c.logs[0]})
	b := make([]byte, 50_000)
	eventually(t, "the engine has stopped to write", func() bool {
		rand.Read(b)
		some := []journal.Fact{{Invalidated: &journal.Invalidated{CallerReference: hex.EncodeToString(b)}}}
		if _, err := w.Commit(t.Context(), func() ([]journal.Fact, error) { return some, nil }); err != nil {
			t.Fatal(err)
		}
		return c.logs[2].halted()
	})
	select {
	case err := <-ended:
		t.Fatalf("without room: %v", err)
	default:
	}
	remove(t, ballast)
	if err := <-ended; !errors.Is(err, journal.ErrStopped) {
		t.Fatalf("with room: %v", err)
	}
	c.close(2)
	c.open(t)
	c.close(1)
	c.append(t, 0)
	c.wantAll(t, "with the one that was full", c.all(t, 0))
}
