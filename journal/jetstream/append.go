package jetstream

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// appendTimeout is for callers whose context has no deadline.
const appendTimeout = 10 * time.Second

// pubAck is the engine's answer to an append.
type pubAck struct {
	Error  *jetstream.APIError `json:"error"`
	Stream string              `json:"stream"`
	Seq    uint64              `json:"seq"`
}

// Append implements journal.Log. It returns nil when the entry is synced to disk.
func (l *Log) Append(ctx context.Context, e *journal.Entry) error {
	if l.closed.Load() {
		return journal.ErrClosed
	}
	if err := l.continues(ctx, e); err != nil {
		return err
	}
	return l.appendAt(ctx, e.Seq, e)
}

// appendAt appends to a slot whatever is before it.
func (l *Log) appendAt(ctx context.Context, slot uint64, e *journal.Entry) error {
	b, err := journal.Encode(e)
	if err != nil {
		return err
	}
	if l.closed.Load() {
		return journal.ErrClosed
	}
	if err := l.stopped.Load(); err != nil {
		return *err
	}
	if err := l.room(); err != nil {
		return err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, appendTimeout)
		defer cancel()
	}
	m := l.message(slot, b)
	if err := l.sign(m); err != nil {
		return err
	}
	r, err := l.engine.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		l.ailing() // for the next append; this one is in doubt
		return l.wrap("append", err)
	}
	var ack pubAck
	if err := json.Unmarshal(r.Data, &ack); err != nil {
		return l.wrap("append", err)
	}
	if ack.Error != nil {
		return l.refused(e, ack.Error)
	}
	if ack.Stream != l.c.names().stream || ack.Seq != slot {
		return fmt.Errorf("journal: append of entry %d was confirmed as %d of %q", e.Seq, ack.Seq, ack.Stream)
	}
	l.known.atLeast(e.Seq)
	if err := l.head.note(journal.PositionOf(e)); err != nil {
		l.log.Warn("journal head not written", "err", err) // a weaker witness, not a lost entry
	}
	return nil
}

// message is an append: stored if the log ends before the slot.
func message(slot uint64, encoded []byte) *nats.Msg {
	m := nats.NewMsg(logSubject)
	m.Header.Set(jetstream.ExpectedLastSeqHeader, strconv.FormatUint(slot-1, 10))
	m.Data = encoded
	return m
}

// message is the same for this log's stream.
func (l *Log) message(slot uint64, encoded []byte) *nats.Msg {
	m := message(slot, encoded)
	m.Subject = l.c.names().log
	return m
}

// sign signs an append, for those to whom relays bring it.
func (l *Log) sign(m *nats.Msg) error {
	if l.guard == nil || l.guard.c.Sign == nil {
		return nil
	}
	signature, err := l.guard.c.Sign(m.Data)
	if err != nil {
		return fmt.Errorf("journal: append: %w", err)
	}
	m.Header.Set(signatureHeader, base64.StdEncoding.EncodeToString(signature))
	return nil
}

// refused translates the engine's no.
func (l *Log) refused(e *journal.Entry, err *jetstream.APIError) error {
	if full(err) {
		return fmt.Errorf("%w: NATS says: %s. Nothing is lost, and no restart is needed", journal.ErrFull, err.Description)
	}
	if err.ErrorCode != jetstream.JSErrCodeStreamWrongLastSequence {
		return l.wrap("append", err)
	}
	// "wrong last sequence: 17". A log that is too short is not a taken slot.
	_, tail, _ := strings.Cut(err.Description, ": ")
	if last, perr := strconv.ParseUint(tail, 10, 64); perr == nil && last < e.Seq {
		return fmt.Errorf("%w: the log ends with entry %d, entry %d was to follow", journal.ErrBroken, last, e.Seq)
	}
	return journal.ErrSlotTaken
}

// room refuses while the disk is nearly full. The engine itself stops at the first write that fails, and
// stays stopped until a restart (Halted); refusing before needs only space to go on.
func (l *Log) room() error {
	if l.c.External != nil {
		return nil // the disks are NATS's
	}
	n, err := free(l.c.Dir)
	if err != nil {
		return l.wrap("append", err)
	}
	if n < l.c.Reserve {
		return fmt.Errorf("%w: %d MiB free in %s, %d must stay free. Make room; nothing is lost, and no restart is needed", journal.ErrFull, n>>20, l.c.Dir, l.c.Reserve>>20)
	}
	return nil
}
