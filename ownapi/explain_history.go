package ownapi

import (
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/invalidation"
)

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
