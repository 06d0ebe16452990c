package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

const (
	readTimeout = 10 * time.Second // for callers whose context has no deadline
	maxBatch    = 4096             // entries per request
	batchBytes  = 2 << 20          // after which the engine ends a batch
)

// batchRequest asks the engine for entries without any state there.
type batchRequest struct {
	Seq      uint64 `json:"seq"`
	Batch    int    `json:"batch"`
	MaxBytes int    `json:"max_bytes"`
	Bare     bool   `json:"no_hdr,omitempty"`
}

// Read implements journal.Log.
func (l *Log) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	if l.closed.Load() {
		return nil, journal.ErrClosed
	}
	if max <= 0 {
		return nil, nil
	}
	var entries []*journal.Entry
	err := l.steady(func(s *shape) error {
		slot, err := l.slotOf(ctx, s, from)
		if err != nil {
			return err
		}
		l.watched.Load().noted(slot)
		entries, err = l.readShape(ctx, s, slot, max)
		if n := len(entries); n > 0 {
			s.passed(entries[n-1], slot+uint64(n)-1)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if n := len(entries); n > 0 {
		l.witnesses(entries[n-1])
	}
	return entries, nil
}

// readStored is Read for who passes entries on as they are stored: it looks at their numbers alone.
func (l *Log) readStored(ctx context.Context, from uint64, max int) ([][]byte, error) {
	if l.closed.Load() {
		return nil, journal.ErrClosed
	}
	if max <= 0 {
		return nil, nil
	}
	var all [][]byte
	err := l.steady(func(s *shape) error {
		slot, err := l.slotOf(ctx, s, from)
		if err != nil {
			return err
		}
		l.watched.Load().noted(slot)
		if all, err = l.readBatch(ctx, s, slot, max); err != nil {
			return err
		}
		if n := len(all); n > 0 && slot+uint64(n)-1 < s.base {
			last, err := l.decode(all[n-1], slot+uint64(n)-1)
			if err != nil {
				return err
			}
			s.passed(last, slot+uint64(n)-1)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// readSlots is Read by slots. With an error it also returns the entries before it.
func (l *Log) readSlots(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	return l.readShape(ctx, l.slots.shape(), from, max)
}

func (l *Log) readShape(ctx context.Context, s *shape, from uint64, max int) ([]*journal.Entry, error) {
	from = atLeastOne(from)
	all, err := l.readBatch(ctx, s, from, max)
	entries := make([]*journal.Entry, 0, len(all))
	for i, b := range all {
		e, err := l.decode(b, from+uint64(i))
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
	return entries, err
}

func atLeastOne(slot uint64) uint64 { return max(slot, 1) }

// readBatch returns what is stored from a slot on. With an error it also returns what is before it.
func (l *Log) readBatch(ctx context.Context, s *shape, from uint64, max int) ([][]byte, error) {
	from = atLeastOne(from)
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	if s.kept != "" && from < s.base {
		return l.readKept(ctx, s, from, min(max, maxBatch))
	}
	if l.MayLag() {
		return l.readReplica(ctx, s, from, max)
	}
	all, left, err := l.batch(ctx, from, min(max, maxBatch), s.telling(from))
	if err == nil && left && len(all) < min(max, 2) {
		// The engine ends a batch, without a word, before an entry that it cannot read.
		err = l.nothingAt(ctx, s, from+uint64(len(all)))
	}
	return all, err
}

// batch asks for what is in n slots and receives it, up to the mark that ends it. left is the engine's opinion
// whether there are more.
func (l *Log) batch(ctx context.Context, from uint64, n int, bare bool) (all [][]byte, left bool, err error) {
	return l.batchOf(ctx, 0, directGets+l.c.names().stream, from, n, bare)
}

// wanted is what a batch is asked for; two that are equal have the same answer.
type wanted struct {
	subject string
	from    uint64
	n       int
	bare    bool
}

// received is the answer, as far as it has come.
type received struct {
	all  [][]byte
	left bool
}

// What is read from the engine at once (L9), in all and for edges on other machines. All of it comes over one connection: with hundreds under way, as of
// hundreds of edges that start, each would take as long as all of them, and all would be given up.
const (
	mostBatches   = 32
	mostDeskReads = 16
)

// batchOf is batch of the stream that is asked on a subject, within some time from when it is; 0: within ctx's. Who wants the same meanwhile
// gets the same.
func (l *Log) batchOf(ctx context.Context, within time.Duration, subject string, from uint64, n int, bare bool) ([][]byte, bool, error) {
	r, err := l.reading.do(ctx, wanted{subject, from, n, bare}, l.batches.enter, func(ctx context.Context) (r received, err error) {
		defer l.batches.leave()
		if within > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, within)
			defer cancel()
		}
		r.all, r.left, err = l.receive(ctx, subject, from, n, bare)
		r.all = slices.Clip(r.all)
		return r, err
	})
	if err != nil && err == ctx.Err() { // nobody has asked
		err = l.wrap("read", err)
	}
	return r.all, r.left, err
}

// receive asks on a subject, and waits for all of the answer.
func (l *Log) receive(ctx context.Context, subject string, from uint64, n int, bare bool) (all [][]byte, left bool, err error) {
	inbox := l.engine.nc.NewInbox()
	answer, err := l.answerTo(inbox)
	if err != nil {
		return nil, false, l.wrap("read", err)
	}
	defer answer.end()
	ask, err := json.Marshal(batchRequest{from, n, batchBytes, bare})
	if err != nil {
		return nil, false, err
	}
	if err := l.engine.nc.PublishRequest(subject, inbox, ask); err != nil {
		return nil, false, l.wrap("read", err)
	}
	for next := from; ; next++ {
		m, err := answer.next(ctx)
		if err != nil {
			return all, false, l.wrap("read", err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // end of batch
			return all, m.Header.Get("Nats-Num-Pending") != "0", nil
		case "404": // nothing there, or unreadable
			return nil, true, nil
		default:
			return all, false, l.wrap("read", fmt.Errorf("status %s %s", status, m.Header.Get("Description")))
		}
		if err := l.in(m, next, bare); err != nil {
			return all, true, err
		}
		all = append(all, m.Data)
	}
}

// in checks that a message is what is in a slot: the engine steps over what it cannot read.
func (l *Log) in(m *nats.Msg, slot uint64, bare bool) error {
	if !bare {
		if stored := m.Header.Get("Nats-Sequence"); stored != strconv.FormatUint(slot, 10) {
			return l.damaged("entry %d is missing, the next is %s", slot, stored)
		}
		return nil
	}
	seq, err := journal.SeqOf(m.Data)
	if err != nil {
		return l.damaged("entry %d: %v", slot, err)
	}
	if seq != slot {
		return l.damaged("entry %d is missing, or in another's slot: entry %d is there", slot, seq)
	}
	return nil
}

// decode reads what is in a slot.
func (l *Log) decode(b []byte, slot uint64) (*journal.Entry, error) {
	e, err := journal.Decode(b)
	if err != nil {
		return nil, l.damaged("entry %d: %v", slot, err)
	}
	if !fitsSlot(e, slot) {
		return nil, l.damaged("entry %d is in the slot of entry %d", e.Seq, slot)
	}
	return e, nil
}

// nothingAt tells the end of the log from an entry that cannot be read: the engine answers both alike.
func (l *Log) nothingAt(ctx context.Context, sh *shape, seq uint64) error {
	s, err := l.js.Stream(ctx, l.c.names().stream)
	if err != nil {
		return l.wrap("read", err)
	}
	last := s.CachedInfo().State.LastSeq
	if seq > last {
		return nil
	}
	// It may have been appended in between: asked again, it must be there.
	all, _, err := l.batch(ctx, seq, 1, sh.telling(seq))
	if err == nil && len(all) == 0 {
		err = l.damaged("entry %d of %d cannot be read", seq, last)
	}
	return err
}
