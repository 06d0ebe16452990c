package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Commits that come while another is on its way to the disk go there together, as one entry: what a disk syncs in a
// second bounds entries, and not what is in them. Each of a group is decided on the fold and on the facts that the ones
// before it have in the same entry.

const (
	// maxGroup and maxGroupWeight bound a group; who is too heavy for it goes alone.
	maxGroup       = 1024
	maxGroupWeight = 256 << 10
	// groupPatience bounds how long the proposals of a group wait for what became of it, beyond that it is in doubt.
	groupPatience = 15 * time.Second
	// maxWaiting and maxWaitingWeight bound who waits for a group (L9); beyond them Together refuses with ErrBusy. Sixteen groups are what is
	// written in some tenths of a second.
	maxWaiting       = 16 * maxGroup
	maxWaitingWeight = 64 << 20
)

// ErrNext is what a decide function of Together returns when what is before it in its entry keeps it from being decided:
// it is asked again for the next entry.
var ErrNext = errors.New("journal: to be decided with the next entry")

// ErrMoot is what a decide function returns when there is nothing to do whatever else the log may have, such as what is done and
// cannot be undone. Commit and Together then return no entry and no error.
var ErrMoot = errors.New("journal: nothing to do")

// proposal is one commit of a group.
type proposal struct {
	ctx    context.Context
	weight int
	decide func(before []Fact) ([]Fact, error)

	// Of the turn that decides.
	first, facts int   // which facts of the entry are its own
	refused      error // with no facts: why

	done  chan struct{} // closed when entry and err are set
	entry *Entry
	err   error
}

func (p *proposal) finish(e *Entry, err error) {
	if p.facts > 0 && err == nil {
		p.entry = e
	}
	if !errors.Is(err, ErrMoot) {
		p.err = err
	}
	close(p.done)
}

// queue is who waits to be in a group.
type queue struct {
	mu      sync.Mutex
	waiting []*proposal
	weight  int // of them
}

// add reports whether there was room for p. One that is alone has it, whatever it weighs.
func (q *queue) add(p *proposal) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= maxWaiting || len(q.waiting) > 0 && q.weight+p.weight > maxWaitingWeight {
		return false
	}
	q.waiting = append(q.waiting, p)
	q.weight += p.weight
	return true
}

// leave takes p out; false: a group has it.
func (q *queue) leave(p *proposal) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, one := range q.waiting {
		if one == p {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			q.weight -= p.weight
			return true
		}
	}
	return false
}

// take returns the next group, those who came first.
func (q *queue) take() []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, weight := 0, 0
	for n < len(q.waiting) && n < maxGroup && (n == 0 || weight+q.waiting[n].weight <= maxGroupWeight) {
		weight += q.waiting[n].weight
		n++
	}
	group := append([]*proposal(nil), q.waiting[:n]...)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	q.weight -= weight
	return group
}

// back returns proposals to the front.
func (q *queue) back(later []*proposal) {
	if len(later) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(later, q.waiting...)
	for _, p := range later {
		q.weight += p.weight
	}
}

// Together is Commit for those that may share an entry with others. decide also gets the facts that are before its own in the
// entry, and must decide as if they were in the fold, or return ErrNext. weight is about how many bytes its facts are.
// first says which fact of the entry is the first of its own. Whoever waits for a commit under way joins the next. ErrBusy: too many wait, and
// this one was not decided.
func (w *Writer) Together(ctx context.Context, weight int, decide func(before []Fact) ([]Fact, error)) (e *Entry, first int, err error) {
	return w.TogetherWithin(ctx, 0, weight, decide)
}

// TogetherWithin is Together for who can wait for company: so long, but no longer than until somebody else appends a group.
func (w *Writer) TogetherWithin(ctx context.Context, wait time.Duration, weight int, decide func(before []Fact) ([]Fact, error)) (e *Entry, first int, err error) {
	p := &proposal{ctx: ctx, weight: weight, decide: decide, done: make(chan struct{})}
	if !w.queue.add(p) {
		return nil, 0, ErrBusy
	}
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-p.done:
		case <-ctx.Done():
		}
	}
	select {
	case w.turn <- struct{}{}:
		if err := over(ctx); err != nil && w.queue.leave(p) { // both at once: whose time is over leads nobody
			w.release()
			return nil, 0, err
		}
		w.leadGroups(ctx, p)
	case <-p.done:
	case <-ctx.Done():
		if w.queue.leave(p) {
			return nil, 0, ctx.Err()
		}
	}
	select {
	case <-p.done:
		return p.entry, p.first, p.err
	case <-ctx.Done(): // it is in a group that another leads
		return nil, 0, fmt.Errorf("%w: %w", ErrDoubt, ctx.Err())
	}
}

// over is ctx.Err, a moment earlier perhaps: the timer of a deadline that has come may not have gone off yet.
func over(ctx context.Context) error {
	if until, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(until) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// leadGroups commits groups until p has been in one, and gives the turn back.
func (w *Writer) leadGroups(ctx context.Context, p *proposal) {
	defer w.release()
	for {
		select {
		case <-p.done:
			return
		default:
		}
		group := w.queue.take()
		if broken := w.broken.Load(); broken != nil {
			for _, one := range group {
				one.finish(nil, *broken)
			}
			continue
		}
		// Not the leader's own time: the others' entry does not fail because its caller has gone.
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupPatience)
		w.queue.back(w.commit(one, group))
		cancel()
	}
}

// commit appends what the proposals of a group decide, and finishes them, but for those that it returns: they are to be decided
// with the next entry. With the turn.
func (w *Writer) commit(ctx context.Context, group []*proposal) (later []*proposal) {
	fail := func(err error) {
		for _, p := range group {
			p.finish(nil, err)
		}
	}
	if w.cur.at.Seq == 0 {
		_, err := w.catchUp(ctx)
		if err == nil && w.cur.at.Seq == 0 {
			err = fmt.Errorf("%w: there is no genesis entry", ErrBroken)
		}
		if err != nil {
			fail(err)
			return nil
		}
	}
	var waiting *tickBatch // probes that this commit will have answered
	for {
		facts := decideAll(group)
		if len(facts) == 0 {
			// A refusal must not come from a state that another writer has changed meanwhile; nor must it be there alone that
			// there is nothing to do.
			grown, behind := w.catchUp(ctx)
			if behind == nil && !grown && w.mayLag() && anyUnsure(group) {
				grown, behind = w.barrier(ctx)
			}
			if behind == nil && grown {
				continue
			}
			w.ticks.finish(waiting, 0, errTickAgain)
			if behind != nil {
				fail(behind)
				return later
			}
			return append(finishAll(group, nil), later...)
		}
		if waiting == nil {
			waiting = w.ticks.take()
		}
		e := w.next(facts)
		stored, err := w.append(ctx, e)
		if half := len(group) / 2; half > 0 && errors.Is(err, ErrTooLarge) {
			// What somebody said to weigh little does not. Whose own facts fit must not be refused for the others'.
			group, later = group[:half], append(group[half:len(group):len(group)], later...)
			continue
		}
		if err != nil {
			w.ticks.finish(waiting, 0, tickError(ctx, err))
			fail(err)
			return later
		}
		if stored { // in the slot behind the fold: so refusals, too, have seen the whole log
			w.ticks.finish(waiting, e.Seq, nil)
			return append(finishAll(group, e), later...)
		}
	}
}

// anyUnsure reports whether somebody will be told no, or that there is nothing to do, which might be so no more.
func anyUnsure(group []*proposal) bool {
	return slices.ContainsFunc(group, func(p *proposal) bool {
		return p.facts == 0 && !errors.Is(p.refused, ErrMoot) && !errors.Is(p.refused, errTickAgain) && p.ctx.Err() == nil
	})
}

// decideAll asks the proposals one after another, and returns the facts of them all.
func decideAll(group []*proposal) (facts []Fact) {
	for _, p := range group {
		p.first, p.facts = len(facts), 0
		if p.refused = p.ctx.Err(); p.refused != nil {
			continue
		}
		var own []Fact
		if own, p.refused = p.decide(facts); p.refused == nil {
			p.facts = len(own)
			facts = append(facts, own...)
		}
	}
	return facts
}

// finishAll tells the proposals what became of them, but for those that it returns.
func finishAll(group []*proposal, e *Entry) (later []*proposal) {
	for _, p := range group {
		if errors.Is(p.refused, ErrNext) {
			later = append(later, p)
			continue
		}
		p.finish(e, p.refused)
	}
	return later
}
