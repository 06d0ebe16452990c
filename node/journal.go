package node

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/warmfront/warmfront/journal/jetstream"
)

// openJournal compacts the journal if it has grown, and opens it. Positions stay, so no cache is lost by it, but that of an edge that was
// away for longer than the journal then goes back.
// where says what there is beside the directory.
func (c *Config) openJournal(ctx context.Context, where jetstream.Config) (*jetstream.Log, error) {
	config := where
	config.Dir, config.AcceptLoss, config.Logger = filepath.Join(c.Data, "journal"), c.AcceptJournalLoss, c.Logger.With("role", "journal")
	if !c.AcceptJournalLoss && config.Cluster == nil && config.External == nil && c.JournalEntries > 0 { // one of several has no say alone; who accepts a loss wants what is left, as it is
		c.compactJournal(ctx, config)
	}
	return jetstream.Open(ctx, config)
}

// compactJournal never fails the start: without it the start only takes longer, and what is wrong with the
// journal is found again by who opens it.
func (c *Config) compactJournal(ctx context.Context, config jetstream.Config) {
	began, told := time.Now(), time.Time{}
	w := c.compaction()
	w.Progress = func(read, of uint64) {
		if time.Since(told) >= slowAfter {
			fmt.Fprintf(c.Out, "Looking what is still needed of the journal: entry %d of %d.\n", read, of)
			told = time.Now()
		}
	}
	done, err := jetstream.Compact(ctx, config, w)
	switch took := time.Since(began).Round(100 * time.Millisecond); {
	case err != nil && ctx.Err() == nil:
		c.Logger.Warn("the journal is not compacted; starting with it as it is", "err", err)
	case err != nil || done.Before == 0:
	case done.After == done.Before:
		fmt.Fprintf(c.Out, "Most of its %d entries are; it stays as it is (%v).\n", done.Before, took)
	default:
		fmt.Fprintf(c.Out, "The journal had %d entries; compacted, it has %d (%v).\n", done.Before, done.After, took)
	}
}
