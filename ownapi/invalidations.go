package ownapi

import (
	"context"
	"slices"
	"strings"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
)

// invalidationBody is an invalidation as CloudFront has it, and who made it.
type invalidationBody struct {
	ID            string   `json:"id"`
	Status        string   `json:"status"`
	CreateTime    instant  `json:"createTime"`
	CompletedTime instant  `json:"completedTime"`
	Items         []string `json:"items"`
	ItemCount     int      `json:"itemCount"`
	By            actor    `json:"by"`
	Comment       string   `json:"comment"`
	Plan          *plan    `json:"plan"` // null: it was in force at once
	Mode          string   `json:"mode"`
	Where         *where   `json:"where"` // null: all that the items name
	Pace          *pace    `json:"pace"`  // null: everywhere at once
	Waves         []wave   `json:"waves"` // of one that comes location by location, the turns that have come
}

// plan is when a scheduled invalidation comes into force, and what became of it.
type plan struct {
	At        instant    `json:"at"`
	When      *condition `json:"when"`
	InForce   instant    `json:"inForce"`
	Withdrawn instant    `json:"withdrawn"`
	LookedAt  instant    `json:"lookedAt"`
	Waiting   string     `json:"waiting"` // why the condition does not hold, when it was looked at last
}

// condition is journal.Condition in this API's words.
type condition struct {
	URL   string `json:"url"`
	Field string `json:"field"`
	Value string `json:"value"`
}

func (h *Handler) planOf(inv *control.Invalidation) *plan {
	if inv.Plan == nil {
		return nil
	}
	p := &plan{At: instant(inv.Plan.At), InForce: instant(inv.InForce), Withdrawn: instant(inv.Withdrawn)}
	if w := inv.Plan.When; w != nil {
		p.When = (*condition)(w)
	}
	if seen, ok := h.cfg.Control.Looked(inv.ID); ok && inv.Status == control.Scheduled {
		p.LookedAt, p.Waiting = instant(seen.At), seen.Said
	}
	return p
}

func (h *Handler) invalidationOf(inv *control.Invalidation) invalidationBody {
	return invalidationBody{
		ID: inv.ID, Status: inv.Status, CreateTime: instant(inv.CreateTime), CompletedTime: instant(inv.CompletedTime),
		Items: list(inv.Items), ItemCount: len(inv.Items), By: actor(inv.By), Comment: inv.Comment, Plan: h.planOf(inv),
		Mode: inv.Mode, Where: whereOf(inv.Where), Pace: paceOf(inv.Pace), Waves: wavesOf(inv.Waves),
	}
}

func listInvalidations(_ context.Context, c *call) (any, error) {
	marker, max, err := c.page()
	if err != nil {
		return nil, err
	}
	p, err := c.h.cfg.Control.Invalidations(c.PathValue("id"), marker, max)
	if err != nil {
		return nil, err
	}
	return pageOf(p, c.h.invalidationOf), nil
}

// pageBody is a page of a list; the next one begins after NextMarker.
type pageBody[T any] struct {
	Items      []T    `json:"items"`
	NextMarker string `json:"nextMarker"` // "" on the last page
}

func pageOf[A, B any](p control.Page[A], f func(A) B) pageBody[B] {
	b := pageBody[B]{Items: []B{}, NextMarker: p.NextMarker}
	for _, x := range p.Items {
		b.Items = append(b.Items, f(x))
	}
	return b
}

type receiptBody struct {
	Invalidation receiptHead  `json:"invalidation"`
	TookMs       float64      `json:"tookMs"`
	EdgeCount    int          `json:"edgeCount"` // for how many edges it was, former ones not counted
	Edges        []receiptRow `json:"edges"`
	Doubt        *doubtBody   `json:"doubt"` // why time alone completes it
}

type receiptHead struct {
	invalidationBody
	DistributionID  string `json:"distributionId"`
	CallerReference string `json:"callerReference"`
}

// receiptRow is one edge's line. Objects and Bytes were dropped, or marked stale, as the invalidation's mode says. They are
// null when it is not known what there was, as for edges of other processes and after a restart.
type receiptRow struct {
	Edge     string  `json:"edge"`
	Location string  `json:"location"`
	Applied  bool    `json:"applied"`
	At       instant `json:"at"`
	TookMs   float64 `json:"tookMs"`
	Lagging  string  `json:"lagging"` // why, "" when it does not
	Objects  *int64  `json:"objects"`
	Bytes    *int64  `json:"bytes"`
	Counted  bool    `json:"counted"` // every object has been looked at
	Unbound  bool    `json:"unbound"` // Completed does not speak for it: it is cut off and goes on showing what it has
	Waits    bool    `json:"waits"`   // its location's turn has not come
	Former   bool    `json:"former"`  // it is no edge any more, and is waited for until its lease has run out
	Asked    *int64  `json:"asked"`   // questions to origins that its pace has let through; null: it has none, or that has ended
	Error    string  `json:"error"`   // why it has not told what it has counted; "": it has, or is no edge any more
	Owed     *int64  `json:"owed"`    // objects that it has dropped and that have not been brought back; null with Asked
}

func getReceipt(ctx context.Context, c *call) (any, error) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	r, err := c.h.cfg.Control.Receipt(c.PathValue("id"), c.PathValue("invalidation"))
	if err != nil {
		return nil, err
	}
	said := c.h.remembered(ctx, r)
	b := receiptBody{Invalidation: c.h.headOf(r.Invalidation), TookMs: ms(r.Took), EdgeCount: r.Members, Edges: append(said.rows(0, r), said.unlisted(0, r)...)}
	slices.SortStableFunc(b.Edges, func(a, b receiptRow) int { return strings.Compare(a.Edge, b.Edge) })
	if r.Invalidation.Status == control.InProgress {
		b.Doubt = c.h.doubt()
	}
	return b, nil
}

func (h *Handler) headOf(inv *control.Invalidation) receiptHead {
	return receiptHead{h.invalidationOf(inv), inv.DistributionID, inv.CallerReference}
}

// memories are what edges remember of some invalidations, by edge.
type memories map[string]reply[[]*edge.Receipt]

// remembered asks all edges at once what they have counted.
func (h *Handler) remembered(ctx context.Context, all ...*control.Receipt) memories {
	of := make([]ReceiptOf, len(all))
	for i, r := range all {
		of[i] = ReceiptOf{r.Invalidation.DistributionID, r.Invalidation.ID}
	}
	said := memories{}
	for _, r := range survey(ctx, h, briefly, func(ctx context.Context, p *Place) ([]*edge.Receipt, error) { return p.Edge.Receipts(ctx, of) }) {
		said[r.Name] = r
	}
	return said
}

// rows gives the lines that are kept of the i-th, with what the edges have counted.
func (m memories) rows(i int, r *control.Receipt) []receiptRow {
	rows := []receiptRow{}
	for _, e := range r.Edges {
		row := receiptRow{Edge: e.Edge, Location: e.Location, Applied: e.Applied, At: instant(e.At), TookMs: ms(e.Took), Lagging: e.Lagging, Unbound: e.Unbound, Waits: e.Waits, Former: e.Former}
		if !row.Former {
			said := m[e.Edge]
			row.Error = silence(said.err)
			if i < len(said.is) && said.is[i] != nil {
				row.count(said.is[i], r.Invalidation.Mode)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// unlisted gives lines of edges of which none is kept of the i-th, since there were many: those that remember it themselves.
func (m memories) unlisted(i int, r *control.Receipt) (rows []receiptRow) {
	if r.Members <= len(r.Edges) {
		return nil
	}
	listed := map[string]bool{}
	for _, e := range r.Edges {
		listed[e.Edge] = listed[e.Edge] || !e.Former
	}
	accepted := r.Invalidation.CreateTime
	if since := r.Invalidation.InForce; !since.IsZero() {
		accepted = since
	}
	for name, said := range m {
		if listed[name] || i >= len(said.is) || said.is[i] == nil {
			continue
		}
		x := said.is[i]
		row := receiptRow{Edge: name, Location: said.Location, Applied: true, At: instant(x.Applied), TookMs: ms(max(x.Applied.Sub(accepted), 0))}
		row.count(x, r.Invalidation.Mode)
		rows = append(rows, row)
	}
	return rows
}

// count fills in what an edge has counted.
func (row *receiptRow) count(n *edge.Receipt, mode string) {
	row.Objects, row.Bytes, row.Counted = &n.Objects, &n.Bytes, !n.Swept.IsZero()
	if mode == distribution.InvalidationStale {
		row.Objects, row.Bytes = &n.Marked, &n.MarkedBytes
	}
	if n.Pace != nil {
		row.Asked, row.Owed = &n.Pace.Asked, &n.Pace.Owed
	}
}
