package ownapi

import (
	"context"
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

type aboutBody struct {
	Version   string      `json:"version"`
	Suffix    string      `json:"suffix"`
	Edges     []aboutEdge `json:"edges"`
	AccountID string      `json:"accountId"`
	Demo      *Demo       `json:"demo"`
	Quotas    aboutQuotas `json:"quotas"`
}

// aboutQuotas are those in force that a form wants to know before it is sent.
type aboutQuotas struct {
	Paths int `json:"pathsPerInvalidation"`
}

type aboutEdge struct {
	Name     string `json:"name"`
	Location string `json:"location"`
	URL      string `json:"url"`
}

func getAbout(_ context.Context, c *call) (any, error) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	cfg := &c.h.cfg
	b := aboutBody{Version: cfg.Version, Suffix: cfg.Suffix, AccountID: cfg.AccountID, Demo: cfg.Demo, Edges: []aboutEdge{}}
	b.Quotas.Paths = cfg.Control.Limits().ItemsPerInvalidation
	for _, p := range cfg.Places {
		b.Edges = append(b.Edges, aboutEdge{p.Name, p.Location, p.URL})
	}
	return b, nil
}

//go:embed openapi.json
var openAPI []byte

func getOpenAPI(_ context.Context, c *call) (any, error) {
	_, err := c.parameters()
	return json.RawMessage(openAPI), err
}

type nodeBody struct {
	Edge       string    `json:"edge"`
	Version    string    `json:"version"` // "": it does not answer
	Location   string    `json:"location"`
	URL        string    `json:"url"` // "" of another process's
	Joined     instant   `json:"joined"`
	Applied    uint64    `json:"applied"`
	Behind     uint64    `json:"behind"`
	Heard      instant   `json:"heard"` // its last sign of life
	Lease      string    `json:"lease"` // "fresh", "expired"
	LeaseAgeMs float64   `json:"leaseAgeMs"`
	Cache      nodeCache `json:"cache"`
	Ready      bool      `json:"ready"`
	HitRatio   *float64  `json:"hitRatio"` // of the last five minutes

	OriginsDown []originDown `json:"originsDown"`
}

// originDown is an address that has not answered an edge for a while.
type originDown struct {
	Address string  `json:"address"`
	Since   instant `json:"since"`
	Failure string  `json:"failure"`
}

type nodeCache struct {
	Objects   int64  `json:"objects"`
	Bytes     int64  `json:"bytes"`
	Capacity  int64  `json:"capacity"`
	Evictions uint64 `json:"evictions"`
}

// listNodes tells of the members, and of edges of this process that are none.
func listNodes(_ context.Context, c *call) (any, error) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	now := c.h.cfg.Now()
	all := []nodeBody{}
	for _, n := range c.h.cfg.Control.Nodes() {
		all = append(all, c.h.node(n, now))
	}
	for _, p := range c.h.places() {
		if !slices.ContainsFunc(all, func(b nodeBody) bool { return b.Edge == p.Name }) {
			b := nodeBody{Edge: p.Name, Location: p.Location, OriginsDown: []originDown{}}
			c.h.ask(&b, &p)
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b nodeBody) int { return strings.Compare(a.Edge, b.Edge) })
	return struct {
		Edges   []nodeBody    `json:"edges"`
		Control []controlBody `json:"control"`
		Relays  []relayBody   `json:"relays"`
		Doubt   *doubtBody    `json:"doubt"`
	}{all, c.h.controlNodes(), c.h.relays(), c.h.doubt()}, nil
}

// doubtBody says why invalidations are Completed by time alone.
type doubtBody struct {
	Since   instant  `json:"since"`
	Until   instant  `json:"until"`
	Unheard int      `json:"unheard"`
	Edges   []string `json:"edges"` // the first of them
}

// doubtedEdges is how many are named.
const doubtedEdges = 100

func (h *Handler) doubt() *doubtBody {
	d := h.cfg.Control.Doubt()
	if d == nil {
		return nil
	}
	return &doubtBody{instant(d.Since), instant(d.Until), len(d.Unheard), append([]string{}, d.Unheard[:min(len(d.Unheard), doubtedEdges)]...)}
}

// controlBody is a machine with the control plane.
type controlBody struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Position uint64 `json:"position"`
	Ready    bool   `json:"ready"`
	Problem  string `json:"problem"` // why it is not
	Leads    bool   `json:"leads"`

	Journal *JournalExtent `json:"journal"` // null: of another
}

func (h *Handler) controlNodes() []controlBody {
	all := []controlBody{}
	if h.cfg.Nodes == nil {
		return all
	}
	for _, n := range h.cfg.Nodes() {
		b := controlBody{Name: n.Name, Version: n.Version, Position: n.Position, Ready: n.Err == nil, Leads: n.Leads, Journal: n.Journal}
		if n.Err != nil {
			b.Problem = n.Err.Error()
		}
		all = append(all, b)
	}
	return all
}

func (h *Handler) node(n control.Node, now time.Time) nodeBody {
	b := nodeBody{
		Edge: n.Edge, Location: n.Location, Joined: instant(n.Joined), Applied: n.Applied, Behind: n.Behind,
		OriginsDown: []originDown{},
		Heard:       instant(now.Add(-n.Silent)), Lease: lease(n.Silent <= journal.Timing{}.Defaults().Lease), LeaseAgeMs: ms(n.Silent),
	}
	if p := h.place(n.Edge); p != nil {
		h.ask(&b, p)
	}
	return b
}

// ask fills in what only the edge itself knows.
func (h *Handler) ask(b *nodeBody, p *Place) {
	s := p.Edge.Stats()
	b.URL, b.Version, b.Ready = p.URL, p.Version, p.Edge.Ready() == nil
	b.HitRatio = h.ratios.of(p)
	b.Lease, b.LeaseAgeMs = lease(s.Fresh), ms(s.SinceFresh)
	b.Cache = nodeCache{s.Cache.Objects, s.Cache.Bytes, s.Cache.Capacity, s.Cache.Evictions}
	if p.Origins == nil {
		return
	}
	for _, o := range p.Origins.Down() {
		b.OriginsDown = append(b.OriginsDown, originDown{o.Address, instant(o.Since), o.Failure.Kind.String()})
	}
	slices.SortFunc(b.OriginsDown, func(a, b originDown) int { return strings.Compare(a.Address, b.Address) })
}

func lease(fresh bool) string {
	if fresh {
		return "fresh"
	}
	return "expired"
}
