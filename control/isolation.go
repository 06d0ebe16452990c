package control

import (
	"fmt"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// Completed does not speak for every edge of a distribution that puts availability first (distribution.ServeStale): one that
// is cut off goes on showing what it has when its lease has run out. Whether an edge does so depends on what it
// knows, which may be a configuration of before; a receipt must not promise too much, and says so of the edge.

// clinging is when a distribution's edges have been told so: from an entry on, until another; to is 0 while it is so. Several
// times are taken for one.
type clinging struct{ from, to uint64 }

// put folds the next configuration's tags in.
func (c *clinging) put(seq uint64, tags map[string]string) {
	is := distribution.IsolationOf(tags) == distribution.ServeStale
	switch {
	case is && c.from == 0:
		c.from = seq
	case is:
		c.to = 0
	case c.from != 0 && c.to == 0:
		c.to = seq
	}
}

// of tells whether an edge may have been told so that has applied entries up to acked, perhaps more, and not entry seq.
func (c clinging) of(acked, seq uint64) bool {
	return c.from != 0 && c.from < seq && (c.to == 0 || c.to > acked)
}

const (
	silentUntilCompleted = "did not acknowledge it; completed when its lease had provably run out, since when it serves no hit from before"
	unboundNow           = "did not acknowledge it: Completed does not speak for it. Cut off, it goes on showing what it has (" +
		distribution.TagIsolation + "=" + distribution.IsolationServeStale + "), until it is back"
	unboundOnce = "did not acknowledge it: it may have gone on showing what it had (" +
		distribution.TagIsolation + "=" + distribution.IsolationServeStale + ") until it was back"
	unboundThen = "; from then on Completed will not speak for it, as it goes on showing what it has (" +
		distribution.TagIsolation + "=" + distribution.IsolationServeStale + ")"
)

// silentRow completes the line of an edge that had not acknowledged entry seq of d when that was completed.
func (c *Control) silentRow(row ReceiptRow, d *distributionState, seq, acked uint64) ReceiptRow {
	row.Lagging = silentUntilCompleted
	if d == nil || !d.clinging.of(acked, seq) {
		return row
	}
	row.Lagging = unboundOnce
	c.tracking.mu.Lock()
	defer c.tracking.mu.Unlock()
	if now, member := c.tracking.tracker.AckedBy(row.Edge); member && now < seq {
		row.Lagging, row.Unbound = unboundNow, true
	}
	return row
}

// lagging says why an edge has not applied entry seq of d, which was last heard of that long ago and is waited for until due.
func lagging(r *journal.Row, d *distributionState, seq uint64, left time.Duration, waiting bool) string {
	why := fmt.Sprintf("has applied entries up to %d, this is %d; last heard of %s ago", r.Acked, seq, r.Silent.Round(100*time.Millisecond))
	if waiting {
		why += fmt.Sprintf("; waited for until its lease has provably run out, in %s", left.Round(time.Second))
		if d != nil && d.clinging.of(r.Acked, seq) {
			why += unboundThen
		}
	}
	return why
}

// former says why an edge is waited for that is none any more.
func former(e journal.Ending) string {
	return fmt.Sprintf("was removed, or replaced by another machine, and may have been heard elsewhere just before: waited for until its lease has provably run out, in %s", e.Left.Round(time.Second))
}
