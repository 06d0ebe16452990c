package jetstream

import (
	"context"
	"fmt"

	"github.com/warmfront/warmfront/journal"
)

// Restore makes a log in c.Dir, where there must be none, with these entries behind a genesis: of each, the time and the facts count.
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
	if err := c.write(ctx, entries); err != nil {
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
