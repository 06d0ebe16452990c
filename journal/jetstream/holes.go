package jetstream

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A replica with a hole. When the engine finds entries that it cannot read, it goes on behind them: with those that its own log of
// appends still has. It never asks the others for what is missing in between. Nobody notices as long as another node leads;
// when this one does, the log has a hole for all. So each node looks at its own replica before it serves. One with a hole is set aside, and the engine
// fetches all of it from the others. Its log of appends and its votes stay: what this node had confirmed it goes on confirming.

// maxMended is how often a start does that before it gives up; the files are then as the last try has left them.
const maxMended = 3

// caughtUpWithin is how long a replica may take to get what the others have, before it is looked at as it is.
const caughtUpWithin = 10 * time.Second

// entriesOf is where the engine has the entries of a replica.
func (l *Log) entriesOf() string {
	return filepath.Join(l.store(), "$G", "streams", streamName, "msgs")
}

// holedAt is where a replica with a hole is kept until it has been mended.
func (l *Log) holedAt() string { return l.c.path("holed") }

// own is what this node's replica holds; known is false while the engine has none.
func (l *Log) own() (s server.StreamState, known bool) {
	z, err := l.srv.Jsz(&server.JSzOptions{Streams: true})
	if err != nil {
		return s, false
	}
	for _, a := range z.AccountDetails {
		for _, d := range a.Streams {
			if d.Name == streamName {
				return d.State, true
			}
		}
	}
	return s, false
}

// catchUp waits until this node's replica goes as far as the log does, or for caughtUpWithin, and returns how many entries are missing in it.
func (l *Log) catchUp(ctx context.Context, last uint64) (holed uint64, err error) {
	for began := time.Now(); ; {
		s, known := l.own()
		if n := missing(s); known && n > 0 {
			return n, nil
		}
		if known && s.LastSeq >= last || time.Since(began) > caughtUpWithin {
			return 0, nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return 0, ctx.Err()
		}
	}
}

// missing counts the entries that are not there.
func missing(s server.StreamState) uint64 {
	if s.Msgs == 0 {
		return 0
	}
	return s.LastSeq - s.FirstSeq + 1 - min(s.Msgs, s.LastSeq-s.FirstSeq+1)
}

// mend sets this node's replica aside and has the engine fetch it anew. Another node leads meanwhile.
func (l *Log) mend(holed uint64) error {
	l.log.Error("this replica of the journal has a hole: it is fetched from the other control nodes", "dir", l.c.Dir, "missing", holed)
	l.waits(fmt.Sprintf("its replica has a hole of %d entries, and is fetched from the others", holed))
	return l.restart(func() error {
		if err := os.RemoveAll(l.holedAt()); err != nil {
			return err
		}
		if err := os.Rename(l.entriesOf(), l.holedAt()); err != nil {
			return err
		}
		return syncFile(filepath.Dir(l.entriesOf()))
	})
}

// dropHoled removes what was set aside: the replica is whole.
func (l *Log) dropHoled() {
	if err := os.RemoveAll(l.holedAt()); err != nil {
		l.log.Warn("a replica with a hole, which has been mended, cannot be removed", "dir", l.holedAt(), "err", err)
	}
}
