package ownapi

import (
	"context"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/tier"
)

type placeBody struct {
	Place   string   `json:"place"`
	Parent  string   `json:"parent"`  // "": the origin
	Regions []string `json:"regions"` // Origin Shield regions that it serves by an operator's word
	Edges   int      `json:"edges"`   // that others can ask
}

func placeBodyOf(p control.Place) placeBody {
	return placeBody{p.Name, p.Parent, append([]string{}, p.Regions...), p.Edges}
}

func listPlaces(_ context.Context, c *call) (any, error) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	all := []placeBody{}
	for _, p := range c.h.cfg.Control.Places() {
		all = append(all, placeBodyOf(p))
	}
	return struct {
		Places []placeBody `json:"places"`
	}{all}, nil
}

func putPlace(ctx context.Context, c *call) (any, error) {
	var in struct {
		Parent  string   `json:"parent"`
		Regions []string `json:"regions"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	name := c.PathValue("place")
	if err := c.h.cfg.Control.PutPlace(ctx, c.by, tier.Place{Name: name, Parent: in.Parent, Regions: in.Regions}); err != nil {
		return nil, err
	}
	for _, p := range c.h.cfg.Control.Places() {
		if p.Name == name {
			return placeBodyOf(p), nil
		}
	}
	return placeBody{Place: name, Parent: in.Parent, Regions: append([]string{}, in.Regions...)}, nil
}

func deletePlace(ctx context.Context, c *call) (any, error) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	return nil, c.h.cfg.Control.DeletePlace(ctx, c.by, c.PathValue("place"))
}
