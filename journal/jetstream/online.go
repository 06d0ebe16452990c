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

	"github.com/warmfront/warmfront/journal"
)

// ErrNotRunning is Compact's of a log that is not compacted while it is open.
var ErrNotRunning = errors.New("journal: not compacted while it runs")

// Compact is the function Compact for a log that is open: whoever appends, reads and follows goes on. One at a time. Interrupted, or after an error,
// the log is the one or the other, whole. ErrNotRunning: it has replicas, or was made by an earlier version; the next start compacts that one.
func (l *Log) Compact(ctx context.Context, r Compaction) (done Compacted, err error) {
	if l.MayLag() {
		return done, fmt.Errorf("%w: it has, or may have, replicas", ErrNotRunning)
	}
	select {
	case l.compacting <- struct{}{}:
		defer func() { <-l.compacting }()
	case <-ctx.Done():
		return done, ctx.Err()
	}
	s, err := l.js.Stream(ctx, streamName)
	if err != nil {
		return done, l.wrap("compaction", err)
	}
	if s.CachedInfo().Config.DenyPurge {
		return done, fmt.Errorf("%w: it was made by an earlier version", ErrNotRunning)
	}
	x, err := l.sift(ctx, r, &done)
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
	k, err := l.keep(ctx, x, base.ID)
	if err != nil {
		return done, fmt.Errorf("compaction: %w", err)
	}
	if err := w.quiet(ctx, r.Quiet); err != nil {
		return done, err
	}
	// From here on it is compacted.
	l.slots.are(k.first, k.base, k.name)
	l.compacted.Store(&k.made)
	l.c.step("kept")
	if err := l.purge(ctx, s, k); err != nil {
		return done, err
	}
	l.c.step("purged")
	l.c.Logger.Info("journal compacted", "dir", l.c.Dir, "before", done.Before, "after", done.After, "base", done.Base)
	return done, l.dropKept(ctx)
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

// keep writes what is kept to a stream of its own. Without an error it is whole and on the disk.
func (l *Log) keep(ctx context.Context, x *rest, id journal.ID) (k keptStream, err error) {
	first := x.base - uint64(len(x.kept))
	c := keptConfig(x.base, first, id)
	s, err := l.js.CreateStream(ctx, c)
	if err != nil {
		return k, l.wrap("create "+c.Name, err)
	}
	defer func() {
		if err != nil { // nobody has read it yet
			err = errors.Join(err, l.js.DeleteStream(context.WithoutCancel(ctx), c.Name))
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
		if err := l.put(ctx, c.Subjects[0], first+uint64(i), b, i%keepEntries == keepEntries-1 || i == last-1); err != nil {
			return k, err
		}
	}
	l.c.step("keeping")
	if err := l.holds(ctx, c.Name, first, encoded[:last]); err != nil {
		return k, err
	}
	if err := syncTree(l.keptDir(c.Name)); err != nil {
		return k, err
	}
	if err := l.put(ctx, c.Subjects[0], x.base-1, encoded[last], true); err != nil {
		return k, err
	}
	if err := l.holds(ctx, c.Name, first, encoded); err != nil {
		return k, err
	}
	if err := errors.Join(syncTree(l.keptDir(c.Name)), syncFile(filepath.Dir(l.keptDir(c.Name)))); err != nil {
		return k, err
	}
	info, err := s.Info(ctx)
	if err != nil {
		return k, l.wrap("read", err)
	}
	if k, _ = keptOf(info); !k.whole {
		return k, l.damaged("what was kept, up to entry %d, is not whole", x.base)
	}
	return k, nil
}

// keepEntries are sent before an answer is waited for: few, since others append too.
const keepEntries = 64

// keptDir is where the engine has a stream.
func (l *Log) keptDir(name string) string { return filepath.Join(l.store(), "$G", "streams", name) }

// put appends to a slot of a stream that nobody else writes; answered: when it is synced, and all before it.
func (l *Log) put(ctx context.Context, subject string, slot uint64, b []byte, answered bool) error {
	m := message(slot, b)
	m.Subject = subject
	if !answered {
		return l.nc.PublishMsg(m)
	}
	if err := l.room(); err != nil {
		return err
	}
	one, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	r, err := l.nc.RequestMsgWithContext(one, m)
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
	if ack.Seq != slot {
		return fmt.Errorf("journal: append to slot %d was confirmed as %d", slot, ack.Seq)
	}
	return nil
}

// holds checks that a stream has these octets and no others, from a slot on.
func (l *Log) holds(ctx context.Context, name string, first uint64, want [][]byte) error {
	for at := 0; at < len(want); {
		some, _, err := l.batchOf(ctx, "$JS.API.DIRECT.GET."+name, first+uint64(at), min(maxBatch, len(want)-at), false)
		if err == nil && len(some) == 0 {
			err = l.damaged("slot %d cannot be read", first+uint64(at))
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

// Extent returns it, as this node's engine has it.
func (l *Log) Extent() Extent {
	s, known := l.own()
	if !known {
		return Extent{}
	}
	sh := l.slots.shape()
	x := Extent{Entries: s.Msgs, Last: s.LastSeq, Base: sh.base, Bytes: s.Bytes}
	if sh.kept != "" {
		x.Entries = s.LastSeq + 1 - sh.first
	}
	if at := l.compacted.Load(); at != nil {
		x.Compacted = *at
	}
	return x
}
