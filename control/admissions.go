package control

import (
	"context"
	"crypto/subtle"
	"regexp"
	"strings"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/journal"
)

// Admitted is an edge on another machine, or a relay (admission.IsRelay), that has been given a certificate.
type Admitted struct {
	Edge     string
	Location string
	Serial   string // of the certificate
	Previous string // of the one that it has renewed, which counts too; "": none
	Since    time.Time
}

// Shows tells whether a certificate with this number is the edge's.
func (a *Admitted) Shows(serial string) bool {
	return serial != "" && (serial == a.Serial || serial == a.Previous)
}

const (
	maxAdmitted = 10000
	maxInvited  = 1000 // tokens that are remembered, used or not
)

// Invitation is a token for one edge, with a time limit. The token itself is not in it.
type Invitation struct {
	Token    string // its public half
	Hash     string // of the whole
	Edge     string // empty in an answer: there is no such token
	Location string
	Expires  time.Time
}

var (
	edgeName     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)
	edgeLocation = regexp.MustCompile(`^[A-Z]{3}[0-9]{1,3}(-[A-Z][0-9]{1,2})?$`)
	edgeNumber   = regexp.MustCompile(`-[0-9]+$`)
)

// LocationOf is the edge location that an edge's name speaks of: FRA50-2 and FRA50-P1-2 are the second machines of
// FRA50 and FRA50-P1.
func LocationOf(edge string) string { return edgeNumber.ReplaceAllString(edge, "") }

// InviteEdge makes a token good for one edge, or, with a name that admission.Relay makes, and no location, one relay. Who has it may become that edge; it takes the place of an edge of
// that name that there was before.
func (c *Control) InviteEdge(ctx context.Context, by journal.Actor, i Invitation) error {
	name, relay := strings.CutPrefix(i.Edge, admission.Relay(""))
	switch {
	case relay && !edgeName.MatchString(name):
		return refuse("InvalidArgument", "%.70q is no name for a relay: letters, digits and dashes, at most 63, as in fra1.", name)
	case relay && i.Location != "":
		return refuse("InvalidArgument", "A relay has no edge location.")
	case relay:
	case !edgeName.MatchString(i.Edge):
		return refuse("InvalidArgument", "%.70q is no name for an edge: letters, digits and dashes, at most 63, as in FRA50-1.", i.Edge)
	case !edgeLocation.MatchString(i.Location):
		return refuse("InvalidArgument", "%.70q is no edge location: three letters and a number, as in FRA50 or FRA50-P1.", i.Location)
	}
	if !i.Expires.After(c.now()) {
		return refuse("InvalidArgument", "The token would have expired already.")
	}
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		if s.remembered(c.now()) >= maxInvited {
			return nil, refuse("Conflict", "There are %d tokens, with those that expired within a day. Wait until there are fewer.", maxInvited)
		}
		if len(s.admitted) >= maxAdmitted && s.admitted[i.Edge] == nil {
			return nil, refuse("Conflict", "There are %d edges, and no more may be.", maxAdmitted)
		}
		return []journal.Fact{{EdgeInvited: &journal.EdgeInvited{
			Token: i.Token, Hash: i.Hash, Edge: i.Edge, Location: i.Location, Expires: i.Expires.UTC().Truncate(time.Second), By: by,
		}}}, nil
	})
	return err
}

// Invited tells of a token that is known, whether or not it is still good.
func (c *Control) Invited(token string) (Invitation, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	i := c.state.invited[token]
	if i == nil {
		return Invitation{}, false
	}
	return Invitation{i.fact.Token, i.fact.Hash, i.fact.Edge, i.fact.Location, i.fact.Expires}, true
}

// AdmitEdge uses a token up, once, whatever node is asked and however often: from then on the certificate with this
// serial number is the edge's, and no other.
//
// While an edge of that name may still answer, nobody takes its place (P2): the joining of the new one would end the membership of
// the old one, which has not applied that yet. Conflict says so, and the token stays good.
func (c *Control) AdmitEdge(ctx context.Context, token, hash, serial string) error {
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		i := s.invited[token]
		switch {
		case i == nil || subtle.ConstantTimeCompare([]byte(i.fact.Hash), []byte(hash)) != 1:
			return nil, refuse("AccessDenied", "The token is not known here. Is it whole, and of this control plane?")
		case !i.used.IsZero():
			return nil, refuse("AccessDenied", "The token is used up, since %s. Make another one: %s", i.used.Format(time.RFC3339), tokenCommand(i.fact.Edge))
		case !i.fact.Expires.After(c.now()):
			return nil, refuse("AccessDenied", "The token has expired, at %s. Make another one: %s", i.fact.Expires.Format(time.RFC3339), tokenCommand(i.fact.Edge))
		}
		if err := c.mustBeDead(s, i.fact.Edge); err != nil {
			return nil, err
		}
		return []journal.Fact{{EdgeAdmitted: &journal.EdgeAdmitted{Token: token, Edge: i.fact.Edge, Location: i.fact.Location, Serial: serial}}}, nil
	})
	return err
}

// tokenCommand is how an operator gets another token.
func tokenCommand(name string) string {
	if relay, ok := strings.CutPrefix(name, admission.Relay("")); ok {
		return "warmfront relay token " + relay
	}
	return "warmfront edge token " + name
}

// RenewEdge gives an edge, which has the certificate with the number now, another one. That counts on: the edge may not
// have got its answer, or have lost it. But of several that it has got so, only the last counts.
func (c *Control) RenewEdge(ctx context.Context, edge, now, next string) error {
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		a := s.admitted[edge]
		if a == nil {
			return nil, refuse("AccessDenied", "There is no edge %.70q that was admitted with a token.", edge)
		}
		view := a.view()
		switch {
		case !view.Shows(now):
			return nil, refuse("AccessDenied", "The certificate %.40q is not one of edge %s.", now, edge)
		case view.Previous != "" && c.now().Sub(a.time) < renewPause:
			return nil, refuse("Conflict", "The edge %s has been given a certificate just now.", edge)
		}
		return []journal.Fact{{EdgeAdmitted: &journal.EdgeAdmitted{Edge: edge, Location: a.fact.Location, Serial: next, Previous: now}}}, nil
	})
	return err
}

// renewPause bounds how often an edge makes the journal grow by renewing.
const renewPause = time.Minute

// Admitted tells of an edge that has been admitted and not removed.
func (c *Control) Admitted(edge string) (Admitted, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	a := c.state.admitted[edge]
	if a == nil {
		return Admitted{}, false
	}
	return a.view(), true
}

// AllAdmitted lists all such edges, in no order.
func (c *Control) AllAdmitted() []Admitted {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]Admitted, 0, len(c.state.admitted))
	for _, a := range c.state.admitted {
		all = append(all, a.view())
	}
	return all
}

// RemoveEdge ends an admission, and with it the membership (P4): the certificate counts no more, and nothing waits for the
// edge. The caller knows that it is off, or cut off from its viewers: what it still served would break the promise
// of Completed. An edge that was heard within the lease is therefore refused. That is this node's knowledge, and another may have heard it:
// so completions wait, once more, until no lease from before the removal can be left (journal.Tracker).
func (c *Control) RemoveEdge(ctx context.Context, by journal.Actor, edge string) error {
	_, err := c.commit(ctx, func(s *state) ([]journal.Fact, error) {
		if relay, ok := strings.CutPrefix(edge, admission.Relay("")); ok && s.admitted[edge] == nil {
			return nil, refuse("NoSuchEdge", "There is no relay %.70s.", relay)
		}
		if s.admitted[edge] == nil {
			return nil, refuse("NoSuchEdge", "There is no edge %.70q that was admitted with a token.", edge)
		}
		if err := c.mustBeDead(s, edge); err != nil {
			return nil, err
		}
		var facts []journal.Fact
		if m := s.members[edge]; m != nil {
			facts = append(facts, journal.Fact{EdgeLeft: &journal.EdgeLeft{Edge: edge, Incarnation: m.Incarnation}})
		}
		return append(facts, journal.Fact{EdgeRemoved: &journal.EdgeRemoved{Edge: edge, By: by}}), nil
	})
	return err
}

// mustBeDead refuses while a member of that name may hold a lease. It belongs into the commit that ends the membership: the
// member that is looked at is then the one that it ends, and no process that has joined meanwhile.
func (c *Control) mustBeDead(s *state, edge string) error {
	if s.members[edge] == nil {
		return nil
	}
	c.tracking.mu.Lock()
	now := c.cfg.Clock()
	silent, gone := c.tracking.tracker.Silent(edge, now), c.tracking.tracker.Gone(edge, now)
	c.tracking.mu.Unlock()
	if gone {
		return nil
	}
	return refuse("Conflict", "%s is alive: it was heard %s ago. Stop it first (warmfront edge drain %s); one that has died may be removed or replaced %s after its last sign of life.",
		edge, silent.Truncate(100*time.Millisecond), edge, c.cfg.Timing.Wait().Truncate(time.Second))
}

// JoinAdmitted is Join for an edge on another machine: only one that is admitted joins, and where it was admitted to. The end of
// its admission, which may come while it asks, is then the end of its membership. serial is of the certificate that it has; "": it does not say, being of
// an earlier version. Who was let in by it may be admitted no more by the time that its join is decided: another machine, which has its name by now, must not be
// taken for the one that has joined.
func (c *Control) JoinAdmitted(ctx context.Context, edge journal.EdgeJoined, serial string) error {
	_, err := c.join(ctx, edge, func(s *state) error {
		switch a := s.admitted[edge.Edge]; {
		case admission.IsRelay(edge.Edge):
			return refuse("AccessDenied", "%.70q is a relay: it serves no viewers.", edge.Edge)
		case a == nil:
			return refuse("AccessDenied", "There is no edge %.70q that was admitted with a token.", edge.Edge)
		case a.fact.Location != edge.Location:
			return refuse("AccessDenied", "The edge %s was admitted to %s, not to %.70q.", edge.Edge, a.fact.Location, edge.Location)
		default:
			if view := a.view(); serial != "" && !view.Shows(serial) {
				return refuse("AccessDenied", "The certificate %.40q is not one of edge %s any more: another machine has its name.", serial, edge.Edge)
			}
		}
		return nil
	})
	return err
}

// What follows is the state's part.

type invited struct {
	fact *journal.EdgeInvited
	used time.Time // zero: not yet
	by   *journal.EdgeAdmitted
}

type admitted struct {
	fact *journal.EdgeAdmitted
	time time.Time // of the entry
}

func (a *admitted) view() Admitted {
	return Admitted{a.fact.Edge, a.fact.Location, a.fact.Serial, a.fact.Previous, a.time}
}

// rememberToken is how long after its end a token is remembered, so that one who comes with it learns why not.
const rememberToken = 24 * time.Hour

// remembered counts the tokens that the next one leaves.
func (s *state) remembered(now time.Time) (n int) {
	for _, i := range s.invited {
		if now.Sub(i.fact.Expires) <= rememberToken {
			n++
		}
	}
	return n
}

func (s *state) invite(e *journal.Entry, f *journal.EdgeInvited) []Change {
	for token, i := range s.invited {
		if e.Time.Sub(i.fact.Expires) > rememberToken {
			delete(s.invited, token)
		}
	}
	s.invited[f.Token] = &invited{fact: f}
	return nil
}

func (s *state) admit(e *journal.Entry, f *journal.EdgeAdmitted) []Change {
	if i := s.invited[f.Token]; i != nil {
		i.used, i.by = e.Time.UTC().Round(0), f
	}
	s.admitted[f.Edge] = &admitted{f, e.Time.UTC().Round(0)}
	return []Change{{Kind: ChangeNode, ID: f.Edge}}
}

// keeps tells whether an Extract must keep the fact.
func (s *state) keeps(f *journal.Fact) bool {
	switch {
	case f.EdgeInvited != nil:
		i := s.invited[f.EdgeInvited.Token]
		return i != nil && i.fact == f.EdgeInvited
	case f.EdgeAdmitted != nil:
		i, a := s.invited[f.EdgeAdmitted.Token], s.admitted[f.EdgeAdmitted.Edge]
		return i != nil && i.by == f.EdgeAdmitted || a != nil && a.fact == f.EdgeAdmitted
	}
	if f.AccessChanged != nil {
		return s.access.has(f.AccessChanged)
	}
	// Without it, an older admission that is kept for its token's sake would come back.
	return f.EdgeRemoved != nil
}
