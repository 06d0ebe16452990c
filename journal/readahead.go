package journal

import (
	"context"
	"time"
)

// A follower that is far behind would wait most of the time: while the log is read, or the way is long, nothing is applied, and while
// entries are applied nothing is read. So the next read begins before what the last one brought is applied; and where the log is known
// to go on, by pushes and answers to probes, and its numbers have no holes, several do at once: all but the first begin where
// the one before it will have ended, if it brings all that it is asked for. An answer that does not join on is thrown away, and nothing is
// concluded from it: the entries are read anew, from where the follower stands. So E1 rests on the same reads as ever.

const (
	readBatch = 512  // how many entries a read asks for at first
	mostBatch = 4096 // and at most, when they come soon
	mostAhead = 4    // reads under way at once (L9)

	// soon is how long a read may take of a follower that asks for more at once. On a thin line large answers would only stand in the way
	// of probes.
	soon = 500 * time.Millisecond
)

// Reading is a read under way.
type Reading struct {
	From uint64
	Size int // how many entries are asked for

	at      Position // where the cursor stood when it began
	guessed bool     // it began elsewhere

	answer chan answer // of a Follower
	cancel context.CancelFunc
}

// answer is what came of a read.
type answer struct {
	entries []*Entry
	err     error
	took    time.Duration
}

// first is where the answer comes that is taken next; nil: no read is under way.
func (f *Follower) first() <-chan answer {
	if r := f.p.First(); r != nil {
		return r.answer
	}
	return nil
}

// read sends a read on its way.
func (f *Follower) read(ctx context.Context, r *Reading) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.answer = make(chan answer, 1)
	f.reads.Go(func() {
		defer r.cancel()
		began := time.Now()
		entries, err := f.c.Log.Read(ctx, r.From, r.Size)
		r.answer <- answer{entries, err, time.Since(began)}
	})
}

// read begins a read from where the cursor stands. What was pushed before it is in its answer, or in the next one's.
func (p *Pursuit) read() {
	p.kept = nil
	p.ask(&Reading{From: p.cur.from(), at: p.cur.at})
}

func (p *Pursuit) ask(r *Reading) {
	r.Size = p.batch
	p.asked = append(p.asked, r)
	p.Begin(r)
}

// ahead begins reads of what comes behind an answer that the cursor has taken. More is asked for at once if the answer was all that it was
// asked for, and came soon.
func (p *Pursuit) ahead(more bool) {
	if !more {
		p.batch = readBatch
		return
	}
	p.batch = min(2*p.batch, mostBatch)
	if len(p.asked) == 0 {
		p.read()
	}
	for p.cur.base == 0 && len(p.asked) < mostAhead {
		last := p.asked[len(p.asked)-1]
		from := last.From + uint64(last.Size) - 1
		if from+uint64(p.batch) > p.there {
			return
		}
		p.ask(&Reading{From: from, guessed: true})
	}
}

// drop gives up the reads under way.
func (p *Pursuit) drop() {
	for _, r := range p.asked {
		p.End(r)
	}
	p.asked = nil
}

// joined returns the answer to a read that began elsewhere from the entry on at which the cursor stands; nil: it does not join on.
func (c *cursor) joined(entries []*Entry) []*Entry {
	for i, e := range entries {
		if e.Seq >= c.at.Seq {
			if c.base > 0 || e.Base > 0 || PositionOf(e) != c.at || i+1 == len(entries) {
				return nil
			}
			return entries[i:]
		}
	}
	return nil
}
