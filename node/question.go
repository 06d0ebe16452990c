package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/ownapi"
)

// question is what a control node asks of an edge on another machine, answer what comes back. Both are JSON; a version
// that does not know a question says so.
type question struct {
	Do           string                   // "state", "receipts", "preview", "popular", "explain", "verify", "traffic", "drain"
	Distribution string                   `json:",omitempty"`
	Of           []ownapi.ReceiptOf       `json:",omitempty"`
	Items        []item                   `json:",omitempty"`
	Where        *invalidation.Conditions `json:",omitempty"`
	Most         int                      `json:",omitempty"`
	Explain      *edge.Question           `json:",omitempty"`
	Verify       *ownapi.Verification     `json:",omitempty"`
}

// item is an invalidation.Item as text, with the dialect in which that means it.
type item struct {
	Line    string
	Dialect invalidation.Dialect
}

type answer struct {
	Error          string `json:",omitempty"`
	NoDistribution bool   `json:",omitempty"` // edge.ErrNoDistribution

	State       *edgeState               `json:",omitempty"`
	Relay       *relayState              `json:",omitempty"` // of a relay, to "state"
	Receipts    []*edge.Receipt          `json:",omitempty"`
	Preview     *edge.Preview            `json:",omitempty"`
	Popular     *edge.Popular            `json:",omitempty"`
	Explanation *edge.Explanation        `json:",omitempty"`
	Verified    *ownapi.Verified         `json:",omitempty"`
	Traffic     map[string]ownapi.Counts `json:",omitempty"`
}

// edgeState is how an edge is.
type edgeState struct {
	Version, URL, HTTPS string
	NotReady            string // why; "": it is
	Hits, Misses        uint64 // answers since the process started
	Stats               edge.Stats
}

// answer answers a question to the only edge of this process. drain asks for a clean stop.
func (d *process) answer(ctx context.Context, b []byte, drain func()) []byte {
	pl := d.places[0]
	var q question
	var a answer
	err := json.Unmarshal(b, &q)
	if err == nil {
		switch q.Do {
		case "state":
			a.State = d.edgeState()
		case "receipts":
			a.Receipts, err = ownapi.Local(pl.edge).Receipts(ctx, q.Of)
		case "preview":
			var items []invalidation.Item
			var where *invalidation.Where
			if items, err = parse(q.Items); err == nil && q.Where != nil {
				where, err = invalidation.ParseWhere(*q.Where)
			}
			if err == nil {
				a.Preview, err = pl.edge.Preview(ctx, q.Distribution, edge.NewSelection(items, where))
			}
		case "popular":
			a.Popular, err = pl.edge.Popular(ctx, q.Distribution, q.Most)
		case "explain":
			if q.Explain == nil || q.Explain.Request == nil {
				return answer{Error: "there is no request to explain"}.encode()
			}
			a.Explanation, err = pl.edge.Explain(*q.Explain)
		case "verify":
			if q.Verify == nil {
				return answer{Error: "there is nothing to verify"}.encode()
			}
			here := ownapi.Place{Name: pl.name, Location: pl.location, URL: url(pl.l), Edge: ownapi.Local(pl.edge)}
			if pl.secure != nil {
				here.HTTPS = secureURL(pl.secure)
			}
			a.Verified = q.Verify.At(ctx, &here, d.ProxyProtocol)
		case "traffic":
			a.Traffic = d.meter.Counts()
		case "drain":
			drain()
		default:
			err = fmt.Errorf("this edge's version does not know the question %q", q.Do)
		}
	}
	if err != nil {
		a = answer{Error: err.Error(), NoDistribution: errors.Is(err, edge.ErrNoDistribution)}
	}
	return a.encode()
}

// encode makes an answer's octets. One that no message holds comes without the samples of a preview, or else as an error: who
// asks would wait for it in vain, and not learn why.
func (a answer) encode() []byte {
	out, err := json.Marshal(a)
	if err == nil && len(out) > jetstream.MaxAnswer && a.Preview != nil {
		for i := range a.Preview.Items {
			a.Preview.Items[i].Sample = nil
		}
		out, err = json.Marshal(a)
	}
	if err == nil && len(out) > jetstream.MaxAnswer {
		err = fmt.Errorf("the edge's answer is too long, of %d octets: ask for less at once", len(out))
	}
	if err != nil {
		out, _ = json.Marshal(answer{Error: err.Error()})
	}
	return out
}

func parse(lines []item) ([]invalidation.Item, error) {
	items := make([]invalidation.Item, len(lines))
	for i, l := range lines {
		var err error
		if items[i], err = invalidation.Parse(l.Line, l.Dialect); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// text is the inverse of parse. It fails for an item that no line says.
func text(items []invalidation.Item) ([]item, error) {
	lines := make([]item, len(items))
	for i, it := range items {
		lines[i].Line = it.String()
		for _, d := range []invalidation.Dialect{invalidation.AWS, invalidation.Anywhere} {
			if same, err := invalidation.Parse(it.String(), d); err == nil && same == it {
				lines[i].Dialect, it = d, invalidation.Item{}
			}
		}
		if it != (invalidation.Item{}) {
			return nil, fmt.Errorf("edges on other machines cannot be asked about %s", it)
		}
	}
	return lines, nil
}

func (a *answer) err() error {
	switch {
	case a.NoDistribution:
		return edge.ErrNoDistribution
	case a.Error != "":
		return errors.New(a.Error)
	}
	return nil
}
