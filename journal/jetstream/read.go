package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
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

// Read implements journal.Log.
func (l *Log) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	entries, err := l.read(ctx, from, max)
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// read is Read, but with an error it also returns the entries before it.
func (l *Log) read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	if l.closed.Load() {
		return nil, journal.ErrClosed
	}
	if max <= 0 {
		return nil, nil
	}
	slot, err := l.slotOf(ctx, from)
	if err != nil {
		return nil, err
	}
	entries, err := l.readSlots(ctx, slot, max)
	l.slots.passed(entries, slot)
	return entries, err
}

// readSlots is read by slots.
func (l *Log) readSlots(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	if from == 0 {
		from = 1
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	if l.c.Cluster != nil {
		return l.readReplica(ctx, from, max)
	}
	entries, left, err := l.batch(ctx, from, min(max, maxBatch))
	if err == nil && left && len(entries) < min(max, 2) {
		// The engine ends a batch, without a word, before an entry that it cannot read.
		err = l.nothingAt(ctx, from+uint64(len(entries)))
	}
	return entries, err
}

// batch asks for n entries and receives them, up to the mark that ends them. left is the engine's opinion
// whether there are more.
func (l *Log) batch(ctx context.Context, from uint64, n int) (entries []*journal.Entry, left bool, err error) {
	inbox := l.nc.NewInbox()
	sub, err := l.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, false, l.wrap("read", err)
	}
	defer sub.Unsubscribe()
	ask, err := json.Marshal(batchRequest{from, n, batchBytes})
	if err != nil {
		return nil, false, err
	}
	if err := l.nc.PublishRequest(directGet, inbox, ask); err != nil {
		return nil, false, l.wrap("read", err)
	}
	for next := from; ; next++ {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return entries, false, l.wrap("read", err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // end of batch
			return entries, m.Header.Get("Nats-Num-Pending") != "0", nil
		case "404": // nothing there, or unreadable
			return nil, true, nil
		default:
			return entries, false, l.wrap("read", fmt.Errorf("status %s %s", status, m.Header.Get("Description")))
		}
		e, err := l.decode(m, next)
		if err != nil {
			return entries, true, err
		}
		entries = append(entries, e)
	}
}

// decode reads what is in a slot from a message. The engine steps over what it cannot read.
func (l *Log) decode(m *nats.Msg, slot uint64) (*journal.Entry, error) {
	if stored := m.Header.Get("Nats-Sequence"); stored != strconv.FormatUint(slot, 10) {
		return nil, l.damaged("entry %d is missing, the next is %s", slot, stored)
	}
	e, err := journal.Decode(m.Data)
	if err != nil {
		return nil, l.damaged("entry %d: %v", slot, err)
	}
	if !fitsSlot(e, slot) {
		return nil, l.damaged("entry %d is in the slot of entry %d", e.Seq, slot)
	}
	return e, nil
}

// nothingAt tells the end of the log from an entry that cannot be read: the engine answers both alike.
func (l *Log) nothingAt(ctx context.Context, seq uint64) error {
	s, err := l.js.Stream(ctx, streamName)
	if err != nil {
		return l.wrap("read", err)
	}
	last := s.CachedInfo().State.LastSeq
	if seq > last {
		return nil
	}
	// It may have been appended in between: asked again, it must be there.
	entries, _, err := l.batch(ctx, seq, 1)
	if err == nil && len(entries) == 0 {
		err = l.damaged("entry %d of %d cannot be read", seq, last)
	}
	return err
}
