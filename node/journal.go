package node

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// rewriteAfter is how many entries the journal may have before a start looks whether it is worth rewriting.
// Reading that many takes two seconds; freshness probes alone append them in two days.
const rewriteAfter = 100_000

// rewriteRarely is the same where edges on other machines follow: each rewrite is a cold cache for all of them.
const rewriteRarely = 1_000_000

// openJournal rewrites the journal if it has grown, and opens it.
//
// The new log has a new epoch, which makes whoever followed the old one drop what it has stored. That costs
// nothing where all edges are in this process, with caches in memory that are empty now. To an edge with a
// cache on disk, or on another machine, it is a cold cache; hence a network makes it rare.
func (c *Config) openJournal(ctx context.Context, network *jetstream.Network, cluster *jetstream.Cluster) (*jetstream.Log, error) {
	config := jetstream.Config{
		Dir: filepath.Join(c.Data, "journal"), Network: network, Cluster: cluster, AcceptLoss: c.AcceptJournalLoss, Logger: c.Logger.With("role", "journal"),
	}
	if !c.AcceptJournalLoss && cluster == nil { // one of several has no say alone; who accepts a loss wants what is left, as it is
		c.rewriteJournal(ctx, config, network != nil)
	}
	return jetstream.Open(ctx, config)
}

// rewriteJournal never fails the start: without it the start only takes longer, and what is wrong with the
// journal is found again by who opens it.
func (c *Config) rewriteJournal(ctx context.Context, config jetstream.Config, rarely bool) {
	began, told := time.Now(), time.Time{}
	least := c.rewriteAfter
	switch {
	case least > 0:
	case rarely:
		least = rewriteRarely
	default:
		least = rewriteAfter
	}
	done, err := jetstream.Rewrite(ctx, config, jetstream.Rewriting{
		Least:   least,
		Extract: control.NewExtract(c.Quotas), // those that control gets
		Progress: func(read, of uint64) {
			if time.Since(told) >= slowAfter {
				fmt.Fprintf(c.Out, "Looking what is still needed of the journal: entry %d of %d.\n", read, of)
				told = time.Now()
			}
		},
	})
	switch took := time.Since(began).Round(100 * time.Millisecond); {
	case err != nil && ctx.Err() == nil:
		c.Logger.Warn("the journal is not rewritten; starting with it as it is", "err", err)
	case err != nil || done.Before == 0:
	case done.After == done.Before:
		fmt.Fprintf(c.Out, "Most of its %d entries are; it stays as it is (%v).\n", done.Before, took)
	default:
		fmt.Fprintf(c.Out, "The journal had %d entries; rewritten, it has %d (%v).\n", done.Before, done.After, took)
	}
}
