package ownapi

import (
	"context"
	"net/http"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// Fleet is the edges of other machines. All members are required.
type Fleet struct {
	Connected  func() []Place                                                             // those that answer now
	Token      func(ctx context.Context, by journal.Actor, w EdgeWish) (EdgeToken, error) // makes a machine an edge
	Drain      func(ctx context.Context, edge string) error                               // asks an edge to stop cleanly
	Disconnect func(edge string)                                                          // that is not admitted any more
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
	w := EdgeWish{in.Edge, in.Location, tokenLife}
	if in.Minutes != 0 {
		if in.Minutes < int(shortestToken/time.Minute) || in.Minutes > int(longestToken/time.Minute) {
			return nil, invalid("A token is good for %d to %d minutes.", shortestToken/time.Minute, longestToken/time.Minute)
		}
		w.Life = time.Duration(in.Minutes) * time.Minute
	}
	t, err := f.Token(ctx, c.by, w)
	if err != nil {
		return nil, err
	}
	return edgeTokenBody{t.Token, t.Edge, t.Location, instant(t.Expires)}, nil
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
