package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// The engine's compare-and-swap goes by numbers. One that was meant for the log as it was fits the log that is in its place, if that
// ends with the same number: replicas that were put back from old copies elect each other, and have gone on since.
//
// What the engine could compare besides, the id of the last message, its replicas do not: one that has caught up from another knows no
// such id, refuses what the others store, and differs from them ever after. So the entry that is to be continued is looked at before.
// Who leads the stream answers, who is also the one who compares the number. For another entry to come between the two, confirmed entries
// must be lost and the same number of others be appended, after an election, while a message is on its way.

// continues returns ErrBroken if the log has another entry before the slot of e than the one that e continues, or none.
func (l *Log) continues(ctx context.Context, e *journal.Entry) error {
	if e.Seq <= 1 {
		return nil // the genesis
	}
	last := e.Seq - 1
	if !l.MayLag() {
		switch confirmed := l.head.last(); { // nobody else writes
		case confirmed.Seq > last:
			return nil // the engine knows it, too
		case confirmed.Seq == last:
			return continues(e, confirmed.ID)
		}
	}
	before, err := l.askEntry(ctx, last)
	if errors.Is(err, journal.ErrBroken) {
		// It may have been compacted: then the log goes on behind it, and the slot of e is taken.
		if end, asked := l.askEnd(ctx); asked == nil && end > last {
			return nil
		}
	}
	switch {
	case err != nil:
		return err
	case before.Seq != last || before.Base > 0:
		return nil // all before e was compacted, which has kept something else in its slot
	}
	return continues(e, before.ID)
}

func continues(e *journal.Entry, id journal.ID) error {
	if e.Prev != id {
		return fmt.Errorf("%w: entry %d is %.8s, the next one was to follow %.8s", journal.ErrBroken, e.Seq-1, id, e.Prev)
	}
	return nil
}

// askEntry asks who leads for what is in a slot.
func (l *Log) askEntry(ctx context.Context, slot uint64) (*journal.Entry, error) {
	b, err := l.askStored(ctx, l.c.names().stream, slot)
	if err != nil {
		return nil, err
	}
	return l.decode(b, slot)
}

// askStored asks who leads a stream for what is stored in a slot.
func (l *Log) askStored(ctx context.Context, stream string, slot uint64) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	m, err := l.engine.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, fmt.Appendf(nil, `{"seq":%d}`, slot))
	if err != nil {
		return nil, l.wrap("append", err)
	}
	var a struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Data []byte `json:"data"`
		} `json:"message"`
	}
	switch err := json.Unmarshal(m.Data, &a); {
	case err != nil:
		return nil, l.wrap("append", err)
	case a.Error != nil && a.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, fmt.Errorf("%w: the log ends before entry %d", journal.ErrBroken, slot)
	case a.Error != nil:
		return nil, l.wrap("append", a.Error)
	case a.Message == nil:
		return nil, l.wrap("append", errors.New("the engine's answer says nothing"))
	}
	return a.Message.Data, nil
}
