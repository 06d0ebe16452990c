package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// What an edge on another machine asks its control plane. The key that a viewer has shown goes along, over the edge's own TLS: the control
// plane judges it, and the edge keeps nothing of it.
type purgeWish struct {
	Purge  *edge.Purge   `json:",omitempty"`
	Within time.Duration `json:",omitempty"` // an answer that comes later comes too late
}

type purgeReply struct {
	Error   string             `json:",omitempty"` // for the edge's log
	Purged  *edge.Purged       `json:",omitempty"`
	Refused *edge.PurgeRefused `json:",omitempty"`
}

// purgeMargin is what is left of a viewer's patience for the way back.
const purgeMargin = time.Second

// asked is jetstream.Remote, as an edge asks by it.
type asked interface {
	Ask(ctx context.Context, question []byte) ([]byte, error)
}

// purgeFrom is edge.Config.Purge of an edge whose control plane is elsewhere.
func purgeFrom(log asked) func(context.Context, edge.Purge) (edge.Purged, error) {
	return func(ctx context.Context, p edge.Purge) (edge.Purged, error) {
		q := purgeWish{Purge: &p}
		if until, ok := ctx.Deadline(); ok {
			q.Within = max(time.Until(until)-purgeMargin, 0)
		}
		b, err := json.Marshal(&q)
		if err != nil {
			return edge.Purged{}, err
		}
		b, err = log.Ask(ctx, b)
		if errors.Is(err, jetstream.ErrAway) {
			return edge.Purged{}, &edge.PurgeRefused{Status: 503, Message: "The control plane cannot be reached. Nothing was invalidated; try again.", RetryAfter: time.Second}
		}
		if errors.Is(err, journal.ErrBusy) {
			return edge.Purged{}, &edge.PurgeRefused{Status: 503, Message: "The control plane has as many PURGE requests as it may. Nothing was invalidated; try again in a moment.", RetryAfter: time.Second}
		}
		if err != nil {
			return edge.Purged{}, err
		}
		var a purgeReply
		switch err := json.Unmarshal(b, &a); {
		case err != nil:
			return edge.Purged{}, err
		case a.Refused != nil:
			return edge.Purged{}, a.Refused
		case a.Error != "" || a.Purged == nil:
			return edge.Purged{}, fmt.Errorf("the control plane says: %s", a.Error)
		}
		return *a.Purged, nil
	}
}

// wanted is jetstream.Desk.Answer.
func (d *process) wanted(ctx context.Context, from string, question []byte) ([]byte, error) {
	var q purgeWish
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	var a purgeReply
	if q.Purge == nil {
		a.Error = "this control node's version does not know the question"
		return json.Marshal(&a)
	}
	if q.Within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.Within)
		defer cancel()
	}
	q.Purge.Edge = from // whatever it says of itself
	done, err := d.purge(ctx, *q.Purge)
	switch no := new(edge.PurgeRefused); {
	case errors.As(err, &no):
		a.Refused = no
	case err != nil:
		a.Error = err.Error()
	default:
		a.Purged = &done
	}
	return json.Marshal(&a)
}
