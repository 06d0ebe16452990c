package jetstream

import (
	"cmp"
	"context"
)

// Nobody leads a log that is in an external NATS: of the control nodes that know of each other the first by name compacts it, of those that can. Each tells the others how it stands to that
// (present). One of an earlier version tells nothing, and nobody waits for it: it may not be able to, or may leave it to another one. That two take their turn at once, or nobody for some seconds,
// does no harm.

// ability is how a control node stands to compacting the log.
type ability struct {
	Turns  bool // it takes turns at all: of an earlier version, false
	Idle   bool `json:",omitempty"` // it does not: its account does not permit what it takes, or it is told not to
	Blind  bool `json:",omitempty"` // its account does not permit to read what would be kept: it could not go on with a log that is compacted
	Failed int  `json:",omitempty"` // how many of its tries have failed one after the other: whoever has failed less often is before it
}

func (l *Log) ability() ability {
	return ability{Turns: true, Idle: l.c.External.Idle || l.Uncompacted() != "", Blind: l.fixed.Load(), Failed: int(l.failed.Load())}
}

// tried takes how a compaction has ended. One that was broken off says nothing.
func (l *Log) tried(ctx context.Context, err error) {
	switch {
	case err == nil:
		l.failed.Store(0)
	case ctx.Err() == nil:
		l.failed.Add(1)
	}
}

// turn tells whether it is this node that compacts.
func (p *presence) turn() bool {
	own := p.l.ability()
	if own.Idle || own.Blind {
		return false
	}
	name := p.l.c.External.Node + p.id
	for _, s := range p.here() {
		switch {
		case s.Blind:
			return false
		case s.Turns && !s.Idle && cmp.Or(cmp.Compare(s.Failed, own.Failed), cmp.Compare(s.Node+s.ID, name)) < 0:
			return false
		}
	}
	return true
}
