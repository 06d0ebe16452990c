package control

import (
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// Receipt tells edge by edge how an invalidation went.
type Receipt struct {
	Invalidation *Invalidation
	Took         time.Duration // from accepted, or in force, to Completed; so far, while in progress
	Edges        []ReceiptRow  // by name; of a completed one that was for more than journal.CompletedEdges, only those that were silent
	Members      int           // for how many edges it was; those that are none any more do not count
}

// ReceiptRow is one edge's line of a receipt. Times are the edge's clock's and at the latest: edges
// acknowledge, and trackers declare, several entries at once when they come fast.
type ReceiptRow struct {
	Edge     string
	Location string
	Applied  bool
	At       time.Time     // when it had applied it; zero when it has not, or when it is no longer remembered
	Took     time.Duration // from accepted to applied; so far, while waiting
	Lagging  string        // why it has not applied it, when that takes long; else ""
	Unbound  bool          // Completed does not speak for it: it is cut off, and goes on showing what it has (isolation.go)
	Waits    bool          // its location's turn has not come; of one that was withdrawn, it never will
	Former   bool          // an operator has removed it, or let another machine in under its name, and it is waited for all the same (P4)
}

// Receipt returns an invalidation's receipt; NoSuchDistribution, NoSuchInvalidation.
func (c *Control) Receipt(distributionID, id string) (*Receipt, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	inv, err := c.state.invalidation(distributionID, id)
	if err != nil {
		return nil, err
	}
	return c.receipt(inv), nil
}

// receipt makes it; the state is held for reading.
func (c *Control) receipt(inv *invalidationState) *Receipt {
	r := &Receipt{Invalidation: inv.view()}
	switch {
	case inv.planned != nil: // no edge has heard of it
	case len(inv.waves) > 0:
		c.rolloutReceipt(r, inv)
	default:
		c.plainReceipt(r, inv)
	}
	for _, e := range r.Edges {
		if !e.Former {
			r.Members++
		}
	}
	for _, done := range inv.completions() {
		r.Members = max(r.Members, done.Members)
	}
	return r
}

// plainReceipt is of one that is for all edges at once.
func (c *Control) plainReceipt(r *Receipt, inv *invalidationState) {
	accepted, d := inv.fact.CreateTime, c.state.distributions[inv.fact.DistributionID]
	if done := inv.completed; done != nil {
		r.Took = since(accepted, done.At)
		for _, e := range done.edges() {
			row := c.completedRow(e, d, inv.seq, accepted, done.At)
			r.Edges = append(r.Edges, row)
			if row.Applied { // done.At is in whole milliseconds, row.At is not
				r.Took = max(r.Took, row.Took)
			}
		}
		return
	}
	now := c.now()
	r.Took = since(accepted, now)
	for _, row := range c.trackedRows(d, inv.seq) {
		r.Edges = append(r.Edges, row.since(accepted, now))
	}
}

// rolloutReceipt is of one that comes location by location: what each completed wave's fact has of the edges that it was
// for, how those get on whose turn it is, and who waits.
func (c *Control) rolloutReceipt(r *Receipt, inv *invalidationState) {
	accepted, now, d := inv.fact.CreateTime, c.now(), c.state.distributions[inv.fact.DistributionID]
	end := now
	if inv.completed != nil {
		end = inv.completed.At
	} else if inv.withdrawn != nil {
		end = inv.withdrawn.Time
	}
	r.Took = since(accepted, end)
	for _, w := range inv.waves {
		if w.completed == nil {
			for _, row := range c.trackedRows(d, w.seq) {
				if w.fact.Wave.Covers(row.Location) {
					r.Edges = append(r.Edges, row.since(accepted, now))
				}
			}
			continue
		}
		for _, e := range w.completed.edges() {
			if w.fact.Wave.Covers(e.Location) {
				r.Edges = append(r.Edges, c.completedRow(e, d, w.seq, accepted, w.completed.At))
			}
		}
	}
	if !inv.waves[len(inv.waves)-1].fact.Wave.Last() {
		been := inv.been()
		for name, m := range c.state.members {
			if !slices.Contains(been, m.Location) {
				r.Edges = append(r.Edges, ReceiptRow{Edge: name, Location: m.Location, Took: r.Took, Waits: true})
			}
		}
	}
	slices.SortFunc(r.Edges, func(a, b ReceiptRow) int { return strings.Compare(a.Edge, b.Edge) })
}

// since fills in how long it took, or has taken so far.
func (row ReceiptRow) since(accepted, now time.Time) ReceiptRow {
	row.Took = since(accepted, now)
	if row.Applied {
		row.Took = since(accepted, row.At)
	}
	return row
}

// completedRow is an edge's line as the fact has it, of entry seq of d.
func (c *Control) completedRow(e journal.EdgeApplied, d *distributionState, seq uint64, accepted, completed time.Time) ReceiptRow {
	if e.At.IsZero() {
		return c.silentRow(ReceiptRow{Edge: e.Edge, Location: e.Location, Took: since(accepted, completed)}, d, seq, e.Acked)
	}
	return ReceiptRow{Edge: e.Edge, Location: e.Location, Applied: true, At: e.At, Took: since(accepted, e.At)}
}

// trackedRows gives the lines of entry seq of d, which is in progress, without Took. Edges that joined later began
// with it and have no line.
func (c *Control) trackedRows(d *distributionState, seq uint64) (rows []ReceiptRow) {
	c.tracking.mu.Lock()
	defer c.tracking.mu.Unlock()
	now := c.cfg.Clock()
	due, waiting := c.tracking.tracker.Due(seq, now)
	for _, r := range c.tracking.tracker.Rows(seq, now) {
		if r.Applied && r.AppliedAt.IsZero() {
			continue
		}
		row := ReceiptRow{Edge: r.Edge, Location: r.Location, Applied: r.Applied, At: r.AppliedAt}
		if r.Lagging {
			row.Lagging = lagging(&r, d, seq, due-now, waiting)
		}
		rows = append(rows, row)
	}
	for _, e := range c.tracking.tracker.Endings(seq, now) {
		rows = append(rows, ReceiptRow{Edge: e.Edge, Location: e.Location, Former: true, Lagging: former(e)})
	}
	slices.SortStableFunc(rows, func(a, b ReceiptRow) int { return strings.Compare(a.Edge, b.Edge) })
	return rows
}

// since is the time from a to b, never less than nothing: the two are different clocks' times.
func since(a, b time.Time) time.Duration { return max(b.Sub(a), 0) }
