package jetstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// ErrNotRunning is Compact's of a log that is not compacted while it is open.
var ErrNotRunning = errors.New("journal: not compacted while it runs")

// Compact is the function Compact for a log that is open: whoever appends, reads and follows goes on. One at a time; of a log with replicas any node may,
// and two at once do no harm. Interrupted, or after an error, the log is the one or the other, whole. ErrNotRunning: it was made by an earlier version, or the account in an
// external NATS does not permit what it takes; see Uncompacted.
func (l *Log) Compact(ctx context.Context, r Compaction) (done Compacted, err error) {
	select {
	case l.compacting <- struct{}{}:
		defer func() { <-l.compacting }()
	case <-ctx.Done():
		return done, ctx.Err()
	}
	defer func() { l.tried(ctx, err) }()
	s, err := l.js.Stream(ctx, l.c.names().stream)
	if err != nil {
		return done, l.wrap("compaction", err)
	}
	if s.CachedInfo().Config.DenyPurge {
		return done, fmt.Errorf("%w: %s", ErrNotRunning, earlier)
	}
	if l.c.External != nil {
		switch why, err := l.mayCompact(ctx, s.CachedInfo()); {
		case err != nil:
			return done, err
		case why != "":
			return done, fmt.Errorf("%w: %s", ErrNotRunning, why)
		}
	}
	if l.MayLag() {
		if err := l.finish(ctx, s); err != nil {
			return done, err
		}
	}
	before := l.slots.shape()
	x, err := l.sift(ctx, r, &done)
	if l.slots.shape() != before { // another node was faster
		return Compacted{}, nil
	}
	if err != nil || done.After == done.Before {
		return done, err
	}
	if sh := l.slots.shape(); sh.kept != "" && sh.base == x.base { // what is kept has its place already; it is left alone until the base can move
		done.After = done.Before
		return done, nil
	}
	if err := l.roomFor(x, 0); err != nil {
		return done, err
	}
	base, err := l.slot(ctx, x.base)
	if err != nil {
		return done, err
	}
	if err := l.dropKept(ctx); err != nil { // of one that failed, perhaps with this very base
		return done, err
	}
	w := &watch{base: x.base}
	w.noted(x.base - 1)
	l.watched.Store(w)
	defer l.watched.Store(nil)
	k, err := l.keep(ctx, s, x, base.ID)
	if err != nil { // perhaps another node has removed it, since it was faster
		l.Refresh(ctx)
	}
	if l.slots.shape().base > x.base {
		return Compacted{}, nil
	}
	if err != nil {
		return done, fmt.Errorf("compaction: %w", l.elsewhere(err))
	}
	l.c.step("kept")
	if err := w.quiet(ctx, r.Quiet); err != nil {
		return done, err
	}
	// From here on it is compacted.
	l.adopt(k)
	err = l.purge(ctx, s, k)
	if l.slots.shape().base > k.base {
		return Compacted{}, nil
	}
	if err != nil {
		return done, err
	}
	l.c.step("purged")
	l.c.Logger.Info("journal compacted", "dir", l.c.Dir, "before", done.Before, "after", done.After, "base", done.Base)
	return done, l.dropKept(ctx)
}

// finish goes by what other nodes have done, and brings it to its end.
func (l *Log) finish(ctx context.Context, s jetstream.Stream) error {
	if err := l.look(ctx); err != nil {
		return err
	}
	l.known.atLeast(s.CachedInfo().State.LastSeq)
	k, found, err := l.greatestKept(ctx)
	if err != nil || !found || k.base != l.slots.shape().base || s.CachedInfo().State.FirstSeq >= k.base {
		return err
	}
	return l.purge(ctx, s, k)
}

// watch is when somebody has last read below a base that is to be.
type watch struct {
	base uint64
	last atomic.Pointer[time.Time]
}

// noted notes a read. nil: nobody wants to know.
func (w *watch) noted(slot uint64) {
	if w != nil && slot < w.base {
		now := time.Now()
		w.last.Store(&now)
	}
}

// patience is how long quiet waits at most.
const patience = time.Minute

// quiet waits until nobody has read there for d.
func (w *watch) quiet(ctx context.Context, d time.Duration) error {
	for until := time.Now().Add(patience); ; {
		left := min(d-time.Since(*w.last.Load()), time.Until(until))
		if left <= 0 {
			return nil
		}
		if !sleep(ctx, left) {
			return ctx.Err()
		}
	}
}

// keep writes what is kept to a stream of its own, like that of the log. Without an error it is whole and on the disk; after one, a stream whose last entry may be in it stays: others
// may go by it.
func (l *Log) keep(ctx context.Context, log jetstream.Stream, x *rest, id journal.ID) (k keptStream, err error) {
	first, like := x.base-uint64(len(x.kept)), log.CachedInfo().Config
	c := l.c.keptConfig(like.Replicas, x.base, first, id)
	c.Placement = like.Placement
	s, err := l.js.CreateStream(ctx, c)
	if err != nil {
		return k, l.wrap("create "+c.Name, err)
	}
	sent := false
	defer func() {
		if err != nil && !sent { // nobody goes by it
			short, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
			defer cancel()
			err = errors.Join(err, l.js.DeleteStream(short, c.Name))
		}
	}()
	encoded := make([][]byte, 0, len(x.kept))
	for _, e := range x.kept {
		kept := *e
		kept.Base = x.base
		b, err := journal.Encode(&kept)
		if err != nil {
			return k, err
		}
		encoded = append(encoded, b)
	}
	last := len(encoded) - 1
	for i, b := range encoded[:last] {
		// An answer is one for all before: had any been dropped, this would not be the next.
		if err := l.put(ctx, c, first+uint64(i), b, i%keepEntries == 0 || i == last-1); err != nil {
			return k, err
		}
	}
	l.c.step("keeping")
	if err := l.holds(ctx, c.Name, first, encoded[:last]); err != nil {
		return k, err
	}
	if !l.MayLag() {
		if err := syncTree(l.keptDir(c.Name)); err != nil {
			return k, err
		}
	}
	sent = l.MayLag()
	if err := l.putLast(ctx, c, x.base-1, encoded[last]); err != nil {
		return k, err
	}
	if err := l.holds(ctx, c.Name, first, encoded); err != nil {
		return k, err
	}
	if l.MayLag() {
		err = l.everywhere(ctx, s)
	} else {
		err = errors.Join(syncTree(l.keptDir(c.Name)), syncFile(filepath.Dir(l.keptDir(c.Name))))
	}
	if err != nil {
		return k, err
	}
	info, err := s.Info(ctx)
	if err != nil {
		return k, l.wrap("read", err)
	}
	if k, _ = l.c.keptOf(info); !k.whole {
		return k, l.damaged("what was kept, up to entry %d, is not whole", x.base)
	}
	return k, nil
}

// elsewhere says of an error in writing to several nodes what it may come of: who compacts has made sure of room on its own disk alone.
func (l *Log) elsewhere(err error) error {
	var api *jetstream.APIError
	if l.c.Cluster == nil || errors.Is(err, journal.ErrFull) || !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &api) {
		return err
	}
	return fmt.Errorf("%w (there is room on the disk here, and it is not known whether there is on those of the other nodes)", err)
}

// keepEntries are sent before an answer is waited for: few, since others append too.
const keepEntries = 64

// keptDir is where the engine has a stream.
func (l *Log) keptDir(name string) string { return filepath.Join(l.store(), "$G", "streams", name) }

// keptMessage is an append to what is kept, and to no other stream that has been made in its place.
func keptMessage(c jetstream.StreamConfig, slot uint64, b []byte) *nats.Msg {
	m := message(slot, b)
	m.Subject = c.Subjects[0]
	m.Header.Set(jetstream.ExpectedStreamHeader, c.Name)
	return m
}

// put appends to a slot of a stream that nobody else writes; answered: when it is synced, and all before it.
func (l *Log) put(ctx context.Context, c jetstream.StreamConfig, slot uint64, b []byte, answered bool) error {
	m := keptMessage(c, slot, b)
	if !answered {
		return l.engine.nc.PublishMsg(m)
	}
	if err := l.room(); err != nil {
		return err
	}
	return l.putMessage(ctx, m, slot)
}

// putLast appends the entry with which a stream is whole. Of replicas the answer may be lost with who leads: then it is sent again, and if its slot is taken
// that was by itself, or by a mark, which the caller finds out.
func (l *Log) putLast(ctx context.Context, c jetstream.StreamConfig, slot uint64, b []byte) error {
	if err := l.room(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, purgeWithin)
	defer cancel()
	m := keptMessage(c, slot, b)
	for again := false; ; again = true {
		err := l.putMessage(ctx, m, slot)
		var no *jetstream.APIError
		switch answered := errors.As(err, &no); {
		case answered && again && no.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
			return nil
		case err == nil || answered || !l.MayLag() || !sleep(ctx, lookEvery):
			return err
		}
	}
}

// putMessage appends to whatever stream it is for; slot 0: to any.
func (l *Log) putMessage(ctx context.Context, m *nats.Msg, slot uint64) error {
	one, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	r, err := l.engine.nc.RequestMsgWithContext(one, m)
	for l.MayLag() && errors.Is(err, nats.ErrNoResponders) && pause(one) { // this node does not know yet where a new stream is
		r, err = l.engine.nc.RequestMsgWithContext(one, m)
	}
	if err != nil {
		return l.wrap("append", err)
	}
	var ack pubAck
	if err := json.Unmarshal(r.Data, &ack); err != nil {
		return l.wrap("append", err)
	}
	if ack.Error != nil {
		return l.wrap("append", ack.Error)
	}
	if slot > 0 && ack.Seq != slot {
		return fmt.Errorf("journal: append to slot %d was confirmed as %d", slot, ack.Seq)
	}
	return nil
}

// holds checks that a stream has these octets and no others, from a slot on. Of replicas one may be asked that does not have them yet.
func (l *Log) holds(ctx context.Context, name string, first uint64, want [][]byte) error {
	ctx, cancel := context.WithTimeout(ctx, believed)
	defer cancel()
	for at := 0; at < len(want); {
		some, err := l.keptBatch(ctx, l.slots.shape(), name, first+uint64(at), min(maxBatch, len(want)-at))
		if errors.Is(err, errMoved) && l.slots.shape().kept == name {
			continue // it is whole, and this node goes by it already
		}
		if err != nil {
			return err
		}
		for _, b := range some {
			if !bytes.Equal(b, want[at]) {
				return l.damaged("slot %d of %s is not what was written", first+uint64(at), name)
			}
			at++
		}
	}
	return nil
}

// Extent is how much a log holds.
type Extent struct {
	Entries   uint64 // with those that were kept of what is before Base
	Last      uint64
	Base      uint64    // what is before has been compacted; 0: nothing has been
	Bytes     uint64    // as the engine counts them
	Compacted time.Time // when, of a log that was running; zero: not known, or never
}

// Extent returns it, as this node's engine has it. Of what other nodes have done it knows by the last Refresh, or read.
func (l *Log) Extent() Extent {
	sh, x := l.slots.shape(), Extent{}
	if l.c.External != nil { // it is one from when it is opened
		s := l.seen.Load()
		x = Extent{Last: max(s.LastSeq, l.known.last()), Base: sh.base, Bytes: s.Bytes}
		x.Entries = x.Last + 1 - max(s.FirstSeq, 1)
	} else if s, known := l.own(); known {
		x = Extent{Entries: s.Msgs, Last: s.LastSeq, Base: sh.base, Bytes: s.Bytes}
	} else {
		return x
	}
	if sh.kept != "" {
		x.Entries = x.Last + 1 - sh.first
	}
	if at := l.compacted.Load(); at != nil {
		x.Compacted = *at
	}
	return x
}
