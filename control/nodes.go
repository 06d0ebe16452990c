package control

import (
	"context"
	"slices"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// Node is an edge that takes part.
type Node struct {
	Edge        string
	Location    string
	Incarnation string
	Joined      time.Time
	Applied     uint64        // the newest entry that it is known to have applied
	Behind      uint64        // entries since
	Silent      time.Duration // since its last sign of life
}

// Nodes lists the edges that are members, by name.
func (c *Control) Nodes() []Node {
	c.mu.RLock()
	defer c.mu.RUnlock()
	c.tracking.mu.Lock()
	rows := c.tracking.tracker.Rows(c.state.seq, c.cfg.Clock())
	c.tracking.mu.Unlock()

	nodes := make([]Node, 0, len(rows))
	for _, r := range rows {
		n := Node{Edge: r.Edge, Location: r.Location, Incarnation: r.Incarnation, Applied: r.Acked, Silent: r.Silent}
		if m := c.state.members[r.Edge]; m != nil {
			n.Joined = m.time
		}
		if c.state.seq > r.Acked {
			n.Behind = c.state.seq - r.Acked
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// Join makes an edge a member (P2) and returns the number of the entry; it must apply it before it
// serves. A new incarnation replaces the old one: after a crash nobody has left, and the name says
// who it was. Joining again as who one is returns the same number. Who has not seen the membership that it would
// end is refused: it may be a request of an earlier process that comes late, whose successor must not be put out by it. So is who has
// left, or was ended by an operator: it joins as another incarnation, when it has read so and what it decided as a member is settled.
// An edge asks again as who it is while it has not read its join. Were that appended behind the end of the membership, it would
// acknowledge (P2) what the edge, serving by the first, may not have applied.
func (c *Control) Join(ctx context.Context, edge journal.EdgeJoined) (uint64, error) {
	return c.join(ctx, edge, func(*state) error { return nil })
}

func (c *Control) join(ctx context.Context, edge journal.EdgeJoined, check func(*state) error) (uint64, error) {
	if edge.Edge == "" || edge.Incarnation == "" {
		return 0, refuse("InvalidArgument", "An edge joins with its name and an incarnation that is new at each start.")
	}
	var joined uint64
	e, _, err := c.commitWithin(ctx, c.crowd.wait(crowdWindow(c.members())), weightOfMembership, func(s *state, before []journal.Fact) ([]journal.Fact, error) {
		if err := check(s); err != nil {
			return nil, err
		}
		if comesOrGoes(before, edge.Edge) {
			return nil, journal.ErrNext
		}
		switch means, at := c.joining(s, &edge); means {
		case journal.Strayed:
			return nil, refuse("Conflict", "%s follows a journal that has another entry %d: read this one and ask again.", edge.Edge, edge.After)
		case journal.Left:
			return nil, refuse("Conflict", "%s has left as %.8s: read so and join as another incarnation.", edge.Edge, edge.Incarnation)
		case journal.Joined:
			joined = at
			return nil, nil
		case journal.Replaced:
			return nil, refuse("Conflict", "%s has joined meanwhile, with entry %d: read it and ask again.", edge.Edge, at)
		}
		return []journal.Fact{{EdgeJoined: &edge}}, nil
	})
	if err != nil {
		return 0, err
	}
	if e != nil {
		joined = e.Seq
	}
	return joined, nil
}

// joining judges a request to join, from within a commit: the tracker has folded all that the state has.
func (c *Control) joining(s *state, edge *journal.EdgeJoined) (journal.Joining, uint64) {
	c.tracking.mu.Lock()
	defer c.tracking.mu.Unlock()
	return c.tracking.tracker.Joining(edge, s.left[edge.Edge])
}

// Leave ends a membership, after the edge's last answer. An operator may call it for an edge that is
// known to be dead, its machine off or its process gone: P4's external fence. While it may still
// answer, calling it breaks the promise of Completed. Not a member with this incarnation: nothing to do.
func (c *Control) Leave(ctx context.Context, edge journal.EdgeLeft) error {
	_, _, err := c.commitWithin(ctx, c.crowd.wait(crowdWindow(c.members())), weightOfMembership, func(s *state, before []journal.Fact) ([]journal.Fact, error) {
		if comesOrGoes(before, edge.Edge) {
			return nil, journal.ErrNext
		}
		if m := s.members[edge.Edge]; m == nil || m.Incarnation != edge.Incarnation {
			return nil, nil
		}
		return []journal.Fact{{EdgeLeft: &edge}}, nil
	})
	return err
}

// weightOfMembership is about how many octets it takes to say that an edge has come or gone.
const weightOfMembership = 512

// comesOrGoes tells whether one of the facts is about this edge's membership.
func comesOrGoes(facts []journal.Fact, edge string) bool {
	return slices.ContainsFunc(facts, func(f journal.Fact) bool {
		return f.EdgeJoined != nil && f.EdgeJoined.Edge == edge || f.EdgeLeft != nil && f.EdgeLeft.Edge == edge
	})
}

// members is how many edges take part.
func (c *Control) members() int {
	c.tracking.mu.Lock()
	defer c.tracking.mu.Unlock()
	return c.tracking.tracker.Members()
}
