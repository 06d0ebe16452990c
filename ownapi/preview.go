package ownapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/invalidation"
)

type previewBody struct {
	Items []previewItem `json:"items"`
	Total previewTotal  `json:"total"`
	Mode  string        `json:"mode"` // what an invalidation does that does not say so itself

	Unanswered []unanswered `json:"unanswered"` // edges of which nothing is counted
}

type previewTotal struct {
	Objects           int64       `json:"objects"`
	Bytes             int64       `json:"bytes"`
	RequestsPerMinute float64     `json:"requestsPerMinute"` // that the objects have answered of late
	OriginRequests    float64     `json:"originRequests"`    // at most, in the first minute after
	Edges             []edgeCount `json:"edges"`
}

type edgeCount struct {
	Edge              string  `json:"edge"`
	Objects           int64   `json:"objects"`
	Bytes             int64   `json:"bytes"`
	RequestsPerMinute float64 `json:"requestsPerMinute"`
}

// previewItem is one line. With an error it is no item, and the counts are nothing.
type previewItem struct {
	Item    string     `json:"item"`
	Kind    string     `json:"kind"` // "" with an error
	Error   *itemError `json:"error,omitempty"`
	Warning string     `json:"warning,omitempty"`
	previewTotal
	Sample []string `json:"sample"`
}

// mostCounts bounds items times edges of an answer: beyond it only the total names edges.
const mostCounts = 20_000

type itemError struct {
	Reason string `json:"reason"`
	Hint   string `json:"hint"`
}

// preview is a preview in the making.
type preview struct {
	body  previewBody
	each  bool                // edges are named for each item
	items []invalidation.Item // those that are items
	at    []int               // where they stand in body.Items
}

// postPreview tells what an invalidation would drop, without dropping it.
func postPreview(ctx context.Context, c *call) (any, error) {
	var in struct {
		Items []string   `json:"items"`
		Where *whereWish `json:"where"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if most := c.h.cfg.Control.Limits().ItemsPerInvalidation; len(in.Items) > most { // as of the real one
		return nil, refuse(http.StatusRequestEntityTooLarge, "BatchTooLarge", "There are %d items, more than %d. Split them, or use a wildcard path for many.", len(in.Items), most)
	} else if len(in.Items) == 0 {
		return nil, invalid("Name at least one item, for example /images/*, or /* for everything.")
	}
	narrowed, err := parseWhere(in.Where.fact())
	if err != nil {
		return nil, err
	}
	d, err := c.h.cfg.Control.Distribution(c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if err := c.h.scans.enter(); err != nil {
		return nil, err
	}
	defer c.h.scans.leave()

	p := newPreview(in.Items, d.Tags, d.Config.CacheTagConfig != nil)
	of := edge.NewSelection(p.items, narrowed)
	replies := survey(ctx, c.h, patiently, func(ctx context.Context, place *Place) (*edge.Preview, error) {
		return place.Edge.Preview(ctx, d.ID, of)
	})
	p.each = len(p.items)*len(replies) <= mostCounts
	for _, r := range replies {
		if errors.Is(r.err, edge.ErrNoDistribution) { // not applied there yet: nothing is stored
			r.is, r.err = &edge.Preview{Items: make([]edge.Previewed, len(p.items))}, nil
		}
		if r.err == nil {
			p.add(r.Name, r.is)
		}
	}
	p.body.Unanswered = missing(replies)
	return p.rounded(), ctx.Err()
}

// newPreview reads the lines as CreateInvalidation will.
func newPreview(lines []string, tags map[string]string, tagged bool) *preview {
	dialect := invalidation.Anywhere
	if tags[distribution.TagWildcards] == distribution.WildcardsAWS {
		dialect = invalidation.AWS
	}
	p := &preview{}
	p.body.Mode = cmp.Or(tags[distribution.TagInvalidationMode], distribution.InvalidationRemove)
	p.body.Total.Edges = []edgeCount{}
	for i, line := range lines {
		out := previewItem{Item: line, Sample: []string{}}
		out.Edges = []edgeCount{}
		item, err := invalidation.Parse(line, dialect)
		if bad := new(invalidation.ItemError); errors.As(err, &bad) {
			out.Error = &itemError{bad.Reason.String(), bad.Hint}
		} else {
			kind := item.Kind().String()
			out.Kind = strings.ToUpper(kind[:1]) + kind[1:]
			out.Warning = warning(line, item, dialect, tagged)
			p.items, p.at = append(p.items, item), append(p.at, i)
		}
		p.body.Items = append(p.body.Items, out)
	}
	return p
}

// warning says what is allowed and hardly ever meant.
func warning(line string, item invalidation.Item, dialect invalidation.Dialect, tagged bool) string {
	switch {
	case item.Kind() == invalidation.Tag && !tagged:
		return "This distribution has no cache tag header, so no object has a tag. Name the header in its settings."
	case dialect == invalidation.AWS && invalidation.HasLiteralAsterisk(line):
		return fmt.Sprintf("An asterisk before the end is taken literally, since the distribution has the tag %s=%s.", distribution.TagWildcards, distribution.WildcardsAWS)
	}
	return ""
}

// add counts what one edge found.
func (p *preview) add(name string, found *edge.Preview) {
	for i, x := range found.Items {
		out := &p.body.Items[p.at[i]]
		out.count(name, x.Tally, found.Within, p.each)
		for _, s := range x.Sample {
			if len(out.Sample) < 10 && !contains(out.Sample, s) {
				out.Sample = append(out.Sample, s)
			}
		}
	}
	p.body.Total.count(name, found.Total, found.Within, true)
}

// count adds one edge's objects. Each of them is fetched once, by the first who asks for it; so at most as many
// requests come to the origin in a minute as there are objects, and no more than are asked for.
func (t *previewTotal) count(name string, x edge.Tally, within time.Duration, named bool) {
	rate := 0.0
	if within > 0 {
		rate = x.Hits / within.Minutes()
	}
	t.Objects += x.Objects
	t.Bytes += x.Bytes
	t.RequestsPerMinute += rate
	t.OriginRequests += min(rate, float64(x.Objects))
	if named {
		t.Edges = append(t.Edges, edgeCount{name, x.Objects, x.Bytes, rate})
	}
}

// rounded is the answer, with rates to a tenth.
func (p *preview) rounded() previewBody {
	p.body.Total.round()
	for i := range p.body.Items {
		p.body.Items[i].round()
	}
	return p.body
}

func (t *previewTotal) round() {
	t.RequestsPerMinute, t.OriginRequests = rounded(t.RequestsPerMinute, 10), rounded(t.OriginRequests, 10)
	for i := range t.Edges {
		t.Edges[i].RequestsPerMinute = rounded(t.Edges[i].RequestsPerMinute, 10)
	}
}
