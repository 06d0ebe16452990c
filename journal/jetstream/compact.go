package jetstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// Extract decides what a compaction keeps of the entries before its base: it is given all of them, in order, and then asked.
type Extract interface {
	Add(*journal.Entry)
	Entries() []*journal.Entry // the genesis and others of these, in order, of which facts may be missing or replaced
}

// Compaction says when a log is compacted, and to what. Extract is required.
type Compaction struct {
	Least    uint64 // a log with fewer entries is left alone, without being read
	Any      bool   // worth it whatever little goes; else if half of it does
	Extract  Extract
	Progress func(read, of uint64) // called before the first entry is read, and then now and again

	// What stays as it is, for edges that were away: the last Tail entries, at least one, and those since Since, but none beyond the
	// last Most; 0: no limit.
	Tail, Most uint64
	Since      time.Time
	Quiet      time.Duration // of a log that runs: nobody has read below the base for so long, if that comes within a minute; who did, would have to begin again
	Applied    uint64        // and those since this one, but none beyond Most: somebody stands there; 0: nobody does
}

// Compacted is what a compaction did.
type Compacted struct {
	Before, After uint64 // entries; both 0 when the log was not looked at, equal when it was left alone
	Base          uint64 // from here on it is what it was
}

// Compact replaces the log in c.Dir by one that holds of what is before some entry, the base, only what r.Extract keeps, if it then has
// at most half as many entries, or fewer at all (r.Any). A log of a cluster is left alone. The log must not be open. Epoch, numbers, IDs and chain stay: who has followed it up to the base or
// further goes on, who is behind finds that it does not go back so far (E1), and who begins reads what was kept (journal.Entry.Base).
//
// Whenever this is interrupted, by kill -9 or by the power, the next Open finds either log complete. After
// an error the log is what it was. journal.ErrFull: there is no room to write the new one beside the old one.
func Compact(ctx context.Context, c Config, r Compaction) (done Compacted, err error) {
	if c.Cluster != nil || c.External != nil {
		return done, nil // replicas are not written anew one by one, nor what is not ours
	}
	c.Listen, c.Network = "", nil // two engines would want them at once
	c, lock, err := hold(c)
	if err != nil {
		return done, err
	}
	defer lock.Close()
	if err := c.settle(); err != nil {
		return done, err
	}
	if n, err := c.noted(); n < r.Least || err != nil {
		return done, err
	}
	old, err := openHeld(ctx, c)
	if err != nil {
		return done, err
	}
	defer old.Close()
	rest, err := old.sift(ctx, r, &done)
	if err != nil || done.After == done.Before {
		return done, err
	}
	if err := old.roomFor(rest, rest.stored); err != nil {
		return done, err
	}
	if err := c.write(ctx, rest); err != nil {
		return done, fmt.Errorf("compaction: %w", err)
	}
	old.Close()
	if err := c.rename(rewriting, rewritten); err != nil {
		return done, fmt.Errorf("compaction: %w", err)
	}
	c.Logger.Info("journal compacted", "dir", c.Dir, "before", done.Before, "after", done.After, "base", done.Base)
	return done, c.settle()
}

// noted returns the number of about the last entry, without opening the log.
func (c Config) noted() (uint64, error) {
	if !exists(c.path("head")) {
		return 0, nil
	}
	h, err := openHead(c.path("head"))
	if err != nil {
		return 0, err
	}
	return h.last().Seq, h.close()
}

// rest is what a compacted log consists of, to be read from its beginning to its end.
type rest struct {
	kept []*journal.Entry
	old  *Log           // that has the entries from base to last
	ends *journal.Entry // or there is only this one; nil: not
	base uint64
	last uint64

	stored uint64 // bytes of old
}

// sift reads what is before the base and finds out what is kept of it. It sets done, which says whether that is worth it.
func (l *Log) sift(ctx context.Context, r Compaction, done *Compacted) (*rest, error) {
	s, err := l.js.Stream(ctx, l.c.names().stream)
	if err != nil {
		return nil, l.wrap("read", err)
	}
	sh := l.slots.shape()
	state, first := s.CachedInfo().State, sh.first
	before := state.LastSeq - first + 1
	if before < r.Least {
		return nil, nil
	}
	l.known.atLeast(state.LastSeq) // of replicas one may answer that does not have all that is there yet
	x := &rest{old: l, last: state.LastSeq}
	if x.base, err = l.tail(ctx, r, state.LastSeq); err != nil {
		return nil, err
	}
	done.Before, done.After, done.Base = before, before, x.base
	tail := x.last - x.base + 1
	if tail >= r.worth(done.Before) {
		return nil, nil // whatever is before
	}
	of := done.Before - tail
	for slot, read := first, uint64(0); read < of; {
		if r.Progress != nil {
			r.Progress(read, of)
		}
		entries, err := l.readShape(ctx, sh, slot, int(min(of-read, maxBatch)))
		if err == nil && len(entries) == 0 {
			err = l.damaged("slot %d cannot be read", slot)
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			r.Extract.Add(e)
		}
		n := uint64(len(entries))
		slot, read = slot+n, read+n
	}
	x.kept = r.Extract.Entries()
	if after := uint64(len(x.kept)) + tail; after <= r.worth(done.Before) {
		done.After = after
	}
	x.stored = state.Bytes
	return x, nil
}

// worth is how many entries of so many may be left.
func (r *Compaction) worth(before uint64) uint64 {
	if r.Any {
		return before - 1
	}
	return before / 2
}

// tail returns the number of the entry from which on the log stays as it is.
func (l *Log) tail(ctx context.Context, r Compaction, last uint64) (base uint64, err error) {
	least := max(l.slots.shape().base, 1)
	back := func(n uint64) uint64 { return max(least, last-min(last, max(n, 1))+1) } // the last n
	low, base := least, back(r.Tail)
	if r.Most > 0 {
		low = back(max(r.Most, r.Tail))
	}
	if !r.Since.IsZero() {
		n := sort.Search(int(base-low), func(i int) bool {
			if err != nil {
				return true
			}
			var e *journal.Entry
			if e, err = l.slot(ctx, low+uint64(i)); err != nil {
				return true
			}
			return !e.Time.Before(r.Since)
		})
		base = low + uint64(n)
	}
	if r.Applied > 0 {
		base = max(low, min(base, r.Applied))
	}
	return base, err
}

// each calls f for what there will be, with its slot.
func (x *rest) each(ctx context.Context, f func(slot uint64, e *journal.Entry) error) error {
	first := x.base - uint64(len(x.kept))
	for i, e := range x.kept {
		k := *e
		k.Base = x.base
		if err := f(first+uint64(i), &k); err != nil {
			return err
		}
	}
	if x.ends != nil {
		return f(x.base, x.ends)
	}
	for slot := x.base; slot <= x.last; {
		entries, err := x.old.readSlots(ctx, slot, maxBatch)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return x.old.damaged("entry %d cannot be read", slot)
		}
		for _, e := range entries {
			if err := f(slot, e); err != nil {
				return err
			}
			slot++
		}
	}
	return nil
}

// write writes the new log beside the old one, checks it and makes it durable.
func (c Config) write(ctx context.Context, x *rest) error {
	bulk := c
	bulk.Dir, bulk.bulk, bulk.first = c.path(rewriting), true, x.base-uint64(len(x.kept))
	l, err := Open(ctx, bulk)
	if err != nil {
		return err
	}
	if err := errors.Join(l.fill(ctx, x), l.Close()); err != nil {
		return err
	}
	c.step("write " + rewriting)
	checked := c
	checked.Dir = bulk.Dir
	if l, err = Open(ctx, checked); err != nil {
		return err
	}
	if err := errors.Join(l.equals(ctx, x), l.Close()); err != nil {
		return err
	}
	return syncTree(checked.Dir)
}

// roomFor refuses when the entries might not fit on the disk.
func (l *Log) roomFor(x *rest, stored uint64) error {
	if l.c.External != nil {
		return nil // the disks are NATS's, which refuses in time
	}
	// Twice as much as they are, though the engine packs them, and something for its books.
	need := l.c.Reserve + 16<<20 + int64(stored)
	for _, e := range x.kept {
		b, err := json.Marshal(e.Facts)
		if err != nil {
			return err
		}
		need += 2 * int64(len(b)+256)
	}
	n, err := free(l.c.Dir)
	if err != nil {
		return err
	}
	if n < need {
		return fmt.Errorf("%w: %d MiB free in %s, %d needed", journal.ErrFull, n>>20, l.c.Dir, need>>20)
	}
	return nil
}

// What is sent before an answer is waited for: the engine drops what it has no room for.
const (
	fillEntries = 1000
	fillBytes   = 16 << 20
)

// fill appends everything to a new log.
func (l *Log) fill(ctx context.Context, x *rest) error {
	sent, n := 0, 0
	return x.each(ctx, func(slot uint64, e *journal.Entry) error {
		b, err := journal.Encode(e)
		if err != nil {
			return err
		}
		if sent, n = sent+len(b), n+1; n%fillEntries == 0 || sent > fillBytes || slot == x.last {
			// Its answer is one for all before: had any been dropped, this would not be the next.
			sent = 0
			return l.appendAt(ctx, slot, e)
		}
		return l.nc.PublishMsg(message(slot, b))
	})
}

// equals checks that the log holds what it should, octet by octet, and no more.
func (l *Log) equals(ctx context.Context, x *rest) error {
	var there []*journal.Entry // read and not compared yet
	err := x.each(ctx, func(slot uint64, want *journal.Entry) (err error) {
		if len(there) == 0 {
			if there, err = l.readSlots(ctx, slot, maxBatch); err != nil {
				return err // which says nothing about what is there
			}
			if len(there) == 0 {
				return l.damaged("entry %d is not there", want.Seq)
			}
		}
		a, errA := journal.Encode(there[0])
		b, errB := journal.Encode(want)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			return l.damaged("entry %d is not what was written", want.Seq)
		}
		there = there[1:]
		return nil
	})
	if err != nil {
		return err
	}
	more, err := l.readSlots(ctx, x.last+1, 1)
	if err == nil && len(there)+len(more) > 0 {
		err = l.damaged("there is more in it than was written")
	}
	if err == nil {
		err = l.each(ctx, func(*journal.Entry) error { return nil }) // and it is one chain
	}
	return err
}
