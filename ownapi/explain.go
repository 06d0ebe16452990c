package ownapi

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/internal/message"
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
	Items          []explainItem   `json:"items"`      // those that were asked about
}

// explainItem tells whether an invalidation of the item would drop the object.
type explainItem struct {
	Item    string     `json:"item"`
	Kind    string     `json:"kind"` // "" with an error
	Error   *itemError `json:"error,omitempty"`
	Warning string     `json:"warning,omitempty"`
	Matches bool       `json:"matches"`
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
	Edge       string  `json:"edge"`
	Stored     bool    `json:"stored"`
	Status     int     `json:"status"`
	StoredAt   instant `json:"storedAt"`
	Stamp      uint64  `json:"stamp"`
	Fresh      bool    `json:"fresh"`
	FreshUntil instant `json:"freshUntil"`
	AgeSeconds int64   `json:"ageSeconds"`
	Bytes      int64   `json:"bytes"`
	Hits       uint64  `json:"hits"`
	Memory     bool    `json:"memory"`
	Disk       bool    `json:"disk"`
	Slices     int64   `json:"slices"`       // 0: it is not cut
	SlicesHere int64   `json:"slicesStored"` // of them
	Second     string  `json:"second"`
	Marked     bool    `json:"marked"`
	MatchedBy  []match `json:"matchedBy"` // what has killed it, while it is not swept away yet, or marked it stale
}

type match struct {
	InvalidationID string `json:"invalidationId"`
	Item           string `json:"item"`
	Mode           string `json:"mode"`
	Where          *where `json:"where"` // what narrows it
}

// postExplain tells what the edges make of a request, without making one.
func postExplain(_ context.Context, c *call) (any, error) {
	q, items, err := readQuestion(c)
	if err != nil {
		return nil, err
	}
	b := explainBody{Edges: []explainEdge{}, WouldMatch: []match{}, Items: []explainItem{}}
	var first *edge.Explanation // of an edge that has it stored, if any: tags come with the object
	var history *history
	for _, p := range c.h.places() {
		x, err := p.Edge.Explain(*q)
		if errors.Is(err, edge.ErrNoDistribution) {
			b.Edges = append(b.Edges, explainEdge{Edge: p.Name, MatchedBy: []match{}})
			continue
		}
		if err != nil {
			return nil, err
		}
		if history == nil {
			if history, err = c.h.history(x.Distribution.ID); err != nil {
				return nil, err
			}
		}
		if first == nil || first.Stored == nil && x.Stored != nil {
			first = x
		}
		b.Edges = append(b.Edges, explainOn(p.Name, x, history))
	}
	if first == nil {
		return nil, edge.ErrNoDistribution
	}
	b.WouldMatch = history.matching(&first.Subject, 0, "")
	c.h.explain(&b, first)
	d, err := c.h.cfg.Control.Distribution(first.Distribution.ID)
	if err != nil {
		return nil, err
	}
	b.Items = append(b.Items, newPreview(items, d.Tags, d.Config.CacheTagConfig != nil).matching(first)...)
	return b, nil
}

// matching tells of each line whether it would drop what is explained.
func (p *preview) matching(x *edge.Explanation) (all []explainItem) {
	for i := range p.body.Items {
		line := &p.body.Items[i]
		all = append(all, explainItem{Item: line.Item, Kind: line.Kind, Error: line.Error, Warning: line.Warning})
	}
	for i, at := range p.at {
		all[at].Matches = p.items[i].Matches(&x.Subject)
		if p.items[i].Kind() == invalidation.Tag && x.Stored == nil && all[at].Warning == "" {
			all[at].Warning = "It is not stored, so its tags are not known."
		}
	}
	return all
}

// explain fills in what is the same on all edges.
func (h *Handler) explain(b *explainBody, x *edge.Explanation) {
	b.DistributionID, b.DomainName = x.Distribution.ID, x.Distribution.DomainName
	b.Behavior = explainBehavior{x.Behavior.PathPattern, x.Precedence, []string{x.Behavior.Origin.ID}}
	if s := x.Behavior.Second("GET"); s != nil {
		b.Behavior.Origins = append(b.Behavior.Origins, s.Origin.ID)
	}
	b.CacheKey.Readable = x.Key
	b.Subject = explainSubject{x.Subject.Path, x.Subject.Query, list(x.Subject.Tags), x.Subject.Host}
	if p, err := h.cfg.Control.CachePolicy(x.Behavior.CachePolicyID); err == nil {
		b.CachePolicy = &explainPolicy{ID: p.ID}
		if p.Config.Name != nil {
			b.CachePolicy.Name = *p.Config.Name
		}
	}
}

func explainOn(name string, x *edge.Explanation, h *history) explainEdge {
	e := explainEdge{Edge: name, MatchedBy: []match{}}
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

// history is a distribution's last invalidations, parsed once.
type history struct{ items []pastItem }

type pastItem struct {
	seq    uint64
	where  *invalidation.Where
	parsed invalidation.Item
	match
}

const (
	maxHistory = 100   // invalidations that are looked at
	maxParsed  = 50000 // items of them
	maxMatches = 100   // that are named
)

func (h *Handler) history(id string) (*history, error) {
	d, err := h.cfg.Control.Distribution(id)
	if err != nil {
		return nil, err
	}
	dialect := invalidation.Anywhere
	if d.Tags[distribution.TagWildcards] == distribution.WildcardsAWS {
		dialect = invalidation.AWS
	}
	page, err := h.cfg.Control.Invalidations(id, "", maxHistory)
	if err != nil {
		return nil, err
	}
	out := &history{}
	for _, inv := range page.Items {
		if inv.Status == control.Scheduled || inv.Status == control.Withdrawn && len(inv.Waves) == 0 {
			continue // nothing was dropped by it
		}
		out.add(inv, dialect)
	}
	return out, nil
}

func (h *history) add(inv *control.Invalidation, dialect invalidation.Dialect) {
	narrowed, err := parseWhere(inv.Where)
	if err != nil {
		narrowed = nil // as edges do
	}
	for _, line := range inv.Items {
		if item, err := invalidation.Parse(line, dialect); err == nil && len(h.items) < maxParsed {
			h.items = append(h.items, pastItem{inv.Seq, narrowed, item, match{inv.ID, line, inv.Mode, whereOf(inv.Where)}})
		}
	}
}

// matching names the items above a stamp, of one mode or of all, that mean an object.
func (h *history) matching(s *invalidation.Subject, after uint64, mode string) []match {
	found := []match{}
	for i := range h.items {
		if x := &h.items[i]; x.seq > after && (mode == "" || mode == x.Mode) && len(found) < maxMatches && x.parsed.Matches(s) && x.where.Matches(s) {
			found = append(found, x.match)
		}
	}
	return found
}

const maxExplained = 100 // items

// readQuestion reads {url} or {distributionId, path, headers}, and items.
func readQuestion(c *call) (*edge.Question, []string, error) {
	var in struct {
		URL            string            `json:"url"`
		DistributionID string            `json:"distributionId"`
		Path           string            `json:"path"`
		Headers        map[string]string `json:"headers"`
		Items          []string          `json:"items"`
	}
	if err := c.decode(&in); err != nil {
		return nil, nil, err
	}
	if (in.URL == "") == (in.DistributionID == "") {
		return nil, nil, invalid("Send either url, or distributionId and path.")
	}
	if len(in.Items) > maxExplained {
		return nil, nil, invalid("At most %d items can be asked about.", maxExplained)
	}
	headers, err := readHeaders(in.Headers)
	if err != nil {
		return nil, nil, err
	}
	r := &message.Request{Method: "GET", Scheme: "http", Major: 1, Minor: 1, Fields: headers,
		Remote: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)}
	path := in.Path
	if in.URL != "" {
		if path, err = readURL(in.URL, r); err != nil {
			return nil, nil, err
		}
	}
	if err := checkPath(path); err != nil {
		return nil, nil, err
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(path, "?")
	if in.DistributionID != "" {
		d, err := c.h.cfg.Control.Distribution(in.DistributionID)
		if err != nil {
			return nil, nil, err
		}
		r.Host = d.DomainName
	}
	return &edge.Question{Distribution: in.DistributionID, Request: r}, in.Items, nil
}

// readURL takes a URL apart as a viewer would send it: what follows the host stays as it is written.
func readURL(url string, r *message.Request) (path string, err error) {
	scheme, rest, ok := strings.Cut(url, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return "", invalid("The URL must begin with http:// or https://.")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, path := rest[:end], rest[end:]
	path, _, _ = strings.Cut(path, "#")
	if path == "" || path[0] == '?' {
		path = "/" + path
	}
	host, port, _ := strings.Cut(host, ":")
	r.Scheme, r.Host, r.Port = scheme, strings.ToLower(host), port
	return path, nil
}

const maxPath = 8 << 10

// checkPath refuses what cannot stand in a request line.
func checkPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return invalid("The path must begin with a slash.")
	case len(path) > maxPath:
		return invalid("The path has more than %d characters.", maxPath)
	case strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '#' }):
		return invalid("The path has a character that must be percent-encoded.")
	}
	return nil
}

const maxHeaders = 20

// framing are fields that say how a message is sent, not what is asked for.
var framing = map[string]bool{
	"Host": true, "Connection": true, "Content-Length": true, "Transfer-Encoding": true, "Upgrade": true, "Te": true,
	"Trailer": true, "Expect": true, "Keep-Alive": true, "Proxy-Connection": true, "Proxy-Authorization": true,
}

func readHeaders(in map[string]string) (message.Fields, error) {
	if len(in) > maxHeaders {
		return nil, invalid("At most %d headers can be sent.", maxHeaders)
	}
	var out message.Fields
	for name, value := range in {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
			return nil, invalid("%.60q is no header's name.", name)
		case framing[canonical]:
			return nil, invalid("The header %s cannot be set here.", canonical)
		case len(value) > maxPath || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c >= 0x7f }):
			return nil, invalid("The value of the header %s cannot be sent.", canonical)
		}
		out.Add(canonical, value)
	}
	return out, nil
}
