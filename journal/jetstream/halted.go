package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// haltedBeat is how often it is looked whether the engine still writes.
const haltedBeat = time.Second

// Halted waits until the engine has stopped to write, which it does for good when its disk is quite full, and there is room again. Only a
// restart mends that then, and until it comes a cluster has one node less than it seems. The error is an ErrStopped; nil when ctx ends.
// The disks of an external NATS are not watched.
func (l *Log) Halted(ctx context.Context) error {
	beat := time.NewTicker(haltedBeat)
	defer beat.Stop()
	for told := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		if !l.halted() {
			continue
		}
		if err := l.room(); err == nil {
			return fmt.Errorf("%w: its disk was full, and there is room again in %s: started again, it goes on; what was confirmed is safe", journal.ErrStopped, l.c.Dir)
		} else if !told {
			l.c.Logger.Error("the journal's engine has stopped to write, and this node does not count for the others: make room, then it ends, to be started again", "error", err)
			told = true
		}
	}
}

// halted tells whether the engine has stopped to write for good.
func (l *Log) halted() bool {
	switch {
	case l.c.External != nil || l.closed.Load():
		return false
	case l.c.Cluster != nil:
		return !l.srv.JetStreamEnabled()
	}
	return errors.Is(l.ailing(), journal.ErrStopped)
}
