package ownapi

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/edge"
)

// local is an edge of this process, which is asked without a way to go.
type local struct{ *edge.Edge }

// Local makes an Edge of one of this process.
func Local(e *edge.Edge) Edge { return local{e} }

func (l local) Receipts(_ context.Context, of []ReceiptOf) ([]*edge.Receipt, error) {
	all := make([]*edge.Receipt, len(of))
	for i, x := range of {
		if r, known := l.Edge.Receipt(x.Distribution, x.Invalidation); known {
			all[i] = &r
		}
	}
	return all, nil
}

func (l local) Explain(_ context.Context, q edge.Question) (*edge.Explanation, error) {
	return l.Edge.Explain(q)
}

// reply is what an edge has said, or why it has not.
type reply[T any] struct {
	*Place
	is  T
	err error
}

// unanswered names an edge that has not answered: what is told without it may be less than there is.
type unanswered struct {
	Edge  string `json:"edge"`
	Error string `json:"error"`
}

// manner is how edges are asked.
type manner struct {
	within   time.Duration // each of those on other machines
	together bool          // those of this process at once, too: they have to wait, not to work
}

var (
	briefly   = manner{within: time.Second}     // what they know by heart
	patiently = manner{within: 8 * time.Second} // what they have to look for
)

// surveyMost is how many edges on other machines are asked at once, for all calls together.
const surveyMost = 1024

// ErrSilent is that of an edge of which nothing is heard.
var ErrSilent = errors.New("the edge does not answer")

// survey asks all edges: those of this process one after the other, since they share its cores, those on other machines at once, each with a
// time of its own: who is asked late, because there are many or some are silent, is not silent for that. Who has not answered in its time, and members that
// are not connected, are in the replies with an error.
func survey[T any](ctx context.Context, h *Handler, how manner, ask func(context.Context, *Place) (T, error)) []reply[T] {
	places, here := h.places(), len(h.cfg.Places)
	replies := make([]reply[T], len(places))
	var asking sync.WaitGroup
	put := func(ctx context.Context, i int) {
		p := &places[i]
		v, err := ask(ctx, p)
		replies[i] = reply[T]{p, v, err}
	}
	for i := here; i < len(places); i++ {
		select {
		case h.surveys <- struct{}{}:
		case <-ctx.Done(): // it says so itself
			put(ctx, i)
			continue
		}
		asking.Go(func() {
			defer h.surveys.leave()
			away, cancel := context.WithTimeout(ctx, how.within)
			defer cancel()
			put(away, i)
		})
	}
	for i := range here {
		if how.together {
			asking.Go(func() { put(ctx, i) })
		} else {
			put(ctx, i)
		}
	}
	asking.Wait()
	for _, n := range h.cfg.Control.Nodes() {
		if !slices.ContainsFunc(places, func(p Place) bool { return p.Name == n.Edge }) {
			replies = append(replies, reply[T]{Place: &Place{Name: n.Edge, Location: n.Location}, err: ErrSilent})
		}
	}
	slices.SortStableFunc(replies, func(a, b reply[T]) int { return strings.Compare(a.Name, b.Name) })
	return replies
}

// silence says why an edge has not answered, "" if it has: with its own words, or that it took too long.
func silence(err error) string {
	switch {
	case err == nil, errors.Is(err, edge.ErrNoDistribution):
		return ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "the edge does not answer in time"
	}
	return err.Error()
}

// missing lists those that have not answered.
func missing[T any](replies []reply[T]) []unanswered {
	all := []unanswered{}
	for _, r := range replies {
		if why := silence(r.err); why != "" {
			all = append(all, unanswered{r.Name, why})
		}
	}
	return all
}
