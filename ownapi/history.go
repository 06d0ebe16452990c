package ownapi

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// invalidationWish asks for an invalidation, with what CloudFront's API has no field for.
type invalidationWish struct {
	Items           []string `json:"items"`
	CallerReference string   `json:"callerReference"` // "": a new one
	Comment         string   `json:"comment"`

	At    *time.Time `json:"at"`    // when it shall be in force; null: at once, or when When holds
	When  *condition `json:"when"`  // what must hold for it to be
	Where *whereWish `json:"where"` // what narrows the items; null: nothing
	Pace  *pace      `json:"pace"`  // how it spares the origin; null: it does not
	Mode  string     `json:"mode"`  // remove, stale; "": as the distribution's tag says
}

func (w *invalidationWish) terms() control.Terms {
	t := control.Terms{Comment: w.Comment, When: (*journal.Condition)(w.When), Where: w.Where.fact(), Pace: w.Pace.fact(), Mode: w.Mode}
	if w.At != nil {
		t.At = *w.At
	}
	return t
}

// postWithdraw takes back an invalidation that is scheduled, or the turns that it still has.
func postWithdraw(ctx context.Context, c *call) (any, error) {
	if err := c.decode(&struct{}{}); err != nil {
		return nil, err
	}
	inv, err := c.h.cfg.Control.Withdraw(ctx, c.by, c.PathValue("id"), c.PathValue("invalidation"))
	if err != nil {
		return nil, err
	}
	return c.h.headOf(inv), nil
}

func postInvalidation(ctx context.Context, c *call) (any, error) {
	var wish invalidationWish
	if err := c.decode(&wish); err != nil {
		return nil, err
	}
	if wish.CallerReference == "" {
		wish.CallerReference = "warmfront-" + rand.Text()
	}
	batch := &wire.InvalidationBatch{CallerReference: &wish.CallerReference,
		Paths: &wire.Paths{Quantity: wire.Ptr(int64(len(wish.Items))), Items: wish.Items}}
	inv, _, err := c.h.cfg.Control.Invalidate(ctx, c.by, c.PathValue("id"), batch, wish.terms())
	if err != nil {
		return nil, err
	}
	return c.h.headOf(inv), nil
}

// pastBody is an invalidation of the history with all that is known of it.
type pastBody struct {
	receiptHead
	TookMs    float64      `json:"tookMs"`
	EdgeCount int          `json:"edgeCount"`
	Edges     []receiptRow `json:"edges"` // that the journal has a line of
}

func searchHistory(ctx context.Context, c *call) (any, error) {
	get, err := c.parameters("distribution", "text", "by", "status", "from", "before", "marker", "max")
	if err != nil {
		return nil, err
	}
	max, err := number("max", get("max"), 1, maxPage, maxPage)
	if err != nil {
		return nil, err
	}
	f := control.HistoryFilter{DistributionID: get("distribution"), Text: get("text"), By: get("by"), Status: get("status")}
	if f.From, err = moment("from", get("from")); err != nil {
		return nil, err
	}
	if f.Before, err = moment("before", get("before")); err != nil {
		return nil, err
	}
	switch f.Status {
	case "", control.InProgress, control.Completed, control.Scheduled, control.Withdrawn:
	default:
		return nil, invalid("status must be %s, %s, %s or %s, got %.40q.", control.InProgress, control.Completed, control.Scheduled, control.Withdrawn, f.Status)
	}
	p, err := c.h.cfg.Control.History(f, get("marker"), max)
	if err != nil {
		return nil, err
	}
	said, i := c.h.remembered(ctx, p.Items...), -1
	return pageOf(p, func(r *control.Receipt) pastBody {
		i++
		return pastBody{c.h.headOf(r.Invalidation), ms(r.Took), r.Members, said.rows(i, r)}
	}), nil
}

// moment reads a parameter that is a time; "" is the zero one.
func moment(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, invalid("%s must be a time as in 2026-11-25T18:00:00Z, got %.40q.", name, s)
	}
	return t, nil
}
