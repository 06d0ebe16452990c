package jetstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/warmfront/warmfront/journal"
)

// Extract decides what a rewritten log holds: it is given every entry, in order, and then asked.
type Extract interface {
	Add(*journal.Entry)
	Entries() []*journal.Entry // for the numbers from 2 on; of each, the time and the facts count
}

// Rewriting says when a log is rewritten, and to what. All members but Progress are required.
type Rewriting struct {
	Least    uint64 // a log with fewer entries is left alone, without being read
	Extract  Extract
	Progress func(read, of uint64) // called before the first entry is read, and then now and again
}

// Rewritten is what a rewrite did.
type Rewritten struct {
	Before, After uint64 // entries; both 0 when the log was not read, equal when it was left alone
}

// Rewrite replaces the log in c.Dir by one that holds only what r.Extract keeps, if that is at most half of it.
// The log must not be open. The new log is another one: it has a new epoch, so whoever has followed the old
// one drops everything stored and begins again (E1).
//
// Whenever this is interrupted, by kill -9 or by the power, the next Open finds either log complete. After
// an error the log is what it was. journal.ErrFull: there is no room to write the new one beside the old one.
func Rewrite(ctx context.Context, c Config, r Rewriting) (done Rewritten, err error) {
	c.Listen = ""
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
	kept, err := c.sift(ctx, r, &done)
	if err != nil || done.After == done.Before {
		return done, err
	}
	if err := c.write(ctx, kept); err != nil {
		return done, fmt.Errorf("rewrite: %w", err)
	}
	if err := c.rename(rewriting, rewritten); err != nil {
		return done, fmt.Errorf("rewrite: %w", err)
	}
	c.Logger.Info("journal rewritten", "dir", c.Dir, "before", done.Before, "after", done.After)
	return done, c.settle()
}

// noted returns about how many entries the log has, without opening it.
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

// sift reads the log and returns what is kept of it. It sets done, which says whether that is worth a rewrite.
func (c Config) sift(ctx context.Context, r Rewriting, done *Rewritten) ([]*journal.Entry, error) {
	l, err := openHeld(ctx, c)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	of := l.head.last().Seq
	err = l.each(ctx, func(e *journal.Entry) error {
		if r.Progress != nil && e.Seq%maxBatch == 1 {
			r.Progress(e.Seq-1, of)
		}
		r.Extract.Add(e)
		done.Before = e.Seq
		return nil
	})
	if err != nil {
		return nil, err
	}
	kept := r.Extract.Entries()
	if done.After = uint64(len(kept)) + 1; done.After > done.Before/2 {
		done.After = done.Before
	}
	return kept, nil
}

// write writes the new log beside the old one, checks it and makes it durable.
func (c Config) write(ctx context.Context, kept []*journal.Entry) error {
	if err := c.roomFor(kept); err != nil {
		return err
	}
	bulk := c
	bulk.Dir, bulk.bulk = c.path(rewriting), true
	l, err := Open(ctx, bulk)
	if err != nil {
		return err
	}
	chain, err := l.fill(ctx, kept)
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	c.step("write " + rewriting)
	checked := c
	checked.Dir = bulk.Dir
	if l, err = Open(ctx, checked); err != nil {
		return err
	}
	err = l.equals(ctx, chain)
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	return syncTree(checked.Dir)
}

// roomFor refuses when the entries might not fit on the disk.
func (c Config) roomFor(kept []*journal.Entry) error {
	// Twice as much as they are, though the engine packs them, and something for its books.
	need := c.Reserve + 16<<20
	for _, e := range kept {
		b, err := json.Marshal(e.Facts)
		if err != nil {
			return err
		}
		need += 2 * int64(len(b)+256)
	}
	n, err := free(c.Dir)
	if err != nil {
		return err
	}
	if n < need {
		return fmt.Errorf("%w: %d MiB free in %s, %d needed", journal.ErrFull, n>>20, c.Dir, need>>20)
	}
	return nil
}

// What is sent before an answer is waited for: the engine drops what it has no room for.
const (
	fillEntries = 1000
	fillBytes   = 16 << 20
)

// fill appends the entries to a new log and returns what it then holds.
func (l *Log) fill(ctx context.Context, kept []*journal.Entry) ([]*journal.Entry, error) {
	genesis, err := l.one(ctx, 1)
	if err != nil {
		return nil, err
	}
	chain := append(make([]*journal.Entry, 0, len(kept)+1), genesis)
	sent, last := 0, genesis
	for i, k := range kept {
		e := &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Time: k.Time, Facts: k.Facts}
		b, err := journal.Encode(e)
		if err != nil {
			return nil, err
		}
		if sent += len(b); i%fillEntries == fillEntries-1 || sent > fillBytes || i == len(kept)-1 {
			// Its answer is one for all before: had any been dropped, this would not be the next.
			err, sent = l.Append(ctx, e), 0
		} else {
			err = l.nc.PublishMsg(message(e, b))
		}
		if err != nil {
			return nil, err
		}
		chain, last = append(chain, e), e
	}
	return chain, nil
}

// equals checks that the log holds these entries, octet by octet, and no others.
func (l *Log) equals(ctx context.Context, want []*journal.Entry) error {
	n := 0
	err := l.each(ctx, func(got *journal.Entry) error {
		if n == len(want) {
			return l.damaged("entry %d should not be there", got.Seq)
		}
		a, errA := journal.Encode(got)
		b, errB := journal.Encode(want[n])
		if n++; errA != nil || errB != nil || !bytes.Equal(a, b) {
			return l.damaged("entry %d is not what was written", got.Seq)
		}
		return nil
	})
	if err == nil && n != len(want) {
		err = l.damaged("%d entries were written, %d are there", len(want), n)
	}
	return err
}
