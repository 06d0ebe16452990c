package jetstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// openStream finds or makes the stream, and checks it.
func (l *Log) openStream(ctx context.Context) error {
	switch {
	case l.c.Cluster != nil:
		return l.openStreamReplica(ctx)
	case l.c.External != nil:
		return l.openStreamExternal(ctx)
	}
	s, err := l.js.Stream(ctx, streamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := l.mayCreate(); err != nil {
			return err
		}
		s, err = l.js.CreateStream(ctx, streamConfig(1, max(l.c.first, 1)))
	}
	if err != nil {
		return fmt.Errorf("%w: stream: %w", ErrEngine, err)
	}
	info := s.CachedInfo()
	if diff := differences(streamConfig(1, 1), info.Config); diff != "" {
		return fmt.Errorf("%w: the stream differs from what this version needs: %s. Was it changed by hand, or made by another version?", ErrConfig, diff)
	}
	if l.c.bulk {
		return nil
	}
	kept, found, err := l.findKept(ctx, info.State)
	if info.State.Msgs == 0 && info.State.LastSeq == 0 && !found && err == nil {
		if err := l.mayBegin(); err != nil {
			return err
		}
		return l.begin(ctx)
	}
	if err == nil && found {
		err = l.settleKept(ctx, s, kept)
	}
	if err == nil {
		err = l.verify(ctx, s.CachedInfo().State)
	}
	if l.c.AcceptLoss {
		return l.accept(ctx, err)
	}
	if err != nil {
		return err
	}
	return l.dropKept(ctx)
}

// mayBegin refuses to begin a new log where there was one.
func (l *Log) mayBegin() error {
	if last := l.head.last(); last.Seq > 0 && !l.c.AcceptLoss {
		return l.lost("the store is empty, entry %d was confirmed", last.Seq)
	}
	return nil
}

// mayCreate refuses to make a stream where there was one. The engine leaves out a stream whose files it
// cannot read as if it had never been, and would make the new one on top of them.
func (l *Log) mayCreate() error {
	if err := l.mayBegin(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(l.store(), "$G", "streams", streamName, "meta.inf")); err != nil {
		return nil
	}
	if !l.c.AcceptLoss {
		return l.lost("the engine cannot read the store (see its warnings in the log)")
	}
	return l.setAside()
}

func (l *Log) store() string { return filepath.Join(l.c.Dir, "jetstream") }

// setAside moves the store out of the way, for whoever can still save something from it, and starts the
// engine on an empty one.
func (l *Log) setAside() error {
	aside := fmt.Sprintf("%s.unreadable-%d", l.store(), time.Now().UnixNano())
	l.log.Error("journal store set aside, as told", "to", aside)
	return l.restart(func() error { return os.Rename(l.store(), aside) })
}

// begin writes the genesis.
func (l *Log) begin(ctx context.Context) error {
	e := journal.Genesis(time.Now())
	if err := l.head.forget(); err != nil {
		return err
	}
	if err := l.Append(ctx, e); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	l.epoch = e.Epoch
	l.slots.are(1, 0, "")
	l.log.Info("journal begun", "dir", l.c.Dir, "epoch", e.Epoch)
	return nil
}

// verify checks that the log has no hole, that its ends are of one life, and that it still has what was
// confirmed. The chain in between is checked by whoever reads it.
func (l *Log) verify(ctx context.Context, s jetstream.StreamState) error {
	if s.NumDeleted != 0 || s.Msgs != s.LastSeq-s.FirstSeq+1 {
		return l.damaged("%d of the entries %d to %d are there", s.Msgs, s.FirstSeq, s.LastSeq)
	}
	begins, kept := s.FirstSeq, l.slots.shape().kept
	if kept != "" {
		begins = l.slots.shape().first
	}
	first, err := l.slot(ctx, begins)
	if err != nil {
		return err
	}
	if (journal.Position{}).Judge(first) != journal.Next || first.Base > s.LastSeq || first.Base == 0 && begins != 1 || kept != "" && first.Base != s.FirstSeq {
		return l.damaged("it does not begin with a genesis")
	}
	l.epoch = first.Epoch
	l.slots.are(begins, first.Base, kept)
	last, err := l.slot(ctx, s.LastSeq)
	if err != nil {
		return err
	}
	if s.LastSeq > max(first.Base, 1) {
		before, err := l.slot(ctx, s.LastSeq-1)
		if err != nil {
			return err
		}
		if journal.PositionOf(before).Judge(last) != journal.Next {
			return l.damaged("entry %d does not continue the chain", s.LastSeq)
		}
	}
	if last.Epoch != l.epoch {
		return l.damaged("entry %d is of another epoch", s.LastSeq)
	}
	if err := l.witness(ctx, s.LastSeq); err != nil {
		return err
	}
	l.log.Info("journal opened", "dir", l.c.Dir, "last", s.LastSeq, "epoch", l.epoch)
	return l.head.note(journal.PositionOf(last))
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
	case l.MayLag() && w.Seq < l.slots.shape().base:
		return nil // this node was away for longer than the log goes back
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

// accept goes on with the unbroken beginning of a log that is not as it was confirmed. What the engine
// cannot read through is set aside, and its beginning written anew.
func (l *Log) accept(ctx context.Context, reason error) error {
	chain, whole := l.beginning(ctx)
	if n := len(chain); n > 0 && chain[n-1].Base > 0 {
		whole = false // what was kept is there, and nothing from the base on
	}
	if reason == nil && whole {
		return nil // nothing was lost
	}
	l.log.Error("journal opened in spite of loss, as told", "reason", reason, "kept", len(chain))
	if err := l.head.forget(); err != nil {
		return err
	}
	if whole {
		last := chain[len(chain)-1]
		l.epoch = last.Epoch
		return l.head.note(journal.PositionOf(last))
	}
	if err := l.setAside(); err != nil {
		return err
	}
	chain = ended(chain)
	first := firstSlot(chain)
	if _, err := l.js.CreateStream(ctx, streamConfig(1, first)); err != nil {
		return fmt.Errorf("%w: stream: %w", ErrEngine, err)
	}
	if len(chain) == 0 {
		return l.begin(ctx)
	}
	for i, e := range chain {
		if err := l.appendAt(ctx, first+uint64(i), e); err != nil {
			return fmt.Errorf("entry %d written anew: %w", e.Seq, err)
		}
	}
	l.epoch = chain[0].Epoch
	l.slots.are(first, chain[0].Base, "")
	return nil
}

// ended gives a chain of which not all is left that a compaction had kept a last entry, without meaning, to go on from.
func ended(chain []*journal.Entry) []*journal.Entry {
	n := len(chain)
	if n == 0 || chain[n-1].Base == 0 {
		return chain
	}
	last := chain[n-1]
	base := last.Seq + 1
	for i, e := range chain {
		kept := *e
		kept.Base = base
		chain[i] = &kept
	}
	return append(chain, &journal.Entry{Epoch: last.Epoch, Seq: base, ID: journal.NewID(), Prev: last.ID, Time: last.Time, Facts: []journal.Fact{{Tick: &journal.Tick{}}}})
}

// beginning reads the log as far as its chain is unbroken; whole when that is all of it.
func (l *Log) beginning(ctx context.Context) (chain []*journal.Entry, whole bool) {
	err := l.each(ctx, func(e *journal.Entry) error {
		chain = append(chain, e)
		return nil
	})
	return chain, err == nil && len(chain) > 0
}

// each calls f for the entries from the first one on, as far as the chain is unbroken: ErrDamaged says that
// this was not the end.
func (l *Log) each(ctx context.Context, f func(*journal.Entry) error) error {
	first, err := l.firstSlot(ctx)
	if err != nil {
		return err
	}
	if l.slots.shape().first == 0 {
		l.slots.are(first, 0, "")
	}
	return l.eachFrom(ctx, first, func(slot uint64, e *journal.Entry) error {
		if s := l.slots.shape(); slot == first && s.base != e.Base {
			l.slots.are(first, e.Base, s.kept)
		}
		return f(e)
	})
}

// firstSlot finds out where the log begins, while it is being opened. Then that is known: a replica without the others cannot ask.
func (l *Log) firstSlot(ctx context.Context) (uint64, error) {
	if first := l.slots.shape().first; first > 0 {
		return first, nil
	}
	s, err := l.js.Stream(ctx, l.c.names().stream)
	if err != nil {
		return 0, l.wrap("read", err)
	}
	if state := s.CachedInfo().State; state.Msgs > 0 {
		return state.FirstSeq, nil
	}
	return 1, nil
}

// eachFrom is the same from a slot on; what is there must continue what is before.
func (l *Log) eachFrom(ctx context.Context, slot uint64, f func(slot uint64, e *journal.Entry) error) error {
	var chain journal.Chain
	if slot > l.slots.shape().first {
		before, err := l.slot(ctx, slot-1)
		if err != nil {
			return err
		}
		chain = journal.ChainAt(before)
	}
	for {
		entries, err := l.readSlots(ctx, slot, maxBatch)
		for _, e := range entries {
			if !chain.Next(e) {
				return l.damaged("entry %d does not continue the chain", e.Seq)
			}
			if err := f(slot, e); err != nil {
				return err
			}
			slot++
		}
		if err != nil || len(entries) == 0 {
			return err
		}
	}
}

const advice = "Restore its directory from a backup, or start once with --accept-journal-loss (AcceptLoss) to go on with what is left"

const adviceReplica = "Compare the replicas: warmfront fsck, on each control node while it is stopped"

const adviceExternal = "Restore it with NATS's own tools, or see docs/operate.md, Your own NATS, on what to do when it is lost"

func (l *Log) lost(format string, args ...any) error {
	if x := l.c.External; x != nil {
		return fmt.Errorf("%w: %s. The stream %s of %s was damaged, rolled back or replaced. %s", ErrLost, fmt.Sprintf(format, args...), l.c.names().stream, x, adviceExternal)
	}
	if l.c.Cluster != nil || l.c.part {
		return fmt.Errorf("%w: %s. Most of the replicas were damaged, rolled back or replaced, this one in %s or others. %s", ErrLost, fmt.Sprintf(format, args...), l.c.Dir, adviceReplica)
	}
	return fmt.Errorf("%w: %s. The store in %s was damaged, rolled back or replaced. %s", ErrLost, fmt.Sprintf(format, args...), l.c.Dir, advice)
}

func (l *Log) damaged(format string, args ...any) error {
	if x := l.c.External; x != nil {
		return fmt.Errorf("%w: %s. The stream %s of %s is damaged. %s", journal.ErrDamaged, fmt.Sprintf(format, args...), l.c.names().stream, x, adviceExternal)
	}
	if l.c.Cluster != nil || l.c.part {
		return fmt.Errorf("%w: %s. %s", journal.ErrDamaged, fmt.Sprintf(format, args...), adviceReplica)
	}
	return fmt.Errorf("%w: %s. The store in %s is damaged. %s", journal.ErrDamaged, fmt.Sprintf(format, args...), l.c.Dir, advice)
}

// one reads a single entry that must be there.
func (l *Log) one(ctx context.Context, seq uint64) (*journal.Entry, error) {
	entries, err := l.Read(ctx, seq, 1)
	if err == nil && len(entries) != 1 {
		err = l.damaged("entry %d cannot be read", seq)
	}
	if err != nil {
		return nil, err
	}
	return entries[0], nil
}
