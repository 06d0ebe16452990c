package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

const (
	readTimeout = 10 * time.Second // for callers whose context has no deadline
	maxBatch    = 1024             // entries per request
	batchBytes  = 8 << 20          // after which the engine ends a batch
)

// batchRequest asks the engine for entries without any state there.
type batchRequest struct {
	Seq      uint64 `json:"seq"`
	Batch    int    `json:"batch"`
	MaxBytes int    `json:"max_bytes"`
}

// Read implements journal.Log. It may return fewer than max.
func (l *Log) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	if l.closed.Load() {
		return nil, journal.ErrClosed
	}
	if max <= 0 {
		return nil, nil
	}
	if from == 0 {
		from = 1
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	inbox := l.nc.NewInbox()
	sub, err := l.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, l.wrap("read", err)
	}
	defer sub.Unsubscribe()
	ask, err := json.Marshal(batchRequest{from, min(max, maxBatch), batchBytes})
	if err != nil {
		return nil, err
	}
	if err := l.nc.PublishRequest(directGet, inbox, ask); err != nil {
		return nil, l.wrap("read", err)
	}
	return l.batch(ctx, sub, from)
}

// batch receives the answers up to the mark that ends them.
func (l *Log) batch(ctx context.Context, sub *nats.Subscription, from uint64) ([]*journal.Entry, error) {
	var entries []*journal.Entry
	for next := from; ; next++ {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, l.wrap("read", err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // end of batch
			return entries, nil
		case "404":
			return nil, l.nothingAt(ctx, from)
		default:
			return nil, l.wrap("read", fmt.Errorf("status %s %s", status, m.Header.Get("Description")))
		}
		e, err := journal.Decode(m.Data)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", next, err)
		}
		// The engine steps over what it cannot read.
		if stored := m.Header.Get("Nats-Sequence"); e.Seq != next || stored != fmt.Sprint(next) {
			return nil, fmt.Errorf("%w: entry %d is missing, the store has %d as %s there", journal.ErrDamaged, next, e.Seq, stored)
		}
		entries = append(entries, e)
	}
}

// nothingAt tells the end of the log, where there is nothing yet, from an entry that cannot be read: the
// engine answers both alike.
func (l *Log) nothingAt(ctx context.Context, seq uint64) error {
	s, err := l.js.Stream(ctx, streamName)
	if err != nil {
		return l.wrap("read", err)
	}
	if last := s.CachedInfo().State.LastSeq; seq <= last {
		return fmt.Errorf("%w: entry %d of %d", journal.ErrDamaged, seq, last)
	}
	return nil
}
