package node

import (
	"context"
	"errors"
	"time"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/ownapi"
	"github.com/warmfront/warmfront/telemetry"
)

// JournalEntries is the default of Config.JournalEntries. Reading that many takes two seconds; freshness probes alone append them in two days.
const JournalEntries = 100_000

const (
	// compactSince is how long an edge may be away and keep its cache, if there are not too many entries since.
	compactSince = 24 * time.Hour

	// compactEvery is how often a node looks whether its journal has grown. That takes no read.
	compactEvery = time.Minute

	// compactQuiet is how long nobody may have read what goes: an edge that begins, from far away, asks for more within that time.
	compactQuiet = 5 * time.Second
)

// compaction is what is left out of the journal, and what stays as it is for edges that were away: a day, but no more entries than a start can read
// in some seconds, nor fewer than some hours have.
func (c *Config) compaction() jetstream.Compaction {
	n := uint64(c.JournalEntries)
	if n == 0 {
		n = JournalEntries
	}
	w := jetstream.Compaction{
		Least: n, Tail: n / 10, Most: n * 5 / 2, Since: time.Now().Add(-compactSince), Quiet: compactQuiet,
		Extract: control.NewExtract(c.Quotas), // those that control gets
	}
	if c.compactTail > 0 {
		w.Tail, w.Since, w.Quiet = c.compactTail, time.Time{}, 0
	}
	return w
}

// keepJournalShort compacts the journal while it runs, whenever it has grown; that of several nodes, if this one leads it; else it
// finds out now and then what another has done. Nobody leads one that is in an operator's NATS: the first by name compacts it, of those that are there and can.
func (d *process) keepJournalShort(p *phase) {
	log, ok := d.log.(*jetstream.Log)
	if !ok {
		return
	}
	d.metrics.AddJournal(func() telemetry.JournalState {
		x := log.Extent()
		return telemetry.JournalState{Entries: x.Entries, Base: x.Base, Bytes: x.Bytes, Compacted: x.Compacted, Uncompacted: log.Uncompacted() != ""}
	})
	if d.JournalEntries == 0 && log.Nodes() == nil {
		return
	}
	p.run(func(ctx context.Context) error {
		every := d.compactEvery
		if every == 0 {
			every = compactEvery
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for looked := uint64(0); ; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
			if err := log.Refresh(ctx); err != nil {
				continue // the others are not to be asked now
			}
			x, least := log.Extent(), uint64(d.JournalEntries)
			if least == 0 || !log.Compacts() || x.Last < max(looked, x.Base)+least {
				continue
			}
			_, err := d.compact(ctx, log, least)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, jetstream.ErrNotRunning) && log.Nodes() == nil:
				return nil // the next start compacts it
			case errors.Is(err, jetstream.ErrNotRunning): // which has been said
			case err != nil:
				d.Logger.Warn("the journal cannot be compacted; it stays whole, and is tried again", "err", err)
			}
			looked = x.Last - least + least/4 // not read over and over while most of it is needed
		}
	})
}

// compact compacts the journal, if it has at least so many entries.
func (d *process) compact(ctx context.Context, log *jetstream.Log, least uint64) (jetstream.Compacted, error) {
	w := d.compaction()
	w.Least, w.Applied = least, d.control.Applied()
	return log.Compact(ctx, w)
}

// compactTo is compact for who says how much is to stay, however many entries that are: all before that goes, of which there need not be much.
func (d *process) compactTo(ctx context.Context, log *jetstream.Log, keep time.Duration) (jetstream.Compacted, error) {
	w := d.compaction()
	w.Least, w.Applied, w.Any, w.Tail, w.Most, w.Since = 1, d.control.Applied(), true, 1, 0, time.Now().Add(-keep)
	return log.Compact(ctx, w)
}

// compactNow is ownapi.Config.Compact.
func (d *process) compactNow(ctx context.Context, keep *time.Duration) (*ownapi.Compacted, error) {
	log, ok := d.log.(*jetstream.Log)
	if !ok {
		return nil, ownapi.ErrNotCompacted
	}
	var done jetstream.Compacted
	var err error
	if keep != nil {
		done, err = d.compactTo(ctx, log, *keep)
	} else {
		done, err = d.compact(ctx, log, 1)
	}
	if errors.Is(err, jetstream.ErrNotRunning) {
		err = errors.Join(ownapi.ErrNotCompacted, err)
	}
	if err != nil {
		return nil, err
	}
	return &ownapi.Compacted{Before: done.Before, After: done.After, Base: log.Extent().Base}, nil
}
