package ownapi

import (
	"context"
	"net/http"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// Fleet is the edges of other machines. All members but Relays are required.
type Fleet struct {
	Connected func() []Place                                                             // those that answer now
	Token     func(ctx context.Context, by journal.Actor, w EdgeWish) (EdgeToken, error) // makes a machine an edge
	// ControlToken makes a token for a control node.
	ControlToken func(ctx context.Context, by journal.Actor, w ControlWish) (ControlToken, error)

	Drain      func(ctx context.Context, edge string) error // asks an edge to stop cleanly
	Disconnect func(edge string)                            // that is not admitted any more

	Relays func() []Relay // all that are admitted
}

// Relay stands between control nodes and edges.
type Relay struct {
	Name, Version, Address string // the last two of one that answers
	Ready                  bool
	Edges                  int    // to which it passes on what is pushed
	Connections            int    // of edges to control nodes that it carries
	Position               uint64 // of what it has passed on last
}

type relayBody struct {
	Name        string `json:"name"`
	Version     string `json:"version"` // "": it does not answer
	Address     string `json:"address"`
	Ready       bool   `json:"ready"`
	Edges       int    `json:"edges"`
	Connections int    `json:"connections"`
	Position    uint64 `json:"position"`
}

// relays are those that are admitted.
func (h *Handler) relays() []relayBody {
	all := []relayBody{}
	if h.cfg.Fleet == nil || h.cfg.Fleet.Relays == nil {
		return all
	}
	for _, r := range h.cfg.Fleet.Relays() {
		all = append(all, relayBody(r))
	}
	return all
}

// ControlWish is the control node that somebody wants.
type ControlWish struct {
	Node string
	Life time.Duration // of the token
}

// ControlToken is a token as it is shown, once.
type ControlToken struct {
	Token   string
	Node    string
	Expires time.Time
}

type controlTokenBody struct {
	Token   string  `json:"token"`
	Node    string  `json:"node"`
	Expires instant `json:"expires"`
}

// EdgeWish is the edge that somebody wants.
type EdgeWish struct {
	Edge     string
	Location string        // "": as the name says
	Life     time.Duration // of the token
}

// EdgeToken is a token as it is shown, once.
type EdgeToken struct {
	Token    string
	Edge     string
	Location string
	Expires  time.Time
}

type edgeTokenBody struct {
	Token    string  `json:"token"`
	Edge     string  `json:"edge"`
	Location string  `json:"location"`
	Expires  instant `json:"expires"`
}

// How long a token may be good.
const (
	tokenLife     = time.Hour
	longestToken  = 7 * 24 * time.Hour
	shortestToken = time.Minute
)

// places are the edges that can be asked.
func (h *Handler) places() []Place {
	if h.cfg.Fleet == nil {
		return h.cfg.Places
	}
	return append(h.cfg.Places[:len(h.cfg.Places):len(h.cfg.Places)], h.cfg.Fleet.Connected()...)
}

// withFleet refuses where there are no edges on other machines.
func (h *Handler) withFleet() (*Fleet, error) {
	if h.cfg.Fleet == nil {
		return nil, refuse(http.StatusConflict, "Conflict", "This process takes no edges of other machines: warmfront dev has its own. Start warmfront control for that.")
	}
	return h.cfg.Fleet, nil
}

func postEdgeToken(ctx context.Context, c *call) (any, error) {
	var in struct {
		Edge     string `json:"edge"`
		Location string `json:"location"`
		Minutes  int    `json:"minutes"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	f, err := c.h.withFleet()
	if err != nil {
		return nil, err
	}
	life, err := tokenFor(in.Minutes)
	if err != nil {
		return nil, err
	}
	t, err := f.Token(ctx, c.by, EdgeWish{in.Edge, in.Location, life})
	if err != nil {
		return nil, err
	}
	return edgeTokenBody{t.Token, t.Edge, t.Location, instant(t.Expires)}, nil
}

// tokenFor is how long a token is good; 0 is not said.
func tokenFor(minutes int) (time.Duration, error) {
	switch {
	case minutes == 0:
		return tokenLife, nil
	case minutes < int(shortestToken/time.Minute) || minutes > int(longestToken/time.Minute):
		return 0, invalid("A token is good for %d to %d minutes.", shortestToken/time.Minute, longestToken/time.Minute)
	}
	return time.Duration(minutes) * time.Minute, nil
}

func postControlToken(ctx context.Context, c *call) (any, error) {
	var in struct {
		Node    string `json:"node"`
		Minutes int    `json:"minutes"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	f, err := c.h.withFleet()
	if err != nil {
		return nil, err
	}
	life, err := tokenFor(in.Minutes)
	if err != nil {
		return nil, err
	}
	t, err := f.ControlToken(ctx, c.by, ControlWish{in.Node, life})
	if err != nil {
		return nil, err
	}
	return controlTokenBody{t.Token, t.Node, instant(t.Expires)}, nil
}

// postDrain asks an edge to stop as Ctrl-C does: its answers end, then it leaves.
func postDrain(ctx context.Context, c *call) (any, error) {
	if err := c.decode(&struct{}{}); err != nil {
		return nil, err
	}
	f, err := c.h.withFleet()
	if err != nil {
		return nil, err
	}
	return nil, f.Drain(ctx, c.PathValue("edge"))
}

func deleteEdge(ctx context.Context, c *call) (any, error) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	f, err := c.h.withFleet()
	if err != nil {
		return nil, err
	}
	if err := c.h.cfg.Control.RemoveEdge(ctx, c.by, c.PathValue("edge")); err != nil {
		return nil, err
	}
	f.Disconnect(c.PathValue("edge"))
	return nil, nil
}
