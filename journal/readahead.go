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

// reading is a read under way.
type reading struct {
	from    uint64
	size    int
	at      Position // where the cursor stood when it began
	guessed bool     // it began elsewhere
	answer  chan answer
	cancel  context.CancelFunc
}

// answer is what came of a read.
type answer struct {
	entries []*Entry
	err     error
	took    time.Duration
}

// first is where the answer comes that is taken next; nil: no read is under way.
func (f *Follower) first() <-chan answer {
	if len(f.asked) == 0 {
		return nil
	}
	return f.asked[0].answer
}

// read begins a read from where the cursor stands. What was pushed before it is in its answer, or in the next one's.
func (f *Follower) read(ctx context.Context) {
	f.kept = nil
	f.ask(ctx, &reading{from: f.cur.from(), at: f.cur.at})
}

func (f *Follower) ask(ctx context.Context, r *reading) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.size, r.answer = f.batch, make(chan answer, 1)
	f.asked = append(f.asked, r)
	f.reads.Go(func() {
		defer r.cancel()
		began := time.Now()
		entries, err := f.c.Log.Read(ctx, r.from, r.size)
		r.answer <- answer{entries, err, time.Since(began)}
	})
}

// ahead begins reads of what comes behind an answer that the cursor has taken. More is asked for at once if the answer was all that it was
// asked for, and came soon.
func (f *Follower) ahead(ctx context.Context, more bool) {
	if !more {
		f.batch = readBatch
		return
	}
	f.batch = min(2*f.batch, mostBatch)
	if len(f.asked) == 0 {
		f.read(ctx)
	}
	f.mu.Lock()
	there := f.there
	f.mu.Unlock()
	for f.cur.base == 0 && len(f.asked) < mostAhead {
		last := f.asked[len(f.asked)-1]
		from := last.from + uint64(last.size) - 1
		if from+uint64(f.batch) > there {
			return
		}
		f.ask(ctx, &reading{from: from, guessed: true})
	}
}

// drop gives up the reads under way.
func (f *Follower) drop() {
	for _, r := range f.asked {
		r.cancel()
	}
	f.asked = nil
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
