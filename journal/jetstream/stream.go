package jetstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// The names of shard 0, the only one so far.
const (
	streamName  = "WARMFRONT_0"
	logSubject  = "warmfront.log.0"
	pushSubject = "warmfront.push.0" // RePublish: the live pushes
	ackPrefix   = "warmfront.ack.0." // and the edge's name
	probe       = "warmfront.probe.0"
	directGet   = "$JS.API.DIRECT.GET." + streamName
)

// streamConfig is the stream, with the defaults that the engine fills in written out: what it runs with
// must be equal to this.
//
// There is no MaxAge: entries may only be forgotten once there are snapshots to begin from, and there are
// none yet. Nothing else may make a hole either: no deletes, no purge, no per-message TTL, no rollup, no
// limit. Should a limit ever be set, a full log refuses instead of forgetting.
func streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        streamName,
		Subjects:    []string{logSubject},
		Storage:     jetstream.FileStorage,
		Replicas:    1,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		DenyDelete:  true,
		DenyPurge:   true,
		AllowDirect: true,
		Compression: jetstream.S2Compression,
		RePublish:   &jetstream.RePublish{Source: logSubject, Destination: pushSubject},

		MaxConsumers:      -1,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgsPerSubject: -1,
		MaxMsgSize:        maxPayload,
		Duplicates:        2 * time.Minute, // the engine's least; unused, since no entry has a message id
	}
}

// openStream finds or makes the stream, and checks it.
func (l *Log) openStream(ctx context.Context) error {
	s, err := l.js.Stream(ctx, streamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := errors.Join(l.mayBegin(), l.mayCreate()); err != nil {
			return err
		}
		s, err = l.js.CreateStream(ctx, streamConfig())
	}
	if err != nil {
		return fmt.Errorf("%w: stream: %w", ErrEngine, err)
	}
	info := s.CachedInfo()
	if diff := differences(streamConfig(), info.Config); diff != "" {
		return fmt.Errorf("%w: the stream differs from what this version needs: %s. Was it changed by hand, or made by another version?", ErrConfig, diff)
	}
	if info.State.LastSeq == 0 {
		if err := l.mayBegin(); err != nil {
			return err
		}
		return l.begin(ctx)
	}
	return l.verify(ctx, info.State)
}

// mayBegin refuses to begin a new log where there was one.
func (l *Log) mayBegin() error {
	if last := l.head.last(); last.Seq > 0 && !l.c.AcceptLoss {
		return l.lost("the store is empty, entry %d was confirmed", last.Seq)
	}
	return nil
}

// mayCreate refuses to make a stream where there is one. The engine leaves out a stream whose files it
// cannot read as if it had never been, and would make the new one on top of them.
func (l *Log) mayCreate() error {
	store := filepath.Join(l.c.Dir, "jetstream")
	if _, err := os.Stat(filepath.Join(store, "$G", "streams", streamName, "meta.inf")); err != nil {
		return nil
	}
	if !l.c.AcceptLoss {
		return l.lost("the engine cannot read the store (see its errors in the log)")
	}
	aside := fmt.Sprintf("%s.unreadable-%d", store, time.Now().Unix())
	l.log.Error("journal store set aside, as told", "to", aside)
	return l.restart(func() error { return os.Rename(store, aside) })
}

// begin writes the genesis.
func (l *Log) begin(ctx context.Context) error {
	e := journal.Genesis(time.Now())
	l.head.forget()
	if err := l.Append(ctx, e); err != nil {
		return fmt.Errorf("journal: genesis: %w", err)
	}
	l.epoch = e.Epoch
	l.log.Info("journal begun", "dir", l.c.Dir, "epoch", e.Epoch)
	return nil
}

// verify checks that the log has no hole, that its ends are of one life, and that it still has what was
// confirmed. The chain in between is checked by whoever reads it.
func (l *Log) verify(ctx context.Context, s jetstream.StreamState) error {
	if s.FirstSeq != 1 || s.NumDeleted != 0 || s.Msgs != s.LastSeq {
		return fmt.Errorf("%w: %d of the entries %d to %d are there. %s", journal.ErrDamaged, s.Msgs, s.FirstSeq, s.LastSeq, restore)
	}
	first, err := l.one(ctx, 1)
	if err != nil {
		return err
	}
	if first.Prev != "" {
		return fmt.Errorf("%w: entry 1 is not a genesis. %s", journal.ErrDamaged, restore)
	}
	l.epoch = first.Epoch
	last := first
	for _, seq := range []uint64{s.LastSeq - 1, s.LastSeq} {
		if seq <= 1 {
			continue
		}
		e, err := l.one(ctx, seq)
		if err != nil {
			return err
		}
		if e.Epoch != l.epoch || e.Seq != last.Seq+1 && seq == s.LastSeq || seq == s.LastSeq && e.Prev != last.ID {
			return fmt.Errorf("%w: entry %d does not continue the chain. %s", journal.ErrDamaged, seq, restore)
		}
		last = e
	}
	if err := l.witness(ctx, s.LastSeq); err != nil {
		if !l.c.AcceptLoss {
			return err
		}
		l.log.Error("journal opened in spite of loss, as told", "reason", err)
		l.head.forget()
	}
	l.head.note(journal.PositionOf(last))
	l.log.Info("journal opened", "dir", l.c.Dir, "last", s.LastSeq, "epoch", l.epoch)
	return nil
}

// witness compares the log to the last confirmed entry.
func (l *Log) witness(ctx context.Context, last uint64) error {
	w := l.head.last()
	switch {
	case w.Seq == 0:
		return nil
	case w.Epoch != l.epoch:
		return l.lost("this is the log of epoch %.8s, entry %d of epoch %.8s was confirmed", l.epoch, w.Seq, w.Epoch)
	case w.Seq > last:
		return l.lost("the log ends with entry %d, entry %d was confirmed", last, w.Seq)
	}
	e, err := l.one(ctx, w.Seq)
	if err != nil {
		return err
	}
	if e.ID != w.ID {
		return l.lost("entry %d is %.8s, %.8s was confirmed", w.Seq, e.ID, w.ID)
	}
	return nil
}

const restore = "Restore the journal's directory from a backup."

func (l *Log) lost(format string, args ...any) error {
	return fmt.Errorf("%w: %s. The store in %s was damaged, rolled back or replaced. Restore it from a backup, or open it with AcceptLoss to go on without what is gone",
		ErrLost, fmt.Sprintf(format, args...), l.c.Dir)
}

// one reads a single entry that must be there.
func (l *Log) one(ctx context.Context, seq uint64) (*journal.Entry, error) {
	entries, err := l.Read(ctx, seq, 1)
	if err != nil {
		return nil, fmt.Errorf("%w. %s", err, restore)
	}
	if len(entries) != 1 {
		return nil, fmt.Errorf("%w: entry %d cannot be read. %s", journal.ErrDamaged, seq, restore)
	}
	return entries[0], nil
}

// differences names the fields in which the engine's config is not ours.
func differences(want, got jetstream.StreamConfig) string {
	got.Metadata = nil // the engine's remarks about itself
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	var diff []string
	for i := range w.NumField() {
		a, b := w.Field(i).Interface(), g.Field(i).Interface()
		if !reflect.DeepEqual(a, b) {
			diff = append(diff, fmt.Sprintf("%s is %v, not %v", w.Type().Field(i).Name, b, a))
		}
	}
	return strings.Join(diff, ", ")
}
