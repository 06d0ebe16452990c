package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// MayLag reports whether a read may end before the log does: any replica answers it. End, or an append, tells.
func (l *Log) MayLag() bool { return l.c.Cluster != nil || l.c.External != nil }

var _ journal.Laggard = (*Log)(nil)

// tryEnd is how long one question for the end waits: while nobody leads, nobody answers.
const tryEnd = time.Second

// End implements journal.Laggard. It is the leader of the stream who says it, and confirms nothing that it does not count. One that was cut off from
// the others and has not noticed yet may say less; see Quorum for how long that is.
func (l *Log) End(ctx context.Context) (uint64, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	for {
		if l.closed.Load() {
			return 0, journal.ErrClosed
		}
		end, err := l.askEnd(ctx)
		if err == nil {
			l.known.atLeast(end)
			return end, nil
		}
		if !pause(ctx) {
			return 0, l.wrap("end", fmt.Errorf("who leads the log has not said how far it goes: %w", err))
		}
	}
}

func (l *Log) askEnd(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, tryEnd)
	defer cancel()
	m, err := l.engine.nc.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+l.c.names().stream, nil)
	if err != nil {
		return 0, err
	}
	return endOf(m.Data)
}

// endOf reads the engine's answer.
func endOf(answer []byte) (uint64, error) {
	var a struct {
		Error *jetstream.APIError `json:"error"`
		State *struct {
			Last uint64 `json:"last_seq"`
		} `json:"state"`
		Cluster *jetstream.ClusterInfo `json:"cluster"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return 0, err
	}
	switch {
	case a.Error != nil:
		return 0, a.Error
	case a.State == nil || a.State.Last == 0:
		return 0, fmt.Errorf("the engine's answer says nothing: %.200s", answer)
	}
	return a.State.Last, saidByLeader(a.Cluster)
}

// saidByLeader tells whether who has answered for the stream leads it. A replica that has been without a leader for some seconds answers, too, with what itself
// has: it names nobody, or one of the others.
func saidByLeader(c *jetstream.ClusterInfo) error {
	switch {
	case c == nil: // there is one server
		return nil
	case c.Leader == "":
		return errors.New("the replica that answers knows nobody who leads")
	}
	for _, r := range c.Replicas { // but who answers
		if r.Name == c.Leader {
			return fmt.Errorf("a replica answers, and not %s, which leads", r.Name)
		}
	}
	return nil
}
