package jetstream

import (
	"context"
	"fmt"

	"github.com/warmfront/warmfront/journal"
)

// Restore makes a log in c.Dir, where there must be none, of these entries, which a compaction could have kept: the genesis and others, of each the
// number, the time and the facts count. Behind them comes one without meaning.
// It is a log of its own, with a new epoch, so that whoever has followed the one that the entries come from drops everything stored
// and begins again (E1), also when that had gone on further. Before Restore returns without an error, c.Dir has no log.
func Restore(ctx context.Context, c Config, entries []*journal.Entry) error {
	c.Listen, c.Network = "", nil
	c, lock, err := hold(c)
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, part := range append(parts, rewritten) {
		if exists(c.path(part)) {
			return fmt.Errorf("%w: there is a journal in %s", ErrConfig, c.Dir)
		}
	}
	if err := c.settle(); err != nil { // what an earlier try has left
		return err
	}
	x, err := renamed(entries)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := c.write(ctx, x); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := c.doubts(); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := c.rename(rewriting, rewritten); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := c.settle(); err != nil {
		return err
	}
	c.removePrevious()
	return nil
}

// renamed is a log of these entries with names of its own.
func renamed(entries []*journal.Entry) (*rest, error) {
	if len(entries) == 0 || entries[0].Seq != 1 {
		return nil, fmt.Errorf("%w: they do not begin with a genesis", journal.ErrDamaged)
	}
	x, epoch, prev := &rest{}, journal.NewID(), journal.ID("")
	for _, e := range entries {
		k := *e
		k.Epoch, k.ID, k.Prev, k.Base = epoch, journal.NewID(), prev, entries[len(entries)-1].Seq+1
		x.kept, prev = append(x.kept, &k), k.ID
	}
	chain := ended(x.kept)
	x.kept, x.ends = chain[:len(chain)-1], chain[len(chain)-1]
	x.base, x.last = x.ends.Seq, x.ends.Seq
	return x, nil
}
