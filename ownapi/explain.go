package ownapi

import (
	"cmp"
	"context"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/invalidation"
)

type explainBody struct {
	DistributionID string          `json:"distributionId"`
	DomainName     string          `json:"domainName"`
	Behavior       explainBehavior `json:"behavior"`
	CachePolicy    *explainPolicy  `json:"cachePolicy"`
	CacheKey       explainKey      `json:"cacheKey"`
	Subject        explainSubject  `json:"subject"`
	Edges          []explainEdge   `json:"edges"`
	WouldMatch     []match         `json:"wouldMatch"` // of the last invalidations, newest first
	Mode           string          `json:"mode"`       // of an invalidation of the items
	Where          *where          `json:"where"`      // what would narrow it
	Items          []explainItem   `json:"items"`      // those that were asked about
}

// explainItem tells whether an invalidation of the item would drop the object, or mark it stale.
type explainItem struct {
	Item    string     `json:"item"`
	Kind    string     `json:"kind"` // "" with an error
	Error   *itemError `json:"error,omitempty"`
	Warning string     `json:"warning,omitempty"`
	Matches bool       `json:"matches"`
	Edges   []string   `json:"edges"` // on which what is stored is meant
}

type explainBehavior struct {
	PathPattern string `json:"pathPattern"`
	Precedence  int    `json:"precedence"`
	// Origins are the ids of those that are asked, in this order: one, or the two of a group.
	Origins []string `json:"origins"`
}

type explainPolicy struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type explainKey struct {
	Readable string `json:"readable"`
}

type explainSubject struct {
	Path  string   `json:"path"`
	Query string   `json:"query"`
	Tags  []string `json:"tags"`
	Host  string   `json:"host"` // "": it is for every host
}

type explainEdge struct {
	Edge       string    `json:"edge"`
	Stored     bool      `json:"stored"`
	Status     int       `json:"status"`
	StoredAt   instant   `json:"storedAt"`
	Stamp      uint64    `json:"stamp"`
	Fresh      bool      `json:"fresh"`
	FreshUntil instant   `json:"freshUntil"`
	AgeSeconds int64     `json:"ageSeconds"`
	Bytes      int64     `json:"bytes"`
	Hits       uint64    `json:"hits"`
	Memory     bool      `json:"memory"`
	Disk       bool      `json:"disk"`
	Slices     int64     `json:"slices"`       // 0: it is not cut
	SlicesHere int64     `json:"slicesStored"` // of them
	Second     string    `json:"second"`
	Marked     bool      `json:"marked"`
	Through    []through `json:"through"`   // other edges that it asks before the origin, the nearest first
	Error      string    `json:"error"`     // why it has not told; "": it has
	MatchedBy  []match   `json:"matchedBy"` // what has killed it, while it is not swept away yet, or marked it stale
}

// through is an edge that another asks for what that one has not.
type through struct {
	Edge  string `json:"edge"`
	Place string `json:"place"`
}

type match struct {
	InvalidationID string `json:"invalidationId"`
	Item           string `json:"item"`
	Mode           string `json:"mode"`
	Where          *where `json:"where"` // what narrows it
}

// postExplain tells what the edges make of a request, without making one.
func postExplain(ctx context.Context, c *call) (any, error) {
	q, err := readQuestion(c)
	if err != nil {
		return nil, err
	}
	replies := survey(ctx, c.h, patiently, func(ctx context.Context, p *Place) (*edge.Explanation, error) { return p.Edge.Explain(ctx, q.Question) })
	first, err := telling(replies)
	if err != nil {
		return nil, err
	}
	history, err := c.h.history(first.Distribution)
	if err != nil {
		return nil, err
	}
	d, err := c.h.cfg.Control.Distribution(first.Distribution)
	if err != nil {
		return nil, err
	}
	b := explainBody{Edges: []explainEdge{}, WouldMatch: history.matching(&first.Subject, 0, ""), Where: whereOf(q.narrowed)}
	for _, r := range replies {
		e := explainEdge{Edge: r.Name, Error: silence(r.err), MatchedBy: []match{}, Through: []through{}}
		if r.err == nil {
			e = explainOn(r.Name, r.is, history)
		}
		b.Edges = append(b.Edges, e)
	}
	c.h.explain(&b, first)
	p := newPreview(q.items, d.Tags, d.Config.CacheTagConfig != nil)
	b.Mode = cmp.Or(q.mode, p.body.Mode)
	b.Items = p.matching(q.where, first, replies)
	return b, nil
}

// telling picks the edge whose word is for all: one that has it stored, if any has, for tags come with the object.
func telling(replies []reply[*edge.Explanation]) (first *edge.Explanation, err error) {
	err = edge.ErrNoDistribution
	for _, r := range replies {
		switch why := silence(r.err); {
		case r.err == nil && (first == nil || first.Stored == nil && r.is.Stored != nil):
			first = r.is
		case why != "":
			err = unavailable("No edge has told what it makes of this. %s: %s.", r.Name, why)
		}
	}
	if first != nil {
		err = nil
	}
	return first, err
}

// matching tells of each line whether it would drop what is explained: where it is stored, or else as far as can be known.
func (p *preview) matching(where *invalidation.Where, first *edge.Explanation, replies []reply[*edge.Explanation]) []explainItem {
	all := []explainItem{}
	for i := range p.body.Items {
		line := &p.body.Items[i]
		all = append(all, explainItem{Item: line.Item, Kind: line.Kind, Error: line.Error, Warning: line.Warning, Edges: []string{}})
	}
	for i, at := range p.at {
		x := &all[at]
		means := func(s *invalidation.Subject) bool { return p.items[i].Matches(s) && where.Matches(s) }
		for _, r := range replies {
			if r.err == nil && r.is.Stored != nil && means(&r.is.Subject) {
				x.Edges = append(x.Edges, r.Name)
			}
		}
		x.Matches = len(x.Edges) > 0
		if first.Stored != nil {
			continue
		}
		x.Matches = means(&first.Subject)
		switch {
		case x.Warning != "":
		case p.items[i].Kind() == invalidation.Tag:
			x.Warning = "It is not stored, so its tags are not known."
		case where != nil:
			x.Warning = "It is not stored, so what conditions look at is not known, but for its host."
		}
	}
	return all
}

// explain fills in what is the same on all edges.
func (h *Handler) explain(b *explainBody, x *edge.Explanation) {
	b.DistributionID, b.DomainName = x.Distribution, x.DomainName
	b.Behavior = explainBehavior{x.PathPattern, x.Precedence, list(x.Origins)}
	b.CacheKey.Readable = x.Key
	b.Subject = explainSubject{x.Subject.Path, x.Subject.Query, list(x.Subject.Tags), x.Subject.Host}
	if p, err := h.cfg.Control.CachePolicy(x.CachePolicyID); err == nil {
		b.CachePolicy = &explainPolicy{ID: p.ID}
		if p.Config.Name != nil {
			b.CachePolicy.Name = *p.Config.Name
		}
	}
}

func explainOn(name string, x *edge.Explanation, h *history) explainEdge {
	e := explainEdge{Edge: name, MatchedBy: []match{}, Through: []through{}}
	for _, t := range x.Through {
		e.Through = append(e.Through, through(t))
	}
	s := x.Stored
	if s == nil {
		return e
	}
	e.Stored, e.Status, e.StoredAt, e.Stamp, e.Fresh, e.FreshUntil = true, s.Status, instant(s.At), s.Stamp, s.Fresh, instant(s.FreshUntil)
	e.AgeSeconds, e.Bytes, e.Hits, e.Second = int64(s.Age.Seconds()), s.Bytes, s.Hits, s.Second
	e.Memory, e.Disk, e.Slices, e.SlicesHere = s.Memory, s.Disk, s.Slices, s.SlicesHere
	switch e.Marked = s.Marked; {
	case s.Dead:
		e.MatchedBy = h.matching(&x.Subject, s.Stamp, distribution.InvalidationRemove)
	case s.Marked:
		e.MatchedBy = h.matching(&x.Subject, s.Stamp, distribution.InvalidationStale)
	}
	return e
}
