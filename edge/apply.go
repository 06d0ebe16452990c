package edge

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
)

// apply is E2: it makes the next entries true for every later decision, all at once. From the follower's goroutine.
//
// The order matters. The snapshot first: from here on lookups and stores judge by the new rules.
// Then the flights: what they bring is already refused, poisoning only lets their waiters go at once.
// Then the lease, which may become fresh by these entries, and last the acknowledgement's queue.
func (e *Edge) apply(entries []*journal.Entry) {
	if planted(servesEarly) && !e.lease.Synced() {
		<-time.After(time.Millisecond) // as if the log were long
	}
	if planted(markUnkept) && !e.lease.Synced() {
		<-time.After(100 * time.Millisecond) // the same
	}
	if planted(parentBehind) && e.served.answered.Load() > 0 {
		<-time.After(30 * time.Millisecond) // as if the way to it were long
	}
	e.publish.Lock()
	old := e.snap.Load()
	d := old.draft()
	for _, entry := range entries {
		if d.seq == 0 {
			d.epoch, d.life = entry.Epoch, e.begins(entry)
		}
		d.life = e.resume(entry, d.life)
		d.seq, d.id = entry.Seq, entry.ID
		e.trail.note(entry)
		for i := range entry.Facts {
			e.fold(d, entry, &entry.Facts[i])
		}
	}
	next := d.snap()
	e.snap.Store(next)
	e.publish.Unlock()

	if len(d.touched) > 0 {
		if !planted(waiterUnchecked) && !planted(stampAtStore) && !planted(packedAnew) { // a courtesy, behind which these would hide
			e.flights.poison(old, next, d.touched)
		}
		e.sweeper.wake()
	}
	e.lease.Applied(next.seq)
	e.progress.note()
	e.member.applied(old, next, d.told)
}

// fold applies one fact. What an edge has no use for passes by.
func (e *Edge) fold(d *draft, entry *journal.Entry, f *journal.Fact) {
	e.foldRoster(d, f)
	switch {
	case f.DistributionPut != nil:
		e.foldPut(d, entry, f.DistributionPut)
	case f.DistributionDeleted != nil:
		d.sites.of(f.DistributionDeleted.ID).goes()
		d.put(f.DistributionDeleted.ID, nil)
		d.touch(f.DistributionDeleted.ID)
		d.routes = true
	case f.Invalidated != nil:
		e.foldInvalidated(d, entry, f.Invalidated)
	case f.Forgotten != nil:
		foldForgotten(d, entry.Seq, f.Forgotten)
	case f.Withdrawn != nil && planted(restForgotten):
		if last := d.sites.of(f.Withdrawn.DistributionID); last != nil {
			next := *last
			next.abroad = last.abroad.done(f.Withdrawn.InvalidationID)
			d.put(f.Withdrawn.DistributionID, &next)
		}
	case f.EdgeJoined != nil:
		e.foldJoined(d, f.EdgeJoined)
	case f.EdgeLeft != nil:
		if f.EdgeLeft.Edge == e.cfg.Name && f.EdgeLeft.Incarnation == e.member.incarnation() {
			d.joined, d.ended = false, true
			e.member.lost("it has left")
		}
	}
}

func (e *Edge) foldPut(d *draft, entry *journal.Entry, put *journal.DistributionPut) {
	next := &site{rev: entry.Seq, wrote: new(atomic.Int64)}
	if last := d.sites.of(put.ID); last != nil {
		*next = *last
		next.rev = entry.Seq
	}
	compiled, err := distribution.Compile(distribution.Source{
		ID: put.ID, DomainName: put.DomainName, Config: put.Config, Tags: put.Tags,
		CachePolicies: put.CachePolicies, OriginRequestPolicies: put.OriginRequestPolicies,
	})
	if err != nil {
		// Control has compiled it before it was accepted, so this edge is older than the control
		// plane. The configuration that it understands is better than none.
		e.log.Error("distribution cannot be compiled; its last configuration stays in force",
			"distribution", put.ID, "seq", entry.Seq, "err", err)
		if next.Distribution == nil {
			return
		}
		next.unread = true
	} else {
		next.unread = false
		next.Distribution, next.tags = compiled, invalidation.TagListOf(compiled.CacheTagHeader)
	}
	d.put(put.ID, next)
	d.touch(put.ID)
	d.routes = true
}

// everything is what an item that cannot be read stands for: to drop too much is a cost, to drop too
// little is a lie.
var everything, _ = invalidation.Parse("/*", invalidation.Anywhere)

func (e *Edge) foldInvalidated(d *draft, entry *journal.Entry, inv *journal.Invalidated) {
	last := d.sites.of(inv.DistributionID)
	if last == nil {
		return // the distribution has been deleted since
	}
	if planted(missedUnheeded) && last.Isolation == distribution.ServeStale && e.lease.Had(e.clock()) && e.isolated() {
		return
	}
	dialect := invalidation.Anywhere
	if last.AWSWildcards {
		dialect = invalidation.AWS
	}
	items := make([]invalidation.Item, 0, len(inv.Items))
	for _, line := range inv.Items {
		item, err := invalidation.Parse(line, dialect)
		if err != nil {
			e.log.Error("invalidation item cannot be read; everything is dropped instead",
				"distribution", inv.DistributionID, "invalidation", inv.InvalidationID, "item", line, "err", err)
			item = everything
		}
		items = append(items, item)
	}
	var where *invalidation.Where
	if w := inv.Where; w != nil {
		var err error
		if where, err = invalidation.ParseWhere(invalidation.Conditions(*w)); err != nil {
			e.log.Error("invalidation's conditions cannot be read; it is applied without",
				"distribution", inv.DistributionID, "invalidation", inv.InvalidationID, "err", err)
			where = nil
		}
	}
	if planted(classUnread) && where != nil && strings.Contains(strings.Join(where.Conditions().Status, " "), "xx") {
		where, _ = invalidation.ParseWhere(invalidation.Conditions{Status: []string{"599"}})
	}
	next := *last
	if !inv.Wave.Covers(e.cfg.Location) && (d.place == "" || !inv.Wave.Covers(d.place)) {
		// The next location's turn comes when this edge, too, has acknowledged.
		d.told = true
		if next.abroad = last.abroad.with(inv.InvalidationID, entry.Seq, where, items); inv.Wave.Last() { // it has been here
			next.abroad = next.abroad.done(inv.InvalidationID)
		}
		d.put(inv.DistributionID, &next)
		return
	}
	if inv.Wave != nil {
		next.abroad = last.abroad.here(inv.InvalidationID, inv.Wave.Last())
	}
	if inv.Mode == journal.Stale {
		next.soft = last.soft.AddWhere(entry.Seq, where, items...)
	} else {
		next.index = last.index.AddWhere(entry.Seq, where, items...)
		next.ever = last.ever.with(entry.Seq, where, items...)
	}
	next.newest = max(next.index.Newest(), next.soft.Newest())
	if inv.Pace != nil || len(last.paces) > 0 {
		next.paces = e.pacing.add(last.paces, entry.Seq, inv)
	}
	d.put(inv.DistributionID, &next)
	d.touch(inv.DistributionID)
	e.sweeper.accepted(inv.DistributionID, inv.InvalidationID, entry.Seq, e.now())
}

// foldForgotten takes what stands for invalidations that a compaction has left out for one of everything: what an earlier process has
// stored may be dead by one of them.
func foldForgotten(d *draft, seq uint64, f *journal.Forgotten) {
	last := d.sites.of(f.DistributionID)
	if last == nil {
		return
	}
	next := *last
	next.index = last.index.Add(seq, everything)
	next.ever = last.ever.with(seq, nil, everything)
	next.newest = max(next.index.Newest(), next.soft.Newest())
	d.put(f.DistributionID, &next)
	d.touch(f.DistributionID)
}

func (e *Edge) foldJoined(d *draft, j *journal.EdgeJoined) {
	if j.Edge != e.cfg.Name {
		return
	}
	d.place = j.Location
	name := e.member.name.Load()
	mine := rules.Mine(*name, j)
	if j.Incarnation == *name {
		e.member.seen.Store(name)
	}
	if d.joined && !mine {
		e.log.Error("another process has joined under this edge's name; serving ends here",
			"edge", e.cfg.Name, "incarnation", j.Incarnation)
	}
	d.joined = mine
}

// reset is E1's answer to a log that was rolled back or replaced: all that was stored is dead, and
// nothing is served until this edge has joined the new one.
func (e *Edge) reset(reason string) {
	e.publish.Lock()
	old := e.snap.Load()
	// In one critical section with the snapshot: no decision on what comes next may find the lease
	// of what was before.
	e.lease.Revoke()
	for _, x := range old.sites.all() {
		x.goes()
	}
	next := &Snap{hosts: noHosts, tickets: newTickets()}
	e.snap.Store(next)
	e.publish.Unlock()

	e.member.applied(old, next, false) // heads that were decided on the old log are waited for before anything of the new is acknowledged
	e.flights.poison(old, next, nil)
	e.store.Clear()
	if e.disk != nil {
		e.loads.restart()
		e.disk.Clear()
		e.resumed = nil
	}
	e.roster.clear()
	e.trail.clear()
	e.member.lost(reason)
}

var noHosts = distribution.NewHosts(nil)

// compacted publishes the current snapshot with its indexes cut: no rule up to the bound is needed any more (E4), but
// for those that mark something which is stored. Nothing that a decision could regret changes, so the tickets stay.
func (e *Edge) compacted(life string, bound uint64, needed needs) {
	e.publish.Lock()
	defer e.publish.Unlock()
	d := e.snap.Load().draft()
	if d.life != life {
		return
	}
	for id, s := range d.sites.all() {
		if s.index.Len() == 0 && s.soft.Len() == 0 {
			continue
		}
		next := *s
		next.index = s.index.Compact(bound)
		next.soft = s.soft.Retain(func(seq uint64) bool { return seq > bound || needed.has(id, seq) })
		d.put(id, &next)
	}
	e.snap.Store(d.snap())
}
