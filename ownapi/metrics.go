package ownapi

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/edge"
)

type metricsBody struct {
	Step   int           `json:"step"` // seconds
	Points []metricPoint `json:"points"`
	Now    metricsNow    `json:"now"`
}

type metricsNow struct {
	RequestsPerSecond float64 `json:"requestsPerSecond"`
	HitRatio          float64 `json:"hitRatio"` // hits, refresh hits too, of what could have been one; 0 when there was nothing
}

type metricPoint struct {
	Time               instant `json:"time"` // the step's beginning
	Requests           uint64  `json:"requests"`
	Hits               uint64  `json:"hits"`
	RefreshHits        uint64  `json:"refreshHits"`
	Misses             uint64  `json:"misses"`
	Errors             uint64  `json:"errors"`
	Redirects          uint64  `json:"redirects"`
	Bytes              uint64  `json:"bytes"`
	OriginRequests     uint64  `json:"originRequests"`
	OriginLatencyMsP50 float64 `json:"originLatencyMsP50"`
	OriginLatencyMsP99 float64 `json:"originLatencyMsP99"`
}

func getMetrics(_ context.Context, c *call) (any, error) {
	get, err := c.parameters("minutes")
	if err != nil {
		return nil, err
	}
	minutes, err := number("minutes", get("minutes"), 1, 60, 180)
	if err != nil {
		return nil, err
	}
	d, err := c.h.cfg.Control.Distribution(c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	m := c.h.cfg.Meter
	return metricsBody{
		Step: int(step / time.Second), Points: m.points(d.ID, minutes*int(time.Minute/step)), Now: m.current(d.ID),
	}, nil
}

// points returns the last n steps that are over, oldest first.
func (m *Meter) points(id string, n int) []metricPoint {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := (*m.series.Load())[id]
	last := stepOf(m.now()) - 1
	all := make([]metricPoint, 0, n)
	for at := last - int64(n) + 1; at <= last; at++ {
		out := metricPoint{Time: instant(time.Unix(at*int64(step/time.Second), 0))}
		if s != nil && s.ring != nil {
			if p := &s.ring[at%int64(kept)]; p.step == at {
				out.fill(p)
			}
		}
		all = append(all, out)
	}
	return all
}

func (out *metricPoint) fill(p *point) {
	n := func(o edge.Outcome) uint64 { return uint64(p.outcomes[o]) }
	for _, o := range edge.Outcomes() {
		out.Requests += n(o)
	}
	out.Hits, out.RefreshHits, out.Misses, out.Redirects = n(edge.Hit), n(edge.RefreshHit), n(edge.Miss), n(edge.Redirect)
	out.Errors = n(edge.Failed) + n(edge.CapacityExceeded)
	out.Bytes, out.OriginRequests = p.bytes, uint64(p.fetches)
	out.OriginLatencyMsP50, out.OriginLatencyMsP99 = rounded(float64(p.p50), 100), rounded(float64(p.p99), 100)
}

// current is the rate of the last step that is over and of what has come since.
func (m *Meter) current(id string) (now metricsNow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := (*m.series.Load())[id]
	if s == nil {
		return now
	}
	t := s.read()
	sum := func(o edge.Outcome) float64 { return float64(t.outcomes[o] - s.seen.outcomes[o]) }
	at := m.now()
	took := at.Sub(m.collected)
	if s.ring != nil {
		if p := &s.ring[(stepOf(at)-1)%int64(kept)]; p.step == stepOf(at)-1 {
			since := sum
			sum = func(o edge.Outcome) float64 { return since(o) + float64(p.outcomes[o]) }
		}
	}
	if took = max(took, 0) + step; took > 0 {
		all := 0.0
		for _, o := range edge.Outcomes() {
			all += sum(o)
		}
		now.RequestsPerSecond = rounded(all/took.Seconds(), 100)
	}
	hits := sum(edge.Hit) + sum(edge.RefreshHit)
	if could := hits + sum(edge.Miss); could > 0 {
		now.HitRatio = rounded(hits/could, 10000)
	}
	return now
}

func rounded(x, parts float64) float64 { return math.Round(x*parts) / parts }

type popularBody struct {
	Items []popularItem `json:"items"`
	Since instant       `json:"since"`

	Unanswered []unanswered `json:"unanswered"` // edges of which nothing is counted
}

type popularItem struct {
	Path     string `json:"path"`
	Requests uint64 `json:"requests"`
	Hits     uint64 `json:"hits"`
	Bytes    int64  `json:"bytes"`
}

// getPopular adds up what the edges have stored: each tells its most wanted.
func getPopular(ctx context.Context, c *call) (any, error) {
	get, err := c.parameters("max")
	if err != nil {
		return nil, err
	}
	most, err := number("max", get("max"), 1, 50, 500)
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
	var since time.Time
	byPath := map[string]popularItem{}
	replies := survey(ctx, c.h, patiently, func(ctx context.Context, place *Place) (*edge.Popular, error) {
		return place.Edge.Popular(ctx, d.ID, most*2)
	})
	for _, r := range replies {
		p := r.is
		if r.err != nil {
			continue
		}
		if !p.Since.IsZero() && (since.IsZero() || p.Since.Before(since)) {
			since = p.Since
		}
		for _, o := range p.Objects {
			x := byPath[o.Path]
			byPath[o.Path] = popularItem{o.Path, x.Requests + o.Requests, x.Hits + o.Hits, x.Bytes + o.Bytes}
		}
	}
	b := popularBody{Items: []popularItem{}, Since: instant(since), Unanswered: missing(replies)}
	for _, x := range byPath {
		b.Items = append(b.Items, x)
	}
	slices.SortFunc(b.Items, wanted)
	b.Items = b.Items[:min(most, len(b.Items))]
	return b, ctx.Err()
}

func wanted(a, b popularItem) int {
	return cmp.Or(cmp.Compare(b.Requests, a.Requests), strings.Compare(a.Path, b.Path))
}
