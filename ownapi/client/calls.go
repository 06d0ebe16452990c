package client

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

const pageSize = 100

// About tells what runs there.
func (c *Client) About(ctx context.Context) (*About, error) {
	out := &About{}
	return out, c.own(ctx, "GET", "/about", nil, out)
}

// Nodes tells how the edges are.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	all, err := c.AllNodes(ctx)
	return all.Edges, err
}

// AllNodes tells how the edges and the nodes of the control plane are.
func (c *Client) AllNodes(ctx context.Context) (out AllNodes, err error) {
	err = c.own(ctx, "GET", "/nodes", nil, &out)
	return out, err
}

// Backup writes the control plane's data to w. Whether it is whole, its reader finds out.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, "GET", prefix+"/backup", "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return c.unreachable(err)
	}
	return nil
}

// Compact has the journal compacted, however long that takes. What is younger than keep stays as it is; nil: as when the journal has grown.
func (c *Client) Compact(ctx context.Context, keep *time.Duration) (out Compacted, err error) {
	var in struct {
		KeepSeconds *float64 `json:"keepSeconds,omitempty"`
	}
	if keep != nil {
		in.KeepSeconds = new(float64)
		*in.KeepSeconds = keep.Seconds()
	}
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	resp, err := c.send(ctx, "POST", prefix+"/journal/compact", "application/json", body)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return out, c.unreachable(err)
	}
	return out, nil
}

// EdgeToken is a token with which a machine becomes an edge.
type EdgeToken struct {
	Token    string    `json:"token"`
	Edge     string    `json:"edge"`
	Location string    `json:"location"`
	Expires  time.Time `json:"expires"`
}

// EdgeToken has a token made; an empty location is what the edge's name begins with.
func (c *Client) EdgeToken(ctx context.Context, edge, location string, minutes int) (*EdgeToken, error) {
	in := map[string]any{"edge": edge, "minutes": minutes}
	if location != "" {
		in["location"] = location
	}
	t := &EdgeToken{}
	return t, c.own(ctx, "POST", "/edges/tokens", in, t)
}

// ControlToken is a token with which a machine becomes a control node.
type ControlToken struct {
	Token   string    `json:"token"`
	Node    string    `json:"node"`
	Expires time.Time `json:"expires"`
}

// ControlToken has a token made.
func (c *Client) ControlToken(ctx context.Context, node string, minutes int) (*ControlToken, error) {
	t := &ControlToken{}
	return t, c.own(ctx, "POST", "/controls/tokens", map[string]any{"node": node, "minutes": minutes}, t)
}

// DrainEdge asks an edge on another machine to stop.
func (c *Client) DrainEdge(ctx context.Context, edge string) error {
	return c.own(ctx, "POST", "/edges/"+url.PathEscape(edge)+"/drain", struct{}{}, nil)
}

// RemoveEdge ends the admission of an edge that is off.
func (c *Client) RemoveEdge(ctx context.Context, edge string) error {
	return c.own(ctx, "DELETE", "/edges/"+url.PathEscape(edge), nil, nil)
}

// Places lists the edge locations.
func (c *Client) Places(ctx context.Context) ([]Place, error) {
	var out struct {
		Places []Place `json:"places"`
	}
	return out.Places, c.own(ctx, "GET", "/places", nil, &out)
}

// SetPlace says which place another one fills through, and for which Origin Shield regions it stands.
func (c *Client) SetPlace(ctx context.Context, place, parent string, regions []string) (*Place, error) {
	out := &Place{}
	in := map[string]any{"parent": parent, "regions": append([]string{}, regions...)}
	return out, c.own(ctx, "PUT", "/places/"+url.PathEscape(place), in, out)
}

// RemovePlace takes back what was said of a place.
func (c *Client) RemovePlace(ctx context.Context, place string) error {
	return c.own(ctx, "DELETE", "/places/"+url.PathEscape(place), nil, nil)
}

// Metrics tells of a distribution's last minutes.
func (c *Client) Metrics(ctx context.Context, distribution string, minutes int) (*Metrics, error) {
	out := &Metrics{}
	return out, c.own(ctx, "GET", "/distributions/"+url.PathEscape(distribution)+"/metrics?minutes="+strconv.Itoa(minutes), nil, out)
}

// Preview tells what an invalidation would drop.
func (c *Client) Preview(ctx context.Context, distribution string, items []string, where *Where) (*Preview, error) {
	in := struct {
		Items []string `json:"items"`
		Where *Where   `json:"where,omitempty"`
	}{items, where}
	out := &Preview{}
	return out, c.own(ctx, "POST", "/distributions/"+url.PathEscape(distribution)+"/preview", in, out)
}

// Explain tells what the edges make of a request.
func (c *Client) Explain(ctx context.Context, q Question) (*Explanation, error) {
	out := &Explanation{}
	return out, c.own(ctx, "POST", "/explain", q, out)
}

// Receipt tells how an invalidation goes.
func (c *Client) Receipt(ctx context.Context, distribution, invalidation string) (*Receipt, error) {
	out := &Receipt{}
	return out, c.own(ctx, "GET", "/distributions/"+url.PathEscape(distribution)+"/invalidations/"+url.PathEscape(invalidation)+"/receipt", nil, out)
}

// Search says which invalidations of the history are wanted; a zero field wants all.
type Search struct {
	Distribution string // its id
	Text         string
	By           string
	Status       string
	From, Before time.Time
}

func (s *Search) query() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{"distribution": s.Distribution, "text": s.Text, "by": s.By, "status": s.Status} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, t := range map[string]time.Time{"from": s.From, "before": s.Before} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return q
}

// History calls f with each invalidation that is wanted, newest first, with most of them at most, all when
// most is 0, until f returns an error.
func (c *Client) History(ctx context.Context, s Search, most int, f func(Past) error) error {
	query := s.query()
	for n := 0; ; {
		var page struct {
			Items      []Past `json:"items"`
			NextMarker string `json:"nextMarker"`
		}
		query.Set("max", strconv.Itoa(pageSize))
		if most > 0 {
			query.Set("max", strconv.Itoa(min(most-n, pageSize)))
		}
		if err := c.own(ctx, "GET", "/history?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		for _, p := range page.Items {
			if err := f(p); err != nil {
				return err
			}
		}
		if n += len(page.Items); page.NextMarker == "" || most > 0 && n >= most {
			return nil
		}
		query.Set("marker", page.NextMarker)
	}
}

// Distribution is what the command line shows of one.
type Distribution struct {
	ID         string   `json:"id"`
	DomainName string   `json:"domainName"`
	Aliases    []string `json:"aliases"`
	Comment    string   `json:"comment"`
	Status     string   `json:"status"`
	Enabled    bool     `json:"enabled"`
}

// Distribution returns one by its id.
func (c *Client) Distribution(ctx context.Context, id string) (Distribution, error) {
	var d wire.Distribution
	if err := c.cloudfront(ctx, "GET", "/distribution/"+url.PathEscape(id), nil, "Distribution", &d); err != nil {
		return Distribution{}, err
	}
	out := Distribution{ID: wire.Val(d.Id), DomainName: wire.Val(d.DomainName), Status: wire.Val(d.Status)}
	if cfg := d.DistributionConfig; cfg != nil {
		out.Comment, out.Enabled, out.Aliases = wire.Val(cfg.Comment), wire.Val(cfg.Enabled), aliases(cfg.Aliases)
	}
	return out, nil
}

// Distributions returns most of them at most, all when most is 0.
func (c *Client) Distributions(ctx context.Context, most int) ([]Distribution, error) {
	var all []Distribution
	for marker := ""; ; {
		query := url.Values{"MaxItems": {strconv.Itoa(pageSize)}}
		if marker != "" {
			query.Set("Marker", marker)
		}
		var page wire.DistributionList
		if err := c.cloudfront(ctx, "GET", "/distribution?"+query.Encode(), nil, "DistributionList", &page); err != nil {
			return nil, err
		}
		for _, s := range page.Items {
			if most > 0 && len(all) == most {
				return all, nil
			}
			all = append(all, Distribution{ID: wire.Val(s.Id), DomainName: wire.Val(s.DomainName), Aliases: aliases(s.Aliases),
				Comment: wire.Val(s.Comment), Status: wire.Val(s.Status), Enabled: wire.Val(s.Enabled)})
		}
		if marker = wire.Val(page.NextMarker); marker == "" || !wire.Val(page.IsTruncated) {
			return all, nil
		}
	}
}

func aliases(a *wire.Aliases) []string {
	if a == nil {
		return nil
	}
	return a.Items
}

// Created is a new invalidation.
type Created struct {
	ID              string    `json:"id"`
	DistributionID  string    `json:"distributionId"`
	Status          string    `json:"status"`
	CreateTime      time.Time `json:"createTime"`
	CallerReference string    `json:"callerReference"`
	Items           []string  `json:"items"`
	Comment         string    `json:"comment,omitempty"`
	Plan            *Plan     `json:"plan,omitempty"`
	Where           *Where    `json:"where,omitempty"`
	Pace            *Pace     `json:"pace,omitempty"`
	Mode            string    `json:"mode"`
}

// Wish asks for an invalidation; it may have what CloudFront's API has no field for.
type Wish struct {
	Items           []string `json:"items"`
	CallerReference string   `json:"callerReference,omitempty"`
	Comment         string   `json:"comment,omitempty"`

	At    *time.Time `json:"at,omitempty"`    // when it shall be in force
	When  *Condition `json:"when,omitempty"`  // or what must hold for it to be
	Where *Where     `json:"where,omitempty"` // what narrows the items
	Pace  *Pace      `json:"pace,omitempty"`  // how it spares the origin
	Mode  string     `json:"mode,omitempty"`  // remove, stale; "": as the distribution's tag says
}

// Withdraw takes back an invalidation that is scheduled, or the turns that it still has.
func (c *Client) Withdraw(ctx context.Context, distribution, invalidation string) (*ReceiptHead, error) {
	out := &ReceiptHead{}
	return out, c.own(ctx, "POST", "/distributions/"+url.PathEscape(distribution)+"/invalidations/"+url.PathEscape(invalidation)+"/withdraw", struct{}{}, out)
}

// Invalidate creates an invalidation. With a reference that was used before, for the same items, it returns
// that invalidation.
func (c *Client) Invalidate(ctx context.Context, distribution string, w Wish) (Created, error) {
	var made ReceiptHead
	if err := c.own(ctx, "POST", "/distributions/"+url.PathEscape(distribution)+"/invalidations", w, &made); err != nil {
		return Created{}, err
	}
	return Created{ID: made.ID, DistributionID: distribution, Status: made.Status, CreateTime: made.CreateTime,
		CallerReference: made.CallerReference, Items: made.Items, Comment: made.Comment, Plan: made.Plan, Where: made.Where, Pace: made.Pace, Mode: made.Mode}, nil
}
