package jetstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// A replica with a hole. When the engine finds entries that it cannot read, it goes on behind them: with those that its own log of
// appends still has. It never asks the others for what is missing in between. Nobody notices as long as another node leads;
// when this one does, the log has a hole for all. So each node looks at its own replica before it serves. One with a hole is set aside, and the engine
// fetches all of it from the others. Its log of appends and its votes stay: what this node had confirmed it goes on confirming.

// maxMended is how often a start does that before it gives up; what was set aside is then still there.
const maxMended = 3

// caughtUpWithin is how long a replica may take to get what the others have, before it is looked at as it is.
const caughtUpWithin = 10 * time.Second

// entriesOf is where the engine has the entries of a replica of a stream.
func (l *Log) entriesOf(stream string) string {
	return filepath.Join(l.keptDir(stream), "msgs")
}

// holedAt is where a replica with a hole is kept until it has been mended; a second one has a number behind that.
func (l *Log) holedAt() string { return l.c.path("holed") }

// unindexed has the engine look at each entry of what was kept when it starts. It goes by an index which it has written itself, and then at the end alone: a hole in
// the middle would show when this node leads and somebody reads there, perhaps after the others have gone. What was kept is short, and does not change.
func (l *Log) unindexed() error {
	all, err := filepath.Glob(filepath.Join(l.entriesOf(streamName+keptInfix+"*"), "index.db"))
	for _, index := range all {
		err = errors.Join(err, os.Remove(index))
	}
	return err
}

// own is what this node's replica holds; known is false while the engine has none.
func (l *Log) own() (s server.StreamState, known bool) {
	d, known := l.ownStream(streamName)
	return d.State, known
}

// ownStream is what this node's engine says of a stream.
func (l *Log) ownStream(name string) (d server.StreamDetail, known bool) {
	z, err := l.srv.Jsz(&server.JSzOptions{Streams: true})
	if err != nil {
		return d, false
	}
	for _, a := range z.AccountDetails {
		for _, d := range a.Streams {
			if d.Name == name {
				return d, true
			}
		}
	}
	return d, false
}

// catchUp waits until this node's replica of a stream goes as far as its leader says that it does, or for caughtUpWithin, and returns how many entries are
// missing in it. What is below the stream's beginning is to go.
func (l *Log) catchUp(ctx context.Context, is *jetstream.StreamInfo) (holed uint64, err error) {
	first, last := is.State.FirstSeq, is.State.LastSeq
	return l.replicaOf(ctx, is.Config.Name, func(s server.StreamState) (holed uint64, there bool) {
		holed = missing(s.Msgs, s.FirstSeq, s.LastSeq)
		return holed, s.FirstSeq >= first && (holed > 0 || s.LastSeq >= last)
	})
}

// keptHoles is catchUp for what was kept, of which nothing ever goes: what is missing at its beginning is a hole, too.
func (l *Log) keptHoles(ctx context.Context, k keptStream) (holed uint64, err error) {
	return l.replicaOf(ctx, k.name, func(s server.StreamState) (holed uint64, there bool) {
		if s.LastSeq+1 < k.base {
			return 0, false // it is being fetched
		}
		return k.base - k.first - min(s.Msgs, k.base-k.first), true
	})
}

// replicaOf waits until this node's replica of a stream is there, or for caughtUpWithin.
func (l *Log) replicaOf(ctx context.Context, stream string, look func(server.StreamState) (holed uint64, there bool)) (uint64, error) {
	for began := time.Now(); ; {
		d, known := l.ownStream(stream)
		holed, there := look(d.State)
		switch {
		case known && there:
			return holed, nil
		case time.Since(began) > caughtUpWithin:
			return holed, nil
		case !sleep(ctx, 50*time.Millisecond):
			return 0, ctx.Err()
		}
	}
}

// missing counts the entries that are not there, of a replica that has n from first to last.
func missing(n, first, last uint64) uint64 {
	if n == 0 {
		return 0
	}
	return last - first + 1 - min(n, last-first+1)
}

// refill has this node's replica fetched anew, if another node leads with a whole one, and reports whether it has begun to. If this node
// leads, another one is to. A replica is not set aside where none is whole: all of them together may have all entries.
func (l *Log) refill(ctx context.Context, info *jetstream.StreamInfo, holed uint64) (begun bool, err error) {
	switch {
	case info.Cluster == nil || info.Cluster.Leader == "":
		return false, nil
	case info.Cluster.Leader == l.c.Cluster.Node:
		return false, l.yield(ctx, info.Config.Name)
	case missing(info.State.Msgs, info.State.FirstSeq, info.State.LastSeq) > 0:
		return false, nil
	}
	return true, l.mend(info.Config.Name, holed)
}

// yield lets another node lead a stream. Where none can, this one leads again.
func (l *Log) yield(ctx context.Context, stream string) error {
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	_, err := l.nc.RequestWithContext(short, "$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil)
	if err != nil && ctx.Err() == nil {
		return l.damaged("this replica has a hole, and no other node can lead: %v", err)
	}
	return err
}

// mend sets this node's replica of a stream aside and has the engine fetch it anew. Another node leads.
func (l *Log) mend(stream string, holed uint64) error {
	aside := l.holedAt()
	if exists(aside) { // of a try that was cut off; it may have more than there is now
		aside = fmt.Sprintf("%s-%d", aside, time.Now().UnixNano())
	}
	l.log.Error("this replica of the journal has a hole: it is fetched from the other control nodes", "dir", l.c.Dir, "stream", stream, "missing", holed, "kept meanwhile", aside)
	l.waits(fmt.Sprintf("its replica has a hole of %d entries, and is fetched from the others", holed))
	return l.restart(func() error {
		if err := os.Rename(l.entriesOf(stream), aside); err != nil {
			return err
		}
		return errors.Join(syncFile(l.c.Dir), syncFile(filepath.Dir(l.entriesOf(stream))))
	})
}

// dropHoled removes what was set aside, once the replica is whole and goes up to last.
func (l *Log) dropHoled(last uint64) {
	aside, err := filepath.Glob(l.holedAt() + "*")
	if s, known := l.own(); len(aside) == 0 || !known || missing(s.Msgs, s.FirstSeq, s.LastSeq) > 0 || s.LastSeq < last {
		return // the next start looks again
	}
	if sh := l.slots.shape(); sh.kept != "" {
		if d, known := l.ownStream(sh.kept); !known || d.State.Msgs != sh.base-sh.first {
			return
		}
	}
	for _, dir := range aside {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		l.log.Warn("a replica with a hole, which has been mended, cannot be removed", "dir", l.holedAt(), "err", err)
	}
}

// refillKept is refill for what was kept.
func (l *Log) refillKept(ctx context.Context, k keptStream) (holed uint64, begun bool, err error) {
	if holed, err = l.keptHoles(ctx, k); err != nil || holed == 0 {
		return holed, false, err
	}
	s, err := l.js.Stream(ctx, k.name)
	if err != nil {
		return holed, false, l.wrap("read", err)
	}
	info := s.CachedInfo()
	if leads, ok := l.c.keptOf(info); info.Cluster != nil && info.Cluster.Leader != l.c.Cluster.Node && (!ok || !leads.whole) {
		return holed, false, nil // nor is that of who leads
	}
	begun, err = l.refill(ctx, info, holed)
	return holed, begun, err
}
