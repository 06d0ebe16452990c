package journal

import "errors"

// Pursuit is what a Follower decides (E1), as a pure state machine: which pushes and which answers to reads are the next entries,
// when to read and from where, when the log is not the one that was followed. It has never heard of time, network or goroutines.
// Events are its methods; what is to be done is said by calls of the four functions, from within them. Not safe for concurrent use.
//
// A read takes as long as the log is away, and under a steady stream something new has come whenever one is answered.
// So pushes go on being applied while a read is under way, those that do not fit are kept until it is answered, and
// reading ends where pushes go on. Otherwise an edge that is far away would read for ever, and be a round trip behind.
type Pursuit struct {
	Apply func([]*Entry)                   // these are the next entries; nothing of the slice is kept
	Reset func(reason string, missed bool) // the log is another one: everything stored is dead. missed: it does not go back far enough
	Begin func(*Reading)                   // begin this read; its answer is for Answered, in the order of beginning
	End   func(*Reading)                   // nobody waits for this one any more

	cur    cursor
	asked  []*Reading  // reads under way, in the order in which their answers are taken
	batch  int         // how many entries the next one asks for
	kept   []*Entry    // pushes since the first of them that did not fit, at most maxMailbox
	known  map[ID]bool // what the last answer brought: their pushes may come later
	pushed Position    // of the newest push that fitted, or that a read had brought before
	fitted []*Entry    // pushes that are to be applied next
	look   bool        // read, even if nothing was pushed
	there  uint64      // the log is said to go at least up to here
}

// NewPursuit returns one that has applied everything up to from, and wants to read.
func NewPursuit(from Position) *Pursuit {
	return &Pursuit{cur: cursor{at: from}, batch: readBatch, look: true}
}

// At returns what has been applied.
func (p *Pursuit) At() Position { return p.cur.at }

// First is the read whose answer is taken next; nil: none is under way.
func (p *Pursuit) First() *Reading {
	if len(p.asked) == 0 {
		return nil
	}
	return p.asked[0]
}

// Pushed takes entries that came by themselves, in order; none is allowed. look: read, even if nothing is missing. The log is known to go at
// least up to there.
func (p *Pursuit) Pushed(entries []*Entry, look bool, there uint64) {
	p.look, p.there = p.look || look, max(p.there, there)
	if n := len(entries); n > 0 {
		p.there = max(p.there, entries[n-1].Seq)
	}
	if missing := p.fit(entries); len(p.asked) == 0 && (missing || p.look) {
		p.look = false
		p.read()
	}
}

// fit applies those of some pushes that are the next entries, and reports whether one that is not calls for a read.
func (p *Pursuit) fit(pushed []*Entry) (missing bool) {
	next := p.fitted[:0]
	for _, e := range pushed {
		if p.next(e) {
			next = append(next, e)
		} else {
			missing = p.misses(e) || missing
		}
	}
	p.apply(next)
	clear(next)
	p.fitted = next
	return missing
}

// next tells whether a push is the next entry, and moves on to it.
func (p *Pursuit) next(e *Entry) bool {
	accepted, _ := p.cur.pushed(e)
	if accepted {
		p.pushed = p.cur.at
	}
	return accepted
}

// misses tells whether a push that is not the next entry calls for a read.
func (p *Pursuit) misses(e *Entry) bool {
	if p.known[e.ID] {
		p.pushed = PositionOf(e)
		return false // merely late
	}
	if len(p.asked) == 0 {
		return true
	}
	if len(p.kept) < maxMailbox {
		p.kept = append(p.kept, e)
	} else {
		p.look = true
	}
	return false
}

// Answered applies what the first read under way brought, and then what was pushed meanwhile. quick: it was soon. Pushed is to be called
// after it, be it with nothing: after an error, when some time has passed.
func (p *Pursuit) Answered(entries []*Entry, err error, quick bool) error {
	r, kept := p.asked[0], p.kept
	p.asked, p.kept = p.asked[1:], nil
	full := len(entries) == r.Size
	if r.guessed {
		if entries = p.cur.joined(entries); entries == nil {
			p.drop() // it is read again, from where the cursor stands
			p.look = true
			return nil
		}
		r.at = p.cur.at
	}
	if errors.Is(err, ErrBroken) {
		p.reset(err.Error())
	}
	if err != nil {
		p.batch = readBatch
		p.drop()
		return err
	}
	apply, end, broken := p.cur.answered(r.at, entries)
	if broken == "" {
		p.ahead(full && quick)
	}
	if len(apply) > 0 {
		p.known = map[ID]bool{}
	}
	for _, e := range apply {
		p.known[e.ID] = true
	}
	p.apply(apply)
	if broken != "" {
		p.drop()
		if r.guessed { // only who asks from where it stands is told so
			p.look = true
			return nil
		}
		p.reset(broken)
		// Through the caller's back-off: a log that is broken in the middle would be read in a circle.
		return errors.New(broken)
	}
	if missing := p.fit(kept); missing || !end && len(p.asked) == 0 && p.pushed != p.cur.at {
		p.look = true
	}
	return nil
}

func (p *Pursuit) apply(entries []*Entry) {
	if len(entries) > 0 {
		p.Apply(entries)
	}
}

func (p *Pursuit) reset(reason string) {
	missed := p.cur.missed
	p.cur, p.pushed, p.known, p.there = cursor{}, Position{}, nil, 0
	p.Reset(reason, missed)
}
